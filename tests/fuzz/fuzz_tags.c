/* Tags of an interpreter: a platform, versions of glibc and Python, an implementation and ABIs, a line each. */
#include "base/arena.h"
#include "pypa/tags.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ABIS_MAX = 8 };

static int32_t number(struct str text) {
    int64_t value;
    if (text.len && text.data[0] == '-') return -1;
    return str_to_int(text, &value) && value < INT32_MAX ? (int32_t)value : INT32_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str rest = {(const char *)data, (ptrdiff_t)size}, abis[ABIS_MAX];
    struct str platform = str_cut(&rest, '\n'), glibc = str_cut(&rest, '\n');
    struct tags_input input = {.major = 3, .minor = number(str_cut(&rest, '\n')), .abis = abis};
    input.implementation = str_cut(&rest, '\n');
    while (input.abis_len < ABIS_MAX && rest.data) abis[input.abis_len++] = str_cut(&rest, '\n');
    if (!tags_platforms_make(arena, platform, number(glibc), &input.platforms, &input.platforms_len)) {
        struct tags tags = tags_make(arena, &input);
        assert(tags.len > 0 && tags.len <= TAGS_MAX);
        for (int32_t i = 0; i < tags.len; i++) {
            int32_t rank = map_find(&tags.rank, tags.items[i]);
            assert(rank >= 0 && rank <= i && str_eq(tags.items[rank], tags.items[i]));
        }
        struct tags again = tags_of_list(arena, tags.items, tags.len);
        assert(again.len == tags.len);
    }
    arena_close(arena);
    return 0;
}
