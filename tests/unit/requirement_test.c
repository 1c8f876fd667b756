#include "pypa/requirement.h"

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int open_arena(void **state) {
    *state = arena_open();
    return 0;
}

static int close_arena(void **state) {
    arena_close(*state);
    return 0;
}

static void test_parts(void **state) {
    struct requirement r;
    assert_null(requirement_parse(*state, S("  Foo.Bar [b, A_c,b] (>=1.0, <2) ; extra == 'x' \n"), &r));
    assert_true(str_eq(r.text, S("Foo.Bar [b, A_c,b] (>=1.0, <2) ; extra == 'x'")));
    assert_true(str_eq(r.name, S("foo-bar")) && str_eq(r.raw_name, S("Foo.Bar")));
    assert_int_equal(r.extras_len, 2);
    assert_true(str_eq(r.extras[0], S("a-c")) && str_eq(r.extras[1], S("b")));
    assert_int_equal(r.specifiers.len, 2);
    assert_int_equal(r.url.len, 0);
    assert_true(marker_has_extra(r.marker));

    assert_null(requirement_parse(*state, S("foo@https://h/f;g ; os_name=='x'"), &r));
    assert_true(str_eq(r.url, S("https://h/f;g")) && r.specifiers.len == 0 && r.marker);

    assert_null(requirement_parse(*state, S("foo===1.0,>=1"), &r));
    assert_int_equal(r.specifiers.len, 2);
    assert_int_equal(r.specifiers.items[0].op, SPECIFIER_ARBITRARY);
    assert_null(r.marker);
}

static void test_format(void **state) {
    static const struct {
        struct str text, normal;
    } cases[] = {
        {S_INIT("foo"), S_INIT("foo")},
        {S_INIT("Foo (>=1.0,<2)"), S_INIT("Foo<2,>=1.0")},
        {S_INIT("foo[b,a] @ file:///x"), S_INIT("foo[a,b] @ file:///x")},
        {S_INIT("foo @ file:///x ; os_name=='y'"), S_INIT("foo @ file:///x ; os_name == \"y\"")},
        {S_INIT("foo>=1;os_name=='y'"), S_INIT("foo>=1; os_name == \"y\"")},
        {S_INIT("foo[]>=1,>=1.0,"), S_INIT("foo>=1")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct requirement r;
        assert_null(requirement_parse(*state, cases[i].text, &r));
        struct str normal = requirement_format(*state, &r);
        if (!str_eq(normal, cases[i].normal)) fail_msg("%.*s: %.*s", FMT(cases[i].text), FMT(normal));
    }
}

static void test_malformed(void **state) {
    static const struct {
        struct str text;
        int32_t column;
    } cases[] = {
        {S_INIT(""), 1},          {S_INIT("?"), 1},           {S_INIT("foo bar"), 5},    {S_INIT("foo[a"), 6},
        {S_INIT("foo[a b]"), 7},  {S_INIT("foo[,a]"), 5},     {S_INIT("foo[a,]"), 7},    {S_INIT("foo (>=1"), 9},
        {S_INIT("foo >=1)"), 8},  {S_INIT("foo>=1.*"), 7},    {S_INIT("foo 1"), 5},      {S_INIT("foo @"), 6},
        {S_INIT("foo @ u v"), 9}, {S_INIT("foo;"), 5},        {S_INIT("foo>=1,,<2"), 8}, {S_INIT("foo # x"), 5},
        {S_INIT("foo_"), 4},      {S_INIT("foo @ a\x01"), 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct requirement r = {.extras_len = 77};
        struct err *err = requirement_parse(*state, cases[i].text, &r);
        if (!err || err->kind != ERR_MALFORMED || err->column != cases[i].column)
            fail_msg("%.*s: column %d", FMT(cases[i].text), err ? err->column : -1);
        assert_int_equal(r.extras_len, 77);
    }
}

static struct err *repeated(struct arena *arena, struct str head, struct str part, int count, struct str tail) {
    struct buf buf = {.arena = arena};
    struct requirement r;
    buf_add(&buf, head);
    for (int i = 0; i < count; i++) buf_add(&buf, part);
    buf_add(&buf, tail);
    return requirement_parse(arena, buf_str(&buf), &r);
}

static void test_limits(void **state) {
    assert_null(repeated(*state, S("foo["), S("a,"), REQUIREMENT_EXTRAS_MAX - 1, S("a]")));
    assert_int_equal(repeated(*state, S("foo["), S("a,"), REQUIREMENT_EXTRAS_MAX, S("a]"))->kind, ERR_LIMIT);
    assert_int_equal(repeated(*state, S("foo["), S("a"), 201, S("]"))->kind, ERR_LIMIT);
    assert_null(repeated(*state, S("foo"), S(">=1,"), SPECIFIER_SET_MAX, S("")));
    assert_int_equal(repeated(*state, S("foo"), S(">=1,"), SPECIFIER_SET_MAX, S(">=1"))->kind, ERR_LIMIT);
    assert_int_equal(repeated(*state, S("foo"), S("===a,"), SPECIFIER_SET_MAX, S("===a"))->kind, ERR_LIMIT);
    assert_null(repeated(*state, S("foo @ "), S("u"), REQUIREMENT_MAX_LEN - 6, S("")));
    assert_int_equal(repeated(*state, S("foo @ "), S("u"), REQUIREMENT_MAX_LEN, S(""))->kind, ERR_LIMIT);
    assert_int_equal(repeated(*state, S("foo;"), S("("), 1000, S(""))->kind, ERR_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_format, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_malformed, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_limits, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
