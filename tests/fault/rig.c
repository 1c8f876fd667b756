#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool makes_something(enum sys_call call) {
    return call == SYS_CREATE || call == SYS_WRITE || call == SYS_MKDIR || call == SYS_HARDLINK ||
           call == SYS_SYMLINK || call == SYS_RENAME || call == SYS_ALLOCATE || call == SYS_XATTR_SET;
}

static bool ends(const char *path, const char *tail) {
    size_t a = path ? strlen(path) : 0, b = strlen(tail);
    return a >= b && strcmp(path + a - b, tail) == 0;
}

static bool is_sync(const struct sys_event *event) {
    return event->call == SYS_FSYNC || event->call == SYS_SYNCFS;
}

static void kill_now(struct rig *rig, const struct sys_event *event) {
    if (rig->fault == FAULT_KILL_TORN && event->call == SYS_WRITE && event->size > 1) {
        ssize_t n = event->offset < 0 ? write(event->fd, event->data, (size_t)event->size / 2)
                                      : pwrite(event->fd, event->data, (size_t)event->size / 2, event->offset);
        (void)n;
    }
    for (int fd = 0; fd < RIG_FDS_MAX; fd++)
        if (rig->open[fd]) (void)close(fd);
    memset(rig->open, 0, sizeof rig->open);
    longjmp(rig->killed, 1);
}

void rig_meddle(const char *path) {
    /* EBUSY where it is a mount: then in place. */
    int fd = unlink(path) < 0 ? open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
                              : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return;
    ssize_t n = pwrite(fd, "MINE", 4, 0);
    (void)n;
    (void)close(fd);
}

static void note(struct rig *rig, const struct sys_event *event) {
    struct rig_calls *calls = rig->calls;
    calls->len = rig->count;
    if (rig->count < RIG_CALLS_MAX) calls->kinds[rig->count] = event->call;
    if (is_sync(event) && !calls->committed && event->path) calls->prepared = rig->count;
    if (event->call == SYS_RENAME && ends(event->other, "/.unpin/journal")) calls->committed = rig->count;
    if (is_sync(event) && calls->committed && !calls->applied && !ends(event->path, "/.unpin"))
        calls->applied = rig->count;
}

static int crowded(struct rig *rig, const struct sys_event *event) {
    if (event->call == SYS_ALLOCATE && event->size > 0 && ends(rig->last_created, "/ballast")) rig->ballast = true;
    if (event->call == SYS_CREATE) (void)snprintf(rig->last_created, sizeof rig->last_created, "%s", event->path);
    if (rig->count >= rig->when && event->call == SYS_UNLINK && ends(event->path, "/ballast") && rig->ballast)
        rig->relieved = true;
    return rig->count >= rig->when && !rig->relieved && makes_something(event->call) ? ENOSPC : 0;
}

/* A rename that leaves a file of another size, or none, where it says that it put one. */
static int lie(const struct sys_event *event) {
    struct stat from, to;
    if (event->call != SYS_RENAME || lstat(event->path, &from) < 0) return 0;
    return lstat(event->other, &to) < 0 || to.st_size != from.st_size ? SYS_PRETEND : 0;
}

/* An errno value, SYS_PRETEND, SYS_SHORT, or 0. */
static int fault_at(struct rig *rig, const struct sys_event *event) {
    bool now = rig->count == rig->when, after = rig->count > rig->when;
    if (now) rig->kind = event->call;
    if (rig->count == rig->end) kill_now(rig, event);
    switch (rig->fault) {
    case FAULT_KILL:
    case FAULT_KILL_TORN:
        if (now) kill_now(rig, event);
        return 0;
    case FAULT_ONCE: return now ? rig->error : 0;
    case FAULT_SAME: return now || (after && event->call == rig->kind) ? rig->error : 0;
    case FAULT_FULL: return (now || after) && makes_something(event->call) ? rig->error : 0;
    case FAULT_SHORT: return now && event->call == SYS_WRITE ? SYS_SHORT : 0;
    case FAULT_LIE: return now ? lie(event) : 0;
    case FAULT_CROWDED: return crowded(rig, event);
    case FAULT_MEDDLE:
        if (now) rig_meddle(rig->meddle);
        return 0;
    case FAULT_NONE: break;
    }
    return 0;
}

static int before(void *self, const struct sys_event *event) {
    struct rig *rig = self;
    rig->count++;
    if (rig->calls) note(rig, event);
    int status = fault_at(rig, event);
    if (status) return status;
    if (is_sync(event) && ++rig->syncs != rig->drop && rig->order) order_see(rig->order, event);
    /* Nothing comes of space that is set aside but where the disk is full, and it takes long. */
    bool idle = (is_sync(event) && !rig->real_sync) || event->call == SYS_ALLOCATE;
    return idle ? SYS_PRETEND : 0;
}

static void after(void *self, const struct sys_event *event, int status) {
    struct rig *rig = self;
    if (rig->order && status == 0 && !is_sync(event)) order_see(rig->order, event);
    if (event->fd < 0 || event->fd >= RIG_FDS_MAX) return;
    if ((event->call == SYS_OPEN || event->call == SYS_CREATE) && status == 0) rig->open[event->fd] = true;
    if (event->call == SYS_CLOSE) rig->open[event->fd] = false;
}

enum outcome rig_attempt(const struct act *act, struct rig *rig, char *message) {
    struct arena *arena = arena_open();
    struct sys sys = {rig, before, after};
    struct transaction_result result;
    struct err *err;
    sigset_t mask;
    volatile enum outcome outcome = KILLED;
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    rig->count = 0;
    if (setjmp(rig->killed) == 0) {
        if (act->recover) err = world_recover(arena, act->world, &sys);
        else if (act->undo) err = world_undo(arena, act->world, &sys, str_of(act->undo));
        else err = world_run(arena, act->world, &sys, act->scenario, &result);
        outcome = !err ? DONE : err->kind == ERR_RECOVER ? NEEDS_RECOVERY : FAILED;
        if (err && message) (void)snprintf(message, RIG_MESSAGE_MAX, "%.*s", FMT(err_format(arena, err)));
    }
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    arena_close(arena);
    return outcome;
}
