/*
 * check_test - the checker refuses each kind of wrong result.
 */
#include "world.h"

#include "stage/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* A result of a world and the words that the checker must have about it; empty: it is a plan. */
struct result {
    const char *world, *changes, *says;
};

static void supply_all(struct world *world, struct pool *pool) {
    struct source source = world_source(world);
    for (ptrdiff_t i = 0; i < world->pages.len; i++) {
        struct need page = {pool_project(pool, world->pages.data[i].name), -1};
        assert_null(source.supply(source.self, pool, &(struct needs){&page, 1}));
    }
    for (int32_t p = 0; p < (int32_t)pool->projects.len; p++)
        for (int32_t r = 0; r < pool->projects.data[p].releases_len; r++) {
            struct need need = {{p}, r};
            if (pool->projects.data[p].releases[r].meta_state == META_UNKNOWN)
                assert_null(source.supply(source.self, pool, &(struct needs){&need, 1}));
        }
}

/* "a=2.0 b=-": project a at 2.0, b not in the result; all others as installed. */
static void apply_changes(struct arena *arena, const struct pool *pool, struct str changes, int32_t *chosen) {
    for (ptrdiff_t p = 0; p < pool->projects.len; p++) chosen[p] = pool->projects.data[p].installed;
    while (changes.len > 0) {
        struct str version = str_cut(&changes, ' ');
        struct str name = str_cut(&version, '=');
        struct version parsed;
        int32_t p = map_find(&pool->by_name, name);
        assert_true(p >= 0);
        chosen[p] = -1;
        if (str_eq(version, S("-"))) continue;
        assert_null(version_parse(arena, version, &parsed));
        chosen[p] = project_find(&pool->projects.data[p], &parsed);
        assert_true(chosen[p] >= 0);
    }
}

static void expect_result(const struct result *result) {
    struct arena *arena = arena_open();
    struct world world;
    struct err *err = world_parse(arena, str_of(result->world), S("world"), &world);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    struct pool pool = pool_make(arena, &world.env);
    supply_all(&world, &pool);
    int32_t *chosen = arena_new(arena, int32_t, pool.projects.len);
    apply_changes(arena, &pool, str_of(result->changes), chosen);
    struct solution solution = {.chosen = chosen, .chosen_len = (int32_t)pool.projects.len};
    struct check_verdict verdict;
    err = check_solution(arena, world_input(&world), &pool, &solution, &verdict);
    struct str said = err ? err_format(arena, err) : S("");
    bool right = result->says[0] ? str_find(said, str_of(result->says)) >= 0 : !err;
    if (!right) fail_msg("%s\n%s\nsaid '%.*s', not '%s'", result->world, result->changes, FMT(said), result->says);
    if (err) assert_int_equal(err->kind, ERR_INTERNAL);
    arena_close(arena);
}

static void test_requests(void **state) {
    (void)state;
    static const char world[] = "installed:\n  x 1.0\n  t 2.0a0+nv vendor\n"
                                "index:\n  x 2.0\n  a 1.0, 2.0 : b ; extra == \"e\"\n  b 1.0\n  t 2.0\n";
    static const char asks[] = "installed:\n  x 1.0\n  t 2.0a0+nv vendor\n"
                               "index:\n  a 1.0, 2.0 : b ; extra == \"e\"\n  b 1.0\n  t 2.0\n"
                               "request: a[e]>=2 & t>=2.0\nconstraint: b<1\n";
    static const struct result results[] = {
        {world, "", ""},
        {asks, "", "a was asked for and is not there"},
        {asks, "a=1.0", "a does not meet the request"},
        {asks, "a=2.0", "a 2.0 requires b ; extra == \"e\""},
        {asks, "a=2.0 b=1.0", "b does not meet the request"},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) expect_result(&results[i]);
}

static void test_breaks(void **state) {
    (void)state;
    static const char world[] = "installed:\n  a 1.0 : n<2\n  n 1.0\n  old 1.0 : n<1 & gone\n"
                                "index:\n  n 2.0\n  a 2.0 : n>=2\n  a 3.0 python>=3.13\n  a 4.0 hidden-python>=3.13\n"
                                "  old 2.0 : n<1\n  c 1.0 : a[e]\n  c 2.0 : gone ; python_version < \"3\"\n";
    static const char extra[] =
        "installed:\n  a 1.0 : b[e]\n  b 1.0 : c<2 ; extra == \"e\"\n  c 1.0\nindex:\n  c 2.0\n";
    static const struct result results[] = {
        {world, "n=2.0", "a 1.0 requires n<2"},
        {world, "n=2.0 a=2.0", ""},
        {world, "a=2.0", "a 2.0 requires n>=2"},
        {world, "old=2.0", "old 2.0 requires n<1"},
        {world, "a=3.0", "a does not fit this interpreter"},
        {world, "a=4.0", "a 4.0 requires Python >=3.13"},
        {world, "c=1.0", ""},
        {world, "c=2.0", ""},
        {extra, "c=2.0", "b 1.0 requires c<2 ; extra == \"e\""},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) expect_result(&results[i]);
}

static void test_what_stays(void **state) {
    (void)state;
    static const char world[] = "installed:\n  t 2.0a0+nv vendor\n  a 1.0\n  k 1.0\n  l 1.0\n  o 1.0 off-index\n"
                                "lock: all\nindex:\n  t 2.0\n  a 2.0\n  k 2.0\n  l 2.0\n  o 2.0\n"
                                "options: --keep k --no-lift l --remove a\n";
    static const char replace[] = "installed:\n  t 2.0a0+nv vendor\n  a 1.0 : t>=2.0\n"
                                  "index:\n  t 1.0, 2.0\noptions: --replace t\n";
    static const char implied[] = "installed:\n  a 1.0\nlock: implied\nindex:\n  a 2.0\noptions: --no-lifts\n";
    static const struct result results[] = {
        {world, "a=-", ""},
        {world, "", "a should have been removed"},
        {world, "a=- t=2.0", "t is held and changes"},
        {world, "a=- o=2.0", "o is held and changes"},
        {world, "a=- k=2.0", "k should have been kept"},
        {world, "a=- l=2.0", "l has a lock that must stay"},
        {world, "a=- l=-", "l was removed though nobody asked for that"},
        {replace, "", ""},
        {replace, "t=2.0", ""},
        {replace, "t=1.0", "a 1.0 requires t>=2.0"},
        {implied, "a=2.0", "a has a lock that must stay"},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) expect_result(&results[i]);
}

static void test_candidates(void **state) {
    (void)state;
    static const char world[] =
        "index:\n  a 1.0\n  a 2.0 yanked\n  a 3.0rc1\n  a 4.0 unreadable\n  a 5.0 other-platform\n"
        "  b 1.0 : a==3.0rc1\n  p 1.0a1\n";
    static const char pinned[] = "index:\n  a 1.0\n  a 2.0 yanked\nrequest: a==2.0\n";
    static const char named[] = "index:\n  a 1.0, 2.0rc1\nrequest: a>=1.0rc1\n";
    static const char locked[] = "lock:\n  a==2.0rc1\nindex:\n  a 1.0, 2.0rc1\nrequest: a\n";
    static const struct result results[] = {
        {world, "a=1.0", ""},
        {world, "a=2.0", "a is yanked"},
        {world, "a=3.0rc1", "a is a pre-release nobody asked for"},
        {world, "a=3.0rc1 b=1.0", ""},
        {world, "a=4.0", "a was chosen without its metadata"},
        {world, "a=5.0", "a does not fit this interpreter or the options"},
        {world, "p=1.0a1", ""},
        {pinned, "a=2.0", ""},
        {named, "a=2.0rc1", ""},
        {locked, "a=2.0rc1", ""},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) expect_result(&results[i]);
}

static void test_advisories(void **state) {
    (void)state;
    static const char world[] = "installed:\n  m 1.0\n  n 1.0\nindex:\n  t 1.0\n  m 2.0\n  n 2.0\n  e 1.0\n"
                                "advisory A error: m<2 & t\nadvisory W warn: e\nadvisory I info: e\n"
                                "advisory C security on-change n: m & n>=2\n";
    static const char before[] = "installed:\n  m 1.0\n  t 1.0\nindex:\n  m 1.5, 2.0\nadvisory A error: m<2 & t\n";
    static const char ignored[] = "installed:\n  m 1.0\nindex:\n  t 1.0\nadvisory A error: m<2 & t\n"
                                  "options: --ignore-advisory A\n";
    static const struct result results[] = {
        {world, "t=1.0", "A is an advisory that the plan would trigger"},
        {world, "t=1.0 m=2.0", ""},
        {world, "e=1.0", ""},
        {world, "n=2.0", "C is an advisory that the plan would trigger"},
        {world, "n=2.0 m=2.0", ""},
        {before, "m=1.5", ""},
        {ignored, "t=1.0", ""},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) expect_result(&results[i]);
}

/* What met a requirement by an allowance is told apart from what breaks it. */
static void test_allowances(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct world world;
    struct str text =
        S("installed:\n  t 2.7.0a0+nv vendor\n  a 1.0 : t>=2.7.0 & t==2.7.0\n  r 2.0rc1\n  b 1.0 : r>=2.0\n");
    assert_null(world_parse(arena, text, S("world"), &world));
    const struct check_dist *dists;
    const struct plan_break *breaks;
    const struct plan_allowance *used;
    int32_t len, breaks_len, used_len;
    check_dists_of(arena, &world.env, &dists, &len);
    check_breaks(arena, &world.env.markers, dists, len, true, &breaks, &breaks_len, &used, &used_len);
    assert_int_equal(used_len, 1);
    assert_true(str_eq(used[0].taken_as, S("2.7.0")));
    assert_true(str_eq(used[0].for_text, S("a 1.0: t>=2.7.0")));
    assert_int_equal(breaks_len, 2);
    assert_true(str_eq(breaks[0].requires_text, S("t==2.7.0")));
    assert_true(str_eq(breaks[0].found, S("2.7.0a0+nv")));
    assert_true(str_eq(breaks[1].requires_text, S("r>=2.0")));
    check_breaks(arena, &world.env.markers, dists, len, false, &breaks, &breaks_len, &used, &used_len);
    assert_int_equal(used_len, 0);
    assert_int_equal(breaks_len, 3);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),   cmocka_unit_test(test_breaks),     cmocka_unit_test(test_what_stays),
        cmocka_unit_test(test_candidates), cmocka_unit_test(test_advisories), cmocka_unit_test(test_allowances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
