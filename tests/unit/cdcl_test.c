/* The engine against every assignment there is, over small made-up problems that grow from question to question. */
#include "stage/cdcl.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { VARIABLES = 8, CLAUSES_MAX = 64, WIDTH = 3, PROBLEMS = 4000, CONFLICTS = 1000000 };

struct problem {
    int clauses[CLAUSES_MAX][WIDTH + 1]; /* each ended by 0 */
    int32_t len, variables;
    uint32_t seed;
};

static uint32_t dice(struct problem *problem, uint32_t sides) {
    problem->seed = problem->seed * 1664525u + 1013904223u;
    return (problem->seed >> 8) % sides;
}

static int some_literal(struct problem *problem) {
    int variable = 1 + (int)dice(problem, (uint32_t)problem->variables);
    return dice(problem, 2) ? variable : -variable;
}

/* Literals may be there twice, or with their opposites, as encodings make them. */
static const int *some_clause(struct problem *problem) {
    int *clause = problem->clauses[problem->len++];
    uint32_t len = 1 + dice(problem, WIDTH) + (dice(problem, 4) == 0 ? 0 : 1);
    memset(clause, 0, sizeof problem->clauses[0]);
    for (uint32_t i = 0; i < len && i < WIDTH; i++) clause[i] = some_literal(problem);
    return clause;
}

static bool holds(uint32_t assignment, int literal) {
    int variable = literal > 0 ? literal : -literal;
    return ((assignment >> (variable - 1) & 1) != 0) == (literal > 0);
}

static bool satisfies(const struct problem *problem, uint32_t assignment, const int *assumed, int32_t len) {
    for (int32_t i = 0; i < len; i++)
        if (assumed[i] && !holds(assignment, assumed[i])) return false;
    for (int32_t c = 0; c < problem->len; c++) {
        bool one = false;
        for (const int *literal = problem->clauses[c]; *literal; literal++) one = one || holds(assignment, *literal);
        if (!one) return false;
    }
    return true;
}

static bool is_satisfiable(const struct problem *problem, const int *assumed, int32_t len) {
    for (uint32_t assignment = 0; assignment < 1u << VARIABLES; assignment++)
        if (satisfies(problem, assignment, assumed, len)) return true;
    return false;
}

static void check_answer(const struct problem *problem, const struct cdcl *cdcl, const int *assumed, int32_t len) {
    uint32_t assignment = 0;
    for (int v = 1; v <= problem->variables; v++) {
        assert_true(cdcl_value(cdcl, v) != cdcl_value(cdcl, -v));
        if (cdcl_value(cdcl, v)) assignment |= 1u << (v - 1);
    }
    assert_true(satisfies(problem, assignment, assumed, len));
    /* One that has no clause is false. */
    assert_false(cdcl_value(cdcl, VARIABLES + 1));
    assert_true(cdcl_value(cdcl, -VARIABLES - 1));
}

/* The assumptions that failed are a reason by themselves. */
static void check_reason(const struct problem *problem, const struct cdcl *cdcl, const int *assumed, int32_t len) {
    int failed[VARIABLES];
    for (int32_t i = 0; i < len; i++) failed[i] = cdcl_failed(cdcl, assumed[i]) ? assumed[i] : 0;
    assert_false(is_satisfiable(problem, failed, len));
}

static void check_fixed(const struct problem *problem, const struct cdcl *cdcl) {
    for (int v = 1; v <= problem->variables; v++) {
        int fixed = cdcl_fixed(cdcl, v);
        assert_int_equal(cdcl_fixed(cdcl, -v), -fixed);
        if (fixed) assert_false(is_satisfiable(problem, &(int){fixed > 0 ? -v : v}, 1));
    }
}

static void ask(struct problem *problem, struct cdcl *cdcl) {
    int assumed[VARIABLES];
    int32_t len = (int32_t)dice(problem, VARIABLES / 2);
    for (int32_t i = 0; i < len; i++) assumed[i] = some_literal(problem);
    enum cdcl_result result = cdcl_solve(cdcl, assumed, len, CONFLICTS);
    bool satisfiable = is_satisfiable(problem, assumed, len);
    assert_int_equal(result, satisfiable ? CDCL_SATISFIABLE : CDCL_UNSATISFIABLE);
    if (satisfiable) check_answer(problem, cdcl, assumed, len);
    else check_reason(problem, cdcl, assumed, len);
    check_fixed(problem, cdcl);
}

static void answers_are_right(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= PROBLEMS; seed++) {
        struct problem problem = {.variables = 2 + (int32_t)(seed % (VARIABLES - 1)), .seed = seed * 2654435761u};
        struct arena *arena = arena_open();
        struct cdcl *cdcl = cdcl_open(arena);
        cdcl_add(cdcl, problem.variables, NULL, 0);
        for (int question = 0; question < 8; question++) {
            for (uint32_t more = dice(&problem, 8); more > 0; more--) {
                const int *clause = some_clause(&problem);
                cdcl_add(cdcl, problem.variables, clause, (int64_t)(WIDTH + 1 - (clause[1] == 0) - (clause[2] == 0)));
            }
            ask(&problem, cdcl);
        }
        arena_close(arena);
    }
}

static void assert_true_ones(const struct cdcl *cdcl, uint32_t variables) {
    for (int v = 1; v <= 5; v++) assert_int_equal(cdcl_value(cdcl, v), (variables >> v & 1) != 0);
}

/* What nothing forces is false, and an answer stays as long as it is one. */
static void answers_keep_still(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct cdcl *cdcl = cdcl_open(arena);
    const int first[] = {1, 2, 0, -1, 3, 0, -3, 4, 0}, second[] = {2, 5, 0};
    cdcl_add(cdcl, 4, first, 9);
    assert_int_equal(cdcl_solve(cdcl, NULL, 0, CONFLICTS), CDCL_SATISFIABLE);
    assert_true_ones(cdcl, 1u << 2);
    cdcl_add(cdcl, 5, second, 3);
    assert_int_equal(cdcl_solve(cdcl, &(int){-5}, 1, CONFLICTS), CDCL_SATISFIABLE);
    assert_true_ones(cdcl, 1u << 2);
    assert_int_equal(cdcl_solve(cdcl, &(int){-2}, 1, CONFLICTS), CDCL_SATISFIABLE);
    assert_true_ones(cdcl, 1u << 1 | 1u << 3 | 1u << 4 | 1u << 5);
    assert_int_equal(cdcl_conflicts(cdcl), 0);
    arena_close(arena);
}

static void no_clause_has_an_answer(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct cdcl *cdcl = cdcl_open(arena);
    assert_int_equal(cdcl_solve(cdcl, NULL, 0, CONFLICTS), CDCL_SATISFIABLE);
    cdcl_add(cdcl, 0, &(int){0}, 1);
    assert_int_equal(cdcl_solve(cdcl, NULL, 0, CONFLICTS), CDCL_UNSATISFIABLE);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_right),
        cmocka_unit_test(answers_keep_still),
        cmocka_unit_test(no_clause_has_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
