/*
 * filename - names of distribution files: wheels (PEP 427, "Binary distribution format") and sdists (PEP 625 and the
 * older forms). Pure.
 */
#ifndef UNPIN_PYPA_FILENAME_H
#define UNPIN_PYPA_FILENAME_H

#include "pypa/tags.h"
#include "pypa/version.h"

enum { FILENAME_MAX_LEN = 1024, FILENAME_TAGS_MAX = 1024 };

struct wheel_name {
    struct str name; /* normalized */
    struct version version;
    struct str build;                 /* build tag, empty: none */
    struct str python, abi, platform; /* compressed tag sets: "py2.py3" */
};

/* Parses "{name}-{version}(-{build})?-{python}-{abi}-{platform}.whl". ERR_MALFORMED. */
ERR_MUST_CHECK struct err *wheel_name_parse(struct arena *arena, struct str filename, struct wheel_name *ret);
/* The best position in `tags` of the wheel's tags, -1 if none is accepted. */
int32_t wheel_name_rank(const struct wheel_name *wheel, const struct tags *tags);

/* The order of build tags: the number first, then the text; no build tag is lowest. */
int wheel_build_cmp(struct str a, struct str b);

/* Version of an sdist file name ("{name}-{version}.tar.gz", .zip, .tgz, .tar.bz2, .tar.xz) of the project with
 * normalized name `project`; false if it is none. */
bool sdist_name_parse(struct arena *arena, struct str filename, struct str project, struct version *ret);

#endif
