/* What costs: the terms of each objective level, and advisories. */
#include "stage/solve_model.h"

#include "base/arena.h"

#include <assert.h>

enum { ADVISORY_RUNS_MAX = 64 };

static void chain_of_one(struct model *model, enum level level, int literal) {
    struct chain *chain = vec_push(model->arena, &model->levels[level]);
    *chain = (struct chain){0};
    *vec_push(model->arena, &chain->costs) = literal;
}

int model_cost(struct model *model, enum level level) {
    int literal = sat_variable(model->sat);
    chain_of_one(model, level, literal);
    return literal;
}

/* The lines of the locks join the nodes that they are about. */
static void add_lock_lines(struct model *model) {
    const struct lock_set *locks = model->input->locks;
    for (int32_t i = 0; locks && i < locks->lines_len; i++) {
        int32_t at = map_find(&model->pool->by_name, locks->lines[i].requirement.name);
        if (!locks->lines[i].active || at < 0 || at >= model->nodes_len || !model->nodes[at].in_scope) continue;
        *vec_push(model->arena, &model->nodes[at].locks) = i;
    }
}

/* True if the lines of the lock on `node` hold for another version than the installed one; a line with a URL never
 * does. */
static bool lock_holds(const struct model *model, const struct node *node, const struct version *version) {
    const struct lock_set *locks = model->input->locks;
    if (!locks) return true;
    for (ptrdiff_t i = 0; i < node->locks.len; i++) {
        const struct requirement *requirement = &locks->lines[node->locks.data[i]].requirement;
        if (requirement->url.len || !specifier_set_match(&requirement->specifiers, version)) return false;
    }
    return true;
}

/* True if the lock leaves a node one release: an installed one no other than it has. */
static bool lock_is_pin(const struct model *model, const struct node *node) {
    const struct lock_set *locks = model->input->locks;
    if (!locks) return false;
    for (ptrdiff_t i = 0; i < node->locks.len; i++) {
        const struct requirement *requirement = &locks->lines[node->locks.data[i]].requirement;
        if (requirement->url.len) return true;
        for (int32_t j = 0; j < requirement->specifiers.len; j++) {
            const struct specifier *specifier = &requirement->specifiers.items[j];
            if (specifier->op == SPECIFIER_ARBITRARY) return true;
            if (specifier->op == SPECIFIER_EQ && !specifier->wildcard) return true;
        }
    }
    return false;
}

/* A literal that is true where the lock on the node is lifted. */
static void add_lift(struct model *model, struct node *node) {
    const struct lock_set *locks = model->input->locks;
    const struct project *project = &model->pool->projects.data[node->project];
    bool named = node->locks.len > 0;
    bool implied = locks && locks->implied && node->installed >= 0;
    if (!named && !implied) return;
    if (node->removed) return;
    const struct want *want = model->input->want;
    bool stays = want->no_lifts || str_among(want->no_lift, want->no_lift_len, project->name);
    if (implied && !named) {
        node->lifted = node->changed;
    } else {
        node->lifted = sat_variable(model->sat);
        for (int32_t k = 0; k < node->slots_len; k++) {
            if (k == node->installed || lock_holds(model, node, &project->releases[node->slots[k]].version)) continue;
            model_clause(model, -1, (int[]){-node->ge[k], node->ge[k + 1], node->lifted}, 3);
        }
        /* A pin that the installed release meets: another one will not. Were the lock to stay, that would be a claim
         * about a page that nobody has seen (`==2.0` holds for 2.0+cpu), so then the page is asked for. */
        if (node->installed >= 0 && !stays && lock_is_pin(model, node) &&
            lock_holds(model, node, &project->releases[node->slots[node->installed]].version))
            model_clause(model, -1, (int[]){-node->escape, node->lifted}, 2);
    }
    if (stays) {
        int32_t fact = model_fact(model, FACT_LOCK, node->project, -1, -1);
        model_clause(model, fact, &(int){-node->lifted}, 1);
    }
    chain_of_one(model, LEVEL_LIFTS, node->lifted);
}

static void add_change(struct model *model, struct node *node) {
    if (node->installed < 0 || node->fixed || node->removed) return;
    chain_of_one(model, LEVEL_CHANGES, node->changed);
    if (node->installed > 0) chain_of_one(model, LEVEL_DOWNGRADES, -node->ge[node->installed]);
}

/* Choosing a release that has to be built. */
static void add_builds(struct model *model, struct node *node) {
    const struct project *project = &model->pool->projects.data[node->project];
    int cost = 0;
    for (int32_t k = 0; k < node->slots_len; k++) {
        const struct release *release = &project->releases[node->slots[k]];
        if (k == node->installed || !release->artifact.sdist) continue;
        if (!cost) cost = model_cost(model, LEVEL_BUILDS);
        model_clause(model, -1, (int[]){-node->ge[k], node->ge[k + 1], cost}, 3);
    }
}

void model_grow_age(struct model *model, struct chain *chain) {
    const struct node *node = &model->nodes[chain->node - 1];
    int32_t k = node->slots_len - 1 - (int32_t)chain->costs.len;
    if (k <= 0) return;
    int cost = sat_variable(model->sat);
    model_clause(model, -1, (int[]){-node->ge[0], node->ge[k], cost}, 3);
    if (chain->costs.len) model_clause(model, -1, (int[]){-cost, chain->costs.data[chain->costs.len - 1]}, 2);
    *vec_push(model->arena, &chain->costs) = cost;
}

/* Distance from the newest slot, absence costing nothing. Where the project may be absent each step takes a literal of
 * its own; few of them are ever looked at, so the search makes them as it goes. */
static void add_age(struct model *model, struct node *node, enum level level) {
    struct chain *chain = vec_push(model->arena, &model->levels[level]);
    *chain = (struct chain){0};
    if (node->ge[0] != model->yes) {
        chain->node = node->project + 1;
        model_grow_age(model, chain);
        return;
    }
    for (int32_t k = node->slots_len - 1; k > 0; k--) *vec_push(model->arena, &chain->costs) = -node->ge[k];
}

/* Distance from the installed slot, upwards and downwards. */
static void add_distance(struct model *model, struct node *node) {
    struct chain *up = vec_push(model->arena, &model->levels[LEVEL_COLLATERAL]);
    *up = (struct chain){0};
    for (int32_t k = node->installed + 1; k < node->slots_len; k++) *vec_push(model->arena, &up->costs) = node->ge[k];
    struct chain *down = vec_push(model->arena, &model->levels[LEVEL_COLLATERAL]);
    *down = (struct chain){0};
    for (int32_t k = node->installed; k > 0; k--) *vec_push(model->arena, &down->costs) = -node->ge[k];
}

static void add_presence(struct model *model, struct node *node) {
    int cost = model_cost(model, LEVEL_ADDED);
    model_clause(model, -1, (int[]){-node->ge[0], cost}, 2);
    model_clause(model, -1, (int[]){-node->escape, cost}, 2);
}

/* The slot of the newest final release uploaded on or before the floor's date, -1: not known. What the lock names is
 * part of the image, however old it is: the floor is not above the newest release that it allows. */
static int32_t floor_slot(const struct model *model, const struct node *node) {
    const struct project *project = &model->pool->projects.data[node->project];
    int64_t date = solve_floor_date(model->input->env->image_date);
    bool locked = node->locks.len > 0, pinned = locked && lock_is_pin(model, node), met = false;
    int32_t floor = -1;
    if (date == INT64_MIN || !project->has_dates) return -1;
    for (int32_t k = node->slots_len - 1; k >= 0; k--) {
        const struct release *release = &project->releases[node->slots[k]];
        bool final = !release->prerelease && !release->yanked && release->uploaded <= date, lowered = floor >= 0;
        bool held = locked && lock_holds(model, node, &release->version);
        if (!lowered && !final) continue;
        if (!lowered || (held && (pinned || (final && !met)))) floor = k;
        met = met || (held && final);
    }
    return floor;
}

static void find_floor(struct model *model, struct node *node) {
    if (node->installed < 0 && !node->version_given && !node->removed && !model->input->want->stale)
        node->floor = floor_slot(model, node);
}

/* True if the rule holds wherever its distribution is: no extra states it, or one that a request asks for. */
static bool is_unconditional(const struct model *model, const struct rule *rule) {
    const struct want *want = model->input->want;
    if (!rule->extra.len) return true;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *asked = &want->requests[i].requirement;
        if (want->requests[i].constraint || rule->node < 0) continue;
        if (!str_eq(asked->name, model->pool->projects.data[rule->node].name)) continue;
        for (int32_t e = 0; e < asked->extras_len; e++)
            if (str_eq(asked->extras[e], rule->extra)) return true;
    }
    return false;
}

/* A literal that is true only where the node is in the result for a reason: it stays as installed, was asked for, or a
 * node that came into scope before it (which keeps reasons from going in circles) has a reason and requires it. */
static int support_literal(struct model *model, int32_t at) {
    struct node *node = &model->nodes[at];
    if (node->support) return node->support;
    if (node->requested) return node->support = model->yes;
    if (node->installed >= 0) return node->support = -node->changed;
    VEC(int) reasons = {0};
    int support = sat_variable(model->sat);
    node->support = support;
    *vec_push(model->arena, &reasons) = -support;
    for (ptrdiff_t i = 0; i < model->rules.len; i++) {
        const struct rule *rule = &model->rules.data[i];
        if (rule->target != at || rule->node < 0 || !is_unconditional(model, rule)) continue;
        const struct node *by = &model->nodes[rule->node];
        if (by->scope_at >= node->scope_at) continue;
        int supported = support_literal(model, rule->node);
        for (ptrdiff_t r = 0; r < rule->runs.list.len; r++) {
            int reason = sat_variable(model->sat);
            model_clause(model, -1, (int[]){-reason, supported}, 2);
            model_clause(model, -1, (int[]){-reason, by->ge[rule->runs.list.data[r].from]}, 2);
            model_clause(model, -1, (int[]){-reason, -by->ge[rule->runs.list.data[r].to]}, 2);
            *vec_push(model->arena, &reasons) = reason;
        }
    }
    model_clause(model, -1, reasons.data, (int32_t)reasons.len);
    return support;
}

/* True if the specifiers leave one release. */
static bool is_pin(const struct specifier_set *set) {
    for (int32_t i = 0; i < set->len; i++)
        if (set->items[i].op == SPECIFIER_ARBITRARY || (set->items[i].op == SPECIFIER_EQ && !set->items[i].wildcard))
            return true;
    return false;
}

/* A literal that may be true where the rule's distribution wants its target below the floor: one that is not stale
 * itself, or one that pins it. Who is stale is counted, and what it pins comes with it. */
static int cap_literal(struct model *model, const struct rule *rule, struct run run) {
    const struct node *node = &model->nodes[rule->node];
    int cap = sat_variable(model->sat);
    model_clause(model, -1, (int[]){-cap, support_literal(model, rule->node)}, 2);
    model_clause(model, -1, (int[]){-cap, node->ge[run.from]}, 2);
    model_clause(model, -1, (int[]){-cap, -node->ge[run.to]}, 2);
    if (node->floor > 0 && !is_pin(&rule->requirement->specifiers))
        model_clause(model, -1, (int[]){-cap, node->ge[node->floor]}, 2);
    return cap;
}

/* Being below the floor costs, unless a distribution that is current states a bound which asks for that. */
static void add_floor(struct model *model, struct node *node) {
    enum { CAPS_MAX = 40 };
    int literals[CAPS_MAX + 3];
    int32_t n = 0;
    if (node->floor <= 0) return;
    for (ptrdiff_t i = 0; i < model->rules.len; i++) {
        const struct rule *rule = &model->rules.data[i];
        if (rule->target != node->project || rule->node < 0 || !rule->bad.list.len) continue;
        struct run last = rule->bad.list.data[rule->bad.list.len - 1];
        if (last.to != node->slots_len || last.from > node->floor || !is_unconditional(model, rule)) continue;
        for (ptrdiff_t r = 0; r < rule->runs.list.len && n < CAPS_MAX; r++)
            literals[n++] = cap_literal(model, rule, rule->runs.list.data[r]);
    }
    int cost = model_cost(model, LEVEL_AGE);
    literals[n++] = -node->ge[0];
    literals[n++] = node->ge[node->floor];
    literals[n++] = cost;
    model_clause(model, -1, literals, n);
    model_clause(model, -1, (int[]){-cost, -node->ge[node->floor]}, 2);
    node->below = cost;
    *vec_push(model->arena, &model->below) =
        (struct mark){.literal = cost, .node = node->project, .target = -1, .rule = -1, .advisory = -1};
}

/* True if the specifiers bound from above, whatever releases there are. */
static bool bounds_above(const struct specifier_set *set) {
    for (int32_t i = 0; i < set->len; i++) switch (set->items[i].op) {
        case SPECIFIER_COMPATIBLE:
        case SPECIFIER_EQ:
        case SPECIFIER_LE:
        case SPECIFIER_LT:
        case SPECIFIER_ARBITRARY: return true;
        case SPECIFIER_NE:
        case SPECIFIER_GE:
        case SPECIFIER_GT: break;
        }
    return false;
}

/* True if the version lies above one of the upper bounds. */
static bool is_above(const struct specifier_set *set, const struct version *version) {
    for (int32_t i = 0; i < set->len; i++) {
        struct specifier_set one = {&set->items[i], 1};
        if (!bounds_above(&one) || specifier_set_match(&one, version)) continue;
        if (version_cmp(version, &set->items[i].version) >= 0) return true;
    }
    return false;
}

/* The first slot of `target` above everything that the upper bound leaves, -1: there is none. */
static int32_t above_bound(const struct model *model, int32_t target, const struct specifier_set *set,
                           const struct runs *bad) {
    const struct node *node = &model->nodes[target];
    if (!bad->list.len) return -1;
    struct run last = bad->list.data[bad->list.len - 1];
    if (last.to != node->slots_len) return -1;
    if (last.from > 0) return last.from;
    for (int32_t k = 0; k < node->slots_len; k++)
        if (is_above(set, &model->pool->projects.data[target].releases[node->slots[k]].version)) return k;
    return -1;
}

/* True if the release states an upper bound on the project, markers considered. */
static bool states_bound(struct model *model, const struct metadata *metadata, struct str name) {
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        const struct requirement *requirement = &metadata->requires_dist[i];
        if (!str_eq(requirement->name, name) || !bounds_above(&requirement->specifiers)) continue;
        if (marker_eval(model->arena, requirement->marker, &model->input->env->markers, (struct str){0})) return true;
    }
    return false;
}

/* True if requests name the node and do not let it stay as installed. */
static bool is_asked_away(const struct model *model, const struct node *node) {
    const struct want *want = model->input->want;
    for (int32_t i = 0; node->requested && i < want->requests_len; i++) {
        const struct requirement *asked = &want->requests[i].requirement;
        if (str_eq(asked->name, node->dist->name) && !specifier_set_match(&asked->specifiers, &node->dist->version))
            return true;
    }
    return false;
}

/* Older releases that do not state the bound which the reference release states on `target`. */
struct lax_pair {
    int32_t at, reference, target, bound;
    int literal; /* true where the plan has one of them and leaves the bound; 0: not made yet, or refused */
    int32_t fact;
};

/* A release that is added counts once, however many bounds it lacks and however old it is: that it is old is told, and
 * no lock is worth lifting for bounds of a release which is not the one chosen. So the literal costs nothing, and is
 * true only where it says the truth. */
static void add_lax_added(struct model *model, struct lax_pair *pair) {
    const struct node *node = &model->nodes[pair->at];
    struct str name = model->pool->projects.data[pair->target].name;
    int lax = pair->literal;
    model_clause(model, -1, (int[]){-lax, node->below}, 2);
    model_clause(model, -1, (int[]){-lax, node->ge[0]}, 2);
    model_clause(model, -1, (int[]){-lax, -node->ge[pair->reference]}, 2);
    model_clause(model, -1, (int[]){-lax, model->nodes[pair->target].ge[pair->bound]}, 2);
    for (int32_t k = 0; k < pair->reference; k++) {
        const struct release *release = model_release(model, node, k);
        if (release->meta_state == META_KNOWN && !states_bound(model, release->metadata, name)) continue;
        model_clause(model, -1, (int[]){-lax, -node->ge[k], node->ge[k + 1]}, 3);
    }
}

static void make_lax(struct model *model, struct lax_pair *pair, bool refused) {
    if (refused && pair->fact < 0 && model->explaining) {
        pair->fact = model_fact(model, FACT_STALE, pair->at, -1, -1);
        model->facts.data[pair->fact].target = pair->target;
    } else if (!refused && !pair->literal) {
        bool added = model->nodes[pair->at].installed < 0;
        pair->literal = added ? sat_variable(model->sat) : model_cost(model, LEVEL_AGE);
        *vec_push(model->arena, &model->lax) = (struct mark){
            .literal = pair->literal, .node = pair->at, .target = pair->target, .rule = -1, .advisory = -1};
    }
}

/* What is installed and may stay does not move to a lax release: that would break it where no metadata tell. */
static void add_lax_pair(struct model *model, struct lax_pair pair) {
    const struct node *node = &model->nodes[pair.at];
    struct str name = model->pool->projects.data[pair.target].name;
    bool refused = node->installed >= 0 && !is_asked_away(model, node);
    for (int32_t k = 0; k < pair.reference; k++) {
        const struct release *release = model_release(model, node, k);
        if (release->meta_state != META_KNOWN || states_bound(model, release->metadata, name)) continue;
        make_lax(model, &pair, refused);
        int literals[] = {-node->ge[k], node->ge[k + 1], -model->nodes[pair.target].ge[pair.bound], pair.literal};
        model_clause(model, pair.fact, literals, refused ? 3 : 4);
    }
    if (node->installed < 0 && pair.literal) add_lax_added(model, &pair);
}

/* The slots of `target` from `from` on lie above what a release allows. */
struct bound {
    int32_t target, from;
};

static void add_lax(struct model *model, int32_t at) {
    const struct node *node = &model->nodes[at];
    int32_t reference = node->installed >= 0 ? node->installed : node->floor;
    if (reference <= 0 || node->fixed || model->input->want->stale) return;
    const struct release *release = &model->pool->projects.data[at].releases[node->slots[reference]];
    if (release->meta_state != META_KNOWN) return;
    /* The lowest bound on each target counts. */
    struct map seen = {0};
    VEC(struct bound) bounds = {0};
    for (int32_t i = 0; i < release->metadata->requires_len; i++) {
        const struct requirement *requirement = &release->metadata->requires_dist[i];
        int32_t target = map_find(&model->pool->by_name, requirement->name);
        if (target < 0 || target == at || target >= model->nodes_len || !model->nodes[target].in_scope) continue;
        if (!bounds_above(&requirement->specifiers)) continue;
        if (!marker_eval(model->arena, requirement->marker, &model->input->env->markers, (struct str){0})) continue;
        struct runs bad = model_bad(model, target, &requirement->specifiers);
        int32_t bound = above_bound(model, target, &requirement->specifiers, &bad);
        /* What was above the bound before is no worse for a release that does not state it. */
        int32_t there = reference == node->installed ? model->nodes[target].installed : -1;
        if (bound < 0 || there >= bound) continue;
        int32_t known = map_find(&seen, requirement->name);
        if (known < 0) {
            map_add(model->arena, &seen, requirement->name, (int32_t)bounds.len);
            *vec_push(model->arena, &bounds) = (struct bound){target, bound};
            continue;
        }
        assert(known < bounds.len && bounds.data);
        if (bound < bounds.data[known].from) bounds.data[known].from = bound;
    }
    for (ptrdiff_t i = 0; i < bounds.len; i++)
        add_lax_pair(model, (struct lax_pair){.at = at,
                                              .reference = reference,
                                              .target = bounds.data[i].target,
                                              .bound = bounds.data[i].from,
                                              .fact = -1});
}

/* The cost of leaving a bound of a node; extras that state the same bound share it. */
static int soft_cost(struct model *model, int32_t at, int32_t target, const struct requirement *requirement) {
    for (ptrdiff_t i = model->soft.len - 1; i >= 0 && model->soft.data[i].node == at; i--) {
        const struct mark *mark = &model->soft.data[i];
        const struct rule *rule = &model->rules.data[mark->rule];
        if (mark->target != target) continue;
        if (str_eq(specifier_set_format(model->arena, &rule->requirement->specifiers),
                   specifier_set_format(model->arena, &requirement->specifiers)))
            return mark->literal;
    }
    int cost = model_cost(model, LEVEL_SOFT);
    int32_t rule = (int32_t)model->rules.len;
    *vec_push(model->arena, &model->rules) =
        (struct rule){.requirement = requirement, .node = at, .target = target, .allowed_slot = -1};
    *vec_push(model->arena, &model->soft) =
        (struct mark){.literal = cost, .node = at, .target = target, .rule = rule, .advisory = -1};
    return cost;
}

/* A bound that only an extra states, which nobody asked for: leaving it costs where it was kept before. */
static void add_soft_bound(struct model *model, int32_t at, int32_t slot, const struct requirement *requirement) {
    const struct node *node = &model->nodes[at];
    int32_t target = map_find(&model->pool->by_name, requirement->name);
    if (target < 0 || target >= model->nodes_len || !model->nodes[target].in_scope) return;
    struct runs bad = model_bad(model, target, &requirement->specifiers);
    const struct node *on = &model->nodes[target];
    int cost = 0;
    if (on->installed >= 0 && !specifier_set_match(&requirement->specifiers, &on->dist->version)) return;
    for (ptrdiff_t i = 0; i < bad.list.len; i++) {
        struct run run = bad.list.data[i];
        if (!cost) cost = soft_cost(model, at, target, requirement);
        int literals[] = {-node->ge[slot], node->ge[slot + 1], -on->ge[run.from], on->ge[run.to], cost};
        model_clause(model, -1, literals, 5);
    }
}

/* Extras for those who work on the project itself: their pins say nothing of what runs together. */
static bool is_development_extra(struct str extra) {
    static const struct str words[] = {
        S_INIT("dev"),      S_INIT("develop"), S_INIT("development"), S_INIT("test"),  S_INIT("tests"),
        S_INIT("testing"),  S_INIT("docs"),    S_INIT("doc"),         S_INIT("lint"),  S_INIT("quality"),
        S_INIT("style"),    S_INIT("typing"),  S_INIT("mypy"),        S_INIT("build"), S_INIT("benchmark"),
        S_INIT("examples"), S_INIT("ci"),      S_INIT("tutorials"),   S_INIT("ruff"),
    };
    while (extra.len) {
        struct str word = str_cut(&extra, '-');
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (str_eq(word, words[i])) return true;
    }
    return false;
}

/* Active under one of the distribution's own extras, but not without: only somebody who asked for it is bound. */
static bool is_extra_bound(struct model *model, const struct metadata *metadata,
                           const struct requirement *requirement) {
    const struct marker_env *markers = &model->input->env->markers;
    for (int32_t e = 0; e < metadata->extras_len; e++)
        if (!is_development_extra(metadata->extras[e]) &&
            marker_eval(model->arena, requirement->marker, markers, metadata->extras[e]))
            return true;
    return false;
}

/* Only targets that can move matter: an installed one at its installed release was there before. */
static bool can_move(const struct model *model, int32_t target) {
    return target >= 0 && target < model->nodes_len && model->nodes[target].in_scope && !model->nodes[target].fixed &&
           model->nodes[target].slots_len > (model->nodes[target].installed >= 0 ? 1 : 0);
}

static void add_soft_bounds(struct model *model, int32_t at) {
    const struct node *node = &model->nodes[at];
    if (node->installed < 0) return;
    for (int32_t k = 0; k < node->slots_len; k++) {
        const struct release *release = &model->pool->projects.data[at].releases[node->slots[k]];
        if (release->meta_state != META_KNOWN) continue;
        const struct active *active = release->active;
        for (int32_t i = 0; i < active->extra_len; i++) {
            const struct requirement *requirement = &release->metadata->requires_dist[active->extra[i]];
            if (!requirement->specifiers.len || !can_move(model, pool_target(model->pool, active, active->extra[i])))
                continue;
            if (is_extra_bound(model, release->metadata, requirement)) add_soft_bound(model, at, k, requirement);
        }
    }
}

static void add_node_levels(struct model *model, int32_t at) {
    struct node *node = &model->nodes[at];
    add_lift(model, node);
    add_change(model, node);
    if (node->fixed || node->removed) return;
    add_builds(model, node);
    if (node->requested && node->installed >= 0 && model->pool->projects.data[at].page == PAGE_UNKNOWN)
        chain_of_one(model, LEVEL_UNSEEN, -node->escape);
    if (node->requested) add_age(model, node, LEVEL_NEWEST);
    else if (node->installed >= 0) add_distance(model, node);
    else add_age(model, node, LEVEL_ADDED_AGE);
    if (node->installed < 0) add_presence(model, node);
}

/* Slots of a node that an entry of an advisory names. */
static struct runs entry_runs(struct model *model, int32_t at, const struct requirement *entry) {
    struct runs bad = model_bad(model, at, &entry->specifiers), good = {0};
    int32_t from = 0;
    for (ptrdiff_t i = 0; i <= bad.list.len; i++) {
        int32_t to = i < bad.list.len ? bad.list.data[i].from : model->nodes[at].slots_len;
        if (to > from) *vec_push(model->arena, &good.list) = (struct run){from, to};
        if (i < bad.list.len) from = bad.list.data[i].to;
    }
    return good;
}

enum { ADVISORY_ENTRIES_MAX = 16 };

/* An advisory in the terms of the model. */
struct trigger {
    int32_t nodes[ADVISORY_ENTRIES_MAX];
    struct runs runs[ADVISORY_ENTRIES_MAX];
    int32_t len;
    bool before; /* triggered by what is installed */
    int32_t fact;
    int cost; /* literal for warnings, 0 */
};

static bool trigger_make(struct model *model, const struct advisory *advisory, struct trigger *ret) {
    *ret = (struct trigger){.len = advisory->when_len, .before = true, .fact = -1};
    if (advisory->when_len < 1 || advisory->when_len > ADVISORY_ENTRIES_MAX) return false;
    for (int32_t i = 0; i < advisory->when_len; i++) {
        int32_t at = map_find(&model->pool->by_name, advisory->when[i].name);
        if (at < 0 || at >= model->nodes_len || !model->nodes[at].in_scope) return false;
        const struct node *node = &model->nodes[at];
        ret->nodes[i] = at;
        ret->runs[i] = entry_runs(model, at, &advisory->when[i]);
        bool inside = false;
        for (ptrdiff_t r = 0; r < ret->runs[i].list.len; r++) {
            struct run run = ret->runs[i].list.data[r];
            if (node->installed >= run.from && node->installed < run.to) inside = true;
        }
        ret->before = ret->before && inside;
    }
    return true;
}

/* Forbids (or makes cost) every combination of runs, the first `done` entries being in `literals`. */
static void trigger_emit(struct model *model, const struct trigger *trigger, int32_t done, int *literals, int32_t n) {
    if (done >= ADVISORY_ENTRIES_MAX || done == trigger->len) {
        literals[n] = trigger->cost;
        model_clause(model, trigger->fact, literals, n + (trigger->cost ? 1 : 0));
        return;
    }
    const struct node *node = &model->nodes[trigger->nodes[done]];
    for (ptrdiff_t r = 0; r < trigger->runs[done].list.len && r < ADVISORY_RUNS_MAX; r++) {
        struct run run = trigger->runs[done].list.data[r];
        literals[n] = -node->ge[run.from];
        literals[n + 1] = node->ge[run.to];
        trigger_emit(model, trigger, done + 1, literals, n + 2);
    }
}

static void trigger_on_change(struct model *model, const struct advisory *advisory, const struct trigger *trigger) {
    for (int32_t c = 0; c < advisory->on_change_len; c++) {
        int32_t at = map_find(&model->pool->by_name, advisory->on_change[c]);
        if (at < 0 || at >= model->nodes_len || !model->nodes[at].in_scope || !model->nodes[at].changed) continue;
        int literals[4 * ADVISORY_ENTRIES_MAX];
        int32_t n = 0;
        literals[n++] = -model->nodes[at].changed;
        for (int32_t i = 0; i < trigger->len; i++) {
            const struct node *node = &model->nodes[trigger->nodes[i]];
            if (trigger->nodes[i] != at && node->changed) literals[n++] = node->changed;
        }
        trigger_emit(model, trigger, 0, literals, n);
    }
}

static void add_advisory(struct model *model, int32_t number) {
    const struct advisory *advisory = &model->input->advisories->items[number];
    const struct want *want = model->input->want;
    if (advisory->severity == ADVISORY_INFO) return;
    if (str_among(want->ignore_advisories, want->ignore_advisories_len, advisory->id)) return;
    struct trigger trigger;
    if (!trigger_make(model, advisory, &trigger)) return;
    if (trigger.before && !advisory->on_change_len) return;
    if (advisory->severity == ADVISORY_WARN) {
        trigger.cost = model_cost(model, LEVEL_SOFT);
        *vec_push(model->arena, &model->soft) =
            (struct mark){.literal = trigger.cost, .node = -1, .target = -1, .rule = -1, .advisory = number};
    } else {
        trigger.fact = model_fact(model, FACT_ADVISORY, -1, -1, number);
    }
    int literals[4 * ADVISORY_ENTRIES_MAX];
    if (advisory->on_change_len) trigger_on_change(model, advisory, &trigger);
    else trigger_emit(model, &trigger, 0, literals, 0);
}

/* A release of what was asked for that does not have the extra yet, though the newest has it. What dropped the extra
 * (the newest lacks it) needs it no more than others do: nothing to prefer then. */
static void add_extra(struct model *model, const struct node *node, struct str extra) {
    const struct project *project = &model->pool->projects.data[node->project];
    const struct marker_env *markers = &model->input->env->markers;
    int32_t newest = model_newest_wanted(model, node);
    if (newest < 0 || project->releases[node->slots[newest]].meta_state != META_KNOWN) return;
    if (!solve_has_extra(model->arena, project->releases[node->slots[newest]].metadata, markers, extra)) return;
    int cost = 0;
    for (int32_t k = 0; k < newest; k++) {
        const struct release *release = &project->releases[node->slots[k]];
        if (release->meta_state != META_KNOWN) continue;
        if (solve_has_extra(model->arena, release->metadata, markers, extra)) continue;
        if (!cost) cost = model_cost(model, LEVEL_AGE);
        model_clause(model, -1, (int[]){-node->ge[k], node->ge[k + 1], cost}, 3);
    }
}

static void add_extras(struct model *model) {
    const struct want *want = model->input->want;
    struct map done = {0};
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *asked = &want->requests[i].requirement;
        int32_t at = map_find(&model->pool->by_name, asked->name);
        if (want->requests[i].constraint || at < 0) continue;
        for (int32_t e = 0; e < asked->extras_len; e++) {
            struct str key = str_format(model->arena, "%.*s[%.*s]", FMT(asked->name), FMT(asked->extras[e]));
            if (map_find(&done, key) >= 0) continue;
            map_add(model->arena, &done, key, 1);
            add_extra(model, &model->nodes[at], asked->extras[e]);
        }
    }
}

void model_add_levels(struct model *model) {
    add_lock_lines(model);
    for (ptrdiff_t i = 0; i < model->scope.len; i++) find_floor(model, &model->nodes[model->scope.data[i]]);
    for (ptrdiff_t i = 0; i < model->scope.len; i++) {
        add_node_levels(model, model->scope.data[i]);
        add_floor(model, &model->nodes[model->scope.data[i]]);
    }
    for (ptrdiff_t i = 0; i < model->scope.len; i++) {
        add_lax(model, model->scope.data[i]);
        if (!model->explaining) add_soft_bounds(model, model->scope.data[i]);
    }
    add_extras(model);
    const struct advisories *advisories = model->input->advisories;
    for (int32_t i = 0; advisories && i < advisories->len; i++) add_advisory(model, i);
}
