#include "stage/propose.h"

#include "base/arena.h"
#include "stage/check.h"
#include "stage/propose_parts.h"
#include "stage/trail.h"

#include <string.h>
#include <time.h>

/* Only for the figures that -v prints: no decision depends on the clock. */
static int64_t clock_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void *copied(struct arena *arena, const void *data, int32_t len, size_t size) {
    void *copy = arena_array(arena, (ptrdiff_t)size, len);
    if (len > 0) memcpy(copy, data, (size_t)len * size);
    return copy;
}

static void copy_marks(struct arena *arena, struct solution_marks *marks) {
    marks->items = copied(arena, marks->items, marks->len, sizeof *marks->items);
}

/* A solution that outlives the round's arena; texts of facts are copied, requirements belong to the pool. */
static struct solution copy_solution(struct arena *arena, const struct solution *solution) {
    struct solution copy = *solution;
    copy.chosen = copied(arena, copy.chosen, copy.chosen_len, sizeof *copy.chosen);
    copy.lifted = copied(arena, copy.lifted, copy.lifted_len, sizeof *copy.lifted);
    copy_marks(arena, &copy.below);
    copy_marks(arena, &copy.lax);
    copy_marks(arena, &copy.allowances);
    copy_marks(arena, &copy.soft);
    copy.needs = (struct needs){0};
    struct plan_fact *facts = copied(arena, copy.reason, copy.reason_len, sizeof *facts);
    for (int32_t i = 0; i < copy.reason_len; i++) {
        facts[i].name = str_copy(arena, facts[i].name);
        facts[i].version = str_copy(arena, facts[i].version);
        facts[i].text = str_copy(arena, facts[i].text);
        facts[i].file = str_copy(arena, facts[i].file);
        facts[i].sentence = str_copy(arena, facts[i].sentence);
    }
    copy.reason = facts;
    return copy;
}

static struct err *copy_err(struct arena *arena, const struct err *err) {
    struct err *copy = err_make(arena, err->kind, "%.*s", FMT(err_format(arena, err)));
    copy->hint = str_copy(arena, err->hint);
    copy->signal = err->signal;
    return copy;
}

/* One round: what an earlier command needed in this very state, or else a solution. */
static struct err *solve_round(struct arena *arena, const struct solve_input *input, struct pool *pool,
                               struct trail *trail, struct solution *ret) {
    uint64_t state = trail ? trail_state(trail, input) : 0;
    struct needs needs;
    if (trail && trail_find(trail, state, pool, &needs)) {
        *ret = (struct solution){.status = SOLVE_NEEDS, .needs = needs};
        return NULL;
    }
    ptrdiff_t before = pool->projects.len;
    TRY(solve_run(arena, input, pool, ret));
    if (trail && ret->status == SOLVE_NEEDS) trail_add(trail, state, pool, before, &ret->needs);
    return NULL;
}

struct err *propose_search(struct arena *arena, const struct solve_input *input, struct pool *pool,
                           const struct source *source, struct solution *ret, int64_t *index_us, int64_t *solve_us,
                           int32_t *rounds) {
    for (int32_t round = 1; round <= PROPOSE_ROUNDS_MAX; round++) {
        struct arena *own = arena_open();
        struct solution solution;
        int64_t start = clock_us();
        struct err *err = solve_round(own, input, pool, source->trail, &solution);
        *solve_us += clock_us() - start;
        *rounds = *rounds + 1;
        bool infeasible = !err && solution.status == SOLVE_INFEASIBLE;
        bool definitive = !err && (infeasible ? !solution.needs.len : solution.status == SOLVE_OPTIMAL);
        if (!err && !definitive) {
            start = clock_us();
            err = source->supply(source->self, pool, &solution.needs);
            if (!err && !infeasible) err = propose_follow(own, input, pool, source, &solution.needs);
            *index_us += clock_us() - start;
            /* That there is no plan is certain already: a page that would only make the reason shorter may be missing.
             */
            if (err && infeasible) {
                err = NULL;
                definitive = true;
            }
        }
        if (definitive) *ret = copy_solution(arena, &solution);
        if (err) err = copy_err(arena, err);
        arena_close(own);
        if (err || definitive) return err;
    }
    return err_make(arena, ERR_LIMIT, "no answer after %d rounds of solving and fetching", PROPOSE_ROUNDS_MAX);
}

/* Requests by URL or path become exact requests of the release that was put into the pool. */
static struct err *pin_urls(struct arena *arena, const struct solve_input *input, struct pool *pool,
                            const struct source *source, struct want *ret) {
    struct want want = *input->want;
    struct request *requests = copied(arena, want.requests, want.requests_len, sizeof *requests);
    for (int32_t i = 0; i < want.requests_len; i++) {
        struct requirement *requirement = &requests[i].requirement;
        if (!requirement->url.len) continue;
        struct project_id id;
        int32_t release;
        if (!source->supply_url)
            return err_make(arena, ERR_REQUEST, "'%.*s' cannot be fetched here", FMT(requirement->text));
        TRY(source->supply_url(source->self, pool, &requests[i], &id, &release));
        const struct project *project = &pool->projects.data[id.n];
        const struct artifact_tree *tree = project->releases[release].artifact.tree;
        struct str pin = str_format(arena, "===%.*s", FMT(project->releases[release].version.text));
        TRY(specifier_set_parse(arena, pin, &requirement->specifiers));
        requirement->name = project->name;
        if (requirement->raw_name.len == 0) requirement->raw_name = project->name;
        if (!tree || tree->commit.len == 0) continue;
        /* What was asked for may move; the plan is for the commit. */
        struct requirement pinned = *requirement;
        pinned.url = project->releases[release].artifact.url;
        pinned.specifiers = (struct specifier_set){0};
        requirement->text = requirement_format(arena, &pinned);
    }
    want.requests = requests;
    *ret = want;
    return NULL;
}

/* True if the floor matters: something is, or may be, added that nobody gave a version for. */
static bool adds_something(const struct pool *pool, const struct solution *solution) {
    for (int32_t p = 0; p < solution->chosen_len; p++)
        if (pool->projects.data[p].installed < 0 && solution->chosen[p] >= 0) return true;
    return false;
}

static bool asks_for_new(const struct environment *env, const struct want *want) {
    for (int32_t i = 0; i < want->requests_len; i++)
        if (!want->requests[i].constraint && !environment_find(env, want->requests[i].requirement.name)) return true;
    return false;
}

/* What level 1 costs: the fewer locks that would do with old releases which merely state no bounds, among what was
 * fetched. Told with the command that would take them. */
static struct err *tell_freshness(struct arena *arena, const struct solve_input *given, struct pool *pool,
                                  struct plan *plan) {
    struct want want = *given->want;
    struct solve_input input = *given;
    struct arena *own;
    struct solution solution;
    if (plan->lifts_len == 0 || want.stale) return NULL;
    want.stale = true;
    input.want = &want;
    input.known_only = true;
    own = arena_open();
    struct err *err = solve_run(own, &input, pool, &solution);
    if (!err && solution.status == SOLVE_OPTIMAL && solution.lifted_len < plan->lifts_len)
        plan_tell_freshness(arena, &input, pool, &solution, plan);
    else if (!err && given->env->image_date != INT64_MIN) plan_tell_floor(arena, pool, plan);
    if (err) err = copy_err(arena, err);
    arena_close(own);
    return err;
}

/* The newest final release on or before the date, NULL: not known. */
static const struct release *floor_of(const struct project *project, int64_t date) {
    if (!project->has_dates || date == INT64_MIN) return NULL;
    for (int32_t r = project->releases_len - 1; r >= 0; r--) {
        const struct release *release = &project->releases[r];
        if (!release->bars && !release->prerelease && !release->yanked && release->uploaded <= date) return release;
    }
    return NULL;
}

/* Why what was asked for is an old release, and what would give a current one: the request is tried once more with the
 * floor as its lower bound. */
static struct err *tell_stale_request(struct arena *arena, const struct solve_input *given, struct pool *pool,
                                      const struct source *source, int32_t project, struct plan *plan) {
    struct want want = *given->want;
    struct solve_input input = *given;
    struct request *requests = copied(arena, want.requests, want.requests_len, sizeof *requests);
    const struct project *about = &pool->projects.data[project];
    const struct release *floor = floor_of(about, solve_floor_date(given->env->image_date));
    bool asked = false;
    for (int32_t i = 0; floor && i < want.requests_len; i++) {
        struct requirement *requirement = &requests[i].requirement;
        if (requests[i].constraint || requirement->specifiers.len || !str_eq(requirement->name, about->name)) continue;
        struct str bound = str_format(arena, ">=%.*s", FMT(floor->version.text));
        TRY(specifier_set_parse(arena, bound, &requirement->specifiers));
        requirement->text = requirement_format(arena, requirement);
        requests[i].line = 0; /* no file says that: a command has to */
        asked = true;
    }
    if (!asked) return NULL;
    want.requests = requests;
    input.want = &want;
    struct solution solution;
    int64_t index_us = 0, solve_us = 0;
    int32_t rounds = 0;
    TRY(propose_search(arena, &input, pool, source, &solution, &index_us, &solve_us, &rounds));
    if (solution.status != SOLVE_INFEASIBLE) return NULL;
    struct plan other = {.reason = solution.reason, .reason_len = solution.reason_len};
    TRY(propose_ways_out(arena, &input, pool, source, false, &other));
    plan_tell_stale(arena, about->name, &other, plan);
    return NULL;
}

static struct err *tell_stale_requests(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                       const struct source *source, const struct solution *solution,
                                       struct plan *plan) {
    for (int32_t i = 0; i < solution->below.len; i++)
        TRY(tell_stale_request(arena, input, pool, source, solution->below.items[i].project, plan));
    return NULL;
}

/* A source that counts what it is asked for, and the rounds and times of the search. */
struct counter {
    const struct source *inner;
    int32_t documents;
    struct trail *trail; /* NULL: none */
    int32_t rounds;
    int64_t index_us, solve_us;
};

static struct err *count_supply(void *self, struct pool *pool, const struct needs *needs) {
    struct counter *counter = self;
    counter->documents += needs->len;
    TRY(counter->inner->supply(counter->inner->self, pool, needs));
    if (counter->trail) trail_supplied(counter->trail, pool, needs);
    return NULL;
}

static struct err *count_supply_url(void *self, struct pool *pool, const struct request *request,
                                    struct project_id *ret, int32_t *ret_release) {
    struct counter *counter = self;
    counter->documents++;
    return counter->inner->supply_url(counter->inner->self, pool, request, ret, ret_release);
}

/* Searches, and once more with the image's date where something is added and it was not known. */
static struct err *search_dated(struct arena *arena, const struct solve_input *input, struct environment *env,
                                struct pool *pool, const struct source *source, bool *dated, struct solution *ret,
                                struct counter *counter) {
    TRY(propose_search(arena, input, pool, source, ret, &counter->index_us, &counter->solve_us, &counter->rounds));
    if (*dated || ret->status != SOLVE_OPTIMAL || !adds_something(pool, ret)) return NULL;
    TRY(propose_image_date(arena, env, pool, source, &env->image_date));
    *dated = true;
    return propose_search(arena, input, pool, source, ret, &counter->index_us, &counter->solve_us, &counter->rounds);
}

static struct err *plan_with(struct arena *arena, const struct solve_input *given, struct pool *pool,
                             struct counter *counter, struct plan *ret) {
    const struct source *source = &(struct source){.self = counter,
                                                   .supply = count_supply,
                                                   .supply_url = counter->inner->supply_url ? count_supply_url : NULL,
                                                   .trail = counter->trail};
    struct environment *env = arena_new(arena, struct environment, 1);
    struct want *want = arena_new(arena, struct want, 1);
    struct solve_input input = *given;
    *env = *given->env;
    int64_t start = clock_us();
    TRY(pin_urls(arena, given, pool, source, want));
    input.env = env;
    input.want = want;
    bool dated = env->image_date != INT64_MIN;
    TRY(propose_prefetch(arena, &input, pool, source, !dated));
    if (!dated && asks_for_new(env, want)) {
        TRY(propose_image_date(arena, env, pool, source, &env->image_date));
        dated = true;
    }
    counter->index_us += clock_us() - start;
    struct solution solution;
    TRY(search_dated(arena, &input, env, pool, source, &dated, &solution, counter));
    if (solution.status == SOLVE_INFEASIBLE && !want->only_binary.all && !want->builds) {
        /* Builds only where nothing else serves. */
        struct solution built;
        want->builds = true;
        TRY(search_dated(arena, &input, env, pool, source, &dated, &built, counter));
        solution = built;
        if (built.status != SOLVE_OPTIMAL) want->builds = false;
    }
    struct plan plan;
    if (solution.status == SOLVE_OPTIMAL) {
        struct check_verdict verdict;
        TRY(check_solution(arena, &input, pool, &solution, &verdict));
        plan_make(arena, &input, pool, &solution, &verdict, &plan);
        TRY(propose_hashes(arena, &plan));
        TRY(tell_freshness(arena, &input, pool, &plan));
        TRY(tell_stale_requests(arena, &input, pool, source, &solution, &plan));
        plan_tell_unreadable(arena, pool, &solution, &plan);
        plan_tell_lost_locks(arena, &input, pool, &solution, &plan);
    } else {
        plan = (struct plan){.status = PLAN_INFEASIBLE, .env = env, .locks = input.locks, .want = want};
        plan.reason = solution.reason;
        plan.reason_len = solution.reason_len;
        plan_tell_unreadable(arena, pool, NULL, &plan);
        TRY(propose_ways_out(arena, &input, pool, source, true, &plan));
        if (plan.suggestions_len == 0 && !want->only_binary.all) {
            want->builds = true;
            TRY(propose_ways_out(arena, &input, pool, source, true, &plan));
        }
    }
    plan.proof.rounds = counter->rounds;
    plan.proof.metadata_fetched = counter->documents;
    plan.index_us = counter->index_us;
    plan.solve_us = counter->solve_us;
    *ret = plan;
    return NULL;
}

struct err *propose_plan(struct arena *arena, const struct solve_input *input, struct pool *pool,
                         const struct source *source, struct plan *ret) {
    struct counter counter = {.inner = source, .trail = trail_open(arena, input, pool, source)};
    TRY(plan_with(arena, input, pool, &counter, ret));
    trail_close(counter.trail);
    return NULL;
}
