/*
 * transaction_parts - what the files of the module `transaction` share; nobody else includes it.
 *
 * journal.c: the journal as bytes. file.c: states, copies and hashes of files. steps.c: operations become steps.
 * prepare.c: new files and backups. apply.c: forward. rollback.c: back. history.c: finished ones. transaction.c: the
 * store and the order of it all.
 */
#ifndef UNPIN_OS_TRANSACTION_PARTS_H
#define UNPIN_OS_TRANSACTION_PARTS_H

#include "base/arena.h"
#include "os/signals.h"
#include "os/transaction.h"

enum {
    HASH_SIZE = 32,
    JOURNAL_MAX = 256 << 20,
    XATTRS_MAX = 256,
    INTERRUPTED_EVERY = 64 /* files of a staged directory, which take no time, until signals are looked for again */
};

#define NO_TIME INT64_MIN
/* Flags of what others may write at any time: what is there is never judged. */
#define ANY_STATE ((uint32_t)(TRANSACTION_DISPOSABLE | TRANSACTION_DERIVED))

/* What is, was or will be at a path. */
struct state {
    enum sys_type type;
    uint32_t mode, uid, gid;
    int64_t size, mtime_ns;
    int64_t ctime_ns, inode, mount; /* to know it again; not in the journal */
    unsigned char hash[HASH_SIZE];  /* SHA-256 of a file's bytes */
    struct str link;                /* text of a symbolic link */
    const struct sys_xattr *xattrs; /* of a directory; files keep theirs */
    int32_t xattrs_len;
};

/* The order in which steps are applied; going back is the reverse. */
enum phase {
    PHASE_EDIT,
    PHASE_UNMARK, /* marks that go; the old file under a mark that is replaced goes here too */
    PHASE_DERIVED,
    PHASE_MAKE_ROOM, /* what stands where another type comes */
    PHASE_MKDIR,
    PHASE_PUT,
    PHASE_PUT_LATE,
    PHASE_REMOVE,
    PHASE_MARK,
    PHASE_RMDIR,
};

/* One operation as the journal has it. */
struct step {
    enum transaction_kind kind; /* EDIT becomes PUT unless it is done in place */
    enum phase phase;
    uint32_t flags;
    const char *path;
    int32_t number; /* of `new/N` and `old/N` */
    int32_t side;   /* position in journal.sides */
    int32_t tree;   /* number of the staged directory that it comes with, or that it is itself; -1: none */
    int32_t inner;  /* where in `path` its part within that directory begins; 0: it is the directory itself, or alone */
    int32_t op;     /* position in the operations, -1: none; not in the journal */
    bool edit;      /* was asked for as EDIT */
    bool vanishes;  /* may be absent while the transaction is half done */
    struct state before, after;
    struct str old_bytes, new_bytes; /* EDIT in place; of other edits the new ones only */
};

/* A directory whose entries change. */
struct touched {
    const char *path;
    int64_t before; /* its mtime before the transaction; NO_TIME: it was not there */
    int64_t after;  /* what its mtime is set to in the end; NO_TIME: left alone */
};

/* Where a mount's staged files and backups are; side 0 is the transaction's directory in the store. */
struct side {
    const char *dir;
    int64_t mount;
    bool overlay;
};

struct journal {
    struct str id, description, undoes;
    int64_t time;
    bool no_undo;
    struct side *sides;
    int32_t sides_len;
    struct step *steps;
    int32_t steps_len;
    struct touched *touched;
    int32_t touched_len;
};

struct undoing;

struct transaction_store {
    struct arena *arena;
    const struct sys *sys;
    const char *site;               /* resolved */
    const char *dir;                /* site/.unpin */
    struct str *roots, *roots_real; /* as given and resolved; the first is the site */
    int32_t roots_len;
    int *lock_fds;
    int32_t lock_fds_len;
    int64_t mount;
    bool overlay;
    bool no_undo;
};

struct transaction {
    struct transaction_store *store;
    struct str id;
    const char *dir; /* store/id */
    int32_t next;
    const struct undoing *undoing; /* set by undo alone */
    const struct state *exact;     /* undo: per operation, the state that a directory gets; else NULL */
    struct signals signals;        /* held back from the preparation on */
};

typedef VEC(struct str) str_vec;

/* A path in the store, in a transaction's directory, NUL-terminated. */
const char *transaction_path(const struct transaction_store *store, const char *name);
const char *side_path(struct arena *arena, const struct side *side, const char *folder, int32_t number);
/* Where the new file or directory of a step is staged. */
const char *step_staged(struct arena *arena, const struct journal *journal, const struct step *step);
/* True for what comes with the directory above it. */
static inline bool step_carried(const struct step *step) {
    return step->inner > 0;
}

/* transaction_file.c */
ERR_MUST_CHECK struct err *file_hash(struct transaction_store *store, const char *path, unsigned char *ret);
/* What a look at a path shows; no hash, no link text, no xattrs. */
struct state state_make(const struct sys_stat *st);
/* The state at `path`; `full` reads bytes, link text and a directory's xattrs as well. */
ERR_MUST_CHECK struct err *file_state(struct transaction_store *store, const char *path, bool full, struct state *ret);
/* A copy with all attributes; `to` must not be there. Links and files. */
ERR_MUST_CHECK struct err *file_copy(struct transaction_store *store, const char *from, const char *to);
/* `to` as another name of `from`, or a copy where that cannot be. */
ERR_MUST_CHECK struct err *file_clone(struct transaction_store *store, const char *from, const char *to, bool overlay);
ERR_MUST_CHECK struct err *tree_file_read(struct transaction_store *store, const char *path, int64_t limit,
                                          struct str *ret);
/* Writes a new file; `sync` makes its bytes durable. */
ERR_MUST_CHECK struct err *tree_file_write(struct transaction_store *store, const char *path, struct str bytes,
                                           uint32_t mode, bool sync);
/* Writes `bytes` over a file in place; live_sync makes them durable. */
ERR_MUST_CHECK struct err *file_overwrite(struct transaction_store *store, const char *path, struct str bytes);
/* Removes a tree of our own (staging, backup); errors leave the rest. Returns 0 or the first errno value. */
int tree_remove(struct transaction_store *store, const char *path);
/* Disk use of a tree in bytes. */
int64_t tree_size(const struct sys *sys, struct arena *arena, const char *path);
const char *path_parent(struct arena *arena, const char *path);

/* transaction_journal.c */
struct str journal_format(struct arena *arena, const struct journal *journal);
/* False if the bytes are not a whole journal. */
bool journal_parse(struct arena *arena, struct str bytes, struct journal *ret);
/* Writes `bytes` to store/name by way of name.tmp and makes the name durable. `ret_named` is set once the rename
 * happened. */
ERR_MUST_CHECK struct err *journal_write(struct transaction_store *store, const char *name, struct str bytes,
                                         bool *ret_named);

/* transaction_steps.c: operations become steps in order, with their states before; directories touched. */
ERR_MUST_CHECK struct err *steps_make(struct transaction *transaction, const struct transaction_op *ops, int32_t len,
                                      struct journal *journal, str_vec *warnings);

/* transaction_history.c: the directory times that an undo puts back. */
void undo_journal(const struct undoing *undoing, struct journal *journal);

/* transaction_prepare.c: everything before the commit. Fills the journal. */
ERR_MUST_CHECK struct err *transaction_prepare(struct transaction *transaction, const struct transaction_op *ops,
                                               int32_t len, struct journal *journal, str_vec *warnings);
/* The preconditions once more. */
ERR_MUST_CHECK struct err *prepare_revalidate(struct transaction_store *store, const struct journal *journal);
/* `intent`: what discard has to remove. */
ERR_MUST_CHECK struct err *intent_write(struct transaction_store *store, struct str id, const struct journal *journal);

/* transaction_apply.c */
ERR_MUST_CHECK struct err *transaction_apply(struct transaction_store *store, const struct journal *journal);
/* Makes a directory, or finds it, and gives it the attributes of `state`: 0 or an errno value. */
int dir_make(struct transaction_store *store, const char *path, const struct state *state);
/* Sync, check, journal → done. After NULL the transaction is finished and durable. */
ERR_MUST_CHECK struct err *transaction_finish(struct transaction_store *store, const struct journal *journal,
                                              str_vec *warnings);
/* Paths that are neither as before nor as after. */
ERR_MUST_CHECK struct err *transaction_strangers(struct transaction_store *store, const struct journal *journal,
                                                 str_vec *ret);
/* Makes what is staged durable: every mount of the journal has something of it. */
ERR_MUST_CHECK struct err *sides_sync(struct transaction_store *store, const struct journal *journal);
/* Makes the changes of live files durable: each mount that has one, and each file that is edited in place. */
ERR_MUST_CHECK struct err *live_sync(struct transaction_store *store, const struct journal *journal);

/* transaction_rollback.c: from `abort` (named already) to the old state, everything discarded. */
ERR_MUST_CHECK struct err *transaction_rollback(struct transaction_store *store, const struct journal *journal);

/* transaction.c: removes what the intent names, and the intent. */
ERR_MUST_CHECK struct err *transaction_discard(struct transaction_store *store, bool *ret_found);
/* ERR_INTERRUPTED if one of the blocked signals waits. */
ERR_MUST_CHECK struct err *transaction_interrupted(struct transaction_store *store);
void ballast_remove(struct transaction_store *store, const struct journal *journal);
/* As transaction_commit; `undoes` and the directory times of an undo are in `journal`. */
ERR_MUST_CHECK struct err *transaction_carry_out(struct transaction *transaction, const struct transaction_op *ops,
                                                 int32_t len, struct journal *journal, struct transaction_result *ret);

#endif
