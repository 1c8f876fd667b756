#include "pypa/name.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_valid(void **state) {
    (void)state;
    static const struct str good[] = {S_INIT("a"), S_INIT("0"), S_INIT("Foo.Bar_baz-1"), S_INIT("a--b")};
    static const struct str bad[] = {S_INIT(""),    S_INIT("-a"),        S_INIT("a-"),  S_INIT("a_"),  S_INIT(".a"),
                                     S_INIT("a b"), S_INIT("a\xC3\xA9"), S_INIT("a/b"), S_INIT("a\0b")};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(name_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(name_is_valid(bad[i]));
    char longest[NAME_MAX_LEN + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(name_is_valid((struct str){longest, NAME_MAX_LEN}));
    assert_false(name_is_valid((struct str){longest, NAME_MAX_LEN + 1}));
}

static void test_normalize(void **state) {
    (void)state;
    static const struct {
        struct str name, normal;
    } cases[] = {
        {S_INIT("Foo.Bar_baz"), S_INIT("foo-bar-baz")},
        {S_INIT("a-._-b"), S_INIT("a-b")},
        {S_INIT("a--b"), S_INIT("a-b")},
        {S_INIT("abc"), S_INIT("abc")},
        {S_INIT("a-b"), S_INIT("a-b")},
        {S_INIT("__"), S_INIT("-")},
        {S_INIT(""), S_INIT("")},
        {S_INIT("A_"), S_INIT("a-")},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str normal = name_normalize(arena, cases[i].name);
        assert_true(str_eq(normal, cases[i].normal));
        assert_true(name_match(cases[i].name, cases[i].normal));
        assert_false(name_match(cases[i].name, S("foo-bar")));
    }
    assert_false(name_match(S("foo"), S("foo-bar")));
    assert_false(name_match(S("foo-bar"), S("foo")));
    arena_close(arena);
}

static void test_normal_name_is_not_copied(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str name = S("already-normal");
    assert_ptr_equal(name_normalize(arena, name).data, name.data);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_normalize),
        cmocka_unit_test(test_normal_name_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
