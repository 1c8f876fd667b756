/*
 * propose - from a request to a plan: solve, fetch what it needs, solve again, verify, explain.
 *
 * The loop around `solve` and a source. The plan it returns has passed the checker (stage/check), which is independent
 * of the solver. An infeasible request is a plan too (PLAN_INFEASIBLE) with its reason and verified suggestions.
 */
#ifndef UNPIN_STAGE_PROPOSE_H
#define UNPIN_STAGE_PROPOSE_H

#include "stage/solve.h"

enum { PROPOSE_ROUNDS_MAX = 200 };

/* ERR_LIMIT where the rounds run out; ERR_INTERNAL where the checker refuses the plan; errs of the source. */
ERR_MUST_CHECK struct err *propose_plan(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                        const struct source *source, struct plan *ret);

/* An environment that is a plain list says nothing of what its distributions require: asks `source` for their pages and
 * metadata, and puts them into `pool` and `env`. What no index has stays unknown. Does nothing for other environments.
 */
ERR_MUST_CHECK struct err *propose_listed(struct arena *arena, struct pool *pool, const struct source *source,
                                          struct environment *env);

#endif
