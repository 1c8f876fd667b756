#include "pypa/zip.h"

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <libdeflate.h>
#include <string.h>

/* An archive under construction: local headers go to `file`, the directory grows beside. */
struct maker {
    struct buf file, directory;
    int32_t count;
};

static void add16(struct buf *buf, uint32_t n) {
    buf_add_char(buf, (char)(n & 0xff));
    buf_add_char(buf, (char)(n >> 8 & 0xff));
}

static void add32(struct buf *buf, uint32_t n) {
    add16(buf, n & 0xffff);
    add16(buf, n >> 16);
}

static void add64(struct buf *buf, uint64_t n) {
    add32(buf, (uint32_t)n);
    add32(buf, (uint32_t)(n >> 32));
}

static struct maker make(struct arena *arena) {
    return (struct maker){.file = {.arena = arena}, .directory = {.arena = arena}};
}

/* Adds an entry of the contents `text`, deflated if `method` is 8. */
static void add(struct maker *zip, struct str name, struct str text, uint32_t method) {
    struct str data = text;
    if (method == 8) {
        struct libdeflate_compressor *deflater = libdeflate_alloc_compressor(6);
        size_t bound = libdeflate_deflate_compress_bound(deflater, (size_t)text.len);
        char *out = arena_alloc(zip->file.arena, (ptrdiff_t)bound);
        data = (struct str){out,
                            (ptrdiff_t)libdeflate_deflate_compress(deflater, text.data, (size_t)text.len, out, bound)};
        libdeflate_free_compressor(deflater);
    }
    uint32_t crc = libdeflate_crc32(0, text.data, (size_t)text.len), offset = (uint32_t)zip->file.len;
    for (int central = 0; central < 2; central++) {
        struct buf *to = central ? &zip->directory : &zip->file;
        buf_add(to, central ? S("PK\1\2\x14\3") : S("PK\3\4"));
        add16(to, 20);
        add16(to, 1 << 11);
        add16(to, method);
        add32(to, 0);
        add32(to, crc);
        add32(to, (uint32_t)data.len);
        add32(to, (uint32_t)text.len);
        add16(to, (uint32_t)name.len);
        add16(to, 0);
        if (central) {
            add32(to, 0); /* comment, disk */
            add16(to, 0);
            add32(to, 0100644u << 16);
            add32(to, offset);
        }
        buf_add(to, name);
        if (!central) buf_add(to, data);
    }
    zip->count++;
}

static struct str end(struct maker *zip) {
    uint32_t offset = (uint32_t)zip->file.len;
    buf_add(&zip->file, buf_str(&zip->directory));
    buf_add(&zip->file, S("PK\5\6"));
    add32(&zip->file, 0);
    add16(&zip->file, (uint32_t)zip->count);
    add16(&zip->file, (uint32_t)zip->count);
    add32(&zip->file, (uint32_t)zip->directory.len);
    add32(&zip->file, offset);
    add16(&zip->file, 0);
    return buf_str(&zip->file);
}

/* The same with a zip64 record, the classic one holding only "see there". */
static struct str end64(struct maker *zip) {
    uint64_t offset = (uint64_t)zip->file.len;
    buf_add(&zip->file, buf_str(&zip->directory));
    uint64_t record = (uint64_t)zip->file.len;
    buf_add(&zip->file, S("PK\6\6"));
    add64(&zip->file, 44);
    add32(&zip->file, 45 | 45 << 16);
    add64(&zip->file, 0);
    add64(&zip->file, (uint64_t)zip->count);
    add64(&zip->file, (uint64_t)zip->count);
    add64(&zip->file, (uint64_t)zip->directory.len);
    add64(&zip->file, offset);
    buf_add(&zip->file, S("PK\6\7"));
    add32(&zip->file, 0);
    add64(&zip->file, record);
    add32(&zip->file, 1);
    buf_add(&zip->file, S("PK\5\6"));
    add32(&zip->file, 0);
    add32(&zip->file, 0xffffffff);
    add64(&zip->file, 0xffffffffffffffff);
    add16(&zip->file, 0);
    return buf_str(&zip->file);
}

static struct str repeated(struct arena *arena, ptrdiff_t len) {
    char *data = arena_alloc(arena, len);
    memset(data, 'x', (size_t)len);
    return (struct str){data, len};
}

static void test_whole(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct maker zip = make(arena);
    add(&zip, S("pkg/__init__.py"), repeated(arena, 5000), 8);
    add(&zip, S("pkg/é.txt"), S("stored"), 0);
    add(&zip, S("pkg/empty"), S(""), 8);
    struct str whole = end(&zip);
    struct zip got;
    int64_t need = -1;
    assert_null(zip_read(arena, whole, whole.len, &got, &need));
    assert_int_equal(need, 0);
    assert_int_equal(got.len, 3);
    assert_int_equal(got.size, 5006);
    assert_null(zip_verify(arena, &got, whole));
    struct str text;
    const struct zip_entry *entry = zip_find(&got, S("pkg/__init__.py"));
    assert_non_null(entry);
    assert_null(zip_extract(arena, entry, str_from(whole, (ptrdiff_t)entry->offset), 5000, &text));
    assert_true(str_eq(text, repeated(arena, 5000)));
    assert_int_equal(zip_extract(arena, entry, str_from(whole, (ptrdiff_t)entry->offset), 4999, &text)->kind,
                     ERR_LIMIT);
    entry = zip_find(&got, S("pkg/empty"));
    assert_null(zip_extract(arena, entry, str_from(whole, (ptrdiff_t)entry->offset), 0, &text));
    assert_int_equal(text.len, 0);
    assert_null(zip_find(&got, S("pkg")));
    arena_close(arena);
}

static void test_tail(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    for (int wide = 0; wide < 2; wide++) {
        struct maker zip = make(arena);
        for (int i = 0; i < 300; i++) add(&zip, str_format(arena, "pkg/%d.py", i), repeated(arena, 50), 0);
        add(&zip, S("pkg-1.dist-info/METADATA"), S("Name: pkg"), 0);
        struct str whole = wide ? end64(&zip) : end(&zip);
        struct zip got = {0};
        int64_t need = -1;
        assert_null(zip_read(arena, str_from(whole, whole.len - 1000), whole.len, &got, &need));
        assert_int_equal(got.len, 0);
        assert_true(need > zip.directory.len);
        int64_t before = need;
        assert_null(zip_read(arena, str_from(whole, whole.len - (ptrdiff_t)need), whole.len, &got, &need));
        assert_int_equal(need, 0);
        assert_int_equal(got.len, 301);
        assert_int_equal(got.directory_offset, whole.len - before);
        const struct zip_entry *entry = zip_find(&got, S("pkg-1.dist-info/METADATA"));
        struct str text, bytes = str_slice(whole, (ptrdiff_t)entry->offset, (ptrdiff_t)entry->next);
        assert_null(zip_extract(arena, entry, bytes, 100, &text));
        assert_true(str_eq(text, S("Name: pkg")));
        assert_int_equal(zip_extract(arena, entry, str_slice(bytes, 0, bytes.len - 1), 100, &text)->kind, ERR_INTERNAL);
    }
    arena_close(arena);
}

/* Every byte of the headers counts: changing any of them is refused, or changes only times and the like. */
static void test_changed_bytes(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct maker zip = make(arena);
    add(&zip, S("a/b.py"), S("text"), 0);
    add(&zip, S("c.py"), repeated(arena, 40), 8);
    struct str whole = end(&zip);
    char *bytes = arena_alloc(arena, whole.len);
    int32_t accepted = 0;
    for (ptrdiff_t i = 0; i < whole.len; i++) {
        struct arena_mark mark = arena_mark(arena);
        memcpy(bytes, whole.data, (size_t)whole.len);
        bytes[i] = (char)(bytes[i] ^ 0x91);
        struct str changed = {bytes, whole.len};
        struct zip got;
        int64_t need = 0;
        struct err *err = zip_read(arena, changed, changed.len, &got, &need);
        if (!err && need == 0) err = zip_verify(arena, &got, changed);
        for (int32_t k = 0; !err && need == 0 && k < got.len; k++) {
            struct str text;
            err = zip_extract(arena, &got.entries[k], str_from(changed, (ptrdiff_t)got.entries[k].offset), 100, &text);
        }
        accepted += !err && need == 0;
        arena_rewind(arena, mark);
    }
    /* Two entries: version needed and time, local and central (6 each); version made by, internal and external
     * attributes below the mode, the mode's permission bits. */
    assert_in_range(accepted, 24, 24 + 2 * (2 + 2 + 2 + 1));
    arena_close(arena);
}

static void test_paths(void **state) {
    (void)state;
    static const struct {
        struct str path;
        bool good;
    } cases[] = {
        {S_INIT("a"), true},
        {S_INIT("a/b.c/..d"), true},
        {S_INIT("con"), true},
        {S_INIT("é/日本"), true},
        {S_INIT(""), false},
        {S_INIT("/a"), false},
        {S_INIT("a/"), false},
        {S_INIT("a./b"), true},
        {S_INIT("./a"), false},
        {S_INIT("a/./b"), false},
        {S_INIT("a/../b"), false},
        {S_INIT(".."), false},
        {S_INIT("a\\b"), false},
        {S_INIT("C:x"), false},
        {S_INIT("a\nb"), false},
        {S_INIT("a\x7F"), false},
        {S_INIT("a\xC2\x85"), false},
        {S_INIT("a\xFF"), false},
        {S_INIT("a\0b"), false},
        {S_INIT("a "), false},
        {S_INIT("a./b"), true},
        {S_INIT("a\xE2\x80\xAE"
                "b"),
         false},
        {S_INIT("a\xE2\x81\xA6"
                "b"),
         false},
        {S_INIT("a\xE2\x80\xA8"
                "b"),
         false},
        {S_INIT("a\xD8\x9C"
                "b"),
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(zip_path_problem(cases[i].path) == NULL, cases[i].good);
}

static void test_names(void **state) {
    (void)state;
    static const struct {
        struct str a, b;
    } cases[] = {
        {S_INIT("a"), S_INIT("a")},
        {S_INIT("a"), S_INIT("a/b")},
        {S_INIT("a/b/c"), S_INIT("a/b")},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct maker zip = make(arena);
        add(&zip, cases[i].a, S("1"), 0);
        add(&zip, S("a-b"), S("1"), 0); /* sorts between "a" and "a/b" by bytes */
        add(&zip, cases[i].b, S("2"), 0);
        struct str whole = end(&zip);
        struct zip got;
        int64_t need;
        struct err *err = zip_read(arena, whole, whole.len, &got, &need);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_WHEEL);
    }
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_tail),  cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_paths), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
