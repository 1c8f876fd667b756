#include "pypa/requirement_file.h"

#include "base/arena.h"
#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A line being put together: text and origin of each byte, in step. */
struct joined {
    struct buf text;
    VEC(struct requirement_span) source;
};

/* X(short form or 0, long form, takes a value) */
#define OPTIONS(X)                                                                                                     \
    X('i', "--index-url", true)                                                                                        \
    X(0, "--pypi-url", true)                                                                                           \
    X(0, "--extra-index-url", true)                                                                                    \
    X(0, "--no-index", false)                                                                                          \
    X('f', "--find-links", true)                                                                                       \
    X('r', "--requirement", true)                                                                                      \
    X('c', "--constraint", true)                                                                                       \
    X('e', "--editable", true)                                                                                         \
    X(0, "--no-binary", true)                                                                                          \
    X(0, "--only-binary", true)                                                                                        \
    X(0, "--prefer-binary", false)                                                                                     \
    X(0, "--require-hashes", false)                                                                                    \
    X(0, "--pre", false)                                                                                               \
    X(0, "--all-releases", true)                                                                                       \
    X(0, "--only-final", true)                                                                                         \
    X(0, "--trusted-host", true)                                                                                       \
    X(0, "--use-feature", true)                                                                                        \
    X(0, "--global-option", true)                                                                                      \
    X(0, "--config-settings", true)                                                                                    \
    X('C', "--config-setting", true)                                                                                   \
    X(0, "--hash", true)

static const struct option_form {
    char letter;
    bool has_value;
    struct str name;
} option_forms[] = {
#define X(letter, name, has_value) {letter, has_value, S_INIT(name)},
    OPTIONS(X)
#undef X
};

enum { OPTION_FORMS = sizeof option_forms / sizeof *option_forms };

static void joined_add(struct arena *arena, struct joined *joined, char c, ptrdiff_t from, ptrdiff_t to) {
    buf_add_char(&joined->text, c);
    *vec_push(arena, &joined->source) = (struct requirement_span){from, to};
}

/* Those of Python's str.splitlines, which pip uses. */
ptrdiff_t requirement_file_boundary(struct str text, ptrdiff_t at) {
    unsigned char c = (unsigned char)text.data[at];
    if (c == '\r') return at + 1 < text.len && text.data[at + 1] == '\n' ? 2 : 1;
    if (c == '\n' || c == '\v' || c == '\f' || (c >= 0x1c && c <= 0x1e)) return 1;
    if (c == 0xC2 && at + 1 < text.len && (unsigned char)text.data[at + 1] == 0x85) return 2;
    if (c != 0xE2 || at + 2 >= text.len || (unsigned char)text.data[at + 1] != 0x80) return 0;
    unsigned char last = (unsigned char)text.data[at + 2];
    return last == 0xA8 || last == 0xA9 ? 3 : 0;
}

/* True if the line is nothing but a comment. */
static bool is_comment(struct str line) {
    struct str trimmed = str_trim(line);
    return trimmed.len > 0 && trimmed.data[0] == '#';
}

/* Where the comment of a line begins, its leading blanks included; line.len: there is none. */
static ptrdiff_t comment_start(struct str line) {
    for (ptrdiff_t i = 0; i < line.len; i++) {
        if (line.data[i] != '#' || (i > 0 && !char_is_space(line.data[i - 1]))) continue;
        while (i > 0 && char_is_space(line.data[i - 1])) i--;
        return i;
    }
    return line.len;
}

/* Length of a `${NAME}` at `at`, 0 if there is none. */
static ptrdiff_t variable_len(struct str text, ptrdiff_t at) {
    if (!str_starts(str_from(text, at), S("${"))) return 0;
    ptrdiff_t end = at + 2;
    while (end < text.len &&
           ((text.data[end] >= 'A' && text.data[end] <= 'Z') || char_is_digit(text.data[end]) || text.data[end] == '_'))
        end++;
    return end > at + 2 && end < text.len && text.data[end] == '}' ? end + 1 - at : 0;
}

/* Bytes `from` to `to` of `in` with variables expanded. */
static void expand(struct arena *arena, const struct joined *in, ptrdiff_t from, ptrdiff_t to, struct joined *out) {
    struct str text = str_slice(buf_str(&in->text), 0, to);
    assert(from >= to || (text.data && in->source.data));
    for (ptrdiff_t i = from; i < to; i++) {
        ptrdiff_t len = variable_len(text, i);
        const char *value = len ? getenv(str_copy_z(arena, str_slice(text, i + 2, i + len - 1))) : NULL;
        struct str bytes = str_of(value);
        if (bytes.len == 0 || bytes.len > REQUIREMENT_FILE_EXPANSION_MAX || out->text.len > REQUIREMENT_LINE_MAX) {
            joined_add(arena, out, text.data[i], in->source.data[i].from, in->source.data[i].to);
            continue;
        }
        ptrdiff_t source_from = in->source.data[i].from, source_to = in->source.data[i + len - 1].to;
        for (ptrdiff_t k = 0; k < bytes.len; k++) joined_add(arena, out, bytes.data[k], source_from, source_to);
        i += len - 1;
    }
}

/* Where the options of a line begin: at the first blank-separated word with a dash. */
static ptrdiff_t options_start(struct str text) {
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (text.data[i] == '-' && (i == 0 || text.data[i - 1] == ' ')) return i;
    return text.len;
}

/* The next word as a POSIX shell would cut it (quotes, backslashes); false at the end. */
static bool shell_word(struct arena *arena, struct str *rest, struct str *ret) {
    while (rest->len && char_is_space(rest->data[0])) *rest = str_from(*rest, 1);
    if (rest->len == 0) return false;
    struct buf word = {.arena = arena};
    char quote = 0;
    ptrdiff_t i = 0;
    for (; i < rest->len; i++) {
        char c = rest->data[i];
        if (quote == 0 && char_is_space(c)) break;
        if (c == quote && quote) {
            quote = 0;
        } else if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else {
            if (c == '\\' && quote != '\'' && i + 1 < rest->len) c = rest->data[++i];
            buf_add_char(&word, c);
        }
    }
    *rest = str_from(*rest, i);
    *ret = buf_str(&word);
    return true;
}

/* Cuts `word` into option and attached value; `*has_value` tells whether one is attached. NULL: pip has no such option.
 */
static const struct option_form *option_find(struct str word, struct str *value, bool *has_value) {
    bool is_long = str_starts(word, S("--"));
    ptrdiff_t equals = is_long ? str_find_char(word, '=') : -1;
    struct str name = equals >= 0 ? str_slice(word, 0, equals) : word;
    for (int32_t i = 0; i < OPTION_FORMS; i++) {
        const struct option_form *form = &option_forms[i];
        bool same = is_long ? str_eq(form->name, name) : word.len > 1 && form->letter && word.data[1] == form->letter;
        if (!same) continue;
        *has_value = is_long ? equals >= 0 : word.len > 2;
        *value = is_long ? str_from(word, equals + 1) : str_from(word, 2);
        return form;
    }
    return NULL;
}

static void parse_options(struct arena *arena, struct str text, struct requirement_line *line) {
    VEC(struct requirement_option) options = {0};
    struct str word;
    while (options.len < REQUIREMENT_LINE_OPTIONS_MAX && shell_word(arena, &text, &word)) {
        struct requirement_option *option = vec_push(arena, &options);
        bool attached = false;
        const struct option_form *form = str_starts(word, S("-")) ? option_find(word, &option->value, &attached) : NULL;
        option->known = form != NULL;
        option->name = form ? form->name : word;
        if (!form) continue;
        if (!form->has_value) option->value = (struct str){0};
        if (form->has_value && !attached && !shell_word(arena, &text, &option->value)) option->known = false;
    }
    line->options = options.data;
    line->options_len = (int32_t)options.len;
}

/* A logical line of the joined bytes, unless nothing but a comment is left of it. */
static bool line_make(struct arena *arena, const struct joined *joined, int32_t number, struct requirement_line *ret) {
    struct str text = str_slice(buf_str(&joined->text), 0, comment_start(buf_str(&joined->text)));
    struct str trimmed = str_trim(text);
    if (trimmed.len == 0) return false;
    ptrdiff_t from = trimmed.data - text.data;
    struct joined out = {.text = {.arena = arena}};
    expand(arena, joined, from, from + trimmed.len, &out);
    *ret = (struct requirement_line){.line = number, .text = buf_str(&out.text), .source = out.source.data};
    ret->options_from = options_start(ret->text);
    ret->requirement = str_trim(str_slice(ret->text, 0, ret->options_from));
    parse_options(arena, str_from(ret->text, ret->options_from), ret);
    return true;
}

/* Adds a physical line to the joined ones; with `continued` without the backslashes at either end, as pip does. */
static void join(struct arena *arena, struct joined *joined, struct str text, ptrdiff_t from, ptrdiff_t to,
                 bool continued) {
    while (continued && from < to && text.data[to - 1] == '\\') to--;
    while (continued && from < to && text.data[from] == '\\') from++;
    for (ptrdiff_t i = from; i < to; i++) joined_add(arena, joined, text.data[i], i, i + 1);
}

static struct err *check_text(struct arena *arena, struct str text) {
    if (text.len > REQUIREMENT_FILE_MAX)
        return err_make(arena, ERR_LIMIT, "the file is larger than %d bytes", REQUIREMENT_FILE_MAX);
    /* Before each of them takes memory. */
    int32_t ends = 0;
    for (ptrdiff_t i = 0; i < text.len; i++) ends += text.data[i] == '\n';
    if (ends > REQUIREMENT_FILE_LINES_MAX) return err_make(arena, ERR_LIMIT, "the file has too many or too long lines");
    if (str_find_char(text, '\0') >= 0 || str_starts(text, S("\xFF\xFE")) || str_starts(text, S("\xFE\xFF")))
        return err_make(arena, ERR_MALFORMED, "the file is not text in UTF-8: it has NUL bytes or a UTF-16 mark");
    return str_is_utf8(text) ? NULL : err_make(arena, ERR_MALFORMED, "the file is not text in UTF-8");
}

struct err *requirement_file_parse(struct arena *arena, struct str text, struct requirement_file *ret) {
    TRY(check_text(arena, text));
    VEC(struct requirement_line) lines = {0};
    struct joined joined = {.text = {.arena = arena}};
    int32_t number = 0, first = 0;
    ptrdiff_t at = str_starts(text, REQUIREMENT_FILE_MARK) ? REQUIREMENT_FILE_MARK.len : 0;
    while (at < text.len || first) {
        bool last = at >= text.len; /* only an open continuation is left */
        ptrdiff_t end = at, gap = 0;
        while (end < text.len && (gap = requirement_file_boundary(text, end)) == 0) end++;
        struct str line = str_slice(text, at, end);
        bool comment = is_comment(line), continued = !last && !comment && str_ends(line, S("\\"));
        if (!last) number++;
        if (first == 0) {
            first = number;
            joined = (struct joined){.text = {.arena = arena}};
        }
        if (joined.text.len + line.len > REQUIREMENT_LINE_MAX || number > REQUIREMENT_FILE_LINES_MAX)
            return err_at(err_make(arena, ERR_LIMIT, "the file has too many or too long lines"), S(""), number, 0);
        if (comment)
            joined_add(arena, &joined, ' ', at, at); /* so that its `#` is one of a comment after the joining */
        join(arena, &joined, text, at, end, continued);
        at = end + gap;
        if (continued) continue;
        struct requirement_line made;
        if (line_make(arena, &joined, first, &made)) *vec_push(arena, &lines) = made;
        first = 0;
    }
    *ret = (struct requirement_file){lines.data, (int32_t)lines.len};
    return NULL;
}

bool requirement_line_span(const struct requirement_line *line, ptrdiff_t from, ptrdiff_t to,
                           struct requirement_span *ret) {
    if (from < 0 || from >= to || to > line->text.len) return false;
    struct requirement_span span = {line->source[from].from, line->source[to - 1].to};
    if (from > 0 && line->source[from - 1].to > span.from) return false;
    if (to < line->text.len && line->source[to].from < span.to) return false;
    *ret = span;
    return true;
}

struct str requirement_line_option(const struct requirement_line *line, struct str name) {
    for (int32_t i = 0; i < line->options_len; i++)
        if (str_eq(line->options[i].name, name)) return line->options[i].value;
    return (struct str){0};
}

bool requirement_file_is_remote(struct str path) {
    ptrdiff_t colon = str_find(path, S("://"));
    if (colon <= 0) return false;
    for (ptrdiff_t i = 0; i < colon; i++)
        if (!char_is_alnum(path.data[i]) && path.data[i] != '+' && path.data[i] != '-' && path.data[i] != '.')
            return false;
    return !str_eq_nocase(str_slice(path, 0, colon), S("file"));
}

struct str percent_decode(struct arena *arena, struct str text) {
    if (str_find_char(text, '%') < 0) return text;
    struct buf out = {.arena = arena};
    for (ptrdiff_t i = 0; i < text.len; i++) {
        int high = i + 2 < text.len && text.data[i] == '%' ? char_hex(text.data[i + 1]) : -1;
        int low = high >= 0 ? char_hex(text.data[i + 2]) : -1;
        buf_add_char(&out, low >= 0 ? (char)(high * 16 + low) : text.data[i]);
        if (low >= 0) i += 2;
    }
    return buf_str(&out);
}

struct str file_url_path(struct arena *arena, struct str url) {
    if (!str_eq_nocase(str_slice(url, 0, 5), S("file:"))) return url;
    struct str path = str_from(url, 5);
    if (str_starts(path, S("//"))) {
        ptrdiff_t slash = str_find_char(str_from(path, 2), '/');
        path = slash < 0 ? str_from(path, 2) : str_from(path, 2 + slash);
    }
    ptrdiff_t fragment = str_find_char(path, '#');
    return percent_decode(arena, fragment < 0 ? path : str_slice(path, 0, fragment));
}

struct str requirement_file_relative(struct arena *arena, struct str path, struct str name) {
    if (requirement_file_is_remote(name)) return name;
    if (str_eq_nocase(str_slice(name, 0, 5), S("file:"))) return file_url_path(arena, name);
    ptrdiff_t slash = str_find_last(path, '/');
    if (str_starts(name, S("/")) || slash < 0) return name;
    return str_format(arena, "%.*s%.*s", FMT(str_slice(path, 0, slash + 1)), FMT(name));
}
