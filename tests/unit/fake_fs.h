/*
 * fake_fs - a file system in memory for unit tests: a list of files; directories are what stands before their slashes.
 */
#ifndef UNPIN_TESTS_FAKE_FS_H
#define UNPIN_TESTS_FAKE_FS_H

#include "base/arena.h"
#include "os/fs.h"

#include <errno.h>

struct fake_file {
    const char *path;
    struct str text;
};

struct fake_fs {
    const struct fake_file *files;
    int len;
};

static inline int fake_read(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret) {
    const struct fake_fs *fake = self;
    for (int i = 0; i < fake->len; i++) {
        if (!str_eq(str_of(fake->files[i].path), str_of(path))) continue;
        if (fake->files[i].text.len > limit) return EFBIG;
        *ret = str_copy(arena, fake->files[i].text);
        return 0;
    }
    return ENOENT;
}

static inline int fake_list(void *self, struct arena *arena, const char *path, struct str **ret, int32_t *ret_len) {
    const struct fake_fs *fake = self;
    VEC(struct str) names = {0};
    struct str prefix = str_format(arena, "%s/", path);
    for (int i = 0; i < fake->len; i++) {
        struct str rest = str_of(fake->files[i].path);
        if (!str_starts(rest, prefix)) continue;
        rest = str_from(rest, prefix.len);
        struct str name = str_cut(&rest, '/');
        if (names.len == 0 || !str_eq(names.data[names.len - 1], name)) *vec_push(arena, &names) = name;
    }
    *ret = names.data;
    *ret_len = (int32_t)names.len;
    return names.len ? 0 : ENOENT;
}

/* Files are numbered by their place, directories by the first file in them. */
static inline int fake_stat(void *self, const char *path, bool follow, struct fs_stat *ret) {
    (void)follow;
    const struct fake_fs *fake = self;
    *ret = (struct fs_stat){0};
    for (int i = 0; i < fake->len && !ret->exists; i++) {
        struct str file = str_of(fake->files[i].path), wanted = str_of(path);
        bool is_file = str_eq(file, wanted);
        bool is_dir = !is_file && str_starts(file, wanted) && file.len > wanted.len && file.data[wanted.len] == '/';
        if (!is_file && !is_dir) continue;
        *ret = (struct fs_stat){.exists = true,
                                .is_file = is_file,
                                .is_dir = is_dir,
                                .mode = 0644,
                                .size = fake->files[i].text.len,
                                .inode = is_dir ? 1000 + wanted.len : i + 1};
    }
    return 0;
}

/* Files of one directory must stand together, in name order. */
static inline struct fs fake_fs_make(struct fake_fs *fake) {
    return (struct fs){.self = fake, .read_file = fake_read, .list_dir = fake_list, .stat_path = fake_stat};
}

#endif
