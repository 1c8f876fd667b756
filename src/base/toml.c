#include "base/toml.h"

#include "base/arena.h"
#include "base/buf.h"

#include <stdlib.h>

enum { NUMBER_MAX = 64 };

/* A value while it may still grow. */
struct node {
    enum json_kind kind;
    struct json value; /* what has no parts */
    VEC(struct str) keys;
    VEC(struct node *) items;
    bool closed;  /* an inline table or a static array: nothing may be added from outside */
    bool headed;  /* a [table] of this name was there */
    bool by_keys; /* made by dotted keys: no [table] may define it again */
};

struct parser {
    struct arena *arena;
    struct str text;
    ptrdiff_t at;
    int32_t values, depth;
    struct node root;
};

static struct err *fail(const struct parser *parser, const char *why) {
    int32_t line = 1;
    for (ptrdiff_t i = 0; i < parser->at && i < parser->text.len; i++) line += parser->text.data[i] == '\n';
    return err_at(err_make(parser->arena, ERR_MALFORMED, "%s", why), (struct str){0}, line, 0);
}

static char peek(const struct parser *parser) {
    return parser->at < parser->text.len ? parser->text.data[parser->at] : '\0';
}

static bool looking_at(const struct parser *parser, struct str word) {
    return str_starts(str_from(parser->text, parser->at), word);
}

/* Blanks and tabs. */
static void skip_blanks(struct parser *parser) {
    while (peek(parser) == ' ' || peek(parser) == '\t') parser->at++;
}

/* Blanks, line ends and comments. */
static void skip_lines(struct parser *parser) {
    for (;;) {
        skip_blanks(parser);
        char c = peek(parser);
        if (c == '#') {
            while (parser->at < parser->text.len && peek(parser) != '\n') parser->at++;
        } else if (c == '\n' || looking_at(parser, S("\r\n"))) {
            parser->at += c == '\n' ? 1 : 2;
        } else {
            return;
        }
    }
}

static struct err *end_line(struct parser *parser) {
    skip_blanks(parser);
    if (peek(parser) == '#')
        while (parser->at < parser->text.len && peek(parser) != '\n') parser->at++;
    if (parser->at == parser->text.len) return NULL;
    if (peek(parser) != '\n' && !looking_at(parser, S("\r\n"))) return fail(parser, "the line should end here");
    return NULL;
}

static struct err *add_point(struct parser *parser, struct buf *buf, ptrdiff_t digits) {
    uint32_t point = 0;
    for (ptrdiff_t i = 0; i < digits; i++) {
        int value = char_hex(peek(parser));
        if (value < 0) return fail(parser, "an escape that is no character");
        point = point * 16 + (uint32_t)value;
        parser->at++;
    }
    if (point == 0 || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return fail(parser, "an escape that is no character");
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    int len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    buf_add_char(buf, (char)(lead[len == 1 ? 0 : len] | (unsigned char)(point >> (6 * (len - 1)))));
    for (int i = len - 2; i >= 0; i--) buf_add_char(buf, (char)(0x80 | ((point >> (6 * i)) & 0x3F)));
    return NULL;
}

/* What stands behind a backslash, which has been passed. */
static struct err *parse_escape(struct parser *parser, struct buf *buf, bool multi) {
    static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\033\"\\";
    char c = peek(parser);
    const char *known = c ? strchr(from, c) : NULL;
    if (multi && (c == '\n' || c == ' ' || c == '\t' || c == '\r')) {
        /* A backslash at the end of a line takes all blanks and line ends up to the next word with it. */
        skip_blanks(parser);
        if (peek(parser) != '\n' && peek(parser) != '\r') return fail(parser, "an unknown escape");
        while (parser->at < parser->text.len && char_is_space(peek(parser))) parser->at++;
        return NULL;
    }
    parser->at++;
    if (known) buf_add_char(buf, to[known - from]);
    else if (c == 'x') return add_point(parser, buf, 2);
    else if (c == 'u') return add_point(parser, buf, 4);
    else if (c == 'U') return add_point(parser, buf, 8);
    else return fail(parser, "an unknown escape");
    return NULL;
}

/* A string whose opening quote is next. */
static struct err *parse_string(struct parser *parser, bool may_multi, struct str *ret) {
    char quote = peek(parser);
    struct str three = quote == '"' ? S("\"\"\"") : S("'''");
    bool multi = may_multi && looking_at(parser, three);
    struct buf buf = {.arena = parser->arena};
    parser->at += multi ? 3 : 1;
    if (multi && looking_at(parser, S("\r\n"))) parser->at += 2;
    else if (multi && peek(parser) == '\n') parser->at++;
    while (parser->at < parser->text.len) {
        char c = peek(parser);
        if (multi && looking_at(parser, three)) {
            parser->at += 3;
            /* Up to two quotes may stand before the closing ones. */
            for (int more = 0; more < 2 && peek(parser) == quote; more++, parser->at++) buf_add_char(&buf, quote);
            *ret = buf_str(&buf);
            return NULL;
        }
        parser->at++;
        if (!multi && c == quote) {
            *ret = buf_str(&buf);
            return NULL;
        }
        if (c == '\\' && quote == '"') {
            TRY(parse_escape(parser, &buf, multi));
            continue;
        }
        bool line_end = c == '\n' || c == '\r';
        if ((line_end && !multi) || ((unsigned char)c < ' ' && !line_end && c != '\t') || c == 0x7F) {
            parser->at--;
            return fail(parser, "a character that may not stand in a string");
        }
        buf_add_char(&buf, c);
    }
    return fail(parser, "a string without an end");
}

static bool is_bare(char c) {
    return char_is_alnum(c) || c == '_' || c == '-';
}

static struct err *parse_key(struct parser *parser, struct str *ret) {
    if (peek(parser) == '"' || peek(parser) == '\'') return parse_string(parser, false, ret);
    ptrdiff_t from = parser->at;
    while (is_bare(peek(parser))) parser->at++;
    if (parser->at == from) return fail(parser, "a key is missing");
    *ret = str_slice(parser->text, from, parser->at);
    return NULL;
}

static struct node *find(const struct node *table, struct str key) {
    for (ptrdiff_t i = 0; i < table->keys.len; i++)
        if (str_eq(table->keys.data[i], key)) return table->items.data[i];
    return NULL;
}

static struct err *add(struct parser *parser, struct node *parent, struct str key, enum json_kind kind,
                       struct node **ret) {
    if (parser->values++ == TOML_VALUES_MAX)
        return err_make(parser->arena, ERR_LIMIT, "more than %d values", TOML_VALUES_MAX);
    struct node *node = arena_new(parser->arena, struct node, 1);
    node->kind = kind;
    if (parent->kind == JSON_OBJECT) *vec_push(parser->arena, &parent->keys) = key;
    *vec_push(parser->arena, &parent->items) = node;
    *ret = node;
    return NULL;
}

/* The table that a further key leads into: of an array of tables the last. */
static struct err *descend(struct parser *parser, struct node *table, struct str key, bool by_keys, struct node **ret) {
    struct node *node = find(table, key);
    if (!node) {
        TRY(add(parser, table, key, JSON_OBJECT, &node));
        node->by_keys = by_keys;
    } else if (node->kind == JSON_ARRAY && !node->closed && !by_keys) {
        node = node->items.data[node->items.len - 1];
    }
    if (node->kind != JSON_OBJECT || node->closed || (by_keys && node->headed))
        return fail(parser, "a key that has a value already");
    *ret = node;
    return NULL;
}

/* A dotted key up to its last part: the table that this belongs to. */
static struct err *parse_path(struct parser *parser, bool by_keys, struct node **table, struct str *last) {
    for (int depth = 0; depth < TOML_DEPTH_MAX; depth++) {
        skip_blanks(parser);
        TRY(parse_key(parser, last));
        skip_blanks(parser);
        if (peek(parser) != '.') return NULL;
        parser->at++;
        TRY(descend(parser, *table, *last, by_keys, table));
    }
    return err_make(parser->arena, ERR_LIMIT, "tables nested more than %d deep", TOML_DEPTH_MAX);
}

static struct err *parse_value(struct parser *parser, struct node *ret);

/* `key = value` into `table`. */
static struct err *parse_pair(struct parser *parser, struct node *table) {
    struct str key;
    struct node *node;
    TRY(parse_path(parser, true, &table, &key));
    if (find(table, key)) return fail(parser, "a key that has a value already");
    if (peek(parser) != '=') return fail(parser, "a key without `=`");
    parser->at++;
    skip_blanks(parser);
    TRY(add(parser, table, key, JSON_NULL, &node));
    return parse_value(parser, node);
}

static struct err *parse_array(struct parser *parser, struct node *ret) {
    ret->kind = JSON_ARRAY;
    ret->closed = true;
    parser->at++;
    for (skip_lines(parser); peek(parser) != ']'; skip_lines(parser)) {
        struct node *item;
        TRY(add(parser, ret, (struct str){0}, JSON_NULL, &item));
        TRY(parse_value(parser, item));
        skip_lines(parser);
        if (peek(parser) == ',') parser->at++;
        else if (peek(parser) != ']') return fail(parser, "an array without an end");
    }
    parser->at++;
    return NULL;
}

static void close_table(struct node *table) {
    table->closed = true;
    for (ptrdiff_t i = 0; i < table->items.len; i++)
        if (!table->items.data[i]->closed && table->items.data[i]->kind == JSON_OBJECT)
            close_table(table->items.data[i]);
}

static struct err *parse_inline(struct parser *parser, struct node *ret) {
    ret->kind = JSON_OBJECT;
    parser->at++;
    skip_blanks(parser);
    while (peek(parser) != '}') {
        TRY(parse_pair(parser, ret));
        skip_blanks(parser);
        if (peek(parser) == '}') break;
        if (peek(parser) != ',') return fail(parser, "an inline table without an end");
        parser->at++;
        skip_blanks(parser);
        if (peek(parser) == '}') return fail(parser, "an inline table ends with a comma");
    }
    parser->at++;
    close_table(ret);
    return NULL;
}

/* A number without its underscores; false if it is none. */
static bool parse_number(struct str word, double *ret) {
    char digits[NUMBER_MAX + 1];
    int len = 0;
    for (ptrdiff_t i = 0; i < word.len; i++)
        if (word.data[i] != '_' && len < NUMBER_MAX) digits[len++] = word.data[i];
    digits[len] = '\0';
    int sign = digits[0] == '-' || digits[0] == '+';
    if (word.len > NUMBER_MAX || !char_is_digit(digits[sign])) return false;
    char *end;
    bool octal = strncmp(digits, "0o", 2) == 0, binary = strncmp(digits, "0b", 2) == 0;
    if (octal || binary) *ret = (double)strtoull(digits + 2, &end, octal ? 8 : 2);
    else if (strncmp(digits, "0x", 2) == 0) *ret = (double)strtoull(digits + 2, &end, 16);
    else *ret = strtod(digits, &end);
    return *end == '\0';
}

/* A date or time begins with digits and `-` or `:`. */
static bool is_date(struct str word) {
    ptrdiff_t digits = 0;
    while (digits < word.len && char_is_digit(word.data[digits])) digits++;
    char mark = digits < word.len ? word.data[digits] : '\0';
    return (digits == 4 && mark == '-') || (digits == 2 && mark == ':');
}

static struct err *parse_word(struct parser *parser, struct node *ret) {
    ptrdiff_t from = parser->at;
    while (is_bare(peek(parser)) || peek(parser) == '+' || peek(parser) == '.' || peek(parser) == ':') parser->at++;
    struct str word = str_slice(parser->text, from, parser->at);
    if (str_eq(word, S("true")) || str_eq(word, S("false"))) {
        ret->kind = JSON_BOOL;
        ret->value.truth = word.len == 4;
        return NULL;
    }
    if (is_date(word)) {
        ret->kind = JSON_STRING;
        ret->value.text = word;
        return NULL;
    }
    ret->kind = JSON_NUMBER;
    if (parse_number(word, &ret->value.number)) return NULL;
    parser->at = from;
    return fail(parser, "no value");
}

static struct err *parse_value(struct parser *parser, struct node *ret) {
    if (parser->depth == TOML_DEPTH_MAX)
        return err_make(parser->arena, ERR_LIMIT, "values nested more than %d deep", TOML_DEPTH_MAX);
    parser->depth++;
    struct err *err;
    char c = peek(parser);
    if (c == '"' || c == '\'') {
        ret->kind = JSON_STRING;
        err = parse_string(parser, true, &ret->value.text);
    } else if (c == '[') {
        err = parse_array(parser, ret);
    } else if (c == '{') {
        err = parse_inline(parser, ret);
    } else {
        err = parse_word(parser, ret);
    }
    parser->depth--;
    return err;
}

/* `[table]` or `[[table]]`: the table that the next lines belong to. */
static struct err *parse_header(struct parser *parser, struct node **ret) {
    bool array = looking_at(parser, S("[["));
    struct node *table = &parser->root, *node;
    struct str key;
    parser->at += array ? 2 : 1;
    TRY(parse_path(parser, false, &table, &key));
    if (!looking_at(parser, array ? S("]]") : S("]"))) return fail(parser, "a table's name without its bracket");
    parser->at += array ? 2 : 1;
    node = find(table, key);
    if (array) {
        if (!node) TRY(add(parser, table, key, JSON_ARRAY, &node));
        if (node->kind != JSON_ARRAY || node->closed) return fail(parser, "a key that has a value already");
        TRY(add(parser, node, key, JSON_OBJECT, &node));
    } else if (!node) {
        TRY(add(parser, table, key, JSON_OBJECT, &node));
    } else if (node->kind != JSON_OBJECT || node->closed || node->headed || node->by_keys) {
        return fail(parser, "a table that is there already");
    }
    node->headed = true;
    *ret = node;
    return end_line(parser);
}

static struct json freeze(struct arena *arena, const struct node *node) {
    struct json json = node->value;
    json.kind = node->kind;
    if (node->kind == JSON_STRING) json.text = (struct str){str_copy_z(arena, node->value.text), node->value.text.len};
    if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY) return json;
    struct json *items = arena_new(arena, struct json, node->items.len);
    for (ptrdiff_t i = 0; i < node->items.len; i++) items[i] = freeze(arena, node->items.data[i]);
    json.keys = node->keys.data;
    json.items = items;
    json.len = (int32_t)node->items.len;
    return json;
}

struct err *toml_parse(struct arena *arena, struct str text, int64_t limit, struct json *ret) {
    if (text.len > limit) return err_make(arena, ERR_LIMIT, "larger than %lld bytes", (long long)limit);
    if (str_starts(text, S("\xEF\xBB\xBF"))) text = str_from(text, 3);
    struct parser parser = {.arena = arena, .text = text, .root = {.kind = JSON_OBJECT}};
    struct node *table = &parser.root;
    if (!str_is_utf8(text) || str_find_char(text, '\0') >= 0) return fail(&parser, "it is not UTF-8 text");
    for (skip_lines(&parser); parser.at < text.len; skip_lines(&parser)) {
        if (peek(&parser) == '[') {
            TRY(parse_header(&parser, &table));
            continue;
        }
        TRY(parse_pair(&parser, table));
        TRY(end_line(&parser));
    }
    *ret = freeze(arena, &parser.root);
    return NULL;
}
