#include "stage/check.h"

#include <assert.h>

/* What the checks of one solution share. */
struct trial {
    struct arena *arena;
    const struct solve_input *input;
    const struct pool *pool;
    const int32_t *chosen;
    struct check_dist *after; /* the result, in the order of the pool */
    int32_t after_len;
    struct map changed; /* normalized names of the installed projects that change to another version */
    const struct check_dist *before;
    int32_t before_len;
};

static const struct release *chosen_release(const struct trial *trial, int32_t project) {
    assert(trial->pool->projects.data);
    int32_t at = trial->chosen[project];
    return at < 0 ? NULL : &trial->pool->projects.data[project].releases[at];
}

/* The violation as an err; the sentence names the project. */
static struct err *violation(const struct trial *trial, struct str name, const char *what) {
    return err_make(trial->arena, ERR_INTERNAL, "the plan fails its own check: %.*s %s", FMT(name), what);
}

static struct str *request_extras(const struct trial *trial, struct str name, int32_t *ret_len) {
    const struct want *want = trial->input->want;
    VEC(struct str) extras = {0};
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct request *request = &want->requests[i];
        if (request->constraint || !str_eq(request->requirement.name, name)) continue;
        for (int32_t e = 0; e < request->requirement.extras_len; e++)
            *vec_push(trial->arena, &extras) = request->requirement.extras[e];
    }
    *ret_len = (int32_t)extras.len;
    return extras.data;
}

static bool version_is_valid(const struct trial *trial, const struct project *project, int32_t at) {
    if (at != project->installed) return true;
    const struct dist *dist = environment_find(trial->input->env, project->name);
    return !dist || dist->version_valid;
}

/* Positions first: all later checks index by them. */
static struct err *gather(struct trial *trial) {
    int32_t len = (int32_t)trial->pool->projects.len;
    trial->after = arena_new(trial->arena, struct check_dist, len);
    for (int32_t i = 0; i < len; i++) {
        const struct project *project = &trial->pool->projects.data[i];
        int32_t at = trial->chosen[i];
        if (at < -1 || at >= project->releases_len) return violation(trial, project->name, "has no such release");
        if (at < 0) continue;
        if (at != project->installed && project->installed >= 0)
            map_add(trial->arena, &trial->changed, project->name, i);
        struct check_dist *dist = &trial->after[trial->after_len++];
        *dist = (struct check_dist){
            .name = project->name,
            .version = project->releases[at].version,
            .version_valid = version_is_valid(trial, project, at),
            .metadata = project->releases[at].metadata,
            .held = project->held && at == project->installed,
        };
        dist->extras = request_extras(trial, project->name, &dist->extras_len);
    }
    check_dists_of(trial->arena, trial->input->env, &trial->before, &trial->before_len);
    return NULL;
}

/* Rule 3, and that nothing goes away unasked. */
static struct err *check_stays(const struct trial *trial) {
    const struct want *want = trial->input->want;
    for (int32_t i = 0; i < trial->pool->projects.len; i++) {
        const struct project *project = &trial->pool->projects.data[i];
        bool removed = str_among(want->remove, want->remove_len, project->name);
        if (removed && trial->chosen[i] >= 0) return violation(trial, project->name, "should have been removed");
        if (trial->chosen[i] == project->installed) continue;
        if (project->installed < 0 || removed) continue;
        if (str_among(want->keep, want->keep_len, project->name))
            return violation(trial, project->name, "should have been kept");
        if (trial->chosen[i] < 0) return violation(trial, project->name, "was removed though nobody asked for that");
        if (project->held && !str_among(want->replace, want->replace_len, project->name))
            return violation(trial, project->name, "is held and changes");
    }
    return NULL;
}

/* True if an `==` or `===` of a request names exactly `version`. */
static bool pinned_by_user(const struct trial *trial, struct str name, const struct version *version) {
    const struct want *want = trial->input->want;
    for (int32_t i = 0; i < want->requests_len; i++)
        if (str_eq(want->requests[i].requirement.name, name) &&
            specifier_set_pins(&want->requests[i].requirement.specifiers, version))
            return true;
    return false;
}

static bool pinned_by_lock(const struct trial *trial, struct str name, const struct version *version) {
    const struct lock_set *locks = trial->input->locks;
    for (int32_t i = 0; locks && i < locks->lines_len; i++)
        if (locks->lines[i].active && str_eq(locks->lines[i].requirement.name, name) &&
            specifier_set_pins(&locks->lines[i].requirement.specifiers, version))
            return true;
    return false;
}

static bool prerelease_admissible(const struct trial *trial, const struct project *project,
                                  const struct release *release) {
    const struct want *want = trial->input->want;
    if (want->pre || pinned_by_user(trial, project->name, &release->version)) return true;
    if (check_names(trial->arena, &trial->input->env->markers, trial->after, trial->after_len, project->name,
                    &release->version))
        return true;
    if (pinned_by_lock(trial, project->name, &release->version)) return true;
    for (int32_t i = 0; i < want->requests_len; i++)
        if (str_eq(want->requests[i].requirement.name, project->name) &&
            specifier_set_names_prerelease(&want->requests[i].requirement.specifiers))
            return true;
    for (int32_t i = 0; i < project->releases_len; i++)
        if (solve_is_final(want, project, &project->releases[i])) return false;
    return true;
}

static bool request_by_url(const struct trial *trial, struct str name) {
    const struct want *want = trial->input->want;
    for (int32_t i = 0; i < want->requests_len; i++)
        if (want->requests[i].requirement.url.len > 0 && str_eq(want->requests[i].requirement.name, name)) return true;
    return false;
}

/* Rule 5. */
static struct err *check_candidates(const struct trial *trial) {
    for (int32_t i = 0; i < trial->pool->projects.len; i++) {
        const struct project *project = &trial->pool->projects.data[i];
        const struct release *release = chosen_release(trial, i);
        if (!release || trial->chosen[i] == project->installed) continue;
        if (release->meta_state != META_KNOWN || !release->metadata)
            return violation(trial, project->name, "was chosen without its metadata");
        if (request_by_url(trial, project->name)) continue; /* what the user points at is taken as it is */
        if (!release->on_index) return violation(trial, project->name, "is on no index");
        if (solve_bars(trial->input->want, project, release))
            return violation(trial, project->name, "does not fit this interpreter or the options");
        if (release->yanked && !pinned_by_user(trial, project->name, &release->version))
            return violation(trial, project->name, "is yanked");
        if (release->prerelease && !prerelease_admissible(trial, project, release))
            return violation(trial, project->name, "is a pre-release nobody asked for");
    }
    return NULL;
}

static bool is_requested(const struct trial *trial, struct str name) {
    const struct want *want = trial->input->want;
    for (int32_t i = 0; i < want->requests_len; i++)
        if (!want->requests[i].constraint && str_eq(want->requests[i].requirement.name, name)) return true;
    return false;
}

/* Rule 1. A constraint binds what was asked for and what the plan brings in; what was there is the lock's concern. */
static struct err *check_requests(const struct trial *trial) {
    const struct want *want = trial->input->want;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *asked = &want->requests[i].requirement;
        int32_t at = map_find(&trial->pool->by_name, asked->name);
        const struct project *project = at < 0 ? NULL : &trial->pool->projects.data[at];
        const struct release *release = at < 0 ? NULL : chosen_release(trial, at);
        bool unchanged = project && trial->chosen[at] == project->installed;
        bool there = unchanged && !is_requested(trial, asked->name);
        if (want->requests[i].constraint && (!release || there)) continue;
        if (!release) return violation(trial, asked->name, "was asked for and is not there");
        if (asked->url.len > 0 || specifier_set_match(&asked->specifiers, &release->version)) continue;
        bool allowance = unchanged && project->held && !want->no_allowances &&
                         specifier_set_allowance(&asked->specifiers, &release->version);
        if (!allowance) return violation(trial, asked->name, "does not meet the request");
    }
    return NULL;
}

/* True if the lock on a project is lifted: a line that applies forbids the version it changes to. */
static bool lock_lifted(const struct trial *trial, const struct project *project, const struct release *release) {
    const struct lock_set *locks = trial->input->locks;
    if (!locks) return false;
    if (locks->implied) return project->installed >= 0;
    for (int32_t i = 0; i < locks->lines_len; i++) {
        const struct requirement *line = &locks->lines[i].requirement;
        if (!locks->lines[i].active || !str_eq(line->name, project->name)) continue;
        if (line->url.len > 0 || !specifier_set_match(&line->specifiers, &release->version)) return true;
    }
    return false;
}

static struct err *check_locks(const struct trial *trial) {
    const struct want *want = trial->input->want;
    for (int32_t i = 0; i < trial->pool->projects.len; i++) {
        const struct project *project = &trial->pool->projects.data[i];
        const struct release *release = chosen_release(trial, i);
        if (!release || trial->chosen[i] == project->installed) continue;
        if (!want->no_lifts && !str_among(want->no_lift, want->no_lift_len, project->name)) continue;
        if (lock_lifted(trial, project, release)) return violation(trial, project->name, "has a lock that must stay");
    }
    return NULL;
}

/* A break counts as old where the same distribution at the same version had it before. */
static bool break_was_there(const struct plan_break *item, const struct plan_break *before, int32_t len) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(item->name, before[i].name) && str_eq(item->version, before[i].version) &&
            str_eq(item->requires_text, before[i].requires_text))
            return true;
    return false;
}

/* Rule 2. */
static struct err *check_new_breaks(const struct trial *trial, struct check_verdict *ret) {
    const struct solve_input *input = trial->input;
    const struct plan_allowance *allowances;
    int32_t allowances_len;
    struct check_verdict verdict;
    bool allow = !input->want->no_allowances;
    check_breaks(trial->arena, &input->env->markers, trial->before, trial->before_len, allow, &verdict.before,
                 &verdict.before_len, &allowances, &allowances_len);
    check_breaks(trial->arena, &input->env->markers, trial->after, trial->after_len, allow, &verdict.after,
                 &verdict.after_len, &allowances, &allowances_len);
    for (int32_t i = 0; i < verdict.after_len; i++) {
        const struct plan_break *item = &verdict.after[i];
        if (break_was_there(item, verdict.before, verdict.before_len)) continue;
        return err_make(trial->arena, ERR_INTERNAL,
                        "the plan fails its own check: %.*s %.*s requires %.*s, which would not be met",
                        FMT(item->name), FMT(item->version), FMT(item->requires_text));
    }
    *ret = verdict;
    return NULL;
}

/* Rule 4. */
static struct err *check_new_advisories(const struct trial *trial) {
    const struct solve_input *input = trial->input;
    const struct advisory *const *before, *const *after;
    int32_t before_len, after_len;
    check_advisories(trial->arena, input->advisories, trial->before, trial->before_len, NULL, &before, &before_len);
    check_advisories(trial->arena, input->advisories, trial->after, trial->after_len, &trial->changed, &after,
                     &after_len);
    for (int32_t i = 0; i < after_len; i++) {
        bool old = after[i]->severity == ADVISORY_INFO || after[i]->severity == ADVISORY_WARN ||
                   str_among(input->want->ignore_advisories, input->want->ignore_advisories_len, after[i]->id);
        for (int32_t b = 0; b < before_len && !old; b++) old = before[b] == after[i];
        if (!old) return violation(trial, after[i]->id, "is an advisory that the plan would trigger");
    }
    return NULL;
}

struct err *check_solution(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                           const struct solution *solution, struct check_verdict *ret) {
    struct check_verdict verdict;
    struct trial trial = {.arena = arena, .input = input, .pool = pool, .chosen = solution->chosen};
    TRY(gather(&trial));
    TRY(check_stays(&trial));
    TRY(check_candidates(&trial));
    TRY(check_requests(&trial));
    TRY(check_locks(&trial));
    TRY(check_new_breaks(&trial, &verdict));
    TRY(check_new_advisories(&trial));
    *ret = verdict;
    return NULL;
}
