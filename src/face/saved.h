/*
 * saved - a plan that `unpin plan -o` wrote, read back: what `apply` and `export` need of it.
 *
 * The file may have been edited by anyone. Names and versions are checked for their form, because `export` puts them
 * into scripts; what a plan may do is not believed but planned again by `apply`.
 */
#ifndef UNPIN_FACE_SAVED_H
#define UNPIN_FACE_SAVED_H

#include "os/fs.h"
#include "stage/plan.h"

enum { SAVED_MAX = 16 << 20, SAVED_CHANGES_MAX = 10000 };

/* A lock file as it is after the plan. */
struct saved_lock {
    struct str file, text;
};

struct saved {
    struct str image, python, fingerprint, lock_fingerprint;
    const struct str *requests, *remove, *ignored; /* ignored: ids of advisories */
    int32_t requests_len, remove_len, ignored_len;
    const struct plan_lift *lifts;
    int32_t lifts_len;
    const struct plan_change *changes; /* artifact: filename, sha256, and the url of what a request named;
                                         because: as the file has it, for people to read */
    int32_t changes_len;
    const struct saved_lock *locks;
    int32_t locks_len;
};

/* Reads the document at `path`. ERR_SNAPSHOT where it is none, of another schema, or without a feasible plan. */
ERR_MUST_CHECK struct err *saved_read(struct arena *arena, const struct fs *fs, struct str path, struct saved *ret);

#endif
