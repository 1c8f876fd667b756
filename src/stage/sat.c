#include "stage/sat.h"

#include "base/arena.h"

#include <ccadical.h>

struct sat {
    CCaDiCaL *engine;
    int32_t variables, clauses;
};

struct sat *sat_open(struct arena *arena) {
    struct sat *sat = arena_new(arena, struct sat, 1);
    sat->engine = ccadical_init();
    ccadical_set_option(sat->engine, "quiet", 1);
    ccadical_set_option(sat->engine, "phase", 0);
    return sat;
}

void sat_close(struct sat *sat) {
    if (sat) ccadical_release(sat->engine);
}

int sat_variable(struct sat *sat) {
    return ++sat->variables;
}

void sat_clause(struct sat *sat, const int *literals, int32_t len) {
    for (int32_t i = 0; i < len; i++) ccadical_add(sat->engine, literals[i]);
    ccadical_add(sat->engine, 0);
    sat->clauses++;
}

void sat_assume(struct sat *sat, int literal) {
    ccadical_assume(sat->engine, literal);
}

enum sat_result sat_solve(struct sat *sat, int32_t conflicts) {
    if (conflicts > 0) ccadical_limit(sat->engine, "conflicts", conflicts);
    return (enum sat_result)ccadical_solve(sat->engine);
}

bool sat_value(struct sat *sat, int literal) {
    int variable = literal > 0 ? literal : -literal;
    return (ccadical_val(sat->engine, variable) > 0) == (literal > 0);
}

bool sat_failed(struct sat *sat, int literal) {
    return ccadical_failed(sat->engine, literal) != 0;
}

int32_t sat_variables(const struct sat *sat) {
    return sat->variables;
}

int32_t sat_clauses(const struct sat *sat) {
    return sat->clauses;
}
