/* What distributions and requests require, as clauses. */
#include "stage/solve_model.h"

#include "base/arena.h"

/* The walk over nodes: rules are gathered first, clauses follow when all runs are known. */
struct gather {
    struct model *model;
    struct map seen;             /* of the node and extra at hand: requirement text to a position in model.rules */
    struct map before;           /* "name[extra]" of extras that installed distributions ask for */
    VEC(struct str) before_todo; /* names of the map whose requirements are still to be walked */
};

enum { INACTIVE = 0x7fffffff };

static bool is_active(struct model *model, const struct requirement *requirement, struct str extra) {
    return marker_eval(model->arena, requirement->marker, &model->input->env->markers, extra);
}

/* True if the requirement is not met by what is installed, allowances included. */
static bool broken_before(const struct model *model, const struct requirement *requirement) {
    const struct dist *dist = environment_find(model->input->env, requirement->name);
    if (!dist) return true;
    if (specifier_set_match(&requirement->specifiers, &dist->version)) return false;
    bool allowed = dist->vendor && !model->input->want->no_allowances;
    return !allowed || !specifier_set_allowance(&requirement->specifiers, &dist->version);
}

static struct runs bad_runs(struct model *model, int32_t at, const struct specifier_set *specifiers) {
    const struct node *node = &model->nodes[at];
    const struct project *project = &model->pool->projects.data[at];
    struct runs bad = {0};
    for (int32_t k = 0; k < node->slots_len; k++) {
        if (specifier_set_match(specifiers, &project->releases[node->slots[k]].version)) continue;
        if (bad.list.len && bad.list.data[bad.list.len - 1].to == k) bad.list.data[bad.list.len - 1].to = k + 1;
        else *vec_push(model->arena, &bad.list) = (struct run){k, k + 1};
    }
    return bad;
}

struct runs model_bad(struct model *model, int32_t at, const struct specifier_set *specifiers) {
    if (model->nodes[at].slots_len < 4) return bad_runs(model, at, specifiers);
    /* The same set, not one that says the same: releases share the requirements that they repeat. */
    struct {
        const struct specifier *items;
        intptr_t at, len;
    } *identity = arena_alloc(model->arena, sizeof *identity);
    identity->items = specifiers->items;
    identity->at = at;
    identity->len = specifiers->len;
    struct str key = {(const char *)identity, sizeof *identity};
    int32_t found = map_find(&model->bad_cache, key);
    if (found >= 0) return model->bads.data[found];
    struct runs bad = bad_runs(model, at, specifiers);
    map_add(model->arena, &model->bad_cache, key, (int32_t)model->bads.len);
    *vec_push(model->arena, &model->bads) = bad;
    return bad;
}

/* The slot of a held target that only an allowance makes acceptable, -1. */
static int32_t allowed_slot(const struct model *model, int32_t at, const struct requirement *requirement) {
    const struct node *node = &model->nodes[at];
    if (model->input->want->no_allowances || node->installed < 0 || !model->pool->projects.data[at].held) return -1;
    return specifier_set_allowance(&requirement->specifiers, &node->dist->version) ? node->installed : -1;
}

static bool runs_have(const struct runs *runs, int32_t slot) {
    for (ptrdiff_t i = 0; i < runs->list.len; i++)
        if (slot >= runs->list.data[i].from && slot < runs->list.data[i].to) return true;
    return false;
}

/* The runs without one slot. */
static struct runs runs_without(struct arena *arena, const struct runs *runs, int32_t slot) {
    struct runs rest = {0};
    for (ptrdiff_t i = 0; i < runs->list.len; i++) {
        struct run run = runs->list.data[i];
        if (slot < run.from || slot >= run.to) {
            *vec_push(arena, &rest.list) = run;
            continue;
        }
        if (slot > run.from) *vec_push(arena, &rest.list) = (struct run){run.from, slot};
        if (slot + 1 < run.to) *vec_push(arena, &rest.list) = (struct run){slot + 1, run.to};
    }
    return rest;
}

static int32_t rule_add(struct model *model, int32_t at, const struct requirement *requirement, struct str extra) {
    int32_t target = model_node(model, requirement->name);
    if (target < 0) return -1;
    int32_t slot = allowed_slot(model, target, requirement);
    struct runs bad = model_bad(model, target, &requirement->specifiers);
    struct rule *rule = vec_push(model->arena, &model->rules);
    *rule =
        (struct rule){.requirement = requirement, .node = at, .target = target, .extra = extra, .allowed_slot = slot};
    rule->bad = slot >= 0 ? runs_without(model->arena, &bad, slot) : bad;
    return (int32_t)model->rules.len - 1;
}

static bool extra_was_asked(const struct gather *gather, const struct node *node, struct str extra) {
    if (extra.len == 0) return true;
    struct arena *arena = gather->model->arena;
    struct str key = str_format(arena, "%.*s[%.*s]", FMT(node->dist->name), FMT(extra));
    return map_find(&gather->before, key) >= 0;
}

/* The rule of a requirement of the node at hand, made if it is new; INACTIVE where its marker does not hold under
 * `extra`, -1 where there is no room. A node with one known slot has nothing to compare with. */
static int32_t gather_rule(struct gather *gather, int32_t at, const struct requirement *requirement, struct str extra,
                           bool alone) {
    struct model *model = gather->model;
    int32_t found = alone ? -1 : map_find(&gather->seen, requirement->text);
    if (found >= 0) return found;
    bool active = extra.len == 0 || is_active(model, requirement, extra);
    found = active ? rule_add(model, at, requirement, extra) : INACTIVE;
    if (found >= 0 && !alone) map_add(model->arena, &gather->seen, requirement->text, found);
    return found;
}

/* One requirement of one slot joins its rule. */
static void gather_requirement(struct gather *gather, int32_t at, struct stated *stated,
                               const struct requirement *requirement, struct str extra, bool alone) {
    struct model *model = gather->model;
    int32_t slot = stated->slot, found = gather_rule(gather, at, requirement, extra, alone);
    if (found < 0 || found == INACTIVE) return;
    const struct node *node = &model->nodes[at];
    if (slot == node->installed && extra_was_asked(gather, node, extra) && broken_before(model, requirement)) {
        model->rules.data[found].exempt = true;
        return;
    }
    if (!alone) *vec_push(model->arena, &stated->rules) = found;
    struct runs *runs = &model->rules.data[found].runs;
    if (runs->list.len && runs->list.data[runs->list.len - 1].to == slot) runs->list.data[runs->list.len - 1].to++;
    else if (!runs->list.len || runs->list.data[runs->list.len - 1].to < slot)
        *vec_push(model->arena, &runs->list) = (struct run){slot, slot + 1};
}

/* True if the requirement says nothing: what it is on is installed and meets it, and has no other release that is
 * known. (One that is not known meets everything.) Explanations look at all. */
static bool is_moot(const struct model *model, const struct active *active, const struct requirement *requirement,
                    int32_t at) {
    if (model->explaining || !active->met[at] || requirement->extras_len) return false;
    const struct project *target = &model->pool->projects.data[pool_target(model->pool, active, at)];
    const struct want *want = model->input->want;
    return target->page != PAGE_KNOWN && !str_among(want->remove, want->remove_len, target->name);
}

/* The requirements of all known slots of a node under `extra`. */
static void gather_node(struct gather *gather, int32_t at, struct str extra) {
    struct model *model = gather->model;
    gather->seen = (struct map){0};
    bool alone = model_known_slots(model, &model->nodes[at], -1) == 1;
    struct stated before = {.slot = -1};
    for (int32_t k = 0; k < model->nodes[at].slots_len; k++) {
        struct release *release = model_release(model, &model->nodes[at], k);
        if (release->meta_state != META_KNOWN || !release->metadata) continue;
        const struct active *active = pool_active(model->pool, release, &model->input->env->markers);
        const struct metadata *metadata = release->metadata;
        int32_t len = extra.len ? active->extra_len : active->base_len;
        const int32_t *which = extra.len ? active->extra : active->base;
        struct stated stated = {.slot = k};
        for (int32_t i = 0; i < len; i++)
            if (!is_moot(model, active, &metadata->requires_dist[which[i]], which[i]))
                gather_requirement(gather, at, &stated, &metadata->requires_dist[which[i]], extra, alone);
        if (before.slot >= 0 && k - before.slot > 1) model_guess_between(model, at, &before, &stated);
        before = stated;
    }
}

/* The literal "extra is asked of the node", made and its requirements gathered if it is new. */
static int extra_literal(struct gather *gather, int32_t at, struct str extra) {
    struct model *model = gather->model;
    struct node *node = &model->nodes[at];
    for (ptrdiff_t i = 0; i < node->extras.len; i++)
        if (str_eq(node->extras.data[i].name, extra)) return node->extras.data[i].literal;
    int literal = sat_variable(model->sat);
    *vec_push(model->arena, &node->extras) = (struct node_extra){extra, literal};
    gather_node(gather, at, extra);
    return literal;
}

/* Extras that the installed distributions ask for, transitively: what was active before. */
static void before_walk(struct gather *gather, const struct dist *dist, struct str extra) {
    struct model *model = gather->model;
    for (int32_t i = 0; i < dist->metadata.requires_len; i++) {
        const struct requirement *requirement = &dist->metadata.requires_dist[i];
        if (!requirement->extras_len || !is_active(model, requirement, extra)) continue;
        if (extra.len && is_active(model, requirement, (struct str){0})) continue;
        for (int32_t e = 0; e < requirement->extras_len; e++) {
            struct str key =
                str_format(model->arena, "%.*s[%.*s]", FMT(requirement->name), FMT(requirement->extras[e]));
            if (map_find(&gather->before, key) >= 0) continue;
            map_add(model->arena, &gather->before, key, 1);
            *vec_push(model->arena, &gather->before_todo) = key;
        }
    }
}

static void before_gather(struct gather *gather) {
    const struct environment *env = gather->model->input->env;
    for (int32_t i = 0; i < env->dists_len; i++)
        if (!env->dists[i].shadowed) before_walk(gather, &env->dists[i], (struct str){0});
    for (ptrdiff_t i = 0; i < gather->before_todo.len; i++) {
        struct str rest = gather->before_todo.data[i];
        struct str name = str_cut(&rest, '[');
        const struct dist *dist = environment_find(env, name);
        if (dist) before_walk(gather, dist, str_slice(rest, 0, rest.len - 1));
    }
}

/* Literals that are all false exactly where the rule applies in `run`: at most 3. */
static int32_t condition(struct gather *gather, const struct rule *rule, struct run run, int *ret) {
    struct model *model = gather->model;
    int32_t n = 0;
    if (rule->node < 0) return 0;
    const struct node *node = &model->nodes[rule->node];
    ret[n++] = -node->ge[run.from];
    ret[n++] = node->ge[run.to];
    for (ptrdiff_t i = 0; rule->extra.len && i < node->extras.len; i++)
        if (str_eq(node->extras.data[i].name, rule->extra)) ret[n++] = -node->extras.data[i].literal;
    return n;
}

/* The target is present and at none of the bad slots. */
static void emit_target(struct model *model, const struct rule *rule, int32_t fact, int *literals, int32_t n,
                        bool present) {
    const struct node *target = &model->nodes[rule->target];
    bool absence_told = !present;
    for (ptrdiff_t i = 0; i < rule->bad.list.len; i++) {
        struct run bad = rule->bad.list.data[i];
        int32_t m = n;
        if (bad.from == 0 && present) {
            absence_told = true;
            literals[m++] = target->escape;
        } else {
            literals[m++] = -target->ge[bad.from];
        }
        literals[m++] = target->ge[bad.to];
        model_clause(model, fact, literals, m);
    }
    if (absence_told) return;
    literals[n] = target->ge[0];
    literals[n + 1] = target->escape;
    model_clause(model, fact, literals, n + 2);
}

/* An allowance costs where the rule applies and the target is at the held slot; one that was used before is free. */
static void emit_allowance(struct gather *gather, int32_t at) {
    struct model *model = gather->model;
    const struct rule *rule = &model->rules.data[at];
    const struct node *target = &model->nodes[rule->target];
    int cost = model_cost(model, LEVEL_ALLOWANCES);
    *vec_push(model->arena, &model->allowances) =
        (struct mark){.literal = cost, .node = rule->node, .target = rule->target, .rule = at, .advisory = -1};
    struct runs runs = {0};
    if (rule->node < 0) *vec_push(model->arena, &runs.list) = (struct run){0, 0};
    else if (model->nodes[rule->node].installed >= 0 && extra_was_asked(gather, &model->nodes[rule->node], rule->extra))
        runs = runs_without(model->arena, &rule->runs, model->nodes[rule->node].installed);
    else runs = rule->runs;
    for (ptrdiff_t i = 0; i < runs.list.len; i++) {
        int literals[8];
        int32_t n = condition(gather, rule, runs.list.data[i], literals);
        literals[n++] = -target->ge[rule->allowed_slot];
        literals[n++] = target->ge[rule->allowed_slot + 1];
        literals[n++] = cost;
        model_clause(model, -1, literals, n);
    }
}

/* The fact that the rule rests on, made once: its clauses and those of the extras that it asks for share it. */
static int32_t rule_fact(struct model *model, int32_t at) {
    struct rule *rule = &model->rules.data[at];
    if (!rule->fact)
        rule->fact = 1 + model_fact(model, rule->node < 0 ? FACT_REQUEST : FACT_REQUIREMENT, rule->node, at, -1);
    return rule->fact - 1;
}

static void emit_rule(struct gather *gather, int32_t at) {
    struct model *model = gather->model;
    int32_t fact = rule_fact(model, at);
    const struct rule *rule = &model->rules.data[at];
    for (ptrdiff_t i = 0; i < rule->runs.list.len; i++) {
        int literals[8];
        int32_t n = condition(gather, rule, rule->runs.list.data[i], literals);
        emit_target(model, rule, fact, literals, n, true);
    }
    if (rule->allowed_slot >= 0 && rule->runs.list.len) emit_allowance(gather, at);
}

static void emit_guess(struct gather *gather, const struct guess *guess) {
    struct model *model = gather->model;
    struct rule rule = model->rules.data[guess->below];
    int literals[8];
    rule.bad = guess->bad;
    int32_t n = condition(gather, &rule, guess->run, literals);
    literals[n++] = model->guess;
    emit_target(model, &rule, -1, literals, n, true);
}

/* Extras that a rule asks of its target, wherever the rule applies. */
static void emit_extras(struct gather *gather, int32_t at) {
    struct model *model = gather->model;
    int32_t fact = model->rules.data[at].requirement->extras_len ? rule_fact(model, at) : -1;
    for (int32_t e = 0; e < model->rules.data[at].requirement->extras_len; e++) {
        int extra = extra_literal(gather, model->rules.data[at].target, model->rules.data[at].requirement->extras[e]);
        const struct rule *rule = &model->rules.data[at];
        if (rule->node < 0) model_clause(model, fact, &extra, 1);
        for (ptrdiff_t i = 0; rule->node >= 0 && i < rule->runs.list.len; i++) {
            int literals[8];
            int32_t n = condition(gather, rule, rule->runs.list.data[i], literals);
            literals[n++] = extra;
            model_clause(model, fact, literals, n);
        }
        if (!rule->exempt) continue;
        /* An edge that was broken before is not enforced, but its extras are asked for as they were. */
        int literals[8];
        int32_t slot = model->nodes[rule->node].installed;
        int32_t n = condition(gather, rule, (struct run){slot, slot + 1}, literals);
        literals[n++] = extra;
        model_clause(model, fact, literals, n);
    }
}

/* A constraint bounds what a plan brings in; what was there before is the lock's concern, unless it was asked for: then
 * leaving it in place goes against the two together. */
static void emit_spared(struct model *model, const struct rule *constraint, int32_t fact) {
    const struct node *target = &model->nodes[constraint->target];
    const struct want *want = model->input->want;
    for (int32_t i = 0; i < want->requests_len; i++) {
        if (model->rules.data[i].target != constraint->target || want->requests[i].constraint) continue;
        int literals[3] = {-target->ge[target->installed], target->ge[target->installed + 1]};
        int32_t n = 2, asked = rule_fact(model, i);
        if (asked >= 0) literals[n++] = -model->facts.data[asked].selector;
        model_clause(model, fact, literals, n);
    }
}

static bool is_asked_for(const struct model *model, int32_t target) {
    for (int32_t i = 0; i < model->input->want->requests_len; i++)
        if (model->rules.data[i].target == target && !model->input->want->requests[i].constraint) return true;
    return false;
}

static void emit_constraint(struct gather *gather, int32_t at) {
    struct model *model = gather->model;
    struct rule *rule = &model->rules.data[at];
    int32_t installed = model->nodes[rule->target].installed, fact = rule_fact(model, at);
    int literals[8];
    bool spared = installed >= 0 && runs_have(&rule->bad, installed);
    rule->bad = runs_without(model->arena, &rule->bad, installed);
    emit_target(model, rule, fact, literals, 0, false);
    if (rule->allowed_slot >= 0 && is_asked_for(model, rule->target)) emit_allowance(gather, at);
    if (spared) emit_spared(model, rule, fact);
}

static struct err *add_requests(struct gather *gather) {
    struct model *model = gather->model;
    const struct want *want = model->input->want;
    for (int32_t i = 0; i < want->requests_len; i++) {
        int32_t at = rule_add(model, -1, &want->requests[i].requirement, (struct str){0});
        if (at < 0) return err_make(model->arena, ERR_LIMIT, "too many projects take part");
        model->rules.data[at].request = i;
    }
    for (int32_t at = 0; at < want->requests_len; at++) {
        int literals[8];
        if (want->requests[at].constraint) {
            emit_constraint(gather, at);
            continue;
        }
        emit_target(model, &model->rules.data[at], rule_fact(model, at), literals, 0, true);
        if (model->rules.data[at].allowed_slot >= 0) emit_allowance(gather, at);
    }
    return NULL;
}

static bool names_exactly(const struct rule *rule, const struct version *version) {
    return specifier_set_pins(&rule->requirement->specifiers, version);
}

/* A literal that is true only where the rule applies in `run`. */
static int applies_literal(struct gather *gather, const struct rule *rule, struct run run) {
    struct model *model = gather->model;
    int applies = sat_variable(model->sat), when[8];
    int32_t n = condition(gather, rule, run, when);
    for (int32_t c = 0; c < n; c++) model_clause(model, -1, (int[]){-applies, -when[c]}, 2);
    return applies;
}

/* A pre-release that is admissible only because a requirement names it is chosen only where that requirement applies.
 */
static void emit_named(struct gather *gather, int32_t at) {
    struct model *model = gather->model;
    const struct project *project = &model->pool->projects.data[at];
    for (int32_t k = 0; k < model->nodes[at].slots_len; k++) {
        if (!model->nodes[at].named_only[k]) continue;
        VEC(int) literals = {0};
        *vec_push(model->arena, &literals) = -model->nodes[at].ge[k];
        *vec_push(model->arena, &literals) = model->nodes[at].ge[k + 1];
        for (ptrdiff_t r = 0; r < model->rules.len; r++) {
            const struct rule *rule = &model->rules.data[r];
            if (rule->target != at || rule->node < 0 || rule->node == at) continue;
            if (!names_exactly(rule, &project->releases[model->nodes[at].slots[k]].version)) continue;
            for (ptrdiff_t i = 0; i < rule->runs.list.len; i++)
                *vec_push(model->arena, &literals) = applies_literal(gather, rule, rule->runs.list.data[i]);
            int32_t slot = model->nodes[rule->node].installed;
            if (rule->exempt)
                *vec_push(model->arena, &literals) = applies_literal(gather, rule, (struct run){slot, slot + 1});
        }
        model_clause(model, -1, literals.data, (int32_t)literals.len);
    }
}

struct err *model_add_rules(struct model *model) {
    struct gather gather = {.model = model};
    before_gather(&gather);
    TRY(add_requests(&gather));
    /* Rules bring nodes into scope and ask for extras, whose rules do the same, until nothing is new. */
    ptrdiff_t nodes = 0, rules = 0;
    while (nodes < model->scope.len || rules < model->rules.len) {
        if (nodes < model->scope.len) gather_node(&gather, model->scope.data[nodes++], (struct str){0});
        else emit_extras(&gather, (int32_t)rules++);
        if (model->rules.len > SOLVE_RULES_MAX)
            return err_make(model->arena, ERR_LIMIT, "more than %d requirements take part", SOLVE_RULES_MAX);
    }
    for (int32_t i = 0; i < (int32_t)model->rules.len; i++)
        if (model->rules.data[i].node >= 0) emit_rule(&gather, i);
    for (ptrdiff_t i = 0; i < model->between.len; i++) emit_guess(&gather, &model->between.data[i]);
    for (ptrdiff_t i = 0; i < model->scope.len; i++) emit_named(&gather, model->scope.data[i]);
    return NULL;
}
