/*
 * run_cases - plans every case file in-process on its made-up world and compares what comes out with what it expects.
 *
 *     run_cases [--update] [--costs] FILE-OR-DIRECTORY…
 *
 * --update writes what came out into the file (look at the difference before committing it); --costs prints the levels
 * of the objective. Each plan is also dumped as a case, read back and planned again: it must come out the same.
 * The last line is "N passed, N failed". Exit status 0: all passed.
 */
#include "world.h"

#include "base/buf.h"
#include "stage/dump.h"
#include "stage/report.h"

#include <stdio.h>
#include <string.h>

enum { CASE_MAX_SIZE = 8 << 20 };

struct options {
    bool update, costs;
};

/* One case while it runs. */
struct trial {
    struct arena *arena;
    struct str path;
    struct world world;
    struct pool pool;
    struct plan plan;
    struct err *err;
    struct buf complaints; /* lines for people; empty: passed */
};

static struct str first_word(struct str line) {
    ptrdiff_t at = str_find_char(line, ' ');
    return at < 0 ? line : str_slice(line, 0, at);
}

static bool word_in(struct str word, const char *const *words) {
    for (; *words; words++)
        if (str_eq(word, str_of(*words))) return true;
    return false;
}

/* Lines that ask for something instead of showing a line of the plan. */
static bool is_directive(struct str line) {
    static const char *const words[] = {"cost", "documents", "warn", "none", "rounds", "unproven", "last", NULL};
    return word_in(first_word(line), words);
}

/* Lines that a case may leave out as a whole: then they are not compared. */
static bool is_optional(struct str line) {
    static const char *const words[] = {"break-before", "break-fixed", "suggest", NULL};
    return word_in(first_word(line), words);
}

/* Facts and breaks may be told in part: "because held torch" for "because held torch 2.7.0a0: …". */
static bool line_matches(struct str expected, struct str actual) {
    static const char *const words[] = {"because", "break-before", "break-fixed", NULL};
    if (str_eq(expected, actual)) return true;
    if (!word_in(first_word(expected), words) || !str_starts(actual, expected)) return false;
    return actual.data[expected.len] == ' ' || actual.data[expected.len] == ':';
}

static bool expects_class(const struct world *world, struct str word) {
    for (ptrdiff_t i = 0; i < world->expects.len; i++)
        if (str_eq(first_word(world->expects.data[i].text), word)) return true;
    return false;
}

static struct str actual_text(struct trial *trial) {
    if (!trial->err) return dump_expect(trial->arena, &trial->plan);
    return str_format(trial->arena, "expect: error %.*s\n", FMT(err_name(trial->err->kind)));
}

static void compare_lines(struct trial *trial, struct str actual) {
    const struct world *world = &trial->world;
    struct str rest = actual, line;
    bool *used = arena_new(trial->arena, bool, world->expects.len);
    (void)str_line(&rest, &line);
    if (!str_eq(str_trim(str_from(line, 7)), world->expect))
        buf_addf(&trial->complaints, "    expected %.*s, came out %.*s\n", FMT(world->expect), FMT(str_from(line, 8)));
    while (str_line(&rest, &line)) {
        line = str_trim(line);
        bool found = is_optional(line) && !expects_class(world, first_word(line));
        for (ptrdiff_t i = 0; i < world->expects.len && !found; i++)
            if (!used[i] && line_matches(world->expects.data[i].text, line)) found = used[i] = true;
        if (!found) buf_addf(&trial->complaints, "  + %.*s\n", FMT(line));
    }
    for (ptrdiff_t i = 0; i < world->expects.len; i++)
        if (!used[i] && !is_directive(world->expects.data[i].text))
            buf_addf(&trial->complaints, "  - %.*s\n", FMT(world->expects.data[i].text));
}

static bool has_warning(const struct plan *plan, struct str text) {
    for (int32_t i = 0; i < plan->warnings_len; i++)
        if (str_find(plan->warnings[i], text) >= 0) return true;
    return false;
}

static bool cost_is(const struct plan *plan, struct str text) {
    ptrdiff_t at = str_find_last(text, ' ');
    int64_t value;
    if (at < 0 || !str_to_int(str_from(text, at + 1), &value)) return false;
    for (int32_t i = 0; i < plan->proof.levels_len; i++)
        if (str_eq(plan->proof.level_names[i], str_slice(text, 0, at))) return plan->proof.level_costs[i] == value;
    return false;
}

/* True if the first level that the plan does not call proven is this one. */
static bool first_unproven(const struct plan *plan, struct str level) {
    for (int32_t i = 0; i < plan->proof.levels_len; i++)
        if (!plan->proof.level_proven[i]) return str_eq(plan->proof.level_names[i], level);
    return false;
}

/* True if the last way out says this text. */
static bool last_way_says(const struct plan *plan, struct str text) {
    return plan->suggestions_len > 0 && str_find(plan->suggestions[plan->suggestions_len - 1].text, text) >= 0;
}

/* "documents <= 12", "cost lifts 2", "warn TEXT", "last TEXT", "none suggest". */
static bool directive_holds(const struct trial *trial, struct str line, struct str actual) {
    struct str word = first_word(line), value = str_trim(str_from(line, word.len));
    int64_t number = 0;
    if (str_eq(word, S("cost"))) return cost_is(&trial->plan, value);
    if (str_eq(word, S("unproven"))) return first_unproven(&trial->plan, value);
    if (str_eq(word, S("last"))) return last_way_says(&trial->plan, value);
    if (str_eq(word, S("warn"))) return has_warning(&trial->plan, value);
    if (str_eq(word, S("none")))
        return str_eq(value, S("warn")) ? trial->plan.warnings_len == 0
                                        : str_find(actual, str_format(trial->arena, "  %.*s ", FMT(value))) < 0;
    if (!str_starts(value, S("<= ")) || !str_to_int(str_from(value, 3), &number)) return false;
    return (str_eq(word, S("documents")) ? trial->world.documents : trial->world.rounds) <= number;
}

static void compare_directives(struct trial *trial, struct str actual) {
    for (ptrdiff_t i = 0; i < trial->world.expects.len; i++) {
        struct str line = trial->world.expects.data[i].text;
        if (is_directive(line) && !directive_holds(trial, line, actual))
            buf_addf(&trial->complaints, "    does not hold: %.*s (documents %d, rounds %d)\n", FMT(line),
                     trial->world.documents, trial->world.rounds);
    }
}

/* What one run keeps for the next: the bytes of the last trail. */
struct memory {
    struct source world;
    struct arena *arena;
    uint64_t key;
    struct str bytes;
    int32_t kept; /* how often */
};

static struct err *memory_supply(void *self, struct pool *pool, const struct needs *needs) {
    struct memory *memory = self;
    return memory->world.supply(memory->world.self, pool, needs);
}

static bool memory_recall(void *self, struct arena *arena, uint64_t key, int64_t limit, struct str *ret) {
    struct memory *memory = self;
    if (memory->key != key || !memory->bytes.len || memory->bytes.len > limit) return false;
    *ret = str_copy(arena, memory->bytes);
    return true;
}

static void memory_keep(void *self, uint64_t key, struct str bytes) {
    struct memory *memory = self;
    memory->kept++;
    memory->key = key;
    memory->bytes = str_copy(memory->arena, bytes);
}

static void plan_world_with(struct trial *trial, struct memory *memory) {
    const struct solve_input *input = world_input(&trial->world);
    memory->world = world_source(&trial->world);
    struct source source = {.self = memory, .supply = memory_supply, .recall = memory_recall, .keep = memory_keep};
    trial->pool = pool_make(trial->arena, &trial->world.env);
    trial->err = propose_plan(trial->arena, input, &trial->pool, &source, &trial->plan);
    for (ptrdiff_t i = 0; i < trial->world.misuses.len; i++)
        buf_addf(&trial->complaints, "    misuse of the source: %.*s\n", FMT(trial->world.misuses.data[i]));
    if (!trial->err && trial->plan.status == PLAN_FEASIBLE && !trial->plan.proof.optimal && !trial->world.guess)
        buf_addf(&trial->complaints, "    not proven\n");
}

static void plan_world(struct trial *trial) {
    struct memory memory = {.arena = trial->arena};
    plan_world_with(trial, &memory);
}

/* The plan as the program tells it, but for the clock. */
static struct str told(struct trial *trial, const struct plan *plan) {
    struct report_extra extra = {.command = S("plan")};
    struct plan still = *plan;
    still.index_us = still.solve_us = 0;
    return report_plan_json(trial->arena, &still, &extra);
}

/* A run that finds the trail of the one before gives the same plan from the same documents, byte for byte, and has
 * nothing to add to it. A trail of other steps than the search takes is no harm. */
static void compare_trails(struct trial *trial, struct str text) {
    struct trial runs[3] = {0};
    struct memory memory = {.arena = trial->arena};
    int32_t kept = 0;
    for (int i = 0; i < 3; i++) {
        runs[i] = (struct trial){.arena = trial->arena, .complaints = {.arena = trial->arena}};
        struct err *err = world_parse(trial->arena, text, trial->path, &runs[i].world);
        if (!err) plan_world_with(&runs[i], &memory);
        if (err || runs[i].err || runs[i].complaints.len) {
            buf_addf(&trial->complaints, "    run %d for its trail fails\n", i);
            return;
        }
        if (i == 0) {
            kept = memory.kept;
            continue;
        }
        if (i == 1 && memory.kept > kept) buf_addf(&trial->complaints, "    a search that was on its trail left it\n");
        if (!str_eq(told(trial, &runs[0].plan), told(trial, &runs[i].plan)))
            buf_addf(&trial->complaints, "    with a trail it comes out otherwise (%d)\n", i);
        if (i == 1 && runs[0].world.documents != runs[1].world.documents)
            buf_addf(&trial->complaints, "    with a trail it asks for other documents\n");
        memory.bytes = str_slice(memory.bytes, 0, memory.bytes.len * 2 / 3);
    }
}

/* What guesses may change comes after the changes: as many locks lifted, and the same plan where all is proven. */
static void compare_guess(struct trial *trial, struct str text, struct str actual) {
    enum { EXACT_LEVELS = 5 };
    struct trial guess = {.arena = trial->arena, .path = trial->path, .complaints = {.arena = trial->arena}};
    if (world_parse(trial->arena, text, trial->path, &guess.world)) return;
    guess.world.guess = true;
    plan_world(&guess);
    if (guess.world.misuses.len) return; /* a recorded world has what a plan without guesses needs */
    bool exact = !guess.err && guess.plan.status == trial->plan.status;
    for (int32_t i = 0; exact && i < guess.plan.proof.levels_len; i++) {
        bool claimed = i < EXACT_LEVELS || (guess.plan.proof.optimal && i < trial->plan.proof.levels_len);
        exact = !claimed || guess.plan.proof.level_costs[i] == trial->plan.proof.level_costs[i];
    }
    if (!exact) buf_addf(&trial->complaints, "    with guesses it costs otherwise:\n%.*s", FMT(actual_text(&guess)));
    else if (guess.plan.proof.optimal && guess.plan.status != PLAN_INFEASIBLE && !str_eq(actual, actual_text(&guess)))
        buf_addf(&trial->complaints, "    with guesses it comes out otherwise:\n%.*s", FMT(actual_text(&guess)));
}

/* What was dumped must read back and come out the same, without asking for more than was recorded. */
static void compare_replay(struct trial *trial, struct str actual) {
    struct trial again = {.arena = trial->arena, .complaints = {.arena = trial->arena}};
    struct str text = dump_case(trial->arena, &trial->world.input, &trial->pool, &trial->plan, trial->world.title);
    struct err *err = world_parse(trial->arena, text, S("dump"), &again.world);
    if (err) {
        buf_addf(&trial->complaints, "    its dump cannot be read: %.*s\n%.*s", FMT(err_format(trial->arena, err)),
                 FMT(text));
        return;
    }
    plan_world(&again);
    buf_add(&trial->complaints, buf_str(&again.complaints));
    struct str second = actual_text(&again);
    if (!str_eq(actual, second)) buf_addf(&trial->complaints, "    its dump comes out otherwise:\n%.*s", FMT(second));
}

static void print_costs(const struct trial *trial) {
    (void)printf("%.*s: documents %d, rounds %d", FMT(trial->path), trial->world.documents, trial->world.rounds);
    for (int32_t i = 0; !trial->err && i < trial->plan.proof.levels_len; i++)
        (void)printf(", %.*s %lld", FMT(trial->plan.proof.level_names[i]), (long long)trial->plan.proof.level_costs[i]);
    (void)printf("\n");
    for (int32_t i = 0; !trial->err && i < trial->plan.warnings_len; i++)
        (void)printf("    warns: %.*s\n", FMT(trial->plan.warnings[i]));
}

static bool update(struct trial *trial, struct str text, struct str actual) {
    FILE *file = fopen(str_copy_z(trial->arena, trial->path), "wb");
    if (!file) return false;
    struct buf buf = {.arena = trial->arena};
    buf_add(&buf, str_slice(text, 0, trial->world.expect_from));
    buf_add(&buf, actual);
    for (ptrdiff_t i = 0; i < trial->world.expects.len; i++)
        if (is_directive(trial->world.expects.data[i].text))
            buf_addf(&buf, "  %.*s\n", FMT(trial->world.expects.data[i].text));
    bool done = fwrite(buf.data, 1, (size_t)buf.len, file) == (size_t)buf.len;
    return fclose(file) == 0 && done;
}

static bool run_case(struct str path, const struct options *options) {
    struct arena *arena = arena_open();
    struct trial trial = {.arena = arena, .path = path, .complaints = {.arena = arena}};
    struct str text;
    struct err *err = fs_read(fs_real(), arena, path, CASE_MAX_SIZE, &text);
    if (!err) err = world_parse(arena, text, path, &trial.world);
    if (err) {
        (void)printf("%.*s\n", FMT(err_format(arena, err)));
        arena_close(arena);
        return false;
    }
    plan_world(&trial);
    struct str actual = actual_text(&trial);
    if (options->update && !update(&trial, text, actual)) buf_addf(&trial.complaints, "    cannot be written\n");
    if (!options->update) {
        compare_lines(&trial, actual);
        compare_directives(&trial, actual);
    }
    if (trial.err) {
        if (trial.complaints.len) buf_addf(&trial.complaints, "    err: %.*s\n", FMT(err_format(arena, trial.err)));
    } else {
        compare_replay(&trial, actual);
        compare_trails(&trial, text);
        if (!trial.world.guess) compare_guess(&trial, text, actual);
    }
    if (options->costs) print_costs(&trial);
    bool passed = trial.complaints.len == 0;
    if (!passed) (void)printf("%.*s: %.*s\n%.*s", FMT(path), FMT(trial.world.title), FMT(buf_str(&trial.complaints)));
    arena_close(arena);
    return passed;
}

/* Files ending in ".case" of a directory, or the file itself. */
static void run_path(struct arena *arena, struct str path, const struct options *options, int *passed, int *failed) {
    struct fs_stat stat;
    struct str *names;
    int32_t len;
    struct err *err = fs_stat(fs_real(), arena, path, true, &stat);
    if (!err && stat.is_dir) {
        err = fs_list(fs_real(), arena, path, &names, &len);
        for (int32_t i = 0; !err && i < len; i++)
            if (str_ends(names[i], S(".case")))
                run_path(arena, path_join(arena, path, names[i]), options, passed, failed);
        if (err) ++*failed;
        return;
    }
    if (err || !run_case(path, options)) ++*failed;
    else ++*passed;
}

int main(int argc, char **argv) {
    struct arena *arena = arena_open();
    struct options options = {0};
    int passed = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--update") == 0) options.update = true;
        else if (strcmp(argv[i], "--costs") == 0) options.costs = true;
        else run_path(arena, str_of(argv[i]), &options, &passed, &failed);
    }
    (void)printf("%d passed, %d failed\n", passed, failed);
    arena_close(arena);
    return failed > 0;
}
