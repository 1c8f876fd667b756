/* Pages of an index, HTML and JSON: what is read keeps to the limits, and its URLs join to something without blanks. */
#include "base/arena.h"
#include "pypa/simple.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct arena *arena, const struct simple_page *page) {
    assert(page->len >= 0 && page->len <= SIMPLE_FILES_MAX);
    struct str base =
        page->base.len ? simple_url(arena, S("https://h/simple/a/"), page->base) : S("https://h/simple/a/");
    for (int32_t i = 0; i < page->len; i++) {
        const struct simple_file *file = &page->files[i];
        assert(file->filename.len > 0 && file->filename.len <= SIMPLE_TEXT_MAX);
        assert(file->size >= -1 && file->size <= SIMPLE_SIZE_MAX);
        assert(file->sha256.len == 0 || simple_is_sha256(file->sha256));
        assert(file->metadata_sha256.len == 0 || simple_is_sha256(file->metadata_sha256));
        assert(file->uploaded == INT64_MIN || simple_date_format(arena, file->uploaded).len >= 20);
        struct str url = simple_url(arena, base, file->url);
        for (ptrdiff_t k = 0; k < url.len; k++) assert(url.data[k] > ' ' && url.data[k] < 0x7F);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str text = {(const char *)data, (ptrdiff_t)size};
    struct simple_page page;
    if (!simple_parse_html(arena, text, &page)) look(arena, &page);
    if (!simple_parse_json(arena, text, &page)) look(arena, &page);
    arena_close(arena);
    return 0;
}
