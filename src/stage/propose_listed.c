/*
 * What the distributions of a plain list require: the list does not say, the index does.
 */
#include "base/arena.h"
#include "stage/propose.h"

#include <string.h>

/* True where only the index can tell the requirements; vendor builds and working copies are on none. */
static bool to_be_asked(const struct dist *dist) {
    return dist->form == DIST_LISTED && !dist->shadowed && !dist->metadata_known && !dist->vendor && !dist->editable &&
           dist->version_valid && !dist->direct_url.len;
}

/* Asks for the pages of those that are to be asked, then (`metadata`) for what their installed releases require. */
static struct err *supply_listed(struct arena *arena, const struct environment *env, struct pool *pool,
                                 const struct source *source, bool metadata) {
    struct need *needs = arena_new(arena, struct need, env->dists_len);
    int32_t len = 0;
    for (int32_t i = 0; i < env->dists_len; i++) {
        if (!to_be_asked(&env->dists[i])) continue;
        struct project_id id = pool_project(pool, env->dists[i].name);
        const struct project *project = &pool->projects.data[id.n];
        struct release *installed = &project->releases[project->installed];
        if (!metadata && project->page == PAGE_UNKNOWN) needs[len++] = (struct need){id, -1};
        if (!metadata || !installed->on_index || installed->meta_state == META_KNOWN) continue;
        installed->meta_state = META_UNKNOWN;
        needs[len++] = (struct need){id, project->installed};
    }
    return len ? source->supply(source->self, pool, &(struct needs){needs, len}) : NULL;
}

struct err *propose_listed(struct arena *arena, struct pool *pool, const struct source *source,
                           struct environment *env) {
    TRY(supply_listed(arena, env, pool, source, false));
    TRY(supply_listed(arena, env, pool, source, true));
    struct dist *dists = arena_new(arena, struct dist, env->dists_len);
    if (env->dists_len) memcpy(dists, env->dists, (size_t)env->dists_len * sizeof *dists);
    for (int32_t i = 0; i < env->dists_len; i++) {
        if (!to_be_asked(&dists[i])) continue;
        const struct project *project = pool_find(pool, dists[i].name);
        const struct release *release = &project->releases[project->installed];
        if (release->meta_state != META_KNOWN || !release->metadata) continue;
        dists[i].metadata = *release->metadata;
        dists[i].metadata_known = true;
    }
    env->dists = dists;
    return NULL;
}
