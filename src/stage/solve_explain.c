/*
 * Why there is no plan: a minimal unsatisfiable set of facts (removing any one makes a plan possible), by a core of the
 * engine and then deletion.
 */
#include "stage/solve_model.h"

#include "base/arena.h"
#include "base/buf.h"

static enum sat_result solve_facts(struct model *model, const int32_t *facts, int32_t len, int32_t skip) {
    for (int32_t i = 0; i < len; i++)
        if (i != skip) sat_assume(model->sat, model->facts.data[facts[i]].selector);
    return sat_solve(model->sat, 0);
}

static int32_t keep_failed(struct model *model, int32_t *facts, int32_t len) {
    int32_t kept = 0;
    for (int32_t i = 0; i < len; i++)
        if (sat_failed(model->sat, model->facts.data[facts[i]].selector)) facts[kept++] = facts[i];
    return kept;
}

static int32_t minimal_core(struct model *model, int32_t *facts) {
    int32_t len = (int32_t)model->facts.len;
    for (int32_t i = 0; i < len; i++) facts[i] = i;
    for (;;) {
        if (solve_facts(model, facts, len, -1) != SAT_UNSATISFIABLE) return 0;
        int32_t kept = keep_failed(model, facts, len);
        bool stable = kept == len;
        len = kept;
        if (stable) break;
    }
    /* The facts that were made last go first: requirements before requests keep the story close to the user's words. */
    for (int32_t i = len - 1; i >= 0; i--) {
        if (solve_facts(model, facts, len, i) != SAT_UNSATISFIABLE) continue;
        len = keep_failed(model, facts, len);
        if (i > len) i = len;
    }
    return len;
}

/* True if a fact of the core speaks of the node. */
static bool core_names(const struct model *model, const int32_t *core, int32_t len, int32_t node) {
    for (int32_t i = 0; i < len; i++) {
        const struct fact *fact = &model->facts.data[core[i]];
        if (fact->node == node) return true;
        if (fact->rule >= 0 && model->rules.data[fact->rule].target == node) return true;
    }
    return false;
}

/* The pages that make the rest possible where one fact is taken out, though nobody has seen what is on them: a vendor
 * build that stays is no reason where the index has nothing better. */
static struct needs core_needs(struct model *model, const int32_t *core, int32_t len) {
    VEC(struct need) needs = {0};
    bool *asked = arena_new(model->arena, bool, model->nodes_len);
    bool unseen = false;
    for (ptrdiff_t s = 0; s < model->scope.len && !unseen; s++)
        unseen = model->nodes[model->scope.data[s]].escape != -model->yes &&
                 core_names(model, core, len, model->scope.data[s]);
    for (int32_t i = 0; i < len && unseen; i++) {
        if (solve_facts(model, core, len, i) != SAT_SATISFIABLE) continue;
        for (ptrdiff_t s = 0; s < model->scope.len; s++) {
            int32_t at = model->scope.data[s];
            if (asked[at] || !sat_value(model->sat, model->nodes[at].escape) || !core_names(model, core, len, at))
                continue;
            asked[at] = true;
            *vec_push(model->arena, &needs) = (struct need){{at}, -1};
        }
    }
    return (struct needs){needs.data, (int32_t)needs.len};
}

static struct str version_text(struct model *model, const struct node *node, int32_t slot) {
    const struct project *project = &model->pool->projects.data[node->project];
    return project->releases[node->slots[slot]].version.text;
}

/* "1.2", or "1.2 to 1.9" for several slots that state the same. A rule of none is what an installed release required in
 * vain before: it asks for extras still. */
static struct str runs_text(struct model *model, const struct node *node, const struct runs *runs) {
    if (!runs->list.len) return node->dist ? node->dist->version.text : (struct str){0};
    int32_t from = runs->list.data[0].from, to = runs->list.data[runs->list.len - 1].to - 1;
    if (from == to) return version_text(model, node, from);
    return str_format(model->arena, "%.*s to %.*s", FMT(version_text(model, node, from)),
                      FMT(version_text(model, node, to)));
}

static void tell_request(struct model *model, const struct fact *fact, struct plan_fact *ret) {
    const struct rule *rule = &model->rules.data[fact->rule];
    const struct request *request = &model->input->want->requests[rule->request];
    const struct project *project = &model->pool->projects.data[rule->target];
    ret->name = project->name;
    ret->text = rule->requirement->text;
    ret->file = request->line ? request->origin : (struct str){0};
    ret->line = request->line;
    const char *verb = request->constraint ? "bounds" : "asks for";
    ret->sentence = str_format(model->arena, "the request %s %.*s", verb, FMT(ret->text));
}

static void tell_requirement(struct model *model, const struct fact *fact, struct plan_fact *ret) {
    const struct rule *rule = &model->rules.data[fact->rule];
    const struct node *node = &model->nodes[rule->node];
    ret->name = model->pool->projects.data[rule->node].name;
    ret->version = runs_text(model, node, &rule->runs);
    ret->text = rule->requirement->text;
    ret->sentence =
        str_format(model->arena, "%.*s %.*s requires %.*s", FMT(ret->name), FMT(ret->version), FMT(ret->text));
}

static void tell_node(struct model *model, const struct fact *fact, struct plan_fact *ret) {
    const struct node *node = &model->nodes[fact->node];
    struct arena *arena = model->arena;
    ret->name = model->pool->projects.data[fact->node].name;
    ret->version = node->dist ? node->dist->version.text : (struct str){0};
    ret->text = ret->version;
    if (fact->kind == FACT_HELD) {
        ret->sentence = str_format(arena, "%.*s %.*s is a vendor build and stays", FMT(ret->name), FMT(ret->version));
    } else if (fact->kind == FACT_LOCK) {
        int32_t at = map_find(&model->input->locks->by_name, ret->name);
        if (at >= 0) {
            const struct lock_line *line = &model->input->locks->lines[at];
            ret->file = model->input->locks->files[line->file].path;
            ret->line = line->line;
            ret->text = line->requirement.text;
        }
        ret->sentence = str_format(arena, "the lock %.*s may not be lifted (--no-lift%s)", FMT(ret->text),
                                   model->input->want->no_lifts ? "s" : "");
    } else if (fact->kind == FACT_REMOVE) {
        ret->sentence = str_format(arena, "%.*s %.*s is to be removed", FMT(ret->name), FMT(ret->version));
    } else {
        ret->sentence = str_format(arena, "%.*s %.*s must not change (--keep)", FMT(ret->name), FMT(ret->version));
    }
}

static void tell_stale(struct model *model, const struct fact *fact, struct plan_fact *ret) {
    const struct node *node = &model->nodes[fact->node];
    ret->name = model->pool->projects.data[fact->node].name;
    ret->version = node->dist->version.text;
    ret->text = model->pool->projects.data[fact->target].name;
    ret->sentence = str_format(model->arena,
                               "releases of %.*s before %.*s that merely state no bound on %.*s are not known to fit "
                               "(--allow-stale takes them)",
                               FMT(ret->name), FMT(ret->version), FMT(ret->text));
}

/* "both" of its text are those that it is about: they are named. */
static void tell_advisory(const struct model *model, const struct advisory *advisory, struct plan_fact *told) {
    struct buf buf = {.arena = model->arena};
    buf_addf(&buf, "advisory %.*s", FMT(advisory->id));
    for (int32_t i = 0; i < advisory->when_len; i++)
        buf_addf(&buf, "%s%.*s", i == 0 ? ", " : " with ", FMT(advisory->when[i].text));
    buf_addf(&buf, ": %.*s", FMT(advisory->text));
    if (advisory->fix.len) buf_addf(&buf, " (%.*s)", FMT(advisory->fix));
    told->name = advisory->id;
    told->text = advisory->text;
    told->sentence = buf_str(&buf);
}

struct plan_fact model_tell(struct model *model, const struct fact *fact) {
    struct plan_fact told = {.kind = fact->kind};
    switch (fact->kind) {
    case FACT_REQUEST: tell_request(model, fact, &told); break;
    case FACT_REQUIREMENT: tell_requirement(model, fact, &told); break;
    case FACT_HELD:
    case FACT_LOCK:
    case FACT_KEEP:
    case FACT_REMOVE: tell_node(model, fact, &told); break;
    case FACT_STALE: tell_stale(model, fact, &told); break;
    case FACT_ADVISORY: tell_advisory(model, &model->input->advisories->items[fact->advisory], &told); break;
    case FACT_VERSIONS:
    case FACT_ABSENT: break;
    }
    return told;
}

/* The order of an argument: what was asked, what requires what, what stays. */
static int tell_rank(enum plan_fact_kind kind) {
    switch (kind) {
    case FACT_REQUEST:
    case FACT_REMOVE: return 0;
    case FACT_ABSENT:
    case FACT_VERSIONS: return 1;
    case FACT_REQUIREMENT:
    case FACT_STALE: return 2;
    case FACT_ADVISORY: return 3;
    case FACT_KEEP:
    case FACT_LOCK:
    case FACT_HELD: return 4;
    }
    return 5;
}

static void sort_facts(struct plan_fact *facts, int32_t len) {
    for (int32_t i = 1; i < len; i++) {
        struct plan_fact fact = facts[i];
        int32_t j = i;
        for (; j > 0 && tell_rank(facts[j - 1].kind) > tell_rank(fact.kind); j--) facts[j] = facts[j - 1];
        facts[j] = fact;
    }
}

/* The releases of the index that come nearest to what was asked, as text. */
static struct str nearest_text(struct model *model, const struct project *project, const struct version *version) {
    const struct release *below = NULL, *above = NULL;
    for (int32_t r = 0; r < project->releases_len; r++) {
        const struct release *release = &project->releases[r];
        if (release->prerelease || release->bars || !release->on_index) continue;
        if (version_cmp(&release->version, version) < 0) below = release;
        else if (!above) above = release;
    }
    struct str low = below ? below->version.text : (struct str){0},
               high = above ? above->version.text : (struct str){0};
    if (!below && !above) return S("none");
    if (!below || !above) return below ? low : high;
    return str_format(model->arena, "%.*s and %.*s", FMT(low), FMT(high));
}

static struct str bars_text(const struct want *want, uint32_t bars) {
    if (bars & BAR_PYTHON) return S("it does not support this Python version");
    if (bars & BAR_TAGS) return S("it has no wheel for this platform and no sdist");
    if (bars & BAR_DATE) return S("it was uploaded after the date of --exclude-newer");
    if (bars & BAR_SDIST && want->no_build) return S("it has only an sdist, and --no-build is set");
    if (bars & BAR_SDIST) return S("it has only an sdist, and --only-binary is set");
    if (bars & BAR_BINARY) return S("it has only wheels, and --no-binary is set");
    if (bars & BAR_WHEELS)
        return S("its wheels are for other versions of Python, so its sdist may not build (--build)");
    return S("the index does not offer it");
}

struct str solve_bars_text(struct arena *arena, const struct want *want, const struct release *release) {
    if (release->bars) return bars_text(want, release->bars);
    if (release->yanked && release->yanked_reason.len)
        return str_format(arena, "it was yanked (%.*s)", FMT(release->yanked_reason));
    if (release->yanked) return S("it was yanked");
    if (release->prerelease && release->meta_state != META_UNREADABLE)
        return S("it is a pre-release, and --pre is not set");
    return S("its metadata cannot be read");
}

/* Why a release of the index is no candidate. */
static struct plan_fact tell_no_candidate(struct model *model, const struct project *project,
                                          const struct release *release) {
    struct str why = solve_bars_text(model->arena, model->input->want, release);
    struct plan_fact told = {.kind = FACT_VERSIONS, .name = project->name, .version = release->version.text};
    told.sentence =
        str_format(model->arena, "%.*s %.*s exists, but %.*s", FMT(project->name), FMT(told.version), FMT(why));
    return told;
}

/* What facts of a reason ask of one project together. */
struct asked {
    struct model *model;
    const int32_t *core;
    int32_t len, target;
};

/* True if, of each distribution that asks (and of the request), one requirement at least is met. */
static bool all_meet(const struct asked *asked, const struct version *version) {
    const struct model *model = asked->model;
    for (int32_t i = 0; i < asked->len; i++) {
        const struct fact *fact = &model->facts.data[asked->core[i]];
        if (fact->rule < 0 || model->rules.data[fact->rule].target != asked->target) continue;
        bool met = false;
        for (int32_t j = 0; j < asked->len && !met; j++) {
            const struct fact *other = &model->facts.data[asked->core[j]];
            if (other->rule < 0 || model->rules.data[other->rule].target != asked->target) continue;
            bool alike = i == j || (model->rules.data[fact->rule].node >= 0 &&
                                    model->rules.data[other->rule].node == model->rules.data[fact->rule].node);
            met = alike && specifier_set_match(&model->rules.data[other->rule].requirement->specifiers, version);
        }
        if (!met) return false;
    }
    return true;
}

/* Requirements that do not exclude each other meet in no candidate: the newest release that they leave, which is none,
 * belongs to the reason. False: they exclude each other, or a candidate is left and something else excludes it. */
static bool tell_between(const struct asked *asked, struct plan_fact *ret) {
    const struct project *project = &asked->model->pool->projects.data[asked->target];
    const struct node *node = &asked->model->nodes[asked->target];
    const struct release *left = NULL;
    for (int32_t r = 0; r < project->releases_len; r++) {
        if (!all_meet(asked, &project->releases[r].version)) continue;
        for (int32_t k = 0; k < node->slots_len; k++)
            if (node->slots[k] == r) return false;
        left = &project->releases[r];
    }
    if (left) *ret = tell_no_candidate(asked->model, project, left);
    return left != NULL;
}

/* Why none of the releases can meet a requirement, if that is so by the index alone. */
static bool tell_missing(struct model *model, const struct rule *rule, struct plan_fact *ret) {
    const struct node *target = &model->nodes[rule->target];
    const struct project *project = &model->pool->projects.data[rule->target];
    const struct specifier_set *set = &rule->requirement->specifiers;
    if (project->page == PAGE_UNKNOWN) return false;
    *ret = (struct plan_fact){.kind = FACT_ABSENT, .name = project->name};
    if (project->page == PAGE_ABSENT && target->installed < 0) {
        ret->sentence = str_format(model->arena, "no index has a project %.*s", FMT(project->name));
        return true;
    }
    for (int32_t k = 0; k < target->slots_len; k++)
        if (specifier_set_match(set, &project->releases[target->slots[k]].version)) return false;
    for (int32_t r = project->releases_len - 1; r >= 0; r--) {
        const struct release *release = &project->releases[r];
        if (!specifier_set_match(set, &release->version)) continue;
        *ret = tell_no_candidate(model, project, release);
        return true;
    }
    ret->kind = FACT_ABSENT;
    struct str near = set->len ? nearest_text(model, project, &set->items[0].version) : S("none");
    ret->sentence = str_format(model->arena, "no release of %.*s matches %.*s; nearest: %.*s", FMT(project->name),
                               FMT(specifier_set_format(model->arena, set)), FMT(near));
    ret->text = near;
    return true;
}

struct err *model_explain(struct arena *arena, const struct solve_input *input, struct pool *pool,
                          struct solution *ret) {
    struct model model;
    TRY(model_build(arena, input, pool, true, &model));
    int32_t *core = arena_new(arena, int32_t, model.facts.len);
    int32_t len = minimal_core(&model, core);
    VEC(struct plan_fact) told = {0};
    bool *about = arena_new(arena, bool, model.nodes_len);
    for (int32_t i = 0; i < len; i++) {
        const struct fact *fact = &model.facts.data[core[i]];
        *vec_push(arena, &told) = model_tell(&model, fact);
        struct plan_fact missing;
        if (fact->rule >= 0 && tell_missing(&model, &model.rules.data[fact->rule], &missing))
            *vec_push(arena, &told) = missing;
        else if (fact->rule >= 0 && !about[model.rules.data[fact->rule].target] &&
                 tell_between(&(struct asked){&model, core, len, model.rules.data[fact->rule].target}, &missing))
            *vec_push(arena, &told) = missing;
        if (fact->rule >= 0) about[model.rules.data[fact->rule].target] = true;
    }
    ret->needs = core_needs(&model, core, len);
    sat_close(model.sat);
    if (len == 0) return err_make(arena, ERR_INTERNAL, "a request without a plan has no reason");
    sort_facts(told.data, (int32_t)told.len);
    ret->reason = told.data;
    ret->reason_len = (int32_t)told.len;
    return NULL;
}
