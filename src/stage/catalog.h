/*
 * catalog - the known images: what is in them, what they lock, what is their vendor's own build.
 *
 * An entry is a file `images/NAME.json` (see catalog/README.md) in the catalog's directory. Reading one gives an
 * environment and a lock to plan for without the image; recognizing one tells a scan which of its distributions are the
 * vendor's.
 */
#ifndef UNPIN_STAGE_CATALOG_H
#define UNPIN_STAGE_CATALOG_H

#include "os/fs.h"
#include "stage/environment.h"
#include "stage/lock.h"

enum { CATALOG_ENTRY_MAX = 4 << 20, CATALOG_ENTRIES_MAX = 1000 };

/* What a list of images shows. */
struct catalog_item {
    struct str name;              /* "ngc-pytorch:25.04" */
    struct str title;             /* "NVIDIA NGC PyTorch 25.04" */
    struct str python;            /* "3.12" */
    struct str platform;          /* "linux_x86_64" */
    struct str reference;         /* what `docker pull` takes */
    struct str date;              /* of the newest locked release, "2025-04-02" */
    int32_t dists, locks, vendor; /* how many of each */
};

/* The catalog's directory: `configured` ($UNPIN_CATALOG), else beside the program: `<exe>/../share/unpin/catalog`,
 * `<exe>/../catalog`, `<exe>/../../catalog`. ERR_CONFIG where none of them is there. `exe` is the directory of the
 * running program. */
ERR_MUST_CHECK struct err *catalog_find(struct arena *arena, const struct fs *fs, struct str configured, struct str exe,
                                        struct str *ret);

/* The images in name order. ERR_SNAPSHOT for an entry that cannot be read. */
ERR_MUST_CHECK struct err *catalog_list(struct arena *arena, const struct fs *fs, struct str dir,
                                        const struct catalog_item **ret, int32_t *ret_len);

/* The environment and lock of an image by its name; ERR_USAGE, with the nearest names, for one that is not there. */
ERR_MUST_CHECK struct err *catalog_read(struct arena *arena, const struct fs *fs, struct str dir, struct str name,
                                        struct environment *ret, struct lock_set *ret_locks);

/* Where `env` (scanned) is a known image, by its NGC release and torch's version: sets image, image_date and the vendor
 * bit of the distributions that the entry lists at the installed version. `*found` tells. */
ERR_MUST_CHECK struct err *catalog_recognize(struct arena *arena, const struct fs *fs, struct str dir,
                                             struct environment *env, bool *found);

#endif
