/*
 * What the changes would do to others who do not know of RECORD: files of Debian packages, and modules that a new
 * package hides although they stay.
 */
#include "stage/wheel_change_parts.h"

#include "base/arena.h"
#include "base/map.h"
#include "os/term.h"

#define DPKG_LISTS S("/var/lib/dpkg/info")

enum { DPKG_LIST_MAX = 64 << 20, NAMESPACE_MAX = 64 << 10 };

/* The paths that are there and that the changes would replace or remove. */
static struct map touched_paths(struct work *work) {
    struct map paths = {0};
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        const struct item *item = &work->items.data[i];
        bool goes = !item->put && item->old && item->other_dist < 0;
        if (item->exists && !item->is_dir && (goes || work_writes(work, item)))
            map_add(work->arena, &paths, item->path, (int32_t)i);
    }
    return paths;
}

/* True if a text names anything in one of the directories that files are changed in. */
static bool names_scheme(const struct scheme *scheme, struct str text) {
    const struct str dirs[] = {scheme->purelib, scheme->platlib, scheme->scripts, scheme->headers};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (str_find(text, dirs[i]) >= 0) return true;
    return false;
}

static struct err *dpkg_refuse(struct work *work, struct str path, struct str list) {
    struct str shown = term_quote(work->arena, path), stem = str_slice(list, 0, list.len - S(".list").len);
    struct str package = term_quote(work->arena, str_cut(&stem, ':'));
    struct err *err = err_make(work->arena, ERR_CONFLICT, "%.*s belongs to the package %.*s of the system (dpkg)",
                               FMT(shown), FMT(package));
    return err_hint(work->arena, err, "--into DIR changes a layer over this environment instead");
}

struct err *work_check_dpkg(struct work *work) {
    const struct fs *fs = fs_real();
    struct str *names = NULL;
    struct fs_stat st;
    int32_t len = 0;
    struct map paths = touched_paths(work);
    TRY(fs_stat(fs, work->arena, DPKG_LISTS, true, &st));
    if (!st.is_dir || paths.len == 0) return NULL;
    TRY(fs_list(fs, work->arena, DPKG_LISTS, &names, &len));
    struct arena *scratch = arena_open();
    struct err *err = NULL;
    for (int32_t i = 0; i < len && !err; i++) {
        struct str text, line;
        bool found = false;
        if (!str_ends(names[i], S(".list"))) continue;
        struct arena_mark mark = arena_mark(scratch);
        struct str path = path_join(scratch, DPKG_LISTS, names[i]);
        /* A list that cannot be read protects nothing; dpkg itself would complain of it. */
        if (fs_read_optional(fs, scratch, path, DPKG_LIST_MAX, &text, &found) || !found) text = S("");
        bool near = names_scheme(work->options->scheme, text);
        while (near && !err && str_line(&text, &line)) {
            int32_t at = map_find(&paths, line);
            if (at >= 0) err = dpkg_refuse(work, work->items.data[at].path, names[i]);
        }
        arena_rewind(scratch, mark);
    }
    arena_close(scratch);
    return err;
}

/* Whether the package whose `__init__.py` is at `path` takes its modules from several directories (pkgutil,
 * setuptools). */
static bool is_spread(struct arena *arena, struct str path) {
    struct str text;
    bool found = false;
    if (fs_read_optional(fs_real(), arena, path, NAMESPACE_MAX, &text, &found) || !found) return false;
    return str_find(text, S("extend_path")) >= 0 || str_find(text, S("declare_namespace")) >= 0;
}

/* The new packages in the site directory: what is between `site`/ and /__init__.py. */
static struct map packages_of(struct work *work, struct str site) {
    struct map packages = {0};
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        struct str path = work->items.data[i].path, end = S("/__init__.py");
        if (!work->items.data[i].put || !str_starts(path, site) || !str_ends(path, end)) continue;
        map_add(work->arena, &packages, str_slice(path, site.len + 1, path.len - end.len), (int32_t)i);
    }
    return packages;
}

/* A module that somebody would import; tests and the like, which many wheels leave in the same place, are none. */
static bool is_module(struct str path) {
    static const struct str others[] = {S_INIT("test/"),  S_INIT("tests/"),      S_INIT("docs/"),   S_INIT("examples/"),
                                        S_INIT("tools/"), S_INIT("benchmarks/"), S_INIT("scripts/")};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (str_starts(path, others[i])) return false;
    return str_ends(path, S(".py")) || str_ends(path, S(".so"));
}

/* The package among `packages` that hides the module `path` (relative) of another site directory; empty: none does. */
static struct str hiding(struct work *work, const struct map *packages, struct str own, struct str site,
                         struct str path) {
    if (!is_module(path)) return S("");
    for (ptrdiff_t i = 0; i < path.len; i++) {
        struct str dir = str_slice(path, 0, i);
        if (path.data[i] != '/' || map_find(packages, dir) < 0) continue;
        const struct item *same = work_find(work, path_join(work->arena, own, path));
        struct str init = path_join(work->arena, path_join(work->arena, site, dir), S("__init__.py"));
        return (same && same->put) || is_spread(work->arena, init) ? S("") : dir;
    }
    return S("");
}

static bool is_changed(const struct work *work, struct str name) {
    for (int32_t i = 0; i < work->changes_len; i++)
        if (str_eq(work->changes[i].name, name)) return true;
    return false;
}

/* What is below a layer shares a package with what comes into it: Python takes a package from one directory only. */
static struct err *check_hidden(struct work *work, struct str own, const struct map *packages) {
    const struct environment *env = work->options->env;
    for (int32_t i = 0; packages->len && i < env->dists_len; i++) {
        const struct dist *dist = &env->dists[i];
        const struct record_row *rows;
        struct str site;
        int32_t len;
        if (dist->shadowed || dist->site < 0 || is_changed(work, dist->name)) continue;
        owned_rows(work->arena, fs_real(), env, i, &site, &rows, &len);
        for (int32_t k = 0; k < len && !str_eq(site, own); k++) {
            struct str package = hiding(work, packages, own, site, rows[k].path);
            if (!package.len) continue;
            struct err *err =
                err_make(work->arena, ERR_CONFLICT,
                         "%.*s of %.*s, which stays below, could not be imported any more: the new package "
                         "%.*s hides it",
                         FMT(term_quote(work->arena, rows[k].path)), FMT(term_quote(work->arena, dist->raw_name)),
                         FMT(term_quote(work->arena, package)));
            return err_hint(work->arena, err,
                            "in a layer both have to come from the same place; change the environment itself");
        }
    }
    return NULL;
}

/* The `__init__.py` of the directory `dir` (relative) in another site directory than `own`; empty: there is none that
 * counts. */
static struct str whole_elsewhere(struct work *work, struct str own, struct str dir) {
    const struct environment *env = work->options->env;
    for (int32_t i = 0; i < env->sites_len; i++) {
        struct fs_stat st;
        struct str init = path_join(work->arena, path_join(work->arena, env->sites[i], dir), S("__init__.py"));
        if (str_starts(init, own) || fs_stat(fs_real(), work->arena, init, true, &st) || !st.exists) continue;
        if (!is_spread(work->arena, init)) return init;
    }
    return S("");
}

/* What keeps the new module `path` (relative) from being found; empty: nothing does. `seen`: directories that were
 * looked at. */
static struct str kept_from(struct work *work, struct str own, const struct map *packages, struct str path,
                            struct map *seen) {
    for (ptrdiff_t i = 0; i < path.len; i++) {
        struct str dir = str_slice(path, 0, i);
        if (path.data[i] != '/' || map_find(seen, dir) >= 0) continue;
        if (map_find(packages, dir) >= 0) break;
        map_add(work->arena, seen, dir, 0);
        struct str init = whole_elsewhere(work, own, dir);
        if (init.len) return init;
    }
    return S("");
}

/* A part of a package without its `__init__.py` is not found where another directory has the whole package. */
static struct err *check_unseen(struct work *work, struct str own, const struct map *packages) {
    struct map seen = {0};
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        struct str path = work->items.data[i].path;
        struct str module = str_starts(path, own) ? str_from(path, own.len + 1) : S("");
        if (!work->items.data[i].put || !is_module(module)) continue;
        struct str init = kept_from(work, own, packages, module, &seen);
        if (!init.len) continue;
        return err_make(work->arena, ERR_CONFLICT, "%.*s would not be found: %.*s has the whole package",
                        FMT(term_quote(work->arena, path)), FMT(term_quote(work->arena, init)));
    }
    return NULL;
}

struct err *work_check_layer(struct work *work) {
    if (!work->options->env->layer.of.len) return NULL;
    struct str own = work->options->scheme->purelib;
    struct map packages = packages_of(work, own);
    TRY(check_hidden(work, own, &packages));
    return check_unseen(work, own, &packages);
}
