/*
 * record - the list of files in RECORD of wheels and installed distributions (PyPA specification "Recording installed
 * projects", PEP 376, 427, 627). Pure.
 *
 * A row is CSV: path, `algorithm=digest` in URL-safe base64 without padding, size. In a wheel the paths are relative
 * to its root; installed, to the site directory: there they may be absolute and lead outside.
 */
#ifndef UNPIN_PYPA_RECORD_H
#define UNPIN_PYPA_RECORD_H

#include "base/err.h"

enum {
    RECORD_MAX_SIZE = 64 << 20,
    RECORD_ROWS_MAX = 400000, /* installed RECORDs list a .pyc for most files */
    RECORD_PATH_MAX = 4096,
};

enum record_hash {
    RECORD_NONE,
    RECORD_WEAK /* any other than the following */,
    RECORD_SHA256,
    RECORD_SHA384,
    RECORD_SHA512
};

struct record_row {
    struct str path; /* never empty, without NUL and line ends; else as written */
    enum record_hash hash;
    struct str digest; /* the bytes of the digest; empty for NONE and WEAK */
    int64_t size;      /* -1: not given */
};

/* Parses a RECORD; blank lines are passed over. ERR_MALFORMED with a line; ERR_LIMIT. */
ERR_MUST_CHECK struct err *record_parse(struct arena *arena, struct str text, const struct record_row **ret,
                                        int32_t *ret_len);
/* The text of a RECORD with these rows, in their order. */
struct str record_format(struct arena *arena, const struct record_row *rows, int32_t len);

/*
 * The top-level names that Python can import from these rows, sorted and each once: modules, extension modules, and
 * directories with either somewhere below. Paths that lead outside are passed over.
 */
void record_top_level(struct arena *arena, const struct record_row *rows, int32_t len, const struct str **ret,
                      int32_t *ret_len);

#endif
