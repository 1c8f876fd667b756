/*
 * torture - a transaction killed, starved and cut off at every call to the file system.
 *
 *   torture DIR [--bin DIR] [--lock FILE] [--overlay OPTIONS] [--scenario NAME]
 *               [--kills N] [--doubles N] [--errors N] [--meddles N] [--step NAME]
 *
 * DIR must be made for this: everything in it is removed. One point of N is tried (default 1; of double kills 40; 0:
 * none). --step does one thing and ends: lower (the lower directory of an overlay), reset (the old tree), remount (an
 * overlay as it was left), run, undo, recover (with all syncs), look (prints the tree), judge (recovers, prints the
 * tree and, after a line `--`, what is left behind).
 */
#include "points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DOUBLES = 40 };

/* Arenas that a kill leaves behind are closed by us; digest contexts of libcrypto cannot be. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

static void scenario_run(struct run *run, int scenario) {
    struct truth truth = {.arena = arena_open()}, back = {.arena = truth.arena, .exact_after = true};
    struct act act = {.world = run->world, .scenario = scenario};
    struct act undo = {.world = run->world, .scenario = scenario, .undo = "1"};
    points_measure(run, &act, &truth);
    points_measure(run, &undo, &back);
    points_order(run, &act);
    points_order(run, &undo);
    points_kill(run, &act, &truth);
    points_kill(run, &undo, &back);
    points_back(run, &act, &truth);
    points_back(run, &undo, &back);
    points_crowded(run, &act, &truth);
    points_crowded(run, &undo, &back);
    points_lie(run, &act, &truth);
    points_meddle(run, &act, &truth);
    points_stranger(run, &act, &truth);
    points_error(run, &act, &truth);
    points_error(run, &undo, &back);
    arena_close(truth.arena);
}

static int scenario_find(const char *name) {
    for (int i = 0; i < SCENARIOS; i++)
        if (name && strcmp(name, scenario_names[i]) == 0) return i;
    return -1;
}

/* One step with all its syncs, for tests that cut the power under it. */
static int step(const struct world *world, const char *name, int scenario) {
    struct arena *arena = arena_open();
    struct transaction_result result;
    struct world_texts texts;
    struct err *err = NULL;
    int status = 0;
    if (strcmp(name, "lower") == 0) world_lower(world);
    else if (strcmp(name, "reset") == 0) world_reset(world);
    else if (strcmp(name, "run") == 0) err = world_run(arena, world, NULL, scenario, &result);
    else if (strcmp(name, "undo") == 0) err = world_undo(arena, world, NULL, S("1"));
    else if (strcmp(name, "remount") == 0) world_remount(world);
    else if (strcmp(name, "recover") == 0 || strcmp(name, "judge") == 0) err = world_recover(arena, world, NULL);
    else if (strcmp(name, "look") != 0) status = 2;
    if (!err && (strcmp(name, "look") == 0 || strcmp(name, "judge") == 0)) {
        world_look(arena, world, &texts);
        (void)fwrite(texts.loose.data, 1, (size_t)texts.loose.len, stdout);
    }
    if (!err && strcmp(name, "judge") == 0) (void)printf("--\n%.*s", FMT(world_litter(arena, world)));
    if (err) (void)fprintf(stderr, "torture: %.*s\n", FMT(err_format(arena, err)));
    if (err) status = err->kind == ERR_RECOVER ? 6 : 1;
    arena_close(arena);
    return status;
}

struct options {
    const char *step;
    int scenario;
    char site[WORLD_PATH_MAX], bin[WORLD_PATH_MAX], lock[WORLD_PATH_MAX];
};

/* False: an unknown one. */
static bool option(struct options *options, struct world *world, struct run *run, const char *name, const char *value) {
    const struct {
        const char *name;
        int64_t *number;
    } numbers[] = {{"--kills", &run->kills},
                   {"--doubles", &run->doubles},
                   {"--errors", &run->errors},
                   {"--meddles", &run->meddles}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].number = atoll(value);
            return true;
        }
    if (strcmp(name, "--bin") == 0) world->bin = run->other = value;
    else if (strcmp(name, "--lock") == 0) world->lock = value;
    else if (strcmp(name, "--overlay") == 0) world->overlay = value;
    else if (strcmp(name, "--step") == 0) options->step = value;
    else if (strcmp(name, "--scenario") == 0 && scenario_find(value) >= 0) options->scenario = scenario_find(value);
    else return false;
    return true;
}

static int report(const struct run *run) {
    int64_t points = 0, sum = 0;
    for (int i = 0; i < TALLIES; i++) {
        (void)printf("  %-20s %8lld points, %lld bad\n", tally_names[i], (long long)run->points[i],
                     (long long)run->bad[i]);
        points += run->points[i];
        sum += run->bad[i];
    }
    (void)printf("%lld points, %lld bad\n", (long long)points, (long long)sum);
    return sum ? 1 : 0;
}

int main(int argc, char **argv) {
    struct world world = {0};
    struct run run = {.world = &world, .kills = 1, .doubles = DOUBLES, .errors = 1, .meddles = 1, .random = 42};
    struct options options = {.scenario = -1};
    bool ok = argc >= 2 && argv[1][0] == '/' && argc % 2 == 0;
    world.dir = ok ? argv[1] : "";
    (void)snprintf(options.site, sizeof options.site, "%s/site", world.dir);
    (void)snprintf(options.bin, sizeof options.bin, "%s/bin", world.dir);
    (void)snprintf(options.lock, sizeof options.lock, "%s/etc/constraint.txt", world.dir);
    world.site = options.site;
    world.bin = options.bin;
    world.lock = options.lock;
    for (int i = 2; ok && i < argc; i += 2) ok = option(&options, &world, &run, argv[i], argv[i + 1]);
    if (!ok) {
        (void)fprintf(stderr, "usage: torture /DIR [--bin DIR] [--lock FILE] [--overlay OPTIONS] [--scenario NAME]\n"
                              "  [--kills N] [--doubles N] [--errors N] [--meddles N] [--step NAME]\n");
        return 2;
    }
    (void)umask(022);
    if (options.step) return step(&world, options.step, options.scenario < 0 ? 0 : options.scenario);
    for (int i = 0; i < SCENARIOS; i++)
        if (options.scenario < 0 || options.scenario == i) scenario_run(&run, i);
    return report(&run);
}
