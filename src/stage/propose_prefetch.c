/*
 * What a request most likely touches, fetched in a few wide batches before the first solve: the newest release that
 * each requirement allows, then what that requires. Only a guess about documents; the solver decides by itself.
 */
#include "stage/propose_parts.h"

#include "base/arena.h"

enum { WAVES_MAX = 16, DOCUMENTS_MAX = 400 };

/* A requirement to follow, under one extra of whoever states it. */
struct lead {
    int32_t project;
    const struct specifier_set *specifiers;
    const struct str *extras;
    int32_t extras_len;
    bool upgrade;
    bool pinned; /* only one release can be meant: what it moves will move */
    bool followed;
};

struct prefetch {
    struct arena *arena;
    const struct solve_input *input;
    struct pool *pool;
    VEC(struct lead) leads;
    struct map seen; /* "project extras" */
};

static bool met_by_installed(const struct prefetch *prefetch, const struct requirement *requirement) {
    const struct dist *dist = environment_find(prefetch->input->env, requirement->name);
    if (!dist || requirement->extras_len) return false;
    return specifier_set_match(&requirement->specifiers, &dist->version) ||
           (dist->vendor && specifier_set_allowance(&requirement->specifiers, &dist->version));
}

static bool is_pin(const struct specifier_set *set) {
    for (int32_t i = 0; i < set->len; i++)
        if (set->items[i].op == SPECIFIER_ARBITRARY || (set->items[i].op == SPECIFIER_EQ && !set->items[i].wildcard))
            return true;
    return false;
}

static void lead_add(struct prefetch *prefetch, const struct requirement *requirement, bool upgrade, bool pinned) {
    if (!upgrade && met_by_installed(prefetch, requirement)) return;
    /* Where other releases of the asker may leave what is installed alone, the solver looks at those first. */
    if (!upgrade && !pinned && environment_find(prefetch->input->env, requirement->name)) return;
    struct str key = str_format(prefetch->arena, "%.*s %d", FMT(requirement->name), requirement->extras_len);
    if (map_find(&prefetch->seen, key) >= 0) return;
    map_add(prefetch->arena, &prefetch->seen, key, 1);
    int32_t project = pool_project(prefetch->pool, requirement->name).n;
    *vec_push(prefetch->arena, &prefetch->leads) = (struct lead){.project = project,
                                                                 .specifiers = &requirement->specifiers,
                                                                 .extras = requirement->extras,
                                                                 .extras_len = requirement->extras_len,
                                                                 .upgrade = upgrade,
                                                                 .pinned = pinned && is_pin(&requirement->specifiers)};
}

/* The newest release that looks like a choice, -1. */
static int32_t likely_release(const struct prefetch *prefetch, const struct lead *lead) {
    const struct project *project = &prefetch->pool->projects.data[lead->project];
    if (project->installed >= 0 && !lead->upgrade &&
        specifier_set_match(lead->specifiers, &project->releases[project->installed].version))
        return project->installed;
    bool pre = prefetch->input->want->pre || specifier_set_names_prerelease(lead->specifiers);
    for (int32_t r = project->releases_len - 1; r >= 0; r--) {
        const struct release *release = &project->releases[r];
        if (!release->on_index || solve_bars(prefetch->input->want, project, release)) continue;
        if (release->meta_state == META_UNREADABLE) continue;
        if (release->prerelease && !pre) continue;
        if (release->yanked && !specifier_set_pins(lead->specifiers, &release->version)) continue;
        if (specifier_set_match(lead->specifiers, &release->version)) return r;
    }
    return -1;
}

/* Requirements of the release, extras that the lead asks for included, become leads. */
static void follow(struct prefetch *prefetch, const struct lead *lead, const struct metadata *metadata) {
    const struct marker_env *markers = &prefetch->input->env->markers;
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        const struct requirement *requirement = &metadata->requires_dist[i];
        bool active = marker_eval(prefetch->arena, requirement->marker, markers, (struct str){0});
        for (int32_t e = 0; !active && e < lead->extras_len; e++)
            active = marker_eval(prefetch->arena, requirement->marker, markers, lead->extras[e]);
        if (active) lead_add(prefetch, requirement, false, lead->pinned);
    }
}

static bool needs_have(const struct need *items, int32_t len, const struct need *need) {
    for (int32_t i = 0; i < len; i++)
        if (items[i].project.n == need->project.n && items[i].release == need->release) return true;
    return false;
}

/* A batch without duplicates. */
struct wanted {
    VEC(struct need) list;
};

static void need_add(struct prefetch *prefetch, struct wanted *wanted, int32_t project, int32_t release) {
    struct need need = {{project}, release};
    if (needs_have(wanted->list.data, (int32_t)wanted->list.len, &need)) return;
    *vec_push(prefetch->arena, &wanted->list) = need;
}

/* What the leads at hand lack; leads whose metadata are there are followed. */
static struct needs next_needs(struct prefetch *prefetch) {
    struct wanted needs = {0};
    ptrdiff_t len = prefetch->leads.len;
    for (ptrdiff_t i = 0; i < len; i++) {
        struct lead lead = prefetch->leads.data[i];
        const struct project *project = &prefetch->pool->projects.data[lead.project];
        if (lead.followed || project->page == PAGE_ABSENT || (project->held && project->installed >= 0)) continue;
        if (project->page == PAGE_UNKNOWN) {
            need_add(prefetch, &needs, lead.project, -1);
            continue;
        }
        int32_t release = likely_release(prefetch, &lead);
        if (release >= 0 && project->releases[release].meta_state == META_UNKNOWN) {
            need_add(prefetch, &needs, lead.project, release);
            continue;
        }
        prefetch->leads.data[i].followed = true;
        if (release >= 0 && project->releases[release].metadata)
            follow(prefetch, &lead, project->releases[release].metadata);
    }
    return (struct needs){needs.list.data, (int32_t)needs.list.len};
}

static bool adds_something(const struct prefetch *prefetch, const struct needs *needs) {
    for (int32_t i = 0; i < needs->len; i++)
        if (prefetch->pool->projects.data[needs->items[i].project.n].installed < 0) return true;
    return false;
}

static struct needs joined(struct arena *arena, const struct needs *a, const struct needs *b) {
    struct need *items = arena_new(arena, struct need, a->len + b->len);
    int32_t len = 0;
    for (int32_t i = 0; i < a->len; i++) items[len++] = a->items[i];
    for (int32_t i = 0; i < b->len; i++)
        if (!needs_have(items, len, &b->items[i])) items[len++] = b->items[i];
    return (struct needs){items, len};
}

static struct err *walk(struct prefetch *prefetch, const struct source *source, bool date) {
    int32_t documents = 0;
    for (int wave = 0; wave < WAVES_MAX && documents < DOCUMENTS_MAX; wave++) {
        ptrdiff_t len = prefetch->leads.len;
        struct needs needs = next_needs(prefetch);
        if (date && adds_something(prefetch, &needs)) {
            struct needs pages = propose_date_needs(prefetch->arena, prefetch->input->env, prefetch->pool);
            needs = joined(prefetch->arena, &needs, &pages);
            date = false;
        }
        documents += needs.len;
        if (needs.len) TRY(source->supply(source->self, prefetch->pool, &needs));
        else if (len == prefetch->leads.len) break;
    }
    return NULL;
}

struct err *propose_prefetch(struct arena *arena, const struct solve_input *input, struct pool *pool,
                             const struct source *source, bool date) {
    struct prefetch prefetch = {.arena = arena, .input = input, .pool = pool};
    for (int32_t i = 0; i < input->want->requests_len; i++)
        if (!input->want->requests[i].constraint)
            lead_add(&prefetch, &input->want->requests[i].requirement, input->want->upgrade, true);
    return walk(&prefetch, source, date);
}

struct err *propose_follow(struct arena *arena, const struct solve_input *input, struct pool *pool,
                           const struct source *source, const struct needs *needs) {
    struct prefetch prefetch = {.arena = arena, .input = input, .pool = pool};
    const struct lead nobody = {.project = -1};
    for (int32_t i = 0; i < needs->len; i++) {
        struct need need = needs->items[i];
        /* The first of a project is what the solver chose; its neighbours are not followed. */
        bool first = i == 0 || needs->items[i - 1].project.n != need.project.n;
        if (need.release < 0 || !first) continue;
        const struct release *release = &pool->projects.data[need.project.n].releases[need.release];
        if (release->metadata) follow(&prefetch, &nobody, release->metadata);
    }
    return walk(&prefetch, source, false);
}

/* Versions that begin with a year (2025.3.1, 25.1) tell their date: the newest of them bound the image's date best. A
 * number above those of the years to come is no year (setuptools 70). */
static int64_t calendar_rank(const struct version *version) {
    int64_t year = version->release_len ? version->release[0] : 0;
    if (year >= 15 && year < 36) year += 2000;
    if (year < 2015 || year > 2099) return -1;
    int64_t month = version->release_len > 1 ? version->release[1] : 0;
    int64_t day = version->release_len > 2 ? version->release[2] : 0;
    if (month > 12) month = 0;
    return (year * 100 + month) * 100 + (day > 31 ? 0 : day);
}

enum { DATE_SAMPLES = 3 };

struct needs propose_date_needs(struct arena *arena, const struct environment *env, struct pool *pool) {
    struct need *needs = arena_new(arena, struct need, DATE_SAMPLES);
    int64_t ranks[DATE_SAMPLES];
    int32_t len = 0;
    for (int32_t i = 0; i < env->dists_len; i++) {
        const struct dist *dist = &env->dists[i];
        int64_t rank = dist->shadowed || dist->vendor || !dist->version_valid ? -1 : calendar_rank(&dist->version);
        if (rank < 0) continue;
        int32_t at = len < DATE_SAMPLES ? len++ : DATE_SAMPLES;
        if (at == DATE_SAMPLES && rank <= ranks[at - 1]) continue;
        if (at == DATE_SAMPLES) at--;
        for (; at > 0 && ranks[at - 1] < rank; at--) {
            ranks[at] = ranks[at - 1];
            needs[at] = needs[at - 1];
        }
        ranks[at] = rank;
        needs[at] = (struct need){pool_project(pool, dist->name), -1};
    }
    int32_t unknown = 0;
    for (int32_t i = 0; i < len; i++)
        if (pool->projects.data[needs[i].project.n].page == PAGE_UNKNOWN) needs[unknown++] = needs[i];
    return (struct needs){needs, unknown};
}

struct err *propose_image_date(struct arena *arena, const struct environment *env, struct pool *pool,
                               const struct source *source, int64_t *ret) {
    struct needs needs = propose_date_needs(arena, env, pool);
    if (needs.len) TRY(source->supply(source->self, pool, &needs));
    int64_t date = INT64_MIN;
    for (ptrdiff_t p = 0; p < pool->projects.len; p++) {
        const struct project *project = &pool->projects.data[p];
        if (project->installed < 0 || project->page != PAGE_KNOWN || project->held) continue;
        if (project->releases[project->installed].uploaded > date)
            date = project->releases[project->installed].uploaded;
    }
    *ret = date;
    return NULL;
}
