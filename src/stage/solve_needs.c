/*
 * What an answer used without knowing it: pages of escapes, metadata of chosen releases. Neighbours come along, more
 * each time a project is asked for again, so that no search walks through a history one version at a time.
 */
#include "stage/solve_model.h"

#include "base/arena.h"

enum {
    BATCH_FIRST = 4,    /* neighbours at the second request for a project */
    SMALL_PROJECT = 64, /* slots up to which the second request takes all */
    BATCH_MAX = 256,
    SAMPLES = 8, /* steps down at once while guessing */
    PARTS = 10,  /* pieces into which a stretch that is not known is cut */
};

struct gather {
    struct model *model;
    VEC(struct need) items;
};

static void need_slot(struct gather *gather, const struct node *node, int32_t slot) {
    *vec_push(gather->model->arena, &gather->items) = (struct need){{node->project}, node->slots[slot]};
}

static bool need_neighbour(struct gather *gather, const struct node *node, int32_t slot) {
    if (slot < 0 || slot >= node->slots_len) return false;
    const struct release *release = model_release(gather->model, node, slot);
    if (release->meta_state != META_UNKNOWN) return false;
    if (release->artifact.sdist && !gather->model->input->want->builds) return false;
    if (!model_wanted(gather->model, node, slot)) return false;
    need_slot(gather, node, slot);
    return true;
}

/* Releases near the chosen one, as many as are known already, at least BATCH_FIRST. */
static void need_neighbours(struct gather *gather, const struct node *node, int32_t slot) {
    int32_t known = model_known_slots(gather->model, node, node->installed);
    if (known == 0) return;
    int32_t batch = known < BATCH_FIRST ? BATCH_FIRST : known * 2;
    if (known >= BATCH_FIRST && node->slots_len <= SMALL_PROJECT) batch = SMALL_PROJECT;
    if (batch > BATCH_MAX) batch = BATCH_MAX;
    bool upwards = node->installed >= 0 && slot > node->installed && !node->requested;
    for (int32_t d = 1; d < node->slots_len && batch > 0; d++) {
        if (need_neighbour(gather, node, upwards ? slot + d : slot - d)) batch--;
        if (batch > 0 && d <= BATCH_FIRST && need_neighbour(gather, node, upwards ? slot - d : slot + d)) batch--;
    }
}

/* With guessing: ever wider steps down from the chosen release, then halves between what is known, so that runs of
 * equal requirements are found by their ends. */
static void need_samples(struct gather *gather, const struct node *node, int32_t slot) {
    int32_t bottom = slot;
    if (model_known_slots(gather->model, node, node->installed) == 0) return;
    while (bottom > 0 && model_release(gather->model, node, bottom - 1)->meta_state == META_UNKNOWN) bottom--;
    if (bottom == 0) {
        for (int32_t d = 1, n = 0; slot - d >= 0 && n < SAMPLES; d *= 2, n++)
            (void)need_neighbour(gather, node, slot - d);
        return;
    }
    for (int32_t part = 1; part < PARTS; part++)
        (void)need_neighbour(gather, node, bottom + (int32_t)((int64_t)(slot - bottom) * part / PARTS));
}

/* Where the chosen release lacks an extra that was asked for, whether others have it shows in the newest. */
static void need_extras(struct gather *gather, const struct node *node, int32_t slot) {
    const struct model *model = gather->model;
    const struct project *project = &model->pool->projects.data[node->project];
    const struct release *release = model_release(model, node, slot);
    bool lacking = false;
    for (int32_t i = 0; i < model->input->want->requests_len && release->meta_state == META_KNOWN; i++) {
        const struct request *request = &model->input->want->requests[i];
        if (request->constraint || !str_eq(request->requirement.name, project->name)) continue;
        for (int32_t e = 0; e < request->requirement.extras_len; e++)
            lacking = lacking || !solve_has_extra(model->arena, release->metadata, &model->input->env->markers,
                                                  request->requirement.extras[e]);
    }
    if (!lacking) return;
    int32_t newest = model_newest_wanted(model, node);
    if (project->page == PAGE_UNKNOWN) *vec_push(model->arena, &gather->items) = (struct need){{node->project}, -1};
    else if (newest >= 0 && model_release(model, node, newest)->meta_state == META_UNKNOWN)
        need_slot(gather, node, newest);
}

static void need_node(struct gather *gather, const struct node *node) {
    const struct model *model = gather->model;
    if (sat_value(model->sat, node->escape)) {
        *vec_push(model->arena, &gather->items) = (struct need){{node->project}, -1};
        return;
    }
    int32_t slot = model_slot(model, node);
    bool unseen = model->pool->projects.data[node->project].page == PAGE_UNKNOWN;
    if (model->input->want->upgrade && node->requested && unseen && !node->fixed)
        *vec_push(model->arena, &gather->items) = (struct need){{node->project}, -1};
    if (slot >= 0 && node->requested && !node->fixed) need_extras(gather, node, slot);
    if (slot < 0 || slot == node->installed) return;
    if (model_release(model, node, slot)->meta_state == META_UNKNOWN) {
        need_slot(gather, node, slot);
        if (model->input->guess && node->installed < 0 && !node->requested) need_samples(gather, node, slot);
        else need_neighbours(gather, node, slot);
    }
    /* Whether an old release is lax shows only beside the one that it is measured by. */
    if (node->floor > slot && model_release(model, node, node->floor)->meta_state == META_UNKNOWN)
        need_slot(gather, node, node->floor);
}

int32_t model_slot(const struct model *model, const struct node *node) {
    int32_t slot = -1;
    for (int32_t k = 0; k < node->slots_len && sat_value(model->sat, node->ge[k]); k++) slot = k;
    return slot;
}

struct needs model_needs(struct model *model) {
    struct gather gather = {.model = model};
    for (ptrdiff_t i = 0; i < model->scope.len; i++) need_node(&gather, &model->nodes[model->scope.data[i]]);
    VEC(struct need) unique = {0};
    struct map seen = {0};
    for (ptrdiff_t i = 0; i < gather.items.len; i++) {
        struct need need = gather.items.data[i];
        struct str key = str_format(model->arena, "%d %d", need.project.n, need.release);
        if (map_find(&seen, key) >= 0) continue;
        map_add(model->arena, &seen, key, 1);
        *vec_push(model->arena, &unique) = need;
    }
    return (struct needs){unique.data, (int32_t)unique.len};
}
