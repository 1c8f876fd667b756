/*
 * lock - constraint files as pip reads them, and their lossless editing.
 *
 * A lock is one constraint line that applies in this environment. Reading keeps every byte; editing changes only the
 * version in the lines that are lifted. Several active lines of one project all count: pip intersects them.
 * Touches the machine only through `fs`, but for the values of ${VARIABLES} (getenv).
 */
#ifndef UNPIN_STAGE_LOCK_H
#define UNPIN_STAGE_LOCK_H

#include "os/fs.h"
#include "pypa/requirement_file.h"
#include "stage/config.h"
#include "stage/environment.h"

enum { LOCK_FILE_MAX = 16 << 20, LOCK_DEPTH_MAX = 16, LOCK_FILES_MAX = 64, LOCK_LINES_MAX = 100000 };

struct lock_file {
    struct str path;      /* as named, for messages */
    struct str text;      /* all bytes */
    bool writable_target; /* false for a file without any write permission */
};

/* One constraint. */
struct lock_line {
    int32_t file; /* position in lock_set.files */
    int32_t line; /* first line of it, from 1 */
    struct requirement requirement;
    bool active;   /* its marker holds in this environment */
    bool shadowed; /* an earlier active line says the same of the project: kept for the edit, not counted twice */
    ptrdiff_t version_from, version_to; /* bytes in the file's text of the version in a single `==`; -1: not a pin */
    struct requirement_span specifier;  /* bytes of all specifiers, or of `@ url`; {-1, -1}: none, or not separable */
    struct requirement_span whole;      /* bytes of the requirement without options and comment */
    struct requirement_span hashes;     /* bytes from the first option to the end of the last; {-1, -1}: no --hash */
};

struct lock_set {
    const struct lock_file *files;
    int32_t files_len;
    const struct lock_line *lines; /* in reading order */
    int32_t lines_len;
    struct map by_name; /* normalized name to the first active line's position */
    bool implied;       /* the lock is there but empty (25.10 and later): what came with the image counts as locked */
    struct map
        implied_names; /* with `implied`: the normalized names that came with the image; empty: not known, so all */
    const struct str *problems; /* lines that are kept but not understood, with file and line */
    int32_t problems_len;
    struct str fingerprint; /* where it is known already; lock_fingerprint gives it for all */
};

/* Reads the files at `paths` (with their -c/-r includes). ERR_LOCK: unreadable, NUL bytes, too large, including itself.
 */
ERR_MUST_CHECK struct err *lock_read(struct arena *arena, const struct fs *fs, const struct str *paths, int32_t len,
                                     const struct marker_env *markers, struct lock_set *ret);

/* As lock_read for one text that is no file (a catalog entry, a snapshot): includes are problems, the file is not
 * writable. Added behind what is in `ret` already. */
ERR_MUST_CHECK struct err *lock_add_text(struct arena *arena, struct str path, struct str text,
                                         const struct marker_env *markers, struct lock_set *ret);

/* Which lock files apply, and who says so. */
struct lock_choice {
    const struct str *paths;
    int32_t len;
    struct str source; /* "--lock", "PIP_CONSTRAINT", "pip configuration", …; empty: there is no lock */
};

/*
 * Which lock files apply: `given` (--lock), else what pip and uv are configured to use (`configured`: PIP_CONSTRAINT,
 * pip's configuration files, UV_CONSTRAINT), else /etc/pip/constraint.txt if it is there. ERR_LOCK, with the way out,
 * where the configuration names a file that is not there: pip fails too.
 */
ERR_MUST_CHECK struct err *lock_find(struct arena *arena, const struct fs *fs, const struct str *given,
                                     int32_t given_len, const struct config_setting *configured,
                                     struct lock_choice *ret);

/* Sets `implied` where the environment is a vendor image's and its lock says nothing, or next to nothing, of what is
 * installed; `implied_names` from /etc/pip/original_constraint.txt if that is there. Never fails: what cannot be read
 * is a problem. */
void lock_imply(struct arena *arena, const struct fs *fs, const struct environment *env,
                const struct lock_choice *choice, struct lock_set *set);

/* The paths and bytes of all files, which the fingerprint is made of. */
struct str lock_state(struct arena *arena, const struct lock_set *set);
/* Hex SHA-256 over them: whether a plan's locks are still those it was made for. */
struct str lock_fingerprint(struct arena *arena, const struct lock_set *set);

/* A new version for the pins of one project. */
struct lock_edit {
    struct str name; /* normalized */
    struct str to;   /* version */
    struct str hash; /* "sha256:hex" of the new file, for lines with --hash; empty: their hashes are dropped */
};

/* The text of file `file` with the edits applied. Lines of projects not in `edits` keep every byte. A line that
 * constrains without a pin (`numpy<=2.1`, `name @ url`) and forbids the new version gets its specifier replaced by
 * `==to`. */
struct str lock_edit_format(struct arena *arena, const struct lock_set *set, int32_t file,
                            const struct lock_edit *edits, int32_t len);

#endif
