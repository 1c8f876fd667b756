/*
 * metadata - core metadata: METADATA of wheels and dist-info, PKG-INFO of sdists and egg-info (PEP 566, 643, 685,
 * "Core metadata specifications"). Pure.
 *
 * Lenient where real files are: a requirement that does not parse is kept as a problem, not an error.
 */
#ifndef UNPIN_PYPA_METADATA_H
#define UNPIN_PYPA_METADATA_H

#include "base/arena.h"
#include "base/map.h"
#include "pypa/requirement.h"

enum { METADATA_MAX_SIZE = 4 << 20, METADATA_REQUIRES_MAX = 10000 };

struct metadata {
    struct str metadata_version;
    struct str name;    /* as written */
    struct str version; /* as written */
    struct str summary;
    struct specifier_set requires_python;    /* empty: any */
    struct str requires_python_text;         /* as written; empty: absent */
    const struct requirement *requires_dist; /* in file order */
    int32_t requires_len;
    const struct str *extras; /* Provides-Extra, normalized */
    int32_t extras_len;
    bool requires_dynamic;      /* `Dynamic: Requires-Dist` (PEP 643): an sdist's list may change when it is built */
    const struct str *problems; /* sentences about lines that could not be understood */
    int32_t problems_len;
};

/* Requirements parsed so far, by their text: releases of one project repeat most of each other's. Zero is the empty
 * table. */
struct metadata_known {
    struct map by_text;
    VEC(struct requirement) items;
};

/* Parses the header block of a METADATA or PKG-INFO file. ERR_MALFORMED where Name or Version lacks, ERR_LIMIT. */
ERR_MUST_CHECK struct err *metadata_parse(struct arena *arena, struct str text, struct metadata *ret);
/* As metadata_parse; requirements that are in `known` are taken from there, and the others added to it. `arena` is the
 * same for all that share a table, and the texts live as long. */
ERR_MUST_CHECK struct err *metadata_parse_known(struct arena *arena, struct str text, struct metadata_known *known,
                                                struct metadata *ret);

/* True if the requirements in an sdist's PKG-INFO are those that a build would give (PEP 643): version 2.2 or later,
 * and not named as dynamic. */
bool metadata_is_static(const struct metadata *metadata);

/* The requirements of a setuptools `requires.txt` (sections "[extra:marker]") added to `metadata`, for egg-info and old
 * sdists. Never fails: what cannot be understood becomes a problem. */
void metadata_add_requires_txt(struct arena *arena, struct str text, struct metadata *metadata);

#endif
