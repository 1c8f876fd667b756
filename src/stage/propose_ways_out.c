/*
 * Ways out of an impossible request: one fact of its reason relaxed at a time, and the smallest sets of limits that
 * suffice, each tried by planning it.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "stage/propose_parts.h"

#include <stdlib.h>
#include <string.h>

enum { TRIALS_MAX = 24, WAYS_MAX = 6, WAY_MAX = 16, SMALLEST_MAX = 3, YEAR_S = 365 * SOLVE_DAY_S, OLD_YEARS = 2 };

/* The gravest kinds come last. */
enum relaxation {
    RELAX_VERSION,  /* another version of what was asked for */
    RELAX_REQUEST,  /* without one of the requests */
    RELAX_OPTION,   /* a limit that the user set is taken back */
    RELAX_BOUNDS,   /* without a constraint file */
    RELAX_NEWER,    /* without --exclude-newer */
    RELAX_ALLOW,    /* without --no-allowances */
    RELAX_PRE,      /* pre-releases are candidates */
    RELAX_BUILD,    /* an sdist whose wheels are for other versions of Python is built */
    RELAX_SDIST,    /* without --only-binary */
    RELAX_WHEEL,    /* without --no-binary */
    RELAX_STALE,    /* old releases that merely lack a bound are candidates */
    RELAX_REMOVE,   /* an installed distribution goes */
    RELAX_ADVISORY, /* a known incompatibility is accepted */
    RELAX_REPLACE,  /* a vendor build is given up */
};

struct trial {
    enum relaxation kind;
    struct str name;       /* whom it is about */
    int32_t request;       /* for VERSION and REQUEST */
    struct str specifiers; /* for VERSION: the new ones */
    struct str text;
};

struct way {
    struct trial trials[WAY_MAX];
    int32_t len;
    int32_t lifts, changes, replaced;
    struct str version; /* what the first request gets */
    struct str asked;   /* the release that it asked for, or the nearest */
    int32_t years;      /* by which what it gets was uploaded earlier, 0 where the index does not tell */
    bool built;         /* what it gets has to be built, and what it asked for does not */
};

struct outs {
    struct arena *arena;
    const struct solve_input *input;
    struct pool *pool;
    const struct source *source;
    bool versions; /* other versions of what was asked for are ways out */
    VEC(struct trial) trials;
    VEC(struct way) ways;
};

static void trial_add(struct outs *outs, struct trial trial) {
    if (outs->trials.len >= TRIALS_MAX) return;
    for (ptrdiff_t i = 0; i < outs->trials.len; i++)
        if (outs->trials.data[i].kind == trial.kind && str_eq(outs->trials.data[i].name, trial.name) &&
            str_eq(outs->trials.data[i].specifiers, trial.specifiers))
            return;
    *vec_push(outs->arena, &outs->trials) = trial;
}

/* The request that asks for the project, -1. */
static int32_t request_find(const struct want *want, struct str name) {
    for (int32_t i = 0; i < want->requests_len; i++)
        if (!want->requests[i].constraint && str_eq(want->requests[i].requirement.name, name)) return i;
    return -1;
}

/* The constraint that the fact is, -1. */
static int32_t constraint_find(const struct want *want, const struct plan_fact *fact) {
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct request *request = &want->requests[i];
        if (!request->constraint || request->line != fact->line || !str_eq(request->origin, fact->file)) continue;
        if (str_eq(request->requirement.text, fact->text)) return i;
    }
    return -1;
}

static int32_t asked_len(const struct want *want) {
    int32_t len = 0;
    for (int32_t i = 0; i < want->requests_len; i++) len += !want->requests[i].constraint;
    return len;
}

/* The releases next to a version that does not exist. */
static void add_nearest(struct outs *outs, const struct plan_fact *fact) {
    int32_t request = request_find(outs->input->want, fact->name);
    const struct project *project = pool_find(outs->pool, fact->name);
    if (request < 0 || !project) return;
    const struct specifier_set *set = &outs->input->want->requests[request].requirement.specifiers;
    if (!set->len) return;
    int32_t below = -1, above = -1;
    for (int32_t r = 0; r < project->releases_len; r++) {
        const struct release *release = &project->releases[r];
        if (release->prerelease || release->bars || release->yanked) continue;
        if (version_cmp(&release->version, &set->items[0].version) < 0) below = r;
        else if (above < 0) above = r;
    }
    for (int i = 0; i < 2; i++) {
        int32_t at = i ? below : above;
        if (at < 0) continue;
        struct str text = project->releases[at].version.text;
        trial_add(outs, (struct trial){RELAX_VERSION, fact->name, request, str_format(outs->arena, "==%.*s", FMT(text)),
                                       str_format(outs->arena, "ask for %.*s %.*s", FMT(fact->name), FMT(text))});
    }
}

static void add_request(struct outs *outs, const struct plan_fact *fact) {
    struct arena *arena = outs->arena;
    const struct want *want = outs->input->want;
    int32_t request = request_find(want, fact->name), constraint = constraint_find(want, fact);
    if (constraint >= 0) {
        struct str file = want->requests[constraint].origin;
        trial_add(outs, (struct trial){RELAX_BOUNDS, file, -1, S(""),
                                       str_format(arena, "leave out the constraints of %.*s", FMT(file))});
        return;
    }
    if (request < 0) return;
    if (outs->versions && want->requests[request].requirement.specifiers.len)
        trial_add(outs, (struct trial){RELAX_VERSION, fact->name, request, S(""),
                                       str_format(arena, "take another version of %.*s", FMT(fact->name))});
    if (asked_len(want) > 1)
        trial_add(outs, (struct trial){RELAX_REQUEST, fact->name, request, S(""),
                                       str_format(arena, "leave out %.*s", FMT(fact->text))});
}

static void add_fact(struct outs *outs, const struct plan_fact *fact) {
    struct arena *arena = outs->arena;
    const struct project *project = pool_find(outs->pool, fact->name);
    switch (fact->kind) {
    case FACT_REQUEST: add_request(outs, fact); break;
    case FACT_ABSENT: add_nearest(outs, fact); break;
    case FACT_VERSIONS: {
        add_nearest(outs, fact);
        if (!outs->input->want->pre)
            trial_add(outs, (struct trial){RELAX_PRE, S(""), -1, S(""), S("accept pre-releases")});
        break;
    }
    case FACT_HELD:
        trial_add(outs, (struct trial){RELAX_REPLACE, fact->name, -1, S(""),
                                       str_format(arena, "give up the vendor's build of %.*s", FMT(fact->name))});
        break;
    case FACT_STALE:
        trial_add(outs,
                  (struct trial){RELAX_STALE, S(""), -1, S(""), S("take old releases that merely state no bound")});
        break;
    case FACT_REMOVE:
        trial_add(outs, (struct trial){RELAX_OPTION, fact->name, -1, S(""),
                                       str_format(arena, "leave %.*s in place", FMT(fact->name))});
        break;
    case FACT_KEEP:
    case FACT_LOCK:
        trial_add(outs, (struct trial){RELAX_OPTION, fact->name, -1, S(""),
                                       str_format(arena, "let %.*s change", FMT(fact->name))});
        break;
    case FACT_ADVISORY:
        trial_add(outs, (struct trial){RELAX_ADVISORY, fact->name, -1, S(""),
                                       str_format(arena, "accept what advisory %.*s warns of", FMT(fact->name))});
        break;
    case FACT_REQUIREMENT:
        if (!project || project->installed < 0 || request_find(outs->input->want, fact->name) >= 0) break;
        if (project->held) break;
        trial_add(outs, (struct trial){RELAX_REMOVE, fact->name, -1, S(""),
                                       str_format(arena, "remove %.*s", FMT(fact->name))});
        break;
    }
}

/* True if a release of a project that a fact is about is barred, or a pre-release newer than all others. */
static bool reason_has(const struct outs *outs, const struct plan *plan, uint32_t bar) {
    for (int32_t i = 0; i < plan->reason_len; i++) {
        const struct project *project = pool_find(outs->pool, plan->reason[i].name);
        for (int32_t r = project ? project->releases_len - 1 : -1; r >= 0; r--) {
            const struct release *release = &project->releases[r];
            if (bar && (release->bars & bar)) return true;
            if (bar || release->bars || !release->on_index) continue;
            if (release->prerelease) return true;
            break;
        }
    }
    return false;
}

static bool reason_is(const struct plan *plan, enum plan_fact_kind kind) {
    for (int32_t i = 0; i < plan->reason_len; i++)
        if (plan->reason[i].kind == kind) return true;
    return false;
}

/* Source distributions that nothing but the wheels beside them speaks against. */
static void add_builds(struct outs *outs, const struct plan *plan) {
    for (int32_t i = 0; i < plan->reason_len; i++) {
        struct str name = plan->reason[i].name;
        const struct project *project = pool_find(outs->pool, name);
        bool barred = false;
        if (plan->reason[i].kind != FACT_VERSIONS && plan->reason[i].kind != FACT_REQUEST) continue;
        for (int32_t r = 0; project && r < project->releases_len; r++)
            barred = barred || solve_bars(outs->input->want, project, &project->releases[r]) == BAR_WHEELS;
        if (barred)
            trial_add(outs, (struct trial){RELAX_BUILD, project->name, -1, S(""),
                                           str_format(outs->arena, "build %.*s from source", FMT(project->name))});
    }
}

/* The limits that the user set himself and that no fact names: what they hide may be what is lacking. */
static void add_limits(struct outs *outs, const struct plan *plan) {
    const struct want *want = outs->input->want;
    struct trial trial = {.request = -1, .name = S(""), .specifiers = S("")};
    if (want->exclude_newer != INT64_MAX && reason_has(outs, plan, BAR_DATE)) {
        trial.kind = RELAX_NEWER;
        trial.text = S("take what was uploaded after the date of --exclude-newer");
        trial_add(outs, trial);
    }
    if (want_limits_sdists(want) && !want->formats_fixed && reason_has(outs, plan, BAR_SDIST)) {
        trial.kind = RELAX_SDIST;
        trial.text = S("build a source distribution");
        trial_add(outs, trial);
    }
    if (want_limits_wheels(want) && reason_has(outs, plan, BAR_BINARY)) {
        trial.kind = RELAX_WHEEL;
        trial.text = S("take a wheel");
        trial_add(outs, trial);
    }
    if (want->no_allowances && reason_is(plan, FACT_HELD)) {
        trial.kind = RELAX_ALLOW;
        trial.text = S("let the vendor's pre-release count as its release");
        trial_add(outs, trial);
    }
    if (!want->pre && reason_has(outs, plan, 0)) {
        trial.kind = RELAX_PRE;
        trial.text = S("accept pre-releases");
        trial_add(outs, trial);
    }
}

static const struct str *names_with(struct arena *arena, const struct str *names, int32_t len, struct str name,
                                    int32_t *ret_len) {
    struct str *more = arena_new(arena, struct str, len + 1);
    for (int32_t i = 0; i < len; i++) more[i] = names[i];
    more[len] = name;
    *ret_len = len + 1;
    return more;
}

static const struct str *names_without(struct arena *arena, const struct str *names, int32_t len, struct str name,
                                       int32_t *ret_len) {
    struct str *fewer = arena_new(arena, struct str, len);
    *ret_len = 0;
    for (int32_t i = 0; i < len; i++)
        if (!str_eq(names[i], name)) fewer[(*ret_len)++] = names[i];
    return fewer;
}

static struct err *change_request(struct arena *arena, struct want *want, const struct trial *trial) {
    struct request *requests = arena_new(arena, struct request, want->requests_len);
    int32_t n = 0;
    for (int32_t i = 0; i < want->requests_len; i++) {
        bool named = !want->requests[i].constraint && str_eq(want->requests[i].requirement.name, trial->name);
        if (named && trial->kind == RELAX_REQUEST) continue;
        requests[n] = want->requests[i];
        if (named) {
            struct requirement *requirement = &requests[n].requirement;
            TRY(specifier_set_parse(arena, trial->specifiers, &requirement->specifiers));
            requirement->url = (struct str){0};
            requirement->marker = NULL;
            requirement->text = requirement_format(arena, requirement);
        }
        n++;
    }
    want->requests = requests;
    want->requests_len = n;
    return NULL;
}

static void drop_constraints(struct arena *arena, struct want *want, struct str file) {
    struct request *requests = arena_new(arena, struct request, want->requests_len);
    int32_t n = 0;
    for (int32_t i = 0; i < want->requests_len; i++)
        if (!want->requests[i].constraint || !str_eq(want->requests[i].origin, file)) requests[n++] = want->requests[i];
    want->requests = requests;
    want->requests_len = n;
}

static struct err *want_relaxed(struct arena *arena, const struct trial *trial, struct want *want) {
    switch (trial->kind) {
    case RELAX_VERSION:
    case RELAX_REQUEST: return change_request(arena, want, trial);
    case RELAX_OPTION:
        want->no_lifts = false;
        want->no_lift = names_without(arena, want->no_lift, want->no_lift_len, trial->name, &want->no_lift_len);
        want->keep = names_without(arena, want->keep, want->keep_len, trial->name, &want->keep_len);
        want->remove = names_without(arena, want->remove, want->remove_len, trial->name, &want->remove_len);
        break;
    case RELAX_BOUNDS: drop_constraints(arena, want, trial->name); break;
    case RELAX_NEWER: want->exclude_newer = INT64_MAX; break;
    case RELAX_BUILD:
        want->build = names_with(arena, want->build, want->build_len, trial->name, &want->build_len);
        break;
    case RELAX_SDIST:
        want->only_binary = (struct want_names){0};
        want->no_build = false;
        break;
    case RELAX_WHEEL: want->no_binary = (struct want_names){0}; break;
    case RELAX_ALLOW: want->no_allowances = false; break;
    case RELAX_PRE: want->pre = true; break;
    case RELAX_STALE: want->stale = true; break;
    case RELAX_REMOVE:
        want->keep = names_without(arena, want->keep, want->keep_len, trial->name, &want->keep_len);
        want->remove = names_with(arena, want->remove, want->remove_len, trial->name, &want->remove_len);
        break;
    case RELAX_ADVISORY:
        want->ignore_advisories = names_with(arena, want->ignore_advisories, want->ignore_advisories_len, trial->name,
                                             &want->ignore_advisories_len);
        break;
    case RELAX_REPLACE:
        want->replace = names_with(arena, want->replace, want->replace_len, trial->name, &want->replace_len);
        break;
    }
    return NULL;
}

/* The newest release that the request asked for, else the one nearest to it; NULL: none. */
static const struct release *asked_release(const struct project *project, const struct requirement *asked) {
    const struct release *newest = NULL, *above = NULL, *below = NULL;
    for (int32_t r = 0; r < project->releases_len && asked->specifiers.len; r++) {
        const struct release *release = &project->releases[r];
        if (!release->on_index) continue;
        if (specifier_set_match(&asked->specifiers, &release->version)) newest = release;
        if (version_cmp(&release->version, &asked->specifiers.items[0].version) < 0) below = release;
        else if (!above) above = release;
    }
    return newest ? newest : above ? above : below;
}

/* How old what the request gets is beside what it asked for. */
static void weigh_age(const struct outs *outs, const struct project *project, const struct release *gets,
                      struct way *way) {
    const struct requirement *asked = &outs->input->want->requests[way->trials[0].request].requirement;
    const struct release *was = asked_release(project, asked);
    if (!was || version_cmp(&gets->version, &was->version) >= 0) return;
    way->asked = was->version.text;
    way->built = gets->artifact.sdist && !was->artifact.sdist;
    if (gets->uploaded != INT64_MIN && was->uploaded > gets->uploaded)
        way->years = (int32_t)((was->uploaded - gets->uploaded) / YEAR_S);
}

/* A release of long before what was asked for, or of before the project had wheels, is hardly what was meant. */
static bool is_old(const struct way *way) {
    return way->built || way->years >= OLD_YEARS;
}

static void weigh_way(const struct outs *outs, const struct solution *solution, struct way *way) {
    way->lifts = solution->lifted_len;
    for (int32_t p = 0; p < solution->chosen_len; p++) {
        const struct project *project = &outs->pool->projects.data[p];
        if (solution->chosen[p] == project->installed) continue;
        way->changes++;
        if (project->installed >= 0 && project->held) way->replaced++;
        if (way->trials[0].request < 0 || !str_eq(project->name, way->trials[0].name) || solution->chosen[p] < 0)
            continue;
        way->version = project->releases[solution->chosen[p]].version.text;
        weigh_age(outs, project, &project->releases[solution->chosen[p]], way);
    }
}

static struct err *try_way(struct outs *outs, struct way *way, bool *ret) {
    struct want want = *outs->input->want;
    for (int32_t i = 0; i < way->len; i++) TRY(want_relaxed(outs->arena, &way->trials[i], &want));
    struct solve_input input = *outs->input;
    input.want = &want;
    struct solution solution;
    int64_t index_us = 0, solve_us = 0;
    int32_t rounds = 0;
    TRY(propose_prefetch(outs->arena, &input, outs->pool, outs->source, false));
    TRY(propose_search(outs->arena, &input, outs->pool, outs->source, &solution, &index_us, &solve_us, &rounds));
    *ret = solution.status == SOLVE_OPTIMAL;
    if (*ret) weigh_way(outs, &solution, way);
    return NULL;
}

static struct err *try_trial(struct outs *outs, const struct trial *trial) {
    struct way way = {.trials = {*trial}, .len = 1};
    bool possible;
    TRY(try_way(outs, &way, &possible));
    if (possible && way.changes) *vec_push(outs->arena, &outs->ways) = way;
    return NULL;
}

/* The smallest sets of limits without which there is a plan, each planned to be sure. */
static struct err *try_smallest(struct outs *outs) {
    VEC(struct solution) found = {0};
    while (found.len < SMALLEST_MAX) {
        struct solve_input input = *outs->input;
        input.relax = true;
        input.given_up = found.data;
        input.given_up_len = (int32_t)found.len;
        struct solution solution;
        int64_t index_us = 0, solve_us = 0;
        int32_t rounds = 0;
        TRY(propose_search(outs->arena, &input, outs->pool, outs->source, &solution, &index_us, &solve_us, &rounds));
        if (solution.status != SOLVE_OPTIMAL || solution.reason_len == 0) break;
        *vec_push(outs->arena, &found) = solution;
        struct outs each = {.arena = outs->arena, .input = outs->input, .pool = outs->pool};
        struct way way = {0};
        bool possible = false;
        for (int32_t i = 0; i < solution.reason_len; i++) add_fact(&each, &solution.reason[i]);
        for (; way.len < WAY_MAX && way.len < each.trials.len; way.len++)
            way.trials[way.len] = each.trials.data[way.len];
        if (way.len > 1 && way.len == each.trials.len) TRY(try_way(outs, &way, &possible));
        if (possible && way.changes) *vec_push(outs->arena, &outs->ways) = way;
    }
    return NULL;
}

static struct err *try_all(struct outs *outs) {
    for (ptrdiff_t i = 0; i < outs->trials.len; i++) TRY(try_trial(outs, &outs->trials.data[i]));
    /* Giving up a vendor build seldom suffices by itself: what is compiled against it has advisories of its own. */
    return try_smallest(outs);
}

static int way_order(const void *a, const void *b) {
    const struct way *x = a, *y = b;
    if (is_old(x) != is_old(y)) return is_old(x) ? 1 : -1;
    if (x->replaced != y->replaced) return x->replaced < y->replaced ? -1 : 1;
    enum relaxation kx = x->trials[x->len - 1].kind, ky = y->trials[y->len - 1].kind;
    if (kx != ky) return kx < ky ? -1 : 1;
    if (x->lifts != y->lifts) return x->lifts < y->lifts ? -1 : 1;
    if (x->changes != y->changes) return x->changes < y->changes ? -1 : 1;
    return str_cmp(x->trials[0].text, y->trials[0].text);
}

/* The trials of a way that are of one kind, in one clause; the first stands for all. */
static void add_clause(struct buf *buf, const struct way *way, int32_t at) {
    enum relaxation kind = way->trials[at].kind;
    bool builds = kind == RELAX_REPLACE;
    int32_t len = 0, n = 0;
    for (int32_t i = 0; i < way->len; i++) {
        if (i < at && way->trials[i].kind == kind) return; /* told with the first */
        len += way->trials[i].kind == kind;
    }
    buf_add(buf, buf->len ? S("; ") : S(""));
    buf_add(buf, builds ? S("give up the vendor's builds of ") : S("accept what advisories "));
    for (int32_t i = at; i < way->len; i++) {
        if (way->trials[i].kind != kind) continue;
        buf_addf(buf, "%s%.*s", n == 0 ? "" : n + 1 == len ? " and " : ", ", FMT(way->trials[i].name));
        n++;
    }
    if (!builds) buf_add(buf, S(" warn of"));
}

/* "0.0.12, 3 years older than 0.0.29.post3, to be built": what the first request gets where the trial does not say it,
 * and what speaks against it; empty: nothing to say. */
static struct str version_text(struct arena *arena, const struct way *way) {
    struct buf buf = {.arena = arena};
    if (way->version.len && way->trials[0].specifiers.len == 0) buf_add(&buf, way->version);
    if (is_old(way) && way->years > 0)
        buf_addf(&buf, "%s%d year%s older than %.*s", buf.len ? ", " : "", way->years, way->years == 1 ? "" : "s",
                 FMT(way->asked));
    if (way->built) buf_addf(&buf, "%sto be built", buf.len ? ", " : "");
    return buf_str(&buf);
}

static struct str way_text(struct arena *arena, const struct way *way) {
    int32_t of_kind[RELAX_REPLACE + 1] = {0};
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < way->len; i++) of_kind[way->trials[i].kind]++;
    for (int32_t i = 0; i < way->len; i++) {
        enum relaxation kind = way->trials[i].kind;
        if (of_kind[kind] > 1 && (kind == RELAX_REPLACE || kind == RELAX_ADVISORY)) add_clause(&buf, way, i);
        else buf_addf(&buf, "%s%.*s", buf.len ? "; " : "", FMT(way->trials[i].text));
    }
    struct str text = buf_str(&buf);
    struct str version = version_text(arena, way);
    if (version.len) text = str_format(arena, "%.*s (%.*s)", FMT(text), FMT(version));
    text = str_format(arena, "%.*s: %d lock%s lifted, %d change%s", FMT(text), way->lifts, way->lifts == 1 ? "" : "s",
                      way->changes, way->changes == 1 ? "" : "s");
    if (way->replaced)
        text = str_format(arena, "%.*s, %d vendor build%s replaced", FMT(text), way->replaced,
                          way->replaced == 1 ? "" : "s");
    return text;
}

/* `ret->argv_len` 0: no command says it, for requests of a file with hashes have none as words. */
static struct err *tell_way(struct outs *outs, const struct way *way, struct plan_suggestion *ret) {
    struct want want = *outs->input->want;
    for (int32_t i = 0; i < way->len; i++) {
        struct trial trial = way->trials[i];
        /* The version that was found is named, so that the command does what was tried. */
        if (i == 0 && trial.kind == RELAX_VERSION && trial.specifiers.len == 0 && way->version.len)
            trial.specifiers = str_format(outs->arena, "==%.*s", FMT(way->version));
        TRY(want_relaxed(outs->arena, &trial, &want));
    }
    struct plan_argv argv = {0};
    if (!want.require_hashes || plan_keeps_files(outs->input->want, &want))
        argv = plan_argv_of(outs->arena, outs->input->want, &want);
    *ret = (struct plan_suggestion){way_text(outs->arena, way),
                                    argv.data,
                                    (int32_t)argv.len,
                                    way->lifts,
                                    way->changes,
                                    want.exclude_newer != outs->input->want->exclude_newer};
    return NULL;
}

static bool same_command(const struct plan_suggestion *a, const struct plan_suggestion *b) {
    if (a->argv_len != b->argv_len) return false;
    for (int32_t i = 0; i < a->argv_len; i++)
        if (!str_eq(a->argv[i], b->argv[i])) return false;
    return true;
}

struct err *propose_ways_out(struct arena *arena, const struct solve_input *input, struct pool *pool,
                             const struct source *source, bool versions, struct plan *plan) {
    struct outs outs = {.arena = arena, .input = input, .pool = pool, .source = source, .versions = versions};
    for (int32_t i = 0; i < plan->reason_len; i++) add_fact(&outs, &plan->reason[i]);
    add_builds(&outs, plan);
    add_limits(&outs, plan);
    TRY(try_all(&outs));
    if (outs.ways.len) qsort(outs.ways.data, (size_t)outs.ways.len, sizeof *outs.ways.data, way_order);
    struct plan_suggestion *suggestions = arena_new(arena, struct plan_suggestion, WAYS_MAX);
    int32_t len = 0;
    for (ptrdiff_t i = 0; i < outs.ways.len && len < WAYS_MAX; i++) {
        TRY(tell_way(&outs, &outs.ways.data[i], &suggestions[len]));
        bool told = suggestions[len].argv_len == 0;
        for (int32_t s = 0; s < len; s++) told = told || same_command(&suggestions[s], &suggestions[len]);
        if (!told) len++;
    }
    plan->suggestions = suggestions;
    plan->suggestions_len = len;
    return NULL;
}
