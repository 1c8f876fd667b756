#include "pypa/requirement.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/name.h"
#include "pypa/scanner.h"

#include <stdlib.h>
#include <string.h>

/* Specifiers while they are collected: nearly every requirement has few, and those do not move. */
enum { SPECIFIERS_FEW = 8 };

struct specifier_list {
    struct specifier few[SPECIFIERS_FEW];
    struct specifier *items;
    int32_t len, cap;
};

static void list_push(struct arena *arena, struct specifier_list *list, const struct specifier *specifier) {
    if (list->len == list->cap) {
        ptrdiff_t size = (ptrdiff_t)sizeof *list->items * list->cap;
        list->items = arena_grow(arena, list->items, size, size * 2);
        list->cap *= 2;
    }
    list->items[list->len++] = *specifier;
}

static int extra_cmp(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* "[extra, extra]". */
static struct err *extras_scan(struct scanner *scanner, struct requirement *ret) {
    VEC(struct str) extras = {0};
    if (!scanner_skip(scanner, '[')) return NULL;
    scanner_blank(scanner);
    while (extras.len || scanner_peek(scanner) != ']') {
        struct str extra = scanner_name(scanner);
        if (extra.len == 0) return scanner_err(scanner, "the name of an extra");
        if (extra.len > NAME_MAX_LEN || extras.len == REQUIREMENT_EXTRAS_MAX)
            return err_make(scanner->arena, ERR_LIMIT, "too many or too long extras in one requirement");
        *vec_push(scanner->arena, &extras) = name_normalize(scanner->arena, extra);
        scanner_blank(scanner);
        if (!scanner_skip(scanner, ',')) break;
        scanner_blank(scanner);
    }
    if (!scanner_skip(scanner, ']')) return scanner_err(scanner, "`,` or `]`");

    if (extras.len) qsort(extras.data, (size_t)extras.len, sizeof *extras.data, extra_cmp);
    for (ptrdiff_t i = 0; i < extras.len; i++)
        if (i == 0 || !str_eq(extras.data[i], extras.data[i - 1])) extras.data[ret->extras_len++] = extras.data[i];
    ret->extras = extras.data;
    return NULL;
}

/* Adds the specifier that is next; an `===` may hold commas, and then more behind them. */
static struct err *specifier_add(struct scanner *scanner, struct specifier_list *list, bool *found) {
    struct specifier specifier;
    struct str ahead = str_from(scanner->text, scanner->at);
    ptrdiff_t len = specifier_scan(scanner->arena, ahead, &specifier);
    struct specifier_set set = {.items = &specifier, .len = 1};
    *found = len >= 0;
    if (len < 0) return NULL;
    if (specifier.op == SPECIFIER_ARBITRARY) TRY(specifier_set_parse(scanner->arena, str_slice(ahead, 0, len), &set));
    if (list->len + set.len > SPECIFIER_SET_MAX)
        return err_make(scanner->arena, ERR_LIMIT, "more than %d version specifiers in one requirement",
                        SPECIFIER_SET_MAX);
    for (int32_t i = 0; i < set.len; i++) list_push(scanner->arena, list, &set.items[i]);
    scanner->at += len;
    return NULL;
}

/* "specifier, specifier", with or without parentheses around. */
static struct err *specifiers_scan(struct scanner *scanner, struct requirement *ret) {
    struct specifier_list list;
    list.items = list.few;
    list.len = 0;
    list.cap = SPECIFIERS_FEW;
    bool enclosed = scanner_skip(scanner, '('), found = false;
    do {
        scanner_blank(scanner);
        TRY(specifier_add(scanner, &list, &found));
        if (found) scanner_blank(scanner);
    } while (found && scanner_skip(scanner, ','));
    if (enclosed && !scanner_skip(scanner, ')')) return scanner_err(scanner, "`,` or `)` after a version specifier");
    scanner_blank(scanner);
    struct specifier *items = arena_new(scanner->arena, struct specifier, list.len);
    if (list.len) memcpy(items, list.items, (size_t)list.len * sizeof *items);
    ret->specifiers = (struct specifier_set){.items = items, .len = list.len};
    return NULL;
}

/* What is behind `@`: to the next blank. */
static struct err *url_scan(struct scanner *scanner, struct requirement *ret) {
    scanner_blank(scanner);
    ptrdiff_t start = scanner->at;
    while (!scanner_ended(scanner) && scanner_peek(scanner) != ' ' && scanner_peek(scanner) != '\t') {
        char c = scanner_peek(scanner);
        if ((c >= 0 && c < ' ') || c == 0x7F) return scanner_err(scanner, "a URL without control characters");
        scanner->at++;
    }
    ret->url = str_slice(scanner->text, start, scanner->at);
    if (ret->url.len == 0) return scanner_err(scanner, "a URL after `@`");
    scanner_blank(scanner);
    return NULL;
}

/* What is behind the `;`. */
static struct err *marker_read(struct scanner *scanner, const struct requirement *before, struct requirement *ret) {
    ret->marker_at = (int32_t)scanner->at;
    struct str rest = str_from(scanner->text, scanner->at);
    if (!before || !before->marker || !str_eq(rest, str_from(before->text, before->marker_at)))
        return marker_scan(scanner, &ret->marker);
    ret->marker = before->marker;
    scanner->at = scanner->text.len;
    return NULL;
}

struct err *requirement_parse(struct arena *arena, struct str text, struct requirement *ret) {
    return requirement_parse_after(arena, text, NULL, ret);
}

struct err *requirement_parse_after(struct arena *arena, struct str text, const struct requirement *before,
                                    struct requirement *ret) {
    struct scanner scanner = {.arena = arena, .text = str_trim(text)};
    struct requirement requirement = {.text = scanner.text};
    if (scanner.text.len > REQUIREMENT_MAX_LEN)
        return err_make(arena, ERR_LIMIT, "a requirement of more than %d bytes", REQUIREMENT_MAX_LEN);

    requirement.raw_name = scanner_name(&scanner);
    if (!name_is_valid(requirement.raw_name)) return scanner_err(&scanner, "the name of a project at the start");
    requirement.name = name_normalize(arena, requirement.raw_name);
    scanner_blank(&scanner);
    TRY(extras_scan(&scanner, &requirement));
    scanner_blank(&scanner);
    if (scanner_skip(&scanner, '@')) TRY(url_scan(&scanner, &requirement));
    else TRY(specifiers_scan(&scanner, &requirement));

    if (scanner_skip(&scanner, ';')) TRY(marker_read(&scanner, before, &requirement));
    if (!scanner_ended(&scanner)) return scanner_err(&scanner, requirement.marker ? "the end" : "`,`, `;` or the end");
    *ret = requirement;
    return NULL;
}

struct str requirement_format(struct arena *arena, const struct requirement *requirement) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, requirement->raw_name);
    for (int32_t i = 0; i < requirement->extras_len; i++) {
        buf_add_char(&buf, i ? ',' : '[');
        buf_add(&buf, requirement->extras[i]);
    }
    if (requirement->extras_len) buf_add_char(&buf, ']');
    struct specifier_set sorted = specifier_set_sorted(arena, &requirement->specifiers);
    buf_add(&buf, specifier_set_format(arena, &sorted));
    if (requirement->url.len) {
        buf_add(&buf, S(" @ "));
        buf_add(&buf, requirement->url);
        if (requirement->marker) buf_add_char(&buf, ' ');
    }
    if (requirement->marker) {
        buf_add(&buf, S("; "));
        buf_add(&buf, marker_format(arena, requirement->marker));
    }
    return buf_str(&buf);
}
