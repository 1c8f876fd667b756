/*
 * scratch - a directory of our own for files that nobody needs afterwards: builds, checkouts.
 */
#ifndef UNPIN_OS_SCRATCH_H
#define UNPIN_OS_SCRATCH_H

#include "base/err.h"

/* Makes an empty directory (0700) in $TMPDIR, else /tmp, and gives its absolute path. ERR_IO, ERR_PERMISSION,
 * ERR_SPACE. */
ERR_MUST_CHECK struct err *scratch_open(struct arena *arena, struct str *ret);
/* Makes the directory `dir`/`name` (0700) and gives its path. */
ERR_MUST_CHECK struct err *scratch_make(struct arena *arena, struct str dir, struct str name, struct str *ret);
/* Removes the directory with all that is in it, links not followed; what cannot be removed stays. Nothing for the empty
 * path. */
void scratch_close(struct arena *arena, struct str path);

#endif
