/*
 * Pages in the form of the cache. With a first byte of 0 the rest is a cache file of whatever content: reading it stays
 * within its bytes. Else the rest is a page: what is packed from it says the same when it is unpacked.
 */
#include "base/arena.h"
#include "os/digest.h"
#include "pypa/name.h"
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

/* The view of the files that have a hash says of each what the page says. */
static void check_view(struct arena *arena, const struct simple_page *page, const struct index_page_facts *facts) {
    struct release *list = arena_new(arena, struct release, page->len);
    int32_t len = 0;
    for (int32_t i = 0; i < page->len; i++) {
        const struct simple_file *file = &page->files[i];
        if (!simple_is_sha256(file->sha256)) continue;
        list[len].version.text = file->filename;
        list[len].artifact =
            (struct artifact){.filename = file->filename, .url = file->url, .sha256 = file->sha256, .size = file->size};
        list[len].bars = (uint32_t)len;
        list[len++].yanked = file->yanked;
    }
    struct index_packed view = index_pack_view(arena, list, len, facts, (struct index_status){.reason = S("r")});
    assert(index_packed_open(view.bytes, &view) && index_packed_is_view(&view));
    assert(index_packed_releases(&view) == len && str_eq(index_packed_status(&view).reason, S("r")));
    for (int32_t i = 0; i < len; i++) {
        int32_t first, count;
        assert(str_eq(index_packed_release(&view, i, &first, &count), list[i].version.text) && count == 1);
        struct index_packed_file file = index_packed_file(&view, first);
        assert(str_eq(file.filename, list[i].artifact.filename) && str_eq(file.url, list[i].artifact.url));
        assert(file.size == list[i].artifact.size && file.yanked == list[i].yanked && file.bars == list[i].bars);
        assert(str_eq_nocase(digest_hex(arena, file.sha256), list[i].artifact.sha256));
    }
}

static void check_document(struct arena *arena, const struct index_document *document) {
    struct metadata_known known = {0};
    struct metadata metadata;
    struct version version;
    bool unsure;
    (void)touch(document->text);
    assert(version_try_parse(arena, S("1.0"), &version));
    struct err *err = index_document_parse(arena, &known, document, S("a"), &version, true, &metadata, &unsure);
    if (!err) assert(str_eq(name_normalize(arena, metadata.name), S("a")));
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
        check_view(arena, &again, &facts);
    }
    struct index_document document;
    if (index_document_open(text, &document)) check_document(arena, &document);
    (void)index_header_block(arena, text);
    arena_close(arena);
    return 0;
}
