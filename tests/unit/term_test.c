#include "os/term.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_escape(void **state) {
    (void)state;
    static const struct {
        struct str text, expected;
    } cases[] = {
        {S_INIT("plain é → 😀"), S_INIT("plain é → 😀")},
        {S_INIT("a\033[31mb"), S_INIT("a\\x1B[31mb")},
        {S_INIT("a\nb\tc\rd"), S_INIT("a\\x0Ab\\x09c\\x0Dd")},
        {S_INIT("\x7F"), S_INIT("\\x7F")},
        {S_INIT("\xC2\x9B"), S_INIT("\\xC2\\x9B")},
        {S_INIT("x\xE2\x80\xAEy"), S_INIT("x\\xE2\\x80\\xAEy")},
        {S_INIT("\xFF\xC3"), S_INIT("\\xFF\\xC3")},
        {S_INIT("\xED\xA0\x80"), S_INIT("\\xED\\xA0\\x80")},
        {S_INIT(""), S_INIT("")},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf buf = {.arena = arena};
        term_escape(&buf, cases[i].text);
        assert_true(str_eq(buf_str(&buf), cases[i].expected));
    }
    arena_close(arena);
}

static void test_columns(void **state) {
    (void)state;
    assert_int_equal(term_columns(S("1 → 2")), 5);
    assert_int_equal(term_columns(S("")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
