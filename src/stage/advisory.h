/*
 * advisory - combinations that metadata allow and that fail when run. Read from the JSON files of the catalog.
 */
#ifndef UNPIN_STAGE_ADVISORY_H
#define UNPIN_STAGE_ADVISORY_H

#include "os/fs.h"
#include "stage/environment.h"

enum { ADVISORY_FILE_MAX = 64 << 10, ADVISORIES_MAX = 10000 };

enum advisory_severity { ADVISORY_INFO, ADVISORY_WARN, ADVISORY_ERROR, ADVISORY_SECURITY };

struct advisory {
    struct str id, text, fix, source, confidence;
    enum advisory_severity severity;
    const struct requirement *when; /* all must hold (pre-releases allowed) for the advisory to be triggered */
    int32_t when_len;
    const struct str *on_change; /* normalized names: triggered only when one of them changes; empty: always */
    int32_t on_change_len;
};

struct advisories {
    const struct advisory *items; /* those whose environment condition holds, sorted by id */
    int32_t len;
};

/* Reads every *.json of `dir` (catalog/advisories, described in its README.md), in name order. ERR_CONFIG, with the
 * file, for one that cannot be understood. */
ERR_MUST_CHECK struct err *advisories_read(struct arena *arena, const struct fs *fs, struct str dir,
                                           const struct environment *env, struct advisories *ret);

#endif
