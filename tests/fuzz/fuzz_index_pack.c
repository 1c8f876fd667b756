/*
 * Pages in the form of the cache. With a first byte of 0 the rest is a cache file of whatever content: reading it stays
 * within its bytes. Else the rest is a page: what is packed from it says the same when it is unpacked.
 */
#include "base/arena.h"
#include "stage/index_parts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches every byte, so that the sanitizer sees one that is not there. */
static unsigned touch(struct str text) {
    unsigned sum = 0;
    for (ptrdiff_t i = 0; i < text.len; i++) sum += (unsigned char)text.data[i];
    return sum;
}

static unsigned read_all(struct arena *arena, const struct index_packed *packed) {
    struct index_page_facts facts = index_packed_facts(packed);
    struct index_status status = index_packed_status(packed);
    struct index_kin kin = index_packed_kin(packed);
    unsigned sum = touch(facts.url) + touch(facts.etag) + touch(facts.last_modified);
    sum += touch(status.status) + touch(status.reason) + touch(kin.tracks) + touch(kin.alternates);
    for (int32_t i = 0; i < index_packed_releases(packed); i++) {
        int32_t first, count;
        sum += touch(index_packed_release(packed, i, &first, &count));
        for (int32_t k = first; k < first + count && k < first + 100; k++) {
            struct index_packed_file file = index_packed_file(packed, k);
            sum += touch(file.filename) + touch(file.url) + touch(file.tags) + touch(file.sha256);
        }
    }
    struct simple_page page = index_unpack(arena, packed);
    for (int32_t i = 0; i < page.len; i++) sum += touch(page.files[i].filename) + touch(page.files[i].sha256);
    return sum + (unsigned)index_packed_renew(arena, packed, &facts).bytes.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str text = str_copy(arena, (struct str){(const char *)data, (ptrdiff_t)size});
    struct index_packed packed;
    struct simple_page page;
    if (size && data[0] == 0) {
        if (index_packed_open(str_from(text, 1), &packed)) (void)read_all(arena, &packed);
    } else if (!index_page_parse(arena, text, (struct str){0}, &page)) {
        const struct index_page_facts facts = {.url = S("https://h/simple/a/")};
        packed = index_pack(arena, S("a"), &page, &facts);
        assert(index_packed_open(packed.bytes, &packed));
        (void)read_all(arena, &packed);
        struct simple_page again = index_unpack(arena, &packed);
        assert(again.len <= page.len);
        for (int32_t i = 0; i < again.len; i++) assert(str_eq_nocase(str_slice(again.files[i].url, 0, 4), S("http")));
        struct index_packed twice = index_pack(arena, S("a"), &again, &facts);
        assert(index_packed_releases(&twice) == index_packed_releases(&packed));
    }
    struct index_document document;
    if (index_document_open(text, &document)) (void)touch(document.text);
    (void)index_header_block(arena, text);
    arena_close(arena);
    return 0;
}
