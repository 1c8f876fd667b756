#include "stage/trail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A source that keeps the last bytes it was given. */
struct shelf {
    struct arena *arena;
    uint64_t key;
    struct str bytes;
    int kept;
};

static bool recall(void *self, struct arena *arena, uint64_t key, int64_t limit, struct str *ret) {
    struct shelf *shelf = self;
    if (key != shelf->key || !shelf->bytes.len || shelf->bytes.len > limit) return false;
    *ret = str_copy(arena, shelf->bytes);
    return true;
}

static void keep(void *self, uint64_t key, struct str bytes) {
    struct shelf *shelf = self;
    shelf->key = key;
    shelf->bytes = str_copy(shelf->arena, bytes);
    shelf->kept++;
}

struct world {
    struct arena *arena;
    struct environment env;
    struct want want;
    struct solve_input input;
    struct shelf shelf;
    struct source source;
};

static int open_world(void **state) {
    struct arena *arena = arena_open();
    struct world *world = arena_new(arena, struct world, 1);
    world->arena = world->shelf.arena = arena;
    world->env.image_date = INT64_MIN;
    world->input = (struct solve_input){.env = &world->env, .want = &world->want};
    world->source = (struct source){.self = &world->shelf, .recall = recall, .keep = keep};
    *state = world;
    return 0;
}

static int close_world(void **state) {
    arena_close(((struct world *)*state)->arena);
    return 0;
}

/* A first command: it needs the pages of two projects, of which solving finds the second. */
static void walk_first(struct world *world) {
    struct pool pool = pool_make(world->arena, &world->env);
    struct trail *trail = trail_open(world->arena, &world->input, &pool, &world->source);
    struct needs needs;
    int32_t first = pool_project(&pool, S("first")).n;
    uint64_t before = trail_state(trail, &world->input);
    assert_false(trail_find(trail, before, &pool, &needs));
    int32_t second = pool_project(&pool, S("second")).n;
    const struct need items[] = {{{first}, -1}, {{second}, -1}};
    trail_add(trail, before, &pool, 1, &(struct needs){items, 2});
    trail_supplied(trail, &pool, &(struct needs){items, 2});
    assert_true(trail_state(trail, &world->input) != before);
    trail_close(trail);
}

static void test_again(void **state) {
    struct world *world = *state;
    struct needs needs;
    walk_first(world);
    assert_int_equal(world->shelf.kept, 1);
    struct pool pool = pool_make(world->arena, &world->env);
    struct trail *trail = trail_open(world->arena, &world->input, &pool, &world->source);
    (void)pool_project(&pool, S("first"));
    assert_true(trail_find(trail, trail_state(trail, &world->input), &pool, &needs));
    assert_int_equal(needs.len, 2);
    assert_true(str_eq(pool.projects.data[needs.items[1].project.n].name, S("second")));
    trail_close(trail); /* nothing new */
    assert_int_equal(world->shelf.kept, 1);
}

/* Other wishes, or what is known already, are another state. */
static void test_other_states(void **state) {
    struct world *world = *state;
    struct needs needs;
    walk_first(world);
    struct pool pool = pool_make(world->arena, &world->env);
    struct trail *trail = trail_open(world->arena, &world->input, &pool, &world->source);
    uint64_t plain = trail_state(trail, &world->input);
    int32_t first = pool_project(&pool, S("first")).n;
    world->want.upgrade = true;
    assert_false(trail_find(trail, trail_state(trail, &world->input), &pool, &needs));
    world->want.upgrade = false;
    world->env.image_date = 1;
    assert_false(trail_find(trail, trail_state(trail, &world->input), &pool, &needs));
    pool.projects.data[first].page = PAGE_KNOWN;
    assert_false(trail_find(trail, plain, &pool, &needs));
}

/* Bytes that end too early give the steps before; numbers that fit nothing give none. */
static void test_damage(void **state) {
    struct world *world = *state;
    struct needs needs;
    walk_first(world);
    struct str whole = world->shelf.bytes;
    for (ptrdiff_t len = 0; len < whole.len; len++) {
        world->shelf.bytes = str_slice(whole, 0, len);
        struct pool pool = pool_make(world->arena, &world->env);
        struct trail *trail = trail_open(world->arena, &world->input, &pool, &world->source);
        assert_false(trail_find(trail, trail_state(trail, &world->input), &pool, &needs));
    }
    for (ptrdiff_t at = 8; at < whole.len; at++) {
        char *changed = str_copy_z(world->arena, whole);
        changed[at] = (char)(changed[at] ^ 0x7f);
        world->shelf.bytes = (struct str){changed, whole.len};
        struct pool pool = pool_make(world->arena, &world->env);
        struct trail *trail = trail_open(world->arena, &world->input, &pool, &world->source);
        (void)pool_project(&pool, S("first"));
        if (!trail_find(trail, trail_state(trail, &world->input), &pool, &needs)) continue;
        for (int32_t i = 0; i < needs.len; i++) {
            assert_in_range(needs.items[i].project.n, 0, pool.projects.len - 1);
            assert_int_equal(needs.items[i].release, -1);
        }
    }
}

static void test_none(void **state) {
    struct world *world = *state;
    struct pool pool = pool_make(world->arena, &world->env);
    struct source bare = {.self = &world->shelf};
    assert_null(trail_open(world->arena, &world->input, &pool, &bare));
    struct request request = {.requirement = {.url = S("file:///x.whl")}};
    world->want = (struct want){.requests = &request, .requests_len = 1};
    assert_null(trail_open(world->arena, &world->input, &pool, &world->source));
    trail_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_again, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_other_states, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_damage, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_none, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
