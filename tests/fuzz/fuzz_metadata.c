/* METADATA and, behind a line of `=` only, a requires.txt: nothing is read twice or lost between them. */
#include "base/arena.h"
#include "pypa/metadata.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str text = {(const char *)data, (ptrdiff_t)size}, requires = {0};
    struct metadata metadata;
    ptrdiff_t cut = str_find(text, S("\n=\n"));
    if (cut >= 0) {
        requires = str_from(text, cut + 3);
        text = str_slice(text, 0, cut + 1);
    }
    if (!metadata_parse(arena, text, &metadata)) {
        int32_t before = metadata.requires_len, extras = metadata.extras_len, problems = metadata.problems_len;
        assert(metadata.name.len && metadata.version.len);
        metadata_add_requires_txt(arena, requires, &metadata);
        assert(metadata.requires_len >= before && metadata.extras_len >= extras && metadata.problems_len >= problems);
        assert(metadata.requires_len <= METADATA_REQUIRES_MAX);
        for (int32_t i = 0; i < metadata.requires_len; i++) assert(metadata.requires_dist[i].name.len);
    }
    arena_close(arena);
    return 0;
}
