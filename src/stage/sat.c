#include "stage/sat.h"

#include "base/arena.h"
#include "os/signals.h"

#include <ccadical.h>

struct sat {
    CCaDiCaL *engine;
    struct arena *arena;
    int32_t variables, clauses;
    enum sat_result last; /* an engine that was stopped answers no questions */
    VEC(int) waiting;     /* clauses, each ended by 0, that the engine has not got yet */
};

/* Asked by the engine now and then: non-zero stops it. */
static int stops(void *self) {
    (void)self;
    return signals_waiting();
}

/* std::set_new_handler: C++ calls it where it has no memory. Without one it throws what no C can catch, and aborts. */
void (*new_handler_set(void (*handler)(void)))(void) __asm__("_ZSt15set_new_handlerPFvvE");

struct sat *sat_open(struct arena *arena) {
    struct sat *sat = arena_new(arena, struct sat, 1);
    (void)new_handler_set(arena_out_of_memory);
    sat->arena = arena;
    sat->engine = ccadical_init();
    ccadical_set_option(sat->engine, "quiet", 1);
    ccadical_set_terminate(sat->engine, NULL, stops);
    ccadical_set_option(sat->engine, "phase", 0);
    /* Its profiler asks the system for the time at every step. */
    ccadical_set_option(sat->engine, "profile", 0);
    /* The problems are many and easy: each solve takes fewer conflicts than these would need to pay. */
    ccadical_set_option(sat->engine, "lucky", 0);
    ccadical_set_option(sat->engine, "inprocessing", 0);
    return sat;
}

void sat_close(struct sat *sat) {
    if (sat) ccadical_release(sat->engine);
}

int sat_variable(struct sat *sat) {
    return ++sat->variables;
}

void sat_clause(struct sat *sat, const int *literals, int32_t len) {
    for (int32_t i = 0; i < len; i++) *vec_push(sat->arena, &sat->waiting) = literals[i];
    *vec_push(sat->arena, &sat->waiting) = 0;
    sat->clauses++;
}

/* Clauses reach the engine together, so that it makes room for all variables at once: for the highest one first. */
static void flush(struct sat *sat) {
    if (sat->waiting.len == 0) return;
    ccadical_freeze(sat->engine, sat->variables);
    ccadical_melt(sat->engine, sat->variables);
    for (ptrdiff_t i = 0; i < sat->waiting.len; i++) ccadical_add(sat->engine, sat->waiting.data[i]);
    sat->waiting.len = 0;
}

void sat_assume(struct sat *sat, int literal) {
    flush(sat);
    ccadical_assume(sat->engine, literal);
}

enum sat_result sat_solve(struct sat *sat, int32_t conflicts) {
    flush(sat);
    if (conflicts > 0) ccadical_limit(sat->engine, "conflicts", conflicts);
    sat->last = (enum sat_result)ccadical_solve(sat->engine);
    return sat->last;
}

bool sat_value(struct sat *sat, int literal) {
    int variable = literal > 0 ? literal : -literal;
    if (sat->last != SAT_SATISFIABLE) return false;
    return (ccadical_val(sat->engine, variable) > 0) == (literal > 0);
}

bool sat_failed(struct sat *sat, int literal) {
    return sat->last == SAT_UNSATISFIABLE && ccadical_failed(sat->engine, literal) != 0;
}

int sat_fixed(struct sat *sat, int literal) {
    flush(sat);
    return ccadical_fixed(sat->engine, literal);
}

int32_t sat_variables(const struct sat *sat) {
    return sat->variables;
}

int32_t sat_clauses(const struct sat *sat) {
    return sat->clauses;
}
