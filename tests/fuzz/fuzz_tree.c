/* A pyproject.toml. What is certain is metadata that say no more than the file. */
#include "base/arena.h"
#include "pypa/name.h"
#include "stage/tree.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct tree tree = {0};
    if (!tree_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &tree)) {
        struct version version;
        assert(tree.name.len == 0 || name_is_valid(tree.name));
        assert(!tree.known || version_try_parse(arena, tree.metadata.version, &version));
        assert(!tree.known || str_eq(name_normalize(arena, tree.metadata.name), tree.name));
        assert(!tree.known || tree.metadata.problems_len == 0);
        assert(tree.backend.backend.len > 0);
    }
    arena_close(arena);
    return 0;
}
