/*
 * wheel_change_parts - what the files of wheel_change share: the table of all paths that a set of changes concerns.
 */
#ifndef UNPIN_STAGE_WHEEL_CHANGE_PARTS_H
#define UNPIN_STAGE_WHEEL_CHANGE_PARTS_H

#include "base/arena.h"
#include "stage/wheel_change.h"

/* One path. */
struct item {
    struct str path;
    struct wheel_file *put;       /* the new file; NULL: none */
    int32_t put_change;           /* whose it is: position in the changes; -1 */
    const struct owned_file *old; /* of a distribution that is removed; NULL: none */
    int32_t old_dist;             /* position in env->dists; -1 */
    int32_t other_dist;           /* a remaining distribution that lists it too; -1 */
    bool modified;                /* not as its RECORD says, or in the way though nobody lists it */
    bool same;                    /* the very bytes of `put` are there already */
    bool exists, is_dir;          /* what is there now */
    bool absent;                  /* nor is the directory that it lies in */
};

typedef VEC(struct item) item_vec;
typedef VEC(struct str) str_vec;
typedef VEC(struct transaction_op) op_vec;

struct work {
    struct arena *arena;
    const struct wheel_change_options *options;
    const struct wheel_change *changes;
    int32_t changes_len;
    bool *removed;  /* per distribution of the environment: it goes */
    item_vec items; /* sorted by path, each path once */
    op_vec ops;
    str_vec notes;
};

/* The item of a path, or NULL. */
struct item *work_find(const struct work *work, struct str path);
/* True if the item's new file is to be written: METADATA always, others where their bytes are not there already. */
bool work_writes(const struct work *work, const struct item *item);
/* Looks at what is on disk: sets exists, is_dir, modified, same; and, where anything is there, finds the other owners
 * of the paths among the remaining distributions. */
struct err *work_inspect(struct work *work);
/* ERR_CONFLICT where a file of a package of the system's package manager would be replaced or removed. */
struct err *work_check_dpkg(struct work *work);
/* ERR_CONFLICT where modules would be hidden by, or from, what is below a layer. */
struct err *work_check_layer(struct work *work);
/* Refuses what must not be done. */
struct err *work_check(struct work *work);
/* Stages the new files: whole directories where there is none yet, else file by file. Appends the operations of those
 * directories. */
struct err *work_stage(struct work *work, struct transaction *transaction);
/* Appends the operations, the staged ones with their sources. */
void work_list_operations(struct work *work);

#endif
