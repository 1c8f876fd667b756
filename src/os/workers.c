#include "os/workers.h"

#include "base/arena.h"
#include "os/signals.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

struct shared {
    const struct workers_step *step;
    int32_t len;
    _Atomic int32_t next;
    _Atomic bool failed;
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    struct arena *arena;
    struct err *err; /* of the lowest item that failed here; lives in `arena` */
    int32_t err_item;
};

static void *work(void *self) {
    struct worker *worker = self;
    struct shared *shared = worker->shared;
    /* An item that was taken is done, whatever happens meanwhile: so all below one that failed are, and which err is
     * the lowest depends on no race. */
    while (!atomic_load(&shared->failed)) {
        int32_t i = atomic_fetch_add(&shared->next, 1);
        if (i >= shared->len) return NULL;
        struct arena_mark mark = arena_mark(worker->arena);
        struct err *err = signals_check(worker->arena);
        if (!err) err = shared->step->run(shared->step->self, worker->arena, i);
        if (err) {
            worker->err = err;
            worker->err_item = i;
            atomic_store(&shared->failed, true);
            return NULL;
        }
        arena_rewind(worker->arena, mark);
    }
    return NULL;
}

static struct err *err_copy(struct arena *arena, const struct err *err) {
    if (!err) return NULL;
    struct err *copy = arena_new(arena, struct err, 1);
    *copy = *err;
    copy->what = str_copy(arena, err->what);
    copy->hint = str_copy(arena, err->hint);
    copy->file = str_copy(arena, err->file);
    copy->cause = err_copy(arena, err->cause);
    return copy;
}

struct err *workers_run(struct arena *arena, const struct workers_step *step, int32_t len) {
    struct shared shared = {.step = step, .len = len};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int32_t count = cpus > WORKERS_MAX ? WORKERS_MAX : cpus < 1 ? 1 : (int32_t)cpus;
    if (count > len) count = len < 1 ? 1 : len;
    struct worker workers[WORKERS_MAX] = {{0}};
    bool started[WORKERS_MAX] = {false};
    for (int32_t i = 0; i < count; i++) workers[i] = (struct worker){.shared = &shared, .arena = arena_open()};
    /* The first worker is this thread: where no thread can be made, it does all. */
    for (int32_t i = 1; i < count; i++) started[i] = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
    work(&workers[0]);
    const struct worker *first = NULL;
    for (int32_t i = 0; i < count; i++) {
        if (started[i]) (void)pthread_join(workers[i].thread, NULL);
        if (workers[i].err && (!first || workers[i].err_item < first->err_item)) first = &workers[i];
    }
    struct err *err = first ? err_copy(arena, first->err) : NULL;
    for (int32_t i = 0; i < count; i++) arena_close(workers[i].arena);
    return err;
}

struct beside_thread {
    pthread_t thread;
    int (*run)(const void *self);
    const void *self;
    int status;
};

static void *run_beside(void *self) {
    struct beside_thread *thread = self;
    thread->status = thread->run(thread->self);
    return NULL;
}

void beside_begin(struct arena *arena, struct beside *beside) {
    struct beside_thread *thread = arena_new(arena, struct beside_thread, 1);
    *thread = (struct beside_thread){.run = beside->run, .self = beside->self};
    beside->thread = pthread_create(&thread->thread, NULL, run_beside, thread) == 0 ? thread : NULL;
}

int beside_end(struct beside *beside) {
    struct beside_thread *thread = beside->thread;
    if (!thread) return 0;
    (void)pthread_join(thread->thread, NULL);
    beside->thread = NULL;
    return thread->status;
}
