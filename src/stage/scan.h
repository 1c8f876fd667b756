/*
 * scan - reads the environment of an interpreter from the machine.
 *
 * The interpreter is asked for its facts by a fixed script in isolated mode (`-I -S -B`), in which no code of the
 * environment runs: site directories are computed, and .pth files are read here (their paths, never their `import`
 * lines). The facts are cached by the interpreter's identity. Distributions are then read from the site directories;
 * one that is broken becomes a problem, never a failure.
 */
#ifndef UNPIN_STAGE_SCAN_H
#define UNPIN_STAGE_SCAN_H

#include "os/fs.h"
#include "os/proc.h"
#include "stage/environment.h"

enum {
    SCAN_DISTS_MAX = 100000,
    SCAN_RECORD_MAX = 64 << 20, /* bytes of a RECORD */
    SCAN_VARIABLES_MAX = 10000, /* of the environment that a script which starts the interpreter gets */
};

struct scan_options {
    struct str python;    /* path of the interpreter, or its name on PATH (see scan_find_python) */
    struct str cache_dir; /* where the interpreter's facts and the dist-info files are cached; empty: they are not */
    struct str into; /* a directory where a layer over the interpreter's environment will be made: it is read as if it
                        were there already, and nothing in it; empty: none */
    bool no_state;   /* leave environment.state out, which only a fingerprint is made of: saves looking at RECORDs */
    /* What an earlier scan of the same environment gave, or NULL: a distribution whose description has not changed
     * since is taken from there as it was, without what was told of it in `problems`. */
    const struct environment *known;
};

/* The interpreter to scan: `given` (--python) if not empty, else that of $VIRTUAL_ENV, else `python3` on PATH; where
 * that is a script (a shim of pyenv, a wrapper), the interpreter that it starts here and now. ERR_ENVIRONMENT where
 * there is none. */
ERR_MUST_CHECK struct err *scan_find_python(struct arena *arena, struct str given, struct str *ret);

/* ERR_ENVIRONMENT where the interpreter cannot be asked or is older than Python 3.8. */
ERR_MUST_CHECK struct err *scan_environment(struct arena *arena, const struct fs *fs, const struct proc *proc,
                                            const struct scan_options *options, struct environment *ret);

/* The importable top-level names that an installed distribution owns, sorted: from its RECORD (egg-info:
 * installed-files.txt or top_level.txt). Empty where nothing tells. */
void scan_top_level(struct arena *arena, const struct fs *fs, const struct environment *env, const struct dist *dist,
                    const struct str **ret, int32_t *ret_len);

#endif
