#include "base/json.h"

#include "base/arena.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { LIMIT = 1 << 20 };

static void test_values(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct json json;
    assert_null(
        json_parse(arena, S(" {\"a\": [1, -2.5, true, null], \"b\": \"x\\u00e9\\n\", \"c\": {}} \n"), LIMIT, &json));
    assert_int_equal(json.kind, JSON_OBJECT);
    assert_int_equal(json.len, 3);
    const struct json *array = json_find_array(&json, S("a"));
    assert_int_equal(array->len, 4);
    int64_t n = 0;
    assert_true(json_to_int(&array->items[0], &n));
    assert_int_equal(n, 1);
    assert_false(json_to_int(&array->items[1], &n));
    assert_true(array->items[2].truth);
    assert_int_equal(array->items[3].kind, JSON_NULL);
    assert_true(str_eq(json_find_text(&json, S("b")), S("x\xC3\xA9\n")));
    assert_int_equal(json_find_object(&json, S("c"))->len, 0);
    assert_int_equal(json_find_array(&json, S("b"))->len, 0);
    assert_int_equal(json_find_int(&json, S("nothing"), -7), -7);
    arena_close(arena);
}

static void test_refused(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    static const struct {
        struct str text;
        enum err_kind kind;
    } cases[] = {
        {S_INIT(""), ERR_MALFORMED},
        {S_INIT("  "), ERR_MALFORMED},
        {S_INIT("{"), ERR_MALFORMED},
        {S_INIT("{\"a\" 1}"), ERR_MALFORMED},
        {S_INIT("[1,]"), ERR_MALFORMED},
        {S_INIT("[1] 2"), ERR_MALFORMED},
        {S_INIT("\"a\0b\""), ERR_MALFORMED},
        {S_INIT("\"a\\u0000b\""), ERR_MALFORMED},
        {S_INIT("[1\0]"), ERR_MALFORMED},
        {S_INIT("\"\xFF\""), ERR_MALFORMED},
        {S_INIT("\"\\ud800\""), ERR_MALFORMED},
        {S_INIT("{\"a\": 1, \"a\": 2}"), ERR_MALFORMED},
        {S_INIT("{\"a\": 1, \"\\u0061\": 2}"), ERR_MALFORMED},
        {S_INIT("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"a\":1}"), ERR_MALFORMED},
        {S_INIT("1e999"), ERR_MALFORMED},
        {S_INIT("\"abc"), ERR_MALFORMED},
        {S_INIT("\"abc\\"), ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json json = {.len = 99};
        struct err *err = json_parse(arena, cases[i].text, LIMIT, &json);
        assert_non_null(err);
        assert_int_equal(err->kind, cases[i].kind);
        assert_int_equal(json.len, 99);
    }
    arena_close(arena);
}

/* The elements of a list one by one: what they are, and that what is wrong is found wherever it is, as json_parse does.
 */
static struct err *walk(struct arena *arena, struct str text, struct json *ret, int32_t *ret_elements) {
    struct str elements;
    struct err *err = json_parse_outline(arena, text, LIMIT, S("files"), ret, &elements);
    *ret_elements = elements.data ? 0 : -1;
    for (bool any = !err && elements.data; any && !err; *ret_elements += any && !err) {
        struct json one = {0};
        err = json_parse_element(arena, text, &elements, &one, &any);
        if (!err && any) assert_int_equal(one.kind, JSON_OBJECT);
    }
    return err;
}

static void test_elements(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    static const struct {
        struct str text;
        int32_t elements; /* -1: not found, so that they are in the tree */
    } good[] = {
        {S_INIT("{\"a\": 1, \"files\": [{\"x\": [1, \"]\"]}, {} , {\"y\": \"\\\"}\"}], \"b\": {\"files\": [3]}}"), 3},
        {S_INIT("\xEF\xBB\xBF {\"files\":[]}"), 0},
        {S_INIT("{\"files\":[ ]}"), 0},
        {S_INIT("{\"b\": {\"files\": [3]}, \"c\": \"files\", \"files\" : [ {} ]}"), 1},
        {S_INIT("{\"files\": {\"files\": [1]}}"), -1},
        {S_INIT("{\"\\u0066iles\": [{}, {}]}"), -1},
        {S_INIT("[\"files\", [1]]"), -1},
        {S_INIT("{\"x\": \"files\"}"), -1},
    };
    static const struct str bad[] = {
        S_INIT("{\"files\": [{},]}"),
        S_INIT("{\"files\": [,{}]}"),
        S_INIT("{\"files\": [{} {}]}"),
        S_INIT("{\"files\": [{}}]"),
        S_INIT("{\"files\": [{}]"),
        S_INIT("{\"files\": [{}] 1}"),
        S_INIT("{\"files\": [{\"a\": 1, \"a\": 2}]}"),
        S_INIT("{\"files\": [], \"files\": []}"),
        S_INIT("{\"files\": [], \"\\u0066iles\": []}"),
        S_INIT("{\"files\": [{]}]}"),
        S_INIT("{\"files\": [{}]}}"),
        S_INIT("{\"files\": [{\"a\": \"\\u0000\"}]}"),
        S_INIT("{\"files\": \"files\": [{}]}"),
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct json json, whole;
        int32_t n;
        struct err *err = walk(arena, good[i].text, &json, &n);
        if (err || n != good[i].elements) fail_msg("%.*s: %d elements", FMT(good[i].text), n);
        assert_null(json_parse(arena, good[i].text, LIMIT, &whole));
        assert_int_equal(json.len, whole.len);
        int32_t in_tree = json_find_array(&json, S("files"))->len, all = json_find_array(&whole, S("files"))->len;
        assert_int_equal(in_tree + (n > 0 ? n : 0), all);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json json;
        int32_t n;
        struct err *err = walk(arena, bad[i], &json, &n);
        if (!err || err->kind != ERR_MALFORMED) fail_msg("%.*s is taken", FMT(bad[i]));
        assert_non_null(json_parse(arena, bad[i], LIMIT, &json));
    }
    arena_close(arena);
}

static void test_limits(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct json json;
    char deep[2 * (JSON_DEPTH_MAX + 1)];
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    struct err *err = json_parse(arena, (struct str){deep, sizeof deep}, LIMIT, &json);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_LIMIT);
    assert_null(json_parse(arena, (struct str){deep + 1, sizeof deep - 2}, LIMIT, &json));
    err = json_parse(arena, S("[1, 2]"), 3, &json);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_LIMIT);
    arena_close(arena);
}

static void test_place(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct json json;
    struct err *err = json_parse(arena, S("{\n  \"a\": ?\n}"), LIMIT, &json);
    assert_non_null(err);
    assert_int_equal(err->line, 2);
    assert_int_equal(err->column, 8);
    arena_close(arena);
}

static void test_write(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct buf buf = {.arena = arena};
    struct json_writer writer = {.buf = &buf};
    const struct str names[] = {S_INIT("a"), S_INIT("q\"\\\n\x01\x7F\xFF\xC3\xA9")};
    json_begin_object(&writer);
    json_key_strings(&writer, S("names"), names, 2);
    json_key_int(&writer, S("n"), -5);
    json_key_bool(&writer, S("yes"), true);
    json_key(&writer, S("o"));
    json_begin_object(&writer);
    json_end_object(&writer);
    json_key(&writer, S("x"));
    json_null(&writer);
    json_end_object(&writer);
    struct str expected = S("{\"names\": [\"a\", \"q\\\"\\\\\\n\\u0001\\u007f\xEF\xBF\xBD\xC3\xA9\"], \"n\": -5, "
                            "\"yes\": true, \"o\": {}, \"x\": null}");
    assert_true(str_eq(buf_str(&buf), expected));

    struct json json;
    assert_null(json_parse(arena, buf_str(&buf), LIMIT, &json));
    struct buf again = {.arena = arena};
    struct json_writer second = {.buf = &again};
    json_value(&second, &json);
    assert_true(str_eq(buf_str(&again), expected));
    arena_close(arena);
}

static void test_write_what_steers(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct buf buf = {.arena = arena};
    struct json_writer writer = {.buf = &buf};
    /* U+009B, U+00A0, U+061C, U+200B, U+200E, U+2028, U+202E, U+2066, U+2069, U+206A */
    json_string(&writer,
                S("\xC2\x9B\xC2\xA0\xD8\x9C\xE2\x80\x8B\xE2\x80\x8E\xE2\x80\xA8\xE2\x80\xAE\xE2\x81\xA6\xE2\x81\xA9"
                  "\xE2\x81\xAA"));
    assert_true(str_eq(buf_str(&buf),
                       S("\"\\u009b\xC2\xA0\\u061c\xE2\x80\x8B\\u200e\\u2028\\u202e\\u2066\\u2069\xE2\x81\xAA\"")));
    arena_close(arena);
}

static void test_many(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct buf buf = {.arena = arena};
    struct json json;
    for (int i = 0; i < 1000; i++) buf_addf(&buf, "%c\"%d\":0", i ? ',' : '{', i * 7919 % 1000);
    struct str unique = str_format(arena, "%.*s}", FMT(buf_str(&buf)));
    assert_null(json_parse(arena, unique, LIMIT, &json));
    assert_int_equal(json.len, 1000);
    struct err *err = json_parse(arena, str_format(arena, "%.*s,\"5\":0}", FMT(buf_str(&buf))), LIMIT, &json);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_MALFORMED);
    ptrdiff_t len = 2 * (ptrdiff_t)JSON_VALUES_MAX + 3;
    char *commas = arena_alloc(arena, len);
    for (ptrdiff_t i = 0; i < len; i++) commas[i] = i == 0 ? '[' : i + 1 == len ? ']' : i % 2 ? '0' : ',';
    err = json_parse(arena, (struct str){commas, len}, len, &json);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_LIMIT);
    arena_close(arena);
}

static void test_write_indented(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct buf buf = {.arena = arena};
    struct json_writer writer = {.buf = &buf, .indent = 2};
    json_begin_object(&writer);
    json_key(&writer, S("a"));
    json_begin_array(&writer);
    json_int(&writer, 1);
    json_int(&writer, 2);
    json_end_array(&writer);
    json_key(&writer, S("b"));
    json_begin_array(&writer);
    json_end_array(&writer);
    json_end_object(&writer);
    assert_true(str_eq(buf_str(&buf), S("{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": []\n}")));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_elements),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_place),          cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_indented), cmocka_unit_test(test_write_what_steers),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
