#include "base/str.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct str str_of(const char *text) {
    if (!text) return (struct str){0};
    return (struct str){text, (ptrdiff_t)strlen(text)};
}

int str_cmp(struct str a, struct str b) {
    ptrdiff_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.data, b.data, (size_t)n) : 0;
    if (order) return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_eq_nocase(struct str a, struct str b) {
    if (a.len != b.len) return false;
    for (ptrdiff_t i = 0; i < a.len; i++)
        if (char_lower(a.data[i]) != char_lower(b.data[i])) return false;
    return true;
}

struct str str_trim(struct str s) {
    while (s.len && char_is_space(s.data[0])) s = (struct str){s.data + 1, s.len - 1};
    while (s.len && char_is_space(s.data[s.len - 1])) s.len--;
    return s;
}

ptrdiff_t str_find_char(struct str s, char c) {
    const char *at = s.len ? memchr(s.data, c, (size_t)s.len) : NULL;
    return at ? at - s.data : -1;
}

ptrdiff_t str_find_last(struct str s, char c) {
    for (ptrdiff_t i = s.len - 1; i >= 0; i--)
        if (s.data[i] == c) return i;
    return -1;
}

ptrdiff_t str_find(struct str s, struct str needle) {
    if (needle.len <= 0) return 0;
    for (ptrdiff_t i = 0; i + needle.len <= s.len; i++) {
        ptrdiff_t at = str_find_char(str_from(s, i), needle.data[0]);
        if (at < 0) return -1;
        i += at;
        if (str_starts(str_from(s, i), needle)) return i;
    }
    return -1;
}

struct str str_cut(struct str *rest, char c) {
    ptrdiff_t at = str_find_char(*rest, c);
    struct str head = at < 0 ? *rest : str_slice(*rest, 0, at);
    *rest = at < 0 ? (struct str){0} : (struct str){rest->data + at + 1, rest->len - at - 1};
    return head;
}

/* By hand: it is asked for every line of every file. */
bool str_line(struct str *rest, struct str *ret) {
    if (rest->len == 0) return false;
    const char *line = rest->data, *end = memchr(line, '\n', (size_t)rest->len);
    ptrdiff_t len = end ? end - line : rest->len;
    *rest = end ? (struct str){end + 1, rest->len - len - 1} : (struct str){0};
    if (len && line[len - 1] == '\r') len--;
    *ret = len ? (struct str){line, len} : (struct str){0};
    return true;
}

bool str_to_int(struct str s, int64_t *ret) {
    int64_t n = 0;
    if (s.len == 0) return false;
    for (ptrdiff_t i = 0; i < s.len; i++) {
        if (!char_is_digit(s.data[i])) return false;
        int64_t digit = s.data[i] - '0';
        if (n > (INT64_MAX - digit) / 10) return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

/* Length of the well-formed sequence at the start of `s`, 0 if there is none. */
static ptrdiff_t utf8_sequence(struct str s) {
    const unsigned char *p = (const unsigned char *)s.data;
    unsigned char low = 0x80, high = 0xBF;
    ptrdiff_t n;
    if (p[0] < 0x80) return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        n = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        n = 3;
        if (p[0] == 0xE0) low = 0xA0;
        if (p[0] == 0xED) high = 0x9F;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        n = 4;
        if (p[0] == 0xF0) low = 0x90;
        if (p[0] == 0xF4) high = 0x8F;
    } else {
        return 0;
    }
    if (s.len < n || p[1] < low || p[1] > high) return 0;
    for (ptrdiff_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xBF) return 0;
    return n;
}

bool str_is_hex(struct str s) {
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (!char_is_digit(s.data[i]) && (s.data[i] < 'a' || s.data[i] > 'f')) return false;
    return true;
}

bool str_is_utf8(struct str s) {
    while (s.len) {
        ptrdiff_t n = utf8_sequence(s);
        if (n == 0) return false;
        s = str_from(s, n);
    }
    return true;
}

static uint64_t hash_mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

uint64_t str_hash(struct str s) {
    uint64_t hash = (uint64_t)s.len;
    ptrdiff_t at = 0;
    uint64_t word;
    for (; s.len - at >= 8; at += 8) {
        memcpy(&word, s.data + at, 8);
        hash = hash_mix(hash, word);
    }
    word = 0;
    for (ptrdiff_t i = at; i < s.len; i++) word = word << 8 | (unsigned char)s.data[i];
    return hash_mix(hash, word);
}

bool str_among(const struct str *texts, int32_t len, struct str s) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(texts[i], s)) return true;
    return false;
}

char *str_copy_z(struct arena *arena, struct str s) {
    char *data = arena_alloc(arena, s.len + 1);
    if (s.len) memcpy(data, s.data, (size_t)s.len);
    return data;
}

struct str str_copy(struct arena *arena, struct str s) {
    return (struct str){str_copy_z(arena, s), s.len};
}

struct str str_format(struct arena *arena, const char *format, ...) {
    enum { LIKELY = 256 }; /* most fit, and need not be formatted twice */
    char few[LIKELY];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(few, sizeof few, format, args);
    va_end(args);
    if (len < 0) return (struct str){0};
    char *data = arena_alloc(arena, (ptrdiff_t)len + 1);
    if ((size_t)len < sizeof few) {
        memcpy(data, few, (size_t)len + 1);
        return (struct str){data, len};
    }
    va_start(args, format);
    (void)vsnprintf(data, (size_t)len + 1, format, args);
    va_end(args);
    return (struct str){data, len};
}

struct str str_lower(struct arena *arena, struct str s) {
    char *data = str_copy_z(arena, s);
    for (ptrdiff_t i = 0; i < s.len; i++) data[i] = char_lower(data[i]);
    return (struct str){data, s.len};
}
