#include "stage/environment.h"

#include "base/arena.h"
#include "os/digest.h"

#include <stdlib.h>

const struct dist *environment_find(const struct environment *env, struct str name) {
    int32_t at = map_find(&env->by_name, name);
    return at < 0 ? NULL : &env->dists[at];
}

struct str environment_runs(const struct environment *env) {
    return env->layer.coming ? env->layer.of : env->python;
}

struct str environment_fingerprint(struct arena *arena, const struct environment *env) {
    if (env->fingerprint.len || env->state.len == 0) return env->fingerprint;
    return digest_hex(arena, digest_make(arena, env->state, DIGEST_SHA256));
}

static bool dist_is_still(const struct environment *now, const struct dist *a, const struct environment *then,
                          const struct dist *b) {
    return str_eq(a->name, b->name) && str_eq(a->version.text, b->version.text) && str_eq(a->info_dir, b->info_dir) &&
           a->site >= 0 && b->site >= 0 && str_eq(now->sites[a->site], then->sites[b->site]) &&
           a->look.mtime_ns == b->look.mtime_ns && a->look.file_size == b->look.file_size &&
           a->look.file_mtime_ns == b->look.file_mtime_ns;
}

bool environment_is_still(const struct environment *now, const struct environment *then) {
    bool same = now->dists_len == then->dists_len && str_eq(now->prefix, then->prefix) &&
                str_eq(now->markers.python_full_version, then->markers.python_full_version);
    for (int32_t i = 0; same && i < now->dists_len; i++)
        same = dist_is_still(now, &now->dists[i], then, &then->dists[i]);
    return same;
}

static int dist_order(const void *a, const void *b) {
    const struct dist *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    if (order) return order;
    if (x->site != y->site) return x->site < y->site ? -1 : 1;
    return str_cmp(x->info_dir, y->info_dir);
}

void environment_seal(struct arena *arena, struct environment *env, struct dist *dists, int32_t len) {
    /* A scan comes in order. */
    bool sorted = true;
    for (int32_t i = 1; i < len && sorted; i++) sorted = dist_order(&dists[i - 1], &dists[i]) <= 0;
    if (!sorted) qsort(dists, (size_t)len, sizeof *dists, dist_order);
    env->by_name = (struct map){0};
    for (int32_t i = 0; i < len; i++) {
        dists[i].shadowed = map_find(&env->by_name, dists[i].name) >= 0;
        if (!dists[i].shadowed) map_add(arena, &env->by_name, dists[i].name, i);
    }
    env->dists = dists;
    env->dists_len = len;
}
