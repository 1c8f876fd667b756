/* unpin cache - what is kept on disk to be quick or offline, and making it less. */
#include "face/command.h"

#include "base/arena.h"
#include "pypa/simple.h"
#include "stage/cache.h"

#include <limits.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

/* What was asked for, and what was done. */
struct job {
    struct str dir;
    int64_t most; /* the bound that is configured */
    struct str source;
    struct cache cache;
    struct cache_sum freed[CACHE_KINDS];
};

/* "2026-11-21" of a time in nanoseconds; with `whole` the time of day too. */
static struct str date_of(struct arena *arena, int64_t ns, bool whole) {
    struct str date = simple_date_format(arena, ns / NS_PER_S);
    return whole ? date : str_slice(date, 0, str_find_char(date, 'T'));
}

static void write_kinds(struct json_writer *w, const struct cache_sum *kinds, bool uses) {
    json_key(w, S("kinds"));
    json_begin_array(w);
    for (int i = 0; i < CACHE_KINDS; i++) {
        json_begin_object(w);
        json_key_string(w, S("kind"), cache_kind_name((enum cache_kind)i));
        json_key_int(w, S("files"), kinds[i].files);
        json_key_int(w, S("bytes"), kinds[i].bytes);
        json_key_int(w, S("shared"), kinds[i].shared);
        if (uses && kinds[i].files) {
            json_key_string(w, S("oldest_use"), date_of(w->buf->arena, kinds[i].oldest_ns, true));
            json_key_string(w, S("newest_use"), date_of(w->buf->arena, kinds[i].newest_ns, true));
        }
        json_end_object(w);
    }
    json_end_array(w);
}

static void print_json(struct session *session, const struct job *job, bool removed) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    struct cache_sum freed = cache_sum(job->freed);
    report_begin_json(&w, session->command, S("ok"));
    json_key_string(&w, S("directory"), job->dir);
    json_key_int(&w, S("bytes"), job->cache.sum.bytes - freed.bytes);
    json_key_int(&w, S("files"), job->cache.sum.files - freed.files);
    json_key_int(&w, S("strange"), job->cache.strange);
    if (job->most != INT64_MAX) json_key_int(&w, S("max_bytes"), job->most);
    json_key_string(&w, S("max_source"), job->source);
    if (removed) {
        json_key(&w, S("freed"));
        json_begin_object(&w);
        json_key_int(&w, S("bytes"), freed.bytes);
        json_key_int(&w, S("files"), freed.files);
        write_kinds(&w, job->freed, false);
        json_end_object(&w);
    } else {
        write_kinds(&w, job->cache.kinds, true);
    }
    session_print(session, report_end_json(&w));
}

static void tell_strange(struct session *session, const struct job *job) {
    if (job->cache.strange == 0) return;
    session_note(session,
                 str_format(session->arena, "note: %.*s in the cache %s not as unpin makes them, and left alone",
                            FMT(report_count(session->arena, job->cache.strange, "thing", "things")),
                            job->cache.strange == 1 ? "is" : "are"));
}

static void print_info(struct session *session, const struct job *job) {
    struct arena *arena = session->arena;
    struct buf buf = {.arena = arena};
    enum { COLUMNS = 4 };
    struct str cells[CACHE_KINDS * COLUMNS];
    int32_t len = 0;
    struct str bound = job->most == INT64_MAX ? S("no bound") : report_size(arena, job->most);
    report_title(&buf, &session->look, str_format(arena, "cache %.*s", FMT(job->dir)));
    for (int i = 0; i < CACHE_KINDS; i++) {
        const struct cache_sum *sum = &job->cache.kinds[i];
        if (sum->files == 0) continue;
        struct str from = date_of(arena, sum->oldest_ns, false), to = date_of(arena, sum->newest_ns, false);
        struct str *row = &cells[COLUMNS * len++];
        row[0] = cache_kind_name((enum cache_kind)i);
        row[1] = report_size(arena, sum->bytes);
        row[2] = report_count(arena, sum->files, "file", "files");
        if (sum->shared)
            row[2] = str_format(arena, "%.*s, %lld of an environment too", FMT(row[2]), (long long)sum->shared);
        row[3] = str_format(arena, str_eq(from, to) ? "used %.*s" : "used %.*s to %.*s", FMT(from), FMT(to));
    }
    report_table(&buf, &session->look, cells, len, COLUMNS, (const char *const[]){"1", "", "", "2"});
    buf_addf(&buf, "  %.*s in all; cache-max-size: %.*s (", FMT(report_size(arena, job->cache.sum.bytes)), FMT(bound));
    term_escape(&buf, job->source);
    buf_add(&buf, S(")\n"));
    session_print(session, buf_str(&buf));
}

static void print_freed(struct session *session, const struct job *job) {
    struct arena *arena = session->arena;
    struct cache_sum freed = cache_sum(job->freed);
    struct buf buf = {.arena = arena};
    buf_addf(&buf, "Freed %.*s", FMT(report_size(arena, freed.bytes)));
    const char *sep = ": ";
    for (int i = 0; i < CACHE_KINDS; i++) {
        if (job->freed[i].files == 0) continue;
        buf_addf(&buf, "%s%.*s %.*s (%.*s)", sep, FMT(cache_kind_name((enum cache_kind)i)),
                 FMT(report_size(arena, job->freed[i].bytes)),
                 FMT(report_count(arena, job->freed[i].files, "file", "files")));
        sep = ", ";
    }
    buf_addf(&buf, ". %.*s left.\n", FMT(report_size(arena, job->cache.sum.bytes - freed.bytes)));
    session_print(session, buf_str(&buf));
}

/* "30d", "12h", "2w", or a number of days, as seconds. */
static struct err *age_of(struct session *session, struct str text, int64_t *ret) {
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'d', 86400}, {'h', 3600}, {'w', 7 * 86400}};
    enum { NUMBER_MAX = 1000000 };
    int64_t number = 0, unit = units[0].seconds;
    struct str digits = text;
    for (size_t i = 0; text.len && i < sizeof units / sizeof *units; i++) {
        if (text.data[text.len - 1] != units[i].letter) continue;
        unit = units[i].seconds;
        digits.len--;
    }
    if (!str_to_int(digits, &number) || number > NUMBER_MAX)
        return err_hint(session->arena,
                        err_make(session->arena, ERR_USAGE, "--older-than: '%.*s' is no age", FMT(text)),
                        "write 30d, 12h or 2w");
    *ret = number * unit;
    return NULL;
}

static struct err *prune(struct session *session, struct job *job) {
    const struct options *o = session->options;
    struct cache_terms terms = {.most = job->most, .before_ns = INT64_MIN};
    if (o->max_size.len) TRY(session_size(session->arena, o->max_size, S("--max-size"), &terms.most));
    else if (o->older_than.len) terms.most = INT64_MAX;
    if (o->older_than.len) {
        int64_t age = 0;
        TRY(age_of(session, o->older_than, &age));
        terms.before_ns = ((int64_t)time(NULL) - age) * NS_PER_S;
    }
    TRY(cache_read(session->arena, job->dir, &job->cache));
    return cache_prune(session->arena, &job->cache, &terms, job->freed);
}

static struct err *clear(struct session *session, struct str word, struct job *job) {
    struct str project = {0};
    if (word.len) TRY(want_parse_name(session->arena, word, &project));
    TRY(cache_read(session->arena, job->dir, &job->cache));
    return cache_clear(session->arena, session->fs, &job->cache, project, job->freed);
}

/* Which directory; the cache of others, or that others may write to, is none of ours. */
static struct err *find_cache(struct session *session, struct job *job) {
    struct arena *arena = session->arena;
    struct str why;
    TRY(session_read_config(session));
    TRY(session_cache_most(session, &job->most, &job->source));
    job->dir = session_cache_dir(session);
    if (job->dir.len == 0)
        return err_hint(
            arena,
            err_make(arena, ERR_CONFIG, "there is no cache: no-cache-dir is set, or neither HOME nor UNPIN_CACHE_DIR"),
            "--cache-dir names one; `unpin config` shows what is set");
    if (store_is_private(arena, job->dir, &why)) return NULL;
    return err_hint(arena, err_make(arena, ERR_PERMISSION, "the cache %.*s is not used: %.*s", FMT(job->dir), FMT(why)),
                    "its owner may look at it and clear it");
}

static struct err *remove_some(struct session *session, struct str verb, struct str word, struct job *job) {
    int use = -1;
    TRY(cache_own(session->arena, job->dir, &use));
    struct err *err = str_eq(verb, S("prune")) ? prune(session, job) : clear(session, word, job);
    cache_leave(use);
    return err;
}

struct err *cmd_cache(struct session *session, int *ret_status) {
    (void)ret_status;
    const struct options *o = session->options;
    const struct option_list words = session_words(session);
    struct str verb = words.len ? words.items[0] : S("info");
    bool info = str_eq(verb, S("info")), is_prune = str_eq(verb, S("prune")), is_clear = str_eq(verb, S("clear"));
    struct job job = {.most = INT64_MAX};
    if (!(info || is_prune || is_clear) || words.len > (is_clear ? 2 : 1))
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "cache takes info, prune, or clear [NAME]"),
                        "for example: unpin cache prune --max-size 5G");
    if ((o->max_size.len || o->older_than.len) && !is_prune)
        return err_make(session->arena, ERR_USAGE, "--max-size and --older-than are for cache prune");
    TRY(find_cache(session, &job));
    if (info) TRY(cache_read(session->arena, job.dir, &job.cache));
    else TRY(remove_some(session, verb, words.len > 1 ? words.items[1] : S(""), &job));
    if (o->json) print_json(session, &job, !info);
    else if (info) print_info(session, &job);
    else print_freed(session, &job);
    tell_strange(session, &job);
    return NULL;
}
