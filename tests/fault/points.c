#include "points.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOWN_MAX = 10 };
enum { BEFORE = 1, AFTER = 2, EITHER = 3 };

const char *const tally_names[TALLIES] = {
    [TALLY_KILL] = "kills",
    [TALLY_KILL_UNDO] = "kills in undo",
    [TALLY_TWICE] = "kills in recovery",
    [TALLY_BACK] = "kills going back",
    [TALLY_ERROR] = "errors",
    [TALLY_ERROR_UNDO] = "errors in undo",
    [TALLY_CROWDED] = "full disks",
    [TALLY_LIE] = "lies",
    [TALLY_MEDDLE] = "meddling",
    [TALLY_STRANGER] = "strangers",
    [TALLY_RESULT] = "results",
    [TALLY_ORDER] = "orders of syncs",
    [TALLY_DROP] = "syncs left out",
};

static bool chosen(struct run *run, int64_t every) {
    run->random = run->random * 6364136223846793005u + 1442695040888963407u;
    return every == 1 || (every > 1 && (run->random >> 33) % (uint64_t)every == 0);
}

static void bad(struct run *run, enum tally tally, const char *what, const struct act *act, const struct rig *rig,
                const char *message) {
    run->bad[tally]++;
    if (run->shown++ >= SHOWN_MAX) return;
    (void)printf("BAD %s%s: %s: %s: call %lld of kind %d, fault %d, killed at %lld, error %s: %s\n",
                 scenario_names[act->scenario], act->undo ? " (undo)" : "", tally_names[tally], what,
                 (long long)rig->when, (int)rig->kind, (int)rig->fault, (long long)rig->end,
                 rig->error ? strerror(rig->error) : "none", message);
    if (getenv("UNPIN_TORTURE_STOP")) exit(1);
}

/* BEFORE, AFTER, both, or 0. */
static int state_now(const struct world *world, const struct truth *truth) {
    struct arena *arena = arena_open();
    struct world_texts now;
    int state = 0;
    world_look(arena, world, &now);
    const struct world_texts *before = &truth->before, *after = &truth->after;
    if (truth->exact_after ? str_eq(now.loose, before->loose) : str_eq(now.plain, before->plain)) state |= BEFORE;
    if (truth->exact_after ? str_eq(now.plain, after->plain) : str_eq(now.loose, after->loose)) state |= AFTER;
    arena_close(arena);
    return state;
}

static void litter_check(struct run *run, enum tally tally, const struct act *act, const struct rig *rig) {
    struct arena *arena = arena_open();
    struct str litter = world_litter(arena, run->world);
    if (litter.len) bad(run, tally, "litter", act, rig, str_copy_z(arena, litter));
    arena_close(arena);
}

/* What a kill leaves to those who do not recover: a mixed distribution must look not installed, and no byte code may be
 * that of another source. */
static void mix_check(struct run *run, enum tally tally, const struct act *act, const struct rig *rig,
                      const struct truth *truth) {
    struct arena *arena = arena_open();
    struct world_texts now;
    bool stale = false;
    bool installed = world_installed(run->world, act->scenario, &stale);
    if (installed) {
        world_look(arena, run->world, &now);
        bool whole = str_eq(now.files, truth->before.files) || str_eq(now.files, truth->after.files);
        if (!whole) bad(run, tally, "mixed, and looks installed", act, rig, "");
    }
    if (stale) bad(run, tally, "byte code of another source", act, rig, "");
    arena_close(arena);
}

static enum outcome recover_plainly(const struct world *world, struct rig_calls *calls, char *message) {
    struct rig rig = {.fault = FAULT_NONE, .calls = calls};
    return rig_attempt(&(struct act){.world = world, .recover = true}, &rig, message);
}

/* What `act` starts from. */
static void set_stage(const struct act *act) {
    world_reset(act->world);
    if (!act->undo) return;
    struct rig rig = {.fault = FAULT_NONE};
    struct act run = {.world = act->world, .scenario = act->scenario};
    char message[RIG_MESSAGE_MAX] = "";
    if (rig_attempt(&run, &rig, message) == DONE) return;
    (void)fprintf(stderr, "torture: %s: %s\n", scenario_names[act->scenario], message);
    exit(1);
}

static void difference_print(const struct run *run, const struct truth *truth) {
    struct arena *arena = arena_open();
    struct world_texts now;
    world_look(arena, run->world, &now);
    (void)printf("--- before\n%.*s--- after\n%.*s--- now\n%.*s", FMT(truth->before.plain), FMT(truth->after.plain),
                 FMT(now.plain));
    arena_close(arena);
}

static void recover_and_judge(struct run *run, enum tally tally, const struct act *act, const struct rig *rig,
                              const struct truth *truth, int allowed, struct rig_calls *calls) {
    char message[RIG_MESSAGE_MAX] = "";
    enum outcome outcome = recover_plainly(run->world, calls, message);
    bool wrong = outcome == DONE && !(state_now(run->world, truth) & allowed);
    if (wrong && getenv("UNPIN_TORTURE_DIFF")) difference_print(run, truth);
    if (outcome != DONE) bad(run, tally, "recovery failed", act, rig, message);
    else if (wrong) bad(run, tally, "neither old nor new", act, rig, message);
    else litter_check(run, tally, act, rig);
}

/* What has to come of a kill before call `n`: the journal's name decides. */
static int decided(const struct truth *truth, int64_t n) {
    return n > truth->calls->committed ? AFTER : BEFORE;
}

static void killed_once(struct run *run, const struct act *act, const struct truth *truth, struct rig *rig,
                        struct rig_calls *calls) {
    enum tally tally = act->undo ? TALLY_KILL_UNDO : TALLY_KILL;
    set_stage(act);
    (void)rig_attempt(act, rig, NULL);
    run->points[tally]++;
    mix_check(run, tally, act, rig, truth);
    recover_and_judge(run, tally, act, rig, truth, decided(truth, rig->when), calls);
}

static void killed_twice(struct run *run, const struct act *act, const struct truth *truth, int64_t n, int64_t m) {
    struct rig first = {.fault = FAULT_KILL, .when = n}, second = {.fault = FAULT_KILL, .when = m};
    struct act recover = {.world = run->world, .scenario = act->scenario, .recover = true};
    set_stage(act);
    (void)rig_attempt(act, &first, NULL);
    (void)rig_attempt(&recover, &second, NULL);
    run->points[TALLY_TWICE]++;
    mix_check(run, TALLY_TWICE, act, &second, truth);
    recover_and_judge(run, TALLY_TWICE, act, &second, truth, decided(truth, n), NULL);
}

void points_kill(struct run *run, const struct act *act, const struct truth *truth) {
    struct rig_calls *calls = arena_new(truth->arena, struct rig_calls, 1);
    for (int64_t n = 1; n <= truth->calls->len; n++) {
        struct rig rig = {.fault = FAULT_KILL, .when = n}, torn = {.fault = FAULT_KILL_TORN, .when = n};
        if (!chosen(run, run->kills)) continue;
        *calls = (struct rig_calls){0};
        killed_once(run, act, truth, &rig, calls);
        if (n < RIG_CALLS_MAX && truth->calls->kinds[n] == SYS_WRITE) killed_once(run, act, truth, &torn, NULL);
        for (int64_t m = 1, len = calls->len; m <= len; m++)
            if (chosen(run, run->doubles)) killed_twice(run, act, truth, n, m);
    }
}

/* Killed at each call that comes after an error at call `n`. */
static void back_from(struct run *run, const struct act *act, const struct truth *truth, int64_t n) {
    static const int errors[] = {EIO, ENOSPC, EROFS};
    enum outcome outcome = KILLED;
    int64_t last = n + (truth->calls->len - truth->calls->committed) * 2; /* going back takes about as long */
    for (int64_t m = n + 1; outcome == KILLED && m <= last; m++) {
        struct rig rig = {.fault = FAULT_ONCE, .when = n, .end = m, .error = errors[m % 3]};
        if (!chosen(run, run->doubles)) continue;
        set_stage(act);
        outcome = rig_attempt(act, &rig, NULL);
        if (rig.kind == SYS_UTIME) continue; /* a change is not given up for times */
        run->points[TALLY_BACK]++;
        mix_check(run, TALLY_BACK, act, &rig, truth);
        recover_and_judge(run, TALLY_BACK, act, &rig, truth, EITHER, NULL);
    }
}

void points_back(struct run *run, const struct act *act, const struct truth *truth) {
    for (int64_t n = truth->calls->committed + 1; n <= truth->calls->len; n++) back_from(run, act, truth, n);
}

static void error_point(struct run *run, const struct act *act, const struct truth *truth, struct rig *rig,
                        enum tally tally) {
    char message[RIG_MESSAGE_MAX] = "";
    set_stage(act);
    enum outcome outcome = rig_attempt(act, rig, message);
    /* That an owner or attribute may not be given is survived with a warning: user namespaces. */
    if (rig->error == EPERM && (rig->kind == SYS_CHOWN || rig->kind == SYS_XATTR_SET)) return;
    /* So are times that cannot be set: only the owner may, and a change is not given up for them. */
    if (rig->error && rig->kind == SYS_UTIME) return;
    int allowed = outcome == DONE ? AFTER : outcome == FAILED ? BEFORE : EITHER;
    run->points[tally]++;
    /* Once it is done, staging directories that cannot be removed are left to the next opening. */
    struct world seen = *run->world;
    seen.no_sides = outcome == DONE;
    bool wrong = outcome != NEEDS_RECOVERY && !(state_now(&seen, truth) & allowed);
    if (wrong && getenv("UNPIN_TORTURE_DIFF")) difference_print(run, truth);
    if (wrong) bad(run, tally, outcome == DONE ? "success, but not new" : "failure, but not old", act, rig, message);
    else recover_and_judge(run, tally, act, rig, truth, allowed, NULL);
}

void points_error(struct run *run, const struct act *act, const struct truth *truth) {
    static const int errors[] = {ENOSPC, EDQUOT, EIO,   EROFS,  EACCES, EPERM,
                                 EMFILE, ENOMEM, EINTR, ESTALE, EBUSY,  EXDEV};
    enum tally tally = act->undo ? TALLY_ERROR_UNDO : TALLY_ERROR;
    for (int64_t n = 1; n <= truth->calls->len; n++)
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
            for (int fault = FAULT_ONCE; fault <= FAULT_SHORT; fault++) {
                struct rig rig = {.fault = (enum fault)fault, .when = n, .error = errors[i]};
                bool full = errors[i] == ENOSPC || errors[i] == EDQUOT || errors[i] == EROFS;
                bool write = n >= RIG_CALLS_MAX || truth->calls->kinds[n] == SYS_WRITE;
                if ((fault == FAULT_FULL && !full) || (fault == FAULT_SHORT && (i > 0 || !write))) continue;
                if (chosen(run, run->errors)) error_point(run, act, truth, &rig, tally);
            }
}

void points_crowded(struct run *run, const struct act *act, const struct truth *truth) {
    for (int64_t n = truth->calls->committed + 1; n < truth->calls->applied; n++) {
        struct rig rig = {.fault = FAULT_CROWDED, .when = n, .error = ENOSPC};
        char message[RIG_MESSAGE_MAX] = "";
        if (!chosen(run, run->kills)) continue;
        set_stage(act);
        enum outcome outcome = rig_attempt(act, &rig, message);
        run->points[TALLY_CROWDED]++;
        if (outcome != DONE) bad(run, TALLY_CROWDED, "what was reserved does not help", act, &rig, message);
        else recover_and_judge(run, TALLY_CROWDED, act, &rig, truth, AFTER, NULL);
    }
}

void points_lie(struct run *run, const struct act *act, const struct truth *truth) {
    for (int64_t n = truth->calls->committed + 1; n < truth->calls->applied; n++) {
        struct rig rig = {.fault = FAULT_LIE, .when = n};
        char message[RIG_MESSAGE_MAX] = "";
        if (n >= RIG_CALLS_MAX || truth->calls->kinds[n] != SYS_RENAME || !chosen(run, run->meddles)) continue;
        set_stage(act);
        enum outcome outcome = rig_attempt(act, &rig, message);
        int allowed = outcome == DONE ? AFTER : outcome == FAILED ? BEFORE : EITHER;
        run->points[TALLY_LIE]++;
        recover_and_judge(run, TALLY_LIE, act, &rig, truth, allowed, NULL);
    }
}

static struct str content_now(struct arena *arena, const struct world *world) {
    struct world_texts texts;
    world_look(arena, world, &texts);
    return texts.content;
}

static void meddle_point(struct run *run, const struct act *act, struct rig *rig, struct str expected) {
    struct arena *arena = arena_open();
    struct act undo = {.world = run->world, .scenario = act->scenario, .undo = "1"};
    struct rig none = {.fault = FAULT_NONE};
    char message[RIG_MESSAGE_MAX] = "";
    set_stage(act);
    enum outcome outcome = rig_attempt(act, rig, message);
    run->points[TALLY_MEDDLE]++;
    /* It may go on where it saw what the other wrote: then it kept that for undo. */
    if (outcome == DONE && rig_attempt(&undo, &none, message) != DONE)
        bad(run, TALLY_MEDDLE, "undo failed", act, rig, message);
    else if (outcome == NEEDS_RECOVERY) bad(run, TALLY_MEDDLE, "needs recovery", act, rig, message);
    else if (!str_eq(content_now(arena, run->world), expected))
        bad(run, TALLY_MEDDLE, "what another program wrote is lost", act, rig, message);
    litter_check(run, TALLY_MEDDLE, act, rig);
    arena_close(arena);
}

/* The file that another program replaces; NULL: the scenario replaces none. */
static const char *meddled_path(const struct run *run, const struct act *act, char *buffer) {
    static const char *const paths[SCENARIOS] = {"site/pkg/core.py",
                                                 "site/pkg/__init__.py",
                                                 "site/vendor.pth",
                                                 "site/pkg/data.bin",
                                                 NULL,
                                                 "etc/constraint.txt",
                                                 "site/turn",
                                                 "site/shared/one.py",
                                                 "site/vendor/lib.so"};
    return paths[act->scenario] ? world_at(buffer, run->world, paths[act->scenario]) : NULL;
}

void points_meddle(struct run *run, const struct act *act, const struct truth *truth) {
    char buffer[WORLD_PATH_MAX];
    const char *path = meddled_path(run, act, buffer);
    if (!path) return;
    world_reset(run->world);
    rig_meddle(path);
    struct str expected = content_now(truth->arena, run->world);
    for (int64_t n = 1; n <= truth->calls->prepared; n++) {
        struct rig rig = {.fault = FAULT_MEDDLE, .when = n, .meddle = path};
        if (chosen(run, run->meddles)) meddle_point(run, act, &rig, expected);
    }
}

static void stranger_point(struct run *run, const struct act *act, struct rig *rig, const char *path) {
    struct arena *arena = arena_open();
    char message[RIG_MESSAGE_MAX] = "";
    struct stat st;
    set_stage(act);
    (void)rig_attempt(act, rig, NULL);
    /* What was removed already is nobody's, and what became a directory is no file. */
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        rig_meddle(path);
        struct str found = content_now(arena, run->world);
        run->points[TALLY_STRANGER]++;
        if (recover_plainly(run->world, NULL, message) != NEEDS_RECOVERY)
            bad(run, TALLY_STRANGER, "recovered over what another program wrote", act, rig, message);
        else if (!str_eq(content_now(arena, run->world), found))
            bad(run, TALLY_STRANGER, "touched something, though it asks", act, rig, message);
    }
    arena_close(arena);
}

void points_stranger(struct run *run, const struct act *act, const struct truth *truth) {
    char buffer[WORLD_PATH_MAX];
    const char *path = meddled_path(run, act, buffer);
    for (int64_t n = truth->calls->committed + 1; path && n <= truth->calls->applied; n++) {
        struct rig rig = {.fault = FAULT_KILL, .when = n};
        if (chosen(run, run->meddles)) stranger_point(run, act, &rig, path);
    }
}

/* What the transaction comes to is what the same changes come to by plain calls; undo gives back everything, the times
 * of directories included. */
static void results_check(struct run *run, const struct act *act, const struct truth *truth) {
    struct arena *arena = arena_open();
    struct rig rig = {.fault = FAULT_NONE};
    char message[RIG_MESSAGE_MAX] = "";
    struct act undo = {.world = run->world, .scenario = act->scenario, .undo = "1"};
    struct world_texts before, now;
    world_reset(run->world);
    world_look(arena, run->world, &before);
    world_imitate(run->world, act->scenario);
    run->points[TALLY_RESULT] += 2;
    if (!str_eq(content_now(arena, run->world), truth->after.content))
        bad(run, TALLY_RESULT, "not what it should be", act, &rig, "");
    set_stage(&undo);
    enum outcome outcome = rig_attempt(&undo, &rig, message);
    world_look(arena, run->world, &now);
    if (outcome != DONE) bad(run, TALLY_RESULT, "undo failed", &undo, &rig, message);
    else if (!str_eq(before.exact, now.exact)) bad(run, TALLY_RESULT, "undo is not exact", &undo, &rig, "");
    if (outcome == DONE && getenv("UNPIN_TORTURE_DIFF") && !str_eq(before.exact, now.exact))
        (void)printf("--- before\n%.*s--- now\n%.*s", FMT(before.exact), FMT(now.exact));
    litter_check(run, TALLY_RESULT, &undo, &rig);
    arena_close(arena);
}

void points_measure(struct run *run, const struct act *act, struct truth *truth) {
    struct rig rig = {.fault = FAULT_NONE, .real_sync = true};
    char message[RIG_MESSAGE_MAX] = "";
    truth->calls = arena_new(truth->arena, struct rig_calls, 1);
    *truth->calls = (struct rig_calls){0};
    rig.calls = truth->calls;
    set_stage(act);
    world_look(truth->arena, act->world, &truth->before);
    if (rig_attempt(act, &rig, message) != DONE) {
        (void)fprintf(stderr, "torture: %s: %s\n", scenario_names[act->scenario], message);
        exit(1);
    }
    world_look(truth->arena, act->world, &truth->after);
    if (!act->undo) results_check(run, act, truth);
}

void points_order(struct run *run, const struct act *act) {
    int64_t syncs = 0;
    for (int64_t drop = 0; drop <= syncs; drop++) {
        struct order order = {.other = run->other};
        struct rig rig = {.fault = FAULT_NONE, .drop = drop, .order = &order};
        char message[RIG_MESSAGE_MAX] = "";
        set_stage(act);
        enum outcome outcome = rig_attempt(act, &rig, message);
        order_end(&order);
        if (drop == 0) syncs = rig.syncs;
        enum tally tally = drop ? TALLY_DROP : TALLY_ORDER;
        run->points[tally]++;
        rig.when = drop;
        if (outcome != DONE) bad(run, tally, "failed", act, &rig, message);
        else if (drop == 0 && order.violation) bad(run, tally, "order of syncs", act, &rig, order.violation);
        else if (drop && !order.violation) bad(run, tally, "nobody misses this sync", act, &rig, "");
    }
}
