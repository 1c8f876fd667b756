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
