/* Whether a transaction can be taken back alone: the requirements as they would be then. */
#include "stage/history.h"

#include "base/arena.h"
#include "pypa/name.h"
#include "stage/check.h"

enum { BREAKS_SHOWN = 10, METADATA_MAX = 16 << 20 };

/* The distributions as they would be. */
struct after {
    struct arena *arena;
    const struct environment *env;
    VEC(struct check_dist) dists;
};

static bool is_changed(const struct history_entry *entry, struct str name) {
    for (int32_t i = 0; i < entry->changes_len; i++)
        if (str_eq(entry->changes[i].name, name)) return true;
    return false;
}

static void dist_add(struct after *after, struct str text) {
    struct metadata *metadata = arena_new(after->arena, struct metadata, 1);
    struct err *err = metadata_parse(after->arena, text, metadata);
    if (err || !name_is_valid(metadata->name))
        return; /* what it requires is not known, and was not when it was there */
    struct check_dist dist = {.name = name_normalize(after->arena, metadata->name), .metadata = metadata};
    dist.version_valid = version_try_parse(after->arena, metadata->version, &dist.version);
    *vec_push(after->arena, &after->dists) = dist;
}

/* The distributions that come back: their METADATA are among what is kept. */
static struct err *add_restored(struct after *after, struct transaction_store *store, struct str id) {
    const struct str *paths = NULL;
    int32_t len = 0;
    TRY(transaction_paths(store, id, &paths, &len));
    for (int32_t i = 0; i < len; i++) {
        struct str text;
        bool found = false;
        if (!str_ends(paths[i], S(".dist-info/METADATA")) && !str_ends(paths[i], S(".egg-info/PKG-INFO"))) continue;
        if (i > 0 && str_eq(paths[i], paths[i - 1])) continue;
        TRY(transaction_old(store, id, paths[i], METADATA_MAX, &text, &found));
        if (found) dist_add(after, text);
    }
    return NULL;
}

/* What an added distribution hides comes to light again. */
static void add_hidden(struct after *after, const struct history_entry *entry) {
    const struct environment *env = after->env;
    for (int32_t i = 1; i < env->dists_len; i++) {
        const struct dist *dist = &env->dists[i];
        bool next = dist->shadowed && !env->dists[i - 1].shadowed && is_changed(entry, dist->name);
        for (ptrdiff_t k = 0; k < after->dists.len; k++) next = next && !str_eq(after->dists.data[k].name, dist->name);
        if (!next) continue;
        *vec_push(after->arena, &after->dists) =
            (struct check_dist){.name = dist->name,
                                .version = dist->version,
                                .version_valid = dist->version_valid,
                                .metadata = dist->metadata_known ? &dist->metadata : NULL,
                                .held = dist->vendor != 0};
    }
}

static bool is_known(const struct plan_break *found, const struct plan_break *known, int32_t len) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(found->name, known[i].name) && str_eq(found->requires_text, known[i].requires_text)) return true;
    return false;
}

static struct err *compare(struct after *after, const struct history_entry *entry) {
    struct arena *arena = after->arena;
    const struct check_dist *dists = NULL;
    const struct plan_break *before = NULL, *breaks = NULL;
    const struct plan_allowance *uses = NULL;
    int32_t dists_len = 0, before_len = 0, len = 0, uses_len = 0, shown = 0;
    check_dists_of(arena, after->env, &dists, &dists_len);
    check_breaks(arena, &after->env->markers, dists, dists_len, true, &before, &before_len, &uses, &uses_len);
    for (int32_t i = 0; i < dists_len; i++)
        if (!is_changed(entry, dists[i].name)) *vec_push(arena, &after->dists) = dists[i];
    check_breaks(arena, &after->env->markers, after->dists.data, (int32_t)after->dists.len, true, &breaks, &len, &uses,
                 &uses_len);
    struct err *err = NULL, *last = NULL;
    for (int32_t i = 0; i < len; i++) {
        if (is_known(&breaks[i], before, before_len) || shown == BREAKS_SHOWN) continue;
        shown++;
        struct err *one = err_make(arena, ERR_CONFLICT, "%.*s %.*s requires %.*s", FMT(breaks[i].name),
                                   FMT(breaks[i].version), FMT(breaks[i].requires_text));
        if (!err)
            err = last = err_make(arena, ERR_CONFLICT, "transaction %.*s cannot be taken back alone",
                                  FMT(entry->transaction.id));
        last = err_because(last, one)->cause;
    }
    if (!err) return NULL;
    return err_hint(arena, err, "take the later transactions back first (unpin undo N), or use --force");
}

struct err *history_undo_check(struct arena *arena, const struct environment *env, const struct history_entry *entry) {
    struct after after = {.arena = arena, .env = env};
    struct transaction_options options;
    struct transaction_store *store;
    if (!entry->transaction.undoable) return NULL; /* which history_undo tells */
    TRY(history_options(arena, env, NULL, 0, &options));
    TRY(transaction_open(arena, &options, NULL, &store));
    struct err *err = add_restored(&after, store, entry->transaction.id);
    transaction_close(store);
    if (err) return err;
    add_hidden(&after, entry);
    return compare(&after, entry);
}
