#include "stage/scan_cache.h"

#include "base/buf.h"

#define HEAD "unpin-site 2 "

enum { NUMBERS = 9 };

/* The fields of METADATA that are read. */
static const struct str fields[] = {
    S_INIT("Metadata-Version:"), S_INIT("Name:"),          S_INIT("Version:"),        S_INIT("Summary:"),
    S_INIT("Requires-Python:"),  S_INIT("Requires-Dist:"), S_INIT("Provides-Extra:"), S_INIT("Dynamic:"),
};

static bool is_read(struct str line) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (str_eq_nocase(str_slice(line, 0, fields[i].len), fields[i])) return true;
    return false;
}

/* The header's lines that are read, folded ones with what they continue; all of it where a line is no field. */
static struct str cut(struct arena *arena, struct str metadata) {
    struct buf out = {.arena = arena};
    struct str rest = metadata, line;
    bool keep = false;
    while (str_line(&rest, &line) && line.len) {
        bool folded = line.data[0] == ' ' || line.data[0] == '\t';
        if (!folded && str_find_char(line, ':') <= 0) return metadata;
        if (!folded) keep = is_read(line);
        if (!keep) continue;
        buf_add(&out, line);
        buf_add_char(&out, '\n');
    }
    return buf_str(&out);
}

void scan_cache_add(struct arena *arena, struct scan_cache *cache, const struct scan_cache_entry *entry,
                    int64_t now_ns) {
    if (cache->entries.len == SCAN_CACHE_ENTRIES_MAX || entry->mtime_ns > now_ns - SCAN_CACHE_SETTLED_NS ||
        entry->metadata_mtime_ns > now_ns - SCAN_CACHE_SETTLED_NS)
        return;
    map_add(arena, &cache->by_name, entry->name, (int32_t)cache->entries.len);
    struct scan_cache_entry *added = vec_push(arena, &cache->entries);
    *added = *entry;
    added->metadata = cut(arena, entry->metadata);
}

const struct scan_cache_entry *scan_cache_find(const struct scan_cache *cache, struct str name,
                                               const struct fs_stat *dir, const struct fs_stat *metadata) {
    int32_t at = map_find(&cache->by_name, name);
    const struct scan_cache_entry *entry = at < 0 ? NULL : &cache->entries.data[at];
    bool same = entry && entry->inode == dir->inode && entry->mtime_ns == dir->mtime_ns &&
                entry->metadata_size == metadata->size && entry->metadata_mtime_ns == metadata->mtime_ns;
    return same ? entry : NULL;
}

/* The hash of the rest at the head: a file that a power cut left half written is not taken for a cache. */
struct str scan_cache_format(struct arena *arena, struct str site, const struct scan_cache *cache) {
    struct buf body = {.arena = arena}, out = {.arena = arena};
    buf_addf(&body, "%td ", site.len);
    buf_add(&body, site);
    for (ptrdiff_t i = 0; i < cache->entries.len; i++) {
        const struct scan_cache_entry *e = &cache->entries.data[i];
        buf_addf(&body, "\n%td %lld %lld %lld %lld %td %td %td %d\n", e->name.len, (long long)e->inode,
                 (long long)e->mtime_ns, (long long)e->metadata_size, (long long)e->metadata_mtime_ns, e->metadata.len,
                 e->installer.len, e->direct_url.len, (e->requested ? 1 : 0) | (e->local_build ? 2 : 0));
        buf_add(&body, e->name);
        buf_add(&body, e->metadata);
        buf_add(&body, e->installer);
        buf_add(&body, e->direct_url);
    }
    buf_addf(&out, HEAD "%016llx ", (unsigned long long)str_hash(buf_str(&body)));
    buf_add(&out, buf_str(&body));
    return buf_str(&out);
}

/* Takes `len` bytes off the front of `*rest`; false where there are not so many. */
static bool take(struct str *rest, int64_t len, struct str *ret) {
    if (len > rest->len) return false;
    *ret = str_slice(*rest, 0, (ptrdiff_t)len);
    *rest = str_from(*rest, (ptrdiff_t)len);
    return true;
}

static bool entry_parse(struct str *rest, struct scan_cache_entry *ret) {
    struct str line = str_cut(rest, '\n');
    int64_t n[NUMBERS];
    for (int i = 0; i < NUMBERS; i++)
        if (!str_to_int(str_cut(&line, ' '), &n[i])) return false;
    *ret = (struct scan_cache_entry){.inode = n[1],
                                     .mtime_ns = n[2],
                                     .metadata_size = n[3],
                                     .metadata_mtime_ns = n[4],
                                     .requested = n[8] & 1,
                                     .local_build = n[8] & 2};
    struct str end;
    return take(rest, n[0], &ret->name) && take(rest, n[5], &ret->metadata) && take(rest, n[6], &ret->installer) &&
           take(rest, n[7], &ret->direct_url) && (rest->len == 0 || (take(rest, 1, &end) && end.data[0] == '\n'));
}

bool scan_cache_parse(struct arena *arena, struct str text, struct str site, struct scan_cache *ret) {
    struct scan_cache cache = {0};
    struct str rest = text, head, found;
    int64_t site_len;
    if (!take(&rest, (int64_t)sizeof HEAD - 1, &head) || !str_eq(head, S(HEAD))) return false;
    struct str hash = str_cut(&rest, ' ');
    if (!str_eq(hash, str_format(arena, "%016llx", (unsigned long long)str_hash(rest)))) return false;
    if (!str_to_int(str_cut(&rest, ' '), &site_len) || !take(&rest, site_len, &found) || !str_eq(found, site))
        return false;
    if (rest.len) rest = str_from(rest, 1);
    while (rest.len && cache.entries.len < SCAN_CACHE_ENTRIES_MAX) {
        struct scan_cache_entry *entry = vec_push(arena, &cache.entries);
        if (!entry_parse(&rest, entry)) return false;
        map_add(arena, &cache.by_name, entry->name, (int32_t)(cache.entries.len - 1));
    }
    *ret = cache;
    return true;
}

static struct str path_of(struct arena *arena, struct str cache_dir, struct str site) {
    return path_join(arena, cache_dir, str_format(arena, "site-%016llx.dists", (unsigned long long)str_hash(site)));
}

void scan_cache_read(struct arena *arena, const struct fs *fs, struct str cache_dir, struct str site,
                     struct scan_cache *ret) {
    struct str text;
    *ret = (struct scan_cache){0};
    if (cache_dir.len == 0 || fs_read(fs, arena, path_of(arena, cache_dir, site), SCAN_CACHE_MAX, &text) != NULL)
        return;
    (void)scan_cache_parse(arena, text, site, ret);
}

void scan_cache_write(struct arena *arena, const struct fs *fs, struct str cache_dir, struct str site,
                      const struct scan_cache *cache) {
    if (cache_dir.len == 0) return;
    struct err *err = fs_replace(fs, arena, path_of(arena, cache_dir, site), scan_cache_format(arena, site, cache));
    (void)err;
}
