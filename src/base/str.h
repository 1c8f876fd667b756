/*
 * str - text as a view: pointer and length, by value, not NUL-terminated.
 *
 * Bytes, not characters; nothing here depends on the locale. A view does not own its bytes: they belong to an arena,
 * a literal or a mapped file. {NULL, 0} is the empty text. All functions are pure.
 */
#ifndef UNPIN_BASE_STR_H
#define UNPIN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct str {
    const char *data;
    ptrdiff_t len;
};

/* A literal as str; only for string literals. */
#define S(literal) ((struct str){"" literal, (ptrdiff_t)sizeof(literal) - 1})
/* The same for static initializers. */
#define S_INIT(literal)                                                                                                \
    { "" literal, (ptrdiff_t)sizeof(literal) - 1 }
/* For printf's "%.*s". */
#define FMT(s) (int)((s).len > INT32_MAX ? INT32_MAX : (s).len), ((s).data ? (s).data : "")

/* A view of a NUL-terminated text; NULL gives the empty one. */
struct str str_of(const char *text);

/* Inline, like others below that parsers and tables call for every word. */
static inline bool str_eq(struct str a, struct str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}
/* Order of the bytes as unsigned numbers, a prefix before what it begins: < 0, 0, > 0. */
int str_cmp(struct str a, struct str b);
/* As str_eq, ASCII letters of either case alike. */
bool str_eq_nocase(struct str a, struct str b);
static inline bool str_starts(struct str s, struct str prefix) {
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, (size_t)prefix.len) == 0);
}
static inline bool str_ends(struct str s, struct str suffix) {
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.data + s.len - suffix.len, suffix.data, (size_t)suffix.len) == 0);
}

/* Bytes from `from` (inclusive) to `to` (exclusive); both are clamped into the text. */
static inline struct str str_slice(struct str s, ptrdiff_t from, ptrdiff_t to) {
    if (to > s.len) to = s.len;
    if (from < 0) from = 0;
    if (from >= to) return (struct str){0};
    return (struct str){s.data + from, to - from};
}
/* From `from` to the end. */
static inline struct str str_from(struct str s, ptrdiff_t from) {
    return str_slice(s, from, s.len);
}
/* Without spaces, tabs, CR, LF, FF, VT at either end. */
struct str str_trim(struct str s);
/* Position of the first (last) `c`, or -1. */
ptrdiff_t str_find_char(struct str s, char c);
ptrdiff_t str_find_last(struct str s, char c);
/* Position of the first `needle`, or -1; the empty needle is at 0. */
ptrdiff_t str_find(struct str s, struct str needle);

/* Cuts `*rest` at the first `c`: gives what is before it and leaves what is after it in `*rest`. Without a `c` gives
 * all and leaves {NULL, 0}. */
struct str str_cut(struct str *rest, char c);
/* The next line without its LF or CRLF; false at the end. `*rest` is advanced. */
bool str_line(struct str *rest, struct str *ret);

/* ASCII only, whatever the locale. Inline, as parsers ask them for every byte. */
static inline bool char_is_digit(char c) {
    return c >= '0' && c <= '9';
}
static inline bool char_is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool char_is_alnum(char c) {
    return char_is_digit(c) || char_is_alpha(c);
}
static inline bool char_is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static inline char char_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
/* The value of a hexadecimal digit of either case, -1 for other characters. */
static inline int char_hex(char c) {
    if (char_is_digit(c)) return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A decimal number of digits only, 0 to INT64_MAX; false for anything else, the empty text included. */
bool str_to_int(struct str s, int64_t *ret);
/* True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);
/* True if `s` has only hexadecimal digits in lower case, as our own names and digests do; the empty one too. */
bool str_is_hex(struct str s);
/* 64 bits, eight bytes at a time: for tables and against accidents, not against an adversary. The same only on machines
 * of one byte order. */
uint64_t str_hash(struct str s);

/* True if one of the `len` texts is `s`. */
bool str_among(const struct str *texts, int32_t len, struct str s);

/* A copy in `arena`. `str_copy_z` adds a NUL behind (not counted). */
struct str str_copy(struct arena *arena, struct str s);
char *str_copy_z(struct arena *arena, struct str s);
/* As printf, into `arena`. */
struct str str_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* With ASCII letters in lower case. */
struct str str_lower(struct arena *arena, struct str s);

#endif
