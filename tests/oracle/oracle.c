/*
 * oracle - plans random small worlds and compares each with the best plan that trying everything finds.
 *
 *     oracle [--count N] [--seed S] [--projects N] [--versions N] [--show] [--failures N]
 *     oracle --case FILE
 *
 * The reason of an infeasible one is taken apart, fact by fact (reason.h). A file is a case; where it is too large to
 * try everything, its reason is looked at all the same. A world is given by its seed: `oracle --seed S --count 1
 * --show` prints one, as a case. The last line is "N passed, N failed". Exit status 0: all agreed.
 */
#include "gen.h"
#include "trial.h"

#include "os/fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DRAWS = 20, /* results of each world that the checker is asked of */
    CASE_MAX_SIZE = 64 << 20,
};

struct options {
    uint64_t seed;
    int64_t count, failures;
    int32_t projects, versions;
    bool show;
    const char *file; /* NULL: random worlds */
};

struct tally {
    int64_t passed, failed;
    int64_t unproven; /* plans that leave a level unproven */
    int64_t guessed;  /* plans that are not the best in a level that is not proven */
    int64_t reasons;  /* infeasible worlds, whose reasons were taken apart */
};

static bool run_world(uint64_t seed, const struct options *options, struct tally *tally) {
    struct arena *arena = arena_open();
    struct gen gen = {.state = seed, .projects_max = options->projects, .versions_max = options->versions};
    struct str text = {NULL, 0};
    if (!options->file) text = gen_case(arena, &gen);
    else if (fs_read(fs_real(), arena, str_of(options->file), CASE_MAX_SIZE, &text)) text = S("unreadable");
    struct trial trial;
    if (options->show) (void)printf("%.*s", FMT(text));
    struct err *err = trial_run(arena, text, &trial);
    const char *what = err ? "no case" : trial.what;
    if (!what) what = trial_check(arena, text, seed, DRAWS);
    if (what && !options->file) (void)printf("seed %" PRIu64 ": %s\n%.*s", seed, what, FMT(text));
    else if (what) (void)printf("%s: %s\n", options->file, what);
    if (err) (void)printf("  %.*s\n", FMT(err_format(arena, err)));
    else if (trial.what) (void)printf("%.*s", FMT(trial_format(arena, &trial)));
    tally->unproven += !err && trial.unproven;
    tally->guessed += !err && trial.guessed;
    tally->reasons += !err && !trial.err && trial.plan.status == PLAN_INFEASIBLE;
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
        if (strcmp(argv[i], "--case") == 0) {
            ret->file = argv[i + 1];
            ret->count = 1;
        } else if (strcmp(argv[i], "--count") == 0) ret->count = value;
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
    struct tally tally = {0};
    if (!read_options(argc, argv, &options)) return 2;
    for (int64_t i = 0; i < options.count && tally.failed < options.failures; i++) {
        if (run_world(options.seed + (uint64_t)i, &options, &tally)) tally.passed++;
        else tally.failed++;
    }
    (void)printf("%" PRId64 " of them not proven in every level, %" PRId64 " of these not the best\n", tally.unproven,
                 tally.guessed);
    (void)printf("%" PRId64 " of them impossible, their reasons taken apart\n", tally.reasons);
    (void)printf("%" PRId64 " passed, %" PRId64 " failed\n", tally.passed, tally.failed);
    return tally.failed > 0;
}
