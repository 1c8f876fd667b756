/*
 * snapshot - an environment and its locks as a file, so that plans can be made elsewhere.
 *
 * Two forms are read: unpin's own JSON (schema 1), which holds all that a plan needs, and a plain list of
 * `name==version` lines (`pip freeze`, a constraint file), which is an environment without metadata and, at the same
 * time, its lock.
 */
#ifndef UNPIN_STAGE_SNAPSHOT_H
#define UNPIN_STAGE_SNAPSHOT_H

#include "base/json.h"
#include "os/fs.h"
#include "stage/environment.h"
#include "stage/lock.h"

enum {
    SNAPSHOT_SCHEMA = 1,
    SNAPSHOT_FILE_MAX = 64 << 20, /* bytes */
    SNAPSHOT_DISTS_MAX = 100000,
    SNAPSHOT_GLIBC_MINOR = 39, /* assumed for --platform linux_ARCH: that of Ubuntu 24.04 */
};

/* The platform of an environment that no interpreter can be asked for. */
struct snapshot_platform {
    struct str python;   /* "3.12" or "3.12.3"; empty: not told */
    struct str platform; /* as in --platform: "linux_x86_64", "manylinux_2_28_aarch64"; empty: linux_x86_64 */
    int64_t glibc_minor; /* of linux_ARCH; 0: SNAPSHOT_GLIBC_MINOR */
};

/* The snapshot as JSON, ending in a newline. The same environment gives the same bytes. */
struct str snapshot_format(struct arena *arena, const struct environment *env, const struct lock_set *locks);

/* Reads either form. A list needs `platform->python`. ERR_SNAPSHOT, with the place, where the file cannot be
 * understood. */
ERR_MUST_CHECK struct err *snapshot_read(struct arena *arena, const struct fs *fs, struct str path,
                                         const struct snapshot_platform *platform, struct environment *ret,
                                         struct lock_set *ret_locks);

/* Sets the marker values and tags of a CPython of that version on that platform. ERR_USAGE. */
ERR_MUST_CHECK struct err *snapshot_platform_apply(struct arena *arena, const struct snapshot_platform *platform,
                                                   struct environment *env);

/* The distribution that a line of a list names: `name==version`, `name===version`, or `name @ url` with a wheel's file
 * name at its end; a vendor build where the url is a path that is gone. False for other lines. */
bool snapshot_list_dist(struct arena *arena, const struct requirement *requirement, struct dist *ret);

/* The distributions that the lines of `text` name, and the text as their lock. ERR_USAGE where `platform` does not tell
 * the Python, ERR_SNAPSHOT where no line names a distribution. Lines that are understood and name none are left out;
 * others become problems. */
ERR_MUST_CHECK struct err *snapshot_list_read(struct arena *arena, struct str path, struct str text,
                                              const struct snapshot_platform *platform, struct environment *env,
                                              struct lock_set *locks);

/* One distribution as JSON and back: also what entries of the catalog consist of. */
void snapshot_dist_format(struct json_writer *writer, const struct dist *dist);
ERR_MUST_CHECK struct err *snapshot_dist_parse(struct arena *arena, const struct json *json, struct dist *ret);

#endif
