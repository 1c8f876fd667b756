#include "os/sys.h"

#include "base/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { INTERRUPTS_MAX = 100, PATH_BYTES_MAX = 4096, NAMES_MAX = 1000000, XATTR_BYTES_MAX = 1 << 20 };
enum { XATTR_NAMES_SIZE = 1024 /* a file without any needs no room, nor does it matter how many another one has */ };
enum { OVERLAY_MAGIC = 0x794c7630, FUSE_MAGIC = 0x65735546 };

/* Repeats a call that a signal interrupted; the value of `status` is 0 or an errno value. */
#define REPEAT(status, call)                                                                                           \
    do {                                                                                                               \
        int tries_ = 0;                                                                                                \
        do {                                                                                                           \
            (status) = (call) < 0 ? errno : 0;                                                                         \
        } while ((status) == EINTR && ++tries_ < INTERRUPTS_MAX);                                                      \
    } while (0)

const struct sys *sys_real(void) {
    static const struct sys real = {0};
    return &real;
}

int64_t sys_now_ns(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int ask(const struct sys *sys, const struct sys_event *event) {
    if (!sys->before) return 0;
    int status = EINTR;
    for (int i = 0; i < INTERRUPTS_MAX && status == EINTR; i++) status = sys->before(sys->self, event);
    return status;
}

static int tell(const struct sys *sys, const struct sys_event *event, int status) {
    if (sys->after) sys->after(sys->self, event, status);
    return status;
}

/* Opens every component by itself: for kernels and sandboxes without openat2. */
static int walk_open(const char *path, int flags, uint32_t mode, int *ret) {
    int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return errno;
    char name[PATH_BYTES_MAX];
    int status = 0, fd = -1;
    while (status == 0 && fd < 0) {
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        bool last = path[len + strspn(path + len, "/")] == '\0';
        memcpy(name, len ? path : ".", len ? len : 1);
        name[len ? len : 1] = '\0';
        path += len;
        int next;
        if (last) REPEAT(status, next = openat(dir, name, flags | O_NOFOLLOW, mode));
        else REPEAT(status, next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        (void)close(dir);
        dir = next;
        if (status == 0 && last) fd = next;
    }
    if (status) return status;
    *ret = fd;
    return 0;
}

/* Opens without following any link. */
static int open_plain(const char *path, int flags, uint32_t mode, int *ret) {
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_NO_SYMLINKS,
    };
    if (strlen(path) >= PATH_BYTES_MAX) return ENAMETOOLONG;
    long fd;
    int status;
    REPEAT(status, fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
    if (status == ENOSYS || status == EPERM) {
        int walked = walk_open(path, flags | O_CLOEXEC, mode, ret);
        return walked;
    }
    if (status == 0) *ret = (int)fd;
    return status;
}

/* A directory entry: its directory, open, and its name. */
struct entry {
    int dir;
    const char *name;
};

static int entry_open(const char *path, struct entry *ret) {
    const char *slash = strrchr(path, '/');
    char parent[PATH_BYTES_MAX];
    if (!slash || slash - path >= PATH_BYTES_MAX) return slash ? ENAMETOOLONG : EINVAL;
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    memcpy(parent, path, len);
    parent[len] = '\0';
    ret->name = slash[1] ? slash + 1 : ".";
    return open_plain(parent, O_PATH | O_DIRECTORY, 0, &ret->dir);
}

static void entry_close(const struct entry *entry) {
    (void)close(entry->dir);
}

static enum sys_type type_of(uint32_t mode) {
    if (S_ISREG(mode)) return SYS_FILE;
    if (S_ISDIR(mode)) return SYS_DIR;
    return S_ISLNK(mode) ? SYS_LINK : SYS_OTHER;
}

static int64_t nanoseconds(const struct statx_timestamp *time) {
    return time->tv_sec * 1000000000 + time->tv_nsec;
}

static struct sys_stat stat_make(const struct statx *sx) {
    int64_t device = ((int64_t)sx->stx_dev_major << 32) | sx->stx_dev_minor;
    return (struct sys_stat){
        .type = type_of(sx->stx_mode),
        .mode = sx->stx_mode & 07777u,
        .uid = sx->stx_uid,
        .gid = sx->stx_gid,
        .nlink = sx->stx_nlink,
        .size = (int64_t)sx->stx_size,
        .inode = (int64_t)sx->stx_ino,
        .device = device,
#ifdef STATX_MNT_ID
        .mount = sx->stx_mask & STATX_MNT_ID ? (int64_t)sx->stx_mnt_id : device,
#else
        .mount = device,
#endif
        .mtime_ns = nanoseconds(&sx->stx_mtime),
        .ctime_ns = nanoseconds(&sx->stx_ctime),
    };
}

#ifdef STATX_MNT_ID
enum { STAT_MASK = STATX_BASIC_STATS | STATX_MNT_ID };
#else
enum { STAT_MASK = STATX_BASIC_STATS };
#endif

static int stat_end(const struct sys *sys, const struct sys_event *event, int status, const struct statx *sx,
                    struct sys_stat *ret) {
    (void)tell(sys, event, status);
    if (status == ENOENT || status == ENOTDIR || status == ELOOP) *ret = (struct sys_stat){0};
    else if (status) return status;
    else *ret = stat_make(sx);
    return 0;
}

int sys_stat(const struct sys *sys, const char *path, struct sys_stat *ret) {
    struct sys_event event = {.call = SYS_STAT, .path = path, .fd = -1};
    struct statx sx;
    struct entry entry;
    int status = ask(sys, &event);
    if (status == 0) status = entry_open(path, &entry);
    if (status == 0) {
        REPEAT(status, statx(entry.dir, entry.name, AT_SYMLINK_NOFOLLOW, STAT_MASK, &sx));
        entry_close(&entry);
    }
    return stat_end(sys, &event, status, &sx, ret);
}

int sys_stat_known(const struct sys *sys, const char *path, struct sys_stat *ret) {
    struct sys_event event = {.call = SYS_STAT, .path = path, .fd = -1};
    struct statx sx;
    int status = ask(sys, &event);
    if (status == 0) REPEAT(status, statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STAT_MASK, &sx));
    return stat_end(sys, &event, status, &sx, ret);
}

int sys_stat_at(const struct sys *sys, int dir, const char *name, struct sys_stat *ret) {
    struct sys_event event = {.call = SYS_STAT, .path = name, .fd = dir};
    struct statx sx;
    int status = ask(sys, &event);
    int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
    if (status == 0) REPEAT(status, statx(dir, name, flags, STAT_MASK, &sx));
    return stat_end(sys, &event, status, &sx, ret);
}

int sys_open(const struct sys *sys, const char *path, bool writable, int *ret) {
    struct sys_event event = {.call = SYS_OPEN, .path = path, .fd = -1};
    int status = ask(sys, &event);
    if (status == 0) status = open_plain(path, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK, 0, &event.fd);
    if (status == 0) *ret = event.fd;
    return tell(sys, &event, status);
}

int sys_create(const struct sys *sys, const char *path, uint32_t mode, int *ret) {
    struct sys_event event = {.call = SYS_CREATE, .path = path, .fd = -1};
    int status = ask(sys, &event);
    if (status == 0) status = open_plain(path, O_RDWR | O_CREAT | O_EXCL, mode, &event.fd);
    if (status == 0) *ret = event.fd;
    return tell(sys, &event, status);
}

int sys_dir(const struct sys *sys, const char *path, int *ret) {
    struct sys_event event = {.call = SYS_OPEN, .path = path, .fd = -1};
    int status = ask(sys, &event);
    if (status == 0) status = open_plain(path, O_PATH | O_DIRECTORY, 0, &event.fd);
    if (status == 0) *ret = event.fd;
    return tell(sys, &event, status);
}

int sys_open_at(const struct sys *sys, int dir, const char *name, int *ret) {
    struct sys_event event = {.call = SYS_OPEN, .path = name, .fd = -1};
    int status = ask(sys, &event);
    if (status == 0) REPEAT(status, event.fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (status == 0) *ret = event.fd;
    return tell(sys, &event, status);
}

int sys_create_at(const struct sys *sys, int dir, const char *name, uint32_t mode, int *ret) {
    struct sys_event event = {.call = SYS_CREATE, .path = name, .fd = -1};
    int status = ask(sys, &event);
    if (status == 0)
        REPEAT(status, event.fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode));
    if (status == 0) *ret = event.fd;
    return tell(sys, &event, status);
}

int sys_read(const struct sys *sys, int fd, void *data, int64_t size, int64_t *ret) {
    struct sys_event event = {.call = SYS_READ, .fd = fd, .size = size};
    int status = ask(sys, &event);
    ssize_t n = 0;
    if (status == 0) REPEAT(status, n = read(fd, data, (size_t)size));
    if (status == 0) *ret = n;
    return tell(sys, &event, status);
}

int sys_read_at(const struct sys *sys, int fd, void *data, int64_t size, int64_t offset, int64_t *ret) {
    struct sys_event event = {.call = SYS_READ, .fd = fd, .size = size, .offset = offset};
    int status = ask(sys, &event);
    ssize_t n = 0;
    if (status == 0) REPEAT(status, n = pread(fd, data, (size_t)size, (off_t)offset));
    if (status == 0) *ret = n;
    return tell(sys, &event, status);
}

/* One write as the seam allows it. */
static int write_some(const struct sys *sys, int fd, const char *data, int64_t size, int64_t offset, int64_t *ret) {
    struct sys_event event = {.call = SYS_WRITE, .fd = fd, .data = data, .size = size, .offset = offset};
    int status = ask(sys, &event);
    if (status == SYS_SHORT) {
        event.size = size > 1 ? 1 : size;
        status = 0;
    }
    ssize_t n = 0;
    if (status == 0 && offset < 0) REPEAT(status, n = write(fd, data, (size_t)event.size));
    if (status == 0 && offset >= 0) REPEAT(status, n = pwrite(fd, data, (size_t)event.size, (off_t)offset));
    if (status == 0) event.size = *ret = n;
    return tell(sys, &event, status);
}

int sys_write(const struct sys *sys, int fd, const void *data, int64_t size, int64_t offset) {
    const char *at = data;
    while (size > 0) {
        int64_t n = 0;
        int status = write_some(sys, fd, at, size, offset, &n);
        if (status) return status;
        if (n == 0) return EIO;
        at += n;
        size -= n;
        if (offset >= 0) offset += n;
    }
    return 0;
}

int sys_truncate(const struct sys *sys, int fd, int64_t size) {
    struct sys_event event = {.call = SYS_TRUNCATE, .fd = fd, .size = size};
    int status = ask(sys, &event);
    if (status == 0) REPEAT(status, ftruncate(fd, (off_t)size));
    return tell(sys, &event, status);
}

int sys_allocate(const struct sys *sys, int fd, int64_t size) {
    struct sys_event event = {.call = SYS_ALLOCATE, .fd = fd, .size = size};
    int status = ask(sys, &event);
    if (status == SYS_PRETEND) return tell(sys, &event, 0);
    /* posix_fallocate gives its error as value, and glibc writes into every block where the file system cannot
     * allocate. */
    if (status == 0 && size > 0) status = posix_fallocate(fd, 0, (off_t)size);
    return tell(sys, &event, status);
}

void sys_flush_begin(int fd) {
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int sys_fsync(const struct sys *sys, int fd) {
    struct sys_event event = {.call = SYS_FSYNC, .fd = fd};
    int status = ask(sys, &event);
    if (status == SYS_PRETEND) return 0;
    if (status == 0) REPEAT(status, fsync(fd));
    return tell(sys, &event, status);
}

int sys_fsync_path(const struct sys *sys, const char *path) {
    struct sys_event event = {.call = SYS_FSYNC, .path = path, .fd = -1};
    int fd, status = ask(sys, &event);
    if (status == SYS_PRETEND) return 0;
    if (status == 0) status = open_plain(path, O_RDONLY | O_NONBLOCK, 0, &fd);
    if (status == 0) {
        REPEAT(status, fsync(fd));
        (void)close(fd);
    }
    return tell(sys, &event, status);
}

int sys_syncfs(const struct sys *sys, const char *path) {
    struct sys_event event = {.call = SYS_SYNCFS, .path = path, .fd = -1};
    int fd, status = ask(sys, &event);
    if (status == SYS_PRETEND) return 0;
    if (status == 0) status = open_plain(path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (status == 0) {
        REPEAT(status, syncfs(fd));
        (void)close(fd);
    }
    return tell(sys, &event, status);
}

int sys_close(const struct sys *sys, int fd) {
    struct sys_event event = {.call = SYS_CLOSE, .fd = fd};
    int status = ask(sys, &event);
    /* Linux frees the descriptor whatever close says; an interrupted close must not be repeated. */
    if (close(fd) < 0 && errno != EINTR && status == 0) status = errno;
    return tell(sys, &event, status);
}

int sys_rename(const struct sys *sys, const char *from, const char *to) {
    struct sys_event event = {.call = SYS_RENAME, .path = from, .other = to, .fd = -1};
    struct entry a, b;
    int status = ask(sys, &event);
    if (status == SYS_PRETEND) return 0;
    if (status == 0) status = entry_open(from, &a);
    if (status) return tell(sys, &event, status);
    status = entry_open(to, &b);
    if (status == 0) {
        REPEAT(status, renameat(a.dir, a.name, b.dir, b.name));
        entry_close(&b);
    }
    entry_close(&a);
    return tell(sys, &event, status);
}

int sys_rename_at(const struct sys *sys, int from, const char *name, int to, const char *new_name) {
    struct sys_event event = {.call = SYS_RENAME, .path = name, .other = new_name, .fd = from};
    int status = ask(sys, &event);
    if (status == SYS_PRETEND) return 0;
    if (status == 0) REPEAT(status, renameat(from, name, to, new_name));
    return tell(sys, &event, status);
}

static int unlink_flags(const struct sys *sys, const struct sys_event *event, int flags) {
    struct entry entry;
    int status = ask(sys, event);
    if (status == SYS_PRETEND) return 0;
    if (status == 0) status = entry_open(event->path, &entry);
    if (status == 0) {
        REPEAT(status, unlinkat(entry.dir, entry.name, flags));
        entry_close(&entry);
    }
    return tell(sys, event, status);
}

int sys_unlink(const struct sys *sys, const char *path) {
    return unlink_flags(sys, &(struct sys_event){.call = SYS_UNLINK, .path = path, .fd = -1}, 0);
}

int sys_rmdir(const struct sys *sys, const char *path) {
    return unlink_flags(sys, &(struct sys_event){.call = SYS_RMDIR, .path = path, .fd = -1}, AT_REMOVEDIR);
}

int sys_mkdir(const struct sys *sys, const char *path, uint32_t mode) {
    struct sys_event event = {.call = SYS_MKDIR, .path = path, .fd = -1};
    struct entry entry;
    int status = ask(sys, &event);
    if (status == 0) status = entry_open(path, &entry);
    if (status == 0) {
        REPEAT(status, mkdirat(entry.dir, entry.name, (mode_t)mode & 0777));
        /* The umask took bits away: set them again, on the new directory itself (mkdir made it, so it is no link). */
        if (status == 0) REPEAT(status, fchmodat(entry.dir, entry.name, (mode_t)mode, 0));
        entry_close(&entry);
    }
    return tell(sys, &event, status);
}

uint32_t sys_umask(void) {
    mode_t mask = umask(022);
    (void)umask(mask);
    return mask;
}

int sys_mkdir_at(const struct sys *sys, int dir, const char *name, uint32_t mode, uint32_t mask) {
    struct sys_event event = {.call = SYS_MKDIR, .path = name, .fd = -1};
    int status = ask(sys, &event);
    if (status == 0) {
        REPEAT(status, mkdirat(dir, name, (mode_t)mode & 0777));
        if (status == 0 && mode & mask) REPEAT(status, fchmodat(dir, name, (mode_t)mode, 0));
    }
    return tell(sys, &event, status);
}

int sys_hardlink(const struct sys *sys, const char *from, const char *to) {
    struct sys_event event = {.call = SYS_HARDLINK, .path = from, .other = to, .fd = -1};
    struct entry a, b;
    int status = ask(sys, &event);
    if (status == 0) status = entry_open(from, &a);
    if (status) return tell(sys, &event, status);
    status = entry_open(to, &b);
    if (status == 0) {
        REPEAT(status, linkat(a.dir, a.name, b.dir, b.name, 0));
        entry_close(&b);
    }
    entry_close(&a);
    return tell(sys, &event, status);
}

int sys_symlink(const struct sys *sys, const char *target, const char *path) {
    struct sys_event event = {.call = SYS_SYMLINK, .path = path, .other = target, .fd = -1};
    struct entry entry;
    int status = ask(sys, &event);
    if (status == 0) status = entry_open(path, &entry);
    if (status == 0) {
        REPEAT(status, symlinkat(target, entry.dir, entry.name));
        entry_close(&entry);
    }
    return tell(sys, &event, status);
}

int sys_readlink(const struct sys *sys, struct arena *arena, const char *path, struct str *ret) {
    struct sys_event event = {.call = SYS_READLINK, .path = path, .fd = -1};
    struct entry entry;
    char text[PATH_BYTES_MAX];
    ssize_t n = 0;
    int status = ask(sys, &event);
    if (status == 0) status = entry_open(path, &entry);
    if (status == 0) {
        REPEAT(status, n = readlinkat(entry.dir, entry.name, text, sizeof text));
        entry_close(&entry);
    }
    if (status == 0 && n == (ssize_t)sizeof text) status = ENAMETOOLONG;
    if (status == 0) *ret = str_copy(arena, (struct str){text, n});
    return tell(sys, &event, status);
}

static int name_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

/* Takes `fd` over. */
static int names_read(struct arena *arena, int fd, struct str **ret, int32_t *ret_len) {
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int status = errno;
        (void)close(fd);
        return status;
    }
    VEC(struct str) names = {0};
    int status = 0;
    for (;;) {
        errno = 0;
        const struct dirent *item = readdir(dir);
        if (!item) status = errno;
        if (!item || names.len == NAMES_MAX) break;
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            *vec_push(arena, &names) = str_copy(arena, str_of(item->d_name));
    }
    if (names.len == NAMES_MAX) status = EOVERFLOW;
    (void)closedir(dir);
    if (status) return status;
    if (names.len) qsort(names.data, (size_t)names.len, sizeof *names.data, name_order);
    *ret = names.data;
    *ret_len = (int32_t)names.len;
    return 0;
}

int sys_list(const struct sys *sys, struct arena *arena, const char *path, struct str **ret, int32_t *ret_len) {
    struct sys_event event = {.call = SYS_LIST, .path = path, .fd = -1};
    int fd, status = ask(sys, &event);
    if (status == 0) status = open_plain(path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (status == 0) status = names_read(arena, fd, ret, ret_len);
    return tell(sys, &event, status);
}

int sys_chmod(const struct sys *sys, int fd, uint32_t mode) {
    struct sys_event event = {.call = SYS_CHMOD, .fd = fd};
    int status = ask(sys, &event);
    if (status == 0) REPEAT(status, fchmod(fd, (mode_t)mode));
    return tell(sys, &event, status);
}

int sys_chown(const struct sys *sys, const char *path, uint32_t uid, uint32_t gid) {
    struct sys_event event = {.call = SYS_CHOWN, .path = path, .fd = -1};
    struct entry entry;
    int status = ask(sys, &event);
    if (status == 0) status = entry_open(path, &entry);
    if (status == 0) {
        REPEAT(status, fchownat(entry.dir, entry.name, uid, gid, AT_SYMLINK_NOFOLLOW));
        entry_close(&entry);
    }
    return tell(sys, &event, status);
}

int sys_utime(const struct sys *sys, const char *path, int64_t mtime_ns) {
    struct sys_event event = {.call = SYS_UTIME, .path = path, .fd = -1};
    struct entry entry;
    int64_t second = mtime_ns / 1000000000, rest = mtime_ns % 1000000000;
    if (rest < 0) {
        second--;
        rest += 1000000000;
    }
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = second, .tv_nsec = rest}};
    int status = ask(sys, &event);
    if (status == 0) status = entry_open(path, &entry);
    if (status == 0) {
        REPEAT(status, utimensat(entry.dir, entry.name, times, AT_SYMLINK_NOFOLLOW));
        entry_close(&entry);
    }
    return tell(sys, &event, status);
}

static int xattr_order(const void *a, const void *b) {
    const struct sys_xattr *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static bool xattr_read(struct arena *arena, int fd, const char *name, struct sys_xattr *ret) {
    ssize_t size = fgetxattr(fd, name, NULL, 0);
    if (size < 0 || size > XATTR_BYTES_MAX) return false;
    char *value = arena_alloc(arena, size);
    size = fgetxattr(fd, name, value, (size_t)size);
    if (size < 0) return false;
    *ret = (struct sys_xattr){str_copy(arena, str_of(name)), {value, size}};
    return true;
}

int sys_xattr_list(const struct sys *sys, struct arena *arena, int fd, struct sys_xattr **ret, int32_t *ret_len) {
    struct sys_event event = {.call = SYS_XATTR_LIST, .fd = fd};
    int status = ask(sys, &event);
    ssize_t size = 0;
    if (status == 0) REPEAT(status, size = flistxattr(fd, NULL, 0));
    bool none = status == ENOTSUP || (status == 0 && size == 0);
    char *names = NULL;
    if (status == 0 && !none) {
        if (size > XATTR_BYTES_MAX) status = E2BIG;
        names = arena_alloc(arena, size + 1);
    }
    if (status == 0 && !none) REPEAT(status, size = flistxattr(fd, names, (size_t)size));
    if (none) status = 0;
    if (status) return tell(sys, &event, status);
    VEC(struct sys_xattr) list = {0};
    for (ssize_t at = 0; !none && at < size; at += (ssize_t)strlen(names + at) + 1) {
        struct sys_xattr xattr;
        if (xattr_read(arena, fd, names + at, &xattr)) *vec_push(arena, &list) = xattr;
    }
    if (list.len) qsort(list.data, (size_t)list.len, sizeof *list.data, xattr_order);
    *ret = list.data;
    *ret_len = (int32_t)list.len;
    return tell(sys, &event, 0);
}

/* listxattrat(2), of Linux 6.13: one call instead of three. The C library does not know it yet. */
static ssize_t list_at(int dir, const char *name, char *names, size_t size) {
#if defined(__x86_64__) || defined(__aarch64__) || defined(__riscv) || defined(__powerpc64__) || defined(__s390x__)
    enum { LISTXATTRAT = 465 };
    return (ssize_t)syscall(LISTXATTRAT, dir, name, AT_SYMLINK_NOFOLLOW, names, size);
#else
    (void)dir, (void)name, (void)names, (void)size;
    errno = ENOSYS;
    return -1;
#endif
}

bool sys_xattr_none_at(const struct sys *sys, int dir, const char *name) {
    struct sys_event event = {.call = SYS_XATTR_LIST, .path = name, .fd = dir};
    char names[XATTR_NAMES_SIZE];
    int status = ask(sys, &event), fd = -1;
    ssize_t size = -1;
    if (status == 0) REPEAT(status, size = list_at(dir, name, names, sizeof names));
    if (status == ENOSYS || status == EPERM) { /* an older kernel, or a sandbox */
        REPEAT(status, fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
        if (status == 0) REPEAT(status, size = flistxattr(fd, names, sizeof names));
        if (fd >= 0) (void)close(fd);
    }
    (void)tell(sys, &event, status);
    return status == ENOTSUP || (status == 0 && size == 0);
}

int sys_xattr_set(const struct sys *sys, int fd, struct str name, struct str value) {
    struct sys_event event = {.call = SYS_XATTR_SET, .fd = fd};
    char text[256];
    if (name.len >= (ptrdiff_t)sizeof text) return ENAMETOOLONG;
    memcpy(text, name.data, (size_t)name.len);
    text[name.len] = '\0';
    int status = ask(sys, &event);
    if (status == 0) REPEAT(status, fsetxattr(fd, text, value.data ? value.data : "", (size_t)value.len, 0));
    return tell(sys, &event, status);
}

static int64_t blocks(uint64_t count, uint64_t size) {
    return size && count > (uint64_t)INT64_MAX / size ? INT64_MAX : (int64_t)(count * size);
}

int sys_space(const struct sys *sys, const char *path, struct sys_space *ret) {
    struct sys_event event = {.call = SYS_STATFS, .path = path, .fd = -1};
    struct statfs fs;
    struct statvfs vfs;
    int fd, status = ask(sys, &event);
    if (status == 0) status = open_plain(path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (status) return tell(sys, &event, status);
    REPEAT(status, fstatfs(fd, &fs));
    if (status == 0) REPEAT(status, fstatvfs(fd, &vfs));
    (void)close(fd);
    if (status == 0)
        *ret = (struct sys_space){
            .overlay = fs.f_type == OVERLAY_MAGIC || fs.f_type == FUSE_MAGIC,
            .bytes_free = vfs.f_blocks ? blocks(vfs.f_bavail, vfs.f_frsize) : INT64_MAX,
            .inodes_free = vfs.f_files ? blocks(vfs.f_favail, 1) : INT64_MAX,
        };
    return tell(sys, &event, status);
}

int sys_flock(const struct sys *sys, int fd) {
    struct sys_event event = {.call = SYS_FLOCK, .fd = fd};
    int status = ask(sys, &event);
    if (status == 0) REPEAT(status, flock(fd, LOCK_EX | LOCK_NB));
    return tell(sys, &event, status);
}
