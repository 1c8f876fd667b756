/*
 * rig - the seam that sees every call of a transaction to the file system, and makes one go wrong.
 *
 * A kill is a longjmp out of the engine at a call (its descriptors are closed, as the kernel would do it); nothing that
 * the engine has in memory is used after it, so it is a kill -9 without the cost of a process.
 */
#ifndef UNPIN_TESTS_FAULT_RIG_H
#define UNPIN_TESTS_FAULT_RIG_H

#include "order.h"
#include "world.h"

#include <setjmp.h>

enum { RIG_FDS_MAX = 1024, RIG_CALLS_MAX = 4096, RIG_MESSAGE_MAX = 512 };

enum fault {
    FAULT_NONE,
    FAULT_KILL,
    FAULT_KILL_TORN, /* in the middle of a write */
    FAULT_ONCE,      /* the call fails */
    FAULT_SAME,      /* and all later ones of its kind */
    FAULT_FULL,      /* and all later ones that make something */
    FAULT_SHORT,     /* a write writes one byte only */
    FAULT_CROWDED,   /* as FAULT_FULL, until a ballast that holds space goes */
    FAULT_LIE,       /* a rename that would be seen says that it happened, and did not */
    FAULT_MEDDLE,    /* another program replaces a file */
};

/* What a run without fault told of its calls; numbers from 1, 0: none. */
struct rig_calls {
    int64_t len;
    enum sys_call kinds[RIG_CALLS_MAX];
    int64_t prepared;  /* the last sync before the journal is written */
    int64_t committed; /* the journal gets its name */
    int64_t applied;   /* the first sync of live files */
};

struct rig {
    int64_t count; /* calls so far */
    int64_t when;  /* the call at which the fault happens, from 1 */
    int64_t end;   /* the call at which it is killed besides; 0: none */
    enum fault fault;
    int error;
    enum sys_call kind;     /* of the call at `when`; FAULT_SAME: what fails from now on */
    const char *meddle;     /* FAULT_MEDDLE: the file that is replaced */
    bool real_sync;         /* else syncs are skipped: a kill does not lose what was written */
    bool open[RIG_FDS_MAX]; /* descriptors of the engine */
    bool ballast, relieved; /* FAULT_CROWDED: space was reserved, and given back */
    jmp_buf killed;
    int64_t drop;            /* the sync, from 1, that is left out; 0: none */
    int64_t syncs;           /* so far */
    struct order *order;     /* the judge, or NULL */
    struct rig_calls *calls; /* filled, or NULL */
    char last_created[ORDER_PATH_MAX];
};

/* What is done under faults. */
struct act {
    const struct world *world;
    int scenario;
    const char *undo; /* an id: undo it; NULL: run the scenario */
    bool recover;     /* only open and close */
};

enum outcome { DONE, FAILED, NEEDS_RECOVERY, KILLED };

/* Does it under the fault of `rig`; `message` (may be NULL) has RIG_MESSAGE_MAX bytes. */
enum outcome rig_attempt(const struct act *act, struct rig *rig, char *message);
/* What FAULT_MEDDLE does: another program removes the file and writes a new one (a mount: writes into it). */
void rig_meddle(const char *path);

#endif
