/*
 * snapshot_list - an environment from a plain list of `name==version` lines. For `snapshot` alone.
 */
#ifndef UNPIN_STAGE_SNAPSHOT_LIST_H
#define UNPIN_STAGE_SNAPSHOT_LIST_H

#include "stage/snapshot.h"

/* The distributions that the lines of `text` name, and the text as their lock. ERR_USAGE where `platform` does not tell
 * the Python, ERR_SNAPSHOT where no line names a distribution. Lines that are understood and name none are left out;
 * others become problems. */
ERR_MUST_CHECK struct err *snapshot_list_read(struct arena *arena, struct str path, struct str text,
                                              const struct snapshot_platform *platform, struct environment *env,
                                              struct lock_set *locks);

#endif
