/*
 * tree - a source tree: what it says of itself without any of its code being run, and the wrapper by which pip builds a
 * wheel of pointers to it (an editable install, PEP 660).
 *
 * Certain are `[project]` of pyproject.toml where name, version and requirements are not dynamic (PEP 621), and
 * PKG-INFO of an unpacked sdist (PEP 643). All else - setup.py, other tools' tables - is known only after a build.
 * pyproject.toml is read by the TOML reader of the interpreter (tomllib; before Python 3.11 the one that pip brings),
 * in isolated mode and without its site directories.
 */
#ifndef UNPIN_STAGE_TREE_H
#define UNPIN_STAGE_TREE_H

#include "os/fs.h"
#include "pypa/metadata.h"

enum { TREE_FILE_MAX = 4 << 20, TREE_REQUIRES_MAX = 10000 };

/* How the tree is built (`[build-system]`, PEP 517). */
struct tree_backend {
    const struct str *requires_list; /* tools of the build, as written */
    int32_t requires_len;
    struct str backend;      /* "module:object" */
    const struct str *paths; /* backend-path */
    int32_t paths_len;
};

struct tree {
    struct str path; /* absolute */
    struct str name; /* normalized; empty: only a build tells */
    bool known;      /* name, version and requirements are certain: `metadata` is set */
    struct metadata metadata;
    struct tree_backend backend;
};

/* Looks at the tree at `path`. ERR_REQUEST where it is no source tree (neither pyproject.toml nor setup.py), or where
 * its pyproject.toml is not one. */
ERR_MUST_CHECK struct err *tree_read(struct arena *arena, const struct fs *fs, struct str path, struct tree *ret);

/* `[project]` and `[build-system]` of the text of a pyproject.toml (empty: none). ERR_REQUEST. */
ERR_MUST_CHECK struct err *tree_parse(struct arena *arena, struct str text, struct tree *ret);

/* Writes into the empty directory `dir` a source tree that builds the editable wheel of `tree`: its backend calls the
 * tree's own. */
ERR_MUST_CHECK struct err *tree_wrap(struct arena *arena, const struct fs *fs, const struct tree *tree, struct str dir);

#endif
