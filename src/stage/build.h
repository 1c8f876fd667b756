/*
 * build - a wheel from an sdist or a source tree, by pip of the target environment (`pip wheel`), which runs the build
 * backend that the source names (PEP 517). Code of the source runs: callers ask before.
 *
 * The build is isolated (tools of its own, fetched from the index) unless `no_isolation`; the lock is kept out of it,
 * and so are variables that look like secrets. It has a process group of its own, which is killed as a whole when its
 * time is over or when one of the signals that are held back (os/signals) comes.
 */
#ifndef UNPIN_STAGE_BUILD_H
#define UNPIN_STAGE_BUILD_H

#include "os/fs.h"
#include "os/proc.h"
#include "stage/wheel.h"

enum { BUILD_TIMEOUT_MS = 60 * 60 * 1000, BUILD_LOG_MAX = 64 << 20, BUILD_VARIABLES_MAX = 10000 };

/* What the builds of one run share. */
struct build_place {
    const struct fs *fs;
    const struct proc *proc;
    struct str python;          /* of the target environment */
    struct str scratch;         /* a directory of our own */
    struct str logs;            /* directory where logs are kept; empty: none is kept */
    const struct str *settings; /* variables of pip, "PIP_INDEX_URL=…": where the tools of a build come from */
    int32_t settings_len;
    struct str config;  /* text of a configuration file of pip, for what may stand in no variable; empty: none */
    bool no_isolation;  /* the build sees what is installed in the environment, and nothing is fetched for it */
    int32_t timeout_ms; /* 0: BUILD_TIMEOUT_MS */
};

/* What to build. */
struct build_item {
    struct str source;               /* path of an sdist or of a source tree */
    struct str name;                 /* normalized; what the wheel has to be of; empty: not known before */
    const struct version *version;   /* the same; NULL: not known before */
    const struct metadata *promised; /* what was planned with; NULL: nothing was known */
};

struct build_result {
    struct str wheel;    /* path of the wheel, in the scratch directory */
    struct str filename; /* its file name */
    struct str sha256;   /* hex, of the wheel */
    struct str name;     /* normalized */
    struct version version;
    struct metadata metadata; /* of the wheel */
    struct str log;           /* path of the log; empty: it was not kept */
    const struct str
        *surprises; /* sentences: requirements of the wheel that were not promised, or the other way round */
    int32_t surprises_len;
};

/* Builds. ERR_BUILD with the end of the log and the log's path as its hint; ERR_INTERRUPTED; errs of the wheel. */
ERR_MUST_CHECK struct err *build_wheel(struct arena *arena, const struct build_place *place,
                                       const struct build_item *item, struct build_result *ret);

/* The environment of the build from ours ("NAME=value" each) and `settings` of pip, sorted: without the lock, without
 * what would make pip do something else, and without what looks like a secret: a name such as *_TOKEN, a URL with a
 * password in it. */
void build_environment(struct arena *arena, const struct str *ours, int32_t len, const struct str *settings,
                       int32_t settings_len, const struct str **ret, int32_t *ret_len);

#endif
