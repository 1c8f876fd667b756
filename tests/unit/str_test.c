#include "base/str.h"

#include "base/arena.h"
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_cut_and_line(void **state) {
    (void)state;
    struct str rest = S("a,b,,c");
    assert_true(str_eq(str_cut(&rest, ','), S("a")));
    assert_true(str_eq(str_cut(&rest, ','), S("b")));
    assert_true(str_eq(str_cut(&rest, ','), S("")));
    assert_true(str_eq(str_cut(&rest, ','), S("c")));
    assert_null(rest.data);
    struct str text = S("x\r\ny\n\nz"), line;
    assert_true(str_line(&text, &line) && str_eq(line, S("x")));
    assert_true(str_line(&text, &line) && str_eq(line, S("y")));
    assert_true(str_line(&text, &line) && str_eq(line, S("")));
    assert_true(str_line(&text, &line) && str_eq(line, S("z")));
    assert_false(str_line(&text, &line));
}

static void test_utf8(void **state) {
    (void)state;
    static const struct {
        struct str text;
        bool ok;
    } cases[] = {
        {S_INIT(""), true},
        {S_INIT("abc"), true},
        {S_INIT("\xC3\xA9"), true},
        {S_INIT("\xF0\x9F\x98\x80"), true},
        {S_INIT("\xC0\x80"), false},
        {S_INIT("\xED\xA0\x80"), false},
        {S_INIT("\xF4\x90\x80\x80"), false},
        {S_INIT("\xE2\x82"), false},
        {S_INIT("\x80"), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_int_equal(str_is_utf8(cases[i].text), cases[i].ok);
}

static void test_numbers(void **state) {
    (void)state;
    int64_t n = -1;
    assert_true(str_to_int(S("9223372036854775807"), &n));
    assert_int_equal(n, INT64_MAX);
    assert_false(str_to_int(S("9223372036854775808"), &n));
    assert_false(str_to_int(S(""), &n));
    assert_false(str_to_int(S("-1"), &n));
}

static void test_among(void **state) {
    (void)state;
    const struct str texts[] = {S_INIT("a"), S_INIT("bc")};
    assert_true(str_among(texts, 2, S("bc")));
    assert_false(str_among(texts, 1, S("bc")));
    assert_false(str_among(texts, 2, S("b")));
    assert_false(str_among(NULL, 0, S("")));
}

static void test_map(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct map map = {0};
    for (int32_t i = 0; i < 1000; i++) map_add(arena, &map, str_format(arena, "key%d", i), i);
    map_add(arena, &map, S("key7"), 70000);
    assert_int_equal(map.len, 1000);
    assert_int_equal(map_find(&map, S("key7")), 70000);
    assert_int_equal(map_find(&map, S("key999")), 999);
    assert_int_equal(map_find(&map, S("key1000")), -1);
    assert_true(str_eq(map.keys[3], S("key3")));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_and_line), cmocka_unit_test(test_utf8), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_among),        cmocka_unit_test(test_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
