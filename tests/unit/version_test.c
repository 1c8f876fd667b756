#include "pypa/version.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct version version_of(struct arena *arena, struct str text) {
    struct version version;
    assert_null(version_parse(arena, text, &version));
    return version;
}

static void test_normal_form(void **state) {
    (void)state;
    static const struct {
        struct str text, normal;
    } cases[] = {
        {S_INIT("1.0"), S_INIT("1.0")},
        {S_INIT(" v1.0\n"), S_INIT("1.0")},
        {S_INIT("01.002"), S_INIT("1.2")},
        {S_INIT("1!2.0"), S_INIT("1!2.0")},
        {S_INIT("0!2.0"), S_INIT("2.0")},
        {S_INIT("1.0-ALPHA_1"), S_INIT("1.0a1")},
        {S_INIT("1.0c2"), S_INIT("1.0rc2")},
        {S_INIT("1.0preview"), S_INIT("1.0rc0")},
        {S_INIT("1.0-1"), S_INIT("1.0.post1")},
        {S_INIT("1.0.rev"), S_INIT("1.0.post0")},
        {S_INIT("1.0dev"), S_INIT("1.0.dev0")},
        {S_INIT("1.0a1.post2.dev3+A_b-01"), S_INIT("1.0a1.post2.dev3+a.b.1")},
        {S_INIT("1.0a."), S_INIT("1.0a0")},
        {S_INIT("2004d"), S_INIT("")},
        {S_INIT(""), S_INIT("")},
        {S_INIT("1..0"), S_INIT("")},
        {S_INIT("1.0+"), S_INIT("")},
        {S_INIT("1.0+a..b"), S_INIT("")},
        {S_INIT("1.0 a1"), S_INIT("")},
        {S_INIT("1!"), S_INIT("")},
        {S_INIT("1.0a1b1"), S_INIT("")},
        {S_INIT("9223372036854775807"), S_INIT("9223372036854775807")},
        {S_INIT("9223372036854775808"), S_INIT("")},
        {S_INIT("1.0a9223372036854775808"), S_INIT("")},
        {S_INIT("1+9223372036854775808"), S_INIT("1+9223372036854775808")},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct version version = {.epoch = 77};
        bool valid = version_try_parse(arena, cases[i].text, &version);
        assert_int_equal(valid, cases[i].normal.len > 0);
        if (valid) assert_true(str_eq(version_format(arena, &version), cases[i].normal));
        else assert_int_equal(version.epoch, 77);
    }
    arena_close(arena);
}

/* Each is below the next one. */
static void test_order(void **state) {
    (void)state;
    static const struct str ascending[] = {
        S_INIT("0.dev0"),
        S_INIT("1.dev0"),
        S_INIT("1.0.dev456"),
        S_INIT("1.0a1.dev1"),
        S_INIT("1.0a1"),
        S_INIT("1.0a2"),
        S_INIT("1.0a12"),
        S_INIT("1.0b1.dev456"),
        S_INIT("1.0b2"),
        S_INIT("1.0b2.post345.dev456"),
        S_INIT("1.0b2.post345"),
        S_INIT("1.0rc1"),
        S_INIT("1.0"),
        S_INIT("1.0+abc.5"),
        S_INIT("1.0+abc.7"),
        S_INIT("1.0+abc.7.1"),
        S_INIT("1.0+5"),
        S_INIT("1.0+99999999999999999998"),
        S_INIT("1.0+99999999999999999999"),
        S_INIT("1.0.post456.dev34"),
        S_INIT("1.0.post456"),
        S_INIT("1.1.dev1"),
        S_INIT("1.10"),
        S_INIT("1!0.1"),
    };
    enum { COUNT = sizeof ascending / sizeof *ascending };
    struct arena *arena = arena_open();
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            struct version a = version_of(arena, ascending[i]), b = version_of(arena, ascending[j]);
            int order = version_cmp(&a, &b);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    arena_close(arena);
}

static void test_equal(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct version one = version_of(arena, S("1.0")), zero = version_of(arena, S("1.0.0.0"));
    struct version local = version_of(arena, S("1.0+nv")), same = version_of(arena, S("1+NV"));
    assert_int_equal(version_cmp(&one, &zero), 0);
    assert_int_equal(version_cmp(&local, &same), 0);
    assert_int_not_equal(version_cmp(&one, &local), 0);
    assert_int_equal(version_cmp_public(&one, &local), 0);
    arena_close(arena);
}

static void test_no_version_is_below(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct version lowest = version_of(arena, S("0.dev0"));
    struct version a = {.text = S("2013q"), .post = -1, .dev = -1}, b = {.text = S("zzz"), .post = -1, .dev = -1};
    assert_true(version_cmp(&a, &lowest) < 0 && version_cmp(&lowest, &b) > 0);
    assert_true(version_cmp(&a, &b) < 0 && version_cmp(&b, &a) > 0 && version_cmp(&a, &a) == 0);
    assert_false(version_is_prerelease(&a));
    assert_true(str_eq(version_format(arena, &a), S("2013q")));
    arena_close(arena);
}

static void test_base(void **state) {
    (void)state;
    static const struct {
        struct str text, base;
    } cases[] = {
        {S_INIT("2.7.0a0+79aa17489c.nv25.4"), S_INIT("2.7.0")},
        {S_INIT("1.0.dev1"), S_INIT("1.0")},
        {S_INIT("v1!2-1"), S_INIT("v1!2")},
        {S_INIT("1.0"), S_INIT("1.0")},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct version version = version_of(arena, cases[i].text), base = version_base(&version);
        assert_true(str_eq(base.text, cases[i].base));
        assert_false(version_is_prerelease(&base) || base.local_len || base.post >= 0);
        assert_ptr_equal(base.release, version.release);
    }
    arena_close(arena);
}

static void test_limits(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    static char text[2 * VERSION_MAX_LEN + 2];
    struct version version;
    memset(text, '1', sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2) text[i] = '.';
    assert_true(version_try_parse(arena, (struct str){text, VERSION_MAX_LEN - 1}, &version));
    assert_int_equal(version.release_len, VERSION_MAX_LEN / 2);
    assert_false(version_try_parse(arena, (struct str){text, VERSION_MAX_LEN + 1}, &version));
    memset(text, '0', sizeof text);
    assert_true(version_try_parse(arena, (struct str){text, VERSION_MAX_LEN}, &version));
    assert_false(version_try_parse(arena, (struct str){text, VERSION_MAX_LEN + 1}, &version));
    arena_close(arena);
}

static void test_error(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct version version;
    struct err *err = version_parse(arena, S("1.0 or so"), &version);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_MALFORMED);
    assert_true(str_find(err->what, S("1.0 or so")) >= 0);
    arena_close(arena);
}

static void test_scan_stops(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct version version;
    assert_int_equal(version_scan(arena, S("1.0.*"), true, &version), 3);
    assert_int_equal(version_scan(arena, S("1.0+a,"), true, &version), 5);
    assert_int_equal(version_scan(arena, S("1.0+a,"), false, &version), 3);
    assert_int_equal(version_scan(arena, S("1.0-x"), true, &version), 3);
    assert_int_equal(version_scan(arena, S(" 1.0"), true, &version), -1);
    assert_int_equal(version_scan(arena, S("x"), true, &version), -1);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_form), cmocka_unit_test(test_order),
        cmocka_unit_test(test_equal),       cmocka_unit_test(test_no_version_is_below),
        cmocka_unit_test(test_base),        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_error),       cmocka_unit_test(test_scan_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
