/*
 * points - every point of one act (a transaction, or its undo) at which something can go wrong, tried and judged.
 *
 * After each fault the tree must be exactly as before or as after, whichever the outcome says, and nothing may be left
 * behind. Between the fault and the recovery a distribution whose files are mixed must look not installed.
 */
#ifndef UNPIN_TESTS_FAULT_POINTS_H
#define UNPIN_TESTS_FAULT_POINTS_H

#include "rig.h"

enum tally {
    TALLY_KILL,
    TALLY_KILL_UNDO,
    TALLY_TWICE, /* killed, and the recovery killed */
    TALLY_BACK,  /* an error after the commit, and then killed */
    TALLY_ERROR,
    TALLY_ERROR_UNDO,
    TALLY_CROWDED,
    TALLY_LIE,
    TALLY_MEDDLE,
    TALLY_STRANGER,
    TALLY_RESULT, /* without fault */
    TALLY_ORDER,
    TALLY_DROP, /* syncs left out */
    TALLIES
};
extern const char *const tally_names[TALLIES];

struct run {
    const struct world *world;
    const char *other;                       /* the directory of scripts, where it is another mount */
    int64_t kills, doubles, errors, meddles; /* one point of so many is tried; 0: none */
    uint64_t random;
    int64_t points[TALLIES], bad[TALLIES];
    int shown;
};

/* The two states that are allowed. */
struct truth {
    struct arena *arena;
    struct world_texts before, after;
    bool exact_after; /* undo: `after` with all times of files, `before` without */
    struct rig_calls *calls;
};

/* Runs `act` and its undo without fault, judges what they come to, and fills the truths. Exits where they fail. */
void points_measure(struct run *run, const struct act *act, struct truth *truth);
void points_kill(struct run *run, const struct act *act, const struct truth *truth);
/* An error after the commit, and a kill while it goes back, or as it goes on in spite of it. */
void points_back(struct run *run, const struct act *act, const struct truth *truth);
void points_error(struct run *run, const struct act *act, const struct truth *truth);
void points_crowded(struct run *run, const struct act *act, const struct truth *truth);
/* Renames of live files that do not happen, and say that they did. */
void points_lie(struct run *run, const struct act *act, const struct truth *truth);
/* Another program replaces a file while a transaction is prepared: nothing of that may be lost. */
void points_meddle(struct run *run, const struct act *act, const struct truth *truth);
/* Another program replaces a file after a crash: recovery touches nothing, and asks. */
void points_stranger(struct run *run, const struct act *act, const struct truth *truth);
/* The order of syncs, and that the judge notices each one that is left out. */
void points_order(struct run *run, const struct act *act);

#endif
