#include "os/transaction_parts.h"

#include <errno.h>
#include <string.h>

/*
 * Going back is idempotent too: it never touches new/N, so that "new/N is gone" keeps saying that the step had been
 * applied, and a step is undone when its old/N is gone (renamed back).
 */

static enum sys_type type_at(struct transaction_store *store, const char *path, int *status) {
    struct sys_stat st = {0};
    *status = sys_stat(store->sys, path, &st);
    return st.type;
}

/* Renames the backup to its place. */
static int restore(struct transaction_store *store, const struct journal *journal, const struct step *step) {
    const struct side *side = &journal->sides[step->side];
    const char *old = side_path(store->arena, side, "old", step->number);
    struct sys_stat there = {0}, kept = {0};
    int status = sys_stat(store->sys, step->path, &there);
    if (status == 0) status = sys_stat(store->sys, old, &kept);
    if (status || kept.type == SYS_NONE) return status;
    /* Renaming one name of a file to another name of it does nothing and leaves both. A copy is no such name, and
     * FUSE's inode numbers are not to be relied on. */
    bool same = there.type == kept.type && there.inode == kept.inode && there.mount == kept.mount;
    if (same && there.type != SYS_NONE && !side->overlay) return sys_unlink(store->sys, old);
    return sys_rename(store->sys, old, step->path);
}

static int put_back(struct transaction_store *store, const struct journal *journal, const struct step *step) {
    int status;
    bool staged = type_at(store, step_staged(store->arena, journal, step), &status) != SYS_NONE;
    if (status) return status;
    enum sys_type now = type_at(store, step->path, &status);
    if (status) return status;
    if (step->before.type != SYS_NONE) {
        if (staged && now != SYS_NONE) return 0; /* never replaced */
        return restore(store, journal, step);
    }
    if (staged || now == SYS_NONE || now == SYS_DIR) return 0;
    status = sys_unlink(store->sys, step->path);
    return status == ENOENT ? 0 : status;
}

static int remove_back(struct transaction_store *store, const struct journal *journal, const struct step *step) {
    int status;
    if (step->flags & TRANSACTION_DISPOSABLE) return 0;
    enum sys_type now = type_at(store, step->path, &status);
    if (status) return status;
    /* What others derived meanwhile gives way. */
    if (now != SYS_NONE && !(step->flags & TRANSACTION_DERIVED && now != SYS_DIR)) return 0;
    return restore(store, journal, step);
}

static int mkdir_back(struct transaction_store *store, const struct step *step) {
    int status;
    if (type_at(store, step->path, &status) != SYS_DIR || status) return status;
    status = sys_rmdir(store->sys, step->path);
    return status == ENOTEMPTY || status == EEXIST || status == ENOENT ? 0 : status;
}

static int rmdir_back(struct transaction_store *store, const struct step *step) {
    struct sys_stat st = {0};
    const struct state *old = &step->before;
    int status = sys_stat(store->sys, step->path, &st);
    bool same = st.type == SYS_DIR && st.mode == old->mode && st.uid == old->uid && st.gid == old->gid;
    if (status || (same && old->xattrs_len == 0)) return status;
    /* One that is there may have been made by a way back that ended before it got its owner. */
    return dir_make(store, step->path, old);
}

static int edit_back(struct transaction_store *store, const struct step *step) {
    struct err *err = file_overwrite(store, step->path, step->old_bytes);
    if (err) return err->kind == ERR_SPACE ? ENOSPC : EIO;
    (void)sys_utime(store->sys, step->path, step->before.mtime_ns); /* only its owner may: no matter */
    return 0;
}

static int step_back(struct transaction_store *store, const struct journal *journal, const struct step *step) {
    switch (step->kind) {
    case TRANSACTION_PUT:
    case TRANSACTION_LINK: return put_back(store, journal, step);
    case TRANSACTION_REMOVE: return remove_back(store, journal, step);
    case TRANSACTION_MKDIR: return mkdir_back(store, step);
    case TRANSACTION_RMDIR: return rmdir_back(store, step);
    case TRANSACTION_EDIT: return edit_back(store, step);
    }
    return EINVAL;
}

/* A new mark goes first of all, its old one comes back last, as in step_back of its place in the order. */
static int mark_away(struct transaction_store *store, const struct journal *journal, const struct step *step) {
    const struct side *side = &journal->sides[step->side];
    int status;
    if (step->phase != PHASE_MARK || step->before.type == SYS_NONE) return 0;
    if (type_at(store, side_path(store->arena, side, "new", step->number), &status) != SYS_NONE || status)
        return status;
    if (type_at(store, side_path(store->arena, side, "old", step->number), &status) == SYS_NONE || status)
        return status;
    status = sys_unlink(store->sys, step->path);
    return status == ENOENT || status == ENOTDIR || status == ELOOP ? 0 : status;
}

static int reverse(struct transaction_store *store, const struct journal *journal, bool *spent) {
    int status = 0;
    for (int pass = 0; pass < 3; pass++)
        for (int32_t i = journal->steps_len - 1; i >= 0 && status == 0; i--) {
            const struct step *step = &journal->steps[i];
            bool replaced_mark = step->phase == PHASE_MARK && step->before.type != SYS_NONE;
            struct arena_mark mark = arena_mark(store->arena);
            for (;;) {
                if (pass == 0) status = mark_away(store, journal, step);
                else if (replaced_mark == (pass == 2)) status = step_back(store, journal, step);
                if ((status != ENOSPC && status != EDQUOT) || *spent) break;
                *spent = true;
                ballast_remove(store, journal);
            }
            arena_rewind(store->arena, mark);
        }
    return status;
}

/* The times of directories, deepest first does not matter: setting a time changes no parent's. */
static void times_back(struct transaction_store *store, const struct journal *journal) {
    for (int32_t i = 0; i < journal->touched_len; i++)
        if (journal->touched[i].before != NO_TIME)
            (void)sys_utime(store->sys, journal->touched[i].path, journal->touched[i].before);
}

struct err *transaction_rollback(struct transaction_store *store, const struct journal *journal) {
    bool spent = false, found;
    int status = reverse(store, journal, &spent);
    if (status == 0) times_back(store, journal);
    struct err *err = status ? err_errno(store->arena, status, "cannot roll back") : live_sync(store, journal);
    if (!err) {
        for (int32_t i = 1; i < journal->sides_len && status == 0; i++)
            status = tree_remove(store, journal->sides[i].dir);
        if (journal->sides_len > 1) times_back(store, journal);
        if (status == 0) status = sys_unlink(store->sys, transaction_path(store, "abort"));
        if (status == 0) status = sys_fsync_path(store->sys, store->dir);
        if (status) err = err_errno(store->arena, status, "cannot end the roll-back");
    }
    if (err) return err;
    struct err *litter = transaction_discard(store, &found);
    (void)litter; /* the old state is there; litter in the store goes at the next opening */
    return NULL;
}
