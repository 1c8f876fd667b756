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
    STEP_FIRST = 32, /* releases that the first wide step passes while guesses hold */
    PARTS = 4,       /* pieces into which a stretch that is not known is cut then */
};

struct gather {
    struct model *model;
    VEC(struct need) items;
};

static void need_slot(struct gather *gather, const struct node *node, int32_t slot) {
    *vec_push(gather->model->arena, &gather->items) = (struct need){{node->project}, node->slots[slot]};
}

static bool runs_have(const struct runs *runs, int32_t slot) {
    for (ptrdiff_t i = 0; i < runs->list.len; i++)
        if (slot >= runs->list.data[i].from && slot < runs->list.data[i].to) return true;
    return false;
}

/* True if nothing in the answer as it is forbids the slot. */
static bool fits_answer(const struct model *model, const struct node *node, int32_t slot) {
    for (ptrdiff_t i = 0; i < model->rules.len; i++) {
        const struct rule *rule = &model->rules.data[i];
        if (rule->target != node->project || rule->node < 0 || rule->extra.len || !runs_have(&rule->bad, slot))
            continue;
        if (runs_have(&rule->runs, model_slot(model, &model->nodes[rule->node]))) return false;
    }
    return true;
}

static bool need_neighbour(struct gather *gather, const struct node *node, int32_t slot) {
    if (slot < 0 || slot >= node->slots_len) return false;
    const struct release *release = model_release(gather->model, node, slot);
    if (release->meta_state != META_UNKNOWN) return false;
    if (release->artifact.sdist && !gather->model->input->want->builds) return false;
    if (!model_wanted(gather->model, node, slot) || !fits_answer(gather->model, node, slot)) return false;
    need_slot(gather, node, slot);
    return true;
}

static int32_t sooner(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static int32_t later(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* Where an answer looks next from the chosen release: upwards for what moves up from what is installed. */
static bool goes_up(const struct node *node, int32_t slot) {
    return node->installed >= 0 && slot > node->installed && !node->requested;
}

/* What is below the floor has a higher price. */
static int32_t lowest_slot(const struct node *node, int32_t slot) {
    return slot >= node->floor && node->floor > 0 ? node->floor : 0;
}

/* Releases near the chosen one, as many as are known already, at least BATCH_FIRST. */
static void need_neighbours(struct gather *gather, const struct node *node, int32_t slot) {
    int32_t known = model_known_slots(gather->model, node, node->installed), lowest = lowest_slot(node, slot);
    int32_t batch = known < BATCH_FIRST ? BATCH_FIRST : known * 2;
    if (known >= BATCH_FIRST && node->slots_len <= SMALL_PROJECT) batch = SMALL_PROJECT;
    if (batch > BATCH_MAX) batch = BATCH_MAX;
    int32_t step = goes_up(node, slot) ? 1 : -1;
    for (int32_t d = 1; d < node->slots_len && batch > 0; d++) {
        if (slot + step * d >= lowest && need_neighbour(gather, node, slot + step * d)) batch--;
        if (batch > 0 && d <= BATCH_FIRST && slot - step * d >= lowest && need_neighbour(gather, node, slot - step * d))
            batch--;
    }
}

/* What guesses leave no room for has to be looked at as a whole: everything between known releases. */
static void need_gaps(struct gather *gather, const struct node *node, int32_t slot) {
    int32_t lowest = lowest_slot(node, slot), start = -1, count = 0;
    for (int32_t k = lowest; k < node->slots_len; k++) {
        if (model_release(gather->model, node, k)->meta_state != META_KNOWN) continue;
        for (int32_t gap = start + 1; start >= 0 && gap < k && count < BATCH_MAX; gap++)
            count += need_neighbour(gather, node, gap);
        start = k;
    }
    if (count == 0) need_neighbours(gather, node, slot);
}

/* Where nothing is known further on: three steps, ever wider, the last twice as far as the search has come. */
static void need_steps(struct gather *gather, const struct node *node, int32_t slot, int32_t left) {
    int32_t step = goes_up(node, slot) ? 1 : -1;
    int32_t come = step > 0 ? slot - node->installed : node->slots_len - 1 - slot;
    int32_t reach = sooner(later(2 * come, STEP_FIRST), left);
    for (int32_t part = 16; part > 0; part /= 4) (void)need_neighbour(gather, node, slot + step * (reach / part));
}

/* While guesses hold: pieces of the stretch of releases that are not known in which the chosen one lies, so that
 * requirements are found by where they begin and end. */
static void need_pieces(struct gather *gather, const struct node *node, int32_t slot) {
    const struct model *model = gather->model;
    int32_t end = slot, step = goes_up(node, slot) ? 1 : -1, lowest = lowest_slot(node, slot);
    while (end >= lowest && end < node->slots_len && model_release(model, node, end)->meta_state == META_UNKNOWN)
        end += step;
    if (end < lowest || end == node->slots_len) {
        need_steps(gather, node, slot, step * (end - slot) - 1);
        return;
    }
    for (int32_t part = 1; part < PARTS; part++) (void)need_neighbour(gather, node, slot + (end - slot) * part / PARTS);
}

static void need_others(struct gather *gather, const struct node *node, int32_t slot) {
    const struct model *model = gather->model;
    if (model_known_slots(model, node, node->installed) == 0) return;
    if (!model->input->guess) need_neighbours(gather, node, slot);
    else if (model->guesses == GUESSES_VOID) need_gaps(gather, node, slot);
    else need_pieces(gather, node, slot);
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
        need_others(gather, node, slot);
    }
    /* Whether an old release is lax shows only beside the one that it is measured by. */
    if (node->floor > slot && model_release(model, node, node->floor)->meta_state == META_UNKNOWN)
        need_slot(gather, node, node->floor);
}

/* Whether what comes right after the choice, where only a guess speaks against it, is as bad as guessed. */
static void need_proof_of_guess(struct gather *gather, const struct node *node) {
    int32_t slot = model_slot(gather->model, node), left = node->requested ? BATCH_FIRST : 1;
    if (slot < 0 || node->fixed || (node->installed >= 0 && !node->requested)) return;
    while (left > 0 && need_neighbour(gather, node, slot + 1)) slot++, left--;
}

int32_t model_slot(const struct model *model, const struct node *node) {
    int32_t slot = -1;
    for (int32_t k = 0; k < node->slots_len && sat_value(model->sat, node->ge[k]); k++) slot = k;
    return slot;
}

struct needs model_needs(struct model *model) {
    struct gather gather = {.model = model};
    for (ptrdiff_t i = 0; i < model->scope.len; i++) need_node(&gather, &model->nodes[model->scope.data[i]]);
    bool settled = gather.items.len == 0 && model->guesses == GUESSES_BIND;
    for (ptrdiff_t i = 0; i < model->scope.len && settled; i++)
        need_proof_of_guess(&gather, &model->nodes[model->scope.data[i]]);
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
