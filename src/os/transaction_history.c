#include "os/transaction_parts.h"

#include "base/buf.h"
#include "base/map.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { CONFLICTS_SHOWN = 20 };

/* The journal of a finished transaction. */
static struct err *done_read(struct transaction_store *store, struct str id, struct journal *ret) {
    struct str bytes;
    struct sys_stat st;
    const char *path = str_format(store->arena, "%s/%.*s/done", store->dir, FMT(id)).data;
    int64_t number;
    bool plain = id.len > 0 && id.len < 10 && str_to_int(id, &number) && id.data[0] != '0';
    int status = plain ? sys_stat(store->sys, path, &st) : 0;
    if (status) return err_errno(store->arena, status, "cannot look at '%s'", path);
    if (!plain || st.type == SYS_NONE)
        return err_make(store->arena, ERR_REQUEST, "there is no transaction '%.*s'", FMT(id));
    TRY(tree_file_read(store, path, JOURNAL_MAX, &bytes));
    if (journal_parse(store->arena, bytes, ret) && str_eq(ret->id, id)) return NULL;
    return err_make(store->arena, ERR_MALFORMED, "'%s' is damaged", path);
}

static int number_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    if (x->len != y->len) return x->len < y->len ? -1 : 1;
    return str_cmp(*x, *y);
}

/* The numbers of finished transactions, ascending. With `strict` one that cannot be looked at is an error. */
static struct err *ids_list(struct transaction_store *store, bool strict, struct str **ret, int32_t *ret_len) {
    struct str *names = NULL;
    int32_t len = 0, kept = 0;
    struct sys_stat st;
    int status = sys_list(store->sys, store->arena, store->dir, &names, &len);
    if (status == ENOENT) status = len = 0;
    if (status) return err_errno(store->arena, status, "cannot list '%s'", store->dir);
    for (int32_t i = 0; i < len; i++) {
        int64_t n;
        if (names[i].len >= 10 || !str_to_int(names[i], &n)) continue;
        const char *path = str_format(store->arena, "%s/%.*s/done", store->dir, FMT(names[i])).data;
        status = sys_stat(store->sys, path, &st);
        if (status && strict) return err_errno(store->arena, status, "cannot look at '%s'", path);
        if (status == 0 && st.type == SYS_FILE) names[kept++] = names[i];
    }
    if (kept) qsort(names, (size_t)kept, sizeof *names, number_order);
    *ret = names;
    *ret_len = kept;
    return NULL;
}

static void entry_fill(struct transaction_store *store, const struct journal *journal, struct transaction_entry *ret) {
    struct sys_stat st = {0};
    const char *dir = str_format(store->arena, "%s/%.*s", store->dir, FMT(journal->id)).data;
    *ret = (struct transaction_entry){.id = journal->id,
                                      .time = journal->time,
                                      .description = journal->description,
                                      .undoes = journal->undoes,
                                      .bytes = tree_size(store->sys, store->arena, dir)};
    (void)sys_stat(store->sys, str_format(store->arena, "%s/old", dir).data, &st);
    ret->undoable = st.type == SYS_DIR;
    for (int32_t i = 0; i < journal->steps_len; i++) {
        const struct step *step = &journal->steps[i];
        if (step->edit) ret->edits++;
        else if (step->kind == TRANSACTION_PUT || step->kind == TRANSACTION_LINK) ret->puts++;
        else if (step->kind == TRANSACTION_REMOVE && !(step->flags & ANY_STATE)) ret->removes++;
    }
}

/* An undo counts only while it is not itself undone; later ones are looked at first. */
static void undone_mark(struct transaction_entry *entries, int32_t len) {
    for (int32_t i = len - 1; i >= 0; i--) {
        if (entries[i].undoes.len == 0 || entries[i].undone_by.len) continue;
        for (int32_t j = 0; j < i; j++)
            if (str_eq(entries[j].id, entries[i].undoes)) entries[j].undone_by = entries[i].id;
    }
    for (int32_t i = 0; i < len; i++)
        if (entries[i].undone_by.len) entries[i].undoable = false;
}

/* What cannot be read is a problem; with `strict` only what is damaged is one, and all else an error. */
static struct err *entries_list(struct transaction_store *store, bool strict, struct transaction_entry **ret,
                                int32_t *ret_len, str_vec *problems) {
    struct str *ids = NULL;
    int32_t ids_len = 0;
    VEC(struct transaction_entry) entries = {0};
    TRY(ids_list(store, strict, &ids, &ids_len));
    for (int32_t i = 0; i < ids_len; i++) {
        struct journal journal;
        struct err *err = done_read(store, ids[i], &journal);
        if (err && strict && err->kind != ERR_MALFORMED) return err;
        if (err) *vec_push(store->arena, problems) = err_format(store->arena, err);
        else entry_fill(store, &journal, vec_push(store->arena, &entries));
    }
    undone_mark(entries.data, (int32_t)entries.len);
    *ret = entries.data;
    *ret_len = (int32_t)entries.len;
    return NULL;
}

struct err *transaction_list(struct arena *arena, const struct sys *sys, struct str site,
                             const struct transaction_entry **ret, int32_t *ret_len, const struct str **ret_problems,
                             int32_t *ret_problems_len) {
    char real[PATH_MAX];
    struct transaction_store store = {.arena = arena, .sys = sys ? sys : sys_real()};
    struct transaction_entry *entries = NULL;
    str_vec problems = {0};
    if (!realpath(str_copy_z(arena, site), real)) return err_errno(arena, errno, "cannot resolve '%.*s'", FMT(site));
    store.dir = str_format(arena, "%s/.unpin", real).data;
    TRY(entries_list(&store, false, &entries, ret_len, &problems));
    *ret = entries;
    if (ret_problems) *ret_problems = problems.data;
    if (ret_problems_len) *ret_problems_len = (int32_t)problems.len;
    return NULL;
}

static int path_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

struct err *transaction_paths(struct transaction_store *store, struct str id, const struct str **ret,
                              int32_t *ret_len) {
    struct journal journal;
    TRY(done_read(store, id, &journal));
    struct str *paths = arena_new(store->arena, struct str, journal.steps_len);
    int32_t len = 0;
    for (int32_t i = 0; i < journal.steps_len; i++)
        if (journal.steps[i].kind != TRANSACTION_MKDIR && journal.steps[i].kind != TRANSACTION_RMDIR)
            paths[len++] = str_of(journal.steps[i].path);
    if (len) qsort(paths, (size_t)len, sizeof *paths, path_order);
    *ret = paths;
    *ret_len = len;
    return NULL;
}

/* What an undo is made of. */
struct undoing {
    struct transaction_store *store;
    struct transaction *transaction;
    const struct journal *done;
    VEC(struct transaction_op) ops;
    VEC(struct state) exact; /* parallel to ops */
    str_vec conflicts;
    bool force;
    bool unknown;     /* a later transaction cannot be read: any path may be its own */
    struct map later; /* directories and files in place whose times later ones that stay have changed */
};

static struct transaction_op *undo_op(struct undoing *undoing, enum transaction_kind kind, struct str path) {
    *vec_push(undoing->store->arena, &undoing->exact) = (struct state){0};
    struct transaction_op *op = vec_push(undoing->store->arena, &undoing->ops);
    *op = (struct transaction_op){.kind = kind, .flags = TRANSACTION_EXACT, .path = path};
    return op;
}

static bool is_as_left(const struct step *step, const struct state *now) {
    if (now->type != step->after.type) return false;
    if (now->type == SYS_FILE)
        return now->size == step->after.size && memcmp(now->hash, step->after.hash, HASH_SIZE) == 0;
    return now->type != SYS_LINK || str_eq(now->link, step->after.link);
}

/* Notes a path that somebody changed after the transaction. */
static struct err *conflict_note(struct undoing *undoing, const struct step *step, bool *ret_gone) {
    struct state now;
    struct transaction_store *store = undoing->store;
    bool derived = step->flags & TRANSACTION_DERIVED;
    bool turned = step->phase == PHASE_MAKE_ROOM; /* something else came in its place: that step is looked at */
    TRY(file_state(store, step->path, !turned, &now));
    *ret_gone = now.type == SYS_NONE;
    if (turned || derived || is_as_left(step, &now)) return NULL;
    *vec_push(store->arena, &undoing->conflicts) = str_of(step->path);
    return NULL;
}

/* The old file comes back: from old/N, as another name of it, so that owner, mode, times, xattrs and links are the
 * same. */
static struct err *undo_restore(struct undoing *undoing, const struct step *step) {
    struct transaction_store *store = undoing->store;
    const char *old = str_format(store->arena, "%s/%.*s/old/%d", store->dir, FMT(undoing->done->id), step->number).data;
    struct str staged = transaction_next(undoing->transaction);
    TRY(file_clone(store, old, staged.data, store->overlay));
    struct transaction_op *op = undo_op(undoing, TRANSACTION_PUT, str_of(step->path));
    op->source = staged;
    op->flags |= step->flags & (TRANSACTION_MARK | TRANSACTION_LATE);
    if (step->flags & TRANSACTION_DERIVED) op->flags |= TRANSACTION_LATE;
    op->mode = step->before.mode;
    return NULL;
}

static struct err *undo_edit(struct undoing *undoing, const struct step *step) {
    undo_op(undoing, TRANSACTION_EDIT, str_of(step->path))->text = step->old_bytes;
    return NULL;
}

/* `now` with the lines that differ between `old` and `new` as `old` has them; false where one of them is another one
 * now, or lines came or went. */
static bool lines_take_back(struct arena *arena, struct str old, struct str new, struct str now, struct str *ret) {
    struct buf buf = {.arena = arena};
    while (old.len || new.len || now.len) {
        if (!old.len || !new.len || !now.len) return false;
        struct str lines[3], *rest[] = {&old, &new, &now};
        for (int i = 0; i < 3; i++) {
            ptrdiff_t end = str_find_char(*rest[i], '\n');
            lines[i] = str_slice(*rest[i], 0, end < 0 ? rest[i]->len : end + 1);
            *rest[i] = str_from(*rest[i], lines[i].len);
        }
        bool edited = !str_eq(lines[0], lines[1]);
        if (edited && !str_eq(lines[1], lines[2])) return false;
        buf_add(&buf, edited ? lines[0] : lines[2]);
    }
    *ret = buf_str(&buf);
    return true;
}

/* An edit of a file that was edited again since, elsewhere. */
static struct err *undo_merge(struct undoing *undoing, const struct step *step, bool *ret_done) {
    struct transaction_store *store = undoing->store;
    struct state now;
    struct str old = step->old_bytes, text, merged;
    *ret_done = false;
    if (!step->edit) return NULL;
    TRY(file_state(store, step->path, true, &now));
    if (now.type != SYS_FILE || is_as_left(step, &now)) return NULL;
    if (step->kind != TRANSACTION_EDIT) {
        const char *kept =
            str_format(store->arena, "%s/%.*s/old/%d", store->dir, FMT(undoing->done->id), step->number).data;
        TRY(tree_file_read(store, kept, TRANSACTION_EDIT_MAX, &old));
    }
    TRY(tree_file_read(store, step->path, TRANSACTION_EDIT_MAX, &text));
    if (!lines_take_back(store->arena, old, step->new_bytes, text, &merged)) return NULL;
    undo_op(undoing, TRANSACTION_EDIT, str_of(step->path))->text = merged;
    *ret_done = true;
    return NULL;
}

static struct err *undo_step(struct undoing *undoing, const struct step *step) {
    bool gone = false, done = false;
    if (step->flags & TRANSACTION_DISPOSABLE) return NULL;
    if (step->kind == TRANSACTION_MKDIR) {
        undo_op(undoing, TRANSACTION_RMDIR, str_of(step->path));
        return NULL;
    }
    if (step->kind == TRANSACTION_RMDIR) {
        struct transaction_op *op = undo_op(undoing, TRANSACTION_MKDIR, str_of(step->path));
        op->mode = step->before.mode;
        undoing->exact.data[undoing->exact.len - 1] = step->before;
        return NULL;
    }
    TRY(undo_merge(undoing, step, &done));
    if (done) return NULL;
    TRY(conflict_note(undoing, step, &gone));
    if (step->kind == TRANSACTION_EDIT) return undo_edit(undoing, step);
    if (step->before.type != SYS_NONE) return undo_restore(undoing, step);
    if (gone) return NULL;
    struct transaction_op *op = undo_op(undoing, TRANSACTION_REMOVE, str_of(step->path));
    op->flags |= step->flags & TRANSACTION_MARK;
    return NULL;
}

static struct err *conflicts_err(struct undoing *undoing) {
    struct transaction_store *store = undoing->store;
    struct err *err = err_make(store->arena, ERR_CONFLICT, "%td files are no longer as transaction %.*s left them",
                               undoing->conflicts.len, FMT(undoing->done->id));
    struct err *last = err;
    for (ptrdiff_t i = 0; i < undoing->conflicts.len && i < CONFLICTS_SHOWN; i++) {
        struct err *next = err_make(store->arena, ERR_CONFLICT, "'%.*s'", FMT(undoing->conflicts.data[i]));
        last = err_because(last, next)->cause;
    }
    return err_hint(store->arena, err,
                    "undo the later transactions first, or use --force to put the old files back anyway");
}

/* True where the time of `path` is that of a later transaction, which stays in place. */
static bool is_of_later(const struct undoing *undoing, const char *path) {
    return undoing->unknown || map_find(&undoing->later, str_of(path)) >= 0;
}

/* The directory times of before; what was made again counts as touched too. */
static void undo_times(const struct undoing *undoing, struct journal *journal) {
    struct map before = {0};
    struct arena *arena = undoing->store->arena;
    for (int32_t i = 0; i < undoing->done->touched_len; i++)
        map_add(arena, &before, str_of(undoing->done->touched[i].path), i);
    for (int32_t i = 0; i < journal->touched_len; i++) {
        int32_t at = map_find(&before, str_of(journal->touched[i].path));
        if (at >= 0 && !is_of_later(undoing, journal->touched[i].path))
            journal->touched[i].after = undoing->done->touched[at].before;
    }
    VEC(struct touched) more = {journal->touched, journal->touched_len, journal->touched_len};
    struct map known = {0};
    for (int32_t i = 0; i < journal->touched_len; i++) map_add(arena, &known, str_of(journal->touched[i].path), i);
    for (int32_t i = 0; i < journal->steps_len; i++) {
        const struct step *step = &journal->steps[i];
        if (step->kind != TRANSACTION_MKDIR || map_find(&known, str_of(step->path)) >= 0) continue;
        *vec_push(arena, &more) = (struct touched){step->path, NO_TIME, step->after.mtime_ns};
    }
    /* A file edited in place keeps its inode, so its time has to be put back as well. */
    for (int32_t i = 0; i < undoing->done->steps_len; i++) {
        const struct step *step = &undoing->done->steps[i];
        if (step->kind == TRANSACTION_EDIT && !is_of_later(undoing, step->path))
            *vec_push(arena, &more) = (struct touched){step->path, NO_TIME, step->before.mtime_ns};
    }
    journal->touched = more.data;
    journal->touched_len = (int32_t)more.len;
}

static struct err *undo_ops(struct undoing *undoing, const struct transaction_op *extra, int32_t extra_len) {
    for (int32_t i = 0; i < undoing->done->steps_len; i++) {
        TRY(transaction_interrupted(undoing->store));
        TRY(undo_step(undoing, &undoing->done->steps[i]));
    }
    if (undoing->conflicts.len && !undoing->force) return conflicts_err(undoing);
    for (int32_t i = 0; i < extra_len; i++) *undo_op(undoing, extra[i].kind, extra[i].path) = extra[i];
    return NULL;
}

/* Notes what a later transaction that stays in place has touched. */
static struct err *later_note(struct undoing *undoing, struct str id) {
    struct arena *arena = undoing->store->arena;
    struct journal journal;
    struct err *err = done_read(undoing->store, id, &journal);
    if (err && !undoing->force) return err;
    if (err) {
        undoing->unknown = true;
        return NULL;
    }
    for (int32_t i = 0; i < journal.touched_len; i++)
        map_add(arena, &undoing->later, str_of(journal.touched[i].path), 1);
    for (int32_t i = 0; i < journal.steps_len; i++)
        if (journal.steps[i].edit) map_add(arena, &undoing->later, str_of(journal.steps[i].path), 1);
    return NULL;
}

/* May it be undone; and what later ones stay in place? */
static struct err *undo_allowed(struct undoing *undoing, struct str id) {
    struct transaction_store *store = undoing->store;
    struct transaction_entry *entries;
    int32_t len;
    str_vec problems = {0};
    /* Of what cannot be read it is not known whether it is in the way: nothing is undone by halves because of it. */
    TRY(entries_list(store, !undoing->force, &entries, &len, &problems));
    undoing->unknown = problems.len > 0;
    for (int32_t i = 0; i < len; i++) {
        if (!str_eq(entries[i].id, id)) {
            if (number_order(&entries[i].id, &id) > 0 && !entries[i].undone_by.len && !entries[i].undoes.len)
                TRY(later_note(undoing, entries[i].id));
            continue;
        }
        if (entries[i].undone_by.len)
            return err_make(store->arena, ERR_REQUEST, "transaction %.*s was undone by %.*s", FMT(id),
                            FMT(entries[i].undone_by));
        if (!entries[i].undoable)
            return err_make(store->arena, ERR_REQUEST, "what transaction %.*s replaced is not kept any more", FMT(id));
    }
    return NULL;
}

struct err *transaction_old(struct transaction_store *store, struct str id, struct str path, int64_t limit,
                            struct str *ret, bool *found) {
    struct journal done;
    *found = false;
    TRY(done_read(store, id, &done));
    for (int32_t i = 0; i < done.steps_len; i++) {
        const struct step *step = &done.steps[i];
        if (step->before.type != SYS_FILE || !str_eq(str_of(step->path), path)) continue;
        *found = true;
        *ret = step->old_bytes;
        if (step->kind == TRANSACTION_EDIT) return NULL;
        const char *kept = str_format(store->arena, "%s/%.*s/old/%d", store->dir, FMT(id), step->number).data;
        return tree_file_read(store, kept, limit, ret);
    }
    return NULL;
}

struct err *transaction_undo(struct transaction_store *store, struct str id, bool force,
                             const struct transaction_op *extra, int32_t extra_len, struct str description,
                             struct transaction_result *ret) {
    struct journal done;
    struct undoing undoing = {.store = store, .done = &done, .force = force};
    TRY(done_read(store, id, &done));
    TRY(undo_allowed(&undoing, id));
    TRY(transaction_begin(store, &undoing.transaction));
    signals_hold(&undoing.transaction->signals);
    struct err *err = undo_ops(&undoing, extra, extra_len);
    if (err) {
        transaction_abort(undoing.transaction);
        return err;
    }
    undoing.transaction->exact = undoing.exact.data;
    undoing.transaction->undoing = &undoing;
    struct journal journal = {.description = description, .undoes = id};
    err = transaction_carry_out(undoing.transaction, undoing.ops.data, (int32_t)undoing.ops.len, &journal, ret);
    if (err) return err;
    /* What it had kept is in place again; the entry stays in the list. */
    (void)tree_remove(store, str_format(store->arena, "%s/%.*s/old", store->dir, FMT(id)).data);
    return NULL;
}

void undo_journal(const struct undoing *undoing, struct journal *journal) {
    undo_times(undoing, journal);
}

struct err *transaction_forget(struct transaction_store *store, struct str id, bool entry) {
    struct journal done;
    struct err *err = done_read(store, id, &done);
    if (err && err->kind == ERR_REQUEST) return err; /* a damaged one may be forgotten */
    const char *dir = str_format(store->arena, "%s/%.*s", store->dir, FMT(id)).data;
    int status = tree_remove(store, str_format(store->arena, "%s/old", dir).data);
    if (status == 0 && entry) status = tree_remove(store, dir);
    return status ? err_errno(store->arena, status, "cannot remove '%s'", dir) : NULL;
}

/* First what is kept, so that whatever stays in the list can be undone no more; then the undo, so that what it undid
 * never looks as if it were in place. */
void transaction_forget_undone(struct transaction_store *store, struct str undo, struct str undone) {
    struct str ids[] = {undo, undone};
    int status = 0;
    for (int i = 0; i < 2 && status == 0; i++)
        status = tree_remove(store, str_format(store->arena, "%s/%.*s/old", store->dir, FMT(ids[i])).data);
    for (int i = 0; i < 2 && status == 0; i++)
        status = tree_remove(store, str_format(store->arena, "%s/%.*s", store->dir, FMT(ids[i])).data);
}
