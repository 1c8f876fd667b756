/*
 * requirement - dependency specifiers: `name[extra,…] (specifiers | @ url) ; marker` (PEP 508). Pure.
 */
#ifndef UNPIN_PYPA_REQUIREMENT_H
#define UNPIN_PYPA_REQUIREMENT_H

#include "pypa/marker.h"

enum { REQUIREMENT_MAX_LEN = 64 << 10, REQUIREMENT_EXTRAS_MAX = 100 };

struct requirement {
    struct str text;          /* as given, trimmed */
    struct str name;          /* normalized */
    struct str raw_name;      /* as written */
    const struct str *extras; /* normalized, sorted, without duplicates */
    int32_t extras_len;
    int32_t marker_at;               /* where the marker stands in `text`, behind its `;`; 0: there is none */
    struct specifier_set specifiers; /* empty with a url */
    struct str url;                  /* empty: none */
    const struct marker *marker;     /* NULL: none */
};

/* Parses one requirement. ERR_MALFORMED with a column, ERR_LIMIT. The parenthesized form `name (>=1)` is accepted. */
ERR_MUST_CHECK struct err *requirement_parse(struct arena *arena, struct str text, struct requirement *ret);
/* The same; the marker is that of `before` where it is written alike. Most requirements of a list have the marker of
 * the one before them, and half of the work is reading markers. `before` may be NULL. */
ERR_MUST_CHECK struct err *requirement_parse_after(struct arena *arena, struct str text,
                                                   const struct requirement *before, struct requirement *ret);
/* Normal text, as `packaging` prints it, the name as written. */
struct str requirement_format(struct arena *arena, const struct requirement *requirement);

#endif
