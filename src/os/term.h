/*
 * term - what a person sees: the terminal behind a file descriptor, text made safe for it, one question, one progress
 * line.
 *
 * Everything that came from outside (index, wheel, lock file, file name, environment variable) goes through
 * `term_escape` before it is written.
 */
#ifndef UNPIN_OS_TERM_H
#define UNPIN_OS_TERM_H

#include "base/buf.h"

enum {
    TERM_WIDTH_DEFAULT = 80,
    TERM_WIDTH_MIN = 40,
    TERM_WIDTH_MAX = 400,
    TERM_POLL_MS = 100, /* how often a question looks for signals */
    TERM_ANSWER_MAX = 64,
    TERM_QUOTE_MAX = 200
};

struct term {
    int fd;
    bool terminal; /* a person may be looking */
    bool color;    /* ANSI colours are wanted: a terminal, TERM is not "dumb", NO_COLOR is unset or empty */
    int32_t width; /* columns; TERM_WIDTH_DEFAULT where there is no terminal */
};

/* The terminal behind `fd` (1 or 2). Reads NO_COLOR and TERM. */
struct term term_open(int fd);

/* Writes all of `text`; false if it could not be written (closed pipe, full disk). */
bool term_write(const struct term *term, struct str text);

/* Replaces the terminal's current line by `text`, cut to its width; the empty text clears it. Nothing without a
 * terminal. */
void term_line(const struct term *term, struct str text);

/* True if standard input is a terminal, so that a question can be answered. */
bool term_can_ask(void);
/* Prints `question` and reads a line from standard input: true for "y" or "yes", of either case. A signal that is held
 * back (os/signals) and comes meanwhile ends the waiting: false. */
bool term_ask(const struct term *term, struct str question);

/* Appends `text` with everything that could steer a terminal or deceive a reader as \xNN, byte by byte: C0 and C1
 * control characters, DEL, bidirectional overrides, line and paragraph separators, and bytes that are no UTF-8. Pure.
 */
void term_escape(struct buf *buf, struct str text);
/* The same as a text of its own for use within a sentence, cut to TERM_QUOTE_MAX bytes with `…` at the end. Pure. */
struct str term_quote(struct arena *arena, struct str text);
/* Number of columns that `text` takes, counting every UTF-8 character as one. */
int32_t term_columns(struct str text);

#endif
