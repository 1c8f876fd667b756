/*
 * check - the requirements themselves, asked directly: which are not met in an environment, before and after a plan.
 *
 * Independent of the solver (no clauses, no order encoding): the second opinion on every plan, and what `unpin check`
 * prints. Pure.
 */
#ifndef UNPIN_STAGE_CHECK_H
#define UNPIN_STAGE_CHECK_H

#include "stage/solve.h"

/* A distribution of a result: what `check` looks at. */
struct check_dist {
    struct str name; /* normalized */
    struct version version;
    bool version_valid;
    const struct metadata *metadata; /* NULL: not known */
    bool held;                       /* a vendor build: allowances may apply */
    const struct str *extras;        /* extras asked for from outside (requests); more are found by walking */
    int32_t extras_len;
};

/* Every active requirement of `dists` (extras that somebody asks for included, transitively) that `dists` do not meet,
 * and every Requires-Python that excludes the interpreter. In the order of dists, then of their requirements. With
 * `allowances`, a held pre-release taken as its release meets a requirement; those uses are listed apart. */
void check_breaks(struct arena *arena, const struct marker_env *markers, const struct check_dist *dists, int32_t len,
                  bool allowances, const struct plan_break **ret, int32_t *ret_len,
                  const struct plan_allowance **ret_allowances, int32_t *ret_allowances_len);

/* True if an active requirement of `dists` names exactly this version of another project (PEP 440: that makes a
 * pre-release a candidate). */
bool check_names(struct arena *arena, const struct marker_env *markers, const struct check_dist *dists, int32_t len,
                 struct str name, const struct version *version);

/* The installed, effective distributions of `env` as check_dists. */
void check_dists_of(struct arena *arena, const struct environment *env, const struct check_dist **ret,
                    int32_t *ret_len);

/* The advisories that are triggered in `dists`. Those with `on_change` need `changed` (normalized names of installed
 * projects that change to another version; NULL: none): one of theirs must change while the others they are about stay.
 */
void check_advisories(struct arena *arena, const struct advisories *advisories, const struct check_dist *dists,
                      int32_t len, const struct map *changed, const struct advisory *const **ret, int32_t *ret_len);

/* What is not met in the environment before a plan and after it. */
struct check_verdict {
    const struct plan_break *before, *after;
    int32_t before_len, after_len;
};

/*
 * Verifies a solution against rules 1-5 of the design without any knowledge of how it was found: every request met, no
 * new break, held distributions in place, no new advisory of severity error or security, candidates admissible, nothing
 * removed that was not asked for, keep and no-lift respected. ERR_INTERNAL with the first violation.
 */
ERR_MUST_CHECK struct err *check_solution(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                                          const struct solution *solution, struct check_verdict *ret);

#endif
