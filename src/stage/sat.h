/*
 * sat - the SAT engine behind an IPASIR-shaped interface (Balyo et al., "SAT Race 2015"): add, assume, solve, value,
 * failed.
 *
 * Literals are non-zero ints, negative for negation, as in DIMACS. Deterministic: the same calls give the same answers.
 * Variables prefer false, so encodings choose polarities that make the installed state all false.
 */
#ifndef UNPIN_STAGE_SAT_H
#define UNPIN_STAGE_SAT_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct sat;

enum sat_result { SAT_UNKNOWN = 0, SAT_SATISFIABLE = 10, SAT_UNSATISFIABLE = 20 };

/* Close it with sat_close: the engine has memory of its own. */
struct sat *sat_open(struct arena *arena);
void sat_close(struct sat *sat);

/* A fresh variable as its positive literal. */
int sat_variable(struct sat *sat);
/* Adds the clause of `len` literals. */
void sat_clause(struct sat *sat, const int *literals, int32_t len);
/* Assumes a literal for the next solve only. */
void sat_assume(struct sat *sat, int literal);
/* Solves under the assumptions. With `conflicts` > 0 gives up after so many: SAT_UNKNOWN; also where a signal is held
 * back and waits (os/signals): then no answer means anything, and the caller of it all ends with ERR_INTERRUPTED. */
enum sat_result sat_solve(struct sat *sat, int32_t conflicts);
/* After SATISFIABLE: whether the literal is true. */
bool sat_value(struct sat *sat, int literal);
/* After UNSATISFIABLE: whether the assumed literal is part of the reason. */
bool sat_failed(struct sat *sat, int literal);
/* 1 where the clauses are known to imply the literal, -1 its opposite, 0 where neither is known: found by the answers
 * so far, not searched for. */
int sat_fixed(struct sat *sat, int literal);

int32_t sat_variables(const struct sat *sat);
int32_t sat_clauses(const struct sat *sat);

#endif
