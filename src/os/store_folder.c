/* A store as a whole: what is in its folders, and who uses it. */
#include "os/store.h"

#include "base/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 512 /* of st_blocks */, WAIT_STEP_MS = 10 };
#define NS_PER_S INT64_C(1000000000)

/* Opens a folder part by part, so that no link beneath the store leads elsewhere. -1: errno says why. */
static int folder_open(struct arena *arena, struct str dir, struct str path) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = open(str_copy_z(arena, dir), flags);
    for (int depth = 0; fd >= 0 && path.len; depth++) {
        struct str part = str_cut(&path, '/');
        bool plain = part.len && !str_eq(part, S(".")) && !str_eq(part, S("..")) && depth < STORE_DEPTH_MAX;
        int next = plain ? openat(fd, str_copy_z(arena, part), flags | O_NOFOLLOW) : -1;
        int status = plain ? errno : EINVAL;
        (void)close(fd);
        fd = next;
        errno = status;
    }
    return fd;
}

static int64_t ns_of(struct timespec at) {
    return at.tv_sec < 0 || at.tv_sec > INT64_MAX / NS_PER_S - 1 ? 0 : (int64_t)at.tv_sec * NS_PER_S + at.tv_nsec;
}

static struct store_file file_of(struct str name, const struct stat *st) {
    int64_t read = ns_of(st->st_atim), written = ns_of(st->st_mtim);
    return (struct store_file){.name = name,
                               .bytes = (int64_t)st->st_blocks * BLOCK_BYTES,
                               .used_ns = read > written ? read : written,
                               .shared = st->st_nlink > 1};
}

static int file_order(const void *a, const void *b) {
    const struct store_file *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static int text_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

int store_folder_read(struct arena *arena, struct str dir, struct str path, struct store_folder *ret) {
    VEC(struct store_file) files = {0};
    VEC(struct str) folders = {0};
    struct store_folder folder = {0};
    int fd = folder_open(arena, dir, path);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    if (!names) {
        int status = errno;
        if (fd >= 0) (void)close(fd);
        return status;
    }
    for (const struct dirent *entry; (entry = readdir(names));) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        bool seen = fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (!seen && errno == ENOENT) continue;
        bool ours = seen && st.st_uid == geteuid() && files.len + folders.len < STORE_FOLDER_MAX;
        if (ours && S_ISREG(st.st_mode))
            *vec_push(arena, &files) = file_of(str_copy(arena, str_of(entry->d_name)), &st);
        else if (ours && S_ISDIR(st.st_mode)) *vec_push(arena, &folders) = str_copy(arena, str_of(entry->d_name));
        else if (folder.strange < INT32_MAX) folder.strange++;
    }
    (void)closedir(names);
    if (files.len) qsort(files.data, (size_t)files.len, sizeof *files.data, file_order);
    if (folders.len) qsort(folders.data, (size_t)folders.len, sizeof *folders.data, text_order);
    folder.files = files.data;
    folder.files_len = (int32_t)files.len;
    folder.folders = folders.data;
    folder.folders_len = (int32_t)folders.len;
    *ret = folder;
    return 0;
}

int store_folder_remove(struct arena *arena, struct str dir, struct str path, struct str name, bool folder) {
    int fd = folder_open(arena, dir, path);
    if (fd < 0) return errno == ENOENT ? 0 : errno;
    int status = unlinkat(fd, str_copy_z(arena, name), folder ? AT_REMOVEDIR : 0) == 0 ? 0 : errno;
    (void)close(fd);
    return status == ENOENT ? 0 : status;
}

/* The file that is locked. Where it cannot be made, one that is there is as good. */
static int lock_open(struct arena *arena, struct str dir) {
    const char *path = str_copy_z(arena, path_join(arena, dir, S("lock")));
    const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = open(path, O_RDWR | O_CREAT | flags, 0600);
    if (fd < 0 && errno != ENOENT) fd = open(path, O_RDONLY | flags);
    return fd;
}

int store_hold(struct arena *arena, struct str dir, enum store_use use, int32_t wait_ms, int *ret_fd) {
    const struct timespec pause = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    int fd = lock_open(arena, dir), status = 0;
    if (fd < 0) return errno;
    for (;;) {
        if (flock(fd, (use == STORE_ALONE ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) {
            *ret_fd = fd;
            return 0;
        }
        status = errno;
        if ((status != EWOULDBLOCK && status != EINTR) || wait_ms <= 0) break;
        (void)nanosleep(&pause, NULL);
        wait_ms -= WAIT_STEP_MS;
    }
    (void)close(fd);
    return status;
}

void store_release(int fd) {
    if (fd >= 0) (void)close(fd);
}
