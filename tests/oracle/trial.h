/*
 * trial - one world, planned and then held against trying everything; and the checker held against the same.
 */
#ifndef UNPIN_TESTS_ORACLE_TRIAL_H
#define UNPIN_TESTS_ORACLE_TRIAL_H

#include "brute.h"

struct trial {
    struct world world;
    struct world built; /* the same world with all builds admitted */
    struct pool pool;
    struct plan plan;
    struct err *err;      /* of propose, NULL: none */
    const char *what;     /* what is wrong, NULL: nothing */
    struct brute *brute;  /* NULL: the world is too large to try everything */
    struct brute *builds; /* of `built`; NULL: no builds are wanted */
    int64_t best[BRUTE_LEVELS], judged[BRUTE_LEVELS];
    bool unproven; /* the plan with guesses leaves a level unproven */
    bool guessed;  /* the plan is not the best in a level that is not proven */
};

/* Plans the case `text`, with guesses and without, and compares. ERR_MALFORMED where the text is no case. */
ERR_MUST_CHECK struct err *trial_run(struct arena *arena, struct str text, struct trial *ret);

/* Draws `count` results of the case, good and bad ones, and asks the checker of each; `seed` decides which. What is
 * wrong, NULL: nothing. */
const char *trial_check(struct arena *arena, struct str text, uint64_t seed, int32_t count);

/* Everything about a trial that went wrong, for people. */
struct str trial_format(struct arena *arena, const struct trial *trial);

#endif
