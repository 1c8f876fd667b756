/*
 * scanner - a place in a text that is read from left to right: what the parsers of requirements and markers share.
 * Pure.
 */
#ifndef UNPIN_PYPA_SCANNER_H
#define UNPIN_PYPA_SCANNER_H

#include "base/err.h"

struct scanner {
    struct arena *arena; /* where results and errs live */
    struct str text;
    ptrdiff_t at; /* next byte, 0 to text.len */
};

/* True at the end of the text. Inline, like the next ones, as they are called for every byte. */
static inline bool scanner_ended(const struct scanner *scanner) {
    return scanner->at >= scanner->text.len;
}
/* The next byte, NUL at the end. */
static inline char scanner_peek(const struct scanner *scanner) {
    return scanner->at < scanner->text.len ? scanner->text.data[scanner->at] : '\0';
}
/* Skips spaces and tabs; true if there was one. */
static inline bool scanner_blank(struct scanner *scanner) {
    ptrdiff_t start = scanner->at;
    while (scanner_peek(scanner) == ' ' || scanner_peek(scanner) == '\t') scanner->at++;
    return scanner->at > start;
}
/* Skips `c` if it is next. */
static inline bool scanner_skip(struct scanner *scanner, char c) {
    if (scanner_ended(scanner) || scanner->text.data[scanner->at] != c) return false;
    scanner->at++;
    return true;
}
/* Skips `text` if it is next. */
bool scanner_skip_text(struct scanner *scanner, struct str text);
/* Skips `word` if it is next and no letter, digit or `_` stands at either side of it. */
bool scanner_skip_word(struct scanner *scanner, struct str word);
/* What is next of letters, digits, `_` and `.`, without skipping it. */
struct str scanner_word(const struct scanner *scanner);
/* The name of a project or extra that is next: letters, digits, `.`, `-`, `_`, ending with a letter or digit. Empty if
 * there is none. */
struct str scanner_name(struct scanner *scanner);
/* ERR_MALFORMED "expected X in "text"" with the column. */
struct err *scanner_err(const struct scanner *scanner, const char *expected);

#endif
