/*
 * scan_cache - what a site directory's dist-info directories said when they were last read. For `scan` alone.
 *
 * Opening four files per distribution is what a scan costs; with the cache three calls of stat are left. An entry
 * counts only while the directory's inode and mtime and METADATA's size and mtime are those of then: files that come,
 * go or are replaced change the directory. What has changed less than SCAN_CACHE_SETTLED_NS ago is not cached: a second
 * change could leave the same time.
 */
#ifndef UNPIN_STAGE_SCAN_CACHE_H
#define UNPIN_STAGE_SCAN_CACHE_H

#include "base/arena.h"
#include "base/map.h"
#include "os/fs.h"

enum { SCAN_CACHE_MAX = 64 << 20, SCAN_CACHE_ENTRIES_MAX = 100000 };
#define SCAN_CACHE_SETTLED_NS INT64_C(2000000000)

/* The files of one dist-info directory. */
struct scan_cache_entry {
    struct str name;                          /* of the directory */
    int64_t inode, mtime_ns;                  /* of the directory */
    int64_t metadata_size, metadata_mtime_ns; /* of METADATA */
    struct str metadata;                      /* METADATA, or those of its fields that unpin reads */
    struct str installer;                     /* INSTALLER, as it is */
    struct str direct_url;                    /* direct_url.json, as it is; empty: none */
    bool requested;
    bool local_build; /* WHEEL has a plain linux_… tag */
};

struct scan_cache {
    VEC(struct scan_cache_entry) entries;
    struct map by_name;
};

/* The cache of the site directory `site`; empty where there is none, or none that is whole. */
void scan_cache_read(struct arena *arena, const struct fs *fs, struct str cache_dir, struct str site,
                     struct scan_cache *ret);
/* The text as it stands in the file, and back. False where a byte of it is not as it was written. */
struct str scan_cache_format(struct arena *arena, struct str site, const struct scan_cache *cache);
bool scan_cache_parse(struct arena *arena, struct str text, struct str site, struct scan_cache *ret);
/* Writes it; a cache that cannot be written costs time, nothing else. */
void scan_cache_write(struct arena *arena, const struct fs *fs, struct str cache_dir, struct str site,
                      const struct scan_cache *cache);

/* The entry of that name if it is of this state, or NULL. */
const struct scan_cache_entry *scan_cache_find(const struct scan_cache *cache, struct str name,
                                               const struct fs_stat *dir, const struct fs_stat *metadata);
/* Adds an entry, its METADATA cut to the fields that matter. `now_ns`: since 1970; what changed just now is left out.
 */
void scan_cache_add(struct arena *arena, struct scan_cache *cache, const struct scan_cache_entry *entry,
                    int64_t now_ns);

#endif
