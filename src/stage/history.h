/*
 * history - the transactions of an environment: list, undo, recover, prune. Works without network.
 */
#ifndef UNPIN_STAGE_HISTORY_H
#define UNPIN_STAGE_HISTORY_H

#include "base/json.h"
#include "os/transaction.h"
#include "stage/environment.h"

struct history_change {
    struct str name, from, to; /* versions, empty for none */
    struct str verified;       /* what the file was compared with, as artifact_verified says; empty: there was none */
};

/* A finished transaction with what its description says. */
struct history_entry {
    struct transaction_entry transaction;
    const struct str *argv;
    int32_t argv_len;
    const struct history_change *changes, *lifts;
    int32_t changes_len, lifts_len;
    struct str user; /* name or number of who did it */
};

/* What an apply writes into the transaction: the description, as JSON. */
struct str history_format(struct arena *arena, const struct str *argv, int32_t argv_len,
                          const struct history_change *changes, int32_t changes_len, const struct history_change *lifts,
                          int32_t lifts_len);

/* The transactions of the environment's site directory, oldest first; broken ones as sentences in `ret_problems`. */
ERR_MUST_CHECK struct err *history_list(struct arena *arena, const struct environment *env,
                                        const struct history_entry **ret, int32_t *ret_len,
                                        const struct str **ret_problems, int32_t *ret_problems_len);
/* The newest entry that is neither undone nor an undo itself, or NULL. */
const struct history_entry *history_last(const struct history_entry *entries, int32_t len);

/*
 * Whether transaction `entry` can be taken back while later ones stay: ERR_CONFLICT with the requirements that would be
 * broken. Files are looked at by history_undo. NULL where nothing is kept that tells.
 */
ERR_MUST_CHECK struct err *history_undo_check(struct arena *arena, const struct environment *env,
                                              const struct history_entry *entry);

/* Undoes transaction `id`, bytecode of the files it changes included. ERR_CONFLICT with the files that changed since,
 * unless `force`; ERR_REQUEST where there is nothing to undo. */
ERR_MUST_CHECK struct err *history_undo(struct arena *arena, const struct environment *env, struct str id, bool force,
                                        const struct str *argv, int32_t argv_len, struct transaction_result *ret);

/* The same within a store that is open: what apply does when its verification fails. */
ERR_MUST_CHECK struct err *history_undo_in(struct arena *arena, struct transaction_store *store, struct str id,
                                           bool force, struct str description, struct transaction_result *ret);

/* True if an interrupted transaction waits; then history_recover ends it (every change of the environment does that
 * first). */
bool history_pending(struct arena *arena, const struct environment *env);
ERR_MUST_CHECK struct err *history_recover(struct arena *arena, const struct environment *env, enum transaction_way way,
                                           enum transaction_recovery *ret);

/* Removes what is kept of the oldest transactions, until all together keep at most `most` bytes; the newest `spared`
 * ones keep theirs. Tells how many bytes that freed. Their entries stay in the list, but they can no longer be undone.
 */
ERR_MUST_CHECK struct err *history_prune(struct arena *arena, const struct environment *env, int64_t most,
                                         int32_t spared, int64_t *ret_freed);
/* Bytes on disk that all of them keep. */
int64_t history_size(const struct history_entry *entries, int32_t len);

/* How a store of this environment is opened: the site directory, the roots of the scheme and of the lock files `files`
 * (resolved), the lock files of other installers. */
ERR_MUST_CHECK struct err *history_options(struct arena *arena, const struct environment *env, const struct str *files,
                                           int32_t files_len, struct transaction_options *ret);

struct json_writer;
/* The changes as an array under `key`: the form of descriptions and of documents is the same. */
void history_changes_write(struct json_writer *writer, struct str key, const struct history_change *changes,
                           int32_t len);

#endif
