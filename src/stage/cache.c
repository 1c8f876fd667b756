#include "stage/cache.h"

#include "base/arena.h"
#include "pypa/name.h"
#include "stage/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    USE_WAIT_MS = 5000,
    OWN_WAIT_MS = 1000,
    KEY_HEAD = 2,
    STRONG_384 = 94,
    STRONG_512 = 126,
    SUM_MAX = 64,
    PARTS_MAX = 3
};

/* The folders of files by their hashes: NAME/ab/cdef…; `digits` behind the two of the folder. */
static const struct layout {
    const char *path;
    enum cache_kind kind;
    int digits;      /* of a name */
    bool strong;     /* or as many as SHA-384 and SHA-512 have more */
    bool executable; /* an `x` may follow */
} layouts[] = {
    {INDEX_CACHE "/hosts", CACHE_PAGES, 30, false, false},
    {INDEX_CACHE "/links", CACHE_PAGES, 30, false, false},
    {INDEX_CACHE "/metadata", CACHE_METADATA, 30, false, false},
    {INDEX_CACHE "/pages", CACHE_PAGES, 30, false, false},
    {INDEX_CACHE "/views", CACHE_PAGES, 30, false, false},
    {INDEX_CACHE "/wheels", CACHE_WHEELS, 62, true, false},
    {INDEX_CACHE "/wheels-notes", CACHE_FILES, 62, true, false},
    {"files", CACHE_FILES, 62, false, true},
    {"files-notes", CACHE_FILES, 62, false, false},
};

/* The files at the top: NAME-0123456789abcdef.END. */
static const struct {
    struct str head, end;
    int digits;
} tops[] = {
    {S_INIT("lock-"), S_INIT(".sha256"), 32},
    {S_INIT("python-"), S_INIT(".facts"), 16},
    {S_INIT("site-"), S_INIT(".dists"), 16},
    {S_INIT("state-"), S_INIT(".sha256"), 32},
};

/* What is known while the folders are gone through. */
struct walk {
    struct arena *arena;
    struct cache *cache;
    VEC(struct cache_entry) entries;
};

struct str cache_kind_name(enum cache_kind kind) {
    static const struct str names[] = {
        [CACHE_PAGES] = S_INIT("pages"), [CACHE_METADATA] = S_INIT("metadata"), [CACHE_WHEELS] = S_INIT("wheels"),
        [CACHE_FILES] = S_INIT("files"), [CACHE_BUILDS] = S_INIT("builds"),     [CACHE_TRAILS] = S_INIT("trails"),
        [CACHE_SCAN] = S_INIT("scan"),   [CACHE_OLD] = S_INIT("old"),
    };
    return names[kind];
}

static bool is_hex(struct str text, ptrdiff_t len) {
    return text.len == len && str_is_hex(text);
}

/* True for the end of a name under which a file is written before it is renamed: ".123-456-7" (os/store), ".AbC123"
 * (os/fs). */
static bool is_beside(struct str end) {
    if (end.len < 2 || end.data[0] != '.') return false;
    int32_t dashes = 0;
    bool digits = true, letters = end.len == 7;
    for (ptrdiff_t i = 1; i < end.len; i++) {
        dashes += end.data[i] == '-';
        digits = digits && (char_is_digit(end.data[i]) || end.data[i] == '-');
        letters = letters && char_is_alnum(end.data[i]);
    }
    return letters || (digits && dashes == 2);
}

/* `name` cut off before what a file that is being written has behind its name; empty where it has none of that. */
static struct str before_end(struct str name) {
    ptrdiff_t dot = str_find_last(name, '.');
    return dot > 0 && is_beside(str_from(name, dot)) ? str_slice(name, 0, dot) : (struct str){0};
}

static void add_sum(struct cache_sum *sum, const struct store_file *file) {
    int64_t used = file->used_ns;
    if (sum->files == 0 || used < sum->oldest_ns) sum->oldest_ns = used;
    if (sum->files == 0 || used > sum->newest_ns) sum->newest_ns = used;
    sum->files++;
    sum->shared += file->shared;
    if (!file->shared && file->bytes < INT64_MAX - sum->bytes) sum->bytes += file->bytes;
}

struct cache_sum cache_sum(const struct cache_sum kinds[CACHE_KINDS]) {
    struct cache_sum sum = {0};
    for (int i = 0; i < CACHE_KINDS; i++) {
        if (kinds[i].files == 0) continue;
        if (sum.files == 0 || kinds[i].oldest_ns < sum.oldest_ns) sum.oldest_ns = kinds[i].oldest_ns;
        if (sum.files == 0 || kinds[i].newest_ns > sum.newest_ns) sum.newest_ns = kinds[i].newest_ns;
        sum.files += kinds[i].files;
        sum.shared += kinds[i].shared;
        sum.bytes += kinds[i].bytes;
    }
    return sum;
}

static void add(struct walk *walk, enum cache_kind kind, struct str folder, const struct store_file *file) {
    if (walk->entries.len == CACHE_ENTRIES_MAX) return;
    *vec_push(walk->arena, &walk->entries) = (struct cache_entry){kind, folder, *file};
    add_sum(&walk->cache->kinds[kind], file);
}

/* The files of one folder. What is not there, or no directory of ours, holds nothing. */
static bool look(struct walk *walk, struct str path, struct store_folder *ret) {
    *ret = (struct store_folder){0};
    if (store_folder_read(walk->arena, walk->cache->dir, path, ret)) return false;
    walk->cache->strange += ret->strange;
    return true;
}

static bool is_entry(const struct layout *layout, struct str name) {
    if (layout->executable && str_ends(name, S("x"))) name.len--;
    return is_hex(name, layout->digits) || (layout->strong && (is_hex(name, STRONG_384) || is_hex(name, STRONG_512)));
}

static void walk_layout(struct walk *walk, const struct layout *layout) {
    struct store_folder folder, inner;
    if (!look(walk, str_of(layout->path), &folder)) return;
    walk->cache->strange += folder.files_len;
    for (int32_t i = 0; i < folder.folders_len; i++) {
        struct str path = str_format(walk->arena, "%s/%.*s", layout->path, FMT(folder.folders[i]));
        if (!is_hex(folder.folders[i], KEY_HEAD) || !look(walk, path, &inner)) {
            walk->cache->strange++;
            continue;
        }
        walk->cache->strange += inner.folders_len;
        for (int32_t k = 0; k < inner.files_len; k++) {
            struct str name = inner.files[k].name;
            if (is_entry(layout, name)) add(walk, layout->kind, path, &inner.files[k]);
            else if (is_entry(layout, before_end(name))) add(walk, CACHE_OLD, path, &inner.files[k]);
            else walk->cache->strange++;
        }
    }
}

static bool is_trail(struct str name) {
    return is_hex(name, 3);
}

static bool is_log(struct str name) {
    return str_ends(name, S(".log"));
}

/* A folder of files without folders in it. */
static void walk_flat(struct walk *walk, struct str path, enum cache_kind kind, bool (*is_one)(struct str)) {
    struct store_folder folder;
    if (!look(walk, path, &folder)) return;
    walk->cache->strange += folder.folders_len;
    for (int32_t i = 0; i < folder.files_len; i++) {
        struct str name = folder.files[i].name;
        if (is_one(name)) add(walk, kind, path, &folder.files[i]);
        else if (is_one(before_end(name))) add(walk, CACHE_OLD, path, &folder.files[i]);
        else walk->cache->strange++;
    }
}

/* The folders of an earlier version: "index-1/NAME/ab/cdef…". */
static void walk_old(struct walk *walk, struct str path, int depth) {
    struct store_folder folder;
    if (!look(walk, path, &folder)) return;
    for (int32_t i = 0; i < folder.files_len; i++) {
        if (depth == PARTS_MAX) add(walk, CACHE_OLD, path, &folder.files[i]);
        else walk->cache->strange++;
    }
    for (int32_t i = 0; i < folder.folders_len; i++) {
        if (depth < PARTS_MAX) walk_old(walk, path_join(walk->arena, path, folder.folders[i]), depth + 1);
        else walk->cache->strange++;
    }
}

static bool is_old(struct str name) {
    int64_t number;
    return str_starts(name, S("index-")) && str_to_int(str_from(name, 6), &number) && !str_eq(name, S(INDEX_CACHE));
}

/* True for a file at the top that a scan or a digest left. */
static bool is_top(struct str name) {
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        ptrdiff_t around = tops[i].head.len + tops[i].end.len;
        if (name.len == around + tops[i].digits && str_starts(name, tops[i].head) && str_ends(name, tops[i].end))
            return is_hex(str_slice(name, tops[i].head.len, name.len - tops[i].end.len), tops[i].digits);
    }
    return false;
}

/* Whose names at the top are none of unpin's are not looked at, nor counted: the directory may have other uses. */
static struct err *walk_top(struct walk *walk) {
    struct store_folder folder = {0};
    int status = store_folder_read(walk->arena, walk->cache->dir, S(""), &folder);
    if (status == ENOENT) return NULL;
    if (status) return err_errno(walk->arena, status, "cannot read the cache %.*s", FMT(walk->cache->dir));
    for (int32_t i = 0; i < folder.files_len; i++) {
        struct str name = folder.files[i].name, before = before_end(name);
        if (is_top(name)) add(walk, CACHE_SCAN, S(""), &folder.files[i]);
        else if (is_top(before) || str_eq(before, S("size"))) add(walk, CACHE_OLD, S(""), &folder.files[i]);
    }
    for (int32_t i = 0; i < folder.folders_len; i++)
        if (is_old(folder.folders[i])) walk_old(walk, folder.folders[i], 1);
    return NULL;
}

struct err *cache_read(struct arena *arena, struct str dir, struct cache *ret) {
    struct cache cache = {.dir = dir};
    struct walk walk = {.arena = arena, .cache = &cache};
    TRY(walk_top(&walk));
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) walk_layout(&walk, &layouts[i]);
    walk_flat(&walk, S("builds"), CACHE_BUILDS, is_log);
    walk_flat(&walk, S("trails"), CACHE_TRAILS, is_trail);
    cache.entries = walk.entries.data;
    cache.len = (int32_t)walk.entries.len;
    cache.sum = cache_sum(cache.kinds);
    *ret = cache;
    return NULL;
}

static struct err *drop(struct arena *arena, const struct cache *cache, const struct cache_entry *entry,
                        struct cache_sum *kinds) {
    int status = store_folder_remove(arena, cache->dir, entry->folder, entry->file.name, false);
    if (status)
        return err_errno(arena, status, "cannot remove '%.*s'",
                         FMT(path_join(arena, path_join(arena, cache->dir, entry->folder), entry->file.name)));
    add_sum(&kinds[entry->kind], &entry->file);
    return NULL;
}

/* Least recently used first; the entry's place decides where two were used at the same time. */
static int use_order(const void *a, const void *b) {
    const struct cache_entry *const *x = a, *const *y = b;
    if ((*x)->file.used_ns != (*y)->file.used_ns) return (*x)->file.used_ns < (*y)->file.used_ns ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

/* The next change sums up anew. */
static void forget_size(struct arena *arena, struct str dir) {
    (void)store_folder_remove(arena, dir, S(""), S("size"), false);
}

struct err *cache_prune(struct arena *arena, const struct cache *cache, const struct cache_terms *terms,
                        struct cache_sum ret[CACHE_KINDS]) {
    struct cache_sum kinds[CACHE_KINDS] = {{0}};
    const struct cache_entry **order = arena_new(arena, const struct cache_entry *, cache->len);
    int64_t bytes = cache->sum.bytes;
    struct err *err = NULL;
    for (int32_t i = 0; i < cache->len; i++) order[i] = &cache->entries[i];
    if (cache->len) qsort(order, (size_t)cache->len, sizeof *order, use_order);
    for (int pass = 0; pass < 2; pass++) {
        /* First what is nobody's or too old, then what is too much. */
        for (int32_t i = 0; i < cache->len && !err; i++) {
            const struct cache_entry *entry = order[i];
            bool due = entry->kind == CACHE_OLD || entry->file.used_ns < terms->before_ns;
            bool too_much = bytes > terms->most && !entry->file.shared;
            if (pass == 0 ? !due : due || !too_much) continue;
            err = drop(arena, cache, entry, kinds);
            if (!err && !entry->file.shared) bytes -= entry->file.bytes;
        }
    }
    forget_size(arena, cache->dir);
    memcpy(ret, kinds, sizeof kinds);
    return err;
}

/* "index-2/wheels/ab" to "wheels"; empty for other folders. */
static struct str index_folder(struct str folder) {
    if (!str_starts(folder, S(INDEX_CACHE "/"))) return (struct str){0};
    struct str rest = str_from(folder, (ptrdiff_t)strlen(INDEX_CACHE "/"));
    return str_cut(&rest, '/');
}

/* True for the log of a build of the project: NAME.log, or NAME-VERSION.log. */
static bool is_log_of(struct arena *arena, struct str name, struct str project) {
    for (ptrdiff_t i = 1; i < name.len; i++) {
        if (name.data[i] != '-' && !str_eq(str_from(name, i), S(".log"))) continue;
        struct str head = str_slice(name, 0, i);
        bool versioned = name.data[i] == '.' || (i + 1 < name.len && char_is_digit(name.data[i + 1]));
        if (versioned && name_is_valid(head) && str_eq(name_normalize(arena, head), project)) return true;
    }
    return false;
}

static bool is_about(struct arena *arena, const struct fs *fs, const struct cache *cache,
                     const struct cache_entry *entry, struct str project) {
    struct arena_mark mark = arena_mark(arena);
    bool about = false;
    if (entry->kind == CACHE_BUILDS) about = is_log_of(arena, entry->file.name, project);
    if (entry->kind == CACHE_PAGES || entry->kind == CACHE_METADATA || entry->kind == CACHE_WHEELS) {
        struct str path = path_join(arena, path_join(arena, cache->dir, entry->folder), entry->file.name);
        about = str_eq(index_cached_project(arena, fs, index_folder(entry->folder), path), project);
    }
    arena_rewind(arena, mark);
    return about;
}

/* Takes away the folders that are empty now; what is not stays. */
static void drop_folders(struct arena *arena, const struct cache *cache) {
    struct str last = {0};
    for (int32_t i = 0; i < cache->len; i++) {
        struct str folder = cache->entries[i].folder;
        if (str_eq(folder, last)) continue;
        last = folder;
        while (folder.len) {
            ptrdiff_t slash = str_find_last(folder, '/');
            struct str above = str_slice(folder, 0, slash), name = str_from(folder, slash + 1);
            if (store_folder_remove(arena, cache->dir, above, name, true)) break;
            folder = above;
        }
    }
}

struct err *cache_clear(struct arena *arena, const struct fs *fs, const struct cache *cache, struct str project,
                        struct cache_sum ret[CACHE_KINDS]) {
    struct cache_sum kinds[CACHE_KINDS] = {{0}};
    struct err *err = NULL;
    for (int32_t i = 0; i < cache->len && !err; i++)
        if (project.len == 0 || is_about(arena, fs, cache, &cache->entries[i], project))
            err = drop(arena, cache, &cache->entries[i], kinds);
    drop_folders(arena, cache);
    forget_size(arena, cache->dir);
    memcpy(ret, kinds, sizeof kinds);
    return err;
}

int cache_use(struct arena *arena, struct str dir) {
    int fd = -1;
    if (dir.len == 0) return -1;
    int status = store_hold(arena, dir, STORE_SHARED, USE_WAIT_MS, &fd);
    if (status == ENOENT) {
        store_make(arena, dir);
        status = store_hold(arena, dir, STORE_SHARED, USE_WAIT_MS, &fd);
    }
    return status ? -1 : fd;
}

struct err *cache_own(struct arena *arena, struct str dir, int *ret) {
    int status = store_hold(arena, dir, STORE_ALONE, OWN_WAIT_MS, ret);
    if (status == EWOULDBLOCK)
        return err_hint(arena, err_make(arena, ERR_BUSY, "another unpin uses the cache %.*s", FMT(dir)),
                        "nothing was removed; try again when it is done");
    if (status == ENOENT) *ret = -1; /* no cache, nobody who uses it */
    else if (status) return err_errno(arena, status, "cannot lock the cache %.*s", FMT(dir));
    return NULL;
}

void cache_leave(int use) {
    store_release(use);
}

/* What the file `size` says: bytes, and when all was summed up. */
static bool size_read(const struct fs *fs, struct arena *arena, struct str path, int64_t *bytes, int64_t *since) {
    struct str text;
    return store_unseal(fs, arena, path, S("bytes of the cache"), SUM_MAX, &text) &&
           str_to_int(str_cut(&text, ' '), bytes) && str_to_int(text, since);
}

static void size_write(struct arena *arena, struct str path, int64_t bytes, int64_t since) {
    (void)store_seal(arena, path, S("bytes of the cache"),
                     str_format(arena, "%lld %lld", (long long)bytes, (long long)since));
}

/* What is there and what goes, while nobody else uses it. */
static struct err *bound(struct arena *arena, struct str dir, int64_t most, int64_t *ret_left,
                         struct cache_sum ret[CACHE_KINDS]) {
    struct cache cache;
    struct cache_terms terms = {.most = INT64_MAX, .before_ns = INT64_MIN};
    TRY(cache_read(arena, dir, &cache));
    *ret_left = cache.sum.bytes;
    if (cache.sum.bytes <= most) return NULL;
    terms.most = most - most / CACHE_SPARE;
    struct err *err = cache_prune(arena, &cache, &terms, ret);
    *ret_left -= cache_sum(ret).bytes;
    return err;
}

void cache_bound(struct arena *arena, const struct fs *fs, struct str dir, int64_t most, int64_t added, int64_t now_s,
                 struct cache_sum ret[CACHE_KINDS], bool *removed) {
    struct str path = path_join(arena, dir, S("size"));
    int64_t bytes = 0, since = 0, left = 0;
    int fd = -1;
    *removed = false;
    memset(ret, 0, CACHE_KINDS * sizeof *ret);
    bool known = size_read(fs, arena, path, &bytes, &since);
    known = known && since <= now_s && now_s - since < CACHE_LOOK_S && added < INT64_MAX - bytes;
    if (known && bytes + added <= most) {
        if (added) size_write(arena, path, bytes + added, since);
        return;
    }
    if (store_hold(arena, dir, STORE_ALONE, 0, &fd)) return;
    struct err *in_vain = bound(arena, dir, most, &left, ret);
    *removed = cache_sum(ret).files > 0;
    if (!in_vain) size_write(arena, path, left, now_s);
    store_release(fd);
}
