#include "os/depot.h"

#include "base/arena.h"
#include "os/digest.h"
#include "os/store.h"

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

enum { CHUNK = 64 << 10, DIR_MODE = 0700, NAMES_MAX = 1024, NOTES_MAX = 200000 };
/* Names of a directory in which there is none: its own, and `.`. btrfs counts otherwise, and never gives it. */
enum { EMPTY_LINKS = 2 };
#define RENEWED_NS (INT64_C(86400) * 1000000000)
/* "ab/cdef…x" */
enum { PLACE_SIZE = 2 * DIGEST_SHA256 + 3, NAME_LEN = 2 * DIGEST_SHA256 };
#define MAGIC_BTRFS 0x9123683EL
#define MAGIC_XFS 0x58465342L

struct depot depot_open(struct arena *arena, struct str dir, struct str target) {
    struct stat here, there;
    struct statfs fs;
    struct sys_space space;
    char real[PATH_MAX];
    const struct depot none = {.fd = -1};
    const char *path = str_copy_z(arena, dir), *wanted = str_copy_z(arena, target);
    if (dir.len == 0 || sys_space(sys_real(), wanted, &space) || space.overlay) return none;
    /* The directory above is the cache, which others make. */
    if (mkdir(path, DIR_MODE) != 0 && errno != EEXIST) return none;
    if (lstat(path, &here) != 0 || lstat(wanted, &there) != 0 || statfs(path, &fs) != 0) return none;
    if (!S_ISDIR(here.st_mode) || here.st_uid != geteuid() || (here.st_mode & 022) || here.st_dev != there.st_dev)
        return none;
    if (!realpath(path, real)) return none;
    int fd = -1;
    if (sys_dir(sys_real(), real, &fd)) return none;
    return (struct depot){.now_ns = sys_now_ns(),
                          .dir = str_copy(arena, str_of(real)),
                          .fd = fd,
                          .clones = fs.f_type == MAGIC_BTRFS || fs.f_type == MAGIC_XFS,
                          .is_new = here.st_nlink == EMPTY_LINKS,
                          .uid = geteuid(),
                          .gid = getegid()};
}

void depot_close(struct depot *depot) {
    if (depot->fd >= 0) (void)close(depot->fd);
    *depot = (struct depot){.fd = -1};
}

/* "ab/cdef…", with an `x` at the end where the file can be executed: another mode is another file. */
static void place(struct str sha256, uint32_t mode, char *ret) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < DIGEST_SHA256; i++) {
        unsigned char byte = (unsigned char)sha256.data[i];
        if (i == 1) *ret++ = '/';
        *ret++ = digits[byte >> 4];
        *ret++ = digits[byte & 15];
    }
    if (mode & 0111) *ret++ = 'x';
    *ret = '\0';
}

/* True for a hex SHA-256: what becomes part of a path. */
static bool is_name(struct str name) {
    return name.len == NAME_LEN && str_is_hex(name);
}

static struct str notes_path(struct arena *arena, struct str dir, struct str name) {
    return str_format(arena, "%.*s-notes/%.*s/%.*s", FMT(dir), FMT(str_slice(name, 0, 2)), FMT(str_from(name, 2)));
}

static struct str notes_identity(struct arena *arena, struct str name) {
    return str_format(arena, "notes of kept files 1 %.*s", FMT(name));
}

static int note_order(const void *a, const void *b) {
    const struct depot_note *x = a, *y = b;
    int order = memcmp(x->sha256, y->sha256, sizeof x->sha256);
    return order ? order : (x->mode > y->mode) - (x->mode < y->mode);
}

struct depot_notes depot_notes_read(struct arena *arena, const struct depot *depot, struct str name) {
    struct str bytes;
    int64_t limit = (int64_t)NOTES_MAX * (int64_t)sizeof(struct depot_note);
    if (depot->dir.len == 0 || !is_name(name)) return (struct depot_notes){0};
    if (!store_unseal(fs_real(), arena, notes_path(arena, depot->dir, name), notes_identity(arena, name), limit,
                      &bytes))
        return (struct depot_notes){0};
    if (bytes.len % (ptrdiff_t)sizeof(struct depot_note)) return (struct depot_notes){0};
    return (struct depot_notes){(const struct depot_note *)(const void *)bytes.data,
                                (int32_t)(bytes.len / (ptrdiff_t)sizeof(struct depot_note))};
}

void depot_notes_write(struct arena *arena, struct str dir, struct str name, struct depot_note *notes, int32_t len) {
    if (len == 0 || len > NOTES_MAX || !is_name(name)) return;
    qsort(notes, (size_t)len, sizeof *notes, note_order);
    struct str bytes = {(const char *)notes, (ptrdiff_t)sizeof *notes * len};
    (void)store_seal(arena, notes_path(arena, dir, name), notes_identity(arena, name), bytes);
}

/* The note on the file that is wanted; NULL: there is none. */
static const struct depot_note *note_find(const struct depot_notes *notes, const struct depot_file *file) {
    struct depot_note key = {.mode = file->mode};
    if (!notes || notes->len == 0) return NULL;
    memcpy(key.sha256, file->sha256.data, sizeof key.sha256);
    const struct depot_note *note = bsearch(&key, notes->items, (size_t)notes->len, sizeof key, note_order);
    return note && note->size == file->size ? note : NULL;
}

/* True if the kept file is the one that was noted, and was not written to since. */
static bool is_noted(const struct depot_note *note, const struct sys_stat *st) {
    return note && note->size == st->size && note->inode == st->inode && note->mtime_ns == st->mtime_ns;
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

/* As it was put here, as far as a look shows; its extended attributes are another question. */
static bool is_plain(const struct depot *depot, const struct sys_stat *st, const struct depot_file *file) {
    return st->type == SYS_FILE && st->size == file->size && st->mode == file->mode && st->uid == depot->uid &&
           st->gid == depot->gid;
}

static bool is_bare(int fd) {
    char names[NAMES_MAX];
    ssize_t listed = flistxattr(fd, names, sizeof names);
    return listed == 0 || (listed < 0 && errno == ENOTSUP);
}

/* Both states after it: of the clone, which keeps its own, and of the file it was made of. */
static bool clone_make(int from, int dir, const char *name, uint32_t mode, struct sys_stat *ret) {
    int to = -1;
    if (sys_create_at(sys_real(), dir, name, mode, &to)) return false;
    bool done = ioctl(to, FICLONE, from) == 0 && fchmod(to, (mode_t)mode) == 0 && futimens(to, NULL) == 0 &&
                sys_stat_at(sys_real(), to, "", ret) == 0;
    if (close(to) != 0) done = false;
    if (!done) (void)unlinkat(dir, name, 0);
    return done;
}

/* A second name for the very file `fd`, which has then two and no more: no other environment took it meanwhile. */
static bool name_make(const struct depot *depot, int fd, const char *kept, int dir, const char *name, bool aged,
                      struct sys_stat *ret) {
    if (linkat(depot->fd, kept, dir, name, 0) != 0) return false;
    if ((aged || futimens(fd, NULL) == 0) && sys_stat_at(sys_real(), fd, "", ret) == 0 && ret->nlink == 2) return true;
    (void)unlinkat(dir, name, 0);
    return false;
}

static struct depot_mark mark_of(const struct sys_stat *st) {
    return (struct depot_mark){.inode = st->inode, .mtime_ns = st->mtime_ns};
}

/* True where the file may keep its time. Once a day it gets the present all the same: that tells the cache what is
 * still of use. */
static bool is_aged(const struct depot *depot, const struct depot_file *file, int64_t mtime_ns) {
    return file->aged && mtime_ns <= depot->now_ns && mtime_ns > depot->now_ns - RENEWED_NS;
}

/* Gives the noted file away without opening it: what has the name afterwards must be that file, whole and with two
 * names. False: nothing was made, and whoever opens it finds out why. */
static bool noted_take(const struct depot *depot, const struct depot_note *note, const struct depot_file *file,
                       const char *kept, int to, const char *name, struct sys_stat *ret) {
    struct sys_stat st;
    if (!note || !is_aged(depot, file, note->mtime_ns) || depot->clones) return false;
    if (linkat(depot->fd, kept, to, name, 0) != 0) return false;
    if (sys_stat_at(sys_real(), to, name, &st) == 0 && st.nlink == 2 && is_plain(depot, &st, file) &&
        is_noted(note, &st) && sys_xattr_none_at(sys_real(), to, name)) {
        *ret = st;
        return true;
    }
    (void)unlinkat(to, name, 0);
    return false;
}

/* As depot_take, by way of the open file. */
static bool open_take(const struct depot *depot, struct arena *scratch, const struct depot_note *note,
                      const struct depot_file *file, const char *kept, int to, const char *name, struct sys_stat *ret,
                      struct depot_mark *ret_mark) {
    struct sys_stat st, made;
    int fd = openat(depot->fd, kept, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    bool done = sys_stat_at(sys_real(), fd, "", &st) == 0 && (st.nlink == 1 || depot->clones);
    bool whole =
        done && is_plain(depot, &st, file) && is_bare(fd) && (is_noted(note, &st) || bytes_are(scratch, fd, file));
    /* One that is not whole, and is nobody's any more, goes. */
    if (done && !whole) (void)unlinkat(depot->fd, kept, 0);
    if (whole && depot->clones) done = clone_make(fd, to, name, file->mode, &made);
    else if (whole) done = name_make(depot, fd, kept, to, name, is_aged(depot, file, st.mtime_ns), &made);
    done = done && whole;
    (void)close(fd);
    if (!done) return false;
    *ret = made;
    *ret_mark = mark_of(depot->clones ? &st : &made);
    return true;
}

bool depot_take(const struct depot *depot, struct arena *scratch, const struct depot_notes *notes,
                const struct depot_file *file, int to, const char *name, struct sys_stat *ret,
                struct depot_mark *ret_mark) {
    char kept[PLACE_SIZE];
    if (depot->dir.len == 0 || depot->is_new || file->sha256.len != DIGEST_SHA256 || file->size == 0) return false;
    place(file->sha256, file->mode, kept);
    const struct depot_note *note = note_find(notes, file);
    if (!noted_take(depot, note, file, kept, to, name, ret))
        return open_take(depot, scratch, note, file, kept, to, name, ret, ret_mark);
    *ret_mark = mark_of(ret);
    ret_mark->noted = true;
    return true;
}

/* 0 or errno. */
static int keep(const struct depot *depot, int from, const char *name, int fd, const char *kept, uint32_t mode,
                struct sys_stat *ret) {
    /* Why a clone fails is not known; where its directory is what lacks, that helps. */
    if (depot->clones) return clone_make(fd, depot->fd, kept, mode, ret) ? 0 : ENOENT;
    if (linkat(from, name, depot->fd, kept, 0) < 0) return errno;
    return sys_stat_at(sys_real(), fd, "", ret);
}

struct depot_mark depot_give(const struct depot *depot, struct str sha256, uint32_t mode, int from, const char *name,
                             int fd, struct sys_stat *ret) {
    char kept[PLACE_SIZE], dir[] = "ab";
    struct sys_stat st = {0};
    if (depot->dir.len == 0 || sha256.len != DIGEST_SHA256) return (struct depot_mark){0};
    place(sha256, mode, kept);
    memcpy(dir, kept, 2);
    int status = keep(depot, from, name, fd, kept, mode, &st);
    if (status == ENOENT && (mkdirat(depot->fd, dir, DIR_MODE) == 0 || errno == EEXIST))
        status = keep(depot, from, name, fd, kept, mode, &st);
    /* Where one is kept already it stays: it is whole, or gone when it is wanted. */
    if (status) return (struct depot_mark){0};
    if (!depot->clones) *ret = st;
    return mark_of(&st);
}
