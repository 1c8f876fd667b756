/* The nodes of a model: which projects take part, and which of their releases may be chosen. */
#include "stage/solve_model.h"

#include "base/arena.h"

/* What the requests say of a project. */
struct asked {
    bool requested, version_given, prerelease, removed, kept, replaced;
};

/* What decides for a whole project which releases are admissible. */
struct admission {
    bool prereleases, builds;
};

static struct asked asked_of(const struct model *model, struct str name) {
    const struct want *want = model->input->want;
    struct asked asked = {
        .removed = str_among(want->remove, want->remove_len, name),
        .kept = str_among(want->keep, want->keep_len, name),
        .replaced = str_among(want->replace, want->replace_len, name),
    };
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct request *request = &want->requests[i];
        if (!str_eq(request->requirement.name, name)) continue;
        if (!request->constraint) asked.requested = true;
        if (request->requirement.specifiers.len || request->requirement.url.len) asked.version_given = true;
        if (specifier_set_names_prerelease(&request->requirement.specifiers)) asked.prerelease = true;
    }
    return asked;
}

static bool pinned_by_user(const struct model *model, struct str name, const struct version *version) {
    const struct want *want = model->input->want;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *requirement = &want->requests[i].requirement;
        if (str_eq(requirement->name, name) && specifier_set_pins(&requirement->specifiers, version)) return true;
    }
    return false;
}

static bool only_prereleases(const struct want *want, const struct project *project) {
    for (int32_t i = 0; i < project->releases_len; i++)
        if (solve_is_final(want, project, &project->releases[i])) return false;
    return true;
}

static bool requests_hold(const struct model *model, struct str name, const struct version *version) {
    const struct want *want = model->input->want;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *requirement = &want->requests[i].requirement;
        if (str_eq(requirement->name, name) && !specifier_set_match(&requirement->specifiers, version)) return false;
    }
    return true;
}

/* True if releases that have to be built take part: for what is new, where the user wants it so, or where no wheel can
 * meet the requests. For what is installed, old sdists without bounds would otherwise be the answer to everything, and
 * each costs a download to look at. */
static bool builds_admissible(const struct model *model, const struct project *project) {
    if (model->input->want->builds || project->installed < 0) return true;
    for (int32_t i = 0; i < project->releases_len; i++) {
        const struct release *release = &project->releases[i];
        if (!release->on_index || solve_bars(model->input->want, project, release)) continue;
        if (release->yanked || release->artifact.sdist) continue;
        if (release->meta_state == META_UNREADABLE && !release->installed) continue;
        if (requests_hold(model, project->name, &release->version)) return false;
    }
    return true;
}

static struct str mention_key(struct model *model, struct str name, const struct version *version) {
    return str_format(model->arena, "%.*s %.*s", FMT(name), FMT(version_format(model->arena, version)));
}

/* Who names the version exactly: 1 a requirement, 2 a lock, -1 nobody. */
static int32_t mentioned_by(struct model *model, const struct project *project, const struct version *version) {
    if (map_find(&model->mentioned_names, project->name) < 0) return -1;
    return map_find(&model->mentioned, mention_key(model, project->name, version));
}

/* Remembers `requirement` if it names a pre-release exactly: that release is admissible then. */
static void mention(struct model *model, const struct requirement *requirement, int32_t by) {
    for (int32_t i = 0; i < requirement->specifiers.len; i++) {
        const struct specifier *specifier = &requirement->specifiers.items[i];
        if (specifier->op != SPECIFIER_EQ || specifier->wildcard || !version_is_prerelease(&specifier->version))
            continue;
        map_add(model->arena, &model->mentioned_names, requirement->name, 1);
        map_add(model->arena, &model->mentioned, mention_key(model, requirement->name, &specifier->version), by);
    }
}

static void mention_all(struct model *model) {
    for (ptrdiff_t p = 0; p < model->pool->projects.len; p++) {
        const struct project *project = &model->pool->projects.data[p];
        for (int32_t r = 0; r < project->releases_len; r++) {
            struct release *release = &project->releases[r];
            if (!release->metadata || release->meta_state != META_KNOWN) continue;
            if (!pool_active(model->pool, release, &model->input->env->markers)->names_prerelease) continue;
            for (int32_t i = 0; i < release->metadata->requires_len; i++)
                mention(model, &release->metadata->requires_dist[i], 1);
        }
    }
    const struct lock_set *locks = model->input->locks;
    for (int32_t i = 0; locks && i < locks->lines_len; i++)
        if (locks->lines[i].active) mention(model, &locks->lines[i].requirement, 2);
}

static bool is_admissible(struct model *model, const struct project *project, const struct release *release,
                          const struct admission *admission) {
    if (release->installed) return true;
    if (!release->on_index || solve_bars(model->input->want, project, release) ||
        release->meta_state == META_UNREADABLE)
        return false;
    if (model->input->known_only && release->meta_state != META_KNOWN) return false;
    if (release->yanked && !pinned_by_user(model, project->name, &release->version)) return false;
    if (release->artifact.sdist && !admission->builds) return false;
    if (!release->prerelease || admission->prereleases) return true;
    return mentioned_by(model, project, &release->version) > 0;
}

/* True if the metadata exclude the interpreter, which the page need not have said. */
static bool excludes_python(struct model *model, const struct release *release) {
    struct version python;
    if (release->meta_state != META_KNOWN || !release->metadata->requires_python.len) return false;
    if (!version_try_parse(model->arena, model->input->env->markers.python_full_version, &python)) return false;
    return !specifier_set_match(&release->metadata->requires_python, &python);
}

static void fill_slots(struct model *model, struct node *node, const struct asked *asked) {
    const struct project *project = &model->pool->projects.data[node->project];
    bool known = project->page == PAGE_KNOWN;
    struct admission admission = {
        .prereleases =
            model->input->want->pre || asked->prerelease || (known && only_prereleases(model->input->want, project)),
        .builds = known && builds_admissible(model, project),
    };
    node->slots = arena_new(model->arena, int32_t, project->releases_len + 1);
    node->named_only = arena_new(model->arena, bool, project->releases_len + 1);
    node->installed = -1;
    for (int32_t r = 0; r < project->releases_len; r++) {
        const struct release *release = &project->releases[r];
        if (!is_admissible(model, project, release, &admission)) continue;
        if (!release->installed && excludes_python(model, release)) continue;
        if (release->installed) node->installed = node->slots_len;
        node->named_only[node->slots_len] = !release->installed && release->prerelease && !admission.prereleases &&
                                            mentioned_by(model, project, &release->version) == 1;
        node->slots[node->slots_len++] = r;
    }
}

static void add_literals(struct model *model, struct node *node) {
    struct sat *sat = model->sat;
    int32_t n = node->slots_len;
    bool unknown = model->pool->projects.data[node->project].page == PAGE_UNKNOWN && !model->input->known_only &&
                   (!node->removed || model->explaining);
    node->escape = unknown ? sat_variable(sat) : -model->yes;
    node->ge = arena_new(model->arena, int, n + 1);
    node->ge[n] = -model->yes;
    for (int32_t k = 0; k < n; k++) {
        if (k == 0 && node->installed >= 0 && !node->removed) node->ge[0] = unknown ? -node->escape : model->yes;
        else node->ge[k] = k <= node->installed ? -sat_variable(sat) : sat_variable(sat);
    }
    for (int32_t k = 1; k < n; k++) model_clause(model, -1, (int[]){-node->ge[k], node->ge[k - 1]}, 2);
    if (unknown && node->installed < 0 && n > 0) model_clause(model, -1, (int[]){-node->escape, -node->ge[0]}, 2);
}

/* An installed node moves or not; a literal for each that must not differ. */
static void add_changed(struct model *model, struct node *node) {
    if (node->installed < 0) return;
    int changed = sat_variable(model->sat);
    int above = node->ge[node->installed + 1], below = -node->ge[node->installed];
    model_clause(model, -1, (int[]){-above, changed}, 2);
    model_clause(model, -1, (int[]){-below, changed}, 2);
    model_clause(model, -1, (int[]){-node->escape, changed}, 2);
    model_clause(model, -1, (int[]){-changed, above, below, node->escape}, 4);
    node->changed = changed;
}

static void fix_installed(struct model *model, struct node *node, enum plan_fact_kind kind) {
    int32_t fact = model_fact(model, kind, node->project, -1, -1);
    model_clause(model, fact, &(int){-node->changed}, 1);
}

/* What the user removes has no release to choose; where that may be a part of the reason, a fact says so. */
static void remove_node(struct model *model, const struct node *node) {
    int32_t fact = model_fact(model, FACT_REMOVE, node->project, -1, -1);
    if (node->slots_len) model_clause(model, fact, &(int){-node->ge[0]}, 1);
    model_clause(model, fact, &(int){-node->escape}, 1);
}

void model_open_node(struct model *model, int32_t at) {
    struct node *node = &model->nodes[at];
    if (node->in_scope) return;
    const struct project *project = &model->pool->projects.data[at];
    struct asked asked = asked_of(model, project->name);
    node->in_scope = true;
    node->project = at;
    node->floor = -1;
    node->dist = environment_find(model->input->env, project->name);
    node->requested = asked.requested;
    node->version_given = asked.version_given;
    node->removed = asked.removed;
    bool held = project->held && !asked.replaced && !asked.removed;
    node->fixed = (held || asked.kept) && project->installed >= 0;
    node->scope_at = (int32_t)model->scope.len;
    *vec_push(model->arena, &model->scope) = at;
    node->installed = -1;
    if (!asked.removed || model->explaining) fill_slots(model, node, &asked);
    add_literals(model, node);
    add_changed(model, node);
    if (asked.removed) remove_node(model, node);
    if (node->fixed) fix_installed(model, node, held ? FACT_HELD : FACT_KEEP);
}

struct release *model_release(const struct model *model, const struct node *node, int32_t slot) {
    return &model->pool->projects.data[node->project].releases[node->slots[slot]];
}

int32_t model_known_slots(const struct model *model, const struct node *node, int32_t without) {
    int32_t known = 0;
    for (int32_t k = 0; k < node->slots_len; k++)
        if (k != without && model_release(model, node, k)->meta_state == META_KNOWN) known++;
    return known;
}

bool model_wanted(const struct model *model, const struct node *node, int32_t slot) {
    const struct project *project = &model->pool->projects.data[node->project];
    return requests_hold(model, project->name, &project->releases[node->slots[slot]].version);
}

int32_t model_newest_wanted(const struct model *model, const struct node *node) {
    for (int32_t k = node->slots_len - 1; k >= 0; k--)
        if (!node->named_only[k] && model_wanted(model, node, k)) return k;
    return -1;
}

static struct err *grow_nodes(struct model *model) {
    int32_t len = (int32_t)model->pool->projects.len;
    if (len > SOLVE_NODES_MAX)
        return err_make(model->arena, ERR_LIMIT, "more than %d projects take part", SOLVE_NODES_MAX);
    if (len > model->nodes_cap) {
        int32_t cap = len * 2 + 64;
        model->nodes = arena_grow(model->arena, model->nodes, model->nodes_len * (ptrdiff_t)sizeof *model->nodes,
                                  cap * (ptrdiff_t)sizeof *model->nodes);
        model->nodes_cap = cap;
    }
    model->nodes_len = len;
    return NULL;
}

int32_t model_node(struct model *model, struct str name) {
    int32_t at = pool_project(model->pool, name).n;
    if (at >= model->nodes_len && grow_nodes(model)) return -1;
    model_open_node(model, at);
    return at;
}

static void take_part(const struct model *model, struct str name, bool *ret) {
    int32_t at = map_find(&model->pool->by_name, name);
    if (at >= 0) ret[at] = true;
}

static void take_part_all(const struct model *model, const struct str *names, int32_t len, bool *ret) {
    for (int32_t i = 0; i < len; i++) take_part(model, names[i], ret);
}

/* What the user and the advisories speak of. */
static void take_part_named(const struct model *model, bool *ret) {
    const struct want *want = model->input->want;
    const struct advisories *advisories = model->input->advisories;
    for (int32_t i = 0; i < want->requests_len; i++) take_part(model, want->requests[i].requirement.name, ret);
    take_part_all(model, want->remove, want->remove_len, ret);
    take_part_all(model, want->keep, want->keep_len, ret);
    take_part_all(model, want->replace, want->replace_len, ret);
    for (int32_t i = 0; advisories && i < advisories->len; i++) {
        const struct advisory *advisory = &advisories->items[i];
        for (int32_t k = 0; k < advisory->when_len; k++) take_part(model, advisory->when[k].name, ret);
        take_part_all(model, advisory->on_change, advisory->on_change_len, ret);
    }
}

/* True if another release of the project is known that may be chosen, or it is removed. */
static bool may_move(const struct model *model, int32_t at) {
    const struct want *want = model->input->want;
    const struct project *project = &model->pool->projects.data[at];
    if (str_among(want->remove, want->remove_len, project->name)) return true;
    if (project->page != PAGE_KNOWN) return false;
    return project->installed < 0 || !project->held || str_among(want->replace, want->replace_len, project->name);
}

/* True if what is installed may be affected by what others do: it requires something that may move, or asks for extras.
 */
static bool is_affected(const struct model *model, const struct project *project) {
    const struct active *active = project->releases[project->installed].active;
    if (project->page != PAGE_UNKNOWN || (active && active->asks_extras)) return true;
    for (int32_t i = 0; active && i < active->base_len + active->extra_len; i++) {
        int32_t which = i < active->base_len ? active->base[i] : active->extra[i - active->base_len];
        int32_t target = pool_target(model->pool, active, which);
        if (target >= 0 && may_move(model, target)) return true;
    }
    return false;
}

/* What is installed takes part where somebody names it, where its page is known, or where it may be affected; what
 * rules are on joins later. All else stays as it is: nothing can make its change pay. So a round costs what the request
 * touches, not what the environment holds. Explanations look at all. */
struct err *model_add_nodes(struct model *model) {
    TRY(grow_nodes(model));
    mention_all(model);
    int32_t len = model->nodes_len;
    bool *takes_part = arena_new(model->arena, bool, len);
    take_part_named(model, takes_part);
    for (int32_t p = 0; p < len; p++) {
        const struct project *project = &model->pool->projects.data[p];
        if (project->installed < 0) continue;
        if (model->explaining || takes_part[p] || is_affected(model, project)) model_open_node(model, p);
    }
    return NULL;
}
