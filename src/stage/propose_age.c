/* What a plan says of releases that are older than they might be. */
#include "base/arena.h"
#include "stage/propose_parts.h"

static const struct release *result_release(const struct pool *pool, const struct solution *solution, int32_t p) {
    if (p >= solution->chosen_len || solution->chosen[p] < 0) return NULL;
    return &pool->projects.data[p].releases[solution->chosen[p]];
}

/* True if requests leave the version open; `bounded`: some of them bounds it. */
static bool is_open(const struct want *want, struct str name, const struct version *version, bool *bounded) {
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *asked = &want->requests[i].requirement;
        if (!str_eq(asked->name, name)) continue;
        if (!specifier_set_match(&asked->specifiers, version)) return false;
        *bounded = *bounded || asked->specifiers.len > 0;
    }
    return true;
}

/* The newest final release that the requests leave, uploaded on or before `date`; NULL: none. `ret_bounded`: a request
 * bounds it. */
static const struct release *newest_open(const struct want *want, const struct project *project, int64_t date,
                                         bool *ret_bounded) {
    *ret_bounded = false;
    for (int32_t r = project->releases_len - 1; r >= 0; r--) {
        const struct release *release = &project->releases[r];
        if (release->bars || release->prerelease || release->yanked || release->uploaded > date) continue;
        if (is_open(want, project->name, &release->version, ret_bounded)) return release;
    }
    return NULL;
}

static struct str tell_open(struct arena *arena, const struct solve_input *input, const struct requirement *asked,
                            const struct project *project, const struct release *chosen) {
    const struct want *want = input->want;
    bool bounded, installed = project->installed >= 0;
    int64_t date = installed ? INT64_MAX : solve_floor_date(input->env->image_date);
    if (installed && !want->upgrade) return (struct str){0};
    if (!installed && (want->stale || !project->has_dates)) return (struct str){0};
    const struct release *open = newest_open(want, project, want->upgrade ? INT64_MAX : date, &bounded);
    if (!open || version_cmp(&open->version, &chosen->version) <= 0) return (struct str){0};
    if (want->upgrade)
        return str_format(arena, "%.*s %.*s is newer, but does not fit: 'unpin plan %.*s==%.*s' says why",
                          FMT(asked->raw_name), FMT(open->version.text), FMT(project->name), FMT(open->version.text));
    /* Without a bound that is a release below its floor, which is told as such. */
    if (!bounded) return (struct str){0};
    return str_format(arena,
                      "%.*s %.*s is what lifts fewest locks; the request allows %.*s as well: 'unpin options "
                      "\"%.*s\"' says what newer ones cost",
                      FMT(asked->raw_name), FMT(chosen->version.text), FMT(open->version.text), FMT(asked->text));
}

void plan_tell_open(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                    const struct solution *solution, struct sentences *ret) {
    for (int32_t i = 0; i < input->want->requests_len; i++) {
        const struct request *request = &input->want->requests[i];
        const struct project *project = pool_find(pool, request->requirement.name);
        if (request->constraint || request->requirement.url.len || !project) continue;
        const struct release *chosen = result_release(pool, solution, (int32_t)(project - pool->projects.data));
        if (!chosen) continue;
        struct str sentence = tell_open(arena, input, &request->requirement, project, chosen);
        if (sentence.len) *vec_push(arena, ret) = sentence;
    }
}
