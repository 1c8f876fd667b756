/*
 * cache - what unpin keeps on disk to be quick or offline, as a whole: what is there, and making it less.
 *
 * Knows the names that the parts of unpin give their files in the cache, and looks at nothing else: what has another
 * name, is a link or a pipe, or belongs to somebody else is left where it is and counted. Who uses the cache holds it
 * (cache_use); nothing is removed while another process does. Undo data are beside the environments, not in the cache.
 */
#ifndef UNPIN_STAGE_CACHE_H
#define UNPIN_STAGE_CACHE_H

#include "os/store.h"

enum cache_kind {
    CACHE_PAGES,    /* of projects and find-links, and what is known of hosts */
    CACHE_METADATA, /* of releases */
    CACHE_WHEELS,   /* wheels and sdists as they were downloaded */
    CACHE_FILES,    /* unpacked files (os/depot), and notes on files that are whole */
    CACHE_BUILDS,   /* logs of builds */
    CACHE_TRAILS,   /* how plans were found */
    CACHE_SCAN,     /* what was read of environments and interpreters */
    CACHE_OLD,      /* of earlier versions of unpin, and what a crash left half written: nobody's any more */
    CACHE_KINDS     /* their number */
};

struct cache_entry {
    enum cache_kind kind;
    struct str folder; /* in the cache */
    struct store_file file;
};

/* Sums of some entries. */
struct cache_sum {
    int64_t files, bytes;         /* bytes that removing them frees: of files with another name elsewhere none */
    int64_t shared;               /* files with another name elsewhere: in an environment */
    int64_t oldest_ns, newest_ns; /* of their last uses; 0 without files */
};

struct cache {
    struct str dir;
    const struct cache_entry *entries; /* folder by folder */
    int32_t len;
    struct cache_sum kinds[CACHE_KINDS];
    struct cache_sum sum;
    int64_t strange; /* things in its folders that are not as unpin makes them */
};

enum { CACHE_ENTRIES_MAX = 4000000 /* files that are looked at */ };

/* What `unpin cache` calls a kind: "pages", … */
struct str cache_kind_name(enum cache_kind kind);

/* Looks at all of it. A cache that is not there is an empty one. ERR_IO, ERR_PERMISSION. */
ERR_MUST_CHECK struct err *cache_read(struct arena *arena, struct str dir, struct cache *ret);

/* What goes. Whatever is CACHE_OLD goes as well. */
struct cache_terms {
    int64_t most;      /* bytes that may stay: the least recently used go first; INT64_MAX: any number */
    int64_t before_ns; /* what was used last before this goes; INT64_MIN: none for its age */
};

/* Removes what `terms` say; then ret has what was freed, by kind. The first file that cannot be removed ends it with
 * ERR_IO or ERR_PERMISSION. */
ERR_MUST_CHECK struct err *cache_prune(struct arena *arena, const struct cache *cache, const struct cache_terms *terms,
                                       struct cache_sum ret[CACHE_KINDS]);
/* Removes all, or (`project`, a normalized name, not empty) pages, metadata, wheels and logs of one project. As
 * cache_prune. */
ERR_MUST_CHECK struct err *cache_clear(struct arena *arena, const struct fs *fs, const struct cache *cache,
                                       struct str project, struct cache_sum ret[CACHE_KINDS]);

/* Says that this process uses the cache in `dir` until cache_leave: others remove nothing meanwhile. Where that cannot
 * be said (a read-only file system) nothing is removed either. The result is for cache_leave; -1: it is not said. */
int cache_use(struct arena *arena, struct str dir);
/* Says that this process alone uses it, to remove something. ERR_BUSY if others do; ERR_IO, ERR_PERMISSION. */
ERR_MUST_CHECK struct err *cache_own(struct arena *arena, struct str dir, int *ret);
void cache_leave(int use);

enum { CACHE_LOOK_S = 7 * 86400 /* how long a sum is believed */, CACHE_SPARE = 10 /* a tenth less than the bound */ };
/* The bound where nobody set one: 20 GB. */
#define CACHE_MOST INT64_C(20000000000)

/* Keeps the cache below `most` bytes after `added` bytes came: what is in it is summed up only when the last sum and
 * what was added since say so, or once a week. ret: what was freed by kind; *removed: something was. Does nothing
 * where others use the cache, or it cannot be written. */
void cache_bound(struct arena *arena, const struct fs *fs, struct str dir, int64_t most, int64_t added, int64_t now_s,
                 struct cache_sum ret[CACHE_KINDS], bool *removed);

/* All kinds together. */
struct cache_sum cache_sum(const struct cache_sum kinds[CACHE_KINDS]);

#endif
