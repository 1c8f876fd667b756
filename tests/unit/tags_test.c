#include "pypa/tags.h"

#include "base/arena.h"

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

static void assert_items(const struct str *items, int32_t len, const struct str *wanted, int32_t wanted_len) {
    assert_int_equal(len, wanted_len);
    for (int32_t i = 0; i < len; i++)
        if (!str_eq(items[i], wanted[i])) fail_msg("%d: %.*s, not %.*s", i, FMT(items[i]), FMT(wanted[i]));
}

static void test_cpython(void **state) {
    static const struct str abis[] = {S_INIT("cp33"), S_INIT("abi3"), S_INIT("none")},
                            platforms[] = {S_INIT("linux_x86_64")};
    static const struct str wanted[] = {
        S_INIT("cp33-cp33-linux_x86_64"), S_INIT("cp33-abi3-linux_x86_64"), S_INIT("cp33-none-linux_x86_64"),
        S_INIT("cp32-abi3-linux_x86_64"), S_INIT("py33-none-linux_x86_64"), S_INIT("py3-none-linux_x86_64"),
        S_INIT("py32-none-linux_x86_64"), S_INIT("py31-none-linux_x86_64"), S_INIT("py30-none-linux_x86_64"),
        S_INIT("cp33-none-any"),          S_INIT("py33-none-any"),          S_INIT("py3-none-any"),
        S_INIT("py32-none-any"),          S_INIT("py31-none-any"),          S_INIT("py30-none-any"),
    };
    struct tags_input input = {3, 3, S("cp"), abis, 3, platforms, 1};
    struct tags tags = tags_make(*state, &input);
    assert_items(tags.items, tags.len, wanted, sizeof wanted / sizeof *wanted);
    for (int32_t i = 0; i < tags.len; i++) assert_int_equal(map_find(&tags.rank, tags.items[i]), i);
    assert_int_equal(map_find(&tags.rank, S("cp34-none-any")), -1);
}

static void test_free_threaded(void **state) {
    static const struct str abis[] = {S_INIT("cp313t")}, platforms[] = {S_INIT("linux_x86_64")};
    struct tags_input input = {3, 13, S("cp"), abis, 1, platforms, 1};
    struct tags tags = tags_make(*state, &input);
    assert_int_equal(map_find(&tags.rank, S("cp313-cp313t-linux_x86_64")), 0);
    assert_int_equal(map_find(&tags.rank, S("cp313-abi3-linux_x86_64")), -1);
    assert_int_equal(map_find(&tags.rank, S("cp313-abi3t-linux_x86_64")), 1);
    assert_true(map_find(&tags.rank, S("cp313-none-any")) > 0);
}

static void test_pypy(void **state) {
    static const struct str abis[] = {S_INIT("pypy310_pp73")}, platforms[] = {S_INIT("linux_x86_64")};
    struct tags_input input = {3, 10, S("pp"), abis, 1, platforms, 1};
    struct tags tags = tags_make(*state, &input);
    assert_int_equal(map_find(&tags.rank, S("pp310-pypy310_pp73-linux_x86_64")), 0);
    assert_int_equal(map_find(&tags.rank, S("pp310-none-linux_x86_64")), 1);
    assert_true(map_find(&tags.rank, S("pp3-none-any")) > 0);
    assert_int_equal(map_find(&tags.rank, S("pp310-none-any")), -1);
}

static void test_hostile_versions_are_bounded(void **state) {
    static const struct str platforms[] = {S_INIT("linux_x86_64")};
    struct tags_input input = {3, INT32_MAX, S("cp"), NULL, 0, platforms, 1};
    struct tags tags = tags_make(*state, &input);
    assert_true(tags.len > TAGS_VERSION_MAX && tags.len <= TAGS_MAX);
    input.minor = -5;
    assert_true(tags_make(*state, &input).len > 0);
}

static void test_list_keeps_the_first(void **state) {
    static const struct str items[] = {S_INIT("a-b-c"), S_INIT("d-e-f"), S_INIT("a-b-c")};
    struct tags tags = tags_of_list(*state, items, 3);
    assert_int_equal(map_find(&tags.rank, S("a-b-c")), 0);
    assert_int_equal(tags.len, 3);
}

static void test_platforms(void **state) {
    static const struct str wanted[] = {S_INIT("linux_aarch64"), S_INIT("manylinux_2_18_aarch64"),
                                        S_INIT("manylinux_2_17_aarch64"), S_INIT("manylinux2014_aarch64")};
    static const struct str old[] = {S_INIT("manylinux_2_5_x86_64"), S_INIT("manylinux1_x86_64")};
    const struct str *items;
    int32_t len;
    assert_null(tags_platforms_make(*state, S("linux-aarch64"), 18, &items, &len));
    assert_items(items, len, wanted, 4);
    assert_null(tags_platforms_make(*state, S("linux_aarch64"), -1, &items, &len));
    assert_items(items, len, wanted, 1);
    assert_null(tags_platforms_make(*state, S("manylinux1_x86_64"), 39, &items, &len));
    assert_items(items, len, old, 2);
    assert_null(tags_platforms_make(*state, S("manylinux_2_999999999999_x86_64"), 39, &items, &len));
    assert_int_equal(len, TAGS_VERSION_MAX - 5 + 1 + 3);
    assert_null(tags_platforms_make(*state, S("musllinux_1_1_x86_64"), 39, &items, &len));
    assert_int_equal(len, 2);
}

static void test_unknown_platform(void **state) {
    static const struct str wrong[] = {S_INIT(""),
                                       S_INIT("linux_"),
                                       S_INIT("win_amd64"),
                                       S_INIT("manylinux_2_17_mips"),
                                       S_INIT("manylinux_2_x_x86_64"),
                                       S_INIT("manylinux_2_3_x86_64")};
    const struct str *items = NULL;
    int32_t len = 77;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err *err = tags_platforms_make(*state, wrong[i], 39, &items, &len);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_USAGE);
        assert_true(err->hint.len > 0);
        assert_int_equal(len, 77);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cpython, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_free_threaded, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_pypy, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_hostile_versions_are_bounded, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_list_keeps_the_first, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_platforms, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_unknown_platform, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
