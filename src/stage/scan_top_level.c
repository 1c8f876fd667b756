/* Importable names of an installed distribution, from the list of its files. */
#include "base/arena.h"
#include "stage/scan.h"
#include "stage/scan_sites.h"

#include <stdlib.h>

enum { TOP_LEVEL_MAX = 10000 };

/* The first field of a line of a RECORD (CSV: quoted where it holds a comma or a quote). */
static struct str record_path(struct arena *arena, struct str line) {
    if (!str_starts(line, S("\""))) return str_cut(&line, ',');
    char *path = arena_alloc(arena, line.len);
    ptrdiff_t len = 0;
    for (ptrdiff_t i = 1; i < line.len; i++) {
        if (line.data[i] == '"' && (i + 1 == line.len || line.data[++i] != '"')) break;
        path[len++] = line.data[i];
    }
    return (struct str){path, len};
}

/* The name that importing would find at a path relative to the site directory; empty: none. */
static struct str module_of(struct str path) {
    if (path.len == 0 || path.data[0] == '/' || path.data[0] == '.') return (struct str){0};
    ptrdiff_t slash = str_find_char(path, '/');
    struct str first = slash < 0 ? path : str_slice(path, 0, slash);
    bool code = str_ends(path, S(".py")) || str_ends(path, S(".so"));
    if (!code) return (struct str){0};
    /* A module file: "x.py", "x.cpython-312-x86_64-linux-gnu.so", "x.abi3.so". */
    ptrdiff_t dot = str_find_char(first, '.');
    if (slash >= 0) return dot >= 0 ? (struct str){0} : first; /* no package has a dot: x.dist-info, x.libs, x.data */
    return str_slice(first, 0, dot);
}

static int name_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

/* The file that lists what the distribution owns, and whether its lines are paths (else: names). */
static bool list_read(struct arena *arena, const struct fs *fs, struct str info, enum dist_form form, struct str *ret,
                      bool *ret_paths, bool *ret_from_info) {
    bool found = false;
    *ret_paths = true;
    *ret_from_info = form != DIST_INFO;
    struct str name = form == DIST_INFO ? S("RECORD") : S("installed-files.txt");
    if (fs_read_optional(fs, arena, path_join(arena, info, name), SCAN_RECORD_MAX, ret, &found) == NULL && found)
        return true;
    *ret_paths = false;
    struct err *err =
        fs_read_optional(fs, arena, path_join(arena, info, S("top_level.txt")), SCAN_SMALL_FILE_MAX, ret, &found);
    return err == NULL && found;
}

void scan_top_level(struct arena *arena, const struct fs *fs, const struct environment *env, const struct dist *dist,
                    const struct str **ret, int32_t *ret_len) {
    *ret = NULL;
    *ret_len = 0;
    if (dist->site < 0 || dist->site >= env->sites_len) return;
    struct str info = path_join(arena, env->sites[dist->site], dist->info_dir), text, line;
    bool paths, from_info;
    if (!list_read(arena, fs, info, dist->form, &text, &paths, &from_info)) return;
    VEC(struct str) names = {0};
    struct map seen = {0};
    while (str_line(&text, &line) && names.len < TOP_LEVEL_MAX) {
        struct str path = paths ? record_path(arena, line) : str_trim(line);
        /* installed-files.txt counts from the egg-info directory. */
        if (paths && from_info) path = str_starts(path, S("../")) ? str_from(path, 3) : (struct str){0};
        struct str name = paths ? module_of(path) : path;
        if (name.len == 0 || map_find(&seen, name) >= 0) continue;
        map_add(arena, &seen, name, 0);
        *vec_push(arena, &names) = name;
    }
    if (names.len) qsort(names.data, (size_t)names.len, sizeof *names.data, name_order);
    *ret = names.data;
    *ret_len = (int32_t)names.len;
}
