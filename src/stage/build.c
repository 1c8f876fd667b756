#include "stage/build.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/term.h"

#include <stdlib.h>
#include <unistd.h>

enum { LOG_SHOWN = 2000 /* bytes of the log's end that an err shows */ };

static int text_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

void build_environment(struct arena *arena, const struct str *ours, int32_t len, const struct str **ret,
                       int32_t *ret_len) {
    /* The lock, and what would send pip elsewhere: other targets, other environments, other modules. */
    static const struct str dropped[] = {
        S_INIT("PIP_CONSTRAINT"),  S_INIT("PIP_BUILD_CONSTRAINT"),
        S_INIT("PIP_REQUIREMENT"), S_INIT("PIP_TARGET"),
        S_INIT("PIP_PREFIX"),      S_INIT("PIP_ROOT"),
        S_INIT("PIP_USER"),        S_INIT("PIP_PYTHON"),
        S_INIT("PIP_WHEEL_DIR"),   S_INIT("PIP_LOG"),
        S_INIT("PIP_QUIET"),       S_INIT("PIP_REQUIRE_HASHES"),
        S_INIT("PYTHONPATH"),      S_INIT("PYTHONHOME"),
        S_INIT("PYTHONSTARTUP"),   S_INIT("PIP_NO_BUILD_ISOLATION"),
    };
    VEC(struct str) kept = {0};
    for (int32_t i = 0; i < len; i++) {
        struct str rest = ours[i], name = str_cut(&rest, '=');
        bool drop = false;
        for (size_t k = 0; k < sizeof dropped / sizeof *dropped; k++) drop = drop || str_eq(name, dropped[k]);
        if (!drop) *vec_push(arena, &kept) = ours[i];
    }
    *vec_push(arena, &kept) = S("PIP_DISABLE_PIP_VERSION_CHECK=1");
    qsort(kept.data, (size_t)kept.len, sizeof *kept.data, text_order);
    *ret = kept.data;
    *ret_len = (int32_t)kept.len;
}

static struct err *failed(struct arena *arena, const struct build_options *options, struct str log, const char *why) {
    struct str name = term_quote(arena, options->name);
    struct err *err = err_make(arena, ERR_BUILD, "building %.*s %.*s failed: %s", FMT(name),
                               FMT(version_format(arena, &options->version)), why);
    struct buf end = {.arena = arena};
    struct str rest = log.len > LOG_SHOWN ? str_from(log, log.len - LOG_SHOWN) : log, line;
    while (str_line(&rest, &line)) {
        term_escape(&end, line);
        buf_add_char(&end, '\n');
    }
    return err_hint(arena, err, "the end of the log:\n%.*s", FMT(buf_str(&end)));
}

/* The only wheel in the directory. */
static struct err *find_wheel(struct arena *arena, const struct fs *fs, const struct build_options *options,
                              struct build_result *result) {
    struct str *names = NULL;
    int32_t len = 0, found = 0;
    TRY(fs_list(fs, arena, options->out, &names, &len));
    for (int32_t i = 0; i < len; i++) {
        if (!str_ends(names[i], S(".whl"))) continue;
        found++;
        result->filename = names[i];
    }
    if (found != 1) return failed(arena, options, result->log, found ? "it made several wheels" : "it made no wheel");
    result->wheel = path_join(arena, options->out, result->filename);
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
        if (!has_requirement(arena, b, text)) *vec_push(arena, &found) = str_format(arena, "%s: %.*s", what, FMT(text));
    }
    result->surprises = found.data;
    result->surprises_len = (int32_t)found.len;
}

/* The wheel must be of the release that was asked for; what it requires is compared with the promise. */
static struct err *check_wheel(struct arena *arena, const struct build_options *options, struct build_result *result) {
    struct wheel wheel;
    TRY(wheel_open(arena, result->wheel, result->filename, &(struct wheel_terms){0}, &wheel));
    bool right =
        str_eq(wheel.filename.name, options->name) && version_cmp(&wheel.filename.version, &options->version) == 0;
    if (right && options->promised) {
        compare(arena, &wheel.metadata, options->promised, "the wheel requires what was not promised", result);
        compare(arena, options->promised, &wheel.metadata, "the wheel does not require what was promised", result);
    }
    wheel_close(&wheel);
    return right ? NULL : failed(arena, options, result->log, "its wheel is of another name or version");
}

struct err *build_wheel(struct arena *arena, const struct fs *fs, const struct proc *proc,
                        const struct build_options *options, struct build_result *ret) {
    VEC(struct str) ours = {0};
    for (char **variable = environ; variable && *variable && ours.len < BUILD_VARIABLES_MAX; variable++)
        *vec_push(arena, &ours) = str_of(*variable);
    const struct str argv[] = {
        options->python,     S("-I"),         S("-m"), S("pip"),     S("wheel"),    S("--no-deps"),
        S("--no-cache-dir"), S("--no-input"), S("-w"), options->out, options->sdist};
    struct proc_call call = {.argv = argv, .argv_len = sizeof argv / sizeof *argv, .output_max = BUILD_LOG_MAX};
    call.timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : BUILD_TIMEOUT_MS;
    call.directory = options->out;
    build_environment(arena, ours.data, (int32_t)ours.len, &call.env, &call.env_len);
    struct proc_result done;
    TRY(proc_run(proc, arena, &call, &done));
    struct build_result result = {.log = str_format(arena, "%.*s%.*s", FMT(done.output), FMT(done.error))};
    if (done.timed_out) return failed(arena, options, result.log, "it took too long");
    if (done.too_much) return failed(arena, options, result.log, "it wrote too much");
    if (done.status) return failed(arena, options, result.log, "pip wheel ended with an error");
    TRY(find_wheel(arena, fs, options, &result));
    TRY(check_wheel(arena, options, &result));
    *ret = result;
    return NULL;
}
