/*
 * specifier - version specifiers and sets of them (PyPA specification "Version specifiers", PEP 440). Pure.
 */
#ifndef UNPIN_PYPA_SPECIFIER_H
#define UNPIN_PYPA_SPECIFIER_H

#include "pypa/version.h"

enum specifier_op {
    SPECIFIER_COMPATIBLE, /* ~= */
    SPECIFIER_EQ,         /* ==, also ==X.* */
    SPECIFIER_NE,         /* !=, also !=X.* */
    SPECIFIER_LE,
    SPECIFIER_GE,
    SPECIFIER_LT,
    SPECIFIER_GT,
    SPECIFIER_ARBITRARY, /* === */
};

struct specifier {
    enum specifier_op op;
    bool wildcard;          /* == or != with `.*` */
    struct version version; /* without the `.*`; for ARBITRARY only `text` is set unless it parses */
    struct str text;        /* as given, trimmed: ">= 1.0" */
};

/* All must hold. The empty set holds for every version. */
struct specifier_set {
    const struct specifier *items;
    int32_t len;
};

enum { SPECIFIER_SET_MAX = 1000 }; /* specifiers of one set; more are refused */

/* Comma-separated specifiers; blanks are allowed around each; empty text gives the empty set. ERR_MALFORMED. */
ERR_MUST_CHECK struct err *specifier_set_parse(struct arena *arena, struct str text, struct specifier_set *ret);

/* The longest specifier at the start of `text`: its length in bytes, -1 if there is none. An arbitrary equality (`===`)
 * reaches to the next blank, `;` or `)`, over commas. For the scanner of requirements. */
ptrdiff_t specifier_scan(struct arena *arena, struct str text, struct specifier *ret);

/* True if every specifier holds for `version`, pre-releases taken as candidates like any other (what `packaging` calls
 * prereleases=True). */
bool specifier_set_match(const struct specifier_set *set, const struct version *version);
/* The same for a version that may not be PEP 440: only `===` can hold for one that does not parse. `===`
 * compares with `version->text`, letters of either case alike. */
bool specifier_match(const struct specifier *specifier, const struct version *version);

/* True if a specifier names a pre-release itself (PEP 440: then pre-releases are candidates without being asked for);
 * `!=` does not count. */
bool specifier_set_names_prerelease(const struct specifier_set *set);
/* True if an `==` (without wildcard) or `===` of the set names exactly this version: what allows a yanked release
 * (PEP 592). */
bool specifier_set_pins(const struct specifier_set *set, const struct version *version);

/*
 * True if the set would hold for `held` were it its base release (`2.7.0a0+nv` taken as `2.7.0`), `==` without wildcard
 * and `===` excepted: the *allowance* of a vendor pre-release. False where the set holds anyway.
 */
bool specifier_set_allowance(const struct specifier_set *set, const struct version *held);

/* Operator and version as written, without blanks: `>=1.0`. */
struct str specifier_format(struct arena *arena, const struct specifier *specifier);
/* The set as `packaging` shows it: sorted by text, without those that say the same as one before. */
struct specifier_set specifier_set_sorted(struct arena *arena, const struct specifier_set *set);
/* The specifiers in the order given, without blanks: `>=1.0,<2`. */
struct str specifier_set_format(struct arena *arena, const struct specifier_set *set);

#endif
