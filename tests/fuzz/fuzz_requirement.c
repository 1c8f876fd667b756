/* A requirement: its normal form is a fixed point. */
#include "base/arena.h"
#include "pypa/name.h"
#include "pypa/requirement.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct requirement requirement, again;
    if (!requirement_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &requirement)) {
        struct str normal = requirement_format(arena, &requirement);
        assert(name_is_valid(requirement.name) && name_match(requirement.raw_name, requirement.name));
        if (normal.len <= REQUIREMENT_MAX_LEN) {
            struct err *err = requirement_parse(arena, normal, &again);
            assert(!err && str_eq(requirement_format(arena, &again), normal));
            assert(str_eq(again.name, requirement.name) && str_eq(again.url, requirement.url));
        }
    }
    arena_close(arena);
    return 0;
}
