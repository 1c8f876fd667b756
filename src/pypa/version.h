/*
 * version - versions as PEP 440 (now the PyPA specification "Version specifiers") defines them. Pure.
 *
 * A parsed version keeps the text it came from and a form that compares without allocation. Two versions are equal
 * when their normal forms are (`1.0` = `1.0.0`, `1.0-1` = `1.0.post1`); `text` may differ then.
 */
#ifndef UNPIN_PYPA_VERSION_H
#define UNPIN_PYPA_VERSION_H

#include "base/err.h"

enum {
    VERSION_MAX_LEN = 1024,     /* bytes of text; longer is refused */
    VERSION_RELEASE_MAX = 1024, /* parts of the release segment */
};

/* Kind of the pre-release segment, in the order in which they sort. */
enum version_pre { VERSION_PRE_NONE, VERSION_ALPHA, VERSION_BETA, VERSION_RC };

/* A part of the local segment: a number, or text in lower case (text sorts before numbers). */
struct version_local {
    struct str text; /* as it stands in the normal form */
    int64_t number;  /* -1: it is text */
};

/*
 * Numbers that do not fit into 63 bits are refused, as no real project has one; in the local segment, where hashes and
 * time stamps stand, they are kept (`number` is then INT64_MAX and `text` decides).
 *
 * A version that is not PEP 440 may be carried with only `text` set (release_len 0): it is below every other one and is
 * ordered by its text.
 */
struct version {
    struct str text; /* as given, trimmed; borrowed */
    int64_t epoch;
    const int64_t *release; /* release_len >= 1 numbers, trailing zeros kept */
    int32_t release_len;
    enum version_pre pre;
    int64_t pre_number; /* meaningful where pre is not NONE */
    int64_t post;       /* -1: no post-release segment */
    int64_t dev;        /* -1: no development segment */
    const struct version_local *local;
    int32_t local_len;
};

/* Parses `text` (blanks around it are allowed); ERR_MALFORMED otherwise. */
ERR_MUST_CHECK struct err *version_parse(struct arena *arena, struct str text, struct version *ret);
/* As version_parse without making an err: for the thousands of file names of a page. */
bool version_try_parse(struct arena *arena, struct str text, struct version *ret);

/* The longest version at the start of `text`, where no blank may stand: its length in bytes, -1 if there is none.
 * `with_local` false ends it before a local segment. For scanners; parse a whole text with version_parse. */
ptrdiff_t version_scan(struct arena *arena, struct str text, bool with_local, struct version *ret);

/* The order of PEP 440, local versions included: < 0, 0, > 0. */
int version_cmp(const struct version *a, const struct version *b);
/* The same, local versions left out. */
int version_cmp_public(const struct version *a, const struct version *b);

/* The normal form. */
struct str version_format(struct arena *arena, const struct version *version);

/* True for alpha, beta, rc and development releases. */
bool version_is_prerelease(const struct version *version);
/* True if epoch and release segment are the same, trailing zeros aside. */
bool version_release_eq(const struct version *a, const struct version *b);
/* The version without pre-, post-, development and local segments: `2.7.0a0+nv` gives `2.7.0`. Shares memory; `text` is
 * what `version->text` begins with. */
struct version version_base(const struct version *version);

#endif
