#include "stage/integrity.h"

#include "base/arena.h"
#include "os/digest.h"
#include "os/mapping.h"
#include "os/workers.h"
#include "pypa/record.h"

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

/* `path` without `.`, `..` and double slashes; empty if `..` leads above the root. */
static struct str path_clean(struct arena *arena, struct str path) {
    char *out = arena_alloc(arena, path.len + 1);
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
        for (ptrdiff_t i = 0; i < part.len; i++) out[len++] = part.data[i];
    }
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

static bool is_known(const struct integrity_limits *limits, struct str path, const struct fs_stat *now) {
    for (int32_t low = 0, high = limits->known_len; low < high;) {
        int32_t middle = low + (high - low) / 2;
        const struct transaction_file *known = &limits->known[middle];
        int order = str_cmp(path, known->path);
        if (order == 0)
            return now->is_file && now->inode == known->inode && now->size == known->size &&
                   now->mtime_ns == known->mtime_ns && now->ctime_ns == known->ctime_ns;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return false;
}

static void check_row(const struct work *work, struct finding *finding, const struct dist *dist,
                      const struct record_row *row, struct arena *scratch) {
    bool absolute = row->path.data[0] == '/';
    struct str path =
        path_clean(scratch, absolute ? row->path : path_join(scratch, work->env->sites[dist->site], row->path));
    if (!is_inside(work->env, path)) {
        add_damage(finding, dist, row->path, S("outside"));
        return;
    }
    struct fs_stat stat;
    struct err *err = fs_stat(work->fs, scratch, path, true, &stat);
    if (err || !stat.exists) {
        add_damage(finding, dist, path, err ? S("unreadable") : S("missing"));
        return;
    }
    if (row->size >= 0 && stat.size != row->size) {
        add_damage(finding, dist, path, S("size"));
        return;
    }
    if (is_known(work->limits, path, &stat) || (stat.is_file && stat.size > work->limits->hash_max)) return;
    struct mapping mapping = {.fd = -1};
    if (!stat.is_file || mapping_open(scratch, path, &mapping)) {
        add_damage(finding, dist, path, S("unreadable"));
        return;
    }
    struct str bytes = {mapping.data, (ptrdiff_t)mapping.size};
    bool same = str_eq(digest_make(scratch, bytes, (int32_t)row->digest.len), row->digest);
    mapping_close(&mapping);
    finding->files++;
    finding->bytes += stat.size;
    if (!same) add_damage(finding, dist, path, S("hash"));
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
    for (int32_t k = 0; k < len; k++) {
        /* RECORD itself has no hash; compiled files are derived and made anew at will. */
        if (rows[k].digest.len == 0 || str_ends(rows[k].path, S(".pyc"))) continue;
        struct arena_mark mark = arena_mark(arena);
        check_row(work, finding, dist, &rows[k], arena);
        arena_rewind(arena, mark);
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
    const struct workers_step step = {&work, check_dist};
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
