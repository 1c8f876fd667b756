/*
 * simple - project pages of the simple repository API: HTML (PEP 503, 592, 629, 658, 714) and JSON (PEP 691, 700, 792).
 * Pure: text in, list of files out.
 *
 * HTML is read by a scanner of its own that looks at `a`, `base` and `meta` only and never fails on bad markup: what is
 * no link to a file is passed over. URLs stay as they were written; simple_url joins them with the page's.
 */
#ifndef UNPIN_PYPA_SIMPLE_H
#define UNPIN_PYPA_SIMPLE_H

#include "base/err.h"

enum {
    SIMPLE_FILES_MAX = 200000,
    SIMPLE_TEXT_MAX = 8192, /* bytes of an attribute; a file with a longer one is passed over */
    SIMPLE_PAGE_MAX = 64 << 20,
};
#define SIMPLE_SIZE_MAX ((int64_t)1 << 44) /* bytes of a file; a page that says more has not given its size */

struct simple_file {
    struct str filename; /* last part of the URL's path, percent-decoded; of JSON: as given */
    struct str url;      /* as written, without fragment; may be relative */
    struct str sha256;   /* hex in lower case; empty: none; zeros where what is given is none: no file has it */
    struct str strong;   /* hex of SHA-512, else of SHA-384, told by its length; empty: none */
    int64_t size;        /* bytes; -1: not given */
    int64_t uploaded;    /* seconds since 1970; INT64_MIN: not given */
    struct str requires_python;
    bool yanked;
    struct str yanked_reason;
    bool has_metadata; /* `url`.metadata is served */
    struct str metadata_sha256;
};

enum { SIMPLE_PLACES_MAX = 64 /* URLs in tracks, and in alternates, that are looked at */ };

struct simple_page {
    const struct simple_file *files; /* in the order of the page */
    int32_t len;
    struct str base;                  /* of `<base href>`; empty: none */
    bool quarantined;                 /* PEP 792: nothing of it may be installed */
    struct str status, status_reason; /* PEP 792: "archived", "deprecated", …; empty: active */
    const struct str *tracks;         /* PEP 708: pages of the same project on other indexes, by the index's own word */
    const struct str *alternates;     /* the same by the word of the project's owners */
    int32_t tracks_len, alternates_len;
};

/* ERR_INDEX where the page is of an API version that is not 1.x; ERR_LIMIT. Texts are borrowed from `text` where they
 * can. */
ERR_MUST_CHECK struct err *simple_parse_html(struct arena *arena, struct str text, struct simple_page *ret);
/* As simple_parse_html; ERR_MALFORMED too. */
ERR_MUST_CHECK struct err *simple_parse_json(struct arena *arena, struct str text, struct simple_page *ret);

/* `reference` (RFC 3986) made absolute by `base`, without fragment; bytes that may not be in a URL are percent-encoded.
 */
struct str simple_url(struct arena *arena, struct str base, struct str reference);
/* The file name in a URL: the last part of its path, percent-decoded; empty if there is none. */
struct str simple_url_filename(struct arena *arena, struct str url);
/* `text` with %XX decoded. */
struct str simple_url_decode(struct arena *arena, struct str text);
/* The hex SHA-512 or else SHA-384 in a URL's fragment; empty if there is none. */
struct str simple_url_strong(struct arena *arena, struct str url);
/* "sha256", "sha384", "sha512" of as many hex digits as `hex` has; empty for others. */
struct str simple_hash_name(struct str hex);
/* The value of `#sha256=` in a URL's fragment, in lower case; empty if there is none, zeros if it is no SHA-256. */
struct str simple_url_sha256(struct arena *arena, struct str url);

/* Seconds since 1970 of an ISO 8601 date ("2015-12-22" or "2015-12-22T20:21:13.898409Z"); false if it is none. */
bool simple_date_parse(struct str text, int64_t *ret);
/* "2015-12-22T20:21:13Z" of seconds since 1970. */
struct str simple_date_format(struct arena *arena, int64_t seconds);
/* True for 64 hexadecimal digits. */
bool simple_is_sha256(struct str text);

#endif
