/*
 * wheel_change - from wheels to install and projects to remove to the operations of one transaction.
 *
 * Whatever can be refused is refused before the first file is staged. The rules (docs/reliability.md has the reasons):
 * - a file goes only where no remaining distribution lists it too; a file of a remaining distribution is never replaced
 *   by other bytes;
 * - a file that is not as its RECORD says, and one in the way that no distribution lists, is kept, replaced, or (the
 *   default) a reason to refuse;
 * - files that no list names stay; directories go when they are empty; `.pyc` of changed `.py` go;
 * - distributions of the system's package manager stay and are shadowed, if the new site directory comes first;
 * - files that dpkg's lists name are never touched;
 * - in a layer nothing comes that hides modules of what is below, or that what is below hides;
 * - files that Python runs at every start need consent.
 */
#ifndef UNPIN_STAGE_WHEEL_CHANGE_H
#define UNPIN_STAGE_WHEEL_CHANGE_H

#include "os/transaction.h"
#include "stage/wheel_owned.h"
#include "stage/wheel_unpack.h"

enum wheel_policy { WHEEL_REFUSE, WHEEL_KEEP, WHEEL_REPLACE };

struct wheel_change {
    struct str name;             /* normalized; all its distributions within the scheme are removed */
    struct wheel_layout *layout; /* what is installed; NULL: nothing */
    bool allow_startup;          /* its `.pth` files are what was asked for: an editable install */
};

struct wheel_change_options {
    const struct environment *env;
    const struct scheme *scheme;
    enum wheel_policy modified; /* --modified */
    bool allow_startup;         /* --allow-pth */
    const struct depot *depot;  /* where unpacked files are kept; NULL: nowhere */
};

struct wheel_operations {
    struct transaction_op *ops; /* sorted by path */
    int32_t len, room;          /* there is room for so many, behind which the caller may add his own */
    const struct str *notes;    /* sentences: files missing, kept, shadowed */
    int32_t notes_len;
};

/*
 * Stages in `transaction` and gives the operations. With NULL for `transaction` all is checked and nothing staged: the
 * operations have no sources. ERR_CONFLICT, ERR_CONSENT; ERR_WHEEL and ERR_IO from unpacking.
 */
ERR_MUST_CHECK struct err *wheel_change_make(struct arena *arena, const struct wheel_change_options *options,
                                             const struct wheel_change *changes, int32_t len,
                                             struct transaction *transaction, struct wheel_operations *ret);

/* The directories in which operations may lie besides the site: the other ones of the scheme, for
 * transaction_options.roots. */
void wheel_change_roots(struct arena *arena, const struct scheme *scheme, const struct str **ret, int32_t *ret_len);

#endif
