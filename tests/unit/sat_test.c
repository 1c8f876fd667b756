/* Both engines behind one interface: they agree, and a problem that is hard goes from one to the other unnoticed. */
#include "stage/sat.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint32_t dice(uint32_t *seed, uint32_t sides) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % sides;
}

/* Random clauses of three literals, some of them with two literals less. */
static void add_random(struct sat *easy, struct sat *hard, int variables, int clauses, uint32_t *seed) {
    for (int c = 0; c < clauses; c++) {
        int literals[3];
        for (int i = 0; i < 3; i++) {
            literals[i] = 1 + (int)dice(seed, (uint32_t)variables);
            if (dice(seed, 2)) literals[i] = -literals[i];
        }
        int32_t len = dice(seed, 100) ? 3 : 1;
        sat_clause(easy, literals, len);
        sat_clause(hard, literals, len);
    }
}

static enum sat_result solve_under(struct sat *sat, const int *assumed, int len) {
    for (int i = 0; i < len; i++) sat_assume(sat, assumed[i]);
    return sat_solve(sat, 0);
}

static void engines_agree(void **state) {
    (void)state;
    enum { VARIABLES = 60, ASSUMED = 5 };
    for (uint32_t problem = 1; problem <= 40; problem++) {
        struct arena *arena = arena_open();
        struct sat *easy = sat_open(arena, false), *hard = sat_open(arena, true);
        uint32_t seed = problem * 2654435761u;
        for (int v = 0; v < VARIABLES; v++) assert_int_equal(sat_variable(easy), sat_variable(hard));
        for (int step = 0; step < 10; step++) {
            int assumed[ASSUMED];
            add_random(easy, hard, VARIABLES, step ? 12 : 150, &seed);
            for (int i = 0; i < ASSUMED; i++) assumed[i] = (int)dice(&seed, 2) ? 3 * i + 1 : -3 * i - 1;
            enum sat_result result = solve_under(easy, assumed, ASSUMED);
            assert_int_equal(result, solve_under(hard, assumed, ASSUMED));
            for (int i = 0; i < ASSUMED && result == SAT_SATISFIABLE; i++) assert_true(sat_value(easy, assumed[i]));
            /* What failed in one engine is a reason in the other. */
            int failed[ASSUMED], len = 0;
            for (int i = 0; i < ASSUMED; i++)
                if (sat_failed(easy, assumed[i])) failed[len++] = assumed[i];
            if (result == SAT_UNSATISFIABLE) assert_int_equal(solve_under(hard, failed, len), SAT_UNSATISFIABLE);
        }
        sat_close(easy);
        sat_close(hard);
        arena_close(arena);
    }
}

/* More pigeons than holes: variables of pigeon p in hole h, and a last one that lets everybody out. */
static struct sat *pigeons(struct arena *arena, int holes) {
    struct sat *sat = sat_open(arena, false);
    int out = (holes + 1) * holes + 1, literals[16];
    while (sat_variable(sat) < out) continue;
    for (int p = 0; p <= holes; p++) {
        for (int h = 0; h < holes; h++) literals[h] = p * holes + h + 1;
        literals[holes] = out;
        sat_clause(sat, literals, holes + 1);
    }
    for (int h = 0; h < holes; h++)
        for (int p = 0; p <= holes; p++)
            for (int q = 0; q < p; q++) sat_clause(sat, (int[]){-(p * holes + h + 1), -(q * holes + h + 1)}, 2);
    return sat;
}

static void hard_problems_change_engines(void **state) {
    (void)state;
    enum { HOLES = 8, OUT = (HOLES + 1) * HOLES + 1 };
    struct arena *arena = arena_open();
    struct sat *sat = pigeons(arena, HOLES);
    /* A bound that is smaller than what either engine needs. */
    sat_assume(sat, -OUT);
    assert_int_equal(sat_solve(sat, 10), SAT_UNKNOWN);
    assert_false(sat_failed(sat, -OUT));
    sat_assume(sat, -OUT);
    assert_int_equal(sat_solve(sat, 0), SAT_UNSATISFIABLE);
    assert_true(sat_failed(sat, -OUT));
    assert_int_equal(sat_solve(sat, 0), SAT_SATISFIABLE);
    assert_true(sat_value(sat, OUT));
    assert_int_equal(sat_fixed(sat, OUT), 1);
    /* What is added after the change counts. */
    sat_clause(sat, &(int){-1}, 1);
    assert_int_equal(sat_fixed(sat, 1), -1);
    sat_assume(sat, 1);
    assert_int_equal(sat_solve(sat, 0), SAT_UNSATISFIABLE);
    sat_close(sat);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines_agree),
        cmocka_unit_test(hard_problems_change_engines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
