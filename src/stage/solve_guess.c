/*
 * What releases that are not known are taken to require: what both the known one below and the known one above require.
 * A bound that both state, though in other words, holds between them as far as they agree. Between is meant by version
 * and by time.
 */
#include "base/arena.h"
#include "stage/solve_model.h"

static int32_t later(int32_t a, int32_t b) {
    return a > b ? a : b;
}
static int32_t sooner(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* The slots that are in both; either is ascending. */
static struct runs common_runs(struct arena *arena, const struct runs *a, const struct runs *b) {
    struct runs both = {0};
    ptrdiff_t i = 0, j = 0;
    while (i < a->list.len && j < b->list.len) {
        struct run x = a->list.data[i], y = b->list.data[j];
        struct run run = {later(x.from, y.from), sooner(x.to, y.to)};
        if (run.from < run.to) *vec_push(arena, &both.list) = run;
        if (x.to < y.to) i++;
        else j++;
    }
    return both;
}

/* True if nothing tells that a release came before the one below it or after the one above it: then it is of another
 * line of releases than one of them (1.8.24, made for those who stay below 2, is younger than 2.5), and need not
 * require what they do. */
static bool is_between(const struct model *model, const struct node *node, int32_t slot, int32_t below, int32_t above) {
    int64_t date = model_release(model, node, slot)->uploaded, low = model_release(model, node, below)->uploaded;
    int64_t high = model_release(model, node, above)->uploaded;
    return date == INT64_MIN || (date >= low && (high == INT64_MIN || date <= high));
}

static void guess_run(struct model *model, const struct stated *below, const struct stated *above, struct run run) {
    for (ptrdiff_t i = 0; i < below->rules.len; i++) {
        for (ptrdiff_t j = 0; j < above->rules.len; j++) {
            int32_t low = below->rules.data[i], high = above->rules.data[j];
            const struct rule *a = &model->rules.data[low], *b = &model->rules.data[high];
            if (a->target != b->target) continue;
            *vec_push(model->arena, &model->between) =
                (struct guess){low, run, low == high ? a->bad : common_runs(model->arena, &a->bad, &b->bad)};
        }
    }
}

void model_guess_between(struct model *model, int32_t at, const struct stated *below, const struct stated *above) {
    const struct node *node = &model->nodes[at];
    if (!model->input->guess || model->input->known_only || model->explaining || node->fixed) return;
    for (int32_t from = below->slot + 1; from < above->slot; from++) {
        int32_t to = from;
        while (to < above->slot && is_between(model, node, to, below->slot, above->slot)) to++;
        if (to > from) guess_run(model, below, above, (struct run){from, to});
        from = to;
    }
}
