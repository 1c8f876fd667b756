/*
 * workers - the same step for many items, on a few threads, all at once or as they come; and one call beside what the
 * caller does.
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
    bool is_final; /* of workers_run: signals that are held back go on waiting */
};

/* Runs the step for items 0 to len - 1. The err of the lowest item that failed, copied to `arena`; after one, items not
 * yet begun are left out. ERR_INTERRUPTED as well, where a signal is held back and waits, unless the step is final. */
ERR_MUST_CHECK struct err *workers_run(struct arena *arena, const struct workers_step *step, int32_t len);

/* Threads that do items beside what the caller does, in the order in which they are added. */
struct crew;

/* For items 0 to len - 1, each added once at most. A thread is made when there is something to do. */
struct crew *crew_open(struct arena *arena, const struct workers_step *step, int32_t len);
/* An item that fails ends nothing: the step itself notes what is done. Where no thread can be made, none is. */
void crew_add(struct crew *crew, int32_t i);
/* True once the crew is being closed, or a signal is held back and waits: a step that takes long had better end. */
bool crew_ends(const struct crew *crew);
/* Waits for the items that are begun; the others are left out. What was done is then seen by the caller. */
void crew_close(struct crew *crew);

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
