#include "os/workers.h"

#include "base/arena.h"

#include <semaphore.h>
#include <stdatomic.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { ITEMS = 200, FAILS_FROM = 17 };

/* What the threads did. */
struct work {
    struct crew *crew;
    int32_t times[ITEMS];
    _Atomic int32_t begun;
    sem_t reached; /* posted by each item */
};

static struct err *count(void *self, struct arena *arena, int32_t i) {
    struct work *work = self;
    (void)arena_alloc(arena, 1000);
    work->times[i]++;
    assert_int_equal(sem_post(&work->reached), 0);
    return i % 2 ? err_make(arena, ERR_IO, "an item that fails ends nothing") : NULL;
}

static void test_crew(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct work work = {0};
    const struct workers_step step = {.self = &work, .run = count};
    assert_int_equal(sem_init(&work.reached, 0, 0), 0);
    work.crew = crew_open(arena, &step, ITEMS);
    for (int32_t i = 0; i < ITEMS; i++) crew_add(work.crew, ITEMS - 1 - i);
    for (int32_t i = 0; i < ITEMS; i++) assert_int_equal(sem_wait(&work.reached), 0);
    assert_false(crew_ends(work.crew));
    crew_close(work.crew);
    for (int32_t i = 0; i < ITEMS; i++) assert_int_equal(work.times[i], 1);
    assert_int_equal(sem_destroy(&work.reached), 0);
    arena_close(arena);
}

/* An item that goes on until it is told to end. */
static struct err *go_on(void *self, struct arena *arena, int32_t i) {
    struct work *work = self;
    (void)arena;
    atomic_fetch_add(&work->begun, 1);
    assert_int_equal(sem_post(&work->reached), 0);
    while (!crew_ends(work->crew)) (void)0;
    work->times[i]++;
    return NULL;
}

static void test_crew_ends(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct work work = {0};
    const struct workers_step step = {.self = &work, .run = go_on};
    assert_int_equal(sem_init(&work.reached, 0, 0), 0);
    work.crew = crew_open(arena, &step, ITEMS);
    for (int32_t i = 0; i < ITEMS; i++) crew_add(work.crew, i);
    assert_int_equal(sem_wait(&work.reached), 0);
    crew_close(work.crew);
    int32_t done = 0;
    for (int32_t i = 0; i < ITEMS; i++) done += work.times[i];
    assert_int_equal(done, atomic_load(&work.begun));
    assert_in_range(done, 1, WORKERS_MAX);
    assert_int_equal(work.times[0], 1);
    assert_int_equal(sem_destroy(&work.reached), 0);
    arena_close(arena);
}

static void test_crew_without_work(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct workers_step step = {.self = NULL, .run = go_on};
    crew_close(crew_open(arena, &step, 0));
    crew_close(crew_open(arena, &step, 1));
    arena_close(arena);
}

static struct err *fail_late(void *self, struct arena *arena, int32_t i) {
    (void)self;
    return i >= FAILS_FROM ? err_make(arena, ERR_IO, "item %d", i) : NULL;
}

static void test_lowest_err(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct workers_step step = {.self = NULL, .run = fail_late};
    struct err *err = workers_run(arena, &step, ITEMS);
    assert_non_null(err);
    assert_true(str_eq(err->what, S("item 17")));
    assert_null(workers_run(arena, &step, FAILS_FROM));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crew),
        cmocka_unit_test(test_crew_ends),
        cmocka_unit_test(test_crew_without_work),
        cmocka_unit_test(test_lowest_err),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
