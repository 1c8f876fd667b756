#include "pypa/specifier.h"

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int open_fixture(void **state) {
    *state = arena_open();
    return 0;
}

static int close_fixture(void **state) {
    arena_close(*state);
    return 0;
}

static struct specifier_set set_of(struct arena *arena, struct str text) {
    struct specifier_set set;
    assert_null(specifier_set_parse(arena, text, &set));
    return set;
}

static struct version version_of(struct arena *arena, struct str text) {
    struct version version = {.text = text, .post = -1, .dev = -1};
    (void)version_try_parse(arena, text, &version);
    return version;
}

static void test_match(void **state) {
    static const struct {
        struct str set, version;
        bool match;
    } cases[] = {
        {S_INIT(""), S_INIT("1.0a1"), true},
        {S_INIT("==1.0"), S_INIT("1.0.0"), true},
        {S_INIT("==1.0"), S_INIT("1.0+nv"), true},
        {S_INIT("==1.0+nv"), S_INIT("1.0"), false},
        {S_INIT("==1.0+nv"), S_INIT("1.0+NV"), true},
        {S_INIT("!=1.0"), S_INIT("1.0+nv"), false},
        {S_INIT("==1.*"), S_INIT("1.5a1"), true},
        {S_INIT("==1.0.*"), S_INIT("1"), true},
        {S_INIT("==1.0.*"), S_INIT("1.1.dev0"), false},
        {S_INIT("!=1.*"), S_INIT("2"), true},
        {S_INIT("==1!1.*"), S_INIT("1.5"), false},
        {S_INIT("<2.8"), S_INIT("2.8a1"), false},
        {S_INIT("<2.8"), S_INIT("2.7.9"), true},
        {S_INIT("<2.8rc1"), S_INIT("2.8a1"), true},
        {S_INIT("<=2.8"), S_INIT("2.8+nv"), true},
        {S_INIT(">2.8"), S_INIT("2.8.post1"), false},
        {S_INIT(">2.8"), S_INIT("2.8+nv"), false},
        {S_INIT(">2.8.post1"), S_INIT("2.8.post2"), true},
        {S_INIT(">2.8a1"), S_INIT("2.8a1.post1"), false},
        {S_INIT(">2.8a1"), S_INIT("2.8a2"), true},
        {S_INIT(">=2.8"), S_INIT("2.8rc1"), false},
        {S_INIT("~=2.8.1"), S_INIT("2.8.9"), true},
        {S_INIT("~=2.8.1"), S_INIT("2.9"), false},
        {S_INIT("~=2.8"), S_INIT("3.0a1"), false},
        {S_INIT("===Foo"), S_INIT("fOO"), true},
        {S_INIT("===1.0"), S_INIT("1.0.0"), false},
        {S_INIT(">=0"), S_INIT("2013q"), false},
        {S_INIT("!=1"), S_INIT("2013q"), false},
        {S_INIT(">=1, <2 ,!=1.5"), S_INIT("1.5"), false},
        {S_INIT(">=1, <2 ,!=1.5"), S_INIT("1.6"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct specifier_set set = set_of(*state, cases[i].set);
        struct version version = version_of(*state, cases[i].version);
        if (specifier_set_match(&set, &version) != cases[i].match)
            fail_msg("%.*s and %.*s", FMT(cases[i].set), FMT(cases[i].version));
    }
}

static void test_malformed(void **state) {
    static const struct str wrong[] = {
        S_INIT("1.0"),     S_INIT("=1"),         S_INIT(">=1.*"),    S_INIT("~=1"),       S_INIT(">=1+nv"),
        S_INIT("==1a1.*"), S_INIT("==1+a.*"),    S_INIT(">=1 <2"),   S_INIT("==*"),       S_INIT("~=1.0.*"),
        S_INIT("==1;x"),   S_INIT("===a b"),     S_INIT(">=1,oops"), S_INIT("==1.0.*.*"), S_INIT("!"),
        S_INIT("==1)"),    S_INIT("==1e400000"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct specifier_set set = {.len = 77};
        struct err *err = specifier_set_parse(*state, wrong[i], &set);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_MALFORMED);
        assert_int_equal(set.len, 77);
    }
}

static void test_limit(void **state) {
    struct buf buf = {.arena = *state};
    struct specifier_set set;
    for (int i = 0; i < SPECIFIER_SET_MAX; i++) buf_add(&buf, S(">=1,"));
    assert_null(specifier_set_parse(*state, buf_str(&buf), &set));
    assert_int_equal(set.len, SPECIFIER_SET_MAX);
    buf_add(&buf, S(">=1"));
    struct err *err = specifier_set_parse(*state, buf_str(&buf), &set);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_LIMIT);
}

static void test_allowance(void **state) {
    static const struct {
        struct str set, held;
        bool allowance;
    } cases[] = {
        {S_INIT(">=2.7.0"), S_INIT("2.7.0a0+nv"), true},
        {S_INIT(">=2.0,<3"), S_INIT("2.7.0a0+nv"), false}, /* holds anyway */
        {S_INIT("==2.7.0"), S_INIT("2.7.0a0+nv"), false},
        {S_INIT("===2.7.0"), S_INIT("2.7.0a0+nv"), false},
        {S_INIT(">=2.7.0,==2.7.0a0+nv"), S_INIT("2.7.0a0+nv"), true},
        {S_INIT("==2.7.*"), S_INIT("2.7.0a0+nv"), false}, /* holds anyway */
        {S_INIT("~=2.7.0"), S_INIT("2.7.0a0+nv"), true},
        {S_INIT(">2.7.0"), S_INIT("2.7.0a0+nv"), false},
        {S_INIT(">=2.7.0,!=2.7.0"), S_INIT("2.7.0a0+nv"), false},
        {S_INIT(">=2.7.1"), S_INIT("2.7.0a0+nv"), false},
        {S_INIT(">=2.7.0"), S_INIT("2.7.0.dev3"), true},
        {S_INIT(">=2.8"), S_INIT("2.7.0+nv"), false}, /* no pre-release */
        {S_INIT(">=2.7"), S_INIT("bogus"), false},
        {S_INIT(""), S_INIT("2.7.0a0"), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct specifier_set set = set_of(*state, cases[i].set);
        struct version held = version_of(*state, cases[i].held);
        if (specifier_set_allowance(&set, &held) != cases[i].allowance)
            fail_msg("%.*s and %.*s", FMT(cases[i].set), FMT(cases[i].held));
    }
}

static void test_prereleases_and_pins(void **state) {
    static const struct {
        struct str set;
        bool prerelease, pins; /* pins 1.0a1 */
    } cases[] = {
        {S_INIT(">=1.0a1"), true, false},   {S_INIT("!=1.0a1"), false, false},  {S_INIT("==1.*"), false, false},
        {S_INIT("==1.0a1"), true, true},    {S_INIT("===1.0A1"), true, true},   {S_INIT("<2.dev0"), true, false},
        {S_INIT(">0,==1.0"), false, false}, {S_INIT("===bogus"), false, false}, {S_INIT(""), false, false},
    };
    struct version version = version_of(*state, S("1.0a1"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct specifier_set set = set_of(*state, cases[i].set);
        assert_int_equal(specifier_set_names_prerelease(&set), cases[i].prerelease);
        assert_int_equal(specifier_set_pins(&set, &version), cases[i].pins);
    }
}

static void test_format(void **state) {
    struct specifier_set set = set_of(*state, S(" >= 1.0 ,<2, == 1.0.*,>=1.0.0,~=1.0,~=1.0.0,=== x"));
    assert_true(str_eq(specifier_set_format(*state, &set), S(">=1.0,<2,==1.0.*,>=1.0.0,~=1.0,~=1.0.0,===x")));
    struct specifier_set sorted = specifier_set_sorted(*state, &set);
    assert_true(str_eq(specifier_set_format(*state, &sorted), S("<2,==1.0.*,===x,>=1.0,~=1.0,~=1.0.0")));
    assert_true(str_eq(set.items[0].text, S(">= 1.0")));
}

static void test_scan(void **state) {
    struct specifier specifier;
    assert_int_equal(specifier_scan(*state, S(">=1.0,<2"), &specifier), 5);
    assert_int_equal(specifier_scan(*state, S("==1.0.*;"), &specifier), 7);
    assert_true(specifier.wildcard);
    assert_int_equal(specifier_scan(*state, S("===a,b;c"), &specifier), 6);
    assert_int_equal(specifier_scan(*state, S("1.0"), &specifier), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_match, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_malformed, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_limit, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_allowance, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_prereleases_and_pins, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_format, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_scan, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
