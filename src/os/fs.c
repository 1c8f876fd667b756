#include "os/fs.h"

#include "base/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_NAMES_MAX = 1000000 };

/* Reads until the end: files of /proc have no size. */
static int read_all(int fd, struct arena *arena, int64_t limit, ptrdiff_t guess, struct str *ret) {
    ptrdiff_t cap = guess + 1, len = 0;
    char *data = arena_alloc(arena, cap);
    for (;;) {
        if (len == cap) {
            ptrdiff_t most = (ptrdiff_t)limit + 1, more = cap < most / 2 - 4096 ? cap * 2 + 4096 : most;
            if (more <= cap) return EFBIG;
            data = arena_grow(arena, data, len, more);
            cap = more;
        }
        ssize_t n = read(fd, data + len, (size_t)(cap - len));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        len += n;
        if (len > limit) return EFBIG;
    }
    *ret = (struct str){data, len};
    return 0;
}

static int real_read_file(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret) {
    (void)self;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno;
    struct stat st;
    int status = fstat(fd, &st) < 0 ? errno : 0;
    if (status == 0 && S_ISDIR(st.st_mode)) status = EISDIR;
    if (status == 0 && st.st_size > limit) status = EFBIG;
    if (status == 0) status = read_all(fd, arena, limit, st.st_size, ret);
    (void)close(fd);
    return status;
}

static int name_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

static int real_list_dir(void *self, struct arena *arena, const char *path, struct str **ret, int32_t *ret_len) {
    (void)self;
    DIR *dir = opendir(path);
    if (!dir) return errno;
    VEC(struct str) names = {0};
    int status = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            status = errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (names.len == DIR_NAMES_MAX) {
            status = EOVERFLOW;
            break;
        }
        *vec_push(arena, &names) = str_copy(arena, str_of(entry->d_name));
    }
    (void)closedir(dir);
    if (status) return status;
    if (names.len) qsort(names.data, (size_t)names.len, sizeof *names.data, name_order);
    *ret = names.data;
    *ret_len = (int32_t)names.len;
    return 0;
}

static struct fs_stat stat_convert(const struct stat *st) {
    return (struct fs_stat){
        .exists = true,
        .is_dir = S_ISDIR(st->st_mode),
        .is_file = S_ISREG(st->st_mode),
        .is_link = S_ISLNK(st->st_mode),
        .mode = st->st_mode & 07777,
        .size = st->st_size,
        .inode = (int64_t)st->st_ino,
        .device = (int64_t)st->st_dev,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
    };
}

static int real_stat_path(void *self, const char *path, bool follow, struct fs_stat *ret) {
    (void)self;
    struct stat st;
    *ret = (struct fs_stat){0};
    if (fstatat(AT_FDCWD, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    *ret = stat_convert(&st);
    return 0;
}

static void real_stat_names(void *self, const char *path, const char *const *names, int32_t len, struct fs_stat *ret) {
    (void)self;
    int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int32_t i = 0; i < len; i++) {
        struct stat st;
        bool there = dir >= 0 && fstatat(dir, names[i], &st, 0) == 0;
        ret[i] = there ? stat_convert(&st) : (struct fs_stat){0};
    }
    if (dir >= 0) (void)close(dir);
}

/* Makes the directories above `path`, which is changed on the way and put back. */
static void make_parents(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700); /* where that fails, opening the file tells why */
        *slash = '/';
    }
}

static int write_all(int fd, struct str data) {
    for (ptrdiff_t at = 0; at < data.len;) {
        ssize_t n = write(fd, data.data + at, (size_t)(data.len - at));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        at += n;
    }
    return 0;
}

static int real_replace_file(void *self, const char *path, struct str data) {
    (void)self;
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (len < 0 || len >= (int)sizeof temporary) return ENAMETOOLONG;
    make_parents(temporary);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return errno;
    int status = write_all(fd, data);
    if (close(fd) < 0 && status == 0) status = errno;
    if (status == 0 && rename(temporary, path) < 0) status = errno;
    if (status) (void)unlink(temporary);
    return status;
}

const struct fs *fs_real(void) {
    static const struct fs real = {NULL,           real_read_file,  real_list_dir,
                                   real_stat_path, real_stat_names, real_replace_file};
    return &real;
}

struct err *fs_read(const struct fs *fs, struct arena *arena, struct str path, int64_t limit, struct str *ret) {
    int status = fs->read_file(fs->self, arena, str_copy_z(arena, path), limit, ret);
    if (status == EFBIG)
        return err_make(arena, ERR_LIMIT, "'%.*s' is larger than %lld bytes", FMT(path), (long long)limit);
    if (status) return err_errno(arena, status, "cannot read '%.*s'", FMT(path));
    return NULL;
}

struct err *fs_read_optional(const struct fs *fs, struct arena *arena, struct str path, int64_t limit, struct str *ret,
                             bool *found) {
    struct fs_stat st;
    TRY(fs_stat(fs, arena, path, true, &st));
    *found = st.exists;
    return st.exists ? fs_read(fs, arena, path, limit, ret) : NULL;
}

struct err *fs_list(const struct fs *fs, struct arena *arena, struct str path, struct str **ret, int32_t *ret_len) {
    int status = fs->list_dir(fs->self, arena, str_copy_z(arena, path), ret, ret_len);
    return status ? err_errno(arena, status, "cannot list '%.*s'", FMT(path)) : NULL;
}

struct err *fs_stat(const struct fs *fs, struct arena *arena, struct str path, bool follow, struct fs_stat *ret) {
    int status = fs->stat_path(fs->self, str_copy_z(arena, path), follow, ret);
    return status ? err_errno(arena, status, "cannot look at '%.*s'", FMT(path)) : NULL;
}

void fs_stat_names(const struct fs *fs, struct arena *arena, struct str dir, const char *const *names, int32_t len,
                   struct fs_stat *ret) {
    if (fs->stat_names) {
        fs->stat_names(fs->self, str_copy_z(arena, dir), names, len, ret);
        return;
    }
    for (int32_t i = 0; i < len; i++) {
        struct str path = path_join(arena, dir, str_of(names[i]));
        ret[i] = (struct fs_stat){0};
        if (fs->stat_path(fs->self, str_copy_z(arena, path), true, &ret[i]) != 0) ret[i] = (struct fs_stat){0};
    }
}

struct err *fs_replace(const struct fs *fs, struct arena *arena, struct str path, struct str data) {
    int status = fs->replace_file ? fs->replace_file(fs->self, str_copy_z(arena, path), data) : EROFS;
    return status ? err_errno(arena, status, "cannot write '%.*s'", FMT(path)) : NULL;
}

struct err *path_absolute(struct arena *arena, struct str path, struct str *ret) {
    char here[PATH_MAX];
    while (str_starts(path, S("./"))) path = str_from(path, 2);
    bool absolute = str_starts(path, S("/"));
    if (!absolute && !getcwd(here, sizeof here))
        return err_errno(arena, errno, "'%.*s' is relative to the working directory", FMT(path));
    *ret = absolute ? path : str_format(arena, "%s/%.*s", here, FMT(path));
    return NULL;
}

struct str path_join(struct arena *arena, struct str dir, struct str name) {
    if (dir.len == 0) return name;
    ptrdiff_t slash = dir.data[dir.len - 1] != '/', len = dir.len + slash + name.len;
    char *path = arena_alloc(arena, len + 1); /* the NUL that others may count on is there */
    memcpy(path, dir.data, (size_t)dir.len);
    if (slash) path[dir.len] = '/';
    if (name.len) memcpy(path + dir.len + slash, name.data, (size_t)name.len);
    return (struct str){path, len};
}
