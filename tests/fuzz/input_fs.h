/*
 * input_fs - a file system made of a fuzzer's input: files one after the other, each a path, LF, its bytes, NUL. What
 * lies in one directory should stand together. Without a LF a piece is a path of an empty file.
 */
#ifndef UNPIN_TESTS_INPUT_FS_H
#define UNPIN_TESTS_INPUT_FS_H

#include "../unit/fake_fs.h"

enum { INPUT_FILES_MAX = 32 };

struct input_fs {
    struct fake_file files[INPUT_FILES_MAX];
    struct fake_fs fake;
};

/* Cuts `input` up; paths are put below `root`. */
static inline struct fs input_fs_make(struct arena *arena, struct str root, struct str input, struct input_fs *ret) {
    ret->fake = (struct fake_fs){.files = ret->files};
    while (input.len && ret->fake.len < INPUT_FILES_MAX) {
        struct str text = str_cut(&input, '\0'), path = str_cut(&text, '\n');
        struct fake_file *file = &ret->files[ret->fake.len++];
        *file = (struct fake_file){str_copy_z(arena, path_join(arena, root, path)), text};
    }
    return fake_fs_make(&ret->fake);
}

#endif
