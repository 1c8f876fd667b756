/*
 * tags - wheel compatibility tags (PEP 425, 600, 656, 513, 571, 599; "Platform compatibility tags"). Pure.
 *
 * A tag set is the ordered list of tags that an interpreter accepts, best first.
 */
#ifndef UNPIN_PYPA_TAGS_H
#define UNPIN_PYPA_TAGS_H

#include "base/err.h"
#include "base/map.h"

enum {
    TAGS_MAX = 100000,       /* tags of one interpreter; what is behind is left out */
    TAGS_VERSION_MAX = 1000, /* a minor version of Python or of a C library above it is taken as this */
};

struct tags {
    const struct str *items; /* "cp312-cp312-manylinux_2_39_x86_64", best first */
    int32_t len;
    struct map rank; /* text of the tag to its position */
};

/* What decides the tags of an interpreter. */
struct tags_input {
    int32_t major, minor;      /* Python version */
    struct str implementation; /* "cp" or "pp" */
    const struct str *abis;    /* ABI tags, e.g. {"cp312"}, {"cp313t"}; most specific first; abi3 and none are added */
    int32_t abis_len;
    const struct str *platforms; /* platform tags, best first, e.g. "manylinux_2_39_x86_64", …, "linux_x86_64" */
    int32_t platforms_len;
};

/* The tags in the order that `packaging.tags.sys_tags()` gives. */
struct tags tags_make(struct arena *arena, const struct tags_input *input);
/* Platform tags, best first, of a platform named as in `--platform`: "linux_x86_64" (with a glibc of 2.`glibc_minor`;
 * negative: no glibc), "manylinux_2_28_x86_64", "manylinux2014_x86_64", "musllinux_1_2_aarch64". Dashes and dots count
 * as
 * `_`. ERR_USAGE for an unknown one. */
ERR_MUST_CHECK struct err *tags_platforms_make(struct arena *arena, struct str platform, int32_t glibc_minor,
                                               const struct str **ret, int32_t *ret_len);
/* A tag set from a list of tags as an interpreter printed it. */
struct tags tags_of_list(struct arena *arena, const struct str *items, int32_t len);

#endif
