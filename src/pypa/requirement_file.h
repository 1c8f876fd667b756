/*
 * requirement_file - the line syntax of pip's requirement and constraint files ("Requirements File Format" of pip's
 * manual): continuations, comments, ${VARIABLES}, options. Knows nothing of what the lines mean.
 *
 * Text is cut exactly as pip cuts it, in pip's order: physical lines, joined at a trailing backslash (a comment line
 * ends a joining), comments (`#` at the start or after a blank) dropped, blanks trimmed, variables expanded. Every byte
 * of a logical line remembers where in the file it came from, so that an editor can change the file without touching
 * the rest. Pure but for `getenv`, which gives the values of ${VARIABLES}, as in pip.
 */
#ifndef UNPIN_PYPA_REQUIREMENT_FILE_H
#define UNPIN_PYPA_REQUIREMENT_FILE_H

#include "base/err.h"

enum {
    REQUIREMENT_FILE_MAX = 16 << 20,          /* bytes of a file */
    REQUIREMENT_FILE_LINES_MAX = 100000,      /* logical lines */
    REQUIREMENT_FILE_EXPANSION_MAX = 1 << 16, /* bytes of one variable's value; a longer one stays unexpanded */
    REQUIREMENT_LINE_MAX = 1 << 18,           /* bytes of one logical line */
    REQUIREMENT_LINE_OPTIONS_MAX = 1000,
};

/* One option of a line: `--hash=sha256:…`, `-r other.txt`, `--pre`. */
struct requirement_option {
    struct str
        name; /* the long form with its dashes: "--requirement" for -r; as written where pip knows no such option */
    struct str value; /* empty for flags */
    bool known;       /* pip takes this option in a file */
};

/* A byte range of the file. */
struct requirement_span {
    ptrdiff_t from, to; /* to: exclusive */
};

/* One logical line that is not empty. */
struct requirement_line {
    int32_t line;           /* its first physical line, from 1 */
    struct str text;        /* joined, without comment, trimmed, variables expanded */
    struct str requirement; /* the part of `text` before the first option, trimmed; empty: an option line */
    ptrdiff_t options_from; /* where in `text` the options begin; text.len: there are none */
    const struct requirement_option *options;
    int32_t options_len;
    const struct requirement_span *source; /* text.len of them: the bytes of the file each byte of `text` came from */
};

struct requirement_file {
    const struct requirement_line *lines;
    int32_t len;
};

/* ERR_MALFORMED (a NUL byte, not UTF-8) with line and column, ERR_LIMIT. */
ERR_MUST_CHECK struct err *requirement_file_parse(struct arena *arena, struct str text, struct requirement_file *ret);

/* The range of the file that holds exactly the bytes `from` to `to` of the line's text; false where there is none,
 * because a variable's value lies across one of its ends. */
bool requirement_line_span(const struct requirement_line *line, ptrdiff_t from, ptrdiff_t to,
                           struct requirement_span *ret);

/* What UTF-8 texts of some editors begin with; it belongs to no line. */
#define REQUIREMENT_FILE_MARK S("\xEF\xBB\xBF")

/* Length of the line boundary at `at` (`\n`, `\r\n`, and the others that pip knows), 0 if there is none. */
ptrdiff_t requirement_file_boundary(struct str text, ptrdiff_t at);

/* The value of the line's first option of that (long) name, {NULL, 0} for none. */
struct str requirement_line_option(const struct requirement_line *line, struct str name);

/* Where a file named by `name` in the file at `path` is: relative to the folder of `path`, as pip does it. `file:` URLs
 * become paths; other URLs stay. */
struct str requirement_file_relative(struct arena *arena, struct str path, struct str name);
/* True for `scheme://…` with a scheme other than file. */
bool requirement_file_is_remote(struct str path);
/* The path of a `file:` URL, percent escapes decoded; other texts unchanged. */
struct str file_url_path(struct arena *arena, struct str url);
/* The text with `%XX` decoded; malformed escapes stay. */
struct str percent_decode(struct arena *arena, struct str text);

#endif
