#include "pypa/marker.h"

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct marker_env env = {
    .os_name = S_INIT("posix"),
    .sys_platform = S_INIT("linux"),
    .platform_machine = S_INIT("x86_64"),
    .platform_python_implementation = S_INIT("CPython"),
    .platform_release = S_INIT("6.1.0-13-amd64"),
    .platform_system = S_INIT("Linux"),
    .platform_version = S_INIT("#1 SMP"),
    .python_version = S_INIT("3.12"),
    .python_full_version = S_INIT("3.12.0+"),
    .implementation_name = S_INIT("cpython"),
    .implementation_version = S_INIT("3.12.0"),
};

static int open_arena(void **state) {
    *state = arena_open();
    return 0;
}

static int close_arena(void **state) {
    arena_close(*state);
    return 0;
}

static const struct marker *marker_of(struct arena *arena, struct str text) {
    const struct marker *marker = NULL;
    struct err *err = marker_parse(arena, text, &marker);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    return marker;
}

static void test_eval(void **state) {
    static const struct {
        struct str text, extra;
        bool value;
    } cases[] = {
        {S_INIT("python_version >= '3.9'"), S_INIT(""), true},
        {S_INIT("python_version < '3.9'"), S_INIT(""), false},
        {S_INIT("'3.9' <= python_version"), S_INIT(""), true},
        {S_INIT("python_version == '3.*'"), S_INIT(""), true},
        {S_INIT("python_version in '3.8, 3.12'"), S_INIT(""), true},
        {S_INIT("python_full_version > '3.12.0'"), S_INIT(""), false},
        {S_INIT("python_full_version == '3.12.0+local'"), S_INIT(""), true},
        {S_INIT("platform_release >= '5'"), S_INIT(""), false}, /* no version at the left */
        {S_INIT("platform_release == '6.1.0-13-amd64'"), S_INIT(""), true},
        {S_INIT("os_name < 'zzz'"), S_INIT(""), false},
        {S_INIT("os_name <= 'posix'"), S_INIT(""), true},
        {S_INIT("'nux' in sys_platform"), S_INIT(""), true},
        {S_INIT("sys_platform not in 'win32'"), S_INIT(""), true},
        {S_INIT("os.name == 'posix' and python_implementation == 'CPython'"), S_INIT(""), true},
        {S_INIT("extra == 'Dev_Tools'"), S_INIT("dev-tools"), true},
        {S_INIT("'DEV' == extra"), S_INIT("dev"), true},
        {S_INIT("extra == ''"), S_INIT(""), true},
        {S_INIT("extra == 'dev'"), S_INIT(""), false},
        {S_INIT("os_name == 'posix' or extra == 'a' and extra == 'b'"), S_INIT(""), true},
        {S_INIT("(os_name == 'posix' or extra == 'a') and extra == 'b'"), S_INIT(""), false},
        {S_INIT("os_name == 'a' or os_name == 'b' or os_name == 'posix'"), S_INIT(""), true},
        {S_INIT("os_name ~= 'x'"), S_INIT(""), false}, /* not defined */
        {S_INIT("python_version === '3.12'"), S_INIT(""), true},
        {S_INIT("os_name == 'p\\x6fsix'"), S_INIT(""), true},
        {S_INIT("'a' in extras"), S_INIT("a"), false},
        {S_INIT("'a' not in extras"), S_INIT("a"), true},
        {S_INIT("'a' in dependency_groups"), S_INIT(""), false},
        {S_INIT("implementation_version == '3.12.0'"), S_INIT(""), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct marker *marker = marker_of(*state, cases[i].text);
        if (marker_eval(*state, marker, &env, cases[i].extra) != cases[i].value) fail_msg("%.*s", FMT(cases[i].text));
    }
    assert_true(marker_eval(*state, NULL, &env, S("")));
}

static void test_format(void **state) {
    static const struct {
        struct str text, normal;
    } cases[] = {
        {S_INIT("(((os_name=='x')))"), S_INIT("os_name == \"x\"")},
        {S_INIT("((os.name=='x' or extra=='A_b'))and'y'in sys.platform"),
         S_INIT("(os_name == \"x\" or extra == \"a-b\") and \"y\" in sys_platform")},
        {S_INIT("os_name == 'it\"s'"), S_INIT("os_name == 'it\"s'")},
        {S_INIT("os_name == 'a\\x22\\x27\\\\'"), S_INIT("os_name == \"a\\x22'\\\\\"")},
        {S_INIT("os_name == '\\u00e4\\101\\q\\0'"), S_INIT("os_name == \"\xC3\xA4"
                                                           "A\\\\q\\x00\"")},
        {S_INIT("os_name == '\\U0001F600\\u20ac'"), S_INIT("os_name == \"\xF0\x9F\x98\x80\xE2\x82\xAC\"")},
        {S_INIT("os_name not  in 'x'"), S_INIT("os_name not in \"x\"")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str normal = marker_format(*state, marker_of(*state, cases[i].text));
        if (!str_eq(normal, cases[i].normal)) fail_msg("%.*s: %.*s", FMT(cases[i].text), FMT(normal));
        assert_true(str_eq(marker_format(*state, marker_of(*state, normal)), normal));
    }
    assert_int_equal(marker_format(*state, NULL).len, 0);
}

static void test_has_extra(void **state) {
    assert_true(marker_has_extra(marker_of(*state, S("os_name == 'x' and (os_name == 'y' or 'a' == extra)"))));
    assert_false(marker_has_extra(marker_of(*state, S("os_name == 'extra'"))));
    assert_false(marker_has_extra(NULL));
}

static void test_malformed(void **state) {
    static const struct {
        struct str text;
        int32_t column;
    } cases[] = {
        {S_INIT(""), 1},
        {S_INIT("os_name"), 8},
        {S_INIT("os_name =="), 11},
        {S_INIT("os_name = 'x'"), 9},
        {S_INIT("os_name == x"), 12},
        {S_INIT("os_name == 'x"), 12},
        {S_INIT("os_name == 'x' and"), 19},
        {S_INIT("os_name == 'x' os_name"), 16},
        {S_INIT("(os_name == 'x'"), 16},
        {S_INIT("os_name == 'x')"), 15},
        {S_INIT("os_name not 'x'"), 13},
        {S_INIT("os_name notin 'x'"), 9},
        {S_INIT("os_namex == 'x'"), 1},
        {S_INIT("'a' == 'b'"), 1},
        {S_INIT("extras == 'a'"), 1},
        {S_INIT("os_name in extras"), 1},
        {S_INIT("os_name == 'a\nb'"), 12},
        {S_INIT("os_name == '\\x4'"), 12},
        {S_INIT("os_name == '\\xzz'"), 12},
        {S_INIT("os_name == '\\ud800'"), 12},
        {S_INIT("os_name == '\\U00110000'"), 12},
        {S_INIT("os_name == '\\N{BULLET}'"), 12},
        {S_INIT("os_name == '\\'"), 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct marker *marker = NULL;
        struct err *err = marker_parse(*state, cases[i].text, &marker);
        if (!err || err->kind != ERR_MALFORMED || err->column != cases[i].column)
            fail_msg("%.*s: column %d", FMT(cases[i].text), err ? err->column : -1);
        assert_null(marker);
    }
}

static void repeat(struct buf *buf, struct str text, int count) {
    for (int i = 0; i < count; i++) buf_add(buf, text);
}

static void test_limits(void **state) {
    const struct marker *marker;
    struct buf deep = {.arena = *state}, deeper = {.arena = *state}, many = {.arena = *state};
    repeat(&deep, S("("), MARKER_DEPTH_MAX);
    buf_add(&deep, S("os_name=='posix'"));
    repeat(&deep, S(")"), MARKER_DEPTH_MAX);
    assert_true(marker_eval(*state, marker_of(*state, buf_str(&deep)), &env, S("")));

    repeat(&deeper, S("("), 100000);
    struct err *err = marker_parse(*state, buf_str(&deeper), &marker);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_LIMIT);

    repeat(&many, S("os_name=='x' or "), MARKER_NODES_MAX);
    buf_add(&many, S("os_name=='x'"));
    err = marker_parse(*state, buf_str(&many), &marker);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_eval, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_format, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_has_extra, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_malformed, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_limits, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
