#include "pypa/entry_points.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_parse(void **state) {
    (void)state;
    static const char text[] =
        "# comment\n[other]\nx = anything at all\n[console_scripts]\r\ntool = pkg.cli:main\n"
        "  jupyter-lab = lab:App.start [extra,more]\ntool=pkg:again\n\n[gui_scripts]\nwin = pkg : gui\n";
    struct arena *arena = arena_open();
    const struct entry_point *points = NULL;
    int32_t len = 0;
    assert_null(entry_points_parse(arena, str_of(text), &points, &len));
    assert_int_equal(len, 3);
    assert_true(str_eq(points[0].name, S("tool")));
    assert_true(str_eq(points[0].module, S("pkg")));
    assert_true(str_eq(points[0].attribute, S("again")));
    assert_true(str_eq(points[1].name, S("jupyter-lab")));
    assert_true(str_eq(points[1].attribute, S("App.start")));
    assert_false(points[1].gui);
    assert_true(str_eq(points[2].module, S("pkg")));
    assert_true(points[2].gui);
    arena_close(arena);
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "a/b = p:f",
        "../a = p:f",
        ".. = p:f",
        "-a = p:f",
        "a b = p:f",
        " = p:f",
        "a\x1B = p:f",
        "a",
        "a = p",
        "a = p:",
        "a = :f",
        "a = p:f()",
        "a = p;import os:f",
        "a = p:f\x0B; x",
        "a = p..q:f",
        "a = .p:f",
        "a = p:1f",
        "a = p:f.",
        "a = p:f:g",
        "a = é:f",
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct entry_point *points = NULL;
        int32_t len = 0;
        struct str text = str_format(arena, "[console_scripts]\n%s\n", bad[i]);
        struct err *err = entry_points_parse(arena, text, &points, &len);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_MALFORMED);
        assert_int_equal(err->line, 2);
    }
    arena_close(arena);
}

static void test_reserved(void **state) {
    (void)state;
    static const char *const reserved[] = {"python", "python3",        "python3.12", "pythonw", "python3.13t",
                                           "pip",    "python3-config", "pip3",       "pip3.12"};
    static const char *const allowed[] = {"pipx",     "pip-compile", "pipdeptree", "python-argcomplete",
                                          "pythonic", "ipython",     "pipenv"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        assert_true(entry_point_is_reserved(str_of(reserved[i])));
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_false(entry_point_is_reserved(str_of(allowed[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
