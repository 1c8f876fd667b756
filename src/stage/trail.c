#include "stage/trail.h"

#include "base/buf.h"

#include <string.h>

/* What was needed in a state. */
struct step {
    uint64_t state;
    struct str names; /* of the projects that solving added, a line each */
    struct needs needs;
};

struct trail {
    struct arena *arena;
    const struct source *source;
    uint64_t key;      /* of the state in which the first search began */
    uint64_t supplied; /* what came since */
    VEC(struct step) steps;
    ptrdiff_t kept; /* how many of them the source has */
};

/* A step as bytes, followed by its needs and names; for this machine alone. */
struct step_head {
    uint64_t state;
    int32_t needs_len, names_len;
};

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9FB21C651E98DF25u;
    return hash ^ (hash >> 29);
}

static uint64_t mix_text(uint64_t hash, struct str text) {
    return mix(hash, str_hash(text));
}

static uint64_t mix_names(uint64_t hash, const struct str *names, int32_t len) {
    hash = mix(hash, (uint64_t)len);
    for (int32_t i = 0; i < len; i++) hash = mix_text(hash, names[i]);
    return hash;
}

static uint64_t mix_requirement(uint64_t hash, const struct requirement *requirement) {
    hash = mix_text(mix_text(hash, requirement->name), requirement->text);
    hash = mix_names(hash, requirement->extras, requirement->extras_len);
    /* Not by the text: a limit that was added to a request may stand in the specifiers only. */
    for (int32_t i = 0; i < requirement->specifiers.len; i++) {
        const struct specifier *one = &requirement->specifiers.items[i];
        hash = mix_text(mix(hash, (uint64_t)one->op * 2 + one->wildcard), one->version.text);
    }
    return hash;
}

static uint64_t mix_want(uint64_t hash, const struct want *want) {
    for (int32_t i = 0; i < want->requests_len; i++)
        hash = mix(mix_requirement(hash, &want->requests[i].requirement), want->requests[i].constraint);
    hash = mix_names(hash, want->remove, want->remove_len);
    hash = mix_names(hash, want->keep, want->keep_len);
    hash = mix_names(hash, want->replace, want->replace_len);
    hash = mix_names(hash, want->no_lift, want->no_lift_len);
    hash = mix_names(hash, want->ignore_advisories, want->ignore_advisories_len);
    hash = mix_names(hash, want->build, want->build_len);
    hash = mix_names(hash, want->only_binary.items, want->only_binary.len);
    hash = mix_names(hash, want->no_binary.items, want->no_binary.len);
    const bool flags[] = {want->upgrade, want->pre,       want->only_binary.all, want->no_binary.all, want->stale,
                          want->builds,  want->build_all, want->no_allowances,   want->no_lifts};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) hash = mix(hash, flags[i]);
    return mix(hash, (uint64_t)want->exclude_newer);
}

static uint64_t mix_metadata(uint64_t hash, const struct metadata *metadata) {
    hash = mix_text(hash, metadata->requires_python_text);
    hash = mix_names(hash, metadata->extras, metadata->extras_len);
    for (int32_t i = 0; i < metadata->requires_len; i++) hash = mix_text(hash, metadata->requires_dist[i].text);
    return hash;
}

/* A release as its page tells it. */
static uint64_t mix_release(uint64_t hash, const struct release *release) {
    uint64_t flags = release->bars;
    flags = flags * 2 + release->installed;
    flags = flags * 2 + release->on_index;
    flags = flags * 2 + release->prerelease;
    flags = flags * 2 + release->yanked;
    flags = flags * 2 + release->artifact.sdist;
    flags = flags * 2 + release->unsure;
    flags = flags * 4 + (uint64_t)release->meta_state;
    return mix(mix(mix_text(hash, release->version.text), flags), (uint64_t)release->uploaded);
}

static uint64_t mix_project(uint64_t hash, const struct project *project) {
    hash = mix_text(hash, project->name);
    hash = mix(hash, (uint64_t)project->page * 4 + (uint64_t)project->held * 2 + project->has_dates);
    hash = mix(hash, (uint64_t)project->installed);
    for (int32_t i = 0; i < project->releases_len; i++) hash = mix_release(hash, &project->releases[i]);
    return hash;
}

static uint64_t mix_pool(uint64_t hash, const struct pool *pool) {
    for (ptrdiff_t p = 0; p < pool->projects.len; p++) {
        const struct project *project = &pool->projects.data[p];
        hash = mix_project(hash, project);
        for (int32_t i = 0; i < project->releases_len; i++)
            if (project->releases[i].metadata) hash = mix_metadata(hash, project->releases[i].metadata);
    }
    return hash;
}

/* What it requires the pool has. */
static uint64_t mix_environment(uint64_t hash, const struct environment *env) {
#define X(field, name) hash = mix_text(hash, env->markers.field);
    MARKER_VARIABLES(X)
#undef X
    for (int32_t i = 0; i < env->dists_len; i++) {
        const struct dist *dist = &env->dists[i];
        hash = mix_text(mix_text(hash, dist->name), dist->version.text);
        uint64_t flags = dist->vendor;
        flags = flags * 2 + dist->shadowed;
        flags = flags * 2 + dist->metadata_known;
        flags = flags * 2 + dist->editable;
        hash = mix(hash, flags * 2 + dist->system);
    }
    return hash;
}

static uint64_t mix_locks(uint64_t hash, const struct lock_set *locks) {
    for (int32_t i = 0; i < locks->lines_len; i++)
        hash = mix(mix_requirement(hash, &locks->lines[i].requirement), locks->lines[i].active);
    hash = mix(hash, locks->implied);
    return mix_names(hash, locks->implied_names.keys, locks->implied_names.len);
}

static uint64_t mix_advisories(uint64_t hash, const struct advisories *advisories) {
    for (int32_t i = 0; i < advisories->len; i++) {
        const struct advisory *advisory = &advisories->items[i];
        hash = mix(mix_text(hash, advisory->id), (uint64_t)advisory->severity);
        for (int32_t k = 0; k < advisory->when_len; k++) hash = mix_requirement(hash, &advisory->when[k]);
        hash = mix_names(hash, advisory->on_change, advisory->on_change_len);
    }
    return hash;
}

/* Takes the next step off the front of `*rest`; false at the end, and where it is not whole. */
static bool take_step(struct arena *arena, struct str *rest, struct step *ret) {
    struct step_head head;
    if (rest->len < (ptrdiff_t)sizeof head) return false;
    memcpy(&head, rest->data, sizeof head);
    struct str body = str_from(*rest, (ptrdiff_t)sizeof head);
    if (head.needs_len <= 0 || head.names_len < 0) return false;
    if (head.needs_len > body.len / (ptrdiff_t)sizeof(struct need)) return false;
    ptrdiff_t size = head.needs_len * (ptrdiff_t)sizeof(struct need);
    if (head.names_len > body.len - size) return false;
    struct need *items = arena_new(arena, struct need, head.needs_len);
    memcpy(items, body.data, (size_t)size);
    *ret = (struct step){head.state, str_slice(body, size, size + head.names_len), {items, head.needs_len}};
    *rest = str_from(body, size + head.names_len);
    return true;
}

struct trail *trail_open(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                         const struct source *source) {
    if (!source->recall || !source->keep) return NULL;
    for (int32_t i = 0; i < input->want->requests_len; i++)
        if (input->want->requests[i].requirement.url.len) return NULL;
    struct trail *trail = arena_new(arena, struct trail, 1);
    trail->arena = arena;
    trail->source = source;
    uint64_t key = mix_pool(mix_environment(0, input->env), pool);
    if (input->locks) key = mix_locks(key, input->locks);
    if (input->advisories) key = mix_advisories(key, input->advisories);
    trail->key = trail->supplied = mix_want(key, input->want);
    struct str bytes;
    if (!source->recall(source->self, arena, trail->key, TRAIL_BYTES_MAX, &bytes)) return trail;
    struct step step;
    while (trail->steps.len < TRAIL_STEPS_MAX && take_step(arena, &bytes, &step))
        *vec_push(arena, &trail->steps) = step;
    trail->kept = trail->steps.len;
    return trail;
}

uint64_t trail_state(const struct trail *trail, const struct solve_input *input) {
    uint64_t state = mix_want(trail->supplied, input->want);
    state = mix(state, (uint64_t)input->env->image_date);
    state = mix(state, (uint64_t)input->relax << 8 | (uint64_t)input->given_up_len);
    return mix(state, (uint64_t)input->guess * 2 + input->known_only);
}

/* True if it is something that is not known yet: only that can have been needed. */
static bool fits(const struct pool *pool, struct need need) {
    if (need.project.n < 0 || need.project.n >= pool->projects.len) return false;
    const struct project *project = &pool->projects.data[need.project.n];
    if (need.release == -1) return project->page == PAGE_UNKNOWN;
    return need.release >= 0 && need.release < project->releases_len &&
           project->releases[need.release].meta_state == META_UNKNOWN;
}

bool trail_find(const struct trail *trail, uint64_t state, struct pool *pool, struct needs *ret) {
    const struct step *step = NULL;
    for (ptrdiff_t i = 0; i < trail->steps.len && !step; i++)
        if (trail->steps.data[i].state == state) step = &trail->steps.data[i];
    if (!step) return false;
    struct str names = step->names, name;
    while (str_line(&names, &name)) (void)pool_project(pool, name);
    for (int32_t k = 0; k < step->needs.len; k++)
        if (!fits(pool, step->needs.items[k])) return false;
    *ret = step->needs;
    return true;
}

void trail_add(struct trail *trail, uint64_t state, const struct pool *pool, ptrdiff_t before,
               const struct needs *needs) {
    if (trail->steps.len == TRAIL_STEPS_MAX || needs->len == 0) return;
    struct buf names = {.arena = trail->arena};
    for (ptrdiff_t p = before; p < pool->projects.len; p++) {
        buf_add(&names, pool->projects.data[p].name);
        buf_add_char(&names, '\n');
    }
    struct need *items = arena_new(trail->arena, struct need, needs->len);
    memcpy(items, needs->items, (size_t)needs->len * sizeof *items);
    *vec_push(trail->arena, &trail->steps) = (struct step){state, buf_str(&names), {items, needs->len}};
}

void trail_supplied(struct trail *trail, const struct pool *pool, const struct needs *needs) {
    uint64_t hash = mix(trail->supplied, (uint64_t)needs->len);
    for (int32_t i = 0; i < needs->len; i++) {
        struct need need = needs->items[i];
        const struct project *project = &pool->projects.data[need.project.n];
        hash = mix(mix(hash, (uint64_t)need.project.n), (uint64_t)need.release);
        if (need.release < 0) {
            hash = mix_project(hash, project);
            continue;
        }
        /* What a file says does not change; which file it is the index tells. */
        const struct release *release = &project->releases[need.release];
        hash = mix_text(mix_text(mix_release(hash, release), release->artifact.url), release->artifact.sha256);
        hash = mix_text(hash, release->artifact.strong);
        if (release->metadata) hash = mix(hash, (uint64_t)release->metadata->requires_len);
    }
    trail->supplied = hash;
}

void trail_close(struct trail *trail) {
    if (!trail || trail->steps.len == trail->kept) return;
    struct buf out = {.arena = trail->arena};
    for (ptrdiff_t i = 0; i < trail->steps.len; i++) {
        const struct step *step = &trail->steps.data[i];
        struct step_head head = {step->state, step->needs.len, (int32_t)step->names.len};
        buf_add(&out, (struct str){(const char *)&head, (ptrdiff_t)sizeof head});
        buf_add(&out, (struct str){(const char *)step->needs.items, step->needs.len * (ptrdiff_t)sizeof(struct need)});
        buf_add(&out, step->names);
    }
    if (out.len <= TRAIL_BYTES_MAX) trail->source->keep(trail->source->self, trail->key, buf_str(&out));
}
