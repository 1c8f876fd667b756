/*
 * world - a made-up site directory, the transactions to try on it, and a text that says what is in it: for the fault
 * tests.
 */
#ifndef UNPIN_TESTS_FAULT_WORLD_H
#define UNPIN_TESTS_FAULT_WORLD_H

#include "base/arena.h"
#include "base/buf.h"
#include "os/transaction.h"

struct world {
    const char *dir;  /* everything is beneath it */
    const char *site; /* dir/site */
    const char *bin;  /* dir/bin, or a directory on another mount */
    const char *lock; /* the lock file, maybe a bind mount */
    bool overlay;     /* dir is a mount point of an overlay whose lower directory has the old tree */
    bool no_sides;    /* world_text leaves staging directories beside the files out */
};

enum { SCENARIOS = 8 };
extern const char *const scenario_names[SCENARIOS];

/* The tree as it was before any transaction. */
void world_reset(const struct world *world);
/* Opens, stages and commits scenario `number`. */
struct err *world_run(struct arena *arena, const struct world *world, const struct sys *sys, int number,
                      struct transaction_result *ret);
/* Opens (recovers) and closes. */
struct err *world_recover(struct arena *arena, const struct world *world, const struct sys *sys);
/* Opens and undoes transaction `id`. */
struct err *world_undo(struct arena *arena, const struct world *world, const struct sys *sys, struct str id);
/* All that can be seen of the tree: types, modes, owners, sizes, mtimes, links, xattrs, bytes. `times`: 2 with mtimes
 * of directories, 1 of files, 0 without those of the lock file and of links. */
struct str world_text(struct arena *arena, const struct world *world, int times);
/* What a crash left behind that does not belong there; empty: nothing. */
struct str world_litter(struct arena *arena, const struct world *world);

#endif
