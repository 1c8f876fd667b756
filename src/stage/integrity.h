/*
 * integrity - whether the installed files are still what they were when they were installed: every row of every RECORD
 * with a hash (PyPA specification "Recording installed projects"), read and compared.
 *
 * Distributions without a RECORD (egg-info, links) have nothing to compare with and are counted. Paths that RECORD
 * gives outside of the environment are damage, and not read. Never fails for the sake of one file.
 */
#ifndef UNPIN_STAGE_INTEGRITY_H
#define UNPIN_STAGE_INTEGRITY_H

#include "os/fs.h"
#include "os/transaction.h"
#include "stage/environment.h"

/* A file that is not as it was installed. */
struct integrity_damage {
    struct str name; /* of the distribution */
    struct str path;
    struct str what; /* "missing", "size", "hash", "outside", "unreadable", "RECORD" (it cannot be understood) */
};

struct integrity {
    const struct integrity_damage *items; /* in the order of distributions, then of RECORD */
    int32_t len;
    int64_t files, bytes;   /* compared */
    int32_t without_record; /* distributions */
};

/* Reads all of it, on a few threads. Shadowed distributions are looked at too: their files are there. */
ERR_MUST_CHECK struct err *integrity_check(struct arena *arena, const struct fs *fs, const struct environment *env,
                                           struct integrity *ret);

/* What need not be compared. */
struct integrity_limits {
    const bool *wanted;                   /* the distributions env->dists[i] with wanted[i] alone; NULL: all */
    int64_t hash_max;                     /* files of more bytes that are not known are looked at for their size only */
    const struct transaction_file *known; /* sorted by path: those that are still so have the right bytes; others of
                                             these paths are read, however large */
    int32_t known_len;
};

/* The same within limits. */
ERR_MUST_CHECK struct err *integrity_check_some(struct arena *arena, const struct fs *fs, const struct environment *env,
                                                const struct integrity_limits *limits, struct integrity *ret);

#endif
