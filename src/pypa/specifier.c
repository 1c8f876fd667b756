#include "pypa/specifier.h"

#include "base/arena.h"
#include "base/buf.h"

#include <stdlib.h>

/* Longer operators before those they begin with. */
static const struct {
    struct str text;
    enum specifier_op op;
} operators[] = {
    {S_INIT("==="), SPECIFIER_ARBITRARY}, {S_INIT("=="), SPECIFIER_EQ}, {S_INIT("!="), SPECIFIER_NE},
    {S_INIT("~="), SPECIFIER_COMPATIBLE}, {S_INIT("<="), SPECIFIER_LE}, {S_INIT(">="), SPECIFIER_GE},
    {S_INIT("<"), SPECIFIER_LT},          {S_INIT(">"), SPECIFIER_GT},
};

/* Position in `operators` of the one that `text` begins with, or -1. */
static int operator_find(struct str text) {
    for (int i = 0; i < (int)(sizeof operators / sizeof *operators); i++)
        if (str_starts(text, operators[i].text)) return i;
    return -1;
}

/* Length of what may stand behind `===`. */
static ptrdiff_t arbitrary_len(struct str text) {
    ptrdiff_t len = 0;
    while (len < text.len && !char_is_space(text.data[len]) && text.data[len] != ';' && text.data[len] != ')') len++;
    return len;
}

static void arbitrary_make(struct arena *arena, struct str text, struct specifier *ret) {
    if (!version_try_parse(arena, text, &ret->version)) ret->version = (struct version){.post = -1, .dev = -1};
    ret->version.text = text;
}

ptrdiff_t specifier_scan(struct arena *arena, struct str text, struct specifier *ret) {
    struct specifier specifier = {0};
    int found = operator_find(text);
    if (found < 0) return -1;
    specifier.op = operators[found].op;
    ptrdiff_t at = operators[found].text.len;
    while (at < text.len && char_is_space(text.data[at])) at++;

    if (specifier.op == SPECIFIER_ARBITRARY) {
        ptrdiff_t len = arbitrary_len(str_from(text, at));
        arbitrary_make(arena, str_slice(text, at, at + len), &specifier);
        at += len;
    } else {
        bool equality = specifier.op == SPECIFIER_EQ || specifier.op == SPECIFIER_NE;
        ptrdiff_t len = version_scan(arena, str_from(text, at), equality, &specifier.version);
        if (len < 0) return -1;
        if (specifier.op == SPECIFIER_COMPATIBLE && specifier.version.release_len < 2) return -1;
        at += len;
        struct str base = version_base(&specifier.version).text;
        if (equality && base.len == len && str_starts(str_from(text, at), S(".*"))) {
            specifier.wildcard = true;
            at += 2;
        }
    }
    specifier.text = str_trim(str_slice(text, 0, at));
    *ret = specifier;
    return at;
}

static bool specifier_parse(struct arena *arena, struct str text, struct specifier *ret) {
    return specifier_scan(arena, text, ret) == text.len;
}

struct err *specifier_set_parse(struct arena *arena, struct str text, struct specifier_set *ret) {
    VEC(struct specifier) items = {0};
    while (text.len) {
        struct str part = str_trim(str_cut(&text, ','));
        if (part.len == 0) continue;
        if (items.len == SPECIFIER_SET_MAX)
            return err_make(arena, ERR_LIMIT, "more than %d version specifiers in one requirement", SPECIFIER_SET_MAX);
        if (!specifier_parse(arena, part, vec_push(arena, &items)))
            return err_make(arena, ERR_MALFORMED, "\"%.*s\" is not a version specifier", FMT(str_slice(part, 0, 80)));
    }
    ret->items = items.data;
    ret->len = (int32_t)items.len;
    return NULL;
}

/* True if the release segment of `version` begins with the first `parts` of `base`, missing ones taken as zero. */
static bool series_match(const struct version *version, const struct version *base, int32_t parts) {
    if (version->epoch != base->epoch) return false;
    for (int32_t i = 0; i < parts; i++) {
        int64_t part = i < version->release_len ? version->release[i] : 0;
        if (part != base->release[i]) return false;
    }
    return true;
}

/* `>`: behind the version; local versions and, of a final or pre-release, post-releases of it do not count. */
static bool greater_match(const struct version *version, const struct version *bound) {
    if (version_cmp_public(version, bound) <= 0) return false;
    if (bound->dev >= 0 || bound->post >= 0) return true;
    return !version_release_eq(version, bound) || version->pre != bound->pre ||
           (bound->pre != VERSION_PRE_NONE && version->pre_number != bound->pre_number);
}

/* `<`: before the version; pre-releases of it do not count unless it is one. */
static bool less_match(const struct version *version, const struct version *bound) {
    struct version first = *bound;
    if (!version_is_prerelease(bound)) first.dev = 0;
    return version_cmp(version, &first) < 0;
}

static bool equal_match(const struct version *version, const struct version *wanted, bool wildcard) {
    if (wildcard) return series_match(version, wanted, wanted->release_len);
    return (wanted->local_len ? version_cmp(version, wanted) : version_cmp_public(version, wanted)) == 0;
}

bool specifier_match(const struct specifier *specifier, const struct version *version) {
    const struct version *bound = &specifier->version;
    if (specifier->op == SPECIFIER_ARBITRARY) return str_eq_nocase(version->text, bound->text);
    if (version->release_len == 0) return false;
    switch (specifier->op) {
    case SPECIFIER_EQ: return equal_match(version, bound, specifier->wildcard);
    case SPECIFIER_NE: return !equal_match(version, bound, specifier->wildcard);
    case SPECIFIER_LE: return version_cmp_public(version, bound) <= 0;
    case SPECIFIER_GE: return version_cmp(version, bound) >= 0;
    case SPECIFIER_LT: return less_match(version, bound);
    case SPECIFIER_GT: return greater_match(version, bound);
    case SPECIFIER_COMPATIBLE:
        return version_cmp(version, bound) >= 0 && series_match(version, bound, bound->release_len - 1);
    case SPECIFIER_ARBITRARY: break;
    }
    return false;
}

bool specifier_set_match(const struct specifier_set *set, const struct version *version) {
    for (int32_t i = 0; i < set->len; i++)
        if (!specifier_match(&set->items[i], version)) return false;
    return true;
}

bool specifier_set_names_prerelease(const struct specifier_set *set) {
    for (int32_t i = 0; i < set->len; i++) {
        const struct specifier *specifier = &set->items[i];
        if (specifier->op != SPECIFIER_NE && !specifier->wildcard && version_is_prerelease(&specifier->version))
            return true;
    }
    return false;
}

/* True for `==` without wildcard and `===`, which name one version. */
static bool names_one(const struct specifier *specifier) {
    return (specifier->op == SPECIFIER_EQ && !specifier->wildcard) || specifier->op == SPECIFIER_ARBITRARY;
}

bool specifier_set_pins(const struct specifier_set *set, const struct version *version) {
    for (int32_t i = 0; i < set->len; i++)
        if (names_one(&set->items[i]) && specifier_match(&set->items[i], version)) return true;
    return false;
}

bool specifier_set_allowance(const struct specifier_set *set, const struct version *held) {
    struct version base = version_base(held);
    if (!version_is_prerelease(held) || specifier_set_match(set, held)) return false;
    for (int32_t i = 0; i < set->len; i++) {
        const struct specifier *specifier = &set->items[i];
        if (!specifier_match(specifier, names_one(specifier) ? held : &base)) return false;
    }
    return true;
}

struct str specifier_format(struct arena *arena, const struct specifier *specifier) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].op == specifier->op) buf_add(&buf, operators[i].text);
    buf_add(&buf, specifier->version.text);
    if (specifier->wildcard) buf_add(&buf, S(".*"));
    return buf_str(&buf);
}

/* A specifier with the text it is sorted by. */
struct sorted {
    struct str text;
    struct specifier specifier;
};

static int sorted_cmp(const void *a, const void *b) {
    return str_cmp(((const struct sorted *)a)->text, ((const struct sorted *)b)->text);
}

/* True if both say the same: `>=1` and `>=1.0`, but not `~=1.0` and `~=1.0.0`. */
static bool specifier_eq(const struct sorted *a, const struct sorted *b) {
    const struct specifier *left = &a->specifier, *right = &b->specifier;
    if (left->op != right->op || left->wildcard != right->wildcard) return false;
    if (left->op == SPECIFIER_ARBITRARY || left->wildcard) return str_eq(a->text, b->text);
    if (left->op == SPECIFIER_COMPATIBLE && left->version.release_len != right->version.release_len) return false;
    return version_cmp(&left->version, &right->version) == 0;
}

struct specifier_set specifier_set_sorted(struct arena *arena, const struct specifier_set *set) {
    struct sorted *sorted = arena_new(arena, struct sorted, set->len);
    struct specifier *items = arena_new(arena, struct specifier, set->len);
    int32_t kept = 0;
    for (int32_t i = 0; i < set->len; i++)
        sorted[i] = (struct sorted){specifier_format(arena, &set->items[i]), set->items[i]};
    qsort(sorted, (size_t)set->len, sizeof *sorted, sorted_cmp);
    for (int32_t i = 0; i < set->len; i++) {
        bool again = false;
        for (int32_t j = 0; j < kept && !again; j++) again = specifier_eq(&sorted[i], &sorted[j]);
        if (again) continue;
        sorted[kept] = sorted[i];
        items[kept++] = sorted[i].specifier;
    }
    return (struct specifier_set){.items = items, .len = kept};
}

struct str specifier_set_format(struct arena *arena, const struct specifier_set *set) {
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < set->len; i++) {
        if (i) buf_add_char(&buf, ',');
        buf_add(&buf, specifier_format(arena, &set->items[i]));
    }
    return buf_str(&buf);
}
