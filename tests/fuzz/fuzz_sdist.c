/* An sdist: its description is found or it is refused; what is found has a form in the cache that reads the same. */
#include "base/arena.h"
#include "stage/index_parts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct index_document document, again;
    if (!index_sdist_read(arena, (struct str){(const char *)data, (ptrdiff_t)size}, true, &document)) {
        struct str once = index_document_format(arena, &document);
        bool open = index_document_open(once, &again);
        assert(open && str_eq(again.text, document.text) && str_eq(again.requires_txt, document.requires_txt));
        assert((again.requires_txt.data == NULL) == (document.requires_txt.data == NULL));
        struct metadata metadata;
        struct version version;
        bool unsure;
        struct err *err = version_parse(arena, S("1.0"), &version);
        assert(!err);
        if (!index_document_parse(arena, NULL, &document, S("a"), &version, true, &metadata, &unsure))
            assert(metadata.name.len > 0);
    }
    arena_close(arena);
    return 0;
}
