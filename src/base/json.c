#include "base/json.h"

#include "base/arena.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { LINEAR_KEYS_MAX = 8 }; /* keys of an object that are compared one by one */

static const double whole_max = 9007199254740992.0; /* 2^53 */

/* The err for byte `at` of `text`. */
static struct err *malformed(struct arena *arena, struct str text, ptrdiff_t at, const char *why) {
    struct str before = str_slice(text, 0, at);
    int32_t line = 1;
    for (ptrdiff_t i = 0; i < before.len; i++) line += before.data[i] == '\n' && line < INT32_MAX;
    ptrdiff_t column = before.len - str_find_last(before, '\n');
    return err_at(err_make(arena, ERR_MALFORMED, "invalid JSON: %s", why), (struct str){0}, line,
                  column < INT32_MAX ? (int32_t)column : INT32_MAX);
}

/* Position behind the string whose opening quote is at `at`; -1 for a NUL in it. An end that lacks is left to the
 * parser. */
static ptrdiff_t skip_string(struct str text, ptrdiff_t at, bool *ascii) {
    for (at++; at < text.len; at++) {
        char c = text.data[at];
        if (c == '"') return at + 1;
        if (c == '\0') return -1;
        if ((unsigned char)c >= 0x80) *ascii = false;
        if (c != '\\') continue;
        if (str_starts(str_from(text, at + 1), S("u0000"))) return -1;
        at++;
    }
    return at;
}

/* An array that is looked for: the one at `key` of the outermost object. */
struct sought {
    struct str key;
    bool named;           /* the last string of the outermost object is the key */
    ptrdiff_t begin, end; /* what stands between its brackets; 0: not found */
};

/* Notes the bracket or comma at `at`, which ends or begins something in a value `depth` levels deep. */
static void look(struct sought *sought, char c, ptrdiff_t at, int32_t depth) {
    if (depth > 1) return;
    if (c == '[' && sought->named && !sought->begin) sought->begin = at + 1;
    if (c == ']' && sought->begin && !sought->end) sought->end = at;
    sought->named = false;
}

/* What cJSON does not check, before it is called: depth, number of values, NUL, UTF-8. */
static struct err *check_text(struct arena *arena, struct str text, struct sought *sought) {
    int32_t depth = 0, values = 1;
    bool ascii = true;
    for (ptrdiff_t at = 0; at < text.len;) {
        char c = text.data[at];
        if (c == '"') {
            ptrdiff_t next = skip_string(text, at, &ascii);
            if (next < 0) return malformed(arena, text, at, "a string contains NUL");
            if (depth == 1) sought->named = str_eq(str_slice(text, at + 1, next - 1), sought->key);
            at = next;
            continue;
        }
        if (c == '\0' || (unsigned char)c >= 0x80) return malformed(arena, text, at, "unexpected byte");
        if (c == ']' || c == '}') depth--;
        bool more = c == ',' || c == '[' || c == '{';
        if (more || c == ']') look(sought, c, at, depth);
        if (c == '[' || c == '{') depth++;
        values += more;
        if (values > JSON_VALUES_MAX) return err_make(arena, ERR_LIMIT, "JSON of more than %d values", JSON_VALUES_MAX);
        if (depth > JSON_DEPTH_MAX)
            return err_make(arena, ERR_LIMIT, "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
        at++;
    }
    if (!ascii && !str_is_utf8(text)) return malformed(arena, text, 0, "the text is not UTF-8");
    return NULL;
}

static int key_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

/* Many keys are sorted, not hashed: whoever wrote them may have chosen them to have one hash. */
static bool has_duplicate(struct arena *arena, const struct str *keys, int32_t len, struct str *ret) {
    if (len > LINEAR_KEYS_MAX) {
        struct str *sorted = arena_new(arena, struct str, len);
        memcpy(sorted, keys, (size_t)len * sizeof *keys);
        qsort(sorted, (size_t)len, sizeof *sorted, key_order);
        for (int32_t i = 1; i < len; i++) {
            *ret = sorted[i];
            if (str_eq(sorted[i - 1], sorted[i])) return true;
        }
        return false;
    }
    for (int32_t i = 0; i < len; i++) {
        *ret = keys[i];
        for (int32_t j = 0; j < i; j++)
            if (str_eq(keys[i], keys[j])) return true;
    }
    return false;
}

static struct err *copy_tree(struct arena *arena, const cJSON *from, struct json *ret);

static struct err *copy_items(struct arena *arena, const cJSON *from, struct json *ret) {
    bool object = ret->kind == JSON_OBJECT;
    int32_t len = 0;
    for (const cJSON *child = from->child; child; child = child->next) len++;
    struct json *items = arena_new(arena, struct json, len);
    struct str *keys = object ? arena_new(arena, struct str, len) : NULL;
    int32_t n = 0;
    for (const cJSON *child = from->child; child; child = child->next, n++) {
        if (object) keys[n] = str_copy(arena, str_of(child->string));
        TRY(copy_tree(arena, child, &items[n]));
    }
    struct str twice;
    if (object && has_duplicate(arena, keys, len, &twice))
        return err_make(arena, ERR_MALFORMED, "invalid JSON: the key \"%.*s\" is there twice", FMT(twice));
    ret->keys = keys;
    ret->items = items;
    ret->len = len;
    return NULL;
}

/* Recursion is bounded by JSON_DEPTH_MAX, which check_text has made sure of. */
static struct err *copy_tree(struct arena *arena, const cJSON *from, struct json *ret) {
    *ret = (struct json){.kind = JSON_NULL};
    if (cJSON_IsBool(from)) {
        ret->kind = JSON_BOOL;
        ret->truth = cJSON_IsTrue(from);
    } else if (cJSON_IsNumber(from)) {
        ret->kind = JSON_NUMBER;
        ret->number = from->valuedouble;
        if (!isfinite(ret->number)) return err_make(arena, ERR_MALFORMED, "invalid JSON: a number is too large");
    } else if (cJSON_IsString(from)) {
        ret->kind = JSON_STRING;
        ret->text = str_copy(arena, str_of(from->valuestring));
    } else if (cJSON_IsArray(from) || cJSON_IsObject(from)) {
        ret->kind = cJSON_IsArray(from) ? JSON_ARRAY : JSON_OBJECT;
        return copy_items(arena, from, ret);
    }
    return NULL;
}

/* Parses the value that `text` begins with, *end bytes of it. `whole` and `text`, its part, are for the message. */
static struct err *parse_value(struct arena *arena, struct str whole, struct str text, struct json *ret,
                               ptrdiff_t *ret_end) {
    const char *end = NULL;
    ptrdiff_t from = text.data - whole.data;
    cJSON *tree = cJSON_ParseWithLengthOpts(text.data, (size_t)text.len, &end, 0);
    ptrdiff_t at = end ? end - text.data : 0;
    if (!tree) return malformed(arena, whole, from + (at < text.len ? at : text.len), "unexpected text");
    struct json copy;
    struct err *err = copy_tree(arena, tree, &copy);
    cJSON_Delete(tree);
    if (err) return err;
    *ret = copy;
    *ret_end = at;
    return NULL;
}

static struct err *check(struct arena *arena, int64_t limit, struct str *text, struct sought *sought) {
    if (text->len > limit) return err_make(arena, ERR_LIMIT, "JSON of more than %lld bytes", (long long)limit);
    if (str_starts(*text, S("\xEF\xBB\xBF"))) *text = str_from(*text, 3);
    if (str_trim(*text).len == 0) return err_make(arena, ERR_MALFORMED, "invalid JSON: the text is empty");
    return check_text(arena, *text, sought);
}

struct err *json_parse(struct arena *arena, struct str text, int64_t limit, struct json *ret) {
    struct json value;
    ptrdiff_t end = 0;
    struct sought none = {0};
    TRY(check(arena, limit, &text, &none));
    TRY(parse_value(arena, text, text, &value, &end));
    if (str_trim(str_from(text, end)).len) return malformed(arena, text, end, "text behind the value");
    *ret = value;
    return NULL;
}

/* Position of the first byte from `at` on that is no blank, as cJSON sees it. */
static ptrdiff_t skip_blanks(struct str text, ptrdiff_t at) {
    while (at < text.len && (unsigned char)text.data[at] <= ' ') at++;
    return at;
}

struct err *json_parse_outline(struct arena *arena, struct str text, int64_t limit, struct str key, struct json *ret,
                               struct str *elements) {
    struct sought sought = {.key = key};
    TRY(check(arena, limit, &text, &sought));
    if (sought.end) {
        struct buf outline = {.arena = arena};
        buf_add(&outline, str_slice(text, 0, sought.begin));
        buf_add(&outline, str_from(text, sought.end));
        if (!json_parse(arena, buf_str(&outline), limit, ret)) {
            *elements = (struct str){text.data + sought.begin, sought.end - sought.begin};
            return NULL;
        }
    }
    /* There is none, or something is wrong, and the message shall say where. */
    TRY(json_parse(arena, text, limit, ret));
    *elements = (struct str){0};
    return NULL;
}

struct err *json_parse_element(struct arena *arena, struct str text, struct str *elements, struct json *ret,
                               bool *ret_any) {
    *elements = str_from(*elements, skip_blanks(*elements, 0));
    if (!elements->len) {
        *ret_any = false;
        return NULL;
    }
    ptrdiff_t end = 0;
    struct json value;
    TRY(parse_value(arena, text, *elements, &value, &end));
    end = skip_blanks(*elements, end);
    if (end < elements->len && elements->data[end] != ',')
        return malformed(arena, text, elements->data - text.data + end, "unexpected text");
    if (end < elements->len && skip_blanks(*elements, end + 1) == elements->len)
        return malformed(arena, text, elements->data - text.data + end, "a comma before the end of a list");
    *elements = str_from(*elements, end < elements->len ? end + 1 : end);
    *ret = value;
    *ret_any = true;
    return NULL;
}

const struct json *json_find(const struct json *object, struct str key) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (int32_t i = 0; i < object->len; i++)
        if (str_eq(object->keys[i], key)) return &object->items[i];
    return NULL;
}

struct str json_find_text(const struct json *object, struct str key) {
    const struct json *value = json_find(object, key);
    return value && value->kind == JSON_STRING ? value->text : (struct str){0};
}

bool json_to_int(const struct json *json, int64_t *ret) {
    if (!json || json->kind != JSON_NUMBER) return false;
    if (json->number < -whole_max || json->number > whole_max || json->number != floor(json->number)) return false;
    *ret = (int64_t)json->number;
    return true;
}

int64_t json_find_int(const struct json *object, struct str key, int64_t otherwise) {
    int64_t n = otherwise;
    (void)json_to_int(json_find(object, key), &n);
    return n;
}

bool json_find_bool(const struct json *object, struct str key, bool otherwise) {
    const struct json *value = json_find(object, key);
    return value && value->kind == JSON_BOOL ? value->truth : otherwise;
}

const struct json *json_find_array(const struct json *object, struct str key) {
    static const struct json empty = {.kind = JSON_ARRAY};
    const struct json *value = json_find(object, key);
    return value && value->kind == JSON_ARRAY ? value : &empty;
}

const struct json *json_find_object(const struct json *object, struct str key) {
    static const struct json empty = {.kind = JSON_OBJECT};
    const struct json *value = json_find(object, key);
    return value && value->kind == JSON_OBJECT ? value : &empty;
}

static void new_line(struct json_writer *writer) {
    if (!writer->indent) return;
    buf_add_char(writer->buf, '\n');
    for (int32_t i = 0; i < writer->depth * writer->indent; i++) buf_add_char(writer->buf, ' ');
}

/* The comma and the line break that go before a key or an element. */
static void separate(struct json_writer *writer) {
    if (writer->after_key) {
        writer->after_key = false;
        return;
    }
    if (!writer->depth) return;
    uint64_t bit = UINT64_C(1) << (writer->depth - 1);
    if (writer->filled & bit) buf_add(writer->buf, writer->indent ? S(",") : S(", "));
    writer->filled |= bit;
    new_line(writer);
}

static void begin(struct json_writer *writer, char bracket) {
    separate(writer);
    buf_add_char(writer->buf, bracket);
    assert(writer->depth < JSON_DEPTH_MAX);
    writer->filled &= ~(UINT64_C(1) << writer->depth);
    writer->depth++;
}

static void end(struct json_writer *writer, char bracket) {
    assert(writer->depth > 0 && !writer->after_key);
    writer->depth--;
    if (writer->filled & (UINT64_C(1) << writer->depth)) new_line(writer);
    buf_add_char(writer->buf, bracket);
}

void json_begin_object(struct json_writer *writer) {
    begin(writer, '{');
}

void json_end_object(struct json_writer *writer) {
    end(writer, '}');
}

void json_begin_array(struct json_writer *writer) {
    begin(writer, '[');
}

void json_end_array(struct json_writer *writer) {
    end(writer, ']');
}

/* Length of the UTF-8 sequence at the start of `s`, 0 if there is none. */
static ptrdiff_t sequence_len(struct str s) {
    for (ptrdiff_t n = 1; n <= 4 && n <= s.len; n++)
        if (str_is_utf8(str_slice(s, 0, n))) return n;
    return 0;
}

static void add_control(struct buf *buf, char c) {
    switch (c) {
    case '\n': buf_add(buf, S("\\n")); break;
    case '\t': buf_add(buf, S("\\t")); break;
    case '\r': buf_add(buf, S("\\r")); break;
    default: buf_addf(buf, "\\u%04x", (unsigned)(unsigned char)c); break;
    }
}

/* True for a character of two or three bytes that a terminal would obey: U+0080 to U+009F, and those that change the
 * direction of writing or the line. */
static bool steers(struct str character) {
    const unsigned char *p = (const unsigned char *)character.data;
    if (character.len == 2) return (p[0] == 0xC2 && p[1] < 0xA0) || (p[0] == 0xD8 && p[1] == 0x9C);
    if (character.len != 3 || p[0] != 0xE2) return false;
    return (p[1] == 0x80 && (p[2] == 0x8E || p[2] == 0x8F || (p[2] >= 0xA8 && p[2] <= 0xAE))) ||
           (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9);
}

static unsigned code_point(struct str character) {
    const unsigned char *p = (const unsigned char *)character.data;
    if (character.len == 2) return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
}

static void add_escaped(struct buf *buf, struct str text) {
    buf_add_char(buf, '"');
    while (text.len) {
        char c = text.data[0];
        ptrdiff_t step = 1;
        if (c == '"' || c == '\\') {
            buf_add_char(buf, '\\');
            buf_add_char(buf, c);
        } else if ((unsigned char)c < 0x20 || c == 0x7F) {
            add_control(buf, c);
        } else if ((unsigned char)c < 0x80) {
            buf_add_char(buf, c);
        } else if ((step = sequence_len(text)) > 0) {
            struct str character = str_slice(text, 0, step);
            if (steers(character)) buf_addf(buf, "\\u%04x", code_point(character));
            else buf_add(buf, character);
        } else {
            buf_add(buf, S("\xEF\xBF\xBD"));
            step = 1;
        }
        text = str_from(text, step);
    }
    buf_add_char(buf, '"');
}

void json_key(struct json_writer *writer, struct str key) {
    assert(!writer->after_key);
    separate(writer);
    add_escaped(writer->buf, key);
    buf_add(writer->buf, S(": "));
    writer->after_key = true;
}

void json_string(struct json_writer *writer, struct str text) {
    separate(writer);
    add_escaped(writer->buf, text);
}

void json_int(struct json_writer *writer, int64_t n) {
    separate(writer);
    buf_addf(writer->buf, "%lld", (long long)n);
}

void json_number(struct json_writer *writer, double n) {
    separate(writer);
    if (isfinite(n)) buf_addf(writer->buf, "%.17g", n);
    else buf_add(writer->buf, S("null"));
}

void json_bool(struct json_writer *writer, bool truth) {
    separate(writer);
    buf_add(writer->buf, truth ? S("true") : S("false"));
}

void json_null(struct json_writer *writer) {
    separate(writer);
    buf_add(writer->buf, S("null"));
}

void json_value(struct json_writer *writer, const struct json *json) {
    int64_t whole;
    switch (json->kind) {
    case JSON_NULL: json_null(writer); return;
    case JSON_BOOL: json_bool(writer, json->truth); return;
    case JSON_STRING: json_string(writer, json->text); return;
    case JSON_NUMBER:
        if (json_to_int(json, &whole)) json_int(writer, whole);
        else json_number(writer, json->number);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    begin(writer, json->kind == JSON_ARRAY ? '[' : '{');
    for (int32_t i = 0; i < json->len; i++) {
        if (json->kind == JSON_OBJECT) json_key(writer, json->keys[i]);
        json_value(writer, &json->items[i]);
    }
    end(writer, json->kind == JSON_ARRAY ? ']' : '}');
}

void json_key_string(struct json_writer *writer, struct str key, struct str text) {
    json_key(writer, key);
    json_string(writer, text);
}

void json_key_int(struct json_writer *writer, struct str key, int64_t n) {
    json_key(writer, key);
    json_int(writer, n);
}

void json_key_bool(struct json_writer *writer, struct str key, bool truth) {
    json_key(writer, key);
    json_bool(writer, truth);
}

void json_key_strings(struct json_writer *writer, struct str key, const struct str *texts, int32_t len) {
    json_key(writer, key);
    json_begin_array(writer);
    for (int32_t i = 0; i < len; i++) json_string(writer, texts[i]);
    json_end_array(writer);
}
