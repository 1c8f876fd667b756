#include "trial.h"

#include "reason.h"

#include "base/buf.h"
#include "stage/check.h"

#include <inttypes.h>
#include <string.h>

enum { LEVEL_NEWEST = 7, TRIES_MAX = 300000 };

/* What is wrong with the costs that the plan tells of itself, NULL: nothing. */
static const char *compare_told(const struct plan *plan, const int64_t *judged) {
    if (plan->status == PLAN_SATISFIED) return NULL; /* nothing to do: nothing was counted */
    /* The distance of a request that stays is told only where its page was needed: a lower bound. */
    for (int i = 0; i < BRUTE_LEVELS; i++) {
        int64_t told = i < plan->proof.levels_len ? plan->proof.level_costs[i] : -1;
        if (told != judged[i] && (i != LEVEL_NEWEST || told > judged[i]))
            return "the plan tells costs that are not its own";
    }
    return NULL;
}

/* True if the costs are the best in every level that the plan calls proven: those before the first that it does not, in
 * the order in which they are compared. A plan that guesses nothing proves them all. */
static bool same_proven(const struct trial *trial) {
    const struct plan_proof *proof = &trial->plan.proof;
    bool all = true;
    for (int i = 0; i < BRUTE_LEVELS; i++) {
        bool proven = i >= proof->levels_len || proof->level_proven[i];
        if (proven && trial->best[i] != trial->judged[i]) return false;
        all = all && proven;
    }
    return trial->world.guess || all;
}

static const char *compare(struct trial *trial) {
    bool found = brute_best(trial->brute, trial->best);
    struct brute *brute = trial->brute;
    if (!found && trial->builds) {
        /* Builds that the design admits only where nothing else serves. */
        brute = trial->builds;
        found = brute_best(brute, trial->best);
    }
    if (trial->plan.status == PLAN_INFEASIBLE)
        return found ? "there is a plan, and the solver says there is none" : NULL;
    if (!brute_judge(brute, &trial->plan, trial->judged)) return "the solver's plan breaks a rule";
    if (!found) return "trying everything finds no plan";
    if (!same_proven(trial)) return "the solver's plan is not the best";
    trial->unproven = trial->plan.status == PLAN_FEASIBLE && !trial->plan.proof.optimal;
    trial->guessed = trial->plan.status == PLAN_FEASIBLE && memcmp(trial->best, trial->judged, sizeof trial->best) != 0;
    return compare_told(&trial->plan, trial->judged);
}

static struct brute *small_brute(struct arena *arena, const struct world *world, const struct pool *pool) {
    struct brute *brute = brute_make(arena, world, pool);
    return brute && brute_tries(brute) <= TRIES_MAX ? brute : NULL;
}

static struct err *run_once(struct arena *arena, struct str text, bool guess, struct trial *ret) {
    *ret = (struct trial){0};
    TRY(world_parse(arena, text, S("world"), &ret->world));
    struct source source = world_source(&ret->world);
    ret->pool = pool_make(arena, &ret->world.env);
    ret->world.guess = guess;
    ret->err = propose_plan(arena, world_input(&ret->world), &ret->pool, &source, &ret->plan);
    if (ret->err) {
        ret->what = "err";
        return NULL;
    }
    if (ret->world.misuses.len) {
        ret->what = str_copy_z(arena, ret->world.misuses.data[0]);
        return NULL;
    }
    /* Where the case gives no date, propose finds one. */
    ret->world.env.image_date = ret->plan.env->image_date;
    ret->built = ret->world;
    ret->built.want.builds = true;
    ret->brute = small_brute(arena, &ret->world, &ret->pool);
    if (ret->brute && !ret->world.want.only_binary.all) ret->builds = brute_make(arena, &ret->built, &ret->pool);
    if (ret->brute) ret->what = compare(ret);
    if (!ret->what && ret->plan.status == PLAN_INFEASIBLE) ret->what = reason_check(arena, text, &ret->plan);
    return NULL;
}

struct err *trial_run(struct arena *arena, struct str text, struct trial *ret) {
    TRY(run_once(arena, text, true, ret));
    bool unproven = ret->unproven, guessed = ret->guessed;
    if (!ret->what) TRY(run_once(arena, text, false, ret));
    ret->unproven = unproven;
    ret->guessed = guessed;
    return NULL;
}

/* Fills the pool with all that the world has. */
static void supply_all(struct arena *arena, struct world *world, struct pool *pool) {
    struct source source = world_source(world);
    for (ptrdiff_t i = 0; i < world->pages.len; i++) (void)pool_project(pool, world->pages.data[i].name);
    for (int32_t i = 0; i < world->want.requests_len; i++)
        (void)pool_project(pool, world->want.requests[i].requirement.name);
    for (int wave = 0; wave < 2; wave++) {
        VEC(struct need) needs = {0};
        for (int32_t p = 0; p < (int32_t)pool->projects.len; p++) {
            const struct project *project = &pool->projects.data[p];
            if (wave == 0 && project->page == PAGE_UNKNOWN) *vec_push(arena, &needs) = (struct need){{p}, -1};
            for (int32_t r = 0; wave == 1 && r < project->releases_len; r++)
                if (project->releases[r].meta_state == META_UNKNOWN && !project->releases[r].bars)
                    *vec_push(arena, &needs) = (struct need){{p}, r};
        }
        (void)source.supply(source.self, pool, &(struct needs){needs.data, (int32_t)needs.len});
    }
}

static const char *check_draw(struct arena *arena, struct world *world, struct pool *pool, struct brute *brute,
                              uint64_t *state) {
    bool good = brute_draw(brute, state);
    struct solution solution = {.status = SOLVE_OPTIMAL, .chosen_len = (int32_t)pool->projects.len};
    int32_t *chosen = arena_new(arena, int32_t, solution.chosen_len);
    for (int32_t p = 0; p < solution.chosen_len; p++) {
        const struct version *version = brute_drawn(brute, pool->projects.data[p].name);
        chosen[p] = version ? project_find(&pool->projects.data[p], version) : -1;
        if (version && chosen[p] < 0) return "a drawn release is not in the pool";
    }
    solution.chosen = chosen;
    struct check_verdict verdict;
    struct err *err = check_solution(arena, world_input(world), pool, &solution, &verdict);
    if (good == !err) return NULL;
    struct str told = err ? err_format(arena, err) : S("nothing wrong");
    return str_copy_z(arena, str_format(arena, "the checker finds %.*s in a result that is %s\n%.*s", FMT(told),
                                        good ? "a plan" : "none", FMT(brute_drawn_format(arena, brute))));
}

const char *trial_check(struct arena *arena, struct str text, uint64_t seed, int32_t count) {
    struct world *world = arena_new(arena, struct world, 1);
    uint64_t state = seed;
    if (world_parse(arena, text, S("world"), world)) return NULL;
    struct pool pool = pool_make(arena, &world->env);
    supply_all(arena, world, &pool);
    world->want.builds = true; /* when a build is wanted is the solver's concern */
    struct brute *brute = small_brute(arena, world, &pool);
    const char *what = NULL;
    int64_t best[BRUTE_LEVELS];
    if (brute) (void)brute_best(brute, best);
    for (int32_t i = 0; brute && i < count && !what; i++) what = check_draw(arena, world, &pool, brute, &state);
    return what;
}

static void add_costs(struct buf *buf, const char *what, const int64_t *costs) {
    buf_addf(buf, "  %-8s", what);
    for (int i = 0; i < BRUTE_LEVELS; i++) buf_addf(buf, " %" PRId64, costs[i]);
    buf_add_char(buf, '\n');
}

struct str trial_format(struct arena *arena, const struct trial *trial) {
    struct buf buf = {.arena = arena};
    if (trial->err) buf_addf(&buf, "  %.*s\n", FMT(err_format(arena, trial->err)));
    if (trial->err || !trial->brute) return buf_str(&buf);
    const struct plan *plan = &trial->plan;
    add_costs(&buf, "best", trial->best);
    add_costs(&buf, "judged", trial->judged);
    if (plan->status != PLAN_INFEASIBLE) add_costs(&buf, "told", plan->proof.level_costs);
    buf_addf(&buf, "the best:\n%.*s", FMT(brute_format(arena, trial->brute)));
    for (int32_t i = 0; i < plan->changes_len; i++)
        buf_addf(&buf, "solver: %.*s %.*s -> %.*s\n", FMT(plan->changes[i].name), FMT(plan->changes[i].from),
                 FMT(plan->changes[i].to));
    for (int32_t i = 0; i < plan->reason_len; i++) buf_addf(&buf, "because: %.*s\n", FMT(plan->reason[i].sentence));
    return buf_str(&buf);
}
