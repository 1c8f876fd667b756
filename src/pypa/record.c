#include "pypa/record.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/term.h"

#include <stdlib.h>

enum {
    ROW_BYTES = 24, /* what a row mostly takes besides its path and its digest */
    ROOM = 256,     /* for what does not */
};

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int32_t base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    return c == '_' ? 63 : -1;
}

/* The bytes of URL-safe base64 text, `len` of them exactly; padding is allowed, bits left over must be zero. */
static bool digest_parse(struct arena *arena, struct str text, ptrdiff_t len, struct str *ret) {
    while (text.len && text.data[text.len - 1] == '=') text.len--;
    if (text.len != (len * 8 + 5) / 6) return false;
    char *bytes = arena_alloc(arena, len);
    uint32_t bits = 0, held = 0;
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        int32_t value = base64_value(text.data[i]);
        if (value < 0) return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes[at++] = (char)(bits >> held & 0xff);
    }
    if (bits & ((1u << held) - 1)) return false;
    *ret = (struct str){bytes, len};
    return true;
}

static const struct {
    struct str name;
    ptrdiff_t size;
    enum record_hash hash;
} algorithms[] = {
    {S_INIT("sha256"), 32, RECORD_SHA256},
    {S_INIT("sha384"), 48, RECORD_SHA384},
    {S_INIT("sha512"), 64, RECORD_SHA512},
};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

/* NULL or what is wrong with the hash field. */
static const char *hash_parse(struct arena *arena, struct str text, struct record_row *row) {
    if (text.len == 0) return NULL;
    if (str_find_char(text, '=') < 0) return "has a hash without an algorithm";
    struct str name = str_cut(&text, '=');
    row->hash = RECORD_WEAK;
    for (int i = 0; i < ALGORITHMS; i++) {
        if (!str_eq(name, algorithms[i].name)) continue;
        row->hash = algorithms[i].hash;
        if (!digest_parse(arena, text, algorithms[i].size, &row->digest)) return "has a hash that is no digest";
    }
    return NULL;
}

/* One field of a line; `*more` tells whether a comma followed. NULL or what is wrong. */
static const char *field_parse(struct arena *arena, struct str *line, struct str *ret, bool *more) {
    if (line->len == 0 || line->data[0] != '"') {
        *more = str_find_char(*line, ',') >= 0;
        *ret = str_cut(line, ',');
        return str_find_char(*ret, '"') >= 0 ? "has a quote within a field" : NULL;
    }
    struct buf buf = {.arena = arena};
    ptrdiff_t i = 1;
    for (; i < line->len; i++) {
        bool quote = line->data[i] == '"';
        if (quote && (i + 1 == line->len || line->data[i + 1] != '"')) break;
        buf_add_char(&buf, line->data[i]);
        i += quote;
    }
    if (i >= line->len) return "has a quote that does not end";
    *line = str_from(*line, i + 1);
    *more = line->len > 0;
    if (*more && line->data[0] != ',') return "has text behind a quote";
    *line = str_from(*line, 1);
    *ret = buf_str(&buf);
    return NULL;
}

static const char *row_parse(struct arena *arena, struct str line, struct record_row *row) {
    struct str fields[3] = {{0}};
    bool more = true;
    int count = 0;
    for (; more && count < 3; count++) {
        const char *problem = field_parse(arena, &line, &fields[count], &more);
        if (problem) return problem;
    }
    if (more) return "has more than three fields";
    row->path = fields[0];
    row->size = -1;
    if (row->path.len == 0) return "has no path";
    if (row->path.len > RECORD_PATH_MAX) return "has a path that is too long";
    if (str_find_char(row->path, '\0') >= 0) return "has a path with a NUL byte";
    if (fields[2].len && !str_to_int(fields[2], &row->size)) return "has a size that is no number";
    return hash_parse(arena, fields[1], row);
}

/* No more rows than these are in the text. */
static ptrdiff_t rows_most(struct str text) {
    ptrdiff_t rows = 0;
    struct str rest = text, line;
    while (rows < RECORD_ROWS_MAX && str_line(&rest, &line)) rows += line.len > 0;
    return rows;
}

struct err *record_parse(struct arena *arena, struct str text, const struct record_row **ret, int32_t *ret_len) {
    if (text.len > RECORD_MAX_SIZE) return err_make(arena, ERR_LIMIT, "RECORD has more than %d bytes", RECORD_MAX_SIZE);
    VEC(struct record_row) rows = {0};
    struct str rest = text, line;
    int32_t number = 0;
    /* Room at once: growing leaves the smaller ones behind in the arena. */
    rows.cap = rows_most(text);
    if (rows.cap) rows.data = arena_new(arena, struct record_row, rows.cap);
    while (str_line(&rest, &line)) {
        number++;
        if (line.len == 0) continue;
        if (rows.len == RECORD_ROWS_MAX)
            return err_make(arena, ERR_LIMIT, "RECORD has more than %d rows", RECORD_ROWS_MAX);
        const char *problem = row_parse(arena, line, vec_push(arena, &rows));
        if (!problem) continue;
        struct str shown = term_quote(arena, line);
        return err_at(err_make(arena, ERR_MALFORMED, "a row %s: \"%.*s\"", problem, FMT(shown)), S("RECORD"), number,
                      0);
    }
    *ret = rows.data;
    *ret_len = (int32_t)rows.len;
    return NULL;
}

static void digest_add(struct buf *buf, struct str digest) {
    uint32_t bits = 0, held = 0;
    ptrdiff_t len = 0;
    char *to = buf_reserve(buf, (digest.len * 4 + 2) / 3);
    for (ptrdiff_t i = 0; i < digest.len; i++) {
        bits = (bits << 8 | (unsigned char)digest.data[i]) & 0xffff;
        for (held += 8; held >= 6; held -= 6) to[len++] = base64_digits[bits >> (held - 6) & 63];
    }
    if (held) to[len++] = base64_digits[bits << (6 - held) & 63];
    buf->len += len;
}

static void path_add(struct buf *buf, struct str path) {
    bool quote = str_find_char(path, ',') >= 0 || str_find_char(path, '"') >= 0;
    if (!quote) {
        buf_add(buf, path);
        return;
    }
    buf_add_char(buf, '"');
    for (ptrdiff_t i = 0; i < path.len; i++) {
        if (path.data[i] == '"') buf_add_char(buf, '"');
        buf_add_char(buf, path.data[i]);
    }
    buf_add_char(buf, '"');
}

struct str record_format(struct arena *arena, const struct record_row *rows, int32_t len) {
    struct buf buf = {.arena = arena};
    /* Room at once: growing leaves the smaller ones behind in the arena. */
    buf.cap = ROOM;
    for (int32_t i = 0; i < len; i++) buf.cap += rows[i].path.len + ROW_BYTES + (rows[i].digest.len * 4 + 2) / 3;
    buf.data = arena_alloc(arena, buf.cap);
    for (int32_t i = 0; i < len; i++) {
        path_add(&buf, rows[i].path);
        buf_add_char(&buf, ',');
        for (int k = 0; k < ALGORITHMS; k++) {
            if (algorithms[k].hash != rows[i].hash) continue;
            buf_add(&buf, algorithms[k].name);
            buf_add_char(&buf, '=');
            digest_add(&buf, rows[i].digest);
        }
        buf_add_char(&buf, ',');
        if (rows[i].size >= 0) buf_addf(&buf, "%lld", (long long)rows[i].size);
        buf_add_char(&buf, '\n');
    }
    return buf_str(&buf);
}

static bool is_identifier(struct str s) {
    if (s.len == 0 || char_is_digit(s.data[0])) return false;
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (!char_is_alnum(s.data[i]) && s.data[i] != '_' && (unsigned char)s.data[i] < 0x80) return false;
    return true;
}

/* The top-level name that this path lets Python import, or the empty text. */
static struct str top_of(struct str path) {
    bool module = str_ends(path, S(".py")) || str_ends(path, S(".so"));
    if (!module || path.data[0] == '/') return (struct str){0};
    bool directory = str_find_char(path, '/') >= 0;
    struct str first = str_cut(&path, '/');
    if (!directory) first = str_cut(&first, '.');
    if (str_eq(first, S("__pycache__")) || !is_identifier(first)) return (struct str){0};
    return first;
}

static int text_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

void record_top_level(struct arena *arena, const struct record_row *rows, int32_t len, const struct str **ret,
                      int32_t *ret_len) {
    VEC(struct str) names = {0};
    for (int32_t i = 0; i < len; i++) {
        struct str name = top_of(rows[i].path);
        if (name.len == 0 || (names.len && str_eq(names.data[names.len - 1], name))) continue;
        *vec_push(arena, &names) = name;
    }
    if (names.len) qsort(names.data, (size_t)names.len, sizeof *names.data, text_order);
    int32_t kept = 0;
    for (ptrdiff_t i = 0; i < names.len; i++)
        if (kept == 0 || !str_eq(names.data[kept - 1], names.data[i])) names.data[kept++] = names.data[i];
    *ret = names.data;
    *ret_len = kept;
}
