#include "stage/wheel_change_parts.h"

#include "base/arena.h"

enum { DIR_MODE = 0755 };

/* Where the new files are staged. Items come sorted by path, so that those of one directory follow each other. */
struct staging {
    struct work *work;
    struct transaction *transaction;
    struct str there;  /* a directory that is there already */
    struct str tree;   /* the directory that is staged as a whole now; empty: none */
    struct str source; /* where */
    struct str made;   /* the last directory beneath `tree` that was made, relative to it; empty: itself */
    VEC(struct unpack_item) items;
};

static struct str parent(struct str path) {
    ptrdiff_t slash = str_find_last(path, '/');
    return slash > 0 ? str_slice(path, 0, slash) : (struct str){0};
}

static bool beneath(struct str path, struct str dir) {
    return dir.len > 0 && path.len > dir.len + 1 && str_starts(path, dir) && path.data[dir.len] == '/';
}

static struct err *make(struct staging *staging, struct str path) {
    struct arena *arena = staging->work->arena;
    int status = sys_mkdir(sys_real(), str_copy_z(arena, path), DIR_MODE);
    return status ? err_errno(arena, status, "cannot make '%.*s'", FMT(path)) : NULL;
}

/* The topmost directory above `path` that is not there, below those of the scheme; empty: all are. */
static struct err *missing_find(struct staging *staging, struct str path, struct str *ret) {
    struct work *work = staging->work;
    struct str dir = parent(path), root = scheme_root(work->options->scheme, path);
    struct sys_stat stat;
    *ret = (struct str){0};
    if (root.len == 0 || str_eq(dir, staging->there)) return NULL;
    for (ptrdiff_t len = root.len; len <= dir.len; len++) {
        if (len < dir.len && dir.data[len] != '/') continue;
        struct str part = str_slice(dir, 0, len);
        int status = sys_stat(sys_real(), str_copy_z(work->arena, part), &stat);
        if (status) return err_errno(work->arena, status, "cannot look at '%.*s'", FMT(part));
        if (stat.type == SYS_DIR) continue;
        /* A missing directory of the scheme is made by the transaction, with what others may put there. */
        if (stat.type == SYS_NONE && len > root.len) *ret = part;
        return NULL;
    }
    staging->there = dir;
    return NULL;
}

static struct err *tree_begin(struct staging *staging, struct str dir) {
    staging->tree = dir;
    staging->source = transaction_next(staging->transaction);
    staging->made = (struct str){0};
    *vec_push(staging->work->arena, &staging->work->ops) =
        (struct transaction_op){.kind = TRANSACTION_MKDIR, .path = dir, .source = staging->source, .mode = DIR_MODE};
    return make(staging, staging->source);
}

/* Makes the directories of the file at `inner`, a path in the tree, that the file before it did not need. */
static struct err *tree_dirs(struct staging *staging, struct str inner) {
    struct str dir = parent(inner);
    for (ptrdiff_t len = 1; len <= dir.len; len++) {
        if (len < dir.len && dir.data[len] != '/') continue;
        struct str part = str_slice(dir, 0, len);
        if (str_eq(part, staging->made) || beneath(staging->made, part)) continue;
        TRY(make(staging, path_join(staging->work->arena, staging->source, part)));
    }
    staging->made = dir;
    return NULL;
}

static struct err *place(struct staging *staging, const struct item *item) {
    struct wheel_file *file = item->put;
    struct str missing = {0};
    bool alone = file->is_metadata || file->is_startup;
    if (!alone && !beneath(item->path, staging->tree)) {
        TRY(missing_find(staging, item->path, &missing));
        if (missing.len) TRY(tree_begin(staging, missing));
    }
    if (alone || !beneath(item->path, staging->tree)) {
        file->source = transaction_next(staging->transaction);
        return NULL;
    }
    struct str inner = str_from(item->path, staging->tree.len + 1);
    TRY(tree_dirs(staging, inner));
    file->source = path_join(staging->work->arena, staging->source, inner);
    return NULL;
}

struct err *work_stage(struct work *work, struct transaction *transaction) {
    struct staging staging = {.work = work, .transaction = transaction};
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        const struct item *item = &work->items.data[i];
        if (!work_writes(work, item)) continue;
        TRY(place(&staging, item));
        *vec_push(work->arena, &staging.items) =
            (struct unpack_item){work->changes[item->put_change].layout->wheel, item->put};
    }
    struct depot depot = depot_open(work->arena, work->options->depot_dir, transaction_scratch(transaction));
    return wheel_unpack(work->arena, &depot, staging.items.data, (int32_t)staging.items.len);
}
