#include "pypa/filename.h"

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

static void test_wheel(void **state) {
    static const struct str accepted[] = {S_INIT("cp312-cp312-manylinux2014_x86_64"), S_INIT("cp312-abi3-linux_x86_64"),
                                          S_INIT("py3-none-any")};
    struct tags tags = tags_of_list(*state, accepted, 3);
    struct wheel_name wheel;
    assert_null(
        wheel_name_parse(*state, S("Foo.Bar_b-1.0+nv.1-2a-CP312.py3-CP312.none-any.manylinux2014_x86_64.whl"), &wheel));
    assert_true(str_eq(wheel.name, S("foo-bar-b")) && str_eq(wheel.build, S("2a")));
    assert_true(str_eq(version_format(*state, &wheel.version), S("1.0+nv.1")));
    assert_true(str_eq(wheel.python, S("CP312.py3")) && str_eq(wheel.abi, S("CP312.none")));
    assert_int_equal(wheel_name_rank(&wheel, &tags), 0);
    assert_null(wheel_name_parse(*state, S("foo-1.0-py2.py3-none-any.whl"), &wheel));
    assert_int_equal(wheel.build.len, 0);
    assert_int_equal(wheel_name_rank(&wheel, &tags), 2);
    assert_null(wheel_name_parse(*state, S("foo-1.0-cp311-cp311-win32.whl"), &wheel));
    assert_int_equal(wheel_name_rank(&wheel, &tags), -1);
}

static void test_wheel_malformed(void **state) {
    static const struct str wrong[] = {
        S_INIT(""),
        S_INIT("foo-1.0-py3-none-any.zip"),
        S_INIT("foo-1.0-py3.whl"),
        S_INIT("foo-py3-none-any.whl"),
        S_INIT("foo-1.0-x1-py3-none-any.whl"),
        S_INIT("foo-1.0--py3-none-any.whl"),
        S_INIT("foo-1.0-1-2-py3-none-any.whl"),
        S_INIT("foo__bar-1.0-py3-none-any.whl"),
        S_INIT("-1.0-py3-none-any.whl"),
        S_INIT("foo-x-py3-none-any.whl"),
        S_INIT("foo-1.0-py2..py3-none-any.whl"),
        S_INIT("foo-1.0-3-none-any.whl"),
        S_INIT("foo-1.0-py3--any.whl"),
        S_INIT("foo-1.0-py3-none-.whl"),
        S_INIT("../foo-1.0-py3-none-any.whl"),
        S_INIT("foo-1.0-py3-none-an y.whl"),
        S_INIT("foo-1.0-py3-none-any\n.whl"),
        S_INIT("f\xC3\xA4-1.0-py3-none-any.whl"),
        S_INIT("foo-1.0-a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a-b.b.b.b.b.b.b.b-c.c.c.c.c.c.c.c.whl"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct wheel_name wheel;
        struct err *err = wheel_name_parse(*state, wrong[i], &wheel);
        if (!err || err->kind != ERR_MALFORMED) fail_msg("%.*s", FMT(wrong[i]));
    }
    struct buf buf = {.arena = *state};
    struct wheel_name wheel;
    buf_add(&buf, S("foo-1.0-"));
    while (buf.len < FILENAME_MAX_LEN) buf_add_char(&buf, 'a');
    buf_add(&buf, S("-none-any.whl"));
    assert_non_null(wheel_name_parse(*state, buf_str(&buf), &wheel));
}

static void test_build_order(void **state) {
    (void)state;
    static const struct str ascending[] = {S_INIT(""),   S_INIT("0"), S_INIT("1"),  S_INIT("1a"),
                                           S_INIT("1b"), S_INIT("2"), S_INIT("10"), S_INIT("100000000000000000000")};
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 8; j++) {
            int order = wheel_build_cmp(ascending[i], ascending[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    assert_int_equal(wheel_build_cmp(S("01"), S("1")), 0);
}

static void test_sdist(void **state) {
    static const struct {
        struct str filename, project, version;
    } cases[] = {
        {S_INIT("foo-1.0.tar.gz"), S_INIT("foo"), S_INIT("1.0")},
        {S_INIT("Foo_Bar-1.0.zip"), S_INIT("foo-bar"), S_INIT("1.0")},
        {S_INIT("foo-bar-1.0-1.tgz"), S_INIT("foo-bar"), S_INIT("1.0.post1")},
        {S_INIT("foo-1.0.tar.xz"), S_INIT("foo"), S_INIT("1.0")},
        {S_INIT("foo-2.tar.bz2"), S_INIT("foo"), S_INIT("2")},
        {S_INIT("foo-bar-1.0.tar.gz"), S_INIT("foo"), S_INIT("")},
        {S_INIT("foo-1.0.tar.gz"), S_INIT("bar"), S_INIT("")},
        {S_INIT("foo-1.0.whl"), S_INIT("foo"), S_INIT("")},
        {S_INIT("foo-1.0.tar"), S_INIT("foo"), S_INIT("")},
        {S_INIT("foo-.tar.gz"), S_INIT("foo"), S_INIT("")},
        {S_INIT("foo.tar.gz"), S_INIT("foo"), S_INIT("")},
        {S_INIT(".tar.gz"), S_INIT("foo"), S_INIT("")},
        {S_INIT("../foo-1.0.tar.gz"), S_INIT("foo"), S_INIT("")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct version version;
        bool found = sdist_name_parse(*state, cases[i].filename, cases[i].project, &version);
        if (found != (cases[i].version.len > 0)) fail_msg("%.*s", FMT(cases[i].filename));
        if (found) assert_true(str_eq(version_format(*state, &version), cases[i].version));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wheel, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_wheel_malformed, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_build_order, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_sdist, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
