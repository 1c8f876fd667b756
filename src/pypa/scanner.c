#include "pypa/scanner.h"

/* How much of a text an err quotes. */
enum { QUOTE_MAX = 200 };

bool scanner_skip_text(struct scanner *scanner, struct str text) {
    if (!str_eq(str_slice(scanner->text, scanner->at, scanner->at + text.len), text)) return false;
    scanner->at += text.len;
    return true;
}

static bool is_word_at(const struct scanner *scanner, ptrdiff_t at) {
    if (at < 0 || at >= scanner->text.len) return false;
    return char_is_alnum(scanner->text.data[at]) || scanner->text.data[at] == '_';
}

bool scanner_skip_word(struct scanner *scanner, struct str word) {
    if (is_word_at(scanner, scanner->at - 1) || is_word_at(scanner, scanner->at + word.len)) return false;
    return scanner_skip_text(scanner, word);
}

struct str scanner_word(const struct scanner *scanner) {
    ptrdiff_t end = scanner->at;
    while (is_word_at(scanner, end) || (end < scanner->text.len && scanner->text.data[end] == '.')) end++;
    return str_slice(scanner->text, scanner->at, end);
}

struct str scanner_name(struct scanner *scanner) {
    ptrdiff_t start = scanner->at, end = start;
    for (ptrdiff_t i = start; i < scanner->text.len; i++) {
        char c = scanner->text.data[i];
        if (char_is_alnum(c)) end = i + 1;
        else if (i == start || (c != '.' && c != '-' && c != '_')) break;
    }
    scanner->at = end;
    return str_slice(scanner->text, start, end);
}

struct err *scanner_err(const struct scanner *scanner, const char *expected) {
    struct err *err = err_make(scanner->arena, ERR_MALFORMED, "expected %s in \"%.*s\"", expected,
                               FMT(str_slice(scanner->text, 0, QUOTE_MAX)));
    return err_at(err, (struct str){0}, 0, (int32_t)(scanner->at < INT32_MAX ? scanner->at + 1 : 0));
}
