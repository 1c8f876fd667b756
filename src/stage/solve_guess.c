/*
 * What releases that are not known are taken to require: what both the known one below and the known one above require.
 * A bound that both state, though in other words, holds between them as far as they agree.
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

void model_guess_between(struct model *model, int32_t at, const struct stated *below, const struct stated *above) {
    if (!model->input->guess || model->input->known_only || model->explaining || model->nodes[at].fixed) return;
    for (ptrdiff_t i = 0; i < below->rules.len; i++) {
        for (ptrdiff_t j = 0; j < above->rules.len; j++) {
            int32_t low = below->rules.data[i], high = above->rules.data[j];
            const struct rule *a = &model->rules.data[low], *b = &model->rules.data[high];
            if (a->target != b->target) continue;
            *vec_push(model->arena, &model->between) =
                (struct guess){low,
                               {below->slot + 1, above->slot},
                               low == high ? a->bad : common_runs(model->arena, &a->bad, &b->bad)};
        }
    }
}
