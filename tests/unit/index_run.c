/*
 * index_run - the index alone, for tests and measurements: fetches what it is told and says what it got.
 *
 *   index_run [--python V] [--offline] [--refresh] [--only-binary] [--recorded DIR] [--record DIR] [--index-url URL]
 *             [--metadata-all N] WORD…
 *
 * A WORD is a project's name (its page), name==version (page and metadata), a URL or path (index_supply_url), or
 * NAME==VERSION:PATH (download to PATH). --metadata-all N fetches metadata of N releases of each project as well. One
 * JSON document comes out; the configuration is that of the environment variables.
 */
#include "base/arena.h"
#include "base/json.h"
#include "pypa/name.h"
#include "stage/index_parts.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct run {
    struct arena *arena;
    struct index *index;
    struct pool pool;
    struct json_writer out;
    int64_t metadata_all;
};

/* Wall clock and CPU time of this process. */
static int64_t clock_us(clockid_t which) {
    struct timespec now;
    (void)clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void write_metadata(struct json_writer *out, const struct metadata *metadata) {
    json_key(out, S("requires"));
    json_begin_array(out);
    for (int32_t i = 0; i < metadata->requires_len; i++) json_string(out, metadata->requires_dist[i].text);
    json_end_array(out);
}

static void write_release(struct json_writer *out, const struct release *release) {
    json_begin_object(out);
    json_key_string(out, S("version"), release->version.text);
    json_key_string(out, S("filename"), release->artifact.filename);
    json_key_string(out, S("url"), release->artifact.url);
    json_key_string(out, S("sha256"), release->artifact.sha256);
    json_key_int(out, S("size"), release->artifact.size);
    json_key_int(out, S("bars"), release->bars);
    json_key_bool(out, S("yanked"), release->yanked);
    json_key_string(out, S("yanked_reason"), release->yanked_reason);
    json_key_bool(out, S("prerelease"), release->prerelease);
    if (release->uploaded != INT64_MIN) json_key_int(out, S("uploaded"), release->uploaded);
    json_key_int(out, S("meta_state"), release->meta_state);
    if (release->metadata) write_metadata(out, release->metadata);
    json_end_object(out);
}

static struct err *supply_pages(struct run *run, char **words, int len) {
    struct need *needs = arena_new(run->arena, struct need, len);
    int32_t n = 0;
    for (int i = 0; i < len; i++) {
        struct str word = str_of(words[i]);
        if (str_find_char(word, '/') >= 0 && str_find(word, S("==")) < 0) continue;
        ptrdiff_t pin = str_find(word, S("=="));
        struct str name = name_normalize(run->arena, pin < 0 ? word : str_slice(word, 0, pin));
        struct project_id id = pool_project(&run->pool, name);
        bool known = false;
        for (int32_t j = 0; j < n; j++) known = known || needs[j].project.n == id.n;
        if (!known) needs[n++] = (struct need){id, -1};
    }
    return index_supply(run->index, &run->pool, &(struct needs){needs, n});
}

/* name==version[:path] of a word: the release, NULL where there is none. */
static struct release *find_release(struct run *run, struct str word, struct need *need, struct str *path) {
    ptrdiff_t pin = str_find(word, S("=="));
    if (pin < 0) return NULL;
    *path = str_from(word, pin + 2);
    struct str text = str_cut(path, ':');
    struct version version;
    struct project *project = pool_find(&run->pool, name_normalize(run->arena, str_slice(word, 0, pin)));
    if (!project || !version_try_parse(run->arena, text, &version)) return NULL;
    int32_t at = project_find(project, &version);
    if (at < 0) return NULL;
    *need = (struct need){{(int32_t)(project - run->pool.projects.data)}, at};
    return &project->releases[at];
}

static struct err *supply_metadata(struct run *run, char **words, int len) {
    VEC(struct need) needs = {0};
    for (int i = 0; i < len; i++) {
        struct need need;
        struct str path;
        if (find_release(run, str_of(words[i]), &need, &path) && !path.len) *vec_push(run->arena, &needs) = need;
    }
    for (ptrdiff_t i = 0; i < run->pool.projects.len && run->metadata_all; i++) {
        const struct project *project = &run->pool.projects.data[i];
        int64_t left = run->metadata_all;
        for (int32_t j = project->releases_len - 1; j >= 0 && left > 0; j--) {
            if (project->releases[j].bars || project->releases[j].artifact.sdist) continue;
            *vec_push(run->arena, &needs) = (struct need){{(int32_t)i}, j};
            left--;
        }
    }
    return index_supply(run->index, &run->pool, &(struct needs){needs.data, (int32_t)needs.len});
}

static struct err *supply_rest(struct run *run, char **words, int len) {
    VEC(const struct artifact *) artifacts = {0};
    VEC(struct str) paths = {0};
    for (int i = 0; i < len; i++) {
        struct str word = str_of(words[i]), path;
        struct need need;
        const struct release *release = find_release(run, word, &need, &path);
        if (release && path.len) {
            *vec_push(run->arena, &artifacts) = &release->artifact;
            *vec_push(run->arena, &paths) = path;
        }
        if (release || str_find_char(word, '/') < 0) continue;
        struct project_id id;
        int32_t at;
        TRY(index_supply_url(run->index, &run->pool, word, (struct str){0}, &id, &at));
    }
    return index_download_all(run->index, artifacts.data, paths.data, (int32_t)paths.len, NULL);
}

static void write_pool(struct run *run) {
    json_key(&run->out, S("projects"));
    json_begin_object(&run->out);
    for (ptrdiff_t i = 0; i < run->pool.projects.len; i++) {
        const struct project *project = &run->pool.projects.data[i];
        json_key(&run->out, project->name);
        json_begin_object(&run->out);
        json_key_int(&run->out, S("page"), project->page);
        json_key(&run->out, S("releases"));
        json_begin_array(&run->out);
        for (int32_t j = 0; j < project->releases_len; j++) write_release(&run->out, &project->releases[j]);
        json_end_array(&run->out);
        json_end_object(&run->out);
    }
    json_end_object(&run->out);
}

static void add_line(struct buf *buf, const char *name, struct str value, struct str source) {
    struct str masked = http_mask(buf->arena, value);
    buf_addf(buf, "%s = %.*s  (%.*s)\n", name, FMT(masked), FMT(source));
}

static void add_lines(struct buf *buf, const char *name, const struct str *items, int32_t len, struct str source) {
    for (int32_t i = 0; i < len; i++) add_line(buf, name, items[i], source);
}

static void add_setting(struct buf *buf, const char *name, const struct config_setting *setting) {
    add_lines(buf, name, setting->items, setting->len, setting->source);
}

/* What is in force and where it comes from, one "name = value  (source)" per line, credentials masked. */
static struct str config_format(struct arena *arena, const struct index *index) {
    const struct index_options *options = &index->options;
    const struct config *config = options->config;
    struct buf buf = {.arena = arena};
    struct str command = S("command line");
    if (!options->no_index) {
        add_lines(&buf, "index-url", options->index_urls, options->index_urls_len, command);
        if (!options->index_urls_len) {
            add_setting(&buf, "index", &config->uv_index);
            add_setting(&buf, "index-url", &config->index_url);
        }
        add_lines(&buf, "extra-index-url", options->extra_index_urls, options->extra_index_urls_len, command);
        add_setting(&buf, "extra-index-url", &config->extra_index_url);
    }
    add_lines(&buf, "find-links", options->find_links, options->find_links_len, command);
    add_setting(&buf, "find-links", &config->find_links);
    if (options->no_index)
        add_line(&buf, "no-index", S("true"), config->no_index.len ? config->no_index.source : command);
    if (options->offline) add_line(&buf, "offline", S("true"), config->offline.len ? config->offline.source : command);
    add_setting(&buf, "index-strategy", &config->index_strategy);
    add_setting(&buf, "cert", &config->cert);
    add_setting(&buf, "client-cert", &config->client_cert);
    add_setting(&buf, "keyring-provider", &config->keyring_provider);
    if (config->proxy.len) add_setting(&buf, "proxy", &config->proxy);
    if (!config->proxy.len) add_setting(&buf, "proxy (http)", &config->proxy_http);
    if (!config->proxy.len) add_setting(&buf, "proxy (https)", &config->proxy_https);
    add_setting(&buf, "no-proxy", &config->no_proxy);
    add_setting(&buf, "trusted-host", &config->trusted_host);
    add_setting(&buf, "timeout", &config->timeout);
    add_setting(&buf, "total-timeout", &config->total_timeout);
    add_setting(&buf, "retries", &config->retries);
    add_setting(&buf, "constraint", &config->constraint);
    if (index->cache.len) add_line(&buf, "cache", index->cache, options->cache_dir.len ? command : S("default"));
    if (options->recorded.len) add_line(&buf, "recorded", options->recorded, S("serves without a network"));
    for (int32_t i = 0; i < config->pins_len; i++)
        add_line(&buf, "index-url",
                 str_format(arena, "%.*s for %.*s", FMT(config->pins[i].url), FMT(config->pins[i].project)),
                 config->pins[i].source);
    for (int32_t i = 0; i < config->files_len; i++)
        add_line(&buf, "read", config->files[i], str_ends(config->files[i], S(".conf")) ? S("pip") : S("uv"));
    return buf_str(&buf);
}

static void write_rest(struct run *run, const struct err *err, const int64_t *us) {
    struct index_stats stats = run->index ? index_stats(run->index) : (struct index_stats){0};
    int32_t problems_len = 0;
    const struct str *problems = run->index ? index_problems(run->index, &problems_len) : NULL;
    json_key_strings(&run->out, S("problems"), problems, problems_len);
    json_key_int(&run->out, S("requests"), stats.requests);
    json_key_int(&run->out, S("bytes"), stats.bytes);
    json_key_bool(&run->out, S("used_recorded"), stats.used_recorded);
    json_key_int(&run->out, S("pages_us"), us[1] - us[0]);
    json_key_int(&run->out, S("metadata_us"), us[2] - us[1]);
    json_key_int(&run->out, S("pages_cpu_us"), us[4] - us[3]);
    json_key_int(&run->out, S("metadata_cpu_us"), us[5] - us[4]);
    if (run->index) json_key_string(&run->out, S("config"), config_format(run->arena, run->index));
    if (err) {
        json_key_string(&run->out, S("error"), err_name(err->kind));
        json_key_string(&run->out, S("text"), err_format(run->arena, err));
        json_key_string(&run->out, S("hint"), err->hint);
    }
}

/* "name==version": all that is installed. */
static void add_installed(struct arena *arena, struct str word, struct environment *env) {
    ptrdiff_t pin = str_find(word, S("=="));
    struct dist *dist = arena_new(arena, struct dist, 1);
    if (pin < 0) return;
    *dist = (struct dist){.name = name_normalize(arena, str_slice(word, 0, pin)), .raw_name = str_slice(word, 0, pin)};
    dist->version_valid = version_try_parse(arena, str_from(word, pin + 2), &dist->version);
    env->dists = dist;
    env->dists_len = 1;
    map_add(arena, &env->by_name, dist->name, 0);
}

static struct environment make_environment(struct arena *arena, struct str python) {
    struct environment env = {0};
    const struct str *platforms = NULL;
    int32_t platforms_len = 0;
    struct err *err = tags_platforms_make(arena, S("linux_x86_64"), 36, &platforms, &platforms_len);
    struct str rest = python;
    int64_t major = 3, minor = 12;
    (void)str_to_int(str_cut(&rest, '.'), &major);
    (void)str_to_int(str_cut(&rest, '.'), &minor);
    struct str abi = str_format(arena, "cp%lld%lld", (long long)major, (long long)minor);
    struct tags_input input = {(int32_t)major, (int32_t)minor, S("cp"), &abi, 1, platforms, err ? 0 : platforms_len};
    env.tags = tags_make(arena, &input);
    env.markers.python_full_version = python;
    return env;
}

int main(int argc, char **argv) {
    struct arena *arena = arena_open();
    struct run run = {.arena = arena};
    struct index_options options = {0};
    struct want want = {.exclude_newer = INT64_MAX};
    struct str python = S("3.12.3"), url = {0}, installed = {0};
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        struct str name = str_of(argv[at]), value = str_of(at + 1 < argc ? argv[at + 1] : "");
        bool flag = true;
        if (str_eq(name, S("--offline"))) options.offline = true;
        else if (str_eq(name, S("--refresh"))) options.refresh = true;
        else if (str_eq(name, S("--only-binary"))) want.only_binary.all = true;
        else flag = false;
        if (str_eq(name, S("--python"))) python = value;
        if (str_eq(name, S("--installed"))) installed = value;
        if (str_eq(name, S("--recorded"))) options.recorded = value;
        if (str_eq(name, S("--record"))) options.record_dir = value;
        if (str_eq(name, S("--index-url"))) url = value;
        if (str_eq(name, S("--metadata-all"))) (void)str_to_int(value, &run.metadata_all);
        if (!flag) at++;
    }
    struct environment env = make_environment(arena, python);
    add_installed(arena, installed, &env);
    struct config_variables variables = config_variables_make(arena, environ);
    struct config config;
    int64_t us[6] = {0};
    char here[PATH_MAX];
    if (getcwd(here, sizeof here)) variables.directory = str_of(here);
    options.proc = proc_real();
    options.variables = &variables;
    options.config = &config;
    options.env = &env;
    options.want = &want;
    if (url.len) options.index_urls = &url, options.index_urls_len = 1;
    run.pool = pool_make(arena, &env);
    struct err *err = config_read(arena, fs_real(), (struct str){0}, &variables, &config);
    if (!err) err = index_open(arena, fs_real(), &options, &run.index);
    us[0] = us[1] = us[2] = clock_us(CLOCK_MONOTONIC);
    us[3] = us[4] = us[5] = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    if (!err) err = supply_pages(&run, argv + at, argc - at);
    us[1] = us[2] = clock_us(CLOCK_MONOTONIC);
    us[4] = us[5] = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    if (!err) err = supply_metadata(&run, argv + at, argc - at);
    us[2] = clock_us(CLOCK_MONOTONIC);
    us[5] = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    if (!err) err = supply_rest(&run, argv + at, argc - at);
    struct buf buf = {.arena = arena};
    run.out = (struct json_writer){.buf = &buf, .indent = 1};
    json_begin_object(&run.out);
    write_pool(&run);
    write_rest(&run, err, us);
    json_end_object(&run.out);
    (void)fwrite(buf.data, 1, (size_t)buf.len, stdout);
    int status = err ? err_exit_status(err->kind) : 0;
    index_close(run.index);
    arena_close(arena);
    return status;
}
