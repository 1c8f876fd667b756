/*
 * session - one run of a command: its options, its output, and what the options name, opened on demand.
 *
 * Knows which environment (--image, --snapshot, --python, $VIRTUAL_ENV, python3 on PATH), which lock and which index
 * are meant. Each `session_open_…` opens what it needs before it, once. Results go to standard output, all else to
 * standard error.
 */
#ifndef UNPIN_FACE_SESSION_H
#define UNPIN_FACE_SESSION_H

#include "face/options.h"
#include "os/fs.h"
#include "os/term.h"
#include "stage/report.h"

struct session {
    struct arena *arena;
    const struct options *options;
    struct str command; /* name of the command */
    const struct fs *fs;
    struct term out, err;
    struct report_look look;     /* for standard output */
    struct report_look err_look; /* for standard error */
    bool output_failed;          /* something could not be written to standard output */
    int64_t started_us;          /* clock when the command began */
};

/* A session with nothing opened. `options` must outlive it. */
struct session session_make(struct arena *arena, const struct options *options);

/* The words behind the command. */
struct option_list session_words(const struct session *session);

/* To standard output, as it is. */
void session_print(struct session *session, struct str text);
/* A sentence to standard error, escaped, with a line feed; nothing with -q. */
void session_note(struct session *session, struct str sentence);
/* The progress line on standard error (a terminal, neither -q nor --json); the empty text clears it. */
void session_progress(struct session *session, struct str text);

/* ERR_CONSENT unless the user agrees: with -y, or by answering the question on a terminal. */
ERR_MUST_CHECK struct err *session_ask(struct session *session, struct str question);

/* Microseconds of the monotonic clock. */
int64_t session_clock_us(void);

#endif
