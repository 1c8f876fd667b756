#include "stage/pool.h"

#include "pypa/simple.h"

#include <assert.h>

struct project_id pool_project(struct pool *pool, struct str name) {
    int32_t at = map_find(&pool->by_name, name);
    if (at >= 0) return (struct project_id){at};
    at = (int32_t)pool->projects.len;
    struct project *project = vec_push(pool->arena, &pool->projects);
    *project = (struct project){.name = name, .installed = -1};
    map_add(pool->arena, &pool->by_name, name, at);
    int32_t number = map_find(&pool->names, name);
    if (number >= 0) pool->targets.data[number] = at;
    return (struct project_id){at};
}

struct project *pool_find(const struct pool *pool, struct str name) {
    int32_t at = map_find(&pool->by_name, name);
    return at < 0 ? NULL : &pool->projects.data[at];
}

static bool names_prerelease(const struct requirement *requirement) {
    for (int32_t i = 0; i < requirement->specifiers.len; i++) {
        const struct specifier *specifier = &requirement->specifiers.items[i];
        bool exact = specifier->op == SPECIFIER_EQ && !specifier->wildcard;
        if (exact && version_is_prerelease(&specifier->version)) return true;
    }
    return false;
}

static int32_t name_number(struct pool *pool, struct str name) {
    int32_t number = map_find(&pool->names, name);
    if (number >= 0) return number;
    number = (int32_t)pool->targets.len;
    *vec_push(pool->arena, &pool->targets) = map_find(&pool->by_name, name);
    map_add(pool->arena, &pool->names, name, number);
    return number;
}

/* True if what is installed meets the requirement, which is on this project (-1: none). */
static bool is_met(const struct pool *pool, int32_t target, const struct requirement *requirement) {
    if (target < 0 || pool->projects.data[target].installed < 0) return false;
    const struct project *project = &pool->projects.data[target];
    return specifier_set_match(&requirement->specifiers, &project->releases[project->installed].version);
}

const struct active *pool_active(struct pool *pool, struct release *release, const struct marker_env *markers) {
    if (release->active) return release->active;
    const struct metadata *metadata = release->metadata;
    struct active *active = arena_new(pool->arena, struct active, 1);
    int32_t *base = arena_new(pool->arena, int32_t, metadata->requires_len);
    int32_t *extra = arena_new(pool->arena, int32_t, metadata->requires_len);
    int32_t *named = arena_new(pool->arena, int32_t, metadata->requires_len);
    bool *met = arena_new(pool->arena, bool, metadata->requires_len);
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        const struct requirement *requirement = &metadata->requires_dist[i];
        bool is_base = marker_eval(pool->arena, requirement->marker, markers, (struct str){0});
        bool is_extra = !is_base && marker_has_extra(requirement->marker);
        if (is_base) base[active->base_len++] = i;
        if (is_extra) extra[active->extra_len++] = i;
        if (!is_base && !is_extra) continue;
        if (names_prerelease(requirement)) active->names_prerelease = true;
        if (requirement->extras_len) active->asks_extras = true;
        named[i] = name_number(pool, requirement->name);
        met[i] = is_met(pool, pool->targets.data[named[i]], requirement);
    }
    active->base = base;
    active->extra = extra;
    active->named = named;
    active->met = met;
    release->active = active;
    return active;
}

int32_t project_find(const struct project *project, const struct version *version) {
    int32_t low = 0, high = project->releases_len;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = version_cmp(&project->releases[middle].version, version);
        if (order == 0) return middle;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return -1;
}

static void add_installed(struct pool *pool, const struct dist *dist) {
    struct project_id id = pool_project(pool, dist->name);
    assert(pool->projects.data);
    struct project *project = &pool->projects.data[id.n];
    project->releases = arena_new(pool->arena, struct release, 1);
    project->releases_len = 1;
    project->installed = 0;
    project->held = dist->vendor != 0;
    struct release *release = &project->releases[0];
    release->version = dist->version;
    release->installed = true;
    release->prerelease = dist->version_valid && version_is_prerelease(&dist->version);
    release->uploaded = INT64_MIN;
    release->meta_state = dist->metadata_known ? META_KNOWN : META_UNREADABLE;
    release->metadata = dist->metadata_known ? &dist->metadata : NULL;
}

struct pool pool_make(struct arena *arena, const struct environment *env) {
    struct pool pool = {.arena = arena};
    for (int32_t i = 0; i < env->dists_len; i++)
        if (!env->dists[i].shadowed) add_installed(&pool, &env->dists[i]);
    return pool;
}

/* Index facts join what is installed; the installed metadata stay the truth. */
static void merge_installed(struct release *installed, const struct release *page) {
    installed->artifact = page->artifact;
    installed->yanked = page->yanked;
    installed->yanked_reason = page->yanked_reason;
    installed->uploaded = page->uploaded;
    installed->on_index = true;
}

void pool_add_page(struct pool *pool, struct project_id id, const struct release *releases, int32_t len) {
    struct project *project = &pool->projects.data[id.n];
    bool was_installed = project->installed >= 0;
    struct release kept = was_installed ? project->releases[project->installed] : (struct release){0};
    struct release *merged = arena_new(pool->arena, struct release, len + 1);
    int32_t n = 0;
    bool placed = !was_installed;
    project->has_dates = len > 0;
    project->installed = -1;
    for (int32_t i = 0; i < len; i++) {
        int order = placed ? -1 : version_cmp(&releases[i].version, &kept.version);
        if (!placed && order >= 0) {
            if (order == 0) merge_installed(&kept, &releases[i]);
            project->installed = n;
            merged[n++] = kept;
            placed = true;
            if (order == 0) continue;
        }
        if (releases[i].uploaded == INT64_MIN) project->has_dates = false;
        merged[n] = releases[i];
        merged[n++].on_index = true;
    }
    if (!placed) {
        project->installed = n;
        merged[n++] = kept;
    }
    project->releases = merged;
    project->releases_len = n;
    project->page = PAGE_KNOWN;
    /* What no index can give again is a vendor build, whatever its version looks like. */
    if (project->installed >= 0 && !merged[project->installed].on_index) project->held = true;
}

int32_t pool_add_named(struct pool *pool, struct project_id id, const struct release *release, bool replaces) {
    struct project *project = &pool->projects.data[id.n];
    bool held = project->held;
    pool_add_page(pool, id, release, 1);
    /* The page is this one release: it says nothing of what the indexes have. */
    project->held = held;
    int32_t at = project_find(project, &release->version);
    if (at < 0 || at != project->installed || !replaces || held) return at;
    project->releases[at] = *release;
    project->releases[at].on_index = true;
    project->installed = -1;
    return at;
}

void pool_learn(struct pool *pool, struct release *release, const struct metadata *metadata, struct str built) {
    struct metadata *kept = arena_new(pool->arena, struct metadata, 1);
    *kept = *metadata;
    release->metadata = kept;
    release->meta_state = META_KNOWN;
    release->unsure = false;
    release->active = NULL;
    release->artifact.built = built;
}

struct str artifact_hash(struct arena *arena, const struct artifact *artifact) {
    struct str hex = artifact->strong.len ? artifact->strong : artifact->sha256;
    return hex.len ? str_format(arena, "%.*s:%.*s", FMT(simple_hash_name(hex)), FMT(hex)) : hex;
}

struct str artifact_verified(struct arena *arena, const struct artifact *artifact) {
    if (artifact->tree) return S("commit");
    if (artifact->sha256.len || artifact->strong.len) return artifact_hash(arena, artifact);
    if (artifact->demanded_len) return str_format(arena, "one of %d hashes", artifact->demanded_len);
    if (!artifact->url.len) return (struct str){0};
    if (str_eq_nocase(str_slice(artifact->url, 0, 5), S("file:"))) return S("local file");
    return artifact->size >= 0 ? S("size") : S("nothing");
}
