#include "stage/wheel_change_parts.h"

#include "base/arena.h"
#include "base/map.h"
#include "os/digest.h"
#include "os/term.h"

#include <assert.h>
#include <stdlib.h>

enum { ROOM = 64 /* for operations that are of no item */ };

static void note(struct work *work, struct str path, const char *what) {
    struct str shown = term_quote(work->arena, path);
    *vec_push(work->arena, &work->notes) = str_format(work->arena, "%.*s %s", FMT(shown), what);
}

static void add(struct work *work, enum transaction_kind kind, struct str path, uint32_t flags) {
    *vec_push(work->arena, &work->ops) = (struct transaction_op){.kind = kind, .path = path, .flags = flags};
}

static struct str parent(struct str path) {
    ptrdiff_t slash = str_find_last(path, '/');
    return slash > 0 ? str_slice(path, 0, slash) : S("");
}

/* Bytecode that Python made by itself: `__pycache__/name.tag.pyc`. */
static bool is_bytecode(struct str path) {
    return str_ends(path, S(".pyc")) && str_ends(parent(path), S("/__pycache__"));
}

/* The source of a file in `__pycache__`, as a name; empty if it is no bytecode. */
static struct str source_name(struct arena *arena, struct str name) {
    if (!str_ends(name, S(".pyc"))) return (struct str){0};
    name.len -= 4;
    ptrdiff_t dot = str_find_last(name, '.');
    if (dot > 0 && str_starts(str_from(name, dot), S(".opt-"))) dot = str_find_last(str_slice(name, 0, dot), '.');
    return dot > 0 ? str_format(arena, "%.*s.py", FMT(str_slice(name, 0, dot))) : (struct str){0};
}

/* True if the file of this item is another one, or none, afterwards. */
static bool changes(const struct work *work, const struct item *item) {
    if (item->modified && work->options->modified == WHEEL_KEEP) return false;
    if (item->put) return work_writes(work, item);
    return item->other_dist < 0;
}

static void add_put(struct work *work, const struct item *item) {
    const struct wheel_file *file = item->put;
    struct transaction_op op = {
        .kind = TRANSACTION_PUT, .path = item->path, .source = file->source, .mode = file->mode};
    op.sha256 = file->sha256;
    if (file->staged.type == SYS_FILE) op.staged = &file->staged;
    if (file->is_metadata) op.flags |= TRANSACTION_MARK;
    if (file->is_startup) op.flags |= TRANSACTION_LATE;
    *vec_push(work->arena, &work->ops) = op;
}

static void add_item(struct work *work, const struct item *item) {
    if (item->modified && work->options->modified == WHEEL_KEEP) {
        note(work, item->path, "is kept as it is");
        return;
    }
    if (item->put) {
        if (work_writes(work, item)) add_put(work, item);
        if (item->put->is_metadata && item->old && item->exists)
            add(work, TRANSACTION_REMOVE, item->path, TRANSACTION_MARK);
        return;
    }
    if (item->other_dist >= 0) {
        struct str name = term_quote(work->arena, work->options->env->dists[item->other_dist].raw_name);
        note(work, item->path, str_copy_z(work->arena, str_format(work->arena, "stays, %.*s has it too", FMT(name))));
    } else if (item->is_dir) {
        note(work, item->path, "is a directory and stays");
    } else if (item->exists) {
        bool derived = is_bytecode(item->path) && item->old->row && item->old->row->hash == RECORD_NONE;
        uint32_t flags = item->old->is_metadata ? TRANSACTION_MARK : derived ? TRANSACTION_DERIVED : 0;
        add(work, TRANSACTION_REMOVE, item->path, flags);
    } else if (!is_bytecode(item->path)) {
        note(work, item->path, "is missing already");
    }
}

static int text_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

/* Sorts `texts` and leaves each once. */
static void unique(str_vec *texts) {
    if (texts->len == 0) return;
    qsort(texts->data, (size_t)texts->len, sizeof *texts->data, text_order);
    ptrdiff_t kept = 1;
    for (ptrdiff_t i = 1; i < texts->len; i++)
        if (!str_eq(texts->data[kept - 1], texts->data[i])) texts->data[kept++] = texts->data[i];
    texts->len = kept;
}

/* Bytecode of the changed sources in `dir`. */
static void add_bytecode(struct work *work, struct str dir) {
    struct str cache = path_join(work->arena, dir, S("__pycache__"));
    struct str *names = NULL;
    int32_t len = 0;
    if (sys_list(sys_real(), work->arena, str_copy_z(work->arena, cache), &names, &len)) return;
    for (int32_t i = 0; i < len; i++) {
        struct str source = source_name(work->arena, names[i]), path = path_join(work->arena, cache, names[i]);
        const struct item *item = source.len ? work_find(work, path_join(work->arena, dir, source)) : NULL;
        const struct item *itself = work_find(work, path);
        bool listed = itself && (itself->put || itself->other_dist >= 0 || itself->old);
        if (item && changes(work, item) && !listed) add(work, TRANSACTION_REMOVE, path, TRANSACTION_DERIVED);
    }
}

/* A directory of the scheme itself is never removed, nor is one above it. */
static bool is_fixed(const struct scheme *scheme, struct str dir) {
    const struct str roots[] = {scheme->purelib, scheme->platlib, scheme->scripts, scheme->data, scheme->headers};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (str_starts(roots[i], dir) && (roots[i].len == dir.len || roots[i].data[dir.len] == '/')) return true;
    return dir.len == 0 || scheme_root(scheme, dir).len == 0;
}

/* The directories in which files stay as they are, since the new distribution has the same, and those above. */
static struct map kept_directories(struct work *work) {
    struct map kept = {0};
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        const struct item *item = &work->items.data[i];
        if (!item->put || !item->exists || work_writes(work, item)) continue;
        for (struct str dir = parent(item->path); !is_fixed(work->options->scheme, dir); dir = parent(dir)) {
            if (map_find(&kept, dir) >= 0) break;
            map_add(work->arena, &kept, dir, 0);
        }
    }
    return kept;
}

/* True if bytecode is there, some of which stays: that of other distributions' top-level modules, or of sources that
 * stay as they are. */
static bool is_kept_cache(struct work *work, const struct map *kept, struct str dir) {
    struct str *names = NULL;
    int32_t len = 0, removed = 0;
    if (!str_ends(dir, S("/__pycache__"))) return false;
    if (!is_fixed(work->options->scheme, parent(dir)) && map_find(kept, parent(dir)) < 0) return false;
    if (sys_list(sys_real(), work->arena, str_copy_z(work->arena, dir), &names, &len)) return false;
    for (ptrdiff_t i = 0; i < work->ops.len; i++)
        removed += work->ops.data[i].kind == TRANSACTION_REMOVE && str_eq(parent(work->ops.data[i].path), dir);
    return removed < len;
}

/* The directories of removed files, up to those of the scheme: they go if nothing is left in them. */
static void add_directories(struct work *work) {
    str_vec dirs = {0};
    ptrdiff_t len = work->ops.len;
    for (ptrdiff_t i = 0; i < len; i++) {
        if (work->ops.data[i].kind != TRANSACTION_REMOVE) continue;
        struct str dir = parent(work->ops.data[i].path);
        assert(dir.data);
        bool repeated = dirs.len && str_eq(dirs.data[dirs.len - 1], dir);
        if (!repeated) *vec_push(work->arena, &dirs) = dir;
    }
    unique(&dirs);
    for (ptrdiff_t i = 0, first = dirs.len; i < first; i++)
        for (struct str dir = dirs.data[i]; !is_fixed(work->options->scheme, dir); dir = parent(dir))
            *vec_push(work->arena, &dirs) = dir;
    unique(&dirs);
    const struct map kept = kept_directories(work);
    for (ptrdiff_t i = 0; i < dirs.len; i++) {
        struct str dir = dirs.data[i];
        if (is_fixed(work->options->scheme, dir) || map_find(&kept, dir) >= 0 || is_kept_cache(work, &kept, dir))
            continue;
        add(work, TRANSACTION_RMDIR, dir, 0);
    }
}

static int op_order(const void *a, const void *b) {
    const struct transaction_op *x = a, *y = b;
    int order = str_cmp(x->path, y->path);
    return order ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

void work_list_operations(struct work *work) {
    str_vec sources = {0};
    /* Room at once: growing leaves the smaller ones behind in the arena. */
    op_vec ops = {.cap = work->ops.len + work->items.len + ROOM};
    ops.data = arena_new(work->arena, struct transaction_op, ops.cap);
    for (ptrdiff_t i = 0; i < work->ops.len; i++) ops.data[ops.len++] = work->ops.data[i];
    work->ops = ops;
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        const struct item *item = &work->items.data[i];
        add_item(work, item);
        if (item->absent || !str_ends(item->path, S(".py")) || !changes(work, item)) continue;
        struct str dir = parent(item->path);
        bool repeated = sources.len && str_eq(sources.data[sources.len - 1], dir);
        if (!repeated) *vec_push(work->arena, &sources) = dir;
    }
    unique(&sources);
    for (ptrdiff_t i = 0; i < sources.len; i++) add_bytecode(work, sources.data[i]);
    add_directories(work);
    if (work->ops.len) qsort(work->ops.data, (size_t)work->ops.len, sizeof *work->ops.data, op_order);
}
