#include "os/transaction_parts.h"

#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES_MAX = 4096, PARENT_MODE = 0755, MORE_TARGETS = 64 };

/* All that is asked for one path. Positions in ops, -1: nothing. */
struct target {
    const char *path;
    int32_t put, remove, mkdir, rmdir;
    bool parent;         /* must be there for something beneath it */
    bool turns_file;     /* a directory that becomes a file or link */
    int32_t tree, inner; /* as in struct step */
    struct state before;
};

struct maker {
    struct transaction *transaction;
    struct transaction_store *store;
    struct arena *arena;
    struct arena *scratch; /* of what is of no use once the steps are made */
    const struct transaction_op *ops;
    VEC(struct target) targets;
    struct map by_path;
    VEC(struct step) steps;
    VEC(struct touched) touched;
    struct map by_touched;
    bool turning; /* some target turns_file */
};

static bool path_plain(struct str path) {
    if (path.len < 2 || path.len >= PATH_BYTES_MAX || path.data[0] != '/') return false;
    if (str_find_char(path, '\0') >= 0) return false;
    struct str rest = str_from(path, 1);
    while (rest.data) {
        struct str part = str_cut(&rest, '/');
        if (part.len == 0 || str_eq(part, S(".")) || str_eq(part, S(".."))) return false;
    }
    return true;
}

/* The path with its root's links resolved, or an err where it lies beneath no root. */
static struct err *path_resolve(const struct maker *maker, struct str path, const char **ret) {
    const struct transaction_store *store = maker->store;
    int32_t best = -1;
    /* The paths of an undo come from the journal, where they stand resolved. */
    if (maker->transaction->undoing && path_plain(path)) {
        *ret = str_copy_z(maker->arena, path);
        return NULL;
    }
    if (!path_plain(path)) return err_make(maker->arena, ERR_CONFLICT, "'%.*s' is no plain absolute path", FMT(path));
    for (int32_t i = 0; i < store->roots_len; i++) {
        struct str root = store->roots[i];
        if (!str_starts(path, root) || path.len <= root.len + 1 || path.data[root.len] != '/') continue;
        if (best < 0 || root.len > store->roots[best].len) best = i;
    }
    if (best < 0)
        return err_make(maker->arena, ERR_CONFLICT, "'%.*s' lies in none of the directories that may change",
                        FMT(path));
    struct str rest = str_from(path, store->roots[best].len);
    if (str_starts(rest, S("/.unpin")) && (rest.len == 7 || rest.data[7] == '/' || rest.data[7] == '-'))
        return err_make(maker->arena, ERR_CONFLICT, "'%.*s' belongs to the transactions", FMT(path));
    struct str real = store->roots_real[best];
    char *resolved = arena_alloc(maker->arena, real.len + rest.len + 1);
    if (real.len) memcpy(resolved, real.data, (size_t)real.len);
    memcpy(resolved + real.len, rest.data, (size_t)rest.len);
    *ret = resolved;
    return NULL;
}

static int32_t target_add(struct maker *maker, const char *path) {
    int32_t at = map_find(&maker->by_path, str_of(path));
    if (at >= 0) return at;
    at = (int32_t)maker->targets.len;
    *vec_push(maker->scratch, &maker->targets) =
        (struct target){.path = path, .put = -1, .remove = -1, .mkdir = -1, .rmdir = -1, .tree = -1};
    map_add(maker->scratch, &maker->by_path, str_of(path), at);
    return at;
}

static struct err *source_bad(const struct maker *maker, struct str source) {
    return err_make(maker->arena, ERR_INTERNAL, "'%.*s' is no staged file", FMT(source));
}

/* The number of a staged file or directory, and its path within that directory (empty: it is the thing itself). */
static struct err *source_parse(const struct maker *maker, struct str source, int32_t *ret_number,
                                struct str *ret_inner) {
    struct str rest = source, dir = str_of(maker->transaction->dir), name;
    int64_t number;
    if (!str_starts(rest, dir)) return source_bad(maker, source);
    rest = str_from(rest, dir.len);
    if (!str_starts(rest, S("/new/"))) return source_bad(maker, source);
    rest = str_from(rest, 5);
    name = str_cut(&rest, '/');
    if (!str_to_int(name, &number) || number < 0 || number >= maker->transaction->next)
        return source_bad(maker, source);
    *ret_number = (int32_t)number;
    *ret_inner = rest;
    return NULL;
}

/* Notes which staged directory a target comes with, or that it is one. */
static struct err *tree_note(const struct maker *maker, const struct transaction_op *op, struct target *target) {
    struct str path = str_of(target->path), inner = {0};
    int32_t number = -1;
    if (op->source.len == 0 || (op->kind != TRANSACTION_PUT && op->kind != TRANSACTION_MKDIR)) return NULL;
    TRY(source_parse(maker, op->source, &number, &inner));
    if (op->kind == TRANSACTION_MKDIR) {
        if (inner.len) return source_bad(maker, op->source);
        target->tree = number;
    } else if (inner.len) {
        if (inner.len + 1 >= path.len || !str_ends(path, inner) || path.data[path.len - inner.len - 1] != '/')
            return source_bad(maker, op->source);
        target->tree = number;
        target->inner = (int32_t)(path.len - inner.len);
    }
    return NULL;
}

static struct err *op_add(struct maker *maker, int32_t number) {
    const struct transaction_op *op = &maker->ops[number];
    const char *path = NULL;
    TRY(path_resolve(maker, op->path, &path));
    int32_t at = target_add(maker, path);
    assert(maker->targets.data);
    struct target *target = &maker->targets.data[at];
    switch (op->kind) {
    case TRANSACTION_PUT:
    case TRANSACTION_LINK:
    case TRANSACTION_EDIT:
        if (target->put >= 0) return err_make(maker->arena, ERR_CONFLICT, "'%s' would be written twice", path);
        target->put = number;
        break;
    case TRANSACTION_REMOVE:
        /* A backed-up removal wins over a disposable one. */
        if (target->remove < 0 || maker->ops[target->remove].flags & TRANSACTION_DISPOSABLE) target->remove = number;
        break;
    case TRANSACTION_MKDIR: target->mkdir = number; break;
    case TRANSACTION_RMDIR: target->rmdir = number; break;
    }
    return tree_note(maker, op, target);
}

/* The directories between a carried file and the staged directory that it comes with are in there too. */
static void parents_carried(struct maker *maker, const struct target *carried) {
    int32_t tree = carried->tree, inner = carried->inner;
    struct str up = str_of(carried->path);
    for (up.len = str_find_last(up, '/'); up.len > inner; up.len = str_find_last(up, '/')) {
        /* Mostly it is there: its name is copied only where it is not. */
        int32_t at = map_find(&maker->by_path, up);
        if (at < 0) at = target_add(maker, str_copy_z(maker->arena, up));
        struct target *target = &maker->targets.data[at];
        if (target->parent) return;
        target->parent = true;
        target->tree = tree;
        target->inner = inner;
    }
}

/* Sees to it that the directories above a new file are there or get made. */
static struct err *parents_add(struct maker *maker, const char *path) {
    for (const char *up = path_parent(maker->arena, path);; up = path_parent(maker->arena, up)) {
        struct sys_stat st;
        int32_t at = map_find(&maker->by_path, str_of(up));
        if (at >= 0 && maker->targets.data[at].parent) return NULL;
        int status = sys_stat(maker->store->sys, up, &st);
        if (status) return err_errno(maker->arena, status, "cannot look at '%s'", up);
        if (st.type == SYS_DIR && at < 0) return NULL;
        at = target_add(maker, up);
        struct target *target = &maker->targets.data[at];
        target->parent = true;
        if (target->put >= 0) return err_make(maker->arena, ERR_CONFLICT, "'%s' would be a file and a directory", up);
        if (st.type == SYS_DIR) return NULL;
        if (st.type != SYS_NONE) {
            if (target->remove < 0) return err_make(maker->arena, ERR_CONFLICT, "'%s' is not a directory", up);
            return NULL;
        }
        if (strcmp(up, "/") == 0) return NULL;
    }
}

static struct step *step_add(struct maker *maker, const struct target *target, enum transaction_kind kind,
                             enum phase phase, int32_t op) {
    struct step *step = vec_push(maker->arena, &maker->steps);
    *step = (struct step){.kind = kind, .phase = phase, .path = target->path, .before = target->before};
    if (op >= 0) step->flags = maker->ops[op].flags;
    step->number = maker->transaction->next++;
    step->op = op;
    step->tree = -1;
    return step;
}

/* The directory of a carried target must be one that is staged. */
static struct err *tree_give(const struct maker *maker, const struct target *target, struct step *step) {
    int32_t at = map_find(&maker->by_path, (struct str){target->path, target->inner - 1});
    if (at < 0 || maker->targets.data[at].tree != target->tree || maker->targets.data[at].inner != 0 ||
        step->phase > PHASE_PUT || target->remove >= 0)
        return err_make(maker->arena, ERR_INTERNAL, "'%s' comes with no staged directory", target->path);
    step->tree = target->tree;
    step->inner = target->inner;
    return NULL;
}

/* True if `path` lies beneath a directory that becomes a file. */
static bool beneath_turning(const struct maker *maker, const char *path) {
    if (!maker->turning) return false;
    for (ptrdiff_t len = (ptrdiff_t)strlen(path) - 1; len > 0; len--) {
        if (path[len] != '/') continue;
        int32_t at = map_find(&maker->by_path, (struct str){path, len});
        if (at >= 0 && maker->targets.data[at].turns_file) return true;
    }
    return false;
}

static struct err *put_step(struct maker *maker, const struct target *target) {
    const struct transaction_op *op = &maker->ops[target->put];
    enum phase phase = PHASE_PUT;
    if (op->flags & TRANSACTION_MARK) phase = PHASE_MARK;
    else if (op->flags & TRANSACTION_LATE) phase = PHASE_PUT_LATE;
    if (op->kind == TRANSACTION_EDIT) phase = PHASE_EDIT;
    if (op->kind == TRANSACTION_EDIT && target->before.type != SYS_FILE)
        return err_make(maker->arena, ERR_CHANGED, "'%s' is not there or no regular file", target->path);
    if (target->turns_file) (void)step_add(maker, target, TRANSACTION_RMDIR, PHASE_MAKE_ROOM, target->rmdir);
    struct step *step = step_add(maker, target, op->kind, phase, target->put);
    if (target->turns_file) {
        maker->steps.data[maker->steps.len - 2].vanishes = true;
        step->before = (struct state){0};
    }
    step->edit = op->kind == TRANSACTION_EDIT;
    step->vanishes = target->turns_file || (phase == PHASE_MARK && step->before.type != SYS_NONE);
    step->new_bytes = op->text;
    if (target->inner) return tree_give(maker, target, step);
    /* The staged file keeps the number it was given; the source is checked where it is taken over. */
    struct str inner;
    return op->kind == TRANSACTION_PUT ? source_parse(maker, op->source, &step->number, &inner) : NULL;
}

static struct err *mkdir_step(struct maker *maker, const struct target *target) {
    if (target->tree >= 0 && target->before.type != SYS_NONE)
        return err_make(maker->arena, ERR_CHANGED, "'%s' was made by another process meanwhile", target->path);
    if (target->before.type == SYS_DIR) return NULL;
    if (target->before.type != SYS_NONE) {
        if (target->remove < 0) return err_make(maker->arena, ERR_CONFLICT, "'%s' is not a directory", target->path);
        struct step *gone = step_add(maker, target, TRANSACTION_REMOVE, PHASE_MAKE_ROOM, target->remove);
        gone->flags &= ~ANY_STATE;
        gone->vanishes = true;
    }
    struct step *step = step_add(maker, target, TRANSACTION_MKDIR, PHASE_MKDIR, target->mkdir);
    step->vanishes = step->before.type != SYS_NONE;
    step->before = (struct state){0};
    step->after = (struct state){.type = SYS_DIR, .mode = PARENT_MODE, .uid = UINT32_MAX, .gid = UINT32_MAX};
    if (target->inner) return tree_give(maker, target, step);
    if (target->tree >= 0) step->number = step->tree = target->tree;
    if (target->mkdir < 0) return NULL;
    step->after.mode = maker->ops[target->mkdir].mode & 01777;
    if (maker->transaction->exact) step->after = maker->transaction->exact[target->mkdir];
    return NULL;
}

static struct err *removal_step(struct maker *maker, const struct target *target) {
    bool room = beneath_turning(maker, target->path);
    if (target->remove >= 0 && target->before.type != SYS_NONE && target->before.type != SYS_DIR) {
        uint32_t flags = maker->ops[target->remove].flags;
        enum phase phase = flags & TRANSACTION_MARK ? PHASE_UNMARK : PHASE_REMOVE;
        if (room) phase = PHASE_MAKE_ROOM;
        else if (flags & ANY_STATE) phase = PHASE_DERIVED;
        struct step *step = step_add(maker, target, TRANSACTION_REMOVE, phase, target->remove);
        step->vanishes = true;
    } else if (target->rmdir >= 0 && target->before.type == SYS_DIR) {
        struct step *step =
            step_add(maker, target, TRANSACTION_RMDIR, room ? PHASE_MAKE_ROOM : PHASE_RMDIR, target->rmdir);
        step->vanishes = true;
    } else if (target->remove >= 0 && target->before.type == SYS_DIR) {
        return err_make(maker->arena, ERR_CONFLICT, "'%s' is a directory", target->path);
    }
    return NULL;
}

/* Reads what is there and decides what becomes of it. */
static struct err *target_look(struct maker *maker, struct target *target) {
    bool disposable =
        target->put < 0 && target->remove >= 0 && maker->ops[target->remove].flags & TRANSACTION_DISPOSABLE;
    /* What comes with a directory that is not there yet cannot be there either. */
    if (!target->inner) TRY(file_state(maker->store, target->path, !disposable, &target->before));
    if (target->before.type == SYS_OTHER)
        return err_make(maker->arena, ERR_CONFLICT, "'%s' is neither file nor directory nor link", target->path);
    if (target->put >= 0 && (target->mkdir >= 0 || target->parent))
        return err_make(maker->arena, ERR_CONFLICT, "'%s' would be a file and a directory", target->path);
    if (target->put >= 0 && target->before.type == SYS_DIR) {
        if (target->rmdir < 0) return err_make(maker->arena, ERR_CONFLICT, "'%s' is a directory", target->path);
        target->turns_file = maker->turning = true;
    }
    return NULL;
}

static int step_order(const void *a, const void *b) {
    const struct step *x = a, *y = b;
    if (x->phase != y->phase) return x->phase < y->phase ? -1 : 1;
    int order = strcmp(x->path, y->path);
    return x->phase == PHASE_MAKE_ROOM || x->phase == PHASE_RMDIR ? -order : order;
}

static struct err *touch(struct maker *maker, const char *path) {
    struct sys_stat st;
    if (map_find(&maker->by_touched, str_of(path)) >= 0) return NULL;
    int status = sys_stat(maker->store->sys, path, &st);
    if (status) return err_errno(maker->arena, status, "cannot look at '%s'", path);
    map_add(maker->scratch, &maker->by_touched, str_of(path), (int32_t)maker->touched.len);
    *vec_push(maker->arena, &maker->touched) =
        (struct touched){path, st.type == SYS_DIR ? st.mtime_ns : NO_TIME, NO_TIME};
    return NULL;
}

static struct err *sources_distinct(const struct maker *maker) {
    bool *seen = arena_new(maker->scratch, bool, maker->transaction->next);
    for (ptrdiff_t i = 0; i < maker->steps.len; i++) {
        int32_t number = maker->steps.data[i].number;
        if (seen[number]) return err_make(maker->arena, ERR_INTERNAL, "staged file %d is used twice", number);
        seen[number] = true;
    }
    return NULL;
}

static struct err *maker_run(struct maker *maker, int32_t len, struct journal *journal, str_vec *warnings) {
    const struct transaction_op *ops = maker->ops;
    /* Room at once for what mostly comes: growing leaves the smaller ones behind in the arena. */
    ptrdiff_t room = (ptrdiff_t)len + len / 2 + MORE_TARGETS;
    maker->targets.data = arena_new(maker->scratch, struct target, room);
    maker->targets.cap = room;
    for (int32_t i = 0; i < len; i++) TRY(op_add(maker, i));
    for (ptrdiff_t i = 0, asked = maker->targets.len; i < asked; i++) {
        struct target *target = &maker->targets.data[i];
        if (target->inner) parents_carried(maker, target);
        else if (target->put >= 0 || target->mkdir >= 0) TRY(parents_add(maker, target->path));
    }
    maker->steps.cap = maker->targets.len + MORE_TARGETS;
    maker->steps.data = arena_new(maker->arena, struct step, maker->steps.cap);
    for (ptrdiff_t i = 0; i < maker->targets.len; i++) {
        struct target *target = &maker->targets.data[i];
        if (!target->inner || i % INTERRUPTED_EVERY == 0) TRY(transaction_interrupted(maker->store));
        TRY(target_look(maker, target));
    }
    for (ptrdiff_t i = 0; i < maker->targets.len; i++) {
        const struct target *target = &maker->targets.data[i];
        if (target->put >= 0) TRY(put_step(maker, target));
        else if (target->mkdir >= 0 || target->parent) TRY(mkdir_step(maker, target));
        else TRY(removal_step(maker, target));
        if (target->put >= 0 && ops[target->put].kind == TRANSACTION_EDIT) {
            struct sys_stat st;
            if (sys_stat(maker->store->sys, target->path, &st) == 0 && st.nlink > 1)
                *vec_push(maker->arena, warnings) = str_format(
                    maker->arena, "'%s' has %u names; only this one gets the new text", target->path, st.nlink);
        }
    }
    TRY(sources_distinct(maker));
    if (maker->steps.len) qsort(maker->steps.data, (size_t)maker->steps.len, sizeof *maker->steps.data, step_order);
    for (ptrdiff_t i = 0; i < maker->steps.len; i++)
        if (!step_carried(&maker->steps.data[i]))
            TRY(touch(maker, path_parent(maker->arena, maker->steps.data[i].path)));
    journal->steps = maker->steps.data;
    journal->steps_len = (int32_t)maker->steps.len;
    journal->touched = maker->touched.data;
    journal->touched_len = (int32_t)maker->touched.len;
    return NULL;
}

struct err *steps_make(struct transaction *transaction, const struct transaction_op *ops, int32_t len,
                       struct journal *journal, str_vec *warnings) {
    struct maker maker = {.transaction = transaction, .store = transaction->store, .ops = ops};
    maker.arena = transaction->store->arena;
    if (len > TRANSACTION_OPS_MAX) return err_make(maker.arena, ERR_LIMIT, "%d file operations at once", len);
    maker.scratch = arena_open();
    struct err *err = maker_run(&maker, len, journal, warnings);
    arena_close(maker.scratch);
    return err;
}
