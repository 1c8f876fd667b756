/*
 * apply - carries a plan out: files and lock edits in one transaction, then verification; undone where that fails.
 *
 * The only stage that changes an environment. In order: permissions, consent, the store's lock (recovering what a crash
 * left), downloads into the staging area, verification of every wheel, the environment once more, commit; then the
 * environment is read again: no new break, every change in place, every module that could be imported before
 * (or is new) imports. A failure after the commit is undone. Exit status 0 means new, verified and durable; 1 and 75
 * mean the old state.
 */
#ifndef UNPIN_STAGE_APPLY_H
#define UNPIN_STAGE_APPLY_H

#include "os/proc.h"
#include "os/transaction.h"
#include "stage/index.h"
#include "stage/plan.h"
#include "stage/wheel_change.h"

enum { APPLY_IMPORTS_MAX = 200, APPLY_IMPORT_TIMEOUT_MS = 120000 };

/* What a change may do, and who is told. */
struct apply_options {
    enum wheel_policy modified;       /* files that are not as their RECORD says (--modified) */
    bool allow_startup;               /* --allow-pth */
    bool break_system_packages;       /* go on in an EXTERNALLY-MANAGED environment */
    bool no_imports;                  /* do not try the imports */
    bool compile;                     /* write bytecode when all is done (--compile) */
    bool no_undo;                     /* keep no backup */
    const struct str *rebuild_record; /* normalized names of projects whose wheels' RECORDs are not to be believed */
    int32_t rebuild_record_len;
    struct str cache_dir;   /* as scan_options.cache_dir, for reading the environment again */
    const struct str *argv; /* the command line, for the history */
    int32_t argv_len;
    void (*progress)(void *self, struct str what); /* NULL: quiet */
    void *progress_self;
};

struct apply_input {
    const struct fs *fs;
    const struct proc *proc;
    struct index *index; /* open; NULL where the plan installs nothing */
    const struct plan *plan;
    const struct apply_options *options;
};

struct apply_result {
    struct str id;                       /* of the transaction; empty: there was nothing to do */
    enum transaction_recovery recovered; /* what an earlier crash had left */
    int32_t imported;                    /* modules that were imported to verify */
    const struct str *notes;             /* sentences */
    int32_t notes_len;
    int signal; /* came too late: the transaction is complete. 0: none */
};

/*
 * ERR_PERMISSION and ERR_ENVIRONMENT before anything is fetched; ERR_NETWORK, ERR_INDEX, ERR_HASH, ERR_WHEEL,
 * ERR_CONFLICT, ERR_CONSENT, ERR_BUILD, ERR_SPACE, ERR_CHANGED, ERR_BUSY, ERR_INTERRUPTED: old state; ERR_VERIFY:
 * undone, old state; ERR_RECOVER: see os/transaction.h. SIGINT, SIGTERM and SIGHUP end it with ERR_INTERRUPTED, also
 * while it verifies: then the change is undone.
 */
ERR_MUST_CHECK struct err *apply_plan(struct arena *arena, const struct apply_input *input, struct apply_result *ret);

/* Can the environment be written, as far as that is known before there is a plan? ERR_PERMISSION, ERR_ENVIRONMENT. */
ERR_MUST_CHECK struct err *apply_writable(struct arena *arena, const struct environment *env,
                                          bool break_system_packages);
/* Can the environment and the lock files be written? What apply_plan asks first. */
ERR_MUST_CHECK struct err *apply_allowed(struct arena *arena, const struct apply_input *input);

#endif
