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
        struct err *err = shared->step->is_final ? NULL : signals_check(worker->arena);
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

/* How many threads `len` items are worth. */
static int32_t threads_for(int32_t len) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int32_t count = cpus > WORKERS_MAX ? WORKERS_MAX : cpus < 1 ? 1 : (int32_t)cpus;
    return count > len ? (len < 1 ? 1 : len) : count;
}

struct err *workers_run(struct arena *arena, const struct workers_step *step, int32_t len) {
    struct shared shared = {.step = step, .len = len};
    int32_t count = threads_for(len);
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

struct crew {
    const struct workers_step *step;
    pthread_mutex_t lock; /* of the queue */
    pthread_cond_t added;
    int32_t *queue; /* room for every item */
    int32_t len, next;
    _Atomic bool closing;
    pthread_t threads[WORKERS_MAX];
    int32_t threads_len, threads_max;
};

/* The next item; -1: no more. */
static int32_t crew_take(struct crew *crew) {
    int32_t i = -1;
    (void)pthread_mutex_lock(&crew->lock);
    while (crew->next == crew->len && !atomic_load(&crew->closing)) (void)pthread_cond_wait(&crew->added, &crew->lock);
    if (!atomic_load(&crew->closing)) i = crew->queue[crew->next++];
    (void)pthread_mutex_unlock(&crew->lock);
    return i;
}

static void *crew_work(void *self) {
    struct crew *crew = self;
    struct arena *arena = arena_open();
    for (int32_t i = crew_take(crew); i >= 0; i = crew_take(crew)) {
        struct arena_mark mark = arena_mark(arena);
        (void)crew->step->run(crew->step->self, arena, i);
        arena_rewind(arena, mark);
    }
    arena_close(arena);
    return NULL;
}

struct crew *crew_open(struct arena *arena, const struct workers_step *step, int32_t len) {
    struct crew *crew = arena_new(arena, struct crew, 1);
    crew->step = step;
    crew->queue = arena_new(arena, int32_t, len);
    crew->threads_max = threads_for(len);
    (void)pthread_mutex_init(&crew->lock, NULL);
    (void)pthread_cond_init(&crew->added, NULL);
    return crew;
}

void crew_add(struct crew *crew, int32_t i) {
    (void)pthread_mutex_lock(&crew->lock);
    crew->queue[crew->len++] = i;
    (void)pthread_cond_signal(&crew->added);
    (void)pthread_mutex_unlock(&crew->lock);
    if (crew->threads_len < crew->threads_max &&
        pthread_create(&crew->threads[crew->threads_len], NULL, crew_work, crew) == 0)
        crew->threads_len++;
}

bool crew_ends(const struct crew *crew) {
    return atomic_load(&crew->closing) || signals_waiting();
}

void crew_close(struct crew *crew) {
    (void)pthread_mutex_lock(&crew->lock);
    atomic_store(&crew->closing, true);
    (void)pthread_cond_broadcast(&crew->added);
    (void)pthread_mutex_unlock(&crew->lock);
    for (int32_t i = 0; i < crew->threads_len; i++) (void)pthread_join(crew->threads[i], NULL);
    (void)pthread_cond_destroy(&crew->added);
    (void)pthread_mutex_destroy(&crew->lock);
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
