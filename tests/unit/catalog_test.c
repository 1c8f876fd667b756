#include "stage/catalog.h"

#include "base/arena.h"
#include "stage/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define DIR S(UNPIN_CATALOG_DIR)

static void read_image(struct arena *arena, const char *name, struct environment *env, struct lock_set *locks) {
    struct err *err = catalog_read(arena, fs_real(), DIR, str_of(name), env, locks);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
}

static void test_list(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct catalog_item *items;
    int32_t len;
    assert_null(catalog_list(arena, fs_real(), DIR, &items, &len));
    assert_int_equal(len, 3);
    assert_true(str_eq(items[1].name, S("ngc-pytorch:25.04")));
    assert_true(str_eq(items[1].date, S("2025-04-05")));
    assert_int_equal(items[1].locks, 310);
    assert_int_equal(items[1].dists, 298);
    arena_close(arena);
}

/* What is known of each image: how many distributions and locks, and its one break. */
static const struct {
    const char *name, *python;
    int dists, locks, breaks;
} images[] = {
    {"ngc-pytorch:23.07", "3.10", 236, 0, 0},
    {"ngc-pytorch:25.04", "3.12", 298, 310, 1},
    {"ngc-tensorflow:25.02", "3.12", 237, 0, 1},
};

static void test_images(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        struct arena *arena = arena_open();
        struct environment env;
        struct lock_set locks;
        read_image(arena, images[i].name, &env, &locks);
        assert_int_equal(env.dists_len, images[i].dists);
        assert_int_equal(locks.lines_len, images[i].locks);
        assert_int_equal(locks.problems_len, 0);
        assert_int_equal(locks.implied, images[i].locks == 0);
        assert_true(str_eq(env.markers.python_version, str_of(images[i].python)));
        const struct check_dist *dists;
        const struct plan_break *breaks;
        const struct plan_allowance *allowances;
        int32_t dists_len, breaks_len, allowances_len;
        check_dists_of(arena, &env, &dists, &dists_len);
        check_breaks(arena, &env.markers, dists, dists_len, true, &breaks, &breaks_len, &allowances, &allowances_len);
        assert_int_equal(breaks_len, images[i].breaks);
        if (breaks_len) assert_true(str_eq(breaks[0].name, S("jupyterlab-tensorboard-pro")));
        arena_close(arena);
    }
}

static void test_vendor_builds(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct environment env;
    struct lock_set locks;
    read_image(arena, "ngc-pytorch:25.04", &env, &locks);
    const struct dist *torch = environment_find(&env, S("torch"));
    assert_int_equal(torch->vendor, VENDOR_LOCAL_VERSION | VENDOR_NOT_ON_INDEX | VENDOR_LISTED);
    assert_false(torch->metadata_known);
    assert_true(environment_find(&env, S("flash-attn"))->vendor &&
                environment_find(&env, S("flash-attn"))->metadata_known);
    assert_int_equal(environment_find(&env, S("numpy"))->vendor, 0);
    assert_int_equal(environment_find(&env, S("cudf"))->vendor, VENDOR_NOT_ON_INDEX);
    /* Locked for the copies in setuptools, and not installed. */
    assert_null(environment_find(&env, S("importlib-metadata")));
    assert_true(map_find(&locks.by_name, S("importlib-metadata")) >= 0);
    arena_close(arena);
}

/* A scan of the image itself: only some of it, numpy at another version. */
static void test_recognize(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    static const char *const pins[][2] = {
        {"flash-attn", "2.7.3"}, {"numpy", "1.26.4"}, {"onnx", "1.18.0"}, {"torch", "2.7.0a0+79aa17489c.nv25.4"}};
    struct dist dists[4] = {0};
    for (int i = 0; i < 4; i++) {
        dists[i].name = dists[i].raw_name = str_of(pins[i][0]);
        assert_true(version_try_parse(arena, str_of(pins[i][1]), &dists[i].version));
    }
    struct environment env = {.ngc = S("25.04"), .image_date = INT64_MIN}, other;
    environment_seal(arena, &env, dists, 4);
    other = env;
    bool found = false;
    assert_null(catalog_recognize(arena, fs_real(), DIR, &env, &found));
    assert_true(found && str_eq(env.image, S("ngc-pytorch:25.04")));
    assert_int_equal(env.image_date, 1743820684);
    assert_int_equal(environment_find(&env, S("flash-attn"))->vendor, VENDOR_LISTED);
    assert_int_equal(environment_find(&env, S("torch"))->vendor, VENDOR_LISTED);
    assert_int_equal(environment_find(&env, S("numpy"))->vendor, 0);
    assert_int_equal(environment_find(&env, S("onnx"))->vendor, 0);
    other.ngc = S("25.05");
    assert_null(catalog_recognize(arena, fs_real(), DIR, &other, &found));
    assert_false(found);
    arena_close(arena);
}

/* Where it was said, or beside the program as it was built or installed. */
static void test_find(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str found;
    assert_null(catalog_find(arena, fs_real(), S("/said"), S("/nowhere"), &found));
    assert_true(str_eq(found, S("/said")));
    assert_null(catalog_find(arena, fs_real(), S(""), path_join(arena, DIR, S("../build")), &found));
    const struct catalog_item *items;
    int32_t len;
    assert_null(catalog_list(arena, fs_real(), found, &items, &len));
    assert_int_equal(len, 3);
    struct err *err = catalog_find(arena, fs_real(), S(""), S("/nowhere/bin"), &found);
    assert_int_equal(err->kind, ERR_CONFIG);
    assert_true(err->hint.len > 0);
    arena_close(arena);
}

static void test_unknown_image(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct environment env;
    struct lock_set locks;
    struct err *err = catalog_read(arena, fs_real(), DIR, S("ngc-pytorch"), &env, &locks);
    assert_int_equal(err->kind, ERR_USAGE);
    assert_true(str_find(err->hint, S("ngc-pytorch:25.04")) >= 0);
    read_image(arena, "nvcr.io/nvidia/pytorch:25.04-py3", &env, &locks);
    assert_true(str_eq(env.image, S("ngc-pytorch:25.04")));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),      cmocka_unit_test(test_images),        cmocka_unit_test(test_vendor_builds),
        cmocka_unit_test(test_recognize), cmocka_unit_test(test_unknown_image), cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
