#include "stage/build.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/scratch.h"
#include "os/store.h"
#include "os/term.h"

#include <stdlib.h>
#include <unistd.h>

enum { LOG_SHOWN = 2000 /* bytes of the log's end that an err shows */ };

static int text_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

/* The lock, what would send pip elsewhere (other targets, other environments, other modules), and what is set anew. */
static bool is_misleading(struct str name) {
    static const struct str dropped[] = {
        S_INIT("PIP_CONSTRAINT"),
        S_INIT("PIP_BUILD_CONSTRAINT"),
        S_INIT("PIP_REQUIREMENT"),
        S_INIT("PIP_TARGET"),
        S_INIT("PIP_PREFIX"),
        S_INIT("PIP_ROOT"),
        S_INIT("PIP_USER"),
        S_INIT("PIP_PYTHON"),
        S_INIT("PIP_WHEEL_DIR"),
        S_INIT("PIP_LOG"),
        S_INIT("PIP_QUIET"),
        S_INIT("PIP_REQUIRE_HASHES"),
        S_INIT("PYTHONPATH"),
        S_INIT("PYTHONHOME"),
        S_INIT("PYTHONSTARTUP"),
        S_INIT("PIP_NO_BUILD_ISOLATION"),
        S_INIT("PIP_ONLY_BINARY"),
        S_INIT("PIP_DRY_RUN"),
        S_INIT("PIP_REPORT"),
        S_INIT("PIP_EDITABLE"),
        S_INIT("PIP_IGNORE_REQUIRES_PYTHON"),
    };
    return str_among(dropped, (int32_t)(sizeof dropped / sizeof *dropped), name);
}

/* By the names that secrets commonly have, and by credentials in a URL. */
static bool is_secret(struct arena *arena, struct str name, struct str value) {
    static const struct str parts[] = {S_INIT("token"),       S_INIT("secret"),     S_INIT("passw"),
                                       S_INIT("credential"),  S_INIT("apikey"),     S_INIT("api_key"),
                                       S_INIT("auth"),        S_INIT("access_key"), S_INIT("private_key"),
                                       S_INIT("signing_key"), S_INIT("cookie")};
    struct str lower = str_lower(arena, name);
    if (str_ends(lower, S("_pat"))) return true; /* a personal access token */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (str_find(lower, parts[i]) >= 0) return true;
    for (struct str rest = value; rest.len;) {
        ptrdiff_t at = str_find(rest, S("://"));
        if (at < 0) return false;
        rest = str_from(rest, at + 3);
        for (ptrdiff_t i = 0; i < rest.len && str_find_char(S("/?# ,"), rest.data[i]) < 0; i++)
            if (rest.data[i] == '@') return true;
    }
    return false;
}

static bool is_set(const struct str *settings, int32_t len, struct str name) {
    for (int32_t i = 0; i < len; i++) {
        struct str rest = settings[i];
        if (str_eq(str_cut(&rest, '='), name)) return true;
    }
    return false;
}

void build_environment(struct arena *arena, const struct str *ours, int32_t len, const struct str *settings,
                       int32_t settings_len, const struct str **ret, int32_t *ret_len) {
    VEC(struct str) kept = {0};
    for (int32_t i = 0; i < len; i++) {
        struct str rest = ours[i], name = str_cut(&rest, '=');
        if (is_misleading(name) || is_set(settings, settings_len, name) || is_secret(arena, name, rest)) continue;
        *vec_push(arena, &kept) = ours[i];
    }
    for (int32_t i = 0; i < settings_len; i++) {
        struct str rest = settings[i];
        (void)str_cut(&rest, '=');
        if (rest.len) *vec_push(arena, &kept) = settings[i];
    }
    *vec_push(arena, &kept) = S("PIP_DISABLE_PIP_VERSION_CHECK=1");
    /* An empty file, not an empty variable: pip passes over that, and takes the lock that its files name. */
    *vec_push(arena, &kept) = S("PIP_CONSTRAINT=/dev/null");
    *vec_push(arena, &kept) = S("PIP_BUILD_CONSTRAINT=/dev/null");
    qsort(kept.data, (size_t)kept.len, sizeof *kept.data, text_order);
    *ret = kept.data;
    *ret_len = (int32_t)kept.len;
}

static struct str label_of(struct arena *arena, const struct build_item *item) {
    if (item->name.len == 0) return term_quote(arena, item->source);
    struct str name = term_quote(arena, item->name);
    if (!item->version) return name;
    return str_format(arena, "%.*s %.*s", FMT(name), FMT(version_format(arena, item->version)));
}

static struct err *failed(struct arena *arena, const struct build_item *item, struct str log, struct str kept,
                          const char *why) {
    struct err *err = err_make(arena, ERR_BUILD, "building %.*s failed: %s", FMT(label_of(arena, item)), why);
    if (str_find(log, S("No module named pip")) >= 0 && log.len < LOG_SHOWN)
        return err_hint(arena, err, "the environment has no pip, which builds: python -m ensurepip puts it in");
    struct buf end = {.arena = arena};
    struct str rest = log.len > LOG_SHOWN ? str_from(log, log.len - LOG_SHOWN) : log, line;
    while (str_line(&rest, &line)) {
        term_escape(&end, line);
        buf_add_char(&end, '\n');
    }
    struct str all = kept.len ? str_format(arena, "all of it: %.*s", FMT(kept)) : S("");
    return err_hint(arena, err, "the end of the log:\n%.*s%.*s", FMT(buf_str(&end)), FMT(all));
}

/* The only wheel in the directory. */
static struct err *find_wheel(struct arena *arena, const struct build_place *place, const struct build_item *item,
                              struct str out, struct str log, struct build_result *result) {
    struct str *names = NULL;
    int32_t len = 0, found = 0;
    TRY(fs_list(place->fs, arena, out, &names, &len));
    for (int32_t i = 0; i < len; i++) {
        if (!str_ends(names[i], S(".whl"))) continue;
        found++;
        result->filename = names[i];
    }
    if (found != 1) return failed(arena, item, log, result->log, found ? "it made several wheels" : "it made no wheel");
    result->wheel = path_join(arena, out, result->filename);
    return NULL;
}

static bool has_requirement(struct arena *arena, const struct metadata *metadata, struct str text) {
    for (int32_t i = 0; i < metadata->requires_len; i++)
        if (str_eq(requirement_format(arena, &metadata->requires_dist[i]), text)) return true;
    return false;
}

static void compare(struct arena *arena, const struct metadata *a, const struct metadata *b, const char *what,
                    struct build_result *result) {
    VEC(struct str) found = {0};
    for (int32_t i = 0; i < result->surprises_len; i++) *vec_push(arena, &found) = result->surprises[i];
    for (int32_t i = 0; i < a->requires_len; i++) {
        struct str text = requirement_format(arena, &a->requires_dist[i]);
        if (has_requirement(arena, b, text)) continue;
        *vec_push(arena, &found) =
            str_format(arena, "%.*s %.*s: %s: %.*s", FMT(result->name), FMT(result->version.text), what, FMT(text));
    }
    result->surprises = found.data;
    result->surprises_len = (int32_t)found.len;
}

/* The wheel must be of the release that was asked for; what it requires is compared with the promise. */
static struct err *check_wheel(struct arena *arena, const struct build_item *item, struct str log,
                               struct build_result *result) {
    struct wheel wheel;
    TRY(wheel_open(arena, result->wheel, result->filename, &(struct wheel_terms){0}, &wheel));
    struct str text = str_copy(arena, wheel.metadata_text);
    result->name = str_copy(arena, wheel.filename.name);
    wheel_close(&wheel);
    TRY(metadata_parse(arena, text, &result->metadata));
    TRY(version_parse(arena, result->metadata.version, &result->version));
    result->sha256 = store_file_sha256(arena, result->wheel);
    bool right = (item->name.len == 0 || str_eq(result->name, item->name)) &&
                 (!item->version || version_cmp(&result->version, item->version) == 0);
    if (!right) {
        struct str why = str_format(arena, "its wheel is %.*s, of another name or version", FMT(result->filename));
        return failed(arena, item, log, result->log, str_copy_z(arena, why));
    }
    if (!item->promised) return NULL;
    compare(arena, &result->metadata, item->promised, "the wheel requires what its source did not tell", result);
    compare(arena, item->promised, &result->metadata, "the wheel does not require what its source told", result);
    return NULL;
}

/* Puts the log where it is kept; empty where that is nowhere. */
static struct str log_keep(struct arena *arena, const struct build_place *place, struct str folder, struct str log) {
    if (place->logs.len == 0) return S("");
    struct str path = str_format(arena, "%.*s/%.*s.log", FMT(place->logs), FMT(folder));
    return store_write(arena, path, log) ? path : S("");
}

/* "name-version", or the name of the source: a file name. */
static struct str folder_of(struct arena *arena, const struct build_item *item) {
    struct str base = str_from(item->source, str_find_last(item->source, '/') + 1);
    struct str name = item->name.len ? item->name : base;
    if (item->version) name = str_format(arena, "%.*s-%.*s", FMT(name), FMT(version_format(arena, item->version)));
    return name.len && name.data[0] != '.' ? str_slice(name, 0, 200) : S("source");
}

/* Runs pip. `out` is an empty directory for the wheel. */
static struct err *run_pip(struct arena *arena, const struct build_place *place, const struct build_item *item,
                           struct str out, struct proc_result *ret) {
    VEC(struct str) ours = {0}, settings = {0}, argv = {0};
    for (char **variable = environ; variable && *variable && ours.len < BUILD_VARIABLES_MAX; variable++)
        *vec_push(arena, &ours) = str_of(*variable);
    for (int32_t i = 0; i < place->settings_len; i++) *vec_push(arena, &settings) = place->settings[i];
    if (place->config.len) {
        struct str path = path_join(arena, out, S("pip.conf"));
        TRY(fs_replace(place->fs, arena, path, place->config));
        *vec_push(arena, &settings) = str_format(arena, "PIP_CONFIG_FILE=%.*s", FMT(path));
    }
    const struct str words[] = {place->python,       S("-I"),         S("-m"), S("pip"), S("wheel"), S("--no-deps"),
                                S("--no-cache-dir"), S("--no-input"), S("-w"), out};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) *vec_push(arena, &argv) = words[i];
    if (place->no_isolation) *vec_push(arena, &argv) = S("--no-build-isolation");
    *vec_push(arena, &argv) = item->source;
    struct proc_call call = {.argv = argv.data, .argv_len = (int32_t)argv.len, .output_max = BUILD_LOG_MAX};
    call.timeout_ms = place->timeout_ms > 0 ? place->timeout_ms : BUILD_TIMEOUT_MS;
    call.directory = out;
    build_environment(arena, ours.data, (int32_t)ours.len, settings.data, (int32_t)settings.len, &call.env,
                      &call.env_len);
    return proc_run(place->proc, arena, &call, ret);
}

struct err *build_wheel(struct arena *arena, const struct build_place *place, const struct build_item *item,
                        struct build_result *ret) {
    struct str folder = folder_of(arena, item), out;
    struct proc_result done;
    TRY(scratch_make(arena, place->scratch, str_format(arena, "%.*s.built", FMT(folder)), &out));
    TRY(run_pip(arena, place, item, out, &done));
    struct build_result result = {0};
    struct str log = str_format(arena, "%.*s%.*s", FMT(done.output), FMT(done.error));
    result.log = log_keep(arena, place, folder, log);
    if (done.timed_out) return failed(arena, item, log, result.log, "it took too long (--build-timeout)");
    if (done.too_much) return failed(arena, item, log, result.log, "it wrote too much");
    if (done.status) return failed(arena, item, log, result.log, "pip wheel ended with an error");
    TRY(find_wheel(arena, place, item, out, log, &result));
    TRY(check_wheel(arena, item, log, &result));
    *ret = result;
    return NULL;
}
