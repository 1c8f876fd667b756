/* Why each change is there: the shortest chain of sentences from it down to a request. */
#include "base/arena.h"
#include "stage/propose_parts.h"

/* Breadth-first search from what was asked for over "this moves because that moved". */
struct because {
    struct arena *arena;
    const struct solve_input *input;
    const struct pool *pool;
    const struct solution *solution;
    struct plan_change *changes;
    int32_t len;
    int32_t *parent;       /* change that caused it, -1: a request, -2: not explained yet */
    struct str *sentences; /* why, one step */
    int32_t *queue;
    int32_t queue_len;
    /* What only explains where nothing else does. */
    bool by_later;  /* bounds that later releases than the chosen one state */
    bool by_extras; /* requirements of extras */
};

static const struct metadata *metadata_after(const struct because *because, struct str name) {
    const struct project *project = pool_find(because->pool, name);
    if (!project) return NULL;
    ptrdiff_t at = project - because->pool->projects.data;
    if (at >= because->solution->chosen_len || because->solution->chosen[at] < 0) return NULL;
    return project->releases[because->solution->chosen[at]].metadata;
}

static bool may_be_active(const struct because *because, const struct metadata *metadata,
                          const struct requirement *requirement) {
    const struct marker_env *markers = &because->input->env->markers;
    if (marker_eval(because->arena, requirement->marker, markers, (struct str){0})) return true;
    for (int32_t e = 0; e < metadata->extras_len; e++)
        if (marker_eval(because->arena, requirement->marker, markers, metadata->extras[e])) return true;
    return false;
}

static bool is_base_active(const struct because *because, const struct requirement *requirement) {
    return marker_eval(because->arena, requirement->marker, &because->input->env->markers, (struct str){0});
}

/* The requirement by which change `cause`, as it is after, moves change `effect`; NULL: none. */
static const struct requirement *pulls(const struct because *because, int32_t cause, int32_t effect) {
    const struct metadata *metadata = metadata_after(because, because->changes[cause].name);
    const struct dist *old = environment_find(because->input->env, because->changes[effect].name);
    for (int32_t i = 0; metadata && i < metadata->requires_len; i++) {
        const struct requirement *requirement = &metadata->requires_dist[i];
        if (!str_eq(requirement->name, because->changes[effect].name)) continue;
        if (because->by_extras ? !may_be_active(because, metadata, requirement) : !is_base_active(because, requirement))
            continue;
        if (!old || !specifier_set_match(&requirement->specifiers, &old->version)) return requirement;
    }
    return NULL;
}

/* The requirement of change `effect`, as it was, that change `cause` leaves; NULL: none. */
static const struct requirement *pushes(const struct because *because, int32_t cause, int32_t effect) {
    const struct dist *old = environment_find(because->input->env, because->changes[effect].name);
    struct version version;
    bool removed = because->changes[cause].action == PLAN_REMOVE;
    if (!old || (!removed && !version_try_parse(because->arena, because->changes[cause].to, &version))) return NULL;
    for (int32_t i = 0; i < old->metadata.requires_len; i++) {
        const struct requirement *requirement = &old->metadata.requires_dist[i];
        if (!str_eq(requirement->name, because->changes[cause].name) || !is_base_active(because, requirement)) continue;
        if (removed || !specifier_set_match(&requirement->specifiers, &version)) return requirement;
    }
    return NULL;
}

static bool entry_matches(const struct because *because, const struct requirement *entry, struct str name,
                          struct str text) {
    struct version version;
    if (!str_eq(entry->name, name) || !version_try_parse(because->arena, text, &version)) return false;
    return specifier_set_match(&entry->specifiers, &version);
}

/* The advisory that change `cause` would trigger had `effect` stayed; NULL: none. */
static const struct advisory *warns(const struct because *because, int32_t cause, int32_t effect) {
    const struct advisories *advisories = because->input->advisories;
    const struct plan_change *from = &because->changes[cause], *to = &because->changes[effect];
    for (int32_t i = 0; advisories && to->from.len && i < advisories->len; i++) {
        const struct advisory *advisory = &advisories->items[i];
        bool by_cause = false, by_effect = false, gone = false;
        for (int32_t w = 0; w < advisory->when_len; w++) {
            by_cause = by_cause || entry_matches(because, &advisory->when[w], from->name, from->to);
            by_effect = by_effect || entry_matches(because, &advisory->when[w], to->name, to->from);
            gone = gone || entry_matches(because, &advisory->when[w], to->name, to->to);
        }
        if (by_cause && by_effect && !gone) return advisory;
    }
    return NULL;
}

/* A later release of change `cause` than its result that excludes change `effect` as it was; NULL: none is known. A
 * release that merely states no bound costs where it is not kept (level 1). */
static const struct release *later_excludes(const struct because *because, int32_t cause, int32_t effect,
                                            const struct requirement **ret) {
    const struct project *project = pool_find(because->pool, because->changes[cause].name);
    const struct dist *old = environment_find(because->input->env, because->changes[effect].name);
    if (!project || !old || because->changes[cause].action == PLAN_REMOVE) return NULL;
    ptrdiff_t at = project - because->pool->projects.data;
    if (at >= because->solution->chosen_len) return NULL;
    for (int32_t r = because->solution->chosen[at] + 1; r < project->releases_len; r++) {
        const struct metadata *metadata = project->releases[r].metadata;
        for (int32_t i = 0; metadata && i < metadata->requires_len; i++) {
            *ret = &metadata->requires_dist[i];
            if (!str_eq((*ret)->name, because->changes[effect].name) || !is_base_active(because, *ret)) continue;
            if (!specifier_set_match(&(*ret)->specifiers, &old->version)) return &project->releases[r];
        }
    }
    return NULL;
}

static bool explain_by_later(struct because *because, int32_t cause, int32_t effect) {
    const struct plan_change *from = &because->changes[cause];
    const struct requirement *requirement;
    const struct release *later = later_excludes(because, cause, effect, &requirement);
    if (!later) return false;
    because->sentences[effect] =
        str_format(because->arena, "%.*s %.*s is older than %.*s, and merely does not say that it requires %.*s",
                   FMT(from->raw_name), FMT(from->to), FMT(later->version.text), FMT(requirement->text));
    return true;
}

static bool explain_step(struct because *because, int32_t cause, int32_t effect) {
    struct arena *arena = because->arena;
    const struct plan_change *from = &because->changes[cause], *to = &because->changes[effect];
    const struct requirement *requirement = pulls(because, cause, effect);
    struct str *sentence = &because->sentences[effect];
    if (requirement) {
        *sentence =
            str_format(arena, "%.*s %.*s requires %.*s", FMT(from->raw_name), FMT(from->to), FMT(requirement->text));
        return true;
    }
    requirement = pushes(because, cause, effect);
    if (requirement) {
        struct str then = from->action == PLAN_REMOVE ? S("goes") : str_format(arena, "moves to %.*s", FMT(from->to));
        *sentence = str_format(arena, "%.*s %.*s requires %.*s, and %.*s %.*s", FMT(to->raw_name), FMT(to->from),
                               FMT(requirement->text), FMT(from->raw_name), FMT(then));
        return true;
    }
    const struct advisory *advisory = warns(because, cause, effect);
    if (!advisory && because->by_later) return explain_by_later(because, cause, effect);
    if (advisory)
        *sentence = str_format(arena, "advisory %.*s: %.*s %.*s fails with %.*s %.*s", FMT(advisory->id),
                               FMT(to->raw_name), FMT(to->from), FMT(from->raw_name), FMT(from->to));
    return advisory != NULL;
}

static void explain_request(struct because *because, int32_t effect) {
    const struct want *want = because->input->want;
    const struct plan_change *change = &because->changes[effect];
    if (!change->requested) return;
    because->parent[effect] = -1;
    because->queue[because->queue_len++] = effect;
    because->sentences[effect] = change->action == PLAN_REMOVE ? S("you asked to remove it") : S("you asked for it");
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct request *request = &want->requests[i];
        if (request->constraint || !str_eq(request->requirement.name, change->name)) continue;
        if (request->line)
            because->sentences[effect] =
                str_format(because->arena, "you asked for %.*s (%.*s:%d)", FMT(request->requirement.text),
                           FMT(request->origin), request->line);
        else
            because->sentences[effect] =
                str_format(because->arena, "you asked for %.*s", FMT(request->requirement.text));
        return;
    }
}

/* A requirement, met before, of a request's project that is not itself a change (an extra of an installed one). */
static bool explain_by_installed(struct because *because, int32_t effect) {
    const struct want *want = because->input->want;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *asked = &want->requests[i].requirement;
        const struct metadata *metadata = metadata_after(because, asked->name);
        for (int32_t r = 0; metadata && r < metadata->requires_len; r++) {
            const struct requirement *requirement = &metadata->requires_dist[r];
            if (!str_eq(requirement->name, because->changes[effect].name)) continue;
            if (!may_be_active(because, metadata, requirement)) continue;
            because->sentences[effect] =
                str_format(because->arena, "%.*s requires %.*s", FMT(asked->text), FMT(requirement->text));
            because->parent[effect] = -1;
            because->queue[because->queue_len++] = effect;
            return true;
        }
    }
    return false;
}

static void walk(struct because *because) {
    for (int32_t at = 0; at < because->queue_len; at++) {
        for (int32_t effect = 0; effect < because->len; effect++) {
            if (because->parent[effect] != -2 || !explain_step(because, because->queue[at], effect)) continue;
            because->parent[effect] = because->queue[at];
            because->queue[because->queue_len++] = effect;
        }
    }
}

static void write_chain(struct because *because, int32_t effect) {
    VEC(struct str) chain = {0};
    int32_t steps = 0;
    for (int32_t at = effect; at >= 0 && steps <= because->len; at = because->parent[at], steps++) {
        if (because->parent[at] == -2) {
            *vec_push(because->arena, &chain) = S("every plan of the same cost changes it or something else");
            break;
        }
        *vec_push(because->arena, &chain) = because->sentences[at];
    }
    because->changes[effect].because = chain.data;
    because->changes[effect].because_len = (int32_t)chain.len;
}

void plan_explain_changes(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                          const struct solution *solution, struct plan_change *changes, int32_t len) {
    struct because because = {
        .arena = arena, .input = input, .pool = pool, .solution = solution, .changes = changes, .len = len};
    because.parent = arena_new(arena, int32_t, len);
    because.sentences = arena_new(arena, struct str, len);
    because.queue = arena_new(arena, int32_t, len);
    for (int32_t i = 0; i < len; i++) because.parent[i] = -2;
    for (int32_t i = 0; i < len; i++) explain_request(&because, i);
    walk(&because);
    because.by_later = true;
    walk(&because);
    because.by_later = false;
    because.by_extras = true;
    walk(&because);
    for (int32_t i = 0; i < len; i++)
        if (because.parent[i] == -2) (void)explain_by_installed(&because, i);
    walk(&because);
    for (int32_t i = 0; i < len; i++) write_chain(&because, i);
}
