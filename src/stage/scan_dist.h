/*
 * scan_dist - one distribution's description on disk: dist-info (PEP 376, 427, "Recording installed projects"),
 * egg-info and egg-link. For `scan` alone.
 */
#ifndef UNPIN_STAGE_SCAN_DIST_H
#define UNPIN_STAGE_SCAN_DIST_H

#include "base/arena.h"
#include "os/fs.h"
#include "stage/environment.h"
#include "stage/scan_cache.h"

/* What tells the state of a distribution's files apart, for the fingerprint. */
struct scan_identity {
    int64_t size, mtime_ns; /* of RECORD, or of what stands for it; -1: there is none */
};

/* What is at the places that tell whether a dist-info directory has changed; all zero: not looked at. */
struct scan_dist_state {
    struct fs_stat dir, metadata, record;
};

/* A directory to read from, and what is wrong with what is in it. */
struct scan_dist_reader {
    struct arena *arena;
    const struct fs *fs;
    struct str site; /* its path */
    int32_t site_number;
    const struct scan_cache *cache;  /* of that directory, as it was */
    struct scan_cache fresh;         /* as it should be */
    bool stale;                      /* something was read that the cache did not have */
    bool no_state;                   /* RECORD is not looked at */
    const struct environment *known; /* read before, or NULL */
    struct map known_dists;          /* of `known` in that directory: names of dist-info directories to positions */
    int64_t now_ns;                  /* since 1970 */
    VEC(struct str) problems;
};

/* Looks at the dist-info directories among `names`, in one pass: a state for each name, in `reader->arena`. */
const struct scan_dist_state *scan_dist_states(const struct scan_dist_reader *reader, const struct str *names,
                                               int32_t len);

/* Reads the description named `name` in the site directory into `ret`; `state` is what scan_dist_states gave for it.
 * False where there is none to count: another kind of file, remains of an installation that was cut off (told in
 * `problems`). */
bool scan_dist_read(struct scan_dist_reader *reader, struct str name, const struct scan_dist_state *state,
                    struct dist *ret, struct scan_identity *identity);

#endif
