/*
 * json - JSON (RFC 8259) read into the arena, and written. Pure.
 *
 * Reading is cJSON's with what it leaves open closed: the text must be UTF-8 without NUL (neither as a byte nor as
 * \u0000), no object may have a key twice, nesting is at most JSON_DEPTH_MAX, there are at most
 * JSON_VALUES_MAX values, nothing but blanks follows the value, and numbers are finite. The tree lives in the arena;
 * nothing has to be freed.
 *
 * Writing goes to a buf. The writer puts the commas; the caller calls begin, key, value, end in the order of the
 * document.
 */
#ifndef UNPIN_BASE_JSON_H
#define UNPIN_BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"

enum {
    JSON_DEPTH_MAX = 64,
    JSON_VALUES_MAX = 8 << 20, /* a text of commas would take a hundred times its size */
};

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    bool truth;               /* JSON_BOOL */
    double number;            /* JSON_NUMBER */
    struct str text;          /* JSON_STRING: UTF-8, without NUL inside; a NUL follows it */
    const struct str *keys;   /* JSON_OBJECT: len of them, in the order of the document */
    const struct json *items; /* JSON_ARRAY, JSON_OBJECT: len values */
    int32_t len;
};

/* Parses one document of at most `limit` bytes. ERR_MALFORMED with line and column, ERR_LIMIT. */
ERR_MUST_CHECK struct err *json_parse(struct arena *arena, struct str text, int64_t limit, struct json *ret);

/*
 * For a document that is mostly one long array: its elements can be parsed one by one, so that never more than one of
 * them takes the memory that a tree needs. json_parse_outline parses the document as json_parse does, but for the array
 * at `key` of the outermost object, which is empty in the tree; what stands between its brackets is *elements (data
 * NULL where no array is found there: then the tree is whole). json_parse_element takes the first of `*elements`, which
 * are a part of `text`, off them; *ret_any: there was one. Who took all of them has checked the whole document.
 */
ERR_MUST_CHECK struct err *json_parse_outline(struct arena *arena, struct str text, int64_t limit, struct str key,
                                              struct json *ret, struct str *elements);
ERR_MUST_CHECK struct err *json_parse_element(struct arena *arena, struct str text, struct str *elements,
                                              struct json *ret, bool *ret_any);

/* The value of `key`, NULL if `object` is NULL, no object, or has no such key. */
const struct json *json_find(const struct json *object, struct str key);
/* The text of a string at `key`; {NULL, 0} if there is none. */
struct str json_find_text(const struct json *object, struct str key);
/* The number at `key` if it is a whole one of at most 2^53 in magnitude; else `otherwise`. */
int64_t json_find_int(const struct json *object, struct str key, int64_t otherwise);
/* The truth at `key`; `otherwise` if there is no JSON_BOOL. */
bool json_find_bool(const struct json *object, struct str key, bool otherwise);
/* The array (object) at `key`; an empty one if there is none, so that it can be walked at once. */
const struct json *json_find_array(const struct json *object, struct str key);
const struct json *json_find_object(const struct json *object, struct str key);
/* The number of `json` as a whole one; false if it is none or larger than 2^53. */
bool json_to_int(const struct json *json, int64_t *ret);

struct json_writer {
    struct buf *buf; /* set by the caller: where the text goes */
    int32_t indent;  /* set by the caller: blanks per level, 0: all on one line */
    int32_t depth;   /* open objects and arrays; at most JSON_DEPTH_MAX, asserted */
    uint64_t filled; /* bit i: level i has an element already */
    bool after_key;
};

void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
/* The key of the next value. */
void json_key(struct json_writer *writer, struct str key);
/* Values. Bytes of a text that are no UTF-8 become U+FFFD; control characters, and those that change the direction of
 * writing, are escaped: what is written may be looked at on a terminal. */
void json_string(struct json_writer *writer, struct str text);
void json_int(struct json_writer *writer, int64_t n);
void json_number(struct json_writer *writer, double n); /* not finite: null */
void json_bool(struct json_writer *writer, bool truth);
void json_null(struct json_writer *writer);
/* A whole tree. */
void json_value(struct json_writer *writer, const struct json *json);
/* Key and value at once. */
void json_key_string(struct json_writer *writer, struct str key, struct str text);
void json_key_int(struct json_writer *writer, struct str key, int64_t n);
void json_key_bool(struct json_writer *writer, struct str key, bool truth);
void json_key_strings(struct json_writer *writer, struct str key, const struct str *texts, int32_t len);

#endif
