#include "stage/solve.h"

#include "base/arena.h"
#include "stage/solve_model.h"

bool solve_has_extra(struct arena *arena, const struct metadata *metadata, const struct marker_env *markers,
                     struct str extra) {
    if (str_among(metadata->extras, metadata->extras_len, extra)) return true;
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        const struct marker *marker = metadata->requires_dist[i].marker;
        if (marker_has_extra(marker) && marker_eval(arena, marker, markers, extra)) return true;
    }
    return false;
}

uint32_t solve_bars(const struct want *want, const struct project *project, const struct release *release) {
    uint32_t bars = release->bars;
    if (want->exclude_newer == INT64_MAX) bars &= ~(uint32_t)BAR_DATE;
    if (!want_limits_sdists(want)) bars &= ~(uint32_t)BAR_SDIST;
    if (!want_limits_wheels(want)) bars &= ~(uint32_t)BAR_BINARY;
    if ((bars & BAR_WHEELS) && want_names_build(want, project->name)) bars &= ~(uint32_t)BAR_WHEELS;
    return bars;
}

bool solve_is_final(const struct want *want, const struct project *project, const struct release *release) {
    if (!release->on_index || release->yanked || release->prerelease) return false;
    return (solve_bars(want, project, release) & ~(uint32_t)BAR_SDIST) == 0;
}

int64_t solve_floor_date(int64_t image_date) {
    if (image_date == INT64_MIN) return INT64_MIN;
    return image_date - (int64_t)SOLVE_FLOOR_GRACE_DAYS * SOLVE_DAY_S;
}

int32_t model_fact(struct model *model, enum plan_fact_kind kind, int32_t node, int32_t rule, int32_t advisory) {
    if (!model->explaining) return -1;
    *vec_push(model->arena, &model->facts) = (struct fact){kind, node, rule, advisory, -1, sat_variable(model->sat), 0};
    return (int32_t)model->facts.len - 1;
}

void model_clause(struct model *model, int32_t fact, const int *literals, int32_t len) {
    enum { FEW = 64 };
    int few[FEW];
    int *kept = len < FEW ? few : arena_new(model->arena, int, len + 1);
    int32_t n = 0;
    for (int32_t i = 0; i < len; i++) {
        if (literals[i] == model->yes) return;
        if (literals[i] != 0 && literals[i] != -model->yes) kept[n++] = literals[i];
    }
    if (fact >= 0) kept[n++] = -model->facts.data[fact].selector;
    sat_clause(model->sat, kept, n);
}

struct err *model_build(struct arena *arena, const struct solve_input *input, struct pool *pool, bool explaining,
                        struct model *ret) {
    struct model model = {.arena = arena, .input = input, .pool = pool, .explaining = explaining};
    model.sat = sat_open(arena);
    model.yes = sat_variable(model.sat);
    sat_clause(model.sat, &model.yes, 1);
    model.guess = sat_variable(model.sat);
    struct err *err = model_add_nodes(&model);
    if (!err) err = model_add_rules(&model);
    if (err) {
        sat_close(model.sat);
        return err;
    }
    model_add_levels(&model);
    *ret = model;
    return NULL;
}

static void read_answer(struct model *model, struct solution *ret) {
    int32_t len = (int32_t)model->pool->projects.len;
    int32_t *chosen = arena_new(model->arena, int32_t, len);
    for (int32_t i = 0; i < len; i++) {
        const struct node *node = i < model->nodes_len ? &model->nodes[i] : NULL;
        bool takes_part = node && node->in_scope;
        int32_t slot = takes_part ? model_slot(model, node) : -1;
        chosen[i] = slot >= 0 ? node->slots[slot] : takes_part ? -1 : model->pool->projects.data[i].installed;
    }
    ret->chosen = chosen;
    ret->chosen_len = len;
}

static struct solution_mark mark_of(const struct model *model, const struct mark *mark) {
    return (struct solution_mark){
        .project = mark->node,
        .target = mark->target,
        .requirement = mark->rule >= 0 ? model->rules.data[mark->rule].requirement : NULL,
        .advisory = mark->advisory,
    };
}

#define READ_MARKS(model, marks, ret)                                                                                  \
    do {                                                                                                               \
        VEC(struct solution_mark) true_ = {0};                                                                         \
        for (ptrdiff_t i_ = 0; i_ < (marks).len; i_++)                                                                 \
            if (sat_value((model)->sat, (marks).data[i_].literal))                                                     \
                *vec_push((model)->arena, &true_) = mark_of((model), &(marks).data[i_]);                               \
        (ret)->items = true_.data;                                                                                     \
        (ret)->len = (int32_t)true_.len;                                                                               \
    } while (0)

static void read_marks(struct model *model, struct solution *ret) {
    READ_MARKS(model, model->lax, &ret->lax);
    READ_MARKS(model, model->below, &ret->below);
    READ_MARKS(model, model->allowances, &ret->allowances);
    READ_MARKS(model, model->soft, &ret->soft);
    VEC(int32_t) lifted = {0};
    for (ptrdiff_t i = 0; i < model->scope.len; i++) {
        const struct node *node = &model->nodes[model->scope.data[i]];
        if (node->lifted && sat_value(model->sat, node->lifted)) *vec_push(model->arena, &lifted) = node->project;
    }
    ret->lifted = lifted.data;
    ret->lifted_len = (int32_t)lifted.len;
}

static void read_proof(const struct model *model, const int64_t *costs, struct plan_proof *ret) {
    static const struct str names[LEVEL_COUNT] = {
        S_INIT("below-floor-or-lax"),
        S_INIT("allowances"),
        S_INIT("lifts"),
        S_INIT("changes"),
        S_INIT("downgrades"),
        S_INIT("guessed"),
        S_INIT("soft"),
        S_INIT("builds"),
        S_INIT("unseen"),
        S_INIT("requested-age"),
        S_INIT("collateral-distance"),
        S_INIT("added-age"),
        S_INIT("added"),
    };
    _Static_assert((int)LEVEL_COUNT <= (int)PLAN_LEVELS + 2, "every level is told");
    ret->levels_len = 0;
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (i == LEVEL_GUESS || i == LEVEL_UNSEEN) continue; /* no costs of the plan: they decide what to fetch */
        ret->level_names[ret->levels_len] = names[i];
        ret->level_proven[ret->levels_len] = model->proven[i];
        ret->level_costs[ret->levels_len++] = costs[i];
    }
    ret->lower_bound_lifts = (int32_t)costs[LEVEL_LIFTS];
    ret->variables = sat_variables(model->sat);
    ret->clauses = sat_clauses(model->sat);
}

struct err *solve_run(struct arena *arena, const struct solve_input *input, struct pool *pool, struct solution *ret) {
    struct model model;
    TRY(model_build(arena, input, pool, input->relax, &model));
    if (input->relax) model_relax(&model);
    struct solution solution = {0};
    int64_t costs[LEVEL_COUNT] = {0};
    if (model_optimize(&model, costs)) {
        read_answer(&model, &solution);
        read_marks(&model, &solution);
        read_proof(&model, costs, &solution.proof);
        if (input->relax) model_tell_relaxed(&model, &solution);
        solution.needs = model_needs(&model);
        solution.status = solution.needs.len ? SOLVE_NEEDS : SOLVE_OPTIMAL;
        solution.proof.optimal = solution.status == SOLVE_OPTIMAL;
        for (int32_t i = 0; i < solution.proof.levels_len; i++)
            solution.proof.optimal = solution.proof.optimal && solution.proof.level_proven[i];
        sat_close(model.sat);
    } else {
        sat_close(model.sat);
        solution.status = SOLVE_INFEASIBLE;
        if (!input->relax) TRY(model_explain(arena, input, pool, &solution));
    }
    *ret = solution;
    return NULL;
}
