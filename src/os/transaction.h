/*
 * transaction - a set of file changes that takes place wholly or not at all, survives kill -9 and power cuts, and can
 * be undone.
 *
 * Knows nothing of Python packaging. The store `<site>/.unpin/` (mode 0700) keeps the lock, the journal and, per
 * finished transaction, what it replaced. docs/reliability.md has the protocol, its crash rules and what is not
 * promised.
 *
 * Use: transaction_open (takes the lock, recovers what a crash left) → transaction_begin (staging directory) → new
 * files are written there → transaction_commit (backup, revalidation, journal, renames, verification) →
 * transaction_close. After transaction_commit returned NULL all is new and durable. After any err but ERR_RECOVER all
 * is old. After ERR_RECOVER the journal is kept, and transaction_open of any later process ends what was begun.
 *
 * Paths are absolute, without `.`/`..` components, beneath one of the roots; nothing beneath a root is reached through
 * a symbolic link. SIGINT, SIGTERM and SIGHUP are held back while transaction_commit and
 * transaction_undo run: one that comes before the point of no return makes them fail with ERR_INTERRUPTED, a later one
 * waits. A caller whose staging has to end in order holds them from before transaction_begin (os/signals).
 */
#ifndef UNPIN_OS_TRANSACTION_H
#define UNPIN_OS_TRANSACTION_H

#include "os/sys.h"

enum {
    TRANSACTION_OPS_MAX = 2000000,
    TRANSACTION_EDIT_MAX = 16 << 20, /* bytes of a file that is edited */
    TRANSACTION_SIDES_MAX = 16,      /* mounts besides the site's */
};

enum transaction_kind {
    TRANSACTION_PUT,    /* a regular file, created or replaced from a staged one */
    TRANSACTION_LINK,   /* a symbolic link to `text`, created or replaced */
    TRANSACTION_REMOVE, /* a file or symbolic link goes; not there: no error */
    TRANSACTION_MKDIR,  /* a directory with `mode`; there already: nothing happens. Parents are made without being asked
                           for */
    TRANSACTION_RMDIR,  /* a directory goes if it is empty in the end; not empty or not there: nothing happens */
    TRANSACTION_EDIT, /* new bytes `text` for an existing regular file that keeps mode, owner and xattrs; in place where
                         it is a bind mount. A lock file */
};

/* Flags of an operation (bits). */
enum {
    /* What marks a distribution as installed (its METADATA): the old one goes first of all, the new one comes last, so
     * that a half-applied transaction that nobody recovers looks not installed. */
    TRANSACTION_MARK = 1,
    TRANSACTION_LATE = 2, /* comes after the other new files: `.pth` */
    /* For REMOVE: derived data that came after the transaction that is undone: as TRANSACTION_DERIVED, and not kept. */
    TRANSACTION_DISPOSABLE = 4,
    TRANSACTION_EXACT = 8, /* for PUT: mode and owner as staged, even where it replaces a file. Without it a replaced
                              file's owner, read and write bits, ACL and security xattrs are kept; set-id bits never */
    /* For REMOVE: data that others derive from the files around it and may write at any time (`.pyc`). It goes before
     * new files come, and undo brings it back after them, whatever is there then. */
    TRANSACTION_DERIVED = 16,
};

/* One change. Several may name the same path only thus: REMOVE with PUT, LINK or MKDIR (the file is replaced), RMDIR
 * with PUT or LINK (a directory becomes a file), REMOVE/MKDIR/RMDIR twice. The order within the array does not matter.
 */
struct transaction_op {
    enum transaction_kind kind;
    uint32_t flags;
    struct str path;
    struct str source; /* PUT: the staged file, as transaction_next or transaction_stage gave it, or a file in a staged
                          directory, at its path there. MKDIR: the staged directory; empty: an empty one is made */
    struct str text;   /* LINK: target; EDIT: new bytes */
    uint32_t mode;     /* PUT, MKDIR: permission bits */
    struct str sha256; /* PUT: digest of the staged bytes, its 32 bytes or in hex, where the caller knows it; empty:
                          computed */
    const struct sys_stat *staged; /* PUT, with `sha256`: as the staged file is, where the caller has looked since its
                                      last change; NULL: looked at */
};

enum transaction_way { TRANSACTION_AUTO, TRANSACTION_FORWARD, TRANSACTION_BACK };

struct transaction_options {
    const struct sys *sys; /* NULL: the machine */
    struct str site; /* where `.unpin` lives: the site directory that most files go to; may be a link, resolved once */
    const struct str
        *roots; /* further directories in which operations may lie (scripts, data, the lock's); links resolved once */
    int32_t roots_len;
    const struct str
        *locks; /* lock files of other programs to hold meanwhile (uv's `.lock`); those not there are passed over */
    int32_t locks_len;
    enum transaction_way way; /* what to do with an interrupted transaction; AUTO: forward, back if that fails, and
                                 ERR_RECOVER where a file is neither as before nor as after */
    bool no_undo;             /* keep nothing for undo */
};

struct transaction_store;
struct transaction;

enum transaction_recovery { TRANSACTION_CLEAN, TRANSACTION_DISCARDED, TRANSACTION_FORWARDED, TRANSACTION_ROLLED_BACK };

/* True if a crash left something in `site` that transaction_open would recover. Needs no write permission. */
bool transaction_pending(struct arena *arena, const struct sys *sys, struct str site);

/*
 * Makes the store if it is not there, takes its lock, recovers. ERR_BUSY: another process holds it (the text says
 * which); ERR_RECOVER: the interrupted transaction needs `way`; ERR_PERMISSION and the like. The store and all it gives
 * live in `arena`. `ret_recovery` (may be NULL) tells what was recovered.
 */
ERR_MUST_CHECK struct err *transaction_open(struct arena *arena, const struct transaction_options *options,
                                            enum transaction_recovery *ret_recovery, struct transaction_store **ret);
void transaction_close(struct transaction_store *store); /* releases the locks; NULL is allowed */

/* A new transaction with an empty staging directory, durable enough that a crash leaves no litter. One at a time. */
ERR_MUST_CHECK struct err *transaction_begin(struct transaction_store *store, struct transaction **ret);
/* A directory of the staging area for whatever the caller needs until commit or abort (downloads, builds); goes with
 * them. */
struct str transaction_scratch(const struct transaction *transaction);
/*
 * The path for the next staged file: the caller creates it (O_EXCL) with its final bytes. It need not be synced.
 *
 * Or that of a staged directory, for a directory that is not there: it takes its place by one rename, with all that is
 * in it. The caller makes it and the directories in it with their final modes, names it as the source of a MKDIR, and
 * every file in it by a PUT of its own (neither MARK nor LATE), so that the journal knows them and undo finds them. One
 * of another mount comes file by file. ERR_CHANGED if there is something at its place after all.
 */
struct str transaction_next(struct transaction *transaction);
/* Writes `bytes` as a staged file and gives its path and hex SHA-256: op->source, op->mode and op->sha256 are set. */
ERR_MUST_CHECK struct err *transaction_stage(struct transaction *transaction, struct str bytes, uint32_t mode,
                                             struct transaction_op *op);

/* A new file as it was found in its place at the end. Its bytes are those that were staged, as long as it is the same
 * inode with the same times. */
struct transaction_file {
    struct str path;
    int64_t inode, size, mtime_ns, ctime_ns;
};

struct transaction_result {
    struct str id;              /* decimal number, from 1 */
    const struct str *warnings; /* sentences: hard link broken, owner not kept, directory not empty, volatile mount */
    int32_t warnings_len;
    int signal; /* SIGINT, SIGTERM or SIGHUP that came when it was too late; 0: none. The transaction is complete */
    /* Sorted by path; without those that were changed so shortly before that another change might have left the same
     * times. */
    const struct transaction_file *files;
    int32_t files_len;
};

/* Carries all out. `description` is kept (JSON of the caller). ERR_CHANGED: a file changed since the backup;
 * ERR_CONFLICT: the operations contradict each other or leave the roots; ERR_INTERRUPTED; ERR_SPACE, ERR_PERMISSION,
 * ERR_IO: old state; ERR_RECOVER: see above. The transaction is gone after it. */
ERR_MUST_CHECK struct err *transaction_commit(struct transaction *transaction, const struct transaction_op *ops,
                                              int32_t len, struct str description, struct transaction_result *ret);
/* Throws the staging area away. NULL is allowed. */
void transaction_abort(struct transaction *transaction);

/* A finished transaction. */
struct transaction_entry {
    struct str id;
    int64_t time;                 /* seconds since 1970 */
    struct str description;       /* as given to transaction_commit */
    struct str undoes;            /* the id that this one undid; empty: none */
    struct str undone_by;         /* the id that undid this one (and is not itself undone); empty: none */
    bool undoable;                /* what it replaced is still kept */
    int64_t bytes;                /* disk use of what is kept */
    int32_t puts, removes, edits; /* numbers of files */
};

/* The finished transactions, oldest first. Needs no lock. A broken entry is passed over and named in `ret_problems`
 * (may be NULL). */
ERR_MUST_CHECK struct err *transaction_list(struct arena *arena, const struct sys *sys, struct str site,
                                            const struct transaction_entry **ret, int32_t *ret_len,
                                            const struct str **ret_problems, int32_t *ret_problems_len);

/* The paths a finished transaction put or removed, sorted: for callers that know derived files (`.pyc`). */
ERR_MUST_CHECK struct err *transaction_paths(struct transaction_store *store, struct str id, const struct str **ret,
                                             int32_t *ret_len);

/* What a finished transaction keeps of the file at `path` as it was before; *found is false where it keeps nothing. */
ERR_MUST_CHECK struct err *transaction_old(struct transaction_store *store, struct str id, struct str path,
                                           int64_t limit, struct str *ret, bool *found);

/*
 * Undoes a finished transaction by a new one: bytes, modes, owners, xattrs, links, times of files and of directories.
 * A file that was edited (EDIT) and then edited elsewhere, by later transactions or by hand, gets back the lines that
 * this one changed. Times stay where later transactions that are in place have changed them: of directories whose
 * entries they changed, of files that they edited in place. ERR_CONFLICT with the list of files that are no longer as
 * it left them, unless `force`; ERR_REQUEST: no such id, undone already, nothing kept. `extra` are more operations for
 * the same transaction (derived files to remove).
 */
ERR_MUST_CHECK struct err *transaction_undo(struct transaction_store *store, struct str id, bool force,
                                            const struct transaction_op *extra, int32_t extra_len,
                                            struct str description, struct transaction_result *ret);

/* Removes what is kept of a finished transaction; with `entry` its place in the list too. */
ERR_MUST_CHECK struct err *transaction_forget(struct transaction_store *store, struct str id, bool entry);
/* Takes an undo and what it undid out of the list, as far as that can be done: what stays takes space, and does nothing
 * else. */
void transaction_forget_undone(struct transaction_store *store, struct str undo, struct str undone);

#endif
