/*
 * solve - which releases: the whole of design rules 1-5 as clauses, the objective levels one after the other, each
 * proven.
 *
 * Pure: (environment, locks, want, advisories, pool) in, a solution out. It never fetches: where it lacks a page or
 * metadata it takes the unknown as free of requirements. The optimum of that relaxed problem is a lower bound; if it
 * uses something unknown the answer is SOLVE_NEEDS, and after these were supplied the caller asks again. An optimum
 * that uses only what is known is the proven optimum; SOLVE_INFEASIBLE is definitive at any time.
 */
#ifndef UNPIN_STAGE_SOLVE_H
#define UNPIN_STAGE_SOLVE_H

#include "stage/advisory.h"
#include "stage/plan.h"

/* Releases that were overtaken this short a time before the image's date are not stale: the floor of a project is the
 * newest final release of the image's date less the grace. An expert takes what was current some weeks earlier rather
 * than lift a lock. */
enum { SOLVE_FLOOR_GRACE_DAYS = 90, SOLVE_DAY_S = 86400 };

/* The date up to which a release makes a floor; INT64_MIN where the image's date is not known. */
int64_t solve_floor_date(int64_t image_date);

/* Why the release of the project is no candidate for `want` (bits of release_bar). A page is read under the limits of
 * the user's own request; where a relaxed one is tried, those that it does not have do not bar. */
uint32_t solve_bars(const struct want *want, const struct project *project, const struct release *release);
/* The same in words, of a release that is no candidate: "it was yanked (eats disks)". */
struct str solve_bars_text(struct arena *arena, const struct want *want, const struct release *release);

/* True if the release keeps pre-releases of its project from being candidates: a final one that could be had, be it as
 * an sdist that --only-binary leaves out. */
bool solve_is_final(const struct want *want, const struct project *project, const struct release *release);

/* True if the metadata know the extra: by its name, or by a requirement that it switches on. */
bool solve_has_extra(struct arena *arena, const struct metadata *metadata, const struct marker_env *markers,
                     struct str extra);

struct solve_input {
    const struct environment *env;
    const struct lock_set *locks;
    const struct want *want;
    const struct advisories *advisories;
    /* What two releases both require those between them are taken to require, after the level of downgrades: far fewer
     * documents for the same answer, unless a project took a requirement back and forth. What is chosen is known all
     * the same, the levels up to downgrades are exact, and those that a guess may have spoiled are told as not proven.
     */
    bool guess;
    /* Limits may be given up: vendor builds, advisories, staleness, the user's own; the answer gives up as few as it
     * must, the gravest kinds first, and `reason` of the solution names them. Never all that one of `given_up`, answers
     * found before, did, nor more vendor builds than the first of them. */
    bool relax;
    const struct solution *given_up;
    int32_t given_up_len;
    bool known_only; /* what is not known is no candidate: a plan among what was fetched, not the proven best */
};

enum solve_status { SOLVE_OPTIMAL, SOLVE_NEEDS, SOLVE_INFEASIBLE };

/* Something that costs, or is worth telling, in a solution. */
struct solution_mark {
    int32_t project;                       /* who, position in the pool; -1: a request or an advisory */
    int32_t target;                        /* on whom; -1: nobody */
    const struct requirement *requirement; /* which; NULL: none */
    int32_t advisory;                      /* position in advisories; -1: none */
};

struct solution_marks {
    const struct solution_mark *items;
    int32_t len;
};

struct solution {
    enum solve_status status;
    const int32_t *chosen; /* per project of the pool: position of the chosen release, -1: not in the result */
    int32_t chosen_len;    /* projects that the pool had */
    const int32_t *lifted; /* projects whose locks are lifted */
    int32_t lifted_len;
    struct solution_marks below;      /* additions below their floor */
    struct solution_marks lax;        /* releases that merely lack a bound on `target` */
    struct solution_marks allowances; /* requirements that only an allowance meets */
    struct solution_marks soft;       /* bounds of extras left, warnings triggered */
    struct needs needs; /* where NEEDS; where INFEASIBLE, pages without which a part of the reason may be superfluous */
    const struct plan_fact *reason; /* where INFEASIBLE: a minimal set; what was given up where limits may be */
    int32_t reason_len;
    struct plan_proof proof;
};

/* One round. ERR_LIMIT where the problem grows past its bounds. */
ERR_MUST_CHECK struct err *solve_run(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                     struct solution *ret);

#endif
