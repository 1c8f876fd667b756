/* From the options to a plan: the want, the index, the proposal. */
#include "face/session.h"

#include "base/arena.h"
#include "os/signals.h"

#include "os/scratch.h"
#include "os/store.h"
#include "stage/apply.h"
#include "stage/cache.h"
#include "stage/dump.h"

#include <time.h>

enum { BUILD_ROUNDS_MAX = 20 /* plans that builds may upset */ };

enum { TIME_MAX = 32 };

/* Words of a command line. */
struct words {
    struct str *data;
    ptrdiff_t len, cap;
};

static struct err *names_of(struct arena *arena, const struct option_list *words, const struct str **ret,
                            int32_t *ret_len) {
    struct str *names = arena_new(arena, struct str, words->len);
    for (int32_t i = 0; i < words->len; i++) TRY(want_parse_name(arena, words->items[i], &names[i]));
    *ret = names;
    *ret_len = words->len;
    return NULL;
}

/* The names behind --build; ":all:" among them stands for every name. */
static struct err *builds_of(struct arena *arena, const struct option_list *words, const struct str **ret,
                             int32_t *ret_len, bool *all) {
    struct option_list names = {arena_new(arena, struct str, words->len), 0};
    for (int32_t i = 0; i < words->len; i++) {
        if (str_eq(words->items[i], S(":all:"))) *all = true;
        else names.items[names.len++] = words->items[i];
    }
    return names_of(arena, &names, ret, ret_len);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    if (month <= 2) year--;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Digits of `text` at [from, to) as a number, -1 if there are others. */
static int64_t digits(struct str text, ptrdiff_t from, ptrdiff_t to) {
    int64_t n = -1;
    return str_to_int(str_slice(text, from, to), &n) ? n : -1;
}

/* "2025-04-30" (its end) or "2025-04-30T12:00:00Z" as seconds since 1970. */
static struct err *date_parse(struct arena *arena, struct str text, int64_t *ret) {
    enum { DATE_LEN = 10, TIME_LEN = 20, DAY_SECONDS = 86400 };
    struct err *bad = err_make(arena, ERR_USAGE, "--exclude-newer %.*s is no date", FMT(text));
    (void)err_hint(arena, bad, "write 2025-04-30 or 2025-04-30T12:00:00Z");
    if (text.len != DATE_LEN && text.len != TIME_LEN) return bad;
    int64_t year = digits(text, 0, 4), month = digits(text, 5, 7), day = digits(text, 8, 10);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return bad;
    if (text.data[4] != '-' || text.data[7] != '-') return bad;
    int64_t seconds = days_of(year, month, day) * DAY_SECONDS;
    if (text.len == DATE_LEN) {
        *ret = seconds + DAY_SECONDS - 1;
        return NULL;
    }
    int64_t hour = digits(text, 11, 13), minute = digits(text, 14, 16), second = digits(text, 17, 19);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return bad;
    if (text.data[10] != 'T' || text.data[13] != ':' || text.data[16] != ':' || text.data[19] != 'Z') return bad;
    *ret = seconds + hour * 3600 + minute * 60 + second;
    return NULL;
}

/* A requirement or constraint file on a server. */
static struct err *fetch_page(void *self, struct str url, struct str *ret) {
    struct session *session = self;
    struct arena *arena = session->arena;
    struct str masked = http_mask(arena, url);
    struct http *http = NULL;
    struct http_response response = {0};
    struct err *err = NULL;
    if (session->options->offline || config_truth(&session->config.offline))
        return err_make(arena, ERR_NETWORK, "%.*s cannot be fetched with --offline", FMT(masked));
    const struct http_options options = index_http_options(&session->config);
    TRY(http_open(arena, &options, &http));
    http_add(http, &(struct http_request){.url = url, .limit = WANT_FILE_MAX});
    bool answered = http_next(http, &response);
    if (!answered) err = err_make(arena, ERR_NETWORK, "%.*s: no answer came", FMT(masked));
    else if (response.err) err = response.err;
    else if (response.status != 200)
        err = err_make(arena, ERR_NETWORK, "%.*s: the server answers %d", FMT(masked), response.status);
    else *ret = str_copy(arena, response.body);
    http_close(http);
    return err;
}

/* --only-binary and --no-binary: pip's configuration, the command line, files, each over the one before. --no-build is
 * over all of them. */
static struct err *formats_of(struct session *session, struct want *want) {
    struct arena *arena = session->arena;
    const struct config *config = &session->config;
    const struct options *o = session->options;
    want->only_binary = want->no_binary = (struct want_names){0};
    want->formats_configured = config->only_binary.len || config->no_binary.len;
    want->formats_fixed = config_truth(&config->no_build);
    for (int32_t i = 0; i < config->only_binary.len; i++)
        TRY(want_formats_add(arena, want, config->only_binary.items[i], true));
    for (int32_t i = 0; i < config->no_binary.len; i++)
        TRY(want_formats_add(arena, want, config->no_binary.items[i], false));
    for (int32_t i = 0; i < o->formats.len; i++) {
        struct str value = o->formats.items[i], name = str_cut(&value, '=');
        TRY(want_formats_add(arena, want, value, str_eq(name, S("only-binary"))));
    }
    for (int32_t i = 0; i < want->formats_len; i++)
        TRY(want_formats_add(arena, want, want->formats[i].value, want->formats[i].binary));
    want->no_build = o->no_build || want->formats_fixed;
    if (want->no_build) TRY(want_formats_add(arena, want, S(":all:"), true));
    return NULL;
}

static struct err *want_of(struct session *session, const struct session_request *request, struct want *ret) {
    struct arena *arena = session->arena;
    const struct options *o = session->options;
    const struct want_pages pages = {session, fetch_page};
    struct words words = {0};
    for (int32_t i = 0; i < request->words.len; i++) *vec_push(arena, &words) = request->words.items[i];
    for (int32_t i = 0; i < request->editable.len; i++)
        *vec_push(arena, &words) = str_format(arena, "-e %.*s", FMT(request->editable.items[i]));
    for (int32_t i = 0; i < o->constraint_files.len; i++)
        *vec_push(arena, &words) = str_format(arena, "-c %.*s", FMT(o->constraint_files.items[i]));
    TRY(want_parse(arena, session->fs, &session->env, words.data, (int32_t)words.len, request->files.items,
                   request->files.len, &pages, ret));
    TRY(builds_of(arena, &o->build, &ret->build, &ret->build_len, &ret->build_all));
    TRY(names_of(arena, &request->remove, &ret->remove, &ret->remove_len));
    TRY(names_of(arena, &o->keep, &ret->keep, &ret->keep_len));
    TRY(names_of(arena, &o->replace, &ret->replace, &ret->replace_len));
    TRY(names_of(arena, &o->no_lift, &ret->no_lift, &ret->no_lift_len));
    ret->ignore_advisories = o->ignore_advisories.items;
    ret->ignore_advisories_len = o->ignore_advisories.len;
    ret->upgrade = o->upgrade;
    ret->pre = ret->pre || o->pre || config_truth(&session->config.pre);
    TRY(formats_of(session, ret));
    ret->no_allowances = o->no_allowances;
    ret->no_lifts = o->no_lifts;
    ret->stale = o->allow_stale;
    if (o->exclude_newer.len) TRY(date_parse(arena, o->exclude_newer, &ret->exclude_newer));
    return NULL;
}

static void show_progress(void *self, struct str what, int64_t done, int64_t total) {
    struct session *session = self;
    struct arena_mark mark = arena_mark(session->arena);
    if (total > 0) what = str_format(session->arena, "%.*s %lld/%lld", FMT(what), (long long)done, (long long)total);
    session_progress(session, what);
    arena_rewind(session->arena, mark);
}

/* `first`, then `rest`. */
static const struct str *joined(struct arena *arena, const struct str *first, int32_t first_len, const struct str *rest,
                                int32_t rest_len) {
    struct str *all = arena_new(arena, struct str, first_len + rest_len);
    for (int32_t i = 0; i < first_len; i++) all[i] = first[i];
    for (int32_t i = 0; i < rest_len; i++) all[first_len + i] = rest[i];
    return all;
}

struct err *session_open_index(struct session *session) {
    const struct options *o = session->options;
    const struct want *want = &session->want;
    if (session->index) return NULL;
    struct index_options options = {
        .index_urls = o->index_url.len ? &o->index_url : &want->index_url,
        .index_urls_len = o->index_url.len || want->index_url.len,
        .extra_index_urls = joined(session->arena, o->extra_index_urls.items, o->extra_index_urls.len,
                                   want->extra_index_urls, want->extra_index_urls_len),
        .extra_index_urls_len = o->extra_index_urls.len + want->extra_index_urls_len,
        .find_links =
            joined(session->arena, o->find_links.items, o->find_links.len, want->find_links, want->find_links_len),
        .find_links_len = o->find_links.len + want->find_links_len,
        .no_index = o->no_index || want->no_index,
        .offline = o->offline,
        .refresh = o->refresh,
        .cache_dir = session->cache_refused ? (struct str){0} : o->cache_dir,
        .recorded = session->recorded,
        .record_dir = o->record,
        .config = &session->config,
        .proc = proc_real(),
        .variables = &session->variables,
        .env = &session->env,
        .want = want,
        .progress = show_progress,
        .progress_self = session,
    };
    session->cache_use = cache_use(session->arena, session_cache_dir(session));
    return index_open(session->arena, session->fs, &options, &session->index);
}

static struct err *supply(void *self, struct pool *pool, const struct needs *needs) {
    struct session *session = self;
    if (session->denied) return session->denied;
    return index_supply(session->index, pool, needs);
}

static struct err *supply_url(void *self, struct pool *pool, const struct request *request, struct project_id *ret,
                              int32_t *ret_release) {
    const struct session *session = self;
    if (session->denied) return session->denied;
    return session_supply_named(self, pool, request, ret, ret_release);
}

/* The file that trails of this key are in, and what one of them is about. A few hundred files serve for all: a later
 * trail takes the place of an earlier one. */
static struct str trail_path(struct session *session, uint64_t key, struct str *identity) {
    enum { TRAILS = 512 };
    struct fs_stat program = {0};
    struct err *err = fs_stat(session->fs, session->arena, S("/proc/self/exe"), true, &program);
    struct str dir = session_cache_dir(session);
    if (err || !program.exists || dir.len == 0) return (struct str){0};
    *identity = str_format(session->arena, "trail %016llx of unpin %lld %lld", (unsigned long long)key,
                           (long long)program.size, (long long)program.mtime_ns);
    return str_format(session->arena, "%.*s/trails/%03x", FMT(dir), (unsigned)(key % TRAILS));
}

static bool recall(void *self, struct arena *arena, uint64_t key, int64_t limit, struct str *ret) {
    struct session *session = self;
    struct str identity, path = trail_path(session, key, &identity);
    return path.len && store_unseal(session->fs, arena, path, identity, limit, ret);
}

static void keep(void *self, uint64_t key, struct str bytes) {
    struct session *session = self;
    struct str identity, path = trail_path(session, key, &identity);
    if (path.len) (void)store_seal(session->arena, path, identity, bytes);
}

/* The options that say which environment, lock and index are meant, as they were given; with `limits` also the date up
 * to which the index counts. */
static void add_place(struct session *session, struct words *argv, bool limits) {
    const struct options *o = session->options;
    const struct {
        const char *name;
        struct str value;
    } texts[] = {{"--image", session->image},   {"--snapshot", o->snapshot},
                 {"--python", o->python},       {"--into", o->into},
                 {"--platform", o->platform},   {"--index-url", o->index_url},
                 {"--cache-dir", o->cache_dir}, {"--exclude-newer", limits ? o->exclude_newer : S("")},
                 {"--recorded", o->recorded},   {"--index-strategy", o->index_strategy},
                 {"--proxy", o->proxy},         {"--cert", o->cert},
                 {"--timeout", o->timeout},     {"--client-cert", o->client_cert},
                 {"--retries", o->retries},     {"--keyring-provider", o->keyring_provider}};
    const struct {
        const char *name;
        const struct option_list *values;
    } lists[] = {{"--lock", &o->locks},
                 {"--extra-index-url", &o->extra_index_urls},
                 {"--find-links", &o->find_links},
                 {"--trusted-host", &o->trusted_hosts}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].value.len == 0) continue;
        *vec_push(session->arena, argv) = str_of(texts[i].name);
        *vec_push(session->arena, argv) = texts[i].value;
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (int32_t k = 0; k < lists[i].values->len; k++) {
            *vec_push(session->arena, argv) = str_of(lists[i].name);
            *vec_push(session->arena, argv) = lists[i].values->items[k];
        }
    }
    if (o->no_index) *vec_push(session->arena, argv) = S("--no-index");
    if (o->offline) *vec_push(session->arena, argv) = S("--offline");
    if (o->no_cache_dir) *vec_push(session->arena, argv) = S("--no-cache-dir");
}

/* What may be built, and how, as it was given. */
static void add_builds(struct session *session, struct words *argv) {
    const struct options *o = session->options;
    for (int32_t i = 0; i < o->build.len; i++) {
        *vec_push(session->arena, argv) = S("--build");
        *vec_push(session->arena, argv) = o->build.items[i];
    }
    if (o->no_build_isolation) *vec_push(session->arena, argv) = S("--no-build-isolation");
    if (o->prove_newest) *vec_push(session->arena, argv) = S("--prove-newest");
}

/* A suggestion must be a command that can be run as it stands, here. */
static void place_suggestions(struct session *session, struct plan *plan) {
    struct plan_suggestion *placed = arena_new(session->arena, struct plan_suggestion, plan->suggestions_len);
    for (int32_t i = 0; i < plan->suggestions_len; i++) {
        struct words argv = {0};
        for (int32_t k = 0; k < plan->suggestions[i].argv_len; k++)
            *vec_push(session->arena, &argv) = plan->suggestions[i].argv[k];
        add_place(session, &argv, !plan->suggestions[i].newer);
        if (str_eq(argv.data[1], S("plan"))) add_builds(session, &argv);
        placed[i] = plan->suggestions[i];
        placed[i].argv = argv.data;
        placed[i].argv_len = (int32_t)argv.len;
    }
    plan->suggestions = placed;
}

/* A layer hides what is below, and removes nothing of it. */
static struct err *check_removals(struct session *session, const struct plan *plan) {
    const struct environment *env = &session->env;
    struct arena *arena = session->arena;
    struct str own = path_join(arena, env->prefix, S(""));
    for (int32_t i = 0; env->layer.of.len && i < plan->changes_len; i++) {
        if (plan->changes[i].action != PLAN_REMOVE) continue;
        for (int32_t k = 0; k < env->dists_len; k++) {
            const struct dist *dist = &env->dists[k];
            if (!str_eq(dist->name, plan->changes[i].name) || str_starts(env->sites[dist->site], own)) continue;
            struct err *err = err_make(arena, ERR_CONFLICT,
                                       "%.*s cannot be removed: %.*s %.*s is in the environment below this layer",
                                       FMT(dist->name), FMT(dist->raw_name), FMT(dist->version.text));
            if (!dist->shadowed)
                return err_hint(arena, err, "a layer adds and hides; what is below it stays as it is and is seen");
            return err_hint(arena, err, "it would be seen again; install the version that is wanted, or unpin undo");
        }
    }
    return NULL;
}

struct err *session_propose(struct session *session, const struct session_request *request, struct plan *ret) {
    TRY(session_open_environment(session));
    TRY(want_of(session, request, &session->want));
    for (int32_t i = 0; i < session->want.notes_len; i++) session_note(session, session->want.notes[i]);
    TRY(session_open_index(session));
    if (session->pool.arena == NULL) session->pool = pool_make(session->arena, &session->env);
    struct want *want = arena_new(session->arena, struct want, 1); /* the plan's own: the next plan has another */
    *want = session->want;
    const struct solve_input input = {
        .env = &session->env,
        .locks = &session->locks,
        .want = want,
        .advisories = &session->advisories,
        .guess = !session->options->prove_newest,
    };
    const struct source source = {
        .self = session, .supply = supply, .supply_url = supply_url, .recall = recall, .keep = keep};
    session_progress(session, S("planning"));
    if (session->options->snapshot.len) TRY(propose_listed(session->arena, &session->pool, &source, &session->env));
    bool learned = true;
    for (int32_t round = 0; round < BUILD_ROUNDS_MAX && learned; round++) {
        struct err *err = propose_plan(session->arena, &input, &session->pool, &source, ret);
        TRY(signals_check(session->arena)); /* then the solver was stopped, and nothing it says is true */
        TRY(err);
        TRY(session_build_unsure(session, ret, &learned));
    }
    session_progress(session, S(""));
    TRY(check_removals(session, ret));
    place_suggestions(session, ret);
    if (session->options->save_case.len == 0) return NULL;
    struct str text = dump_case(session->arena, &input, &session->pool, ret, S("A case that was met."));
    return session_write_file(session, session->options->save_case, text);
}

/* The command that carries a saved plan out. */
static struct str apply_command(struct session *session) {
    struct words argv = {0};
    *vec_push(session->arena, &argv) = S("unpin");
    *vec_push(session->arena, &argv) = S("apply");
    *vec_push(session->arena, &argv) = session->options->output;
    if (session->live) add_place(session, &argv, false);
    return report_mask(session->arena, report_shell(session->arena, argv.data, (int32_t)argv.len));
}

/* The command line again with `install` in place of the command. */
static struct str next_command(struct session *session) {
    const struct options *o = session->options;
    struct words argv = {0};
    if (o->output.len) return apply_command(session);
    struct option_list words = session_words(session);
    *vec_push(session->arena, &argv) = S("unpin");
    *vec_push(session->arena, &argv) = S("install");
    for (int32_t i = 0; i < words.len; i++) *vec_push(session->arena, &argv) = words.items[i];
    const struct {
        const char *name;
        const struct option_list *values;
    } lists[] = {{"-e", &o->editable},         {"-r", &o->files},
                 {"-c", &o->constraint_files}, {"--remove", &o->remove},
                 {"--keep", &o->keep},         {"--replace", &o->replace},
                 {"--no-lift", &o->no_lift},   {"--ignore-advisory", &o->ignore_advisories},
                 {"--build", &o->build}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (int32_t k = 0; k < lists[i].values->len; k++) {
            *vec_push(session->arena, &argv) = str_of(lists[i].name);
            *vec_push(session->arena, &argv) = lists[i].values->items[k];
        }
    }
    for (int32_t i = 0; i < o->formats.len; i++)
        *vec_push(session->arena, &argv) = str_format(session->arena, "--%.*s", FMT(o->formats.items[i]));
    const struct {
        const char *name;
        bool given;
    } flags[] = {{"-U", o->upgrade},
                 {"--pre", o->pre},
                 {"--no-build", o->no_build},
                 {"--no-build-isolation", o->no_build_isolation},
                 {"--no-allowances", o->no_allowances},
                 {"--no-lifts", o->no_lifts},
                 {"--allow-stale", o->allow_stale},
                 {"--prove-newest", o->prove_newest}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].given) *vec_push(session->arena, &argv) = str_of(flags[i].name);
    if (session->live) add_place(session, &argv, true);
    return report_mask(session->arena, report_shell(session->arena, argv.data, (int32_t)argv.len));
}

/* Why `install` would refuse to change the environment, if it would: a plan that is saved, or made in a layer, is none
 * of its own. */
static struct str obstacle_of(struct session *session, const struct plan *plan) {
    const struct options *o = session->options;
    const struct apply_options options = {.break_system_packages = o->break_system_packages};
    const struct apply_input input = {session->fs, proc_real(), session->index, plan, &options};
    if (session->env.layer.coming || o->output.len) return S("");
    const struct err *err = apply_allowed(session->arena, &input);
    return err ? str_format(session->arena, "%.*s: 'unpin install' needs --into DIR here, which makes a layer",
                            FMT(err->what))
               : S("");
}

/* What stands in for an index that does not answer is told, with its age. */
static void tell_old_pages(struct session *session, struct words *notes) {
    struct index_stats stats = session->index ? index_stats(session->index) : (struct index_stats){0};
    time_t oldest = (time_t)stats.oldest;
    struct tm parts;
    char since[TIME_MAX];
    if (stats.old_pages == 0 || !gmtime_r(&oldest, &parts)) return;
    if (strftime(since, sizeof since, "%Y-%m-%d %H:%MZ", &parts) == 0) return;
    struct str pages = report_count(session->arena, stats.old_pages, "page", "pages");
    *vec_push(session->arena, notes) =
        str_format(session->arena, "the index does not answer: %.*s of the cache stand in for it, the oldest of %s",
                   FMT(pages), since);
}

struct report_extra session_extra(struct session *session, const struct plan *plan) {
    struct report_extra extra = {.command = session->command, .scan_us = session->scan_us};
    struct words notes = {0};
    if (session->index && index_stats(session->index).used_recorded)
        *vec_push(session->arena, &notes) =
            S("planned from recorded answers of the index, without asking it; they may be older than what it has now");
    tell_old_pages(session, &notes);
    if (session->catalog.len == 0)
        *vec_push(session->arena, &notes) = S("no catalog was found: combinations that are known to fail are not "
                                              "avoided (UNPIN_CATALOG names its directory)");
    if (session->locks.problems_len > 0)
        *vec_push(session->arena, &notes) =
            str_format(session->arena, "%d lines of the lock are kept but not understood (unpin locks -v)",
                       session->locks.problems_len);
    int32_t names_len = 0, problems_len = 0;
    const struct str *names = session_tell_names(session, plan, &names_len);
    for (int32_t i = 0; i < names_len; i++) *vec_push(session->arena, &notes) = names[i];
    const struct str *problems = session->index ? index_problems(session->index, &problems_len) : NULL;
    for (int32_t i = 0; session->options->verbose && i < problems_len; i++)
        *vec_push(session->arena, &notes) = problems[i];
    extra.total_us = session_clock_us() - session->started_us;
    bool offers = str_eq(session->command, S("plan")) && plan->status == PLAN_FEASIBLE;
    struct str obstacle = offers && session->live ? obstacle_of(session, plan) : S("");
    if (obstacle.len) *vec_push(session->arena, &notes) = obstacle;
    extra.notes = notes.data;
    extra.notes_len = (int32_t)notes.len;
    if (offers) extra.next = next_command(session);
    if (obstacle.len) extra.next = str_format(session->arena, "%.*s --into layer", FMT(extra.next));
    if (offers && !session->live) extra.next = str_format(session->arena, "in the image: %.*s", FMT(extra.next));
    return extra;
}

void session_close(struct session *session) {
    if (session->index) index_close(session->index);
    session->index = NULL;
    cache_leave(session->cache_use);
    session->cache_use = -1;
    if (session->builds.scratch.len == 0) return;
    scratch_close(session->arena, session->builds.scratch);
    session->builds.scratch = S("");
    (void)signals_release(&session->builds.signals);
}
