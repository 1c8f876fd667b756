/*
 * dump - a planning problem as a case file (grammar: tests/cases/README.md): environment, locks, what of the index was
 * fetched, request and options, and the plan that came out as the expectation. What a user meets becomes a regression
 * test: `--save-case FILE`. Pure.
 *
 * Only what the pool knows is written: pages not asked for are left out, releases whose metadata were not asked for are
 * marked `unrecorded`. Texts are written on one line; control characters in them become blanks.
 */
#ifndef UNPIN_STAGE_DUMP_H
#define UNPIN_STAGE_DUMP_H

#include "stage/solve.h"

/* The case; `title` is its first comment line. `plan` may be NULL: then nothing is expected. */
struct str dump_case(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                     const struct plan *plan, struct str title);

/* The lines that follow `expect:` for a plan, `expect:` included. What run_cases compares with, and its --update. */
struct str dump_expect(struct arena *arena, const struct plan *plan);

/* "requirement", "held", …: the word of a fact in a case. */
struct str dump_fact_name(enum plan_fact_kind kind);

#endif
