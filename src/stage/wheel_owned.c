#include "stage/wheel_owned.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/term.h"

enum { INSTALLED_FILES_MAX = 16 << 20, EASY_INSTALL_MAX = 1 << 20, EGG_LINK_MAX = 64 << 10 };

typedef VEC(struct owned_file) owned_files;

static struct err *refuse(struct arena *arena, const struct dist *dist, const char *why) {
    struct str name = term_quote(arena, dist->raw_name);
    return err_make(arena, ERR_CONFLICT, "%.*s cannot be uninstalled: %s", FMT(name), why);
}

/* The site directory of a distribution, links resolved; empty where there is none. */
static struct str site_of(struct arena *arena, const struct environment *env, const struct dist *dist) {
    struct str real = {0};
    if (dist->site < 0 || dist->site >= env->sites_len) return real;
    return path_resolve(arena, env->sites[dist->site], &real) ? (struct str){0} : real;
}

/* installed-files.txt as rows: one path per line, relative to the egg-info directory. */
static void installed_files_rows(struct arena *arena, struct str text, const struct record_row **ret,
                                 int32_t *ret_len) {
    VEC(struct record_row) rows = {0};
    struct str line;
    while (str_line(&text, &line) && rows.len < RECORD_ROWS_MAX) {
        bool good = line.len > 0 && line.len <= RECORD_PATH_MAX && str_find_char(line, '\0') < 0;
        if (good) *vec_push(arena, &rows) = (struct record_row){.path = line, .size = -1};
    }
    *ret = rows.data;
    *ret_len = (int32_t)rows.len;
}

static struct err *rows_read(struct arena *arena, const struct fs *fs, const struct environment *env, int32_t number,
                             struct str *base, const struct record_row **ret, int32_t *ret_len) {
    const struct dist *dist = &env->dists[number];
    struct str site = site_of(arena, env, dist), text;
    if (!site.len) return refuse(arena, dist, "its site directory is not known");
    bool egg = dist->form == DIST_EGG_INFO_DIR, found = false;
    if (!egg && dist->form != DIST_INFO) return refuse(arena, dist, "it has no list of its files");
    struct str info = path_join(arena, site, dist->info_dir);
    *base = egg ? info : site;
    struct str list = path_join(arena, info, egg ? S("installed-files.txt") : S("RECORD"));
    TRY(fs_read_optional(fs, arena, list, egg ? INSTALLED_FILES_MAX : RECORD_MAX_SIZE, &text, &found));
    if (!found) {
        struct err *err = refuse(arena, dist, egg ? "it has no installed-files.txt" : "it has no RECORD");
        return err_hint(arena, err, "reinstall it with the program that installed it, which writes the list anew");
    }
    if (!egg) return record_parse(arena, text, ret, ret_len);
    installed_files_rows(arena, text, ret, ret_len);
    return NULL;
}

void owned_rows(struct arena *arena, const struct fs *fs, const struct environment *env, int32_t number,
                struct str *site, const struct record_row **ret, int32_t *ret_len) {
    *ret_len = 0;
    *ret = NULL;
    /* A distribution without a list owns nothing that could be told. */
    if (rows_read(arena, fs, env, number, site, ret, ret_len)) *ret_len = 0;
}

/* The path of a row. Installers write `../../../bin/x` by the names of directories; where the site directory is a link,
 * that is another place than the one that the link leads to, unless the path is taken by its names too. */
static struct str row_path(struct arena *arena, const struct environment *env, const struct scheme *scheme,
                           const struct dist *dist, struct str base, struct str text) {
    struct str path = path_normalize(arena, base, text);
    if (path.len && scheme_root(scheme, path).len) return path;
    struct str site = env->sites[dist->site];
    struct str named =
        path_normalize(arena, dist->form == DIST_INFO ? site : path_join(arena, site, dist->info_dir), text);
    const struct {
        struct str name, real;
    } dirs[] = {{env->scripts, scheme->scripts}, {env->headers, scheme->headers}, {env->data, scheme->data}};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        struct str rest = str_from(named, dirs[i].name.len);
        if (dirs[i].name.len && str_starts(named, dirs[i].name) && str_starts(rest, S("/")))
            return str_format(arena, "%.*s%.*s", FMT(dirs[i].real), FMT(rest));
    }
    return path;
}

/* True of a path in the site directory that describes another distribution, or is in our own store. */
static bool is_of_another(const struct dist *dist, struct str path) {
    ptrdiff_t slash = str_find_char(path, '/');
    struct str top = slash < 0 ? path : str_slice(path, 0, slash);
    if (str_eq(top, dist->info_dir)) return false;
    return slash >= 0 && (str_ends(top, S(".dist-info")) || str_ends(top, S(".egg-info")) || str_eq(top, S(".unpin")));
}

static struct err *check_path(struct arena *arena, const struct environment *env, const struct scheme *scheme,
                              const struct dist *dist, struct str path) {
    struct str shown = term_quote(arena, path), site = site_of(arena, env, dist);
    bool in_site = site.len && str_starts(path, site) && path.len > site.len && path.data[site.len] == '/';
    if (path.len == 0 || (!in_site && scheme_root(scheme, path).len == 0)) {
        struct err *err = refuse(arena, dist, "its list of files names one outside of the environment");
        return err_hint(arena, err, "the file: %.*s", FMT(shown));
    }
    if (in_site && is_of_another(dist, str_from(path, site.len + 1)))
        return err_hint(arena, refuse(arena, dist, "its list of files names one of another distribution's description"),
                        "the file: %.*s", FMT(shown));
    struct str dir = scheme->scripts;
    if (str_eq(path, path_join(arena, scheme->data, S("pyvenv.cfg"))))
        return err_hint(arena, refuse(arena, dist, "its list of files names that of the environment"), "the file: %.*s",
                        FMT(shown));
    bool script = str_starts(path, dir) && path.len > dir.len && path.data[dir.len] == '/';
    if (!script || str_eq(dist->name, S("pip"))) return NULL;
    if (!entry_point_is_reserved(str_from(path, dir.len + 1))) return NULL;
    struct err *err = refuse(arena, dist, "its list of files names the interpreter or pip");
    return err_hint(arena, err, "the file: %.*s", FMT(shown));
}

/* The pointer of `setup.py develop`: the .egg-link, and its line in easy-install.pth. The source tree stays. */
static struct err *egg_link_read(struct arena *arena, const struct fs *fs, const struct environment *env,
                                 const struct dist *dist, struct owned *ret) {
    struct str site = site_of(arena, env, dist), text, pth, line;
    if (!site.len) return refuse(arena, dist, "its site directory is not known");
    owned_files files = {0};
    struct owned_file *link = vec_push(arena, &files);
    *link = (struct owned_file){.path = path_join(arena, site, dist->info_dir), .is_metadata = true};
    struct owned owned = {.files = files.data, .len = 1};
    TRY(fs_read(fs, arena, link->path, EGG_LINK_MAX, &text));
    struct str source = str_trim(str_cut(&text, '\n')), path = path_join(arena, site, S("easy-install.pth"));
    bool found = false, listed = false;
    TRY(fs_read_optional(fs, arena, path, EASY_INSTALL_MAX, &pth, &found));
    struct buf buf = {.arena = arena};
    while (found && str_line(&pth, &line)) {
        bool this_one = str_eq(str_trim(line), source);
        listed = listed || this_one;
        if (!this_one) buf_addf(&buf, "%.*s\n", FMT(line));
    }
    if (listed) owned.pth = path;
    owned.pth_text = buf_str(&buf);
    *ret = owned;
    return NULL;
}

struct err *owned_read(struct arena *arena, const struct fs *fs, const struct environment *env,
                       const struct scheme *scheme, int32_t number, struct owned *ret) {
    const struct dist *dist = &env->dists[number];
    if (dist->system)
        return err_hint(arena, refuse(arena, dist, "it belongs to the system's package manager"),
                        "that package manager removes it");
    if (dist->form == DIST_EGG_LINK) return egg_link_read(arena, fs, env, dist, ret);
    struct str base;
    const struct record_row *rows = NULL;
    int32_t len = 0;
    TRY(rows_read(arena, fs, env, number, &base, &rows, &len));
    struct str info = path_join(arena, site_of(arena, env, dist), dist->info_dir);
    struct str mark = path_join(arena, info, dist->form == DIST_INFO ? S("METADATA") : S("PKG-INFO"));
    struct str list = path_join(arena, info, dist->form == DIST_INFO ? S("RECORD") : S("installed-files.txt"));
    owned_files files = {0};
    bool marked = false, listed = false;
    for (int32_t i = 0; i < len; i++) {
        struct str path = row_path(arena, env, scheme, dist, base, rows[i].path);
        if (str_eq(path, info)) continue; /* installed-files.txt ends with "./", the directory itself */
        TRY(check_path(arena, env, scheme, dist, path));
        struct owned_file file = {.path = path, .row = &rows[i], .is_metadata = str_eq(path, mark)};
        file.is_info = str_starts(path, info) && path.data[info.len] == '/';
        marked = marked || file.is_metadata;
        listed = listed || str_eq(path, list);
        *vec_push(arena, &files) = file;
    }
    /* What makes it installed goes, whether it lists itself or not. */
    if (!marked) *vec_push(arena, &files) = (struct owned_file){mark, NULL, true, true};
    if (!listed) *vec_push(arena, &files) = (struct owned_file){list, NULL, false, true};
    *ret = (struct owned){.files = files.data, .len = (int32_t)files.len};
    return NULL;
}
