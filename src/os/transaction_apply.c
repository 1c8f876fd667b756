#include "os/transaction_parts.h"

#include <errno.h>
#include <string.h>

enum { SETTLED_NS = 20000000 /* more than the clock of file times takes for a step */ };

/*
 * Going forward is redo: a step is done if its new/N is gone (PUT, LINK) or what it removes is gone, and doing it again
 * after a crash does no harm.
 */

static bool exists(struct transaction_store *store, const char *path, int *status, enum sys_type *ret_type) {
    struct sys_stat st = {0};
    *status = sys_stat(store->sys, path, &st);
    if (ret_type) *ret_type = st.type;
    return *status == 0 && st.type != SYS_NONE;
}

static int put(struct transaction_store *store, const struct journal *journal, const struct step *step) {
    int status;
    const char *staged = step_staged(store->arena, journal, step);
    if (!exists(store, staged, &status, NULL)) return status;
    return sys_rename(store->sys, staged, step->path);
}

static int remove_file(struct transaction_store *store, const struct step *step) {
    int status;
    enum sys_type type = SYS_NONE;
    /* A directory has taken the place already if this is done again. */
    if (!exists(store, step->path, &status, &type) || type == SYS_DIR) return status;
    status = sys_unlink(store->sys, step->path);
    return status == ENOENT ? 0 : status;
}

static int remove_dir(struct transaction_store *store, const struct step *step) {
    int status;
    enum sys_type type = SYS_NONE;
    if (!exists(store, step->path, &status, &type) || type != SYS_DIR) return status;
    status = sys_rmdir(store->sys, step->path);
    bool may_stay = step->phase == PHASE_RMDIR && (status == ENOTEMPTY || status == EEXIST);
    return may_stay || status == ENOENT ? 0 : status;
}

/* Mode, owner and xattrs of a directory that is made (again). */
static int dir_attributes(struct transaction_store *store, const char *path, const struct state *state) {
    int fd = -1, status = 0;
    if (state->uid != UINT32_MAX) status = sys_chown(store->sys, path, state->uid, state->gid);
    if (status == EPERM || status == EINVAL) status = 0;
    if (status) return status;
    status = sys_open(store->sys, path, false, &fd);
    if (status) return status;
    status = sys_chmod(store->sys, fd, state->mode);
    for (int32_t i = 0; status == 0 && i < state->xattrs_len; i++) {
        status = sys_xattr_set(store->sys, fd, state->xattrs[i].name, state->xattrs[i].value);
        if (status == EPERM || status == ENOTSUP || status == EINVAL) status = 0;
    }
    int closed = sys_close(store->sys, fd);
    return status ? status : closed;
}

int dir_make(struct transaction_store *store, const char *path, const struct state *state) {
    int status = sys_mkdir(store->sys, path, state->mode);
    if (status == EEXIST) {
        enum sys_type type = SYS_NONE;
        if (exists(store, path, &status, &type) && type != SYS_DIR) status = ENOTDIR;
    }
    return status ? status : dir_attributes(store, path, state);
}

static int step_forward(struct transaction_store *store, const struct journal *journal, const struct step *step) {
    int status = 0;
    if (step_carried(step)) return 0;
    switch (step->kind) {
    case TRANSACTION_PUT:
    case TRANSACTION_LINK: return put(store, journal, step);
    case TRANSACTION_REMOVE: return remove_file(store, step);
    case TRANSACTION_MKDIR:
        if (step->tree >= 0) return put(store, journal, step);
        return dir_make(store, step->path, &step->after);
    case TRANSACTION_RMDIR: return remove_dir(store, step);
    case TRANSACTION_EDIT: {
        struct err *err = file_overwrite(store, step->path, step->new_bytes);
        if (err) status = err->kind == ERR_SPACE ? ENOSPC : EIO;
        return status;
    }
    }
    return EINVAL;
}

/* The old file under a mark that is replaced goes before anything else. Once its new/N is gone the file there is the
 * new one. */
static int unmark(struct transaction_store *store, const struct journal *journal, const struct step *step) {
    int status;
    const char *staged = side_path(store->arena, &journal->sides[step->side], "new", step->number);
    if (step->before.type == SYS_NONE || step->before.type == SYS_DIR) return 0;
    if (!exists(store, staged, &status, NULL)) return status;
    return remove_file(store, step);
}

/* A full disk gets one more chance without the ballast. */
static int with_ballast(struct transaction_store *store, const struct journal *journal, const struct step *step,
                        int (*act)(struct transaction_store *, const struct journal *, const struct step *),
                        bool *spent) {
    int status = act(store, journal, step);
    if ((status != ENOSPC && status != EDQUOT) || *spent) return status;
    *spent = true;
    ballast_remove(store, journal);
    return act(store, journal, step);
}

struct err *transaction_apply(struct transaction_store *store, const struct journal *journal) {
    bool spent = false, unmarked = false;
    for (int32_t i = 0; i < journal->steps_len; i++) {
        const struct step *step = &journal->steps[i];
        struct arena_mark mark = arena_mark(store->arena);
        int status = 0;
        if (!unmarked && step->phase > PHASE_EDIT) {
            unmarked = true;
            for (int32_t j = 0; j < journal->steps_len && status == 0; j++)
                if (journal->steps[j].phase == PHASE_MARK)
                    status = with_ballast(store, journal, &journal->steps[j], unmark, &spent);
        }
        if (status == 0) status = with_ballast(store, journal, step, step_forward, &spent);
        arena_rewind(store->arena, mark);
        if (status) return err_errno(store->arena, status, "cannot change '%s'", step->path);
    }
    return NULL;
}

static struct err *side_sync(struct transaction_store *store, const struct side *side) {
    int status = sys_syncfs(store->sys, side->dir);
    return status ? err_errno(store->arena, status, "cannot make '%s' durable", side->dir) : NULL;
}

struct err *sides_sync(struct transaction_store *store, const struct journal *journal) {
    for (int32_t i = 0; i < journal->sides_len; i++) TRY(side_sync(store, &journal->sides[i]));
    return NULL;
}

struct err *live_sync(struct transaction_store *store, const struct journal *journal) {
    bool changed[TRANSACTION_SIDES_MAX] = {false};
    for (int32_t i = 0; i < journal->steps_len; i++) {
        const struct step *step = &journal->steps[i];
        if (step->kind != TRANSACTION_EDIT) {
            changed[step->side] = true;
            continue;
        }
        /* It is a mount of its own. */
        int status = sys_fsync_path(store->sys, step->path);
        if (status) return err_errno(store->arena, status, "cannot make '%s' durable", step->path);
    }
    for (int32_t i = 0; i < journal->sides_len; i++)
        if (changed[i]) TRY(side_sync(store, &journal->sides[i]));
    return NULL;
}

static bool content_eq(const struct state *a, const struct state *b) {
    if (a->type != b->type) return false;
    if (a->type == SYS_FILE) return a->size == b->size && memcmp(a->hash, b->hash, HASH_SIZE) == 0;
    return a->type != SYS_LINK || str_eq(a->link, b->link);
}

/* A write in place may be torn: every byte is the old one, the new one or a hole. */
static struct err *torn(struct transaction_store *store, const struct step *step, bool *ret) {
    struct str now;
    bool ok = true;
    TRY(tree_file_read(store, step->path, TRANSACTION_EDIT_MAX, &now));
    for (ptrdiff_t i = 0; i < now.len && ok; i++)
        ok = now.data[i] == 0 || (i < step->old_bytes.len && now.data[i] == step->old_bytes.data[i]) ||
             (i < step->new_bytes.len && now.data[i] == step->new_bytes.data[i]);
    *ret = ok;
    return NULL;
}

/* True where what is at the step's path is as before, as after, or as it may be in between. */
static struct err *expected(struct transaction_store *store, const struct step *step, bool *ret) {
    struct state now;
    *ret = true;
    if (step->flags & ANY_STATE || step->kind == TRANSACTION_RMDIR) return NULL;
    TRY(file_state(store, step->path, false, &now));
    bool type_known = now.type == step->before.type || now.type == step->after.type;
    bool between = step->vanishes && (now.type == SYS_NONE || now.type == SYS_DIR);
    if (between) return NULL;
    *ret = type_known;
    if (!type_known || now.type == SYS_NONE || now.type == SYS_DIR) return NULL;
    if (step->kind == TRANSACTION_EDIT) return torn(store, step, ret);
    TRY(file_state(store, step->path, true, &now));
    *ret = content_eq(&now, &step->before) || content_eq(&now, &step->after);
    return NULL;
}

struct err *transaction_strangers(struct transaction_store *store, const struct journal *journal, str_vec *ret) {
    for (int32_t i = 0; i < journal->steps_len; i++) {
        const struct step *step = &journal->steps[i];
        bool ok;
        TRY(expected(store, step, &ok));
        /* A path that changes its type has two steps; what fits one of them is expected. */
        for (int32_t j = 0; !ok && step->vanishes && j < journal->steps_len; j++)
            if (j != i && strcmp(journal->steps[j].path, step->path) == 0)
                TRY(expected(store, &journal->steps[j], &ok));
        if (!ok) *vec_push(store->arena, ret) = str_of(step->path);
    }
    return NULL;
}

/* The very file that was staged: its bytes were hashed then, and need not be read again. What a transaction that is
 * recovered had staged is known by its size alone. Where its attributes were changed since (by another name of it that
 * came or went) its bytes are looked at. */
static struct err *staged_one(struct transaction_store *store, const struct step *step, const struct sys_stat *now,
                              bool *ret) {
    const struct state *after = &step->after;
    unsigned char hash[HASH_SIZE];
    *ret = true;
    if (step->kind != TRANSACTION_PUT || after->inode == 0 || after->type != SYS_FILE) return NULL;
    *ret = now->inode == after->inode && now->mtime_ns == after->mtime_ns;
    if (!*ret || !step_carried(step) || now->ctime_ns == after->ctime_ns) return NULL;
    TRY(file_hash(store, step->path, hash));
    *ret = memcmp(hash, after->hash, HASH_SIZE) == 0;
    return NULL;
}

/* Notes the times that a new file has in its place. Too short after its last change they say nothing: the next change
 * might leave the same. */
static void note_times(struct step *step, int64_t ctime_ns, int64_t clock_ns) {
    if (step->kind != TRANSACTION_PUT || step->after.type != SYS_FILE) return;
    step->after.ctime_ns = ctime_ns;
    if (ctime_ns > clock_ns - SETTLED_NS) step->after.inode = 0;
}

/* The directory that was looked into last, held open: of those that follow each other most lie in one. */
struct near {
    struct str dir;
    int fd; /* -1: none */
};

/* A look at everything, at the end. */
struct look {
    struct near near;
    int64_t clock_ns;
    bool is_moved; /* every staged directory is at its place, by its inode */
};

/* As sys_stat_known. */
static int near_stat(struct transaction_store *store, struct near *near, const char *path, struct sys_stat *ret) {
    struct str whole = str_of(path);
    ptrdiff_t slash = str_find_last(whole, '/');
    struct str dir = str_slice(whole, 0, slash);
    if (slash <= 0) return sys_stat_known(store->sys, path, ret);
    if (!str_eq(near->dir, dir)) {
        if (near->fd >= 0) (void)sys_close(store->sys, near->fd);
        near->fd = -1;
        near->dir = dir;
        if (sys_dir(store->sys, str_copy_z(store->arena, dir), &near->fd)) near->fd = -1;
    }
    return near->fd < 0 ? sys_stat_known(store->sys, path, ret)
                        : sys_stat_at(store->sys, near->fd, path + slash + 1, ret);
}

static struct err *step_check(struct transaction_store *store, struct step *step, struct look *look,
                              str_vec *warnings) {
    struct sys_stat now;
    struct arena_mark mark = arena_mark(store->arena);
    int status = near_stat(store, &look->near, step->path, &now);
    if (status) return err_errno(store->arena, status, "cannot look at '%s'", step->path);
    arena_rewind(store->arena, mark);
    bool ok = true;
    if (step->phase == PHASE_RMDIR) {
        if (now.type == SYS_DIR)
            *vec_push(store->arena, warnings) =
                str_format(store->arena, "the directory '%s' is not empty and stays", step->path);
    } else if (step->phase == PHASE_MAKE_ROOM || step->flags & ANY_STATE) {
        ok = true; /* what came in its place is checked by its own step */
    } else {
        bool dir = now.type == SYS_DIR;
        ok = now.type == step->after.type && (dir || now.size == step->after.size);
        if (ok) TRY(staged_one(store, step, &now, &ok));
    }
    if (!ok) return err_make(store->arena, ERR_CHANGED, "'%s' is not what was just installed", step->path);
    /* Another directory, or one that a union of file systems numbers anew. */
    if (step->tree >= 0 && !step_carried(step) && now.inode != step->after.inode) look->is_moved = false;
    note_times(step, now.ctime_ns, look->clock_ns);
    return NULL;
}

/* True for what came with the very directory that it was staged in: nothing in it can have been lost. */
static bool came_along(const struct look *look, const struct step *step) {
    if (!step_carried(step)) return false;
    return step->kind == TRANSACTION_MKDIR || (look->is_moved && step->after.inode != 0);
}

/* Looks that everything is as it should be, without reading bytes. */
static struct err *finish_check(struct transaction_store *store, const struct journal *journal, str_vec *warnings) {
    struct look look = {.near = {.fd = -1}, .clock_ns = sys_now_ns(), .is_moved = true};
    struct err *err = NULL;
    for (int32_t i = 0; i < journal->steps_len && !err; i++) {
        struct step *step = &journal->steps[i];
        /* Directories come before what is in them. */
        if (came_along(&look, step)) note_times(step, step->after.ctime_ns, look.clock_ns);
        else err = step_check(store, step, &look, warnings);
    }
    if (look.near.fd >= 0) (void)sys_close(store->sys, look.near.fd);
    return err;
}

static void times_set(struct transaction_store *store, const struct journal *journal) {
    for (int32_t i = 0; i < journal->touched_len; i++)
        if (journal->touched[i].after != NO_TIME)
            (void)sys_utime(store->sys, journal->touched[i].path, journal->touched[i].after);
}

/* What is of no use any more. False where something of it stays, which the next opening removes. */
static bool clean(struct transaction_store *store, const struct journal *journal) {
    const char *own = journal->sides[0].dir;
    for (int32_t i = 1; i < journal->sides_len; i++)
        if (tree_remove(store, journal->sides[i].dir)) return false;
    static const char *const parts[] = {"new", "spare", "ballast", "scratch"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (tree_remove(store, str_format(store->arena, "%s/%s", own, parts[i]).data)) return false;
    if (journal->no_undo && tree_remove(store, str_format(store->arena, "%s/old", own).data)) return false;
    if (journal->sides_len > 1) times_set(store, journal);
    return sys_unlink(store->sys, transaction_path(store, "intent")) == 0;
}

struct err *transaction_finish(struct transaction_store *store, const struct journal *journal, str_vec *warnings) {
    const char *done = str_format(store->arena, "%s/done", journal->sides[0].dir).data;
    times_set(store, journal);
    TRY(live_sync(store, journal));
    TRY(finish_check(store, journal, warnings));
    const char *from = transaction_path(store, "journal");
    int status = sys_rename(store->sys, from, done);
    if (status == ENOSPC || status == EDQUOT) {
        ballast_remove(store, journal);
        status = sys_rename(store->sys, from, done);
    }
    if (status) return err_errno(store->arena, status, "cannot finish the journal");
    status = sys_fsync_path(store->sys, store->dir);
    if (status == 0) status = sys_fsync_path(store->sys, journal->sides[0].dir);
    if (status) return err_errno(store->arena, status, "cannot make '%s' durable", store->dir);
    if (!clean(store, journal))
        *vec_push(store->arena, warnings) =
            S("not all that was staged could be removed; the next change, or `unpin recover`, removes the rest");
    return NULL;
}
