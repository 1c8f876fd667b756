/* A snapshot: what is read and written again is read to the same text. */
#include "base/arena.h"
#include "stage/snapshot.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_input(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret) {
    (void)path;
    const struct str *input = self;
    if (input->len > limit) return EFBIG;
    *ret = str_copy(arena, *input);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str input = {(const char *)data, (ptrdiff_t)size};
    struct fs fs = {.self = &input, .read_file = read_input};
    const struct snapshot_platform platform = {.python = S("3.12")};
    struct environment env;
    struct lock_set locks;
    if (!snapshot_read(arena, &fs, S("snapshot"), &platform, &env, &locks)) {
        struct str once = snapshot_format(arena, &env, &locks);
        input = once;
        struct err *err = snapshot_read(arena, &fs, S("snapshot"), &platform, &env, &locks);
        assert(!err);
        assert(str_eq(snapshot_format(arena, &env, &locks), once));
    }
    arena_close(arena);
    return 0;
}
