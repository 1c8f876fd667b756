#include "pypa/simple.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HALF "0123456789abcdef0123456789abcdef"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

#define assert_str(a, b) assert_true(str_eq((a), (b)))

static void test_html(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct simple_page page;
    struct str text =
        S("<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.3\">"
          "<base href=\"https://files/x/\"></head><body><!-- <a href=\"no-1.0.tar.gz\">no</a> -->\n"
          "<a href=\"../a/A-1.0-py3-none-any.whl#sha256=" HEX "\" data-requires-python=\"&gt;=3.8,&lt;4\" "
          "data-upload-time=\"2015-12-22T20:21:13.898409Z\" data-core-metadata=\"sha256=" HEX "\">x</a>"
          "<A HREF='b%2B1-2.tar.gz' data-yanked=\"bad &amp; &#x6f;ld\" data-dist-info-metadata=false >y</A>"
          "<a data-yanked href=c.zip#sha512=" HEX HEX ">z</a><a href=\"\">e</a><a>f</a><a href=\"?C=N;O=D\">g</a>"
          "<a href=\"d-1.tar.gz");
    assert_null(simple_parse_html(arena, text, &page));
    assert_int_equal(page.len, 4);
    assert_str(page.base, S("https://files/x/"));
    const struct simple_file *files = page.files;
    assert_str(files[0].filename, S("A-1.0-py3-none-any.whl"));
    assert_str(files[0].sha256, S(HEX));
    assert_str(files[0].requires_python, S(">=3.8,<4"));
    assert_true(files[0].has_metadata);
    assert_str(files[0].metadata_sha256, S(HEX));
    assert_int_equal(files[0].uploaded, 1450815673);
    assert_false(files[0].yanked);
    assert_int_equal(files[0].size, -1);
    assert_str(files[1].filename, S("b+1-2.tar.gz"));
    assert_true(files[1].yanked);
    assert_str(files[1].yanked_reason, S("bad & old"));
    assert_false(files[1].has_metadata);
    assert_int_equal(files[1].uploaded, INT64_MIN);
    assert_true(files[2].yanked && files[2].yanked_reason.len == 0);
    assert_str(files[2].filename, S("c.zip"));
    assert_str(files[2].strong, S(HEX HEX));
    assert_int_equal(files[0].strong.len + files[2].sha256.len, 0);
    assert_str(files[3].filename, S("d-1.tar.gz"));
    arena_close(arena);
}

static void test_json(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct simple_page page;
    struct str text =
        S("{\"meta\": {\"api-version\": \"1.1\"}, \"name\": \"a\", \"versions\": [\"1.0\"], \"files\": ["
          "{\"filename\": \"a-1.0-py3-none-any.whl\", \"url\": \"a.whl\", \"hashes\": {\"sha256\": \"" HEX "\"}, "
          "\"requires-python\": \">=3\", \"size\": 123, \"upload-time\": \"2020-01-01T00:00:00Z\", "
          "\"core-metadata\": {\"sha256\": \"" HEX "\"}, \"yanked\": false},"
          "{\"filename\": \"b.tar.gz\", \"url\": \"http://h/b.tar.gz\", \"hashes\": {\"md5\": \"1\", \"sha384\": \"" HEX
              HALF "\"}, \"requires-python\": null, "
          "\"dist-info-metadata\": true, \"yanked\": \"why\"}, {\"filename\": 5}, 7]}");
    assert_null(simple_parse_json(arena, text, &page));
    assert_int_equal(page.len, 2);
    assert_str(page.files[0].sha256, S(HEX));
    assert_int_equal(page.files[0].size, 123);
    assert_int_equal(page.files[0].uploaded, 1577836800);
    assert_str(page.files[0].metadata_sha256, S(HEX));
    assert_false(page.files[0].yanked);
    assert_true(page.files[1].yanked && page.files[1].has_metadata);
    assert_str(page.files[1].yanked_reason, S("why"));
    assert_str(page.files[1].strong, S(HEX HALF));
    assert_int_equal(page.files[0].strong.len + page.files[1].sha256.len, 0);
    assert_int_equal(page.files[1].size, -1);
    assert_false(page.quarantined);
    assert_null(
        simple_parse_json(arena, S("{\"files\": [], \"project-status\": {\"status\": \"quarantined\"}}"), &page));
    assert_true(page.quarantined);
    assert_null(
        simple_parse_json(arena, S("{\"files\": [], \"project-status\": {\"status\": \" Quarantined\"}}"), &page));
    assert_true(page.quarantined);
    /* Sizes that no file has: their sum would overflow. */
    assert_null(simple_parse_json(
        arena, S("{\"files\": [{\"filename\": \"a\", \"url\": \"a\", \"size\": 9007199254740992}]}"), &page));
    assert_int_equal(page.files[0].size, -1);
    assert_null(simple_parse_html(arena, S("<a href=a data-size=9223372036854775807><a href=b data-size=7>"), &page));
    assert_int_equal(page.files[0].size, -1);
    assert_int_equal(page.files[1].size, 7);
    arena_close(arena);
}

static void test_refused(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct simple_page page;
    struct err *err = simple_parse_json(arena, S("{\"meta\": {\"api-version\": \"2.0\"}, \"files\": []}"), &page);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INDEX);
    err = simple_parse_html(arena, S("<meta name='pypi:repository-version' content='2.0'>"), &page);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INDEX);
    err = simple_parse_json(arena, S("{\"projects\": []}"), &page);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_MALFORMED);
    arena_close(arena);
}

static void test_url(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    static const struct {
        struct str base, reference, expected;
    } cases[] = {
        {S_INIT("https://h/simple/a/"), S_INIT("../../p/a.whl#sha256=1"), S_INIT("https://h/p/a.whl")},
        {S_INIT("https://h/simple/a/"), S_INIT("/p/a.whl"), S_INIT("https://h/p/a.whl")},
        {S_INIT("https://h/simple/a/"), S_INIT("a.whl?x=1"), S_INIT("https://h/simple/a/a.whl?x=1")},
        {S_INIT("https://h/simple/a"), S_INIT("b.whl"), S_INIT("https://h/simple/b.whl")},
        {S_INIT("https://h/simple/a/"), S_INIT("//o:8/b.whl"), S_INIT("https://o:8/b.whl")},
        {S_INIT("https://h/simple/a/"), S_INIT("http://o/b c.whl"), S_INIT("http://o/b%20c.whl")},
        {S_INIT("https://h/a/"), S_INIT("../../../b"), S_INIT("https://h/b")},
        {S_INIT("https://h"), S_INIT("b/./c/.."), S_INIT("https://h/b/")},
        {S_INIT("file:///srv/x/"), S_INIT("y.whl"), S_INIT("file:///srv/x/y.whl")},
        {S_INIT("https://h/a/?q=/x/"), S_INIT("y.whl"), S_INIT("https://h/a/y.whl")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_str(simple_url(arena, cases[i].base, cases[i].reference), cases[i].expected);
    assert_str(simple_url_filename(arena, S("https://h/x/torch-2.7%2Bcu-1.whl?y=/z#f/g")), S("torch-2.7+cu-1.whl"));
    assert_str(simple_url_sha256(arena, S("x#a=b&sha256=" HEX)), S(HEX));
    assert_str(simple_url_sha256(arena, S("x#sha256=12")), S(ZEROS));
    assert_str(simple_url_sha256(arena, S("x#sha256=")), S(""));
    assert_str(simple_url_strong(arena, S("x#sha256=" HEX)), S(""));
    assert_str(simple_url_strong(arena, S("x#sha512=" HEX)), S(ZEROS ZEROS));
    assert_str(simple_url_strong(arena, S("x#sha384=" HEX HALF)), S(HEX HALF));
    assert_str(simple_url_strong(arena, S("x#sha384=" HEX HALF "&sha512=" HEX HEX)), S(HEX HEX));
    assert_str(simple_url_strong(arena, S("x#sha512=" HEX "g" HEX "&sha384=" HEX HALF)), S(ZEROS ZEROS));
    assert_str(simple_hash_name(S(HEX)), S("sha256"));
    assert_str(simple_hash_name(S(HEX HALF)), S("sha384"));
    assert_str(simple_hash_name(S(HEX HEX)), S("sha512"));
    assert_str(simple_hash_name(S("ab")), S(""));
    arena_close(arena);
}

static void test_date(void **state) {
    (void)state;
    int64_t n = 0;
    assert_true(simple_date_parse(S("1970-01-01"), &n) && n == 0);
    assert_true(simple_date_parse(S("2000-02-29T12:00:00+02:00"), &n) && n == 951818400);
    assert_true(simple_date_parse(S("2024-12-31 23:59:59"), &n) && n == 1735689599);
    static const struct str bad[] = {S_INIT(""),
                                     S_INIT("2024"),
                                     S_INIT("2024-13-01"),
                                     S_INIT("2024-01-01T"),
                                     S_INIT("2024-01-01T25:00:00"),
                                     S_INIT("2024-01-01T00:00:00X"),
                                     S_INIT("20240-1-01"),
                                     S_INIT("2024-01-01Tx")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(simple_date_parse(bad[i], &n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html), cmocka_unit_test(test_json), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_url),  cmocka_unit_test(test_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
