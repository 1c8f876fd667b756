/*
 * report - finds the words: plans and errors as text for people and as JSON (schema 1) for programs.
 *
 * Plain data in, text out; pure. Whatever came from outside is escaped (os/term) and credentials in URLs are masked
 * before it becomes part of a text. Colours are ANSI and only where the look says so.
 */
#ifndef UNPIN_STAGE_REPORT_H
#define UNPIN_STAGE_REPORT_H

#include "base/json.h"
#include "os/term.h"
#include "stage/plan.h"

enum {
    REPORT_SCHEMA = 1,
    REPORT_COLUMNS_MAX = 8,
    REPORT_REQUESTS_SHOWN = 4,
    REPORT_FACTS_ALIKE = 3, /* requirements of one project in a reason, without -v */
    REPORT_CAUSES_MAX = 32,
    REPORT_INDENT = 1
};

/* How a text for people should look. */
struct report_look {
    bool color;
    bool verbose; /* reasons in full, every break, proof, times */
    bool quiet;   /* no notes */
};

/* What a report of a plan says beside the plan. */
struct report_extra {
    struct str command;      /* "plan", "install", … for JSON */
    struct str next;         /* the command that carries the plan out, ready for a shell; empty: none */
    const struct str *notes; /* sentences: how the plan came about */
    int32_t notes_len;
    int64_t scan_us, total_us; /* times spent, microseconds */
    const struct err *err;     /* JSON: what became of carrying it out; NULL: no failure. Sets "status" to "error" */
    bool lock_after;           /* JSON: with the lock files as they are after the plan, for saved plans */
};

/* The plan for people: what it does, why, the lock's difference, the proof. Ends with a line feed. */
struct str report_plan_format(struct arena *arena, const struct plan *plan, const struct report_look *look,
                              const struct report_extra *extra);
/* The plan as the JSON document of schema 1. Ends with a line feed. */
struct str report_plan_json(struct arena *arena, const struct plan *plan, const struct report_extra *extra);

/* The plan's keys into an open document that `report_end_json` ends: for commands that say more. */
void report_plan_write(struct json_writer *writer, const struct plan *plan, const struct report_extra *extra);
/* A list of breaks as the value of `key`. */
void report_breaks_json(struct json_writer *writer, struct str key, const struct plan_break *breaks, int32_t len);
/* "requires numpy<2, found 2.0.2". */
struct str report_break_text(struct arena *arena, const struct plan_break *b);
/* The frame of every document: "schema", "command", "status"; and its end, with the whole text. The writer's indent
 * should be REPORT_INDENT. */
void report_begin_json(struct json_writer *writer, struct str command, struct str status);
struct str report_end_json(struct json_writer *writer);

/* The error for people: what, where, why, and what to do next; with the stable code. Ends with a line feed. */
struct str report_err_format(struct arena *arena, const struct err *err, const struct report_look *look);
/* The error as the value of the key "error". */
void report_err_write(struct json_writer *writer, const struct err *err);
/* The error as a JSON document with "status": "error". Ends with a line feed. */
struct str report_err_json(struct arena *arena, const struct err *err, struct str command);

/* The unified difference, without context, between two texts that differ in few lines; lines are escaped. Empty where
 * they are equal. */
struct str report_diff_format(struct arena *arena, struct str path, struct str before, struct str after,
                              const struct report_look *look);
/* The difference of every lock file that the plan edits, one after the other. */
struct str report_lock_diffs_format(struct arena *arena, const struct plan *plan, const struct report_look *look);
/* The text of lock file `file` after the plan. */
struct str report_lock_text(struct arena *arena, const struct plan *plan, int32_t file);

/*
 * A table for people: `len` rows of `columns` cells each (row after row), escaped, aligned, indented by two blanks;
 * blanks at the end of a line are left out. `paints` is an ANSI parameter per column ("1", "32"), NULL or empty for
 * none.
 */
void report_table(struct buf *buf, const struct report_look *look, const struct str *cells, int32_t len,
                  int32_t columns, const char *const *paints);
/* A line in bold where there are colours, with a line feed. */
void report_title(struct buf *buf, const struct report_look *look, struct str text);
/* `text` in the ANSI parameter `paint` where there are colours, escaped. */
void report_paint(struct buf *buf, const struct report_look *look, const char *paint, struct str text);

/* `text` with user and password of every URL in it replaced by "****". */
struct str report_mask(struct arena *arena, struct str text);
/* A sentence about a requirement without that requirement's marker: "a 1.0 requires b>=2 ; python_version > '3'" says
 * no more to people than "a 1.0 requires b>=2". */
struct str report_plain(struct arena *arena, struct str sentence);
/* The words as one line for a POSIX shell, quoted where needed. */
struct str report_shell(struct arena *arena, const struct str *argv, int32_t len);
/* "1 lock", "2 locks". */
struct str report_count(struct arena *arena, int64_t n, const char *one, const char *many);
/* "4.2 MB" (powers of 1000). */
struct str report_size(struct arena *arena, int64_t bytes);
/* "upgrade", "downgrade", "add", "remove", "replace". */
struct str report_action(enum plan_action action);
/* Number of locks in force: active lines, each project once; with an implied lock, the distributions. */
int32_t report_lock_count(const struct plan *plan);

#endif
