#include "stage/sat.h"

#include "base/arena.h"
#include "os/signals.h"
#include "stage/cdcl.h"

#include <ccadical.h>

enum {
    EASY_CLAUSES = 1000000, /* more go to CaDiCaL at once */
    EASY_CONFLICTS = 4000,  /* of all questions together; who takes more is hard */
    SIGNAL_CONFLICTS = 256, /* between two looks at signals */
};

struct sat {
    struct arena *arena;
    struct cdcl *easy;
    CCaDiCaL *hard; /* NULL until the problem has turned out to be hard; then it alone is asked */
    int32_t variables, clauses;
    VEC(int) literals; /* of all clauses, each ended by 0 */
    ptrdiff_t given;   /* how many of them the engine has */
    int32_t known;     /* how many of the variables */
    VEC(int) assumptions;
    enum sat_result last; /* an engine that was stopped answers no questions */
};

/* Asked by CaDiCaL now and then: non-zero stops it. */
static int stops(void *self) {
    (void)self;
    return signals_waiting();
}

/* std::set_new_handler: C++ calls it where it has no memory. Without one it throws what no C can catch, and aborts. */
void (*new_handler_set(void (*handler)(void)))(void) __asm__("_ZSt15set_new_handlerPFvvE");

static CCaDiCaL *cadical_open(void) {
    (void)new_handler_set(arena_out_of_memory);
    CCaDiCaL *engine = ccadical_init();
    ccadical_set_option(engine, "quiet", 1);
    ccadical_set_terminate(engine, NULL, stops);
    ccadical_set_option(engine, "phase", 0);
    /* Its profiler asks the system for the time at every step. */
    ccadical_set_option(engine, "profile", 0);
    ccadical_set_option(engine, "lucky", 0);
    ccadical_set_option(engine, "inprocessing", 0);
    return engine;
}

struct sat *sat_open(struct arena *arena, bool hard) {
    struct sat *sat = arena_new(arena, struct sat, 1);
    sat->arena = arena;
    if (hard) sat->hard = cadical_open();
    else sat->easy = cdcl_open(arena);
    return sat;
}

void sat_close(struct sat *sat) {
    if (sat && sat->hard) ccadical_release(sat->hard);
}

int sat_variable(struct sat *sat) {
    return ++sat->variables;
}

void sat_clause(struct sat *sat, const int *literals, int32_t len) {
    for (int32_t i = 0; i < len; i++) *vec_push(sat->arena, &sat->literals) = literals[i];
    *vec_push(sat->arena, &sat->literals) = 0;
    sat->clauses++;
}

/* Clauses reach the engine together, so that it makes room for all of them at once. */
static void flush(struct sat *sat) {
    if (sat->given == sat->literals.len && sat->known == sat->variables) return;
    if (sat->hard) {
        /* For the highest variable first. */
        ccadical_freeze(sat->hard, sat->variables);
        ccadical_melt(sat->hard, sat->variables);
        for (ptrdiff_t i = sat->given; i < sat->literals.len; i++) ccadical_add(sat->hard, sat->literals.data[i]);
    } else {
        const int *waiting = sat->literals.len ? sat->literals.data + sat->given : NULL;
        cdcl_add(sat->easy, sat->variables, waiting, sat->literals.len - sat->given);
    }
    sat->given = sat->literals.len;
    sat->known = sat->variables;
}

/* From now on CaDiCaL answers; it gets all clauses. */
static void turn_hard(struct sat *sat) {
    sat->hard = cadical_open();
    sat->given = 0;
    flush(sat);
}

void sat_assume(struct sat *sat, int literal) {
    *vec_push(sat->arena, &sat->assumptions) = literal;
}

static enum sat_result solve_hard(struct sat *sat, int32_t conflicts) {
    for (ptrdiff_t i = 0; i < sat->assumptions.len; i++) ccadical_assume(sat->hard, sat->assumptions.data[i]);
    if (conflicts > 0) ccadical_limit(sat->hard, "conflicts", conflicts);
    return (enum sat_result)ccadical_solve(sat->hard);
}

static enum sat_result solve_easy(struct sat *sat, int32_t conflicts) {
    static const enum sat_result results[] = {
        [CDCL_OPEN] = SAT_UNKNOWN,
        [CDCL_SATISFIABLE] = SAT_SATISFIABLE,
        [CDCL_UNSATISFIABLE] = SAT_UNSATISFIABLE,
    };
    int32_t start = cdcl_conflicts(sat->easy), limit = conflicts > 0 ? start + conflicts : INT32_MAX;
    enum cdcl_result result = CDCL_OPEN;
    while (result == CDCL_OPEN && !signals_waiting()) {
        int32_t left = limit - cdcl_conflicts(sat->easy);
        if (left <= 0) break;
        if (cdcl_conflicts(sat->easy) >= EASY_CONFLICTS) {
            turn_hard(sat);
            return solve_hard(sat, conflicts > 0 ? left : 0);
        }
        result = cdcl_solve(sat->easy, sat->assumptions.data, (int32_t)sat->assumptions.len,
                            left < SIGNAL_CONFLICTS ? left : SIGNAL_CONFLICTS);
    }
    return results[result];
}

enum sat_result sat_solve(struct sat *sat, int32_t conflicts) {
    if (!sat->hard && sat->clauses > EASY_CLAUSES) turn_hard(sat);
    flush(sat);
    sat->last = sat->hard ? solve_hard(sat, conflicts) : solve_easy(sat, conflicts);
    sat->assumptions.len = 0;
    return sat->last;
}

bool sat_value(struct sat *sat, int literal) {
    int variable = literal > 0 ? literal : -literal;
    if (sat->last != SAT_SATISFIABLE) return false;
    if (!sat->hard) return cdcl_value(sat->easy, literal);
    return (ccadical_val(sat->hard, variable) > 0) == (literal > 0);
}

bool sat_failed(struct sat *sat, int literal) {
    if (sat->last != SAT_UNSATISFIABLE) return false;
    return sat->hard ? ccadical_failed(sat->hard, literal) != 0 : cdcl_failed(sat->easy, literal);
}

int sat_fixed(struct sat *sat, int literal) {
    flush(sat);
    return sat->hard ? ccadical_fixed(sat->hard, literal) : cdcl_fixed(sat->easy, literal);
}

int32_t sat_variables(const struct sat *sat) {
    return sat->variables;
}

int32_t sat_clauses(const struct sat *sat) {
    return sat->clauses;
}
