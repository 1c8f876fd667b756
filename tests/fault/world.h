/*
 * world - a made-up site directory, the transactions to try on it, and texts that say what is in it: for the fault
 * tests. world.c: the tree and the texts. world_script.c: the transactions, and what they should come to.
 */
#ifndef UNPIN_TESTS_FAULT_WORLD_H
#define UNPIN_TESTS_FAULT_WORLD_H

#include "base/arena.h"
#include "base/buf.h"
#include "os/transaction.h"

struct world {
    const char *dir;     /* everything is beneath it */
    const char *site;    /* dir/site */
    const char *bin;     /* dir/bin, or a directory on another mount */
    const char *lock;    /* the lock file, maybe a bind mount */
    const char *overlay; /* dir is a mount point of an overlay whose lower directory, `dir`.lower, has the old tree:
                            more options for mount, maybe empty; NULL: a plain directory */
    bool no_sides;       /* world_look leaves staging directories beside the files out */
};

enum { SCENARIOS = 10, WORLD_PATH_MAX = 4096 };
extern const char *const scenario_names[SCENARIOS];

/* Builds the old tree in `dir`.lower, for an overlay, if it is not there. */
void world_lower(const struct world *world);
/* Mounts the overlay again as it was left. */
void world_remount(const struct world *world);
/* The tree as it was before any transaction. */
void world_reset(const struct world *world);
/* Opens, stages and commits scenario `number`. */
struct err *world_run(struct arena *arena, const struct world *world, const struct sys *sys, int number,
                      struct transaction_result *ret);
/* Opens (recovers) and closes. */
struct err *world_recover(struct arena *arena, const struct world *world, const struct sys *sys);
/* Opens and undoes transaction `id`. */
struct err *world_undo(struct arena *arena, const struct world *world, const struct sys *sys, struct str id);
/* What scenario `number` should come to, by plain calls, without a transaction: for `content` of world_look. */
void world_imitate(const struct world *world, int number);

/* All that can be seen of the tree: types, modes, owners, sizes, links, xattrs, bytes, and these times: */
struct world_texts {
    struct str loose;   /* of files, but not of the lock file and of links, which the engine makes at its own time */
    struct str plain;   /* of files and links */
    struct str exact;   /* of directories too */
    struct str content; /* no times, modes and xattrs: names, types, links and bytes only */
    struct str files;   /* of those the files and links beneath the site and bin directories only */
};
void world_look(struct arena *arena, const struct world *world, struct world_texts *ret);
/* True if one of the distributions that scenario `number` changes has a METADATA file; `ret_stale`: byte code of a
 * source that is not the one there. */
bool world_installed(const struct world *world, int number, bool *ret_stale);
/* What a crash left behind that does not belong there; empty: nothing. */
struct str world_litter(struct arena *arena, const struct world *world);

/* For world_script.c: the path of an entry ("bin/tool") in a buffer of WORLD_PATH_MAX bytes, without its last `/`. */
const char *world_at(char *buffer, const struct world *world, const char *path);

#endif
