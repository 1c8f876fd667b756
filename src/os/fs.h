/*
 * fs - the file system, as a table that is passed in: the real one, or a fake one for tests and fuzzers.
 *
 * Paths are absolute or relative to the working directory. Everything returns an err with the path in it.
 */
#ifndef UNPIN_OS_FS_H
#define UNPIN_OS_FS_H

#include "base/err.h"

struct fs_stat {
    bool exists;
    bool is_dir, is_file, is_link;
    uint32_t mode; /* permission bits with set-id and sticky */
    int64_t size;
    int64_t inode, device;
    int64_t mtime_ns, ctime_ns;
};

struct fs {
    void *self;
    /* 0 or an errno value. */
    int (*read_file)(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret);
    int (*list_dir)(void *self, struct arena *arena, const char *path, struct str **ret, int32_t *ret_len);
    int (*stat_path)(void *self, const char *path, bool follow, struct fs_stat *ret);
    /* As stat_path with `follow` for each of `names`, relative to the directory `path`; what cannot be looked at is as
     * what is not there. NULL: stat_path does it. */
    void (*stat_names)(void *self, const char *path, const char *const *names, int32_t len, struct fs_stat *ret);
    /* NULL: nothing can be written. */
    int (*replace_file)(void *self, const char *path, struct str data);
};

/* The real file system. */
const struct fs *fs_real(void);

/* All bytes of a regular file; ERR_LIMIT above `limit` bytes. */
ERR_MUST_CHECK struct err *fs_read(const struct fs *fs, struct arena *arena, struct str path, int64_t limit,
                                   struct str *ret);
/* As fs_read; a file that is not there gives *found = false and no error. */
ERR_MUST_CHECK struct err *fs_read_optional(const struct fs *fs, struct arena *arena, struct str path, int64_t limit,
                                            struct str *ret, bool *found);
/* Names in a directory without `.` and `..`, sorted by bytes. */
ERR_MUST_CHECK struct err *fs_list(const struct fs *fs, struct arena *arena, struct str path, struct str **ret,
                                   int32_t *ret_len);
/* What is at `path` (the link itself unless `follow`). Nothing there is no error: ret->exists is false. */
ERR_MUST_CHECK struct err *fs_stat(const struct fs *fs, struct arena *arena, struct str path, bool follow,
                                   struct fs_stat *ret);
/* What is at each of `len` paths relative to `dir`, links followed; what cannot be looked at is told as not there. Many
 * times as fast as that many fs_stat: the way to `dir` is gone once. */
void fs_stat_names(const struct fs *fs, struct arena *arena, struct str dir, const char *const *names, int32_t len,
                   struct fs_stat *ret);
/* Puts `data` at `path` by a rename, its directory made if it lacks (mode 0700). For caches: not durable. */
ERR_MUST_CHECK struct err *fs_replace(const struct fs *fs, struct arena *arena, struct str path, struct str data);
/* The path from the root on, links not followed. ERR_IO where a relative one has no working directory. */
ERR_MUST_CHECK struct err *path_absolute(struct arena *arena, struct str path, struct str *ret);
/* `dir`/`name`. */
struct str path_join(struct arena *arena, struct str dir, struct str name);

#endif
