#include "base/arena.h"
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka wants the ones above first. */
#include <cmocka.h>

enum { WORDS = 12, TEXTS = 1 << WORDS, RUN_MAX = 128 };

/* The most slots in a row that are taken: as long as the longest search can get. */
static int32_t longest_run(const struct map *map) {
    int32_t run = 0, longest = 0;
    for (int32_t i = 0; i < map->slot_count; i++) {
        run = map->slots[i] ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    return longest;
}

static void test_order(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct map map = {0};
    assert_int_equal(map_find(&map, S("a")), -1);
    for (int32_t i = 0; i < 1000; i++) map_add(arena, &map, str_format(arena, "text %d", (int)(i * 7919 % 1000)), i);
    map_add(arena, &map, S("text 0"), 5000);
    assert_int_equal(map.len, 1000);
    for (int32_t i = 0; i < 1000; i++) {
        struct str text = str_format(arena, "text %d", (int)(i * 7919 % 1000));
        assert_true(str_eq(map.keys[i], text));
        assert_int_equal(map_find(&map, text), i ? i : 5000);
    }
    assert_int_equal(map_find(&map, S("text 1000")), -1);
    arena_close(arena);
}

/* Texts of pairs of words, of which each pair has two forms that cancel out in a hash that multiplies 64 bits by an odd
 * number, whatever it began with: all of them would fall into one slot. */
static void test_chosen_texts(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct map map = {0};
    for (uint32_t form = 0; form < TEXTS; form++) {
        uint64_t *words = arena_new(arena, uint64_t, 2 * WORDS);
        for (int k = 0; k < WORDS; k++) {
            uint64_t flip = form >> k & 1;
            words[2 * k] = flip << 63;
            words[2 * k + 1] = flip << 63 | flip << 31;
        }
        struct str text = {(const char *)words, 2 * WORDS * (ptrdiff_t)sizeof *words};
        if (form == 1) assert_true(str_hash(text) == str_hash(map.keys[0]));
        map_add(arena, &map, text, (int32_t)form);
    }
    assert_int_equal(map.len, TEXTS);
    assert_true(longest_run(&map) < RUN_MAX);
    arena_close(arena);
}

/* Names that differ little, as those of an index do. */
static void test_like_texts(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct map map = {0};
    for (int32_t i = 0; i < 100000; i++) map_add(arena, &map, str_format(arena, "project-%d", (int)i), i);
    assert_true(longest_run(&map) < RUN_MAX);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_chosen_texts),
        cmocka_unit_test(test_like_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
