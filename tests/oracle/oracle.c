/*
 * oracle - plans random small worlds and compares each with the best plan that trying everything finds.
 *
 *     oracle [--count N] [--seed S] [--projects N] [--versions N] [--show] [--failures N]
 *
 * A world is given by its seed: `oracle --seed S --count 1 --show` prints one, as a case. The last line is
 * "N passed, N failed". Exit status 0: all agreed.
 */
#include "gen.h"
#include "trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 20 }; /* results of each world that the checker is asked of */

struct options {
    uint64_t seed;
    int64_t count, failures;
    int32_t projects, versions;
    bool show;
};

/* `*guessed` counts plans that are not the best in a level that is not proven. */
static bool run_world(uint64_t seed, const struct options *options, int64_t *guessed) {
    struct arena *arena = arena_open();
    struct gen gen = {.state = seed, .projects_max = options->projects, .versions_max = options->versions};
    struct str text = gen_case(arena, &gen);
    struct trial trial;
    if (options->show) (void)printf("%.*s", FMT(text));
    struct err *err = trial_run(arena, text, &trial);
    const char *what = err ? "no case" : trial.what;
    if (!what) what = trial_check(arena, text, seed, DRAWS);
    if (what) (void)printf("seed %" PRIu64 ": %s\n%.*s", seed, what, FMT(text));
    if (err) (void)printf("  %.*s\n", FMT(err_format(arena, err)));
    else if (trial.what) (void)printf("%.*s", FMT(trial_format(arena, &trial)));
    *guessed += !err && trial.guessed;
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
