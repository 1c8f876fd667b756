/*
 * What a request that has no plan would have to give up: the limits that a fact stands for cost, all other facts hold.
 * One switch of the user gives up all facts that rest on it.
 */
#include "stage/solve_model.h"

#include "base/arena.h"

/* The level of a limit of this kind, LEVEL_ALL where it is none. */
static enum level level_of(const struct model *model, const struct fact *fact) {
    switch (fact->kind) {
    case FACT_HELD: return LEVEL_REPLACED;
    case FACT_ADVISORY: return LEVEL_ACCEPTED;
    case FACT_STALE: return LEVEL_STALE;
    case FACT_KEEP:
    case FACT_LOCK:
    case FACT_REMOVE: return LEVEL_WISHES;
    case FACT_REQUEST:
        return model->input->want->requests[model->rules.data[fact->rule].request].constraint ? LEVEL_WISHES
                                                                                              : LEVEL_ALL;
    case FACT_REQUIREMENT:
    case FACT_VERSIONS:
    case FACT_ABSENT: break;
    }
    return LEVEL_ALL;
}

static struct str file_of(const struct model *model, const struct fact *fact) {
    return model->input->want->requests[model->rules.data[fact->rule].request].origin;
}

/* True if giving up one limit gives up the other. */
static bool is_one_switch(const struct model *model, const struct fact *a, const struct fact *b) {
    if (a->kind != b->kind) return false;
    if (a->kind == FACT_STALE) return true;
    if (a->kind == FACT_LOCK) return model->input->want->no_lifts;
    return a->kind == FACT_REQUEST && str_eq(file_of(model, a), file_of(model, b));
}

/* Not everything that an answer before gave up is given up again. */
static void avoid(struct model *model, const struct solution *before) {
    VEC(int) literals = {0};
    for (int32_t i = 0; i < before->reason_len; i++) {
        for (ptrdiff_t f = 0; f < model->facts.len; f++) {
            if (!model->facts.data[f].given_up || model->facts.data[f].kind != before->reason[i].kind) continue;
            struct plan_fact told = model_tell(model, &model->facts.data[f]);
            if (str_eq(told.sentence, before->reason[i].sentence))
                *vec_push(model->arena, &literals) = -model->facts.data[f].given_up;
        }
    }
    if (literals.len) model_clause(model, -1, literals.data, (int32_t)literals.len);
}

int64_t model_replaced_max(const struct model *model) {
    int64_t replaced = 0;
    if (model->input->given_up_len == 0) return INT64_MAX;
    for (int32_t i = 0; i < model->input->given_up[0].reason_len; i++)
        replaced += model->input->given_up[0].reason[i].kind == FACT_HELD;
    return replaced;
}

void model_relax(struct model *model) {
    for (ptrdiff_t i = 0; i < model->facts.len; i++) {
        struct fact *fact = &model->facts.data[i];
        enum level level = level_of(model, fact);
        for (ptrdiff_t k = 0; k < i && level != LEVEL_ALL && !fact->given_up; k++)
            if (is_one_switch(model, &model->facts.data[k], fact)) fact->given_up = model->facts.data[k].given_up;
        if (level != LEVEL_ALL && !fact->given_up) fact->given_up = model_cost(model, level);
        model_clause(model, -1, (int[]){fact->selector, fact->given_up}, 2);
    }
    for (int32_t i = 0; i < model->input->given_up_len; i++) avoid(model, &model->input->given_up[i]);
}

void model_tell_relaxed(struct model *model, struct solution *ret) {
    VEC(struct plan_fact) told = {0};
    for (ptrdiff_t i = 0; i < model->facts.len; i++) {
        const struct fact *fact = &model->facts.data[i];
        if (fact->given_up && sat_value(model->sat, fact->given_up) && !sat_value(model->sat, fact->selector))
            *vec_push(model->arena, &told) = model_tell(model, fact);
    }
    ret->reason = told.data;
    ret->reason_len = (int32_t)told.len;
}
