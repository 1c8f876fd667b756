#include "os/depot.h"

#include "base/arena.h"
#include "os/digest.h"
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { CHUNK = 64 << 10, DIR_MODE = 0700, NAMES_MAX = 1024 };
#define MAGIC_BTRFS 0x9123683EL
#define MAGIC_XFS 0x58465342L

struct depot depot_open(struct arena *arena, struct str dir, struct str target) {
    struct stat here, there;
    struct statfs fs;
    struct sys_space space;
    char real[PATH_MAX];
    const char *path = str_copy_z(arena, dir), *wanted = str_copy_z(arena, target);
    if (dir.len == 0 || sys_space(sys_real(), wanted, &space) || space.overlay) return (struct depot){0};
    /* The directory above is the cache, which others make. */
    if (mkdir(path, DIR_MODE) != 0 && errno != EEXIST) return (struct depot){0};
    if (lstat(path, &here) != 0 || lstat(wanted, &there) != 0 || statfs(path, &fs) != 0) return (struct depot){0};
    if (!S_ISDIR(here.st_mode) || here.st_uid != geteuid() || (here.st_mode & 022) || here.st_dev != there.st_dev)
        return (struct depot){0};
    if (!realpath(path, real)) return (struct depot){0};
    return (struct depot){str_copy(arena, str_of(real)), fs.f_type == MAGIC_BTRFS || fs.f_type == MAGIC_XFS};
}

/* "DIR/ab/cdef…", with an `x` at the end where the file can be executed: another mode is another file. */
static char *place(const struct depot *depot, struct arena *scratch, struct str sha256, uint32_t mode) {
    static const char digits[] = "0123456789abcdef";
    char *path = arena_alloc(scratch, depot->dir.len + 2 * DIGEST_SHA256 + 4), *at = path + depot->dir.len;
    memcpy(path, depot->dir.data, (size_t)depot->dir.len);
    *at++ = '/';
    for (int i = 0; i < DIGEST_SHA256; i++) {
        unsigned char byte = (unsigned char)sha256.data[i];
        if (i == 1) *at++ = '/';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    if (mode & 0111) *at++ = 'x';
    *at = '\0';
    return path;
}

static bool bytes_are(struct arena *scratch, int fd, const struct depot_file *file) {
    unsigned char found[DIGEST_SHA256];
    int64_t so_far = 0, size = file->size;
    uint32_t crc = 0;
    bool done = true;
    struct arena_mark mark = arena_mark(scratch);
    int64_t room = size < CHUNK ? size : CHUNK;
    char *block = arena_alloc(scratch, (ptrdiff_t)room);
    struct digest *digest = digest_open(scratch);
    while (done && so_far < size) {
        ssize_t n = read(fd, block, (size_t)room);
        if (n < 0 && errno == EINTR) continue;
        done = n > 0;
        if (done) digest_add(digest, (struct str){block, n});
        if (done) crc = libdeflate_crc32(crc, block, (size_t)n);
        so_far += n;
    }
    digest_close(digest, found);
    arena_rewind(scratch, mark);
    return done && so_far == size && crc == file->crc && memcmp(found, file->sha256.data, DIGEST_SHA256) == 0;
}

/* As it was put here, as far as can be seen without reading it. */
static bool is_plain(int fd, const struct stat *st, int64_t size, uint32_t mode) {
    char names[NAMES_MAX];
    if (!S_ISREG(st->st_mode) || st->st_size != size) return false;
    if ((st->st_mode & 07777) != mode || st->st_uid != geteuid() || st->st_gid != getegid()) return false;
    ssize_t listed = flistxattr(fd, names, sizeof names);
    return listed == 0 || (listed < 0 && errno == ENOTSUP);
}

static bool clone_make(int from, const char *path, uint32_t mode) {
    int to = -1;
    if (sys_create(sys_real(), path, 0600, &to)) return false;
    bool done = ioctl(to, FICLONE, from) == 0 && fchmod(to, (mode_t)mode) == 0;
    if (close(to) != 0) done = false;
    if (!done) (void)unlink(path);
    return done;
}

/* A second name for the very file `fd`, which has then two and no more: no other environment took it meanwhile. */
static bool name_make(int fd, const char *kept, const char *path) {
    struct stat st;
    if (sys_hardlink(sys_real(), kept, path)) return false;
    if (fstat(fd, &st) == 0 && st.st_nlink == 2 && futimens(fd, NULL) == 0) return true;
    (void)unlink(path);
    return false;
}

/* Gives the kept file `fd` away, if it is whole. One that is not, and is nobody's any more, goes. */
static bool take(const struct depot *depot, struct arena *scratch, int fd, const char *kept,
                 const struct depot_file *file, const char *target) {
    struct stat st;
    if (fstat(fd, &st) != 0 || (st.st_nlink != 1 && !depot->clones)) return false;
    if (!is_plain(fd, &st, file->size, file->mode) || !bytes_are(scratch, fd, file)) {
        (void)unlink(kept);
        return false;
    }
    return depot->clones ? clone_make(fd, target, file->mode) : name_make(fd, kept, target);
}

bool depot_take(const struct depot *depot, struct arena *scratch, const struct depot_file *file, struct str path) {
    if (depot->dir.len == 0 || file->sha256.len != DIGEST_SHA256 || file->size == 0) return false;
    struct arena_mark mark = arena_mark(scratch);
    const char *kept = place(depot, scratch, file->sha256, file->mode);
    int fd = open(kept, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool done = fd >= 0 && take(depot, scratch, fd, kept, file, str_copy_z(scratch, path));
    if (fd >= 0) (void)close(fd);
    arena_rewind(scratch, mark);
    return done;
}

static bool keep(const struct depot *depot, const char *source, const char *kept, uint32_t mode) {
    if (!depot->clones) return link(source, kept) == 0;
    int fd = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool done = fd >= 0 && clone_make(fd, kept, mode);
    int status = errno;
    if (fd >= 0) (void)close(fd);
    errno = status;
    return done;
}

void depot_give(const struct depot *depot, struct arena *scratch, struct str sha256, uint32_t mode, struct str path) {
    if (depot->dir.len == 0 || sha256.len != DIGEST_SHA256) return;
    struct arena_mark mark = arena_mark(scratch);
    char *kept = place(depot, scratch, sha256, mode);
    const char *source = str_copy_z(scratch, path);
    if (!keep(depot, source, kept, mode)) {
        char *dir = str_copy_z(scratch, str_of(kept));
        *strrchr(dir, '/') = '\0';
        /* Where one is kept already it stays: it is whole, or gone when it is wanted. */
        if (mkdir(dir, DIR_MODE) == 0) (void)keep(depot, source, kept, mode);
    }
    arena_rewind(scratch, mark);
}
