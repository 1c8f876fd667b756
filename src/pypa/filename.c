#include "pypa/filename.h"

#include "base/arena.h"
#include "pypa/name.h"

/* Visible ASCII that can be in a file name everywhere. */
static bool is_plain(struct str filename) {
    for (ptrdiff_t i = 0; i < filename.len; i++) {
        unsigned char c = (unsigned char)filename.data[i];
        if (c <= ' ' || c >= 0x7F || c == '/' || c == '\\') return false;
    }
    return filename.len <= FILENAME_MAX_LEN;
}

/* How many tags "py2.py3" stands for; 0 if one is empty, or with `identifiers` is no identifier of Python. */
static int32_t tag_set_count(struct str set, bool identifiers) {
    int32_t count = 0;
    bool more = true;
    while (more) {
        struct str rest = set;
        struct str tag = str_cut(&rest, '.');
        if (tag.len == 0 || (identifiers && char_is_digit(tag.data[0]))) return 0;
        for (ptrdiff_t i = 0; identifiers && i < tag.len; i++)
            if (!char_is_alnum(tag.data[i]) && tag.data[i] != '_') return 0;
        count++;
        more = rest.data != NULL;
        set = rest;
    }
    return count;
}

/* Cuts what is behind the last dash off `*rest`. */
static bool cut_last(struct str *rest, struct str *ret) {
    ptrdiff_t dash = str_find_last(*rest, '-');
    if (dash < 0) return false;
    *ret = str_from(*rest, dash + 1);
    *rest = str_slice(*rest, 0, dash);
    return true;
}

/* The parts of a wheel's name, or what is wrong with them. */
static const char *wheel_name_cut(struct arena *arena, struct str filename, struct wheel_name *ret) {
    struct str rest = filename, name, version;
    if (!is_plain(filename)) return "a name too long or with characters that no wheel has";
    if (!str_ends(filename, S(".whl"))) return "not ending with .whl";
    rest.len -= 4;
    if (!cut_last(&rest, &ret->platform) || !cut_last(&rest, &ret->abi) || !cut_last(&rest, &ret->python))
        return "too few parts";
    name = str_cut(&rest, '-');
    version = str_cut(&rest, '-');
    if (rest.data) {
        ret->build = rest;
        if (rest.len == 0 || !char_is_digit(rest.data[0])) return "a build tag that is no number";
        if (str_find_char(rest, '-') >= 0) return "too many parts";
    }
    if (!name_is_valid(name) || str_find(name, S("__")) >= 0) return "no name of a project";
    if (!version_try_parse(arena, version, &ret->version)) return "no version";
    int32_t pythons = tag_set_count(ret->python, true), abis = tag_set_count(ret->abi, false);
    int32_t platforms = tag_set_count(ret->platform, false);
    if (pythons == 0 || abis == 0 || platforms == 0) return "an empty tag, or one that is none";
    if (pythons * abis * platforms > FILENAME_TAGS_MAX) return "too many tags";
    ret->name = name_normalize(arena, name);
    return NULL;
}

struct err *wheel_name_parse(struct arena *arena, struct str filename, struct wheel_name *ret) {
    struct wheel_name wheel = {0};
    const char *wrong = wheel_name_cut(arena, filename, &wheel);
    if (wrong)
        return err_make(arena, ERR_MALFORMED, "\"%.*s\" is no name of a wheel: %s", FMT(str_slice(filename, 0, 200)),
                        wrong);
    *ret = wheel;
    return NULL;
}

/* Adds `part` in lower case behind the `len` bytes of `text`, which has room for it. */
static ptrdiff_t tag_append(char *text, ptrdiff_t len, struct str part) {
    for (ptrdiff_t i = 0; i < part.len; i++) text[len++] = char_lower(part.data[i]);
    return len;
}

int32_t wheel_name_rank(const struct wheel_name *wheel, const struct tags *tags) {
    char text[FILENAME_MAX_LEN + 3];
    int32_t best = -1;
    struct str pythons = wheel->python;
    if (wheel->python.len + wheel->abi.len + wheel->platform.len > FILENAME_MAX_LEN) return -1;
    while (pythons.data) {
        ptrdiff_t python_len = tag_append(text, 0, str_cut(&pythons, '.'));
        text[python_len++] = '-';
        struct str abis = wheel->abi;
        while (abis.data) {
            ptrdiff_t abi_len = tag_append(text, python_len, str_cut(&abis, '.'));
            text[abi_len++] = '-';
            struct str platforms = wheel->platform;
            while (platforms.data) {
                ptrdiff_t len = tag_append(text, abi_len, str_cut(&platforms, '.'));
                int32_t rank = map_find(&tags->rank, (struct str){text, len});
                if (rank >= 0 && (best < 0 || rank < best)) best = rank;
            }
        }
    }
    return best;
}

/* The digits a build tag begins with, without leading zeros; what is behind them in `*rest`. */
static struct str build_number(struct str build, struct str *rest) {
    ptrdiff_t digits = 0;
    while (digits < build.len && char_is_digit(build.data[digits])) digits++;
    struct str number = str_slice(build, 0, digits);
    while (number.len && number.data[0] == '0') number = str_from(number, 1);
    *rest = str_from(build, digits);
    return number;
}

int wheel_build_cmp(struct str a, struct str b) {
    struct str a_rest, b_rest;
    if (a.len == 0 || b.len == 0) return (a.len > 0) - (b.len > 0);
    struct str a_number = build_number(a, &a_rest), b_number = build_number(b, &b_rest);
    if (a_number.len != b_number.len) return a_number.len < b_number.len ? -1 : 1;
    int order = str_cmp(a_number, b_number);
    return order ? order : str_cmp(a_rest, b_rest);
}

bool sdist_name_parse(struct arena *arena, struct str filename, struct str project, struct version *ret) {
    static const struct str suffixes[] = {S_INIT(".tar.gz"), S_INIT(".zip"), S_INIT(".tgz"), S_INIT(".tar.bz2"),
                                          S_INIT(".tar.xz")};
    struct str stem = {0};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (str_ends(filename, suffixes[i])) stem = str_slice(filename, 0, filename.len - suffixes[i].len);
    if (stem.len == 0 || !is_plain(filename)) return false;
    for (ptrdiff_t dash = 1; dash < stem.len; dash++) {
        if (stem.data[dash] != '-' || !name_match(str_slice(stem, 0, dash), project)) continue;
        if (version_try_parse(arena, str_from(stem, dash + 1), ret)) return true;
    }
    return false;
}
