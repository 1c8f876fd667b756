#include "stage/scan_sites.h"

#include "base/arena.h"

/* The walk in progress. */
struct walk {
    struct arena *arena;
    const struct fs *fs;
    VEC(struct scan_site) sites;
    VEC(struct fs_stat) seen; /* of each site */
    VEC(struct str) problems;
};

static bool is_seen(const struct walk *walk, const struct fs_stat *st) {
    for (ptrdiff_t i = 0; i < walk->seen.len; i++)
        if (walk->seen.data[i].device == st->device && walk->seen.data[i].inode == st->inode) return true;
    return false;
}

/* Adds a directory; false where it is none, has been added, or cannot be read. */
static bool site_add(struct walk *walk, struct str path, bool by_pth) {
    struct arena *arena = walk->arena;
    struct fs_stat st;
    if (walk->sites.len == SCAN_SITES_MAX || fs_stat(walk->fs, arena, path, true, &st) != NULL || !st.is_dir ||
        is_seen(walk, &st))
        return false;
    struct str *names;
    struct scan_site site = {.path = path, .by_pth = by_pth};
    struct err *err = fs_list(walk->fs, arena, path, &names, &site.names_len);
    if (err) {
        *vec_push(arena, &walk->problems) = err_format(arena, err);
        return false;
    }
    site.names = names;
    *vec_push(arena, &walk->seen) = st;
    *vec_push(arena, &walk->sites) = site;
    return true;
}

/* The paths of one .pth file. site.py skips comments and runs lines that begin with `import`. */
static void pth_read(struct walk *walk, struct str site, struct str name) {
    struct str text, line, file = path_join(walk->arena, site, name);
    struct err *err = fs_read(walk->fs, walk->arena, file, SCAN_SMALL_FILE_MAX, &text);
    if (err) {
        *vec_push(walk->arena, &walk->problems) = err_format(walk->arena, err);
        return;
    }
    if (str_starts(text, S("\xEF\xBB\xBF"))) text = str_from(text, 3);
    while (str_line(&text, &line)) {
        bool code = str_starts(line, S("import ")) || str_starts(line, S("import\t"));
        struct str path = str_trim(line);
        if (code || path.len == 0 || path.data[0] == '#' || str_find_char(path, '\0') >= 0) continue;
        if (path.data[0] != '/') path = path_join(walk->arena, site, path);
        (void)site_add(walk, path, true);
    }
}

void scan_sites_read(struct arena *arena, const struct fs *fs, const struct str *paths, int32_t len, struct str coming,
                     const struct scan_site **ret, int32_t *ret_len, const struct str **ret_problems,
                     int32_t *ret_problems_len) {
    struct walk walk = {.arena = arena, .fs = fs};
    for (int32_t i = 0; i < len; i++) {
        if (coming.len && str_eq(paths[i], coming)) {
            *vec_push(arena, &walk.seen) = (struct fs_stat){.device = -1};
            *vec_push(arena, &walk.sites) = (struct scan_site){.path = coming};
            continue;
        }
        if (!site_add(&walk, paths[i], false)) continue;
        const struct scan_site site = walk.sites.data[walk.sites.len - 1];
        for (int32_t k = 0; k < site.names_len; k++)
            if (str_ends(site.names[k], S(".pth")) && site.names[k].data[0] != '.')
                pth_read(&walk, site.path, site.names[k]);
    }
    *ret = walk.sites.data;
    *ret_len = (int32_t)walk.sites.len;
    *ret_problems = walk.problems.data;
    *ret_problems_len = (int32_t)walk.problems.len;
}
