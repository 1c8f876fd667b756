#include "stage/wheel_change_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"
#include "os/term.h"

#include <stdlib.h>

static int item_order(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    int order = str_cmp(x->path, y->path);
    if (order) return order;
    if (x->put_change != y->put_change) return x->put_change < y->put_change ? -1 : 1;
    return (x->old_dist > y->old_dist) - (x->old_dist < y->old_dist);
}

struct item *work_find(const struct work *work, struct str path) {
    struct item *items = work->items.data;
    for (ptrdiff_t low = 0, high = work->items.len; low < high;) {
        ptrdiff_t middle = low + (high - low) / 2;
        int order = str_cmp(path, items[middle].path);
        if (order == 0) return &items[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

static struct err *two_wheels(struct work *work, const struct item *a, const struct item *b) {
    struct str path = term_quote(work->arena, a->path);
    struct err *err =
        err_make(work->arena, ERR_CONFLICT, "%.*s and %.*s both bring the file %.*s, with different contents",
                 FMT(work->changes[a->put_change].name), FMT(work->changes[b->put_change].name), FMT(path));
    return err_hint(work->arena, err, "one of them would break the other: install only one of the two");
}

/* Sorts the items and makes one of those with the same path. */
static struct err *merge(struct work *work) {
    struct item *items = work->items.data;
    if (work->items.len == 0) return NULL;
    qsort(items, (size_t)work->items.len, sizeof *items, item_order);
    ptrdiff_t kept = 0;
    for (ptrdiff_t i = 1; i < work->items.len; i++) {
        struct item *last = &items[kept], *item = &items[i];
        if (!str_eq(last->path, item->path)) {
            items[++kept] = *item;
            continue;
        }
        if (last->put && item->put && (last->put->sha256.len == 0 || !str_eq(last->put->sha256, item->put->sha256)))
            return two_wheels(work, last, item);
        if (!last->put) {
            last->put = item->put;
            last->put_change = item->put_change;
        }
        if (!last->old) {
            last->old = item->old;
            last->old_dist = item->old_dist;
        }
    }
    work->items.len = kept + 1;
    return NULL;
}

/* The position in sys.path of a site directory whose links are resolved; sites_len if it is not on it. */
static int32_t site_place(struct work *work, struct str site) {
    const struct environment *env = work->options->env;
    for (int32_t i = 0; i < env->sites_len; i++) {
        struct str real;
        if (!path_resolve(work->arena, env->sites[i], &real) && str_eq(real, site)) return i;
    }
    return env->sites_len;
}

/* A distribution out of our reach stays. That is no harm if what is installed comes before it on sys.path. */
static struct err *stays(struct work *work, const struct wheel_change *change, const struct dist *dist) {
    struct str name = term_quote(work->arena, dist->raw_name), version = term_quote(work->arena, dist->version.text);
    const char *why = dist->system ? "belongs to the system's package manager" : "lies outside of this environment";
    if (!change->layout) {
        struct err *err = err_make(work->arena, ERR_CONFLICT, "%.*s cannot be uninstalled: it %s", FMT(name), why);
        return err_hint(work->arena, err,
                        dist->system ? "that package manager removes it" : "name its own interpreter with --python");
    }
    if (site_place(work, change->layout->site) >= dist->site) {
        struct err *err = err_make(work->arena, ERR_CONFLICT, "%.*s %.*s %s and would hide the new version", FMT(name),
                                   FMT(version), why);
        return err_hint(work->arena, err, "use a virtual environment");
    }
    if (work->options->env->layer.of.len) return NULL; /* that is what a layer is for */
    *vec_push(work->arena, &work->notes) =
        str_format(work->arena, "%.*s %.*s %s and stays, hidden by the new version", FMT(name), FMT(version), why);
    return NULL;
}

static struct err *add_old(struct work *work, const struct wheel_change *change, int32_t number) {
    const struct environment *env = work->options->env;
    const struct dist *dist = &env->dists[number];
    struct str real;
    bool reachable = dist->site >= 0 && dist->site < env->sites_len &&
                     !path_resolve(work->arena, env->sites[dist->site], &real) &&
                     scheme_root(work->options->scheme, path_join(work->arena, real, dist->info_dir)).len > 0;
    if (dist->system || !reachable) return stays(work, change, dist);
    struct owned owned;
    TRY(owned_read(work->arena, fs_real(), env, work->options->scheme, number, &owned));
    work->removed[number] = true;
    for (int32_t i = 0; i < owned.len; i++)
        *vec_push(work->arena, &work->items) = (struct item){.path = owned.files[i].path,
                                                             .put_change = -1,
                                                             .old = &owned.files[i],
                                                             .old_dist = number,
                                                             .other_dist = -1};
    if (owned.pth.len)
        *vec_push(work->arena, &work->ops) =
            (struct transaction_op){.kind = TRANSACTION_EDIT, .path = owned.pth, .text = owned.pth_text};
    return NULL;
}

static struct err *collect(struct work *work) {
    const struct environment *env = work->options->env;
    /* Room at once: growing leaves the smaller ones behind in the arena. */
    for (int32_t i = 0; i < work->changes_len; i++)
        if (work->changes[i].layout) work->items.cap += work->changes[i].layout->len;
    work->items.data = arena_new(work->arena, struct item, work->items.cap);
    for (int32_t i = 0; i < work->changes_len; i++) {
        const struct wheel_change *change = &work->changes[i];
        for (int32_t k = 0; k < env->dists_len; k++)
            if (str_eq(env->dists[k].name, change->name)) TRY(add_old(work, change, k));
        for (int32_t k = 0; change->layout && k < change->layout->len; k++) {
            struct wheel_file *file = &change->layout->files[k];
            *vec_push(work->arena, &work->items) =
                (struct item){.path = file->target, .put = file, .put_change = i, .old_dist = -1, .other_dist = -1};
        }
    }
    return merge(work);
}

bool work_writes(const struct work *work, const struct item *item) {
    if (!item->put || (item->modified && work->options->modified == WHEEL_KEEP)) return false;
    return !item->same || item->put->is_metadata;
}

struct err *wheel_change_make(struct arena *arena, const struct wheel_change_options *options,
                              const struct wheel_change *changes, int32_t len, struct transaction *transaction,
                              struct wheel_operations *ret) {
    struct work work = {.arena = arena, .options = options, .changes = changes, .changes_len = len};
    work.removed = arena_new(arena, bool, options->env->dists_len);
    TRY(collect(&work));
    TRY(work_inspect(&work));
    TRY(work_check(&work));
    if (transaction) TRY(work_stage(&work, transaction));
    work_list_operations(&work);
    *ret = (struct wheel_operations){.ops = work.ops.data,
                                     .len = (int32_t)work.ops.len,
                                     .room = (int32_t)work.ops.cap,
                                     .notes = work.notes.data,
                                     .notes_len = (int32_t)work.notes.len};
    return NULL;
}

void wheel_change_roots(struct arena *arena, const struct scheme *scheme, const struct str **ret, int32_t *ret_len) {
    const struct str all[] = {scheme->purelib, scheme->platlib, scheme->scripts, scheme->headers, scheme->data};
    str_vec roots = {0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool known = false;
        for (ptrdiff_t k = 0; k < roots.len; k++) known = known || str_eq(roots.data[k], all[i]);
        if (!known) *vec_push(arena, &roots) = all[i];
    }
    *ret = roots.data;
    *ret_len = (int32_t)roots.len;
}
