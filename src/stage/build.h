/*
 * build - a wheel from an sdist, by pip of the target environment (`pip wheel`), which runs the build backend the sdist
 * names (PEP 517). Code of the sdist runs: callers ask before.
 */
#ifndef UNPIN_STAGE_BUILD_H
#define UNPIN_STAGE_BUILD_H

#include "os/fs.h"
#include "os/proc.h"
#include "stage/wheel.h"

enum { BUILD_TIMEOUT_MS = 30 * 60 * 1000, BUILD_LOG_MAX = 16 << 20, BUILD_VARIABLES_MAX = 10000 };

struct build_options {
    struct str python; /* of the target environment */
    struct str sdist;  /* path of the file */
    struct str out;    /* an empty directory of our own */
    struct str name;   /* normalized; what the wheel has to be of */
    struct version version;
    const struct metadata *promised; /* what was planned with; NULL: not known */
    int32_t timeout_ms;              /* 0: BUILD_TIMEOUT_MS */
};

struct build_result {
    struct str wheel;    /* path of the wheel */
    struct str filename; /* its file name */
    struct str log;      /* what the build wrote */
    const struct str
        *surprises; /* sentences: requirements of the wheel that were not promised, or the other way round */
    int32_t surprises_len;
};

/*
 * Builds. The build sees our environment variables without PIP_CONSTRAINT and PIP_BUILD_CONSTRAINT, for the lock is not
 * about the tools of a build, and without those that would make pip do something else; settings of the index stay.
 * ERR_BUILD with the end of the log as its hint.
 */
ERR_MUST_CHECK struct err *build_wheel(struct arena *arena, const struct fs *fs, const struct proc *proc,
                                       const struct build_options *options, struct build_result *ret);

/* The environment of the build from ours ("NAME=value" each), sorted. */
void build_environment(struct arena *arena, const struct str *ours, int32_t len, const struct str **ret,
                       int32_t *ret_len);

#endif
