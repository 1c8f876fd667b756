/* A saved plan: what is taken from it can stand in a shell and in a Dockerfile. */
#include "base/arena.h"
#include "face/saved.h"
#include "pypa/name.h"

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

static void check_line(struct str text) {
    for (ptrdiff_t i = 0; i < text.len; i++) assert((unsigned char)text.data[i] >= ' ' && text.data[i] != 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str input = {(const char *)data, (ptrdiff_t)size};
    const struct fs fs = {.self = &input, .read_file = read_input};
    struct saved saved;
    if (!saved_read(arena, &fs, S("plan.json"), &saved)) {
        for (int32_t i = 0; i < saved.changes_len; i++) {
            assert(name_is_valid(saved.changes[i].name));
            check_line(saved.changes[i].to);
            check_line(saved.changes[i].artifact.sha256);
        }
        for (int32_t i = 0; i < saved.lifts_len; i++) {
            check_line(saved.lifts[i].from);
            check_line(saved.lifts[i].to);
            check_line(saved.lifts[i].file);
        }
    }
    arena_close(arena);
    return 0;
}
