/*
 * oracle - plans random small worlds and compares each with the best plan that trying everything finds.
 *
 *     oracle [--count N] [--seed S] [--projects N] [--versions N] [--show] [--failures N]
 *
 * A world is given by its seed: `oracle --seed S --count 1 --show` prints one, as a case. The last line is
 * "N passed, N failed". Exit status 0: all agreed.
 */
#include "brute.h"
#include "gen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVEL_NEWEST = 7 };

struct options {
    uint64_t seed;
    int64_t count, failures;
    int32_t projects, versions;
    bool show;
};

static void print_costs(const char *what, const int64_t *costs) {
    (void)printf("  %-10s", what);
    for (int i = 0; i < BRUTE_LEVELS; i++) (void)printf(" %" PRId64, costs[i]);
    (void)printf("\n");
}

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

/* Levels that are proven. Those from the newest on are told of releases that were looked at; others between two that
 * are the same are taken to be the same (with --upgrade the newest comes earlier and is proven). */
static bool same_proven(const struct world *world, const int64_t *a, const int64_t *b) {
    int proven = LEVEL_NEWEST + world->want.upgrade;
    return memcmp(a, b, (size_t)proven * sizeof *a) == 0;
}

/* What is wrong with the plan, NULL: nothing. `plain` is the oracle of the world with builds only where the design
 * admits them at once, `builds` with all of them: what is asked where the first finds nothing. */
static const char *compare(const struct world *world, struct brute *plain, struct brute *builds,
                           const struct plan *plan, int64_t *best, int64_t *judged) {
    bool found = brute_best(plain, best);
    struct brute *brute = plain;
    if (!found && builds) {
        brute = builds;
        found = brute_best(builds, best);
    }
    if (plan->status == PLAN_INFEASIBLE) return found ? "there is a plan, and the solver says there is none" : NULL;
    if (!brute_judge(brute, plan, judged)) return "the solver's plan breaks a rule";
    if (!found) return "trying everything finds no plan";
    if (!same_proven(world, best, judged)) return "the solver's plan is not the best";
    return compare_told(plan, judged);
}

static void complain(struct arena *arena, const char *what, uint64_t seed, struct str text) {
    (void)printf("seed %" PRIu64 ": %s\n%.*s", seed, what, FMT(text));
    (void)arena;
}

/* `*guessed` counts plans that are not the best in a level that is not proven. */
static bool run_world(uint64_t seed, const struct options *options, int64_t *guessed) {
    struct arena *arena = arena_open();
    struct gen gen = {.state = seed, .projects_max = options->projects, .versions_max = options->versions};
    struct str text = gen_case(arena, &gen);
    struct world world;
    struct plan plan = {0};
    int64_t best[BRUTE_LEVELS] = {0}, judged[BRUTE_LEVELS] = {0};
    struct err *err = world_parse(arena, text, S("world"), &world);
    if (options->show) (void)printf("%.*s", FMT(text));
    const char *what = NULL;
    struct world built;
    struct brute *brute = NULL, *builds = NULL;
    if (!err) {
        struct pool pool = pool_make(arena, &world.env);
        struct source source = world_source(&world);
        err = propose_plan(arena, world_input(&world), &pool, &source, &plan);
        /* Where the case gives no date, propose finds one. */
        if (!err) world.env.image_date = plan.env->image_date;
        brute = brute_make(arena, &world, &pool);
        if (!world.want.only_binary) {
            built = world;
            built.want.builds = true;
            builds = brute_make(arena, &built, &pool);
        }
    }
    if (err) what = "err";
    else if (world.misuses.len) what = str_copy_z(arena, world.misuses.data[0]);
    else if (brute) what = compare(&world, brute, builds, &plan, best, judged);
    if (what) {
        complain(arena, what, seed, text);
        if (err) (void)printf("  %.*s\n", FMT(err_format(arena, err)));
        print_costs("best", best);
        print_costs("judged", judged);
        if (!err && plan.status != PLAN_INFEASIBLE) print_costs("told", plan.proof.level_costs);
        if (brute && brute_best(brute, best)) (void)printf("the best:\n%.*s", FMT(brute_format(arena, brute)));
        for (int32_t i = 0; !err && i < plan.changes_len; i++)
            (void)printf("solver: %.*s %.*s -> %.*s\n", FMT(plan.changes[i].name), FMT(plan.changes[i].from),
                         FMT(plan.changes[i].to));
        for (int32_t i = 0; !err && i < plan.reason_len; i++)
            (void)printf("because: %.*s\n", FMT(plan.reason[i].sentence));
    }
    if (!what && plan.status == PLAN_FEASIBLE && memcmp(best, judged, sizeof best) != 0) ++*guessed;
    arena_close(arena);
    return !what;
}

static bool read_options(int argc, char **argv, struct options *ret) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--show") == 0) {
            ret->show = true;
            continue;
        }
        if (i + 1 == argc) return false;
        int64_t value = strtoll(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--count") == 0) ret->count = value;
        else if (strcmp(argv[i], "--seed") == 0) ret->seed = (uint64_t)value;
        else if (strcmp(argv[i], "--failures") == 0) ret->failures = value;
        else if (strcmp(argv[i], "--projects") == 0) ret->projects = (int32_t)value;
        else if (strcmp(argv[i], "--versions") == 0) ret->versions = (int32_t)value;
        else return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv) {
    struct options options = {.seed = 1, .count = 2000, .failures = 3, .projects = 6, .versions = 4};
    int64_t passed = 0, failed = 0, guessed = 0;
    if (!read_options(argc, argv, &options)) return 2;
    for (int64_t i = 0; i < options.count && failed < options.failures; i++) {
        if (run_world(options.seed + (uint64_t)i, &options, &guessed)) passed++;
        else failed++;
    }
    if (guessed) (void)printf("%" PRId64 " of them not the best in a level that is not proven\n", guessed);
    (void)printf("%" PRId64 " passed, %" PRId64 " failed\n", passed, failed);
    return failed > 0;
}
