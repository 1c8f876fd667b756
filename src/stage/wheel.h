/*
 * wheel - a wheel file, verified as a whole before anything of it is unpacked (PyPA specification "Binary distribution
 * format", PEP 427, 491).
 *
 * Accepted is only what every installer would understand alike: an archive as zip.h wants it; one dist-info directory
 * with the name and version of the file name; METADATA with the same; WHEEL of version 1; RECORD with exactly the files
 * of the archive, each with SHA-256 or better and its size; `.data` with the directories purelib, platlib, scripts,
 * headers and data only; scripts with harmless names; nothing in a directory of transactions (.unpin). Refusals are
 * ERR_WHEEL (ERR_MALFORMED, ERR_LIMIT from the parsers) and name the wheel and the entry.
 */
#ifndef UNPIN_STAGE_WHEEL_H
#define UNPIN_STAGE_WHEEL_H

#include "os/mapping.h"
#include "pypa/entry_points.h"
#include "pypa/filename.h"
#include "pypa/metadata.h"
#include "pypa/record.h"
#include "pypa/zip.h"

struct wheel {
    struct str path;
    struct mapping mapping;
    struct str bytes;  /* of the whole file */
    struct str sha256; /* its hex digest, where that is known */
    struct wheel_name filename;
    struct zip zip;
    struct str info_dir; /* "numpy-2.0.0.dist-info" */
    struct str data_dir; /* "numpy-2.0.0.data", whether it is there or not */
    bool purelib;        /* Root-Is-Purelib */
    struct str metadata_text;
    struct metadata metadata;
    const struct record_row *rows; /* of RECORD, sorted by path */
    int32_t rows_len;
    const struct entry_point *scripts; /* to be generated */
    int32_t scripts_len;
    const struct str *warnings; /* sentences */
    int32_t warnings_len;
};

/* What was promised of a wheel, and what it may get away with. */
struct wheel_terms {
    struct str sha256;   /* hex digest that the index or the lock promised (ERR_HASH); empty: not compared */
    struct str known;    /* hex digest that it was found to have before; empty: nobody looked */
    bool rebuild_record; /* its RECORD is not read: the rows are made from what the archive holds */
};

/*
 * Opens and verifies the wheel at `path`, whose file name is `filename` (the cache may call it otherwise). Close with
 * wheel_close; the texts borrow from the open file.
 */
ERR_MUST_CHECK struct err *wheel_open(struct arena *arena, struct str path, struct str filename,
                                      const struct wheel_terms *terms, struct wheel *ret);
void wheel_close(struct wheel *wheel);

/* True for the name of what describes a distribution in a site directory: dist-info, egg-info, egg-link. */
bool wheel_describes(struct str name);

/* The row of RECORD for a path, or NULL. */
const struct record_row *wheel_row(const struct wheel *wheel, struct str path);
/* The unpacked bytes of an entry; ERR_LIMIT above `limit`. Not compared with RECORD. */
ERR_MUST_CHECK struct err *wheel_read(struct arena *arena, const struct wheel *wheel, const struct zip_entry *entry,
                                      int64_t limit, struct str *ret);
/* The top-level names that Python can import once it is installed, sorted. */
void wheel_top_level(struct arena *arena, const struct wheel *wheel, const struct str **ret, int32_t *ret_len);

#endif
