/*
 * lock - constraint files as pip reads them, and their lossless editing.
 *
 * A lock is one constraint line that applies in this environment. Reading keeps every byte; editing changes only the
 * version in the lines that are lifted.
 */
#ifndef UNPIN_STAGE_LOCK_H
#define UNPIN_STAGE_LOCK_H

#include "os/fs.h"
#include "stage/environment.h"

enum { LOCK_FILE_MAX = 16 << 20, LOCK_DEPTH_MAX = 16, LOCK_FILES_MAX = 64, LOCK_LINES_MAX = 100000 };

struct lock_file {
    struct str path; /* as named, for messages */
    struct str text; /* all bytes */
    bool writable_target; /* false for a URL or a file that may not be written */
};

/* One constraint. */
struct lock_line {
    int32_t file; /* position in lock_set.files */
    int32_t line; /* first line of it, from 1 */
    struct requirement requirement;
    bool active;   /* its marker holds in this environment */
    bool shadowed; /* an identical later line names the same project: kept for the edit, not counted twice */
    ptrdiff_t version_from, version_to; /* bytes in the file's text of the version in a single `==`; -1: not a pin */
};

struct lock_set {
    const struct lock_file *files;
    int32_t files_len;
    const struct lock_line *lines; /* in reading order */
    int32_t lines_len;
    struct map by_name; /* normalized name to the first active line's position */
    bool implied;       /* the lock is there but empty (25.10 and later): what came with the image counts as locked */
    const struct str *problems; /* lines that are kept but not understood, with file and line */
    int32_t problems_len;
};

/* Reads the files at `paths` (with their -c/-r includes). ERR_LOCK: unreadable, NUL bytes, too large. */
ERR_MUST_CHECK struct err *lock_read(struct arena *arena, const struct fs *fs, const struct str *paths, int32_t len,
                                     const struct marker_env *markers, struct lock_set *ret);

/* A new version for the pins of one project. */
struct lock_edit {
    struct str name; /* normalized */
    struct str to;   /* version */
};

/* The text of file `file` with the edits applied. Lines of projects not in `edits` keep every byte. A line that constrains
 * without a pin (`numpy<=2.1`, `name @ url`) and forbids the new version gets its specifier replaced by `==to`. */
struct str lock_edit_format(struct arena *arena, const struct lock_set *set, int32_t file, const struct lock_edit *edits,
                            int32_t len);

#endif
