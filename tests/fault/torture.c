/*
 * torture - a transaction killed, starved and cut off at every call to the file system.
 *
 *   torture DIR [--bin DIR] [--lock FILE] [--overlay] [--every N] [--scenario NAME] [--only
 * kill|double|error|undo|power]
 *
 * DIR must be made for this: everything in it is removed. A kill is a longjmp out of the engine at a call (its
 * descriptors are closed, as the kernel would do it); nothing the engine has in memory is used after it, so it is a
 * kill -9 without the cost of a process. After each fault the tree must be exactly as before or as after, whichever the
 * return value says.
 */
#include "order.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Arenas that a kill leaves behind are closed by us; digest contexts of libcrypto cannot be. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

enum { FDS_MAX = 1024, SHOWN_MAX = 10, LOG_MAX = 100000 };
enum fault { FAULT_NONE, FAULT_KILL, FAULT_KILL_TORN, FAULT_ONCE, FAULT_SAME, FAULT_FULL, FAULT_SHORT };

/* The seam's state. */
struct rig {
    int64_t count; /* calls so far */
    int64_t when;  /* the call at which the fault happens, from 1 */
    enum fault fault;
    int error;
    enum sys_call kind; /* FAULT_SAME: the kind of call that fails from now on */
    bool real_sync;     /* else syncs are skipped: a kill does not lose what was written */
    bool open[FDS_MAX]; /* descriptors of the engine */
    jmp_buf killed;
    int64_t drop;        /* the sync, from 1, that is left out; 0: none */
    int64_t syncs;       /* so far */
    struct order *order; /* the judge, or NULL */
};

static bool makes_something(enum sys_call call) {
    return call == SYS_CREATE || call == SYS_WRITE || call == SYS_MKDIR || call == SYS_HARDLINK ||
           call == SYS_SYMLINK || call == SYS_RENAME || call == SYS_ALLOCATE || call == SYS_XATTR_SET;
}

static void rig_kill(struct rig *rig) {
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (rig->open[fd]) (void)close(fd);
    memset(rig->open, 0, sizeof rig->open);
    longjmp(rig->killed, 1);
}

static int rig_before(void *self, const struct sys_event *event) {
    struct rig *rig = self;
    bool now = ++rig->count == rig->when;
    if (now && rig->fault == FAULT_KILL_TORN && event->call == SYS_WRITE && event->size > 1) {
        ssize_t n = event->offset < 0 ? write(event->fd, event->data, (size_t)event->size / 2)
                                      : pwrite(event->fd, event->data, (size_t)event->size / 2, event->offset);
        (void)n;
    }
    if (now && (rig->fault == FAULT_KILL || rig->fault == FAULT_KILL_TORN)) rig_kill(rig);
    if (now && rig->fault == FAULT_SHORT && event->call == SYS_WRITE) return SYS_SHORT;
    if (now && (rig->fault == FAULT_ONCE || rig->fault == FAULT_SAME)) {
        rig->kind = event->call;
        return rig->error;
    }
    bool after = rig->count > rig->when;
    if (after && rig->fault == FAULT_SAME && event->call == rig->kind) return rig->error;
    if (rig->count >= rig->when && rig->fault == FAULT_FULL && makes_something(event->call)) return rig->error;
    bool sync = event->call == SYS_FSYNC || event->call == SYS_SYNCFS;
    if (sync && ++rig->syncs != rig->drop && rig->order) order_see(rig->order, event);
    if (!rig->real_sync && (event->call == SYS_FSYNC || event->call == SYS_SYNCFS)) return SYS_PRETEND;
    return 0;
}

static void rig_after(void *self, const struct sys_event *event, int status) {
    struct rig *rig = self;
    bool sync = event->call == SYS_FSYNC || event->call == SYS_SYNCFS;
    if (rig->order && status == 0 && !sync) order_see(rig->order, event);
    if (event->fd < 0 || event->fd >= FDS_MAX) return;
    if ((event->call == SYS_OPEN || event->call == SYS_CREATE) && status == 0) rig->open[event->fd] = true;
    if (event->call == SYS_CLOSE) rig->open[event->fd] = false;
}

/* What is done under faults. */
struct act {
    const struct world *world;
    int scenario;
    const char *undo; /* an id: undo it; NULL: run the scenario */
    bool recover;     /* only open and close */
};

enum outcome { DONE, FAILED, NEEDS_RECOVERY, KILLED };

static enum outcome attempt(const struct act *act, struct rig *rig, char *message) {
    struct arena *arena = arena_open();
    struct sys sys = {rig, rig_before, rig_after};
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
        if (err && message) (void)snprintf(message, 512, "%.*s", FMT(err_format(arena, err)));
    }
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    arena_close(arena);
    return outcome;
}

static enum outcome recover_plainly(const struct world *world, char *message) {
    struct rig rig = {.fault = FAULT_NONE};
    return attempt(&(struct act){.world = world, .recover = true}, &rig, message);
}

/* The two states that are allowed. */
struct truth {
    struct arena *arena;
    struct str before, after; /* `after` without the lock's mtime */
    bool exact_after;         /* undo: `after` with all times of files, `before` without */
};

struct tally {
    int64_t points, bad, skipped;
};

struct run {
    const struct world *world;
    const char *other; /* the directory of scripts, where it is another mount */
    int64_t every;     /* one point of so many is tried */
    uint64_t random;
    struct tally kill, torn, twice, error, undo, undo_error, power, mutant;
    int shown;
};

static bool chosen(struct run *run) {
    run->random = run->random * 6364136223846793005u + 1442695040888963407u;
    return run->every <= 1 || (int64_t)((run->random >> 33) % (uint64_t)run->every) == 0;
}

/* 1: before, 2: after, 3: either (they are the same), 0: neither. */
static int state_now(const struct world *world, const struct truth *truth) {
    struct arena *arena = arena_open();
    int state = 0;
    if (str_eq(world_text(arena, world, truth->exact_after ? 0 : 1), truth->before)) state |= 1;
    if (str_eq(world_text(arena, world, truth->exact_after ? 1 : 0), truth->after)) state |= 2;
    arena_close(arena);
    return state;
}

static void bad(struct run *run, struct tally *tally, const char *what, const struct act *act, const struct rig *rig,
                const char *message) {
    tally->bad++;
    if (run->shown++ >= SHOWN_MAX) return;
    (void)printf("BAD %s%s: %s: call %lld, fault %d, error %s: %s\n", scenario_names[act->scenario],
                 act->undo ? " (undo)" : "", what, (long long)rig->when, (int)rig->fault,
                 rig->error ? strerror(rig->error) : "none", message);
    if (getenv("UNPIN_TORTURE_STOP")) exit(1);
}

static void litter_check(struct run *run, struct tally *tally, const struct act *act, const struct rig *rig) {
    struct arena *arena = arena_open();
    struct str litter = world_litter(arena, run->world);
    if (litter.len) bad(run, tally, "litter", act, rig, str_copy_z(arena, litter));
    arena_close(arena);
}

/* What `act` starts from. */
static void set_stage(const struct act *act) {
    world_reset(act->world);
    if (!act->undo) return;
    struct rig rig = {.fault = FAULT_NONE};
    struct act run = {.world = act->world, .scenario = act->scenario};
    char message[512] = "";
    if (attempt(&run, &rig, message) == DONE) return;
    (void)fprintf(stderr, "torture: %s: %s\n", scenario_names[act->scenario], message);
    exit(1);
}

static void recover_and_judge(struct run *run, struct tally *tally, const struct act *act, const struct rig *rig,
                              const struct truth *truth, int allowed) {
    char message[512] = "";
    enum outcome outcome = recover_plainly(run->world, message);
    if (outcome != DONE) bad(run, tally, "recovery failed", act, rig, message);
    else if (!(state_now(run->world, truth) & allowed)) bad(run, tally, "neither old nor new", act, rig, message);
    else litter_check(run, tally, act, rig);
}

static void kill_points(struct run *run, const struct act *act, const struct truth *truth, int64_t calls,
                        struct tally *tally, bool twice) {
    for (int64_t n = 1; n <= calls; n++) {
        for (int torn = 0; torn < 2; torn++) {
            struct rig rig = {.fault = torn ? FAULT_KILL_TORN : FAULT_KILL, .when = n};
            if (!chosen(run)) continue;
            set_stage(act);
            (void)attempt(act, &rig, NULL);
            tally->points++;
            recover_and_judge(run, tally, act, &rig, truth, 3);
        }
        if (!twice) continue;
        /* The recovery killed as well, at each of its calls. */
        for (int64_t m = 1, more = 1; more; m++) {
            struct rig first = {.fault = FAULT_KILL, .when = n}, second = {.fault = FAULT_KILL, .when = m};
            /* There are as many pairs as the square of the points: a sample takes fewer of them still. */
            if (!chosen(run) || (run->every > 1 && run->random >> 54 & 15)) {
                more = m < 2000 && m < calls * 2;
                continue;
            }
            set_stage(act);
            (void)attempt(act, &first, NULL);
            struct act recover = {.world = run->world, .scenario = act->scenario, .recover = true};
            if (attempt(&recover, &second, NULL) != KILLED) more = 0;
            run->twice.points++;
            recover_and_judge(run, &run->twice, act, &second, truth, 3);
        }
    }
}

static void error_point(struct run *run, const struct act *act, const struct truth *truth, struct rig *rig,
                        struct tally *tally) {
    char message[512] = "";
    set_stage(act);
    enum outcome outcome = attempt(act, rig, message);
    /* That an owner or attribute may not be given is survived with a warning: user namespaces. */
    if (rig->error == EPERM && (rig->kind == SYS_CHOWN || rig->kind == SYS_XATTR_SET)) return;
    /* So are times that cannot be set: only the owner may, and a change is not given up for them. */
    if (rig->error && rig->kind == SYS_UTIME) return;
    int allowed = outcome == DONE ? 2 : outcome == FAILED ? 1 : 3;
    tally->points++;
    /* Once it is done, staging directories that cannot be removed are left to the next opening. */
    struct world seen = *run->world;
    seen.no_sides = outcome == DONE;
    if (outcome != NEEDS_RECOVERY && !(state_now(&seen, truth) & allowed))
        bad(run, tally, outcome == DONE ? "success, but not new" : "failure, but not old", act, rig, message);
    else recover_and_judge(run, tally, act, rig, truth, allowed);
}

static void error_points(struct run *run, const struct act *act, const struct truth *truth, int64_t calls,
                         struct tally *tally) {
    static const int errors[] = {ENOSPC, EDQUOT, EIO,   EROFS,  EACCES, EPERM,
                                 EMFILE, ENOMEM, EINTR, ESTALE, EBUSY,  EXDEV};
    for (int64_t n = 1; n <= calls; n++)
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
            for (int fault = FAULT_ONCE; fault <= FAULT_SHORT; fault++) {
                struct rig rig = {.fault = (enum fault)fault, .when = n, .error = errors[i]};
                bool full = errors[i] == ENOSPC || errors[i] == EDQUOT || errors[i] == EROFS;
                if ((fault == FAULT_FULL && !full) || (fault == FAULT_SHORT && i > 0)) continue;
                if (chosen(run)) error_point(run, act, truth, &rig, tally);
            }
}

static struct str text_copy(const struct truth *truth, const struct world *world, int times) {
    return world_text(truth->arena, world, times);
}

/* Runs without fault, fills the truth, gives the number of calls. */
static int64_t measure(const struct act *act, struct truth *truth) {
    struct rig rig = {.fault = FAULT_NONE, .real_sync = true};
    char message[512] = "";
    set_stage(act);
    truth->before = text_copy(truth, act->world, truth->exact_after ? 0 : 1);
    if (attempt(act, &rig, message) != DONE) {
        (void)fprintf(stderr, "torture: %s: %s\n", scenario_names[act->scenario], message);
        exit(1);
    }
    truth->after = text_copy(truth, act->world, truth->exact_after ? 1 : 0);
    return rig.count;
}

/* Undo must give back everything, the times of directories included. */
static void undo_exact(struct run *run, const struct act *act) {
    struct arena *arena = arena_open();
    struct rig rig = {.fault = FAULT_NONE};
    char message[512] = "";
    struct act undo = {.world = run->world, .scenario = act->scenario, .undo = "1"};
    world_reset(run->world);
    struct str before = world_text(arena, run->world, 2);
    struct act forward = *act;
    forward.undo = NULL;
    (void)attempt(&forward, &rig, message);
    run->undo.points++;
    if (attempt(&undo, &rig, message) != DONE) {
        bad(run, &run->undo, "undo failed", &undo, &rig, message);
    } else if (!str_eq(before, world_text(arena, run->world, 2))) {
        bad(run, &run->undo, "undo is not exact", &undo, &rig, "");
        if (getenv("UNPIN_TORTURE_DIFF"))
            (void)printf("--- before\n%.*s--- now\n%.*s", FMT(before), FMT(world_text(arena, run->world, 2)));
    }
    litter_check(run, &run->undo, &undo, &rig);
    arena_close(arena);
}

/* The order of syncs, and that the judge notices each one that is left out. */
static void order_check(struct run *run, const struct act *act) {
    int64_t syncs = 0;
    for (int64_t drop = 0; drop <= syncs; drop++) {
        struct order order = {.other = run->other};
        struct rig rig = {.fault = FAULT_NONE, .drop = drop, .order = &order};
        char message[512] = "";
        set_stage(act);
        enum outcome outcome = attempt(act, &rig, message);
        order_end(&order);
        if (drop == 0) syncs = rig.syncs;
        struct tally *tally = drop ? &run->mutant : &run->power;
        tally->points++;
        rig.when = drop;
        if (outcome != DONE) bad(run, tally, "failed", act, &rig, message);
        else if (drop == 0 && order.violation) bad(run, tally, "order of syncs", act, &rig, order.violation);
        else if (drop && !order.violation) bad(run, tally, "nobody misses this sync", act, &rig, "");
    }
}

static bool wanted(const char *only, const char *what) {
    return !only || strcmp(only, what) == 0;
}

static void scenario_run(struct run *run, int scenario, const char *only) {
    struct truth truth = {.arena = arena_open()}, back = {.arena = truth.arena, .exact_after = true};
    struct act act = {.world = run->world, .scenario = scenario};
    struct act undo = {.world = run->world, .scenario = scenario, .undo = "1"};
    int64_t calls = measure(&act, &truth);
    if (wanted(only, "kill")) kill_points(run, &act, &truth, calls, &run->kill, false);
    if (wanted(only, "double")) {
        struct tally before = run->kill;
        kill_points(run, &act, &truth, calls, &run->kill, true);
        if (wanted(only, "kill")) run->kill = before;
    }
    if (wanted(only, "error")) error_points(run, &act, &truth, calls, &run->error);
    if (wanted(only, "order")) {
        order_check(run, &act);
        order_check(run, &undo);
    }
    if (wanted(only, "undo")) {
        undo_exact(run, &act);
        calls = measure(&undo, &back);
        kill_points(run, &undo, &back, calls, &run->undo, false);
        error_points(run, &undo, &back, calls, &run->undo_error);
    }
    arena_close(truth.arena);
}

static void tally_print(const char *name, const struct tally *tally) {
    (void)printf("  %-22s %8lld points, %lld bad\n", name, (long long)tally->points, (long long)tally->bad);
}

int main(int argc, char **argv) {
    struct world world = {0};
    struct run run = {.world = &world, .every = 1, .random = 42};
    const char *only = NULL, *scenario = NULL;
    char site[4096], bin[4096], lock[4096];
    if (argc < 2 || argv[1][0] != '/') {
        (void)fprintf(stderr, "usage: torture /DIR [--bin DIR] [--lock FILE] [--overlay] [--every N] [--scenario NAME] "
                              "[--only kill|double|error|undo|order]\n");
        return 2;
    }
    world.dir = argv[1];
    (void)snprintf(site, sizeof site, "%s/site", world.dir);
    (void)snprintf(bin, sizeof bin, "%s/bin", world.dir);
    (void)snprintf(lock, sizeof lock, "%s/etc/constraint.txt", world.dir);
    world.site = site;
    world.bin = bin;
    world.lock = lock;
    for (int i = 2; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--overlay") == 0) world.overlay = true;
        else if (strcmp(argv[i], "--bin") == 0) world.bin = run.other = argv[++i] ? value : "";
        else if (strcmp(argv[i], "--lock") == 0) world.lock = argv[++i] ? value : "";
        else if (strcmp(argv[i], "--every") == 0) run.every = argv[++i] ? atoll(value) : 1;
        else if (strcmp(argv[i], "--scenario") == 0) scenario = argv[++i] ? value : NULL;
        else if (strcmp(argv[i], "--only") == 0) only = argv[++i] ? value : NULL;
    }
    (void)umask(022);
    for (int i = 0; i < SCENARIOS; i++)
        if (wanted(scenario, scenario_names[i])) scenario_run(&run, i, only);
    tally_print("kills", &run.kill);
    tally_print("kills in recovery", &run.twice);
    tally_print("errors", &run.error);
    tally_print("kills in undo", &run.undo);
    tally_print("errors in undo", &run.undo_error);
    tally_print("orders of syncs", &run.power);
    tally_print("syncs left out", &run.mutant);
    int64_t sum = run.power.bad + run.mutant.bad + run.kill.bad + run.twice.bad + run.error.bad + run.undo.bad +
                  run.undo_error.bad;
    int64_t points = run.power.points + run.mutant.points + run.kill.points + run.twice.points + run.error.points +
                     run.undo.points + run.undo_error.points;
    (void)printf("%lld points, %lld bad\n", (long long)points, (long long)sum);
    return sum ? 1 : 0;
}
