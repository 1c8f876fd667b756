/*
 * solve - which releases: the whole of design rules 1-5 as clauses, the objective levels one after the other, each proven.
 *
 * Pure: (environment, locks, want, advisories, pool) in, a solution out. It never fetches: where it lacks a page or
 * metadata it takes the unknown as free of requirements. The optimum of that relaxed problem is a lower bound; if it uses
 * something unknown the answer is SOLVE_NEEDS, and after these were supplied the caller asks again. An optimum that uses only
 * what is known is the proven optimum; SOLVE_INFEASIBLE is definitive at any time.
 */
#ifndef UNPIN_STAGE_SOLVE_H
#define UNPIN_STAGE_SOLVE_H

#include "stage/advisory.h"
#include "stage/plan.h"

struct solve_input {
    const struct environment *env;
    const struct lock_set *locks;
    const struct want *want;
    const struct advisories *advisories;
};

enum solve_status { SOLVE_OPTIMAL, SOLVE_NEEDS, SOLVE_INFEASIBLE };

struct solution {
    enum solve_status status;
    const int32_t *chosen; /* per project of the pool: position of the chosen release, -1: not in the result */
    struct needs needs;    /* where NEEDS */
    const struct plan_fact *reason; /* where INFEASIBLE: a minimal set */
    int32_t reason_len;
    struct plan_proof proof;
};

/* One round. ERR_LIMIT where the problem grows past its bounds. */
ERR_MUST_CHECK struct err *solve_run(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                     struct solution *ret);

#endif
