#include "stage/integrity.h"

#include "base/arena.h"
#include "os/digest.h"
#include "os/mapping.h"
#include "os/workers.h"
#include "pypa/record.h"

#include <string.h>

enum { ROWS_AT_ONCE = 256 };

/* What one distribution's RECORD showed. Written by one worker, in memory of its own. */
struct finding {
    struct arena *arena;
    VEC(struct integrity_damage) damages;
    int64_t files, bytes;
    bool no_record;
};

struct work {
    const struct fs *fs;
    const struct environment *env;
    struct finding *findings; /* one per distribution */
    const struct integrity_limits *limits;
};

static void add_damage(struct finding *finding, const struct dist *dist, struct str path, struct str what) {
    *vec_push(finding->arena, &finding->damages) =
        (struct integrity_damage){dist->name, str_copy(finding->arena, path), what};
}

/* `path` without `.`, `..` and double slashes, NUL-terminated; empty if `..` leads above the root. */
static struct str path_clean(struct arena *arena, struct str path) {
    char *out = arena_alloc(arena, path.len + 2);
    ptrdiff_t len = 0;
    while (path.data) {
        struct str part = str_cut(&path, '/');
        if (part.len == 0 || str_eq(part, S("."))) continue;
        if (str_eq(part, S(".."))) {
            if (len == 0) return S("");
            while (len > 0 && out[--len] != '/') continue;
            continue;
        }
        out[len++] = '/';
        memcpy(out + len, part.data, (size_t)part.len);
        len += part.len;
    }
    out[len] = '\0';
    return (struct str){out, len};
}

static bool beneath(struct str path, struct str folder) {
    return folder.len > 0 && str_starts(path, folder) && path.len > folder.len && path.data[folder.len] == '/';
}

/* Where the scheme of the environment may put files. */
static bool is_inside(const struct environment *env, struct str path) {
    for (int32_t i = 0; i < env->sites_len; i++)
        if (beneath(path, env->sites[i])) return true;
    const struct str folders[] = {env->purelib, env->platlib, env->scripts, env->data, env->headers, env->prefix};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (beneath(path, folders[i])) return true;
    return false;
}

/* How a file of this path was when its bytes were known; NULL: nobody knows. */
static const struct transaction_file *known_find(const struct integrity_limits *limits, struct str path) {
    for (int32_t low = 0, high = limits->known_len; low < high;) {
        int32_t middle = low + (high - low) / 2;
        int order = str_cmp(path, limits->known[middle].path);
        if (order == 0) return &limits->known[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

/* True where its bytes need not be read. */
static bool is_settled(const struct integrity_limits *limits, struct str path, const struct fs_stat *now) {
    const struct transaction_file *known = known_find(limits, path);
    if (!known) return now->is_file && now->size > limits->hash_max;
    return now->is_file && now->inode == known->inode && now->size == known->size && now->mtime_ns == known->mtime_ns &&
           now->ctime_ns == known->ctime_ns;
}

/* A row that can be compared. */
struct looked {
    const struct record_row *row;
    struct str path;
    struct fs_stat stat;
};

static void check_file(const struct work *work, struct finding *finding, const struct dist *dist,
                       const struct looked *looked, struct arena *scratch) {
    const struct record_row *row = looked->row;
    const struct fs_stat *stat = &looked->stat;
    if (!stat->exists) {
        add_damage(finding, dist, looked->path, S("missing"));
        return;
    }
    if (row->size >= 0 && stat->size != row->size) {
        add_damage(finding, dist, looked->path, S("size"));
        return;
    }
    if (is_settled(work->limits, looked->path, stat)) return;
    struct mapping mapping = {.fd = -1};
    if (!stat->is_file || mapping_open(scratch, looked->path, &mapping)) {
        add_damage(finding, dist, looked->path, S("unreadable"));
        return;
    }
    struct str bytes = {mapping.data, (ptrdiff_t)mapping.size};
    bool same = str_eq(digest_make(scratch, bytes, (int32_t)row->digest.len), row->digest);
    mapping_close(&mapping);
    finding->files++;
    finding->bytes += stat->size;
    if (!same) add_damage(finding, dist, looked->path, S("hash"));
}

/* Some rows: those beneath the site directory are looked at together, as the way there is gone once. */
static void check_rows(const struct work *work, struct finding *finding, const struct dist *dist,
                       const struct record_row *rows, int32_t len, struct arena *scratch) {
    struct looked *looked = arena_new(scratch, struct looked, len);
    const char **names = arena_new(scratch, const char *, len);
    struct fs_stat *stats = arena_new(scratch, struct fs_stat, len);
    struct str site = work->env->sites[dist->site];
    int32_t names_len = 0;
    for (int32_t i = 0; i < len; i++) {
        struct str path = rows[i].path;
        if (path.data[0] != '/') path = path_join(scratch, site, path);
        looked[i] = (struct looked){&rows[i], path_clean(scratch, path), {0}};
        if (beneath(looked[i].path, site)) names[names_len++] = looked[i].path.data + site.len + 1;
    }
    fs_stat_names(work->fs, scratch, site, names, names_len, stats);
    names_len = 0;
    for (int32_t i = 0; i < len; i++) {
        struct err *err = NULL;
        if (!is_inside(work->env, looked[i].path)) {
            add_damage(finding, dist, rows[i].path, S("outside"));
            continue;
        }
        if (beneath(looked[i].path, site)) looked[i].stat = stats[names_len++];
        /* What those together cannot be told is asked for again. */
        if (!looked[i].stat.exists) err = fs_stat(work->fs, scratch, looked[i].path, true, &looked[i].stat);
        if (err) add_damage(finding, dist, looked[i].path, S("unreadable"));
        else check_file(work, finding, dist, &looked[i], scratch);
    }
}

static struct err *check_dist(void *self, struct arena *arena, int32_t i) {
    const struct work *work = self;
    const struct dist *dist = &work->env->dists[i];
    struct finding *finding = &work->findings[i];
    finding->arena = arena_open();
    if (work->limits->wanted && !work->limits->wanted[i]) return NULL;
    finding->no_record = dist->form != DIST_INFO || dist->site < 0;
    if (finding->no_record) return NULL;
    struct str folder = path_join(arena, work->env->sites[dist->site], dist->info_dir);
    struct str path = path_join(arena, folder, S("RECORD")), text;
    bool found = false;
    struct err *err = fs_read_optional(work->fs, arena, path, RECORD_MAX_SIZE, &text, &found);
    finding->no_record = !err && !found;
    if (finding->no_record) return NULL;
    const struct record_row *rows = NULL;
    int32_t len = 0;
    if (!err) err = record_parse(arena, text, &rows, &len);
    if (err) {
        add_damage(finding, dist, path, S("RECORD"));
        return NULL;
    }
    struct record_row *some = arena_new(arena, struct record_row, ROWS_AT_ONCE);
    for (int32_t k = 0, count = 0; k < len; k++) {
        /* RECORD itself has no hash; compiled files are derived and made anew at will. */
        if (rows[k].digest.len && !str_ends(rows[k].path, S(".pyc"))) some[count++] = rows[k];
        if (count < ROWS_AT_ONCE && k + 1 < len) continue;
        struct arena_mark mark = arena_mark(arena);
        check_rows(work, finding, dist, some, count, arena);
        arena_rewind(arena, mark);
        count = 0;
    }
    return NULL;
}

/* One answer out of all, in `arena`; frees the workers' memory. */
static struct integrity gather(struct arena *arena, struct finding *findings, int32_t len) {
    VEC(struct integrity_damage) all = {0};
    struct integrity sum = {0};
    for (int32_t i = 0; i < len; i++) {
        struct finding *finding = &findings[i];
        sum.files += finding->files;
        sum.bytes += finding->bytes;
        sum.without_record += finding->no_record;
        for (ptrdiff_t k = 0; k < finding->damages.len; k++) {
            struct integrity_damage damage = finding->damages.data[k];
            damage.path = str_copy(arena, damage.path);
            *vec_push(arena, &all) = damage;
        }
        arena_close(finding->arena);
    }
    sum.items = all.data;
    sum.len = (int32_t)all.len;
    return sum;
}

struct err *integrity_check_some(struct arena *arena, const struct fs *fs, const struct environment *env,
                                 const struct integrity_limits *limits, struct integrity *ret) {
    struct work work = {fs, env, arena_new(arena, struct finding, env->dists_len), limits};
    const struct workers_step step = {.self = &work, .run = check_dist};
    struct err *err = workers_run(arena, &step, env->dists_len);
    struct integrity found = gather(arena, work.findings, env->dists_len);
    if (!err) *ret = found;
    return err;
}

struct err *integrity_check(struct arena *arena, const struct fs *fs, const struct environment *env,
                            struct integrity *ret) {
    const struct integrity_limits limits = {.hash_max = INT64_MAX};
    return integrity_check_some(arena, fs, env, &limits, ret);
}
