#include "stage/apply_parts.h"

#include "base/map.h"
#include "os/workers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OUTPUT_MAX = 4 << 20,
    ENV_MAX = 4096,
    MESSAGE_MAX = 400,
    IMPORT_ALONE_MAX = 2 << 20, /* bytes of Python for which a second interpreter does not pay */
    IMPORT_AGAIN_MAX = 16,      /* modules of a group that are tried again by themselves */
};

/* Says how each module imports; an ImportError that was raised by hand (it names no module) lacks what the one that it
 * was raised for lacks. The current directory is not searched, and no bytecode is written: the tree must stay as the
 * transaction left it. */
static const char script[] =
    "import sys, importlib\n"
    "if sys.path and sys.path[0] == '': del sys.path[0]\n"
    "wrong = (ImportError, SyntaxError, AttributeError, NameError, TypeError)\n"
    "out = sys.stdout\n"
    "def say(what, name, text=''):\n"
    "    text = ' '.join(str(text).split())[:300]\n"
    "    out.write('\\nunpin-import %s %s %s\\n' % (what, name, text.encode('ascii', 'backslashreplace').decode()))\n"
    "    out.flush()\n"
    "def lacking(e):\n"
    "    for _ in range(9):\n"
    "        if isinstance(e, ModuleNotFoundError): return e.name if e.name and '.' not in e.name else None\n"
    "        if not isinstance(e, ImportError) or e.name: return None\n"
    "        e = e.__cause__ or e.__context__\n"
    "for name in sys.argv[1:]:\n"
    "    say('try', name)\n"
    "    try:\n"
    "        importlib.import_module(name)\n"
    "    except wrong as e:\n"
    "        text, lack = '%s: %s' % (type(e).__name__, e), lacking(e)\n"
    "        if lack: say('lacks', name, lack + ' ' + text)\n"
    "        else: say('wrong', name, text)\n"
    "    except BaseException as e:\n"
    "        say('raised', name, type(e).__name__ + ': ' + str(e))\n"
    "    else:\n"
    "        say('ok', name)\n"
    "import os\n"
    "os._exit(0)\n";

bool import_wanted(struct str module) {
    static const struct str others[] = {S_INIT("test"),       S_INIT("tests"), S_INIT("testing"),  S_INIT("docs"),
                                        S_INIT("benchmarks"), S_INIT("setup"), S_INIT("examples"), S_INIT("conftest")};
    if (module.len == 0 || module.len > 200 || !char_is_alpha(module.data[0])) return false;
    for (ptrdiff_t i = 0; i < module.len; i++)
        if (!char_is_alnum(module.data[i]) && module.data[i] != '_') return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (str_eq(module, others[i])) return false;
    return true;
}

static int32_t check_find(const struct import_check *checks, int32_t len, struct str module) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(checks[i].module, module)) return i;
    return -1;
}

/* Takes the lines of the script from `output`; gives the module that was tried last and did not come back, or -1. */
static int32_t outcomes_read(struct arena *arena, struct str output, struct import_check *checks, int32_t len,
                             bool *told) {
    struct str line;
    int32_t open = -1;
    while (str_line(&output, &line)) {
        if (!str_starts(line, S("unpin-import "))) continue;
        line = str_from(line, 13);
        struct str what = str_cut(&line, ' '), name = str_cut(&line, ' ');
        int32_t i = check_find(checks, len, name);
        if (i < 0) continue;
        open = str_eq(what, S("try")) ? i : -1;
        if (open >= 0) continue;
        told[i] = true;
        bool lacks = str_eq(what, S("lacks"));
        if (lacks) checks[i].lacks = str_copy(arena, str_slice(str_cut(&line, ' '), 0, MESSAGE_MAX));
        checks[i].outcome = str_eq(what, S("ok"))               ? IMPORT_OK
                            : lacks || str_eq(what, S("wrong")) ? IMPORT_FAILED
                                                                : IMPORT_RAISED;
        checks[i].message = str_copy(arena, str_slice(line, 0, MESSAGE_MAX));
    }
    return open;
}

/* One process for the modules that nothing is known of yet; sets the outcome of one at least. */
static struct err *imports_round(struct arena *arena, const struct apply_input *input, struct import_check *checks,
                                 int32_t len, bool *told) {
    VEC(struct str) argv = {0};
    VEC(struct str) env = {0};
    struct proc_result result;
    *vec_push(arena, &argv) = input->plan->env->python;
    *vec_push(arena, &argv) = S("-B");
    *vec_push(arena, &argv) = S("-c");
    *vec_push(arena, &argv) = str_of(script);
    int32_t first = -1;
    for (int32_t i = 0; i < len; i++) {
        if (told[i]) continue;
        if (first < 0) first = i;
        *vec_push(arena, &argv) = checks[i].module;
    }
    for (char **variable = environ; *variable && env.len < ENV_MAX; variable++)
        *vec_push(arena, &env) = str_of(*variable);
    struct proc_call call = {.argv = argv.data,
                             .argv_len = (int32_t)argv.len,
                             .env = env.data,
                             .env_len = (int32_t)env.len,
                             .directory = S("/"),
                             .output_max = OUTPUT_MAX,
                             .timeout_ms = APPLY_IMPORT_TIMEOUT_MS};
    TRY(proc_run(input->proc, arena, &call, &result));
    int32_t open = outcomes_read(arena, result.output, checks, len, told);
    if (open < 0 && !told[first]) {
        struct err *err =
            err_make(arena, ERR_ENVIRONMENT, "'%.*s' did not say how modules import", FMT(input->plan->env->python));
        return err_hint(arena, err, "%.*s", FMT(str_slice(result.error, 0, MESSAGE_MAX)));
    }
    if (open < 0) return NULL;
    told[open] = true;
    checks[open].outcome = result.timed_out || result.too_much ? IMPORT_UNKNOWN : IMPORT_CRASHED;
    checks[open].message =
        result.timed_out ? S("took too long") : str_format(arena, "Python ended with status %d", result.status);
    return NULL;
}

/* What fails beside others is tried in an interpreter of its own, where nothing was imported before it: a module may
 * put things of its own into the place of another's for all that comes after it, as `awscli` does with `botocore`.
 * A program that has only the one imports it. One that took too long is not given the time again. */
static struct err *alone_try(struct arena *arena, const struct apply_input *input, struct import_check *checks,
                             int32_t len) {
    int32_t again = 0;
    for (int32_t i = 1; i < len && again < IMPORT_AGAIN_MAX; i++) {
        bool told = false;
        if (checks[i].outcome != IMPORT_FAILED && checks[i].outcome != IMPORT_CRASHED) continue;
        struct import_check alone = {.module = checks[i].module, .group = checks[i].group, .before = checks[i].before};
        TRY(imports_round(arena, input, &alone, 1, &told));
        checks[i] = alone;
        again++;
    }
    return NULL;
}

/* The modules of one group, in memory of its own. */
struct import_group {
    const struct apply_input *input;
    struct arena *arena;
    struct import_check *checks;
    int32_t len;
};

static struct err *group_try(void *self, struct arena *arena, int32_t i) {
    struct import_group *group = &((struct import_group *)self)[i];
    (void)arena;
    bool *told = arena_new(group->arena, bool, group->len);
    for (int32_t round = 0; round < group->len; round++) {
        bool all = true;
        for (int32_t k = 0; k < group->len; k++) all = all && told[k];
        if (all) break;
        TRY(imports_round(group->arena, group->input, group->checks, group->len, told));
    }
    return alone_try(group->arena, group->input, group->checks, group->len);
}

struct err *imports_try(struct arena *arena, const struct apply_input *input, struct import_check *checks,
                        int32_t len) {
    struct import_group groups[IMPORT_GROUPS_MAX] = {{0}};
    const struct workers_step step = {.self = groups, .run = group_try};
    for (int32_t i = 0; i < IMPORT_GROUPS_MAX; i++)
        groups[i] = (struct import_group){input, arena_open(), arena_new(arena, struct import_check, len), 0};
    for (int32_t i = 0; i < len; i++) {
        struct import_group *group = &groups[checks[i].group];
        group->checks[group->len++] = checks[i];
    }
    struct err *err = workers_run(arena, &step, IMPORT_GROUPS_MAX);
    int32_t taken[IMPORT_GROUPS_MAX] = {0};
    for (int32_t i = 0; i < len && !err; i++) {
        int32_t number = checks[i].group;
        checks[i] = groups[number].checks[taken[number]++];
        checks[i].message = str_copy(arena, checks[i].message);
        checks[i].lacks = str_copy(arena, checks[i].lacks);
    }
    for (int32_t i = 0; i < IMPORT_GROUPS_MAX; i++) arena_close(groups[i].arena);
    return err;
}

/* The wheel that stands for all which require each other. */
static int32_t leader(int32_t *above, int32_t i) {
    while (above[i] != i) i = above[i] = above[above[i]];
    return i;
}

static void join_requirements(struct arena *arena, const struct wheel *wheels, int32_t len, int32_t *above) {
    struct map by_name = {0};
    for (int32_t i = 0; i < len; i++) {
        above[i] = i;
        if (map_find(&by_name, wheels[i].filename.name) < 0) map_add(arena, &by_name, wheels[i].filename.name, i);
    }
    for (int32_t i = 0; i < len; i++)
        for (int32_t k = 0; k < wheels[i].metadata.requires_len; k++) {
            int32_t other = map_find(&by_name, wheels[i].metadata.requires_dist[k].name);
            if (other >= 0) above[leader(above, i)] = leader(above, other);
        }
}

/* A set of wheels, and how much Python is in it. */
struct import_set {
    int32_t leader;
    int64_t bytes;
};

static int set_order(const void *a, const void *b) {
    const struct import_set *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return (x->leader > y->leader) - (x->leader < y->leader);
}

static int64_t python_bytes(const struct wheel *wheel) {
    int64_t sum = 1;
    for (int32_t i = 0; i < wheel->zip.len; i++)
        if (str_ends(wheel->zip.entries[i].name, S(".py"))) sum += wheel->zip.entries[i].size;
    return sum;
}

void imports_group(struct arena *arena, const struct wheel *wheels, int32_t len, int32_t *ret_groups) {
    int32_t *above = arena_new(arena, int32_t, len), *group = arena_new(arena, int32_t, len);
    struct import_set *sets = arena_new(arena, struct import_set, len);
    int64_t whole = 0, filled[IMPORT_GROUPS_MAX] = {0};
    join_requirements(arena, wheels, len, above);
    for (int32_t i = 0; i < len; i++) sets[i].leader = i;
    for (int32_t i = 0; i < len; i++) {
        int64_t bytes = python_bytes(&wheels[i]);
        sets[leader(above, i)].bytes += bytes;
        whole += bytes;
    }
    if (len) qsort(sets, (size_t)len, sizeof *sets, set_order);
    /* The largest first, each to the group that has least. */
    for (int32_t i = 0; i < len && sets[i].bytes > 0; i++) {
        int32_t least = 0;
        for (int32_t k = 1; k < IMPORT_GROUPS_MAX && whole > IMPORT_ALONE_MAX; k++)
            if (filled[k] < filled[least]) least = k;
        filled[least] += sets[i].bytes;
        group[sets[i].leader] = least;
    }
    for (int32_t i = 0; i < len; i++) ret_groups[i] = group[leader(above, i)];
}
