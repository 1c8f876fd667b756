#include "stage/wheel_change_parts.h"

#include "base/arena.h"
#include "os/workers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { DIR_MODE = 0755, DIRS_AT_ONCE = 32 };

/* A directory of a staged one, to be made. */
struct new_dir {
    struct str path; /* where it is staged */
    int32_t depth;
    bool may_be_there; /* in a directory that was made ahead */
};

/* Where the new files are staged. Items come sorted by path, so that those of one directory follow each other. */
struct staging {
    struct work *work;
    struct arena *scratch; /* of what is of no use once all is staged */
    struct transaction *transaction;
    struct str there;  /* a directory that is there already */
    struct str tree;   /* the directory that is staged as a whole now; empty: none */
    struct str source; /* where */
    struct str made;   /* the last directory beneath `tree` that was noted, relative to it; empty: itself */
    bool adopted;      /* it was made ahead: what is nested is in its place */
    VEC(struct new_dir) dirs;
    uint32_t mask; /* of the process */
    VEC(struct unpack_item) items;
};

static struct str parent(struct str path) {
    ptrdiff_t slash = str_find_last(path, '/');
    return slash > 0 ? str_slice(path, 0, slash) : S("");
}

static bool beneath(struct str path, struct str dir) {
    return dir.len > 0 && path.len > dir.len + 1 && str_starts(path, dir) && path.data[dir.len] == '/';
}

/* The topmost directory above `path` that is not there, below those of the scheme; empty: all are. */
static struct err *missing_find(struct staging *staging, struct str path, struct str *ret) {
    struct work *work = staging->work;
    struct str dir = parent(path), root = scheme_root(work->options->scheme, path);
    struct sys_stat stat;
    *ret = (struct str){0};
    if (root.len == 0 || str_eq(dir, staging->there)) return NULL;
    assert(dir.data);
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

/* The first file of the layout whose target is not before `path`. */
static int32_t files_from(const struct wheel_layout *layout, struct str path) {
    int32_t low = 0, high = layout->len;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (str_cmp(layout->files[middle].target, path) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* True if the wheel of the item `first` alone brings files beneath the tree, and each that lies there ahead is wanted
 * there. */
static bool tree_is_whole(const struct staging *staging, ptrdiff_t first) {
    const struct work *work = staging->work;
    const struct item *items = work->items.data;
    int32_t change = items[first].put_change, wanted = 0, there = 0;
    const struct wheel_layout *layout = work->changes[change].layout;
    if (!beneath(staging->tree, layout->site)) return false;
    for (ptrdiff_t i = first; i < work->items.len && beneath(items[i].path, staging->tree); i++) {
        if (items[i].put_change != change || !work_writes(work, &items[i])) return false;
        wanted += wheel_unpack_nested(layout, items[i].put);
    }
    struct str begin = str_format(work->arena, "%.*s/", FMT(staging->tree));
    for (int32_t i = files_from(layout, begin); i < layout->len; i++) {
        if (!beneath(layout->files[i].target, staging->tree)) break;
        there += wheel_unpack_nested(layout, &layout->files[i]);
    }
    return wanted > 0 && wanted == there;
}

/* Begins to stage the directory `dir`, for the item `first` and those beneath that follow: by moving there what was
 * unpacked ahead, or anew. */
static struct err *tree_begin(struct staging *staging, struct str dir, ptrdiff_t first) {
    struct work *work = staging->work;
    staging->tree = dir;
    staging->source = transaction_next(staging->transaction);
    staging->made = (struct str){0};
    staging->adopted = false;
    *vec_push(work->arena, &work->ops) =
        (struct transaction_op){.kind = TRANSACTION_MKDIR, .path = dir, .source = staging->source, .mode = DIR_MODE};
    const char *source = str_copy_z(work->arena, staging->source);
    if (tree_is_whole(staging, first)) {
        const struct wheel_layout *layout = work->changes[work->items.data[first].put_change].layout;
        struct str from = wheel_unpack_nest(work->arena, layout, dir);
        staging->adopted = sys_rename(sys_real(), str_copy_z(work->arena, from), source) == 0;
    }
    if (staging->adopted) return NULL;
    int status = sys_mkdir(sys_real(), source, DIR_MODE);
    return status ? err_errno(work->arena, status, "cannot make '%.*s'", FMT(staging->source)) : NULL;
}

/* Notes the directories of the file at `inner`, a path in the tree, that the file before it did not need. */
static void tree_dirs(struct staging *staging, struct str inner) {
    struct arena *arena = staging->scratch;
    struct str dir = parent(inner);
    int32_t depth = 0;
    for (ptrdiff_t len = 1; len <= dir.len; len++) {
        if (len < dir.len && dir.data[len] != '/') continue;
        struct str part = str_slice(dir, 0, len);
        depth++;
        if (str_eq(part, staging->made) || beneath(staging->made, part)) continue;
        *vec_push(arena, &staging->dirs) =
            (struct new_dir){path_join(arena, staging->source, part), depth, staging->adopted};
    }
    staging->made = dir;
}

static struct err *place(struct staging *staging, ptrdiff_t number) {
    const struct item *item = &staging->work->items.data[number];
    struct wheel_file *file = item->put;
    struct str missing = {0};
    bool alone = file->is_metadata || file->is_startup;
    if (!alone && !beneath(item->path, staging->tree)) {
        TRY(missing_find(staging, item->path, &missing));
        if (missing.len) TRY(tree_begin(staging, missing, number));
    }
    if (alone || !beneath(item->path, staging->tree)) {
        file->source = transaction_next(staging->transaction);
        return NULL;
    }
    struct str inner = str_from(item->path, staging->tree.len + 1);
    const struct wheel_layout *layout = staging->work->changes[item->put_change].layout;
    file->is_placed = staging->adopted && wheel_unpack_nested(layout, file);
    if (!file->is_placed) tree_dirs(staging, inner);
    file->is_carried = true;
    file->source = path_join(staging->work->arena, staging->source, inner);
    return NULL;
}

static int dir_order(const void *a, const void *b) {
    const struct new_dir *x = a, *y = b;
    if (x->depth != y->depth) return x->depth < y->depth ? -1 : 1;
    return str_cmp(x->path, y->path);
}

/* Some directories of one depth, which follow each other. */
struct dirs_run {
    const struct new_dir *dirs;
    const int32_t *groups; /* where each group of them begins; one more: where the last one ends */
    int root;              /* open: what lies above the staged directories */
    ptrdiff_t root_len;    /* of its path */
    uint32_t mask;
};

static struct err *dirs_make(void *self, struct arena *arena, int32_t group) {
    const struct dirs_run *run = self;
    for (int32_t i = run->groups[group]; i < run->groups[group + 1]; i++) {
        struct str path = run->dirs[i].path;
        const char *name = str_copy_z(arena, str_from(path, run->root_len + 1));
        int status = sys_mkdir_at(sys_real(), run->root, name, DIR_MODE, run->mask);
        if (status == EEXIST && run->dirs[i].may_be_there) status = 0;
        if (status) return err_errno(arena, status, "cannot make '%.*s'", FMT(path));
    }
    return NULL;
}

/* Makes the directories `first` to `end` - 1, of one depth. Two threads in one directory would wait for each other:
 * those of one parent are one thread's. */
static struct err *dirs_make_level(struct staging *staging, struct dirs_run *run, int32_t first, int32_t end) {
    int32_t *groups = arena_new(staging->scratch, int32_t, end - first + 1), len = 0;
    for (int32_t i = first; i < end; i++) {
        bool begins = i == first || !str_eq(parent(run->dirs[i].path), parent(run->dirs[i - 1].path));
        if (begins && (len == 0 || i - groups[len - 1] >= DIRS_AT_ONCE)) groups[len++] = i;
    }
    groups[len] = end;
    run->groups = groups;
    const struct workers_step step = {.self = run, .run = dirs_make};
    return workers_run(staging->work->arena, &step, len);
}

/* Makes all directories of the staged ones, on a few threads: those of one depth, then those in them. */
static struct err *dirs_make_all(struct staging *staging) {
    struct new_dir *dirs = staging->dirs.data;
    int32_t len = (int32_t)staging->dirs.len;
    struct str root = parent(staging->source);
    struct dirs_run run = {.dirs = dirs, .root = -1, .root_len = root.len, .mask = staging->mask};
    struct err *err = NULL;
    if (len == 0) return NULL;
    qsort(dirs, (size_t)len, sizeof *dirs, dir_order);
    int status = sys_dir(sys_real(), str_copy_z(staging->scratch, root), &run.root);
    if (status) return err_errno(staging->work->arena, status, "cannot open '%.*s'", FMT(root));
    for (int32_t i = 0, next = 0; i < len && !err; i = next) {
        while (next < len && dirs[next].depth == dirs[i].depth) next++;
        err = dirs_make_level(staging, &run, i, next);
    }
    (void)sys_close(sys_real(), run.root);
    return err;
}

static struct err *stage_all(struct staging *staging) {
    struct work *work = staging->work;
    staging->items.cap = work->items.len;
    staging->items.data = arena_new(staging->scratch, struct unpack_item, staging->items.cap);
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        const struct item *item = &work->items.data[i];
        if (!work_writes(work, item)) continue;
        TRY(place(staging, i));
        if (item->put->is_placed) continue;
        *vec_push(staging->scratch, &staging->items) =
            (struct unpack_item){work->changes[item->put_change].layout, item->put};
    }
    TRY(dirs_make_all(staging));
    const struct depot none = {.fd = -1}, *depot = work->options->depot;
    return wheel_unpack(work->arena, depot ? depot : &none, staging->items.data, (int32_t)staging->items.len);
}

struct err *work_stage(struct work *work, struct transaction *transaction) {
    struct staging staging = {.work = work, .transaction = transaction, .scratch = arena_open(), .mask = sys_umask()};
    struct err *err = stage_all(&staging);
    arena_close(staging.scratch);
    return err;
}
