/*
 * propose_parts - what the files of `propose` share: prefetching, telling a solution as a plan, finding ways out.
 */
#ifndef UNPIN_STAGE_PROPOSE_PARTS_H
#define UNPIN_STAGE_PROPOSE_PARTS_H

#include "stage/check.h"
#include "stage/propose.h"

/* The words of a command. */
struct plan_argv {
    struct str *data;
    ptrdiff_t len, cap;
};

/* Sentences without a full stop. */
struct sentences {
    struct str *data;
    ptrdiff_t len, cap;
};

/* Fetches what the requests most likely touch; with `date` and what is not installed the pages that tell the image's
 * date, which count then. */
ERR_MUST_CHECK struct err *propose_prefetch(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                            const struct source *source, bool date);

/* The pages that tell the date of an environment of unknown origin: of the few whose versions are the latest dates. */
struct needs propose_date_needs(struct arena *arena, const struct environment *env, struct pool *pool);
/* That date: the newest upload among installed releases, from these pages, which are fetched where they are not known,
 * and all others that are. INT64_MIN where the index gives no dates. */
ERR_MUST_CHECK struct err *propose_image_date(struct arena *arena, const struct environment *env, struct pool *pool,
                                              const struct source *source, int64_t *ret);

/* The plan that a solution is: changes, lifts, reasons, warnings, and the breaks of `verdict`. */
void plan_make(struct arena *arena, const struct solve_input *input, const struct pool *pool,
               const struct solution *solution, const struct check_verdict *verdict, struct plan *ret);
/* Why each change is there (propose_because.c): fills `because` of the changes. */
void plan_explain_changes(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                          const struct solution *solution, struct plan_change *changes, int32_t len);

/* Adds to `plan` what `stale`, a solution with fewer lifts, would do, and the command for it. */
void plan_tell_freshness(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                         const struct solution *stale, struct plan *plan);
/* Says which releases were left out because their metadata cannot be had: newer ones of what `solution` changes; with
 * NULL, where there is no plan, all. */
void plan_tell_unreadable(struct arena *arena, const struct pool *pool, const struct solution *solution,
                          struct plan *plan);
/* Says of each lock that is lifted although the plan would go with what it allows why none of that can be had. */
void plan_tell_lost_locks(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                          const struct solution *solution, struct plan *plan);
/* Says why `name`, which was asked for, is not a current release: the reason of `other`, the same request with a lower
 * bound; its ways out become suggestions of `plan`. */
void plan_tell_stale(struct arena *arena, struct str name, const struct plan *other, struct plan *plan);
/* Says that releases older than the image were left out, where that may be why locks are lifted. */
void plan_tell_floor(struct arena *arena, const struct pool *pool, struct plan *plan);
/* Adds to `ret` where a request leaves a newer release than the one that is planned (propose_age.c): one of the image's
 * time that a bound allows, or with -U any. */
void plan_tell_open(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                    const struct solution *solution, struct sentences *ret);
/* The command "unpin plan …" that asks for `want`, but for the environment (propose_command.c): with -r and -c where
 * what the files of `given`, the user's own request, ask for is in it unchanged, else with their requests as words. */
struct plan_argv plan_argv_of(struct arena *arena, const struct want *given, const struct want *want);
/* True if `want` has all that the files of `given` say. */
bool plan_keeps_files(const struct want *given, const struct want *want);

/* ERR_HASH where what is installed has none of the hashes that requests demand (--hash), or where hashes are demanded
 * of everything and it has none. A hash that no index tells is put into the plan where it is the only one that is
 * allowed: the download is compared with it. */
ERR_MUST_CHECK struct err *propose_hashes(struct arena *arena, struct plan *plan);

/* Follows what chosen releases require, after `needs` were supplied. */
ERR_MUST_CHECK struct err *propose_follow(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                          const struct source *source, const struct needs *needs);

/* Solves, fetches, solves … until the answer is definitive. */
ERR_MUST_CHECK struct err *propose_search(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                          const struct source *source, struct solution *ret, int64_t *index_us,
                                          int64_t *solve_us, int32_t *rounds);

/* Relaxations that make an impossible request possible, each planned to be sure, the cheapest first; other versions of
 * what was asked for only with `versions`. */
ERR_MUST_CHECK struct err *propose_ways_out(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                            const struct source *source, bool versions, struct plan *plan);

#endif
