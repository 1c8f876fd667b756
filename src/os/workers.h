/*
 * workers - the same step for many items, on a few threads; and one call beside what the caller does.
 */
#ifndef UNPIN_OS_WORKERS_H
#define UNPIN_OS_WORKERS_H

#include "base/err.h"

enum { WORKERS_MAX = 4 };

struct workers_step {
    void *self;
    /* Does item number `i`; items may be done in any order, at the same time. `arena` is the thread's own, emptied
     * after each item. */
    struct err *(*run)(void *self, struct arena *arena, int32_t i);
};

/* Runs the step for items 0 to len - 1. The err of the lowest item that failed, copied to `arena`; after one, items not
 * yet begun are left out. ERR_INTERRUPTED as well, where a signal is held back and waits. */
ERR_MUST_CHECK struct err *workers_run(struct arena *arena, const struct workers_step *step, int32_t len);

/* A call that runs on a thread of its own until beside_end. */
struct beside {
    int (*run)(const void *self); /* 0 or an errno value */
    const void *self;
    struct beside_thread *thread; /* NULL: it does not run */
};

/* Begins it. Where no thread can be made it is left out. */
void beside_begin(struct arena *arena, struct beside *beside);
/* Waits for its end and gives what it returned; 0 where it was left out. */
int beside_end(struct beside *beside);

#endif
