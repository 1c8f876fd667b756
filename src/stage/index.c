#include "stage/index_parts.h"

#include "base/arena.h"

#include <time.h>

static int64_t clock_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void index_problem(struct index *index, struct str sentence) {
    if (index->problems.len < INDEX_PROBLEMS_MAX) *vec_push(index->arena, &index->problems) = sentence;
}

void index_progress(struct index *index, struct str what, int64_t done, int64_t total) {
    if (index->options.progress) index->options.progress(index->options.progress_self, what, done, total);
}

/* "cp312" of "3.12.3". */
static struct str cpython_tag(struct arena *arena, struct str full_version) {
    struct str rest = full_version, major = str_cut(&rest, '.'), minor = str_cut(&rest, '.');
    return str_format(arena, "cp%.*s%.*s", FMT(major), FMT(minor));
}

struct err *index_open(struct arena *arena, const struct fs *fs, const struct index_options *options,
                       struct index **ret) {
    struct index *index = arena_new(arena, struct index, 1);
    index->arena = arena;
    index->fs = fs;
    index->options = *options;
    index->now = (int64_t)time(NULL);
    struct str python = options->env->markers.python_full_version;
    if (!version_try_parse(arena, python, &index->python))
        return err_make(arena, ERR_USAGE, "\"%.*s\" is no version of Python", FMT(str_slice(python, 0, 80)));
    index->cpython = cpython_tag(arena, python);
    struct str strategy = config_text(&options->config->index_strategy);
    if (strategy.len && !str_eq(strategy, S("first-index")) && !str_eq(strategy, S("unsafe-best-match"))) {
        struct err *err = err_make(arena, ERR_CONFIG, "index-strategy \"%.*s\" (%.*s) is not known",
                                   FMT(str_slice(strategy, 0, 80)), FMT(options->config->index_strategy.source));
        return err_hint(arena, err, "first-index or unsafe-best-match");
    }
    index->scratch = arena_open();
    index_config_apply(index);
    *ret = index;
    return NULL;
}

void index_http_drop(struct index *index) {
    if (!index->http) return;
    index->stats.requests += http_requests(index->http);
    index->stats.bytes += http_received(index->http);
    http_close(index->http);
    index->http = NULL;
}

void index_close(struct index *index) {
    if (!index) return;
    index_http_drop(index);
    arena_close(index->scratch);
}

struct http_options index_http_options(const struct config *config) {
    int64_t timeout = config_number(&config->timeout, 0), retries = config_number(&config->retries, -1);
    int64_t total = config_number(&config->total_timeout, 0);
    return (struct http_options){
        .cert = config_text(&config->cert),
        .client_cert = config_text(&config->client_cert),
        .proxy_http = config_text(&config->proxy_http),
        .proxy_https = config_text(&config->proxy_https),
        .no_proxy = config_text(&config->no_proxy),
        .netrc = config->netrc,
        .trusted_hosts = config->trusted_host.items,
        .trusted_hosts_len = config->trusted_host.len,
        .timeout_s = timeout < INT32_MAX ? (int32_t)timeout : 0,
        .total_s = total < INT32_MAX ? (int32_t)total : 0,
        .retries = retries < 100 ? (int32_t)retries : 100,
    };
}

struct err *index_http(struct index *index) {
    if (index->http) return NULL;
    const struct config *config = index->options.config;
    struct http_options options = index_http_options(config);
    options.login = index_login;
    options.login_self = index;
    options.tick = index_download_tick;
    options.tick_self = index;
    if (index->cache.len) options.spool = str_slice(index->cache, 0, index->cache.len - S("/" INDEX_CACHE).len);
    for (int32_t i = 0; i < index->places_len; i++) TRY(index_check_secure(index, index->places[i]));
    for (int32_t i = 0; i < config->pins_len; i++) TRY(index_check_secure(index, config->pins[i].url));
    for (int32_t i = 0; i < index->links_len; i++) TRY(index_check_secure(index, index->links[i]));
    TRY(http_open(index->arena, &options, &index->http));
    for (int32_t i = 0; i < index->places_len; i++) http_know(index->http, index->places[i]);
    for (int32_t i = 0; i < config->pins_len; i++) http_know(index->http, config->pins[i].url);
    for (int32_t i = 0; i < index->links_len; i++) http_know(index->http, index->links[i]);
    return NULL;
}

struct err *index_answer_err(struct index *index, const struct http_response *response, struct str url) {
    struct arena *arena = index->arena;
    if (response->err) return response->err;
    struct str masked = http_mask(arena, url);
    struct err *err = err_make(arena, ERR_INDEX, "%.*s: the server answers %d", FMT(masked), response->status);
    if (response->status == 401 || response->status == 403 || response->status == 407)
        return err_hint(arena, err,
                        "it wants credentials, or refuses those it got: put them into ~/.netrc or the URL of the "
                        "index (https://user:password@host/simple)");
    if (response->retry_after > 0)
        return err_hint(arena, err, "it asks to come again in %lld seconds", (long long)response->retry_after);
    if (response->status == 429 || response->status >= 500)
        return err_hint(arena, err, "it was asked more than once; try again later, or with --offline from the cache");
    return err_hint(arena, err, "`unpin config` shows which index is used and where that is configured");
}

/* All documents at once: which of them need how many turns differs. */
static struct err *supply(struct index *index, struct pool *pool, const struct needs *needs) {
    struct index_pages *pages;
    struct index_files *files;
    struct http_response response;
    TRY(index_pages_begin(index, pool, needs, &pages));
    TRY(index_files_begin(index, pool, needs, &files));
    while (index_files_open(index, pool, files) + index_pages_open(pages) > 0 && http_next(index->http, &response)) {
        if (response.tag == INDEX_TAG_PAGE) TRY(index_pages_settle(index, pool, pages, &response));
        else index_files_settle(index, pool, files, &response);
    }
    TRY(index_pages_end(index, pool, pages));
    return index_files_end(index, pool, files);
}

struct err *index_supply(struct index *index, struct pool *pool, const struct needs *needs) {
    int64_t begin = clock_us();
    index->stats.rounds++;
    struct err *err = supply(index, pool, needs);
    index->stats.us += clock_us() - begin;
    if (err) index_http_drop(index);
    return err;
}

struct index_stats index_stats(const struct index *index) {
    struct index_stats stats = index->stats;
    if (index->http) {
        stats.requests += http_requests(index->http);
        stats.bytes += http_received(index->http);
    }
    return stats;
}

const struct str *index_problems(const struct index *index, int32_t *ret_len) {
    *ret_len = (int32_t)index->problems.len;
    return index->problems.data;
}
