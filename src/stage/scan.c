#include "stage/scan.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/sys.h"
#include "stage/scan_dist.h"
#include "stage/scan_facts.h"
#include "stage/scan_sites.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A distribution with what only the fingerprint needs of it. */
struct found {
    struct dist dist;
    struct scan_identity identity;
};

struct found_list {
    VEC(struct found) items;
};

/* Why what is there is no interpreter; NULL where nothing is there. */
static struct err *tell_unfit(struct arena *arena, struct str path) {
    const char *hint = "name an interpreter with --python PATH, or its environment with --python DIR";
    struct str inside = path_join(arena, path, S("bin/python"));
    struct stat st;
    if (lstat(str_copy_z(arena, path), &st)) return NULL;
    if (!S_ISDIR(st.st_mode))
        return err_hint(arena, err_make(arena, ERR_ENVIRONMENT, "'%.*s' is no program that can be run", FMT(path)),
                        "%s", hint);
    if (lstat(str_copy_z(arena, inside), &st))
        return err_hint(arena, err_make(arena, ERR_ENVIRONMENT, "'%.*s' is no environment of Python", FMT(path)), "%s",
                        hint);
    return err_hint(arena,
                    err_make(arena, ERR_ENVIRONMENT, "'%.*s' is there, but it cannot be run: %s", FMT(inside),
                             strerror(access(str_copy_z(arena, inside), X_OK) ? errno : 0)),
                    "%s", hint);
}

/* True if the file is a script: what it starts may depend on variables, the working directory and files of its own. */
static bool is_script(struct arena *arena, struct str path) {
    char head[2];
    int fd = open(str_copy_z(arena, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t len = fd < 0 ? -1 : read(fd, head, sizeof head);
    if (fd >= 0) (void)close(fd);
    return len == (ssize_t)sizeof head && head[0] == '#' && head[1] == '!';
}

/* The interpreter that a script starts (a shim of pyenv, asdf or mise, a wrapper), asked as the user would start it:
 * afterwards it runs in other places, with few variables, where the script might choose another. A script that does not
 * tell stays what is asked. */
static struct str interpreter_behind(struct arena *arena, struct str script) {
    VEC(struct str) env = {0};
    struct str argv[] = {script, S("-I"), S("-S"), S("-c"), S("import sys; sys.stdout.write('\\n' + sys.executable)")};
    struct proc_result result;
    for (char **variable = environ; variable && *variable && env.len < SCAN_VARIABLES_MAX; variable++)
        *vec_push(arena, &env) = str_of(*variable);
    struct proc_call call = {.argv = argv,
                             .argv_len = sizeof argv / sizeof *argv,
                             .env = env.data,
                             .env_len = (int32_t)env.len,
                             .output_max = SCAN_FACTS_MAX,
                             .timeout_ms = SCAN_TIMEOUT_MS};
    if (proc_run(proc_real(), arena, &call, &result) || result.status || result.timed_out || result.too_much)
        return script;
    struct str path = str_from(result.output, str_find_last(result.output, '\n') + 1);
    if (!str_starts(path, S("/")) || access(str_copy_z(arena, path), X_OK) || is_script(arena, path)) return script;
    return path;
}

struct err *scan_find_python(struct arena *arena, struct str given, struct str *ret) {
    struct str active = str_of(getenv("VIRTUAL_ENV")), name = given, path;
    if (name.len == 0) name = active.len ? path_join(arena, active, S("bin/python")) : S("python3");
    struct version version;
    bool is_version = given.len && char_is_digit(given.data[0]) && version_try_parse(arena, given, &version);
    if (is_version) name = str_format(arena, "python%.*s", FMT(given));
    struct str inside = path_join(arena, given, S("bin/python"));
    /* A folder comes first: a program on PATH may have its name. */
    bool found = (given.len && !is_version && proc_find(arena, inside, &path)) || proc_find(arena, name, &path);
    if (!found && str_find_char(name, '/') >= 0) TRY(tell_unfit(arena, given.len ? given : name));
    if (!found)
        return err_hint(arena, err_make(arena, ERR_ENVIRONMENT, "there is no interpreter '%.*s'", FMT(name)),
                        "name one with --python PATH, or its environment with --python DIR");
    *ret = is_script(arena, path) ? interpreter_behind(arena, path) : path;
    return NULL;
}

static void markers_of(const struct scan_facts *facts, struct marker_env *ret) {
#define X(field, name) ret->field = scan_facts_find(facts, S(name));
    MARKER_VARIABLES(X)
#undef X
}

/* The platform tags: from glibc's or musl's version. */
ERR_MUST_CHECK static struct err *platforms_of(struct arena *arena, const struct scan_facts *facts,
                                               struct tags_input *ret) {
    struct str arch = scan_facts_find(facts, S("arch")), glibc = scan_facts_find(facts, S("glibc"));
    struct str musl = scan_facts_find(facts, S("musl")), rest;
    int64_t minor = 0;
    struct str linux_tag = str_format(arena, "linux_%.*s", FMT(arch));
    rest = glibc.len ? glibc : musl;
    struct str major = str_cut(&rest, '.');
    bool known = str_to_int(str_cut(&rest, '.'), &minor) && minor < 1000;
    if (glibc.len && known && str_eq(major, S("2")))
        return tags_platforms_make(arena, linux_tag, (int32_t)minor, &ret->platforms, &ret->platforms_len);
    VEC(struct str) tags = {0};
    for (int64_t i = musl.len && known && str_eq(major, S("1")) ? minor : -1; i >= 0; i--)
        *vec_push(arena, &tags) = str_format(arena, "musllinux_1_%d_%.*s", (int)i, FMT(arch));
    *vec_push(arena, &tags) = linux_tag;
    ret->platforms = tags.data;
    ret->platforms_len = (int32_t)tags.len;
    return NULL;
}

ERR_MUST_CHECK static struct err *tags_of(struct arena *arena, const struct scan_facts *facts,
                                          struct environment *env) {
    int64_t major = 0, minor = 0;
    struct tags_input input = {.implementation = scan_facts_find(facts, S("tag"))};
    if (!str_to_int(scan_facts_find(facts, S("major")), &major) || major != 3 ||
        !str_to_int(scan_facts_find(facts, S("minor")), &minor) || minor > 999)
        return err_make(arena, ERR_ENVIRONMENT, "the interpreter tells no version of Python 3");
    input.major = (int32_t)major;
    input.minor = (int32_t)minor;
    input.abis = scan_facts_all(arena, facts, S("abi"), &input.abis_len);
    TRY(platforms_of(arena, facts, &input));
    env->tags_input = input;
    env->tags = tags_make(arena, &input);
    return NULL;
}

/* The directories in the order of sys.path: PYTHONPATH, then those of site.py. */
static const struct str *site_paths(struct arena *arena, const struct scan_facts *facts, int32_t *ret_len) {
    VEC(struct str) paths = {0};
    for (int32_t i = 0; i < facts->len; i++) {
        struct str key = facts->keys[i];
        bool site = str_eq(key, S("pythonpath")) || str_eq(key, S("site")) || str_eq(key, S("user"));
        if (site && str_starts(facts->values[i], S("/"))) *vec_push(arena, &paths) = facts->values[i];
    }
    *ret_len = (int32_t)paths.len;
    return paths.data;
}

/* The release of the vendor's image, from the variables it sets; a virtual environment of its own is not the image. */
static struct str vendor_release(const struct scan_facts *facts) {
    static const char *const names[] = {"NVIDIA_PYTORCH_VERSION", "NVIDIA_TENSORFLOW_VERSION", "NVIDIA_JAX_VERSION"};
    if (!str_eq(scan_facts_find(facts, S("system_too")), S("1"))) return (struct str){0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct str value = str_of(getenv(names[i]));
        int64_t number;
        if (value.len == 5 && value.data[2] == '.' && str_to_int(str_slice(value, 0, 2), &number) &&
            str_to_int(str_from(value, 3), &number))
            return value;
    }
    return (struct str){0};
}

/* Markers and tags; those of the same answer are the same. */
ERR_MUST_CHECK static struct err *platform_apply(struct arena *arena, const struct scan_facts *facts,
                                                 const struct environment *known, struct environment *env) {
    env->facts = facts->text;
    markers_of(facts, &env->markers);
    if (!known || !str_eq(known->facts, env->facts)) return tags_of(arena, facts, env);
    env->tags = known->tags;
    env->tags_input = known->tags_input;
    return NULL;
}

ERR_MUST_CHECK static struct err *facts_apply(struct arena *arena, const struct fs *fs, const struct scan_facts *facts,
                                              struct environment *env) {
    env->prefix = scan_facts_find(facts, S("prefix"));
    env->purelib = scan_facts_find(facts, S("purelib"));
    env->platlib = scan_facts_find(facts, S("platlib"));
    env->scripts = scan_facts_find(facts, S("scripts"));
    env->data = scan_facts_find(facts, S("data"));
    env->headers = scan_facts_find(facts, S("headers"));
    env->layer = (struct environment_layer){
        .of = scan_facts_find(facts, S("layer_of")),
        .base_python = scan_facts_find(facts, S("base_python")),
        .below_prefix = scan_facts_find(facts, S("below_prefix")),
        .system_too = str_eq(scan_facts_find(facts, S("system_too")), S("1")),
        .lock_source = scan_facts_find(facts, S("lock_source")),
    };
    env->layer.below = scan_facts_all(arena, facts, S("below"), &env->layer.below_len);
    env->ngc = vendor_release(facts);
    env->image_date = INT64_MIN;
    /* PEP 668: not in virtual environments. */
    struct fs_stat st = {0};
    if (str_eq(scan_facts_find(facts, S("in_venv")), S("0")))
        TRY(fs_stat(fs, arena, path_join(arena, scan_facts_find(facts, S("stdlib")), S("EXTERNALLY-MANAGED")), true,
                    &st));
    env->externally_managed = st.exists;
    return NULL;
}

static int found_order(const void *a, const void *b) {
    const struct found *x = a, *y = b;
    int order = str_cmp(x->dist.name, y->dist.name);
    if (order == 0) order = (x->dist.site > y->dist.site) - (x->dist.site < y->dist.site);
    return order ? order : str_cmp(x->dist.info_dir, y->dist.info_dir);
}

/* What a plan relies on: which distributions are where, and in which state. */
static struct str state_of(struct arena *arena, const struct environment *env, const struct found *found, int32_t len) {
    struct buf text = {.arena = arena};
    buf_addf(&text, "python %.*s %.*s\n", FMT(env->markers.python_full_version), FMT(env->prefix));
    for (int32_t i = 0; i < len; i++) {
        const struct dist *dist = &found[i].dist;
        buf_addf(&text, "%.*s %.*s %.*s/%.*s %lld %lld\n", FMT(dist->name), FMT(dist->version.text),
                 FMT(env->sites[dist->site]), FMT(dist->info_dir), (long long)found[i].identity.size,
                 (long long)found[i].identity.mtime_ns);
    }
    return buf_str(&text);
}

static bool describes(struct str name) {
    return str_ends(name, S(".dist-info")) || str_ends(name, S(".egg-info")) || str_ends(name, S(".egg-link"));
}

/* Room for all that the site may have: a list that grows leaves twice its size behind. */
static void found_reserve(struct arena *arena, const struct scan_site *site, struct found_list *found) {
    ptrdiff_t cap = found->items.len, size = (ptrdiff_t)sizeof *found->items.data;
    for (int32_t k = 0; k < site->names_len; k++) cap += describes(site->names[k]);
    if (cap <= found->items.cap) return;
    found->items.data = arena_grow(arena, found->items.data, found->items.len * size, cap * size);
    found->items.cap = cap;
}

/* Which of the distributions that were read before are in this directory. */
static void known_in_site(struct scan_dist_reader *reader) {
    const struct environment *known = reader->known;
    reader->known_dists = (struct map){0};
    for (int32_t i = 0; known && i < known->dists_len; i++)
        if (known->dists[i].site >= 0 && str_eq(known->sites[known->dists[i].site], reader->site))
            map_add(reader->arena, &reader->known_dists, known->dists[i].info_dir, i);
}

/* The distributions of one site directory. */
static void site_read(struct scan_dist_reader *reader, const struct scan_site *site, struct str cache_dir,
                      struct found_list *found) {
    struct scan_cache cache = {0};
    known_in_site(reader);
    if (!reader->known) scan_cache_read(reader->arena, reader->fs, cache_dir, site->path, &cache);
    reader->cache = &cache;
    reader->fresh = (struct scan_cache){0};
    reader->stale = false;
    found_reserve(reader->arena, site, found);
    const struct scan_dist_state *states = scan_dist_states(reader, site->names, site->names_len);
    for (int32_t k = 0; k < site->names_len && found->items.len < SCAN_DISTS_MAX; k++) {
        struct found one;
        if (!describes(site->names[k]) || !scan_dist_read(reader, site->names[k], &states[k], &one.dist, &one.identity))
            continue;
        /* A source tree on the path describes itself by an egg-info; nothing was installed from it. */
        if (site->by_pth && one.dist.form == DIST_EGG_INFO_DIR) one.dist.editable = true;
        *vec_push(reader->arena, &found->items) = one;
    }
    if (!reader->known && (reader->stale || reader->fresh.entries.len != cache.entries.len))
        scan_cache_write(reader->arena, reader->fs, cache_dir, site->path, &reader->fresh);
    reader->cache = NULL;
}

/* Reads every site directory's distributions. */
static void dists_read(struct arena *arena, const struct fs *fs, const struct scan_site *sites, int32_t sites_len,
                       const struct scan_options *options, struct environment *env) {
    struct found_list found = {0};
    struct scan_dist_reader reader = {
        .arena = arena, .fs = fs, .no_state = options->no_state, .known = options->known, .now_ns = sys_now_ns()};
    for (int32_t i = 0; i < env->problems_len; i++) *vec_push(arena, &reader.problems) = env->problems[i];
    for (int32_t i = 0; i < sites_len; i++) {
        reader.site = sites[i].path;
        reader.site_number = i;
        site_read(&reader, &sites[i], options->cache_dir, &found);
    }
    int32_t len = (int32_t)found.items.len;
    if (len) qsort(found.items.data, (size_t)len, sizeof *found.items.data, found_order);
    if (!options->no_state) env->state = state_of(arena, env, found.items.data, len);
    struct dist *dists = arena_new(arena, struct dist, len);
    for (int32_t i = 0; i < len; i++) dists[i] = found.items.data[i].dist;
    environment_seal(arena, env, dists, len);
    env->problems = reader.problems.data;
    env->problems_len = (int32_t)reader.problems.len;
}

struct err *scan_environment(struct arena *arena, const struct fs *fs, const struct proc *proc,
                             const struct scan_options *options, struct environment *ret) {
    struct environment env = {0};
    struct str python;
    TRY(scan_find_python(arena, options->python, &python));
    TRY(path_absolute(arena, python, &env.python));
    struct scan_facts facts;
    TRY(scan_facts_read(arena, fs, proc, env.python, options->into, options->cache_dir, &facts));
    TRY(platform_apply(arena, &facts, options->known, &env));
    TRY(facts_apply(arena, fs, &facts, &env));
    env.layer.coming = options->into.len > 0;
    if (env.layer.coming) env.python = path_join(arena, env.scripts, S("python"));
    int32_t paths_len, sites_len;
    const struct str *paths = site_paths(arena, &facts, &paths_len);
    const struct scan_site *sites;
    scan_sites_read(arena, fs, paths, paths_len, env.layer.coming ? env.purelib : S(""), &sites, &sites_len,
                    &env.problems, &env.problems_len);
    struct str *site_names = arena_new(arena, struct str, sites_len);
    for (int32_t i = 0; i < sites_len; i++) site_names[i] = sites[i].path;
    env.sites = site_names;
    env.sites_len = sites_len;
    dists_read(arena, fs, sites, sites_len, options, &env);
    *ret = env;
    return NULL;
}
