#include "pypa/name.h"

#include "base/arena.h"

static bool is_separator(char c) {
    return c == '-' || c == '_' || c == '.';
}

bool name_is_valid(struct str name) {
    if (name.len == 0 || name.len > NAME_MAX_LEN) return false;
    for (ptrdiff_t i = 0; i < name.len; i++)
        if (!char_is_alnum(name.data[i]) && !is_separator(name.data[i])) return false;
    return char_is_alnum(name.data[0]) && char_is_alnum(name.data[name.len - 1]);
}

/* True if the byte at `i` stays as it is in the normal form. */
static bool is_normal_at(struct str name, ptrdiff_t i) {
    char c = name.data[i];
    if (c == '-') return i == 0 || name.data[i - 1] != '-';
    return !is_separator(c) && char_lower(c) == c;
}

struct str name_normalize(struct arena *arena, struct str name) {
    ptrdiff_t normal = 0;
    while (normal < name.len && is_normal_at(name, normal)) normal++;
    if (normal == name.len) return name;

    char *data = arena_alloc(arena, name.len);
    ptrdiff_t len = 0;
    for (ptrdiff_t i = 0; i < name.len; i++) {
        bool separator = is_separator(name.data[i]);
        if (separator && i > 0 && is_separator(name.data[i - 1])) continue;
        data[len++] = separator ? '-' : char_lower(name.data[i]);
    }
    return (struct str){data, len};
}

bool name_match(struct str name, struct str normal) {
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 0; i < name.len; i++) {
        bool separator = is_separator(name.data[i]);
        if (separator && i > 0 && is_separator(name.data[i - 1])) continue;
        if (at == normal.len || normal.data[at++] != (separator ? '-' : char_lower(name.data[i]))) return false;
    }
    return at == normal.len;
}
