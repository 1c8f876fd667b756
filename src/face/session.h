/*
 * session - one run of a command: its options, its output, and what the options name, opened on demand.
 *
 * Knows which environment (--image, --snapshot, --python, $VIRTUAL_ENV, python3 on PATH), which lock and which index
 * are meant. Results go to standard output, all else to
 * standard error.
 */
#ifndef UNPIN_FACE_SESSION_H
#define UNPIN_FACE_SESSION_H

#include "face/options.h"
#include "os/proc.h"
#include "os/signals.h"
#include "os/term.h"
#include "stage/config.h"
#include "stage/history.h"
#include "stage/index.h"
#include "stage/propose.h"
#include "stage/report.h"

/* What a request named by URL or path, once it is in the pool. */
struct session_named {
    struct str url; /* of the request */
    bool editable;
    struct project_id id;
    struct version version;
};

/* Builds of the session. */
struct session_builds {
    struct str scratch;     /* a directory of our own, there from the first build or checkout to session_close */
    struct signals signals; /* held back meanwhile */
    int32_t dirs;           /* directories made in it */
    bool consent;           /* the user answered that builds may run */
    VEC(struct session_named) named;
};

struct session {
    struct arena *arena;
    const struct options *options;
    struct str command; /* name of the command */
    const struct fs *fs;
    struct term out, err;
    struct report_look look;     /* for standard output */
    struct report_look err_look; /* for standard error */
    const struct str *argv;      /* the command line, for the history */
    int32_t argv_len;
    bool printed;       /* the JSON document was printed, the error in it */
    bool no_recovery;   /* opening the environment does not end an interrupted transaction */
    bool output_failed; /* something could not be written to standard output */
    bool changed;       /* files were changed for good: the exit status tells of that, whatever becomes of the output */
    int output_errno;   /* why it failed, where it did */
    int64_t started_us; /* clock when the command began */

    /* Set by session_open_environment. */
    struct str image; /* to open: --image */
    bool opened;
    bool live; /* the environment is of this machine and can be changed; not an image or a snapshot */
    struct config_variables variables; /* the environment variables, and what the command line says over them */
    struct config config;
    bool cache_refused; /* others may write to the cache: none is used */
    int cache_use;      /* says to others that it is used, from session_open_index to session_close; -1: not said */
    struct str catalog; /* directory of the catalog; empty: none was found */
    struct environment env;
    struct lock_choice lock_choice;
    struct lock_set locks;
    struct advisories advisories;
    int64_t scan_us;
    struct str recorded; /* directory of recorded answers of the index; empty: none */

    /* Set by session_propose. */
    struct want want;
    struct err *denied; /* why nothing can be changed; told as soon as the index would be asked. NULL: none */
    struct pool pool;   /* grows from one plan to the next of the same session */
    struct index *index;
    struct session_builds builds;
};

/* A session with nothing opened. `options` must outlive it. */
struct session session_make(struct arena *arena, const struct options *options);

/* The directory of caches; empty: none. Once the configuration is read. */
struct str session_cache_dir(const struct session *session);

/* The bound of the cache: bytes, and who says so ("default"). ERR_CONFIG where it is no size. */
ERR_MUST_CHECK struct err *session_cache_most(struct session *session, int64_t *ret, struct str *ret_source);
/* Reads the configuration alone, as it is without an environment. */
ERR_MUST_CHECK struct err *session_read_config(struct session *session);

/* The words behind the command. */
struct option_list session_words(const struct session *session);

/* To standard output, as it is. */
void session_print(struct session *session, struct str text);
/* A sentence to standard error, escaped, with a line feed; nothing with -q. */
void session_note(struct session *session, struct str sentence);
/* The progress line on standard error (a terminal, neither -q nor --json); the empty text clears it. */
void session_progress(struct session *session, struct str text);

/* Reads the environment, the lock and the advisories that the options name, once. */
ERR_MUST_CHECK struct err *session_open_environment(struct session *session);
/* Finds the catalog. ERR_CONFIG where there is none. */
ERR_MUST_CHECK struct err *session_open_catalog(struct session *session);
/* ERR_USAGE where the environment is an image or a snapshot. After session_open_environment. */
ERR_MUST_CHECK struct err *session_need_live(struct session *session);
/* For commands that change something: looks whether the environment can be written, so that session_propose fails
 * before anything is fetched if it needs to be. */
void session_expect_change(struct session *session);
/* What to plan. */
struct session_request {
    struct option_list words, files; /* as want_parse takes them */
    struct option_list remove;       /* names */
    struct option_list editable;     /* source trees to install as pointers */
};
/* A plan for `request` in the session's environment, under the limits that the options set. The plan borrows from the
 * session. */
ERR_MUST_CHECK struct err *session_propose(struct session *session, const struct session_request *request,
                                           struct plan *ret);
/* Shows the plan, asks, builds what has to be built, carries it out and tells the outcome. Sets the exit status where
 * it is neither 0 nor an err's. *again: what was built requires other things than its source told, nothing was changed,
 * and the plan has to be made anew. */
ERR_MUST_CHECK struct err *session_offer(struct session *session, const struct plan *plan, bool *again,
                                         int *ret_status);
/* Puts what a request names by URL or path into the pool: a file, a source tree, a revision of a repository. What only
 * a build can tell is built, if the user agrees: ERR_CONSENT. */
ERR_MUST_CHECK struct err *session_supply_named(struct session *session, struct pool *pool,
                                                const struct request *request, struct project_id *ret,
                                                int32_t *ret_release);
/* Builds the sources of the plan whose requirements only a build can tell, as far as --build allows. *learned:
 * something was built, and the plan has to be made anew. */
ERR_MUST_CHECK struct err *session_build_unsure(struct session *session, const struct plan *plan, bool *learned);
/* Builds all sources of the plan. ERR_CONSENT where neither --build nor the user's answer allows it. *differs: what was
 * built requires other things than its source told. */
ERR_MUST_CHECK struct err *session_build_all(struct session *session, const struct plan *plan, bool *differs);
/* The release of the session's pool that a change installs, NULL for a removal. */
struct release *session_release(struct session *session, const struct plan_change *change);
/* Number of sources that the plan builds and that are not built yet. */
int32_t session_unbuilt(const struct plan *plan);
/* "500M", "1.5G", "0" as bytes (powers of 1000). ERR_USAGE; `what` says whose value it is. */
ERR_MUST_CHECK struct err *session_size(struct arena *arena, struct str text, struct str what, int64_t *ret);
/* What is kept for undo: so far, what the plan adds to it at most, and the bound that UNPIN_UNDO_MAX sets. */
struct session_kept {
    int64_t so_far, adds;
    int64_t most; /* INT64_MAX: no bound */
};
/* ERR_CONFIG where UNPIN_UNDO_MAX is no size. */
ERR_MUST_CHECK struct err *session_kept_read(struct session *session, const struct plan *plan,
                                             struct session_kept *ret);
/* A lock that a transaction lifted. */
struct session_lift {
    const struct history_entry *entry;
    const struct history_change *lift;
};
/* The lifts of transactions that are not undone, oldest first; none for an image or a snapshot. */
ERR_MUST_CHECK struct err *session_lifts(struct session *session, struct session_lift **ret, int32_t *ret_len);
/* A sentence on every transaction that changed the project, newest first. */
ERR_MUST_CHECK struct err *session_transactions_of(struct session *session, struct str name, const struct str **ret,
                                                   int32_t *ret_len);
/* Another session with the options of this one, for an image of the catalog: what `images` plans for. */
struct session session_for_image(const struct session *session, struct str image);
/* How the plan came about, as the report wants it: notes, times, the command that carries it out. */
struct report_extra session_extra(struct session *session, const struct plan *plan);
/* session_names.c: sentences on names among the requests that may not be the ones that were meant: those of modules
 * that something installed brings, those that are a letter or two from one that is installed or locked. */
const struct str *session_tell_names(struct session *session, const struct plan *plan, int32_t *ret_len);
/* Writes a file for the user: replaced as a whole. ERR_IO, ERR_PERMISSION, ERR_SPACE. */
ERR_MUST_CHECK struct err *session_write_file(struct session *session, struct str path, struct str text);
/* Opens the index for the session's want, once. */
ERR_MUST_CHECK struct err *session_open_index(struct session *session);
/* Closes the index and removes what builds left. */
void session_close(struct session *session);

/* ERR_CONSENT unless the user agrees: with -y, or by answering the question on a terminal. */
ERR_MUST_CHECK struct err *session_ask(struct session *session, struct str question);

/* Microseconds of the monotonic clock. */
int64_t session_clock_us(void);

#endif
