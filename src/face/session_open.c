/* Which environment, which lock, which advisories. */
#include "face/session.h"

#include "base/arena.h"
#include "os/mapping.h"
#include "os/store.h"
#include "stage/cache.h"
#include "stage/catalog.h"
#include "stage/history.h"
#include "stage/layer.h"
#include "stage/scan.h"
#include "stage/snapshot.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

extern char **environ;

enum { LINK_MAX_LEN = 4096 };

/* The directory of the catalog; empty if there is none, which only matters to those who name an image. */
static struct str find_catalog(struct session *session) {
    char link[LINK_MAX_LEN];
    ssize_t len = readlink("/proc/self/exe", link, sizeof link);
    struct str program = {link, len > 0 && len < (ssize_t)sizeof link ? len : 0};
    struct str folder = str_copy(session->arena, str_slice(program, 0, str_find_last(program, '/')));
    struct str found = S("");
    struct err *none = catalog_find(session->arena, session->fs, str_of(getenv("UNPIN_CATALOG")), folder, &found);
    return none ? S("") : found;
}

struct err *session_open_catalog(struct session *session) {
    if (session->catalog.len == 0) session->catalog = find_catalog(session);
    if (session->catalog.len) return NULL;
    struct err *err = err_make(session->arena, ERR_CONFIG, "the catalog of images is not there");
    return err_hint(session->arena, err, "UNPIN_CATALOG names its directory; `make install` puts it in place");
}

struct str session_cache_dir(const struct session *session) {
    if (session->cache_refused) return (struct str){0};
    return session->options->cache_dir.len ? session->options->cache_dir : session->config.cache_dir;
}

/* The options of the command line that stand over the configuration. */
static const struct config_given *given_of(struct arena *arena, const struct options *o, int32_t *ret_len) {
    const struct config_given texts[] = {
        {S("proxy"), o->proxy},
        {S("cert"), o->cert},
        {S("client-cert"), o->client_cert},
        {S("keyring-provider"), o->keyring_provider},
        {S("index-strategy"), o->index_strategy},
        {S("timeout"), o->timeout},
        {S("retries"), o->retries},
    };
    const int32_t texts_len = (int32_t)(sizeof texts / sizeof *texts);
    struct config_given *given = arena_new(arena, struct config_given, texts_len + o->trusted_hosts.len);
    int32_t len = 0;
    for (int32_t i = 0; i < texts_len; i++)
        if (texts[i].value.len) given[len++] = texts[i];
    for (int32_t i = 0; i < o->trusted_hosts.len; i++)
        given[len++] = (struct config_given){S("trusted-host"), o->trusted_hosts.items[i]};
    *ret_len = len;
    return given;
}

/* What others may write is not believed: a page of an index in it decides what is installed. */
static void judge_cache(struct session *session) {
    struct str dir = session_cache_dir(session), why;
    if (session->options->no_cache_dir) session->cache_refused = true;
    else if (dir.len && !store_is_private(session->arena, dir, &why)) {
        session->cache_refused = true;
        session_note(session,
                     str_format(session->arena, "warning: the cache %.*s is not used: %.*s", FMT(dir), FMT(why)));
    }
    if (session->cache_refused) session->config.cache_dir = (struct str){0};
}

static struct err *read_config_alone(struct session *session, struct str prefix) {
    struct config_variables *variables = &session->variables;
    char here[PATH_MAX];
    *variables = config_variables_make(session->arena, environ);
    variables->given = given_of(session->arena, session->options, &variables->given_len);
    if (getcwd(here, sizeof here)) variables->directory = str_copy(session->arena, str_of(here));
    return config_read(session->arena, session->fs, prefix, variables, &session->config);
}

struct err *session_read_config(struct session *session) {
    return read_config_alone(session, S(""));
}

static struct err *read_config(struct session *session, struct str prefix) {
    TRY(read_config_alone(session, prefix));
    judge_cache(session);
    return NULL;
}

struct err *session_cache_most(struct session *session, int64_t *ret, struct str *ret_source) {
    const struct config_setting *setting = &session->config.cache_max_size;
    *ret_source = setting->len ? setting->source : S("default");
    if (setting->len == 0) *ret = CACHE_MOST;
    else if (str_eq(config_text(setting), S("none"))) *ret = INT64_MAX;
    else {
        struct err *err = session_size(session->arena, config_text(setting), setting->source, ret);
        if (err) err->kind = ERR_CONFIG;
        return err;
    }
    return NULL;
}

/* True for what shows no fingerprint and compares none: what changes an environment at once looks itself whether it is
 * still the same. */
static bool needs_no_state(const struct session *session) {
    static const struct str commands[] = {S_INIT("check"), S_INIT("plan"), S_INIT("install"), S_INIT("remove")};
    const struct options *options = session->options;
    bool among = false;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        among = among || str_eq(session->command, commands[i]);
    return among && !options->json && options->output.len == 0;
}

/* The SHA-256 of a text about this environment, from the cache if it was the same last time. Empty without a cache. */
static struct str remembered_digest(struct session *session, const char *what, struct str text) {
    struct str dir = session_cache_dir(session);
    if (dir.len == 0 || text.len == 0 || needs_no_state(session)) return (struct str){0};
    struct str key = store_key(session->arena, session->env.prefix);
    struct str name = str_format(session->arena, "%s-%.*s.sha256", what, FMT(key));
    return store_sha256(session->fs, session->arena, path_join(session->arena, dir, name), text);
}

/* One interpreter of one environment has several names: bin/python, bin/python3, bin/python3.12. */
static bool is_same_python(struct arena *arena, struct str a, struct str b) {
    struct str real_a, real_b;
    struct str dir_a = str_slice(a, 0, str_find_last(a, '/')), dir_b = str_slice(b, 0, str_find_last(b, '/'));
    return str_eq(dir_a, dir_b) && !path_resolve(arena, a, &real_a) && !path_resolve(arena, b, &real_b) &&
           str_eq(real_a, real_b);
}

/* The interpreter to ask: that of a layer that is there, or the one below a layer that is to be made. */
static struct err *find_python(struct session *session, struct scan_options *options) {
    const struct options *o = session->options;
    struct arena *arena = session->arena;
    struct layer layer = {0};
    struct str given;
    if (o->into.len) TRY(layer_find(arena, session->fs, o->into, &layer));
    if (!layer.made) {
        options->into = layer.dir;
        return scan_find_python(arena, o->python, &options->python);
    }
    if (o->python.len) {
        TRY(scan_find_python(arena, o->python, &given));
        TRY(path_absolute(arena, given, &given));
        if (!is_same_python(arena, given, layer.of))
            return err_make(arena, ERR_USAGE, "'%.*s' is a layer over '%.*s', not over '%.*s'", FMT(layer.dir),
                            FMT(layer.of), FMT(given));
    }
    return scan_find_python(arena, layer.dir, &options->python);
}

static struct err *scan(struct session *session) {
    struct scan_options options = {0};
    TRY(read_config(session, S("")));
    options.cache_dir = session_cache_dir(session);
    options.no_state = needs_no_state(session);
    TRY(find_python(session, &options));
    session_progress(session, S("reading the environment"));
    TRY(scan_environment(session->arena, session->fs, proc_real(), &options, &session->env));
    session->env.fingerprint = remembered_digest(session, "state", session->env.state);
    session->live = true;
    const struct environment *env = &session->env;
    return read_config(session, env->layer.coming ? env->layer.below_prefix : env->prefix);
}

/* The lock of an environment on this machine. */
static struct err *open_lock(struct session *session) {
    const struct options *options = session->options;
    const struct environment_layer *layer = &session->env.layer;
    struct config_setting own = {.len = 0};
    if (layer->lock_source.len) {
        struct str *path = arena_new(session->arena, struct str, 1);
        *path = layer_lock_path(session->arena, layer->coming ? layer->below_prefix : session->env.prefix);
        own = (struct config_setting){path, 1, layer->lock_source};
    }
    /* With --into, --lock says which lock the layer starts with. */
    bool given = options->locks.len && !(own.len && options->into.len && !layer->coming);
    TRY(lock_find(session->arena, session->fs, given ? options->locks.items : NULL, given ? options->locks.len : 0,
                  own.len ? &own : &session->config.constraint, &session->lock_choice));
    TRY(lock_read(session->arena, session->fs, session->lock_choice.paths, session->lock_choice.len,
                  &session->env.markers, &session->locks));
    lock_imply(session->arena, session->fs, &session->env, &session->lock_choice, &session->locks);
    if (own.len && !given && !layer->coming)
        session->lock_choice.source =
            str_format(session->arena, "the layer (copied from %.*s)", FMT(layer->lock_source));
    if (layer->coming) TRY(layer_lock(session->arena, &session->env, &session->lock_choice, &session->locks));
    session->locks.fingerprint = remembered_digest(session, "lock", lock_state(session->arena, &session->locks));
    return NULL;
}

/* An environment that is not of this machine brings its lock with it; --lock replaces it. */
static struct err *replace_lock(struct session *session) {
    const struct option_list *given = &session->options->locks;
    if (given->len == 0) return NULL;
    session->locks = (struct lock_set){0};
    session->lock_choice = (struct lock_choice){given->items, given->len, S("--lock")};
    return lock_read(session->arena, session->fs, given->items, given->len, &session->env.markers, &session->locks);
}

static struct err *open_image(struct session *session) {
    TRY(read_config(session, S("")));
    TRY(session_open_catalog(session));
    TRY(catalog_read(session->arena, session->fs, session->catalog, session->image, &session->env, &session->locks));
    struct str recorded = path_join(session->arena, session->catalog, S("recorded"));
    struct fs_stat stat;
    TRY(fs_stat(session->fs, session->arena, recorded, true, &stat));
    if (stat.is_dir) session->recorded = recorded;
    return replace_lock(session);
}

static struct err *open_snapshot(struct session *session) {
    const struct options *options = session->options;
    const struct snapshot_platform platform = {.python = options->python, .platform = options->platform};
    TRY(read_config(session, S("")));
    TRY(snapshot_read(session->arena, session->fs, options->snapshot, &platform, &session->env, &session->locks));
    return replace_lock(session);
}

/* Ends what a crash left before anything is read. Who may not write gets a note instead. */
static struct err *recover(struct session *session) {
    if (session->no_recovery || session->env.layer.coming || !history_pending(session->arena, &session->env))
        return NULL;
    enum transaction_recovery outcome = TRANSACTION_CLEAN;
    struct err *err = history_recover(session->arena, &session->env, TRANSACTION_AUTO, &outcome);
    if (err && err->kind != ERR_PERMISSION && err->kind != ERR_BUSY) return err;
    if (err) {
        session_note(session,
                     str_format(session->arena, "note: an interrupted transaction waits for unpin recover: %.*s",
                                FMT(err->what)));
        return NULL;
    }
    session_note(session, outcome == TRANSACTION_FORWARDED ? S("note: an interrupted transaction was finished")
                                                           : S("note: an interrupted transaction was taken back"));
    return scan(session);
}

static struct err *open_live(struct session *session) {
    TRY(scan(session));
    TRY(recover(session));
    bool known = false;
    if (session->catalog.len)
        TRY(catalog_recognize(session->arena, session->fs, session->catalog, &session->env, &known));
    return open_lock(session);
}

struct err *session_open_environment(struct session *session) {
    const struct options *options = session->options;
    if (session->opened) return NULL;
    if (session->image.len && options->snapshot.len)
        return err_make(session->arena, ERR_USAGE, "--image and --snapshot cannot both be meant");
    if (options->into.len && (session->image.len || options->snapshot.len))
        return err_make(session->arena, ERR_USAGE, "--into makes a layer over an environment that is here");
    int64_t from = session_clock_us();
    if (session->catalog.len == 0) session->catalog = find_catalog(session);
    if (session->image.len) TRY(open_image(session));
    else if (options->snapshot.len) TRY(open_snapshot(session));
    else TRY(open_live(session));
    if (options->recorded.len) session->recorded = options->recorded;
    if (session->catalog.len) {
        struct str dir = path_join(session->arena, session->catalog, S("advisories"));
        TRY(advisories_read(session->arena, session->fs, dir, &session->env, &session->advisories));
    }
    session->scan_us = session_clock_us() - from;
    session->opened = true;
    return NULL;
}

struct err *session_need_live(struct session *session) {
    if (session->live) return NULL;
    struct err *err =
        err_make(session->arena, ERR_USAGE,
                 "unpin %.*s changes or reads a machine: it needs an environment that is here", FMT(session->command));
    return err_hint(session->arena, err, "leave out --image and --snapshot");
}

struct session session_for_image(const struct session *session, struct str image) {
    struct session other = *session;
    other.image = image;
    other.opened = other.live = false;
    other.env = (struct environment){0};
    other.locks = (struct lock_set){0};
    other.advisories = (struct advisories){0};
    other.want = (struct want){0};
    other.pool = (struct pool){0};
    other.index = NULL;
    other.cache_use = -1;
    return other;
}
