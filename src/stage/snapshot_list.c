/* An environment from a plain list of `name==version` lines. */
#include "stage/snapshot.h"

#include "base/arena.h"
#include "pypa/filename.h"
#include "pypa/name.h"

/* A list tells "3.12" and not which maintenance release. A late one is nearest to what images have. */
#define ASSUMED_MICRO ".9"

/* "linux_x86_64", "manylinux_2_28_x86_64", "musllinux_1_2_aarch64" to the machine: what follows the numbers. */
static struct str machine_of(struct str platform) {
    struct str rest = platform;
    struct str word = str_cut(&rest, '_');
    if (str_starts(word, S("manylinux1")) || str_starts(word, S("manylinux201"))) return rest;
    for (int i = 0; i < 2 && rest.len && char_is_digit(rest.data[0]); i++) (void)str_cut(&rest, '_');
    return rest;
}

struct err *snapshot_platform_apply(struct arena *arena, const struct snapshot_platform *platform,
                                    struct environment *env) {
    struct str rest = platform->python, name = platform->platform.len ? platform->platform : S("linux_x86_64");
    struct str major = str_cut(&rest, '.'), minor_text = str_cut(&rest, '.');
    int64_t minor = 0, micro = 0;
    bool full = rest.len > 0 && str_to_int(rest, &micro);
    if (!str_eq(major, S("3")) || !str_to_int(minor_text, &minor) || minor > 99 || (rest.len && !full))
        return err_hint(arena,
                        platform->python.len
                            ? err_make(arena, ERR_USAGE, "'%.*s' is no version of Python 3", FMT(platform->python))
                            : err_make(arena, ERR_USAGE, "a list of distributions does not say for which Python"),
                        "say it with --python, as in --python 3.12 --platform linux_x86_64");
    int64_t glibc =
        platform->glibc_minor > 0 && platform->glibc_minor < 1000 ? platform->glibc_minor : SNAPSHOT_GLIBC_MINOR;
    struct tags_input *input = &env->tags_input;
    *input = (struct tags_input){.major = 3, .minor = (int32_t)minor, .implementation = S("cp"), .abis_len = 1};
    struct str *abi = arena_new(arena, struct str, 1);
    *abi = str_format(arena, "cp3%d", (int)minor);
    input->abis = abi;
    TRY(tags_platforms_make(arena, name, (int32_t)glibc, &input->platforms, &input->platforms_len));
    env->tags = tags_make(arena, input);
    struct str version = str_format(arena, "3.%d", (int)minor);
    struct str full_version = full ? platform->python : str_format(arena, "%.*s" ASSUMED_MICRO, FMT(version));
    env->markers = (struct marker_env){
        .os_name = S("posix"),
        .sys_platform = S("linux"),
        .platform_machine = machine_of(name),
        .platform_python_implementation = S("CPython"),
        .platform_system = S("Linux"),
        .python_version = version,
        .python_full_version = full_version,
        .implementation_name = S("cpython"),
        .implementation_version = full_version,
    };
    return NULL;
}

/* The version that the url of `name @ url` tells by a wheel's file name; false for directories and others. */
static bool version_of_url(struct arena *arena, struct str url, struct version *ret) {
    struct str rest = url;
    struct str path = str_cut(&rest, '#');
    struct str filename = percent_decode(arena, str_from(path, str_find_last(path, '/') + 1));
    struct wheel_name wheel;
    if (!str_ends(filename, S(".whl")) || wheel_name_parse(arena, filename, &wheel)) return false;
    *ret = wheel.version;
    return true;
}

bool snapshot_list_dist(struct arena *arena, const struct requirement *requirement, struct dist *ret) {
    struct dist dist = {.name = requirement->name, .raw_name = requirement->raw_name, .form = DIST_LISTED, .site = -1};
    if (requirement->url.len) {
        dist.direct_url = requirement->url;
        dist.version_valid = version_of_url(arena, requirement->url, &dist.version);
        if (!dist.version_valid) dist.version = (struct version){.text = S("unknown"), .post = -1, .dev = -1};
        if (str_starts(requirement->url, S("file:"))) dist.vendor |= VENDOR_URL_GONE;
    } else {
        const struct specifier *only = requirement->specifiers.len == 1 ? requirement->specifiers.items : NULL;
        if (!only || only->wildcard || (only->op != SPECIFIER_EQ && only->op != SPECIFIER_ARBITRARY)) return false;
        dist.version_valid = version_try_parse(arena, only->version.text, &dist.version);
        if (!dist.version_valid) dist.version = (struct version){.text = only->version.text, .post = -1, .dev = -1};
    }
    if (dist.version.local_len) dist.vendor |= VENDOR_LOCAL_VERSION;
    *ret = dist;
    return true;
}

/* What `-e git+…#egg=name` of a freeze tells: the name. */
static bool editable_dist(struct arena *arena, struct str url, struct dist *ret) {
    ptrdiff_t egg = str_find(url, S("egg="));
    struct str rest = egg < 0 ? (struct str){0} : str_from(url, egg + 4);
    struct str name = str_cut(&rest, '&');
    if (!name_is_valid(name)) return false;
    *ret = (struct dist){.name = name_normalize(arena, name),
                         .raw_name = name,
                         .form = DIST_LISTED,
                         .site = -1,
                         .editable = true,
                         .direct_url = url,
                         .version = {.text = S("unknown"), .post = -1, .dev = -1}};
    return true;
}

struct err *snapshot_list_read(struct arena *arena, struct str path, struct str text,
                               const struct snapshot_platform *platform, struct environment *env,
                               struct lock_set *locks) {
    struct requirement_file file;
    TRY(snapshot_platform_apply(arena, platform, env));
    TRY(requirement_file_parse(arena, text, &file));
    VEC(struct dist) dists = {0};
    VEC(struct str) problems = {0};
    for (int32_t i = 0; i < file.len && dists.len < SNAPSHOT_DISTS_MAX; i++) {
        const struct requirement_line *line = &file.lines[i];
        struct requirement requirement;
        struct dist dist;
        bool editable = line->requirement.len == 0;
        if (editable && editable_dist(arena, requirement_line_option(line, S("--editable")), &dist)) {
            *vec_push(arena, &dists) = dist;
        } else if (!editable && requirement_parse(arena, line->requirement, &requirement) == NULL) {
            bool applies = marker_eval(arena, requirement.marker, &env->markers, (struct str){0});
            if (applies && snapshot_list_dist(arena, &requirement, &dist)) *vec_push(arena, &dists) = dist;
        } else {
            *vec_push(arena, &problems) =
                str_format(arena, "%.*s:%d: not a line of a list of distributions", FMT(path), line->line);
        }
    }
    if (dists.len == 0) return err_make(arena, ERR_SNAPSHOT, "no line of it names a distribution as name==version");
    environment_seal(arena, env, dists.data, (int32_t)dists.len);
    env->problems = problems.data;
    env->problems_len = (int32_t)problems.len;
    return lock_add_text(arena, path, text, &env->markers, locks);
}
