#include "stage/check.h"

/*
 * How the extras are found: every distribution keeps the list of its extras that somebody asks for. A distribution
 * whose list grows is walked again; as lists only grow and a list holds at most CHECK_EXTRAS_MAX names, the walk ends.
 */

enum { CHECK_EXTRAS_MAX = 1000 };

typedef VEC(struct str) extras_list;

/* What a walk over distributions knows. */
struct walk {
    struct arena *arena;
    const struct marker_env *markers;
    const struct check_dist *dists;
    int32_t len;
    struct map by_name;
    extras_list *extras; /* per distribution: extras asked for */
    bool *queued;
    VEC(int32_t) queue;
};

static bool extras_have(const extras_list *list, struct str extra) {
    for (ptrdiff_t i = 0; i < list->len; i++)
        if (str_eq(list->data[i], extra)) return true;
    return false;
}

/* Notes that somebody asks for `extra` of distribution `at`; true if that is new. */
static bool extra_add(struct walk *walk, int32_t at, struct str extra) {
    extras_list *list = &walk->extras[at];
    if (list->len >= CHECK_EXTRAS_MAX || extras_have(list, extra)) return false;
    *vec_push(walk->arena, list) = extra;
    return true;
}

/* A requirement counts where its marker holds without an extra or with one that is asked for, as the plain distribution
 * is always required along with its extras. */
static bool requirement_active(const struct walk *walk, int32_t at, const struct requirement *requirement) {
    if (!requirement->marker) return true;
    if (marker_eval(walk->arena, requirement->marker, walk->markers, (struct str){NULL, 0})) return true;
    const extras_list *list = &walk->extras[at];
    if (list->len == 0 || !marker_has_extra(requirement->marker)) return false;
    for (ptrdiff_t i = 0; i < list->len; i++)
        if (marker_eval(walk->arena, requirement->marker, walk->markers, list->data[i])) return true;
    return false;
}

static void enqueue(struct walk *walk, int32_t at) {
    if (walk->queued[at]) return;
    walk->queued[at] = true;
    *vec_push(walk->arena, &walk->queue) = at;
}

/* Adds the extras that the active requirements of one distribution ask for. */
static void walk_one(struct walk *walk, int32_t at) {
    const struct metadata *metadata = walk->dists[at].metadata;
    for (int32_t i = 0; metadata && i < metadata->requires_len; i++) {
        const struct requirement *requirement = &metadata->requires_dist[i];
        if (requirement->extras_len == 0 || !requirement_active(walk, at, requirement)) continue;
        int32_t target = map_find(&walk->by_name, requirement->name);
        if (target < 0) continue;
        for (int32_t e = 0; e < requirement->extras_len; e++)
            if (extra_add(walk, target, requirement->extras[e])) enqueue(walk, target);
    }
}

static void walk_extras(struct walk *walk) {
    for (int32_t i = 0; i < walk->len; i++) enqueue(walk, i);
    for (ptrdiff_t next = 0; next < walk->queue.len; next++) {
        int32_t at = walk->queue.data[next];
        walk->queued[at] = false;
        walk_one(walk, at);
    }
}

static struct walk walk_make(struct arena *arena, const struct marker_env *markers, const struct check_dist *dists,
                             int32_t len) {
    struct walk walk = {.arena = arena, .markers = markers, .dists = dists, .len = len};
    walk.extras = arena_new(arena, extras_list, len);
    walk.queued = arena_new(arena, bool, len);
    for (int32_t i = 0; i < len; i++) {
        map_add(arena, &walk.by_name, dists[i].name, i);
        for (int32_t e = 0; e < dists[i].extras_len; e++) (void)extra_add(&walk, i, dists[i].extras[e]);
    }
    walk_extras(&walk);
    return walk;
}

/* A version that is none by PEP 440 meets nothing but the empty set and `===`. */
static bool version_meets(const struct specifier_set *set, const struct version *version, bool valid) {
    if (valid) return specifier_set_match(set, version);
    for (int32_t i = 0; i < set->len; i++)
        if (set->items[i].op != SPECIFIER_ARBITRARY || !specifier_match(&set->items[i], version)) return false;
    return true;
}

enum meets { MEETS_NOT, MEETS, MEETS_BY_ALLOWANCE };

static enum meets dist_meets(const struct check_dist *dist, const struct requirement *requirement, bool allowances) {
    if (requirement->url.len > 0) return MEETS; /* a URL fixes no version; that the project is there is all it says */
    if (version_meets(&requirement->specifiers, &dist->version, dist->version_valid)) return MEETS;
    if (allowances && dist->held && dist->version_valid &&
        specifier_set_allowance(&requirement->specifiers, &dist->version))
        return MEETS_BY_ALLOWANCE;
    return MEETS_NOT;
}

typedef VEC(struct plan_break) break_list;
typedef VEC(struct plan_allowance) allowance_list;

static struct plan_allowance allowance_make(struct arena *arena, const struct check_dist *by,
                                            const struct check_dist *target, struct str text) {
    struct version base = version_base(&target->version);
    return (struct plan_allowance){
        .name = target->name,
        .version = target->version.text,
        .taken_as = version_format(arena, &base),
        .for_text = by ? str_format(arena, "%.*s %.*s: %.*s", FMT(by->name), FMT(by->version.text), FMT(text))
                       : str_format(arena, "requested: %.*s", FMT(text)),
    };
}

static void check_python(const struct walk *walk, int32_t at, break_list *breaks) {
    const struct check_dist *dist = &walk->dists[at];
    const struct metadata *metadata = dist->metadata;
    struct version python;
    if (!metadata || metadata->requires_python.len == 0) return;
    if (!version_try_parse(walk->arena, walk->markers->python_full_version, &python)) return;
    if (specifier_set_match(&metadata->requires_python, &python)) return;
    *vec_push(walk->arena, breaks) = (struct plan_break){
        .name = dist->name,
        .version = dist->version.text,
        .requires_text = str_format(walk->arena, "Python %.*s", FMT(metadata->requires_python_text)),
        .found = walk->markers->python_full_version,
    };
}

static void check_requires(const struct walk *walk, int32_t at, bool allowances, break_list *breaks,
                           allowance_list *used) {
    const struct check_dist *dist = &walk->dists[at];
    const struct metadata *metadata = dist->metadata;
    for (int32_t i = 0; metadata && i < metadata->requires_len; i++) {
        const struct requirement *requirement = &metadata->requires_dist[i];
        int32_t found = map_find(&walk->by_name, requirement->name);
        const struct check_dist *target = found < 0 ? NULL : &walk->dists[found];
        /* The cheap question first: most requirements are met, and markers cost more than versions. */
        enum meets meets = target ? dist_meets(target, requirement, allowances) : MEETS_NOT;
        if (meets == MEETS || !requirement_active(walk, at, requirement)) continue;
        if (meets == MEETS_BY_ALLOWANCE) {
            *vec_push(walk->arena, used) = allowance_make(walk->arena, dist, target, requirement->text);
            continue;
        }
        *vec_push(walk->arena, breaks) = (struct plan_break){
            .name = dist->name,
            .version = dist->version.text,
            .requires_text = requirement->text,
            .found = target ? target->version.text : (struct str){NULL, 0},
        };
    }
}

void check_breaks(struct arena *arena, const struct marker_env *markers, const struct check_dist *dists, int32_t len,
                  bool allowances, const struct plan_break **ret, int32_t *ret_len,
                  const struct plan_allowance **ret_allowances, int32_t *ret_allowances_len) {
    struct walk walk = walk_make(arena, markers, dists, len);
    break_list breaks = {0};
    allowance_list used = {0};
    for (int32_t i = 0; i < len; i++) {
        check_python(&walk, i, &breaks);
        check_requires(&walk, i, allowances, &breaks, &used);
    }
    *ret = breaks.data;
    *ret_len = (int32_t)breaks.len;
    *ret_allowances = used.data;
    *ret_allowances_len = (int32_t)used.len;
}

bool check_names(struct arena *arena, const struct marker_env *markers, const struct check_dist *dists, int32_t len,
                 struct str name, const struct version *version) {
    struct walk walk = walk_make(arena, markers, dists, len);
    for (int32_t i = 0; i < len; i++) {
        const struct metadata *metadata = dists[i].metadata;
        if (str_eq(dists[i].name, name)) continue; /* nobody vouches for himself */
        for (int32_t r = 0; metadata && r < metadata->requires_len; r++) {
            const struct requirement *requirement = &metadata->requires_dist[r];
            if (str_eq(requirement->name, name) && specifier_set_pins(&requirement->specifiers, version) &&
                requirement_active(&walk, i, requirement))
                return true;
        }
    }
    return false;
}

void check_dists_of(struct arena *arena, const struct environment *env, const struct check_dist **ret,
                    int32_t *ret_len) {
    struct check_dist *dists = arena_new(arena, struct check_dist, env->dists_len);
    int32_t n = 0;
    for (int32_t i = 0; i < env->dists_len; i++) {
        const struct dist *dist = &env->dists[i];
        if (dist->shadowed) continue;
        dists[n++] = (struct check_dist){
            .name = dist->name,
            .version = dist->version,
            .version_valid = dist->version_valid,
            .metadata = dist->metadata_known ? &dist->metadata : NULL,
            .held = dist->vendor != 0,
        };
    }
    *ret = dists;
    *ret_len = n;
}

/* An advisory about a change (an extension module built against another distribution, say) is triggered where one of
 * the projects that it names changes while the others that it is about stay as they are. */
static bool advisory_concerns(const struct advisory *advisory, const struct map *changed) {
    if (advisory->on_change_len == 0) return true;
    for (int32_t i = 0; changed && i < advisory->on_change_len; i++) {
        struct str mover = advisory->on_change[i];
        bool alone = map_find(changed, mover) >= 0;
        for (int32_t w = 0; w < advisory->when_len && alone; w++)
            alone = str_eq(advisory->when[w].name, mover) || map_find(changed, advisory->when[w].name) < 0;
        if (alone) return true;
    }
    return false;
}

static bool advisory_triggered(const struct advisory *advisory, const struct map *by_name,
                               const struct check_dist *dists, const struct map *changed) {
    if (!advisory_concerns(advisory, changed)) return false;
    for (int32_t i = 0; i < advisory->when_len; i++) {
        const struct requirement *when = &advisory->when[i];
        int32_t at = map_find(by_name, when->name);
        if (at < 0 || !version_meets(&when->specifiers, &dists[at].version, dists[at].version_valid)) return false;
    }
    return advisory->when_len > 0;
}

void check_advisories(struct arena *arena, const struct advisories *advisories, const struct check_dist *dists,
                      int32_t len, const struct map *changed, const struct advisory *const **ret, int32_t *ret_len) {
    struct map by_name = {0};
    for (int32_t i = 0; i < len; i++) map_add(arena, &by_name, dists[i].name, i);
    const struct advisory **found = arena_new(arena, const struct advisory *, advisories ? advisories->len : 0);
    int32_t n = 0;
    for (int32_t i = 0; advisories && i < advisories->len; i++)
        if (advisory_triggered(&advisories->items[i], &by_name, dists, changed)) found[n++] = &advisories->items[i];
    *ret = found;
    *ret_len = n;
}
