/* Which kinds of files are taken of which projects: --only-binary and --no-binary, as pip counts them. */
#include "stage/want.h"

#include "base/arena.h"
#include "pypa/name.h"

static const struct str all = S_INIT(":all:"), none = S_INIT(":none:");

static struct want_names without(struct arena *arena, struct want_names names, struct str name) {
    struct want_names fewer = {.all = names.all, .items = arena_new(arena, struct str, names.len)};
    for (int32_t i = 0; i < names.len; i++)
        if (!str_eq(names.items[i], name)) fewer.items[fewer.len++] = names.items[i];
    return fewer;
}

static struct want_names with(struct arena *arena, struct want_names names, struct str name) {
    struct want_names more = {.all = names.all, .items = arena_new(arena, struct str, names.len + 1), .len = names.len};
    for (int32_t i = 0; i < names.len; i++) {
        if (str_eq(names.items[i], name)) return names;
        more.items[i] = names.items[i];
    }
    more.items[more.len++] = name;
    return more;
}

struct err *want_formats_add(struct arena *arena, struct want *want, struct str value, bool binary) {
    struct want_names own = binary ? want->only_binary : want->no_binary;
    struct want_names other = binary ? want->no_binary : want->only_binary;
    struct str rest = value;
    /* What stands before the last `:all:` is covered by it, and what stands behind it too, unless `:none:` does. */
    for (struct str left = value; left.len;) {
        if (!str_eq(str_trim(str_cut(&left, ',')), all)) continue;
        own = (struct want_names){.all = true};
        other = (struct want_names){0};
        rest = left;
    }
    bool covered = own.all && rest.data != value.data && str_find(rest, none) < 0;
    while (rest.len && !covered) {
        struct str word = str_trim(str_cut(&rest, ',')), name;
        if (word.len == 0) continue;
        if (str_eq(word, none)) {
            own = (struct want_names){0};
            continue;
        }
        TRY(want_parse_name(arena, word, &name));
        other = without(arena, other, name);
        own = with(arena, own, name);
    }
    *(binary ? &want->only_binary : &want->no_binary) = own;
    *(binary ? &want->no_binary : &want->only_binary) = other;
    return NULL;
}

bool want_takes_sdists(const struct want *want, struct str name) {
    if (str_among(want->only_binary.items, want->only_binary.len, name)) return false;
    return !want->only_binary.all || str_among(want->no_binary.items, want->no_binary.len, name);
}

bool want_takes_wheels(const struct want *want, struct str name) {
    if (str_among(want->only_binary.items, want->only_binary.len, name)) return true;
    return !want->no_binary.all && !str_among(want->no_binary.items, want->no_binary.len, name);
}

bool want_names_build(const struct want *want, struct str name) {
    return want->build_all || str_among(want->build, want->build_len, name);
}

bool want_limits_sdists(const struct want *want) {
    return want->only_binary.all || want->only_binary.len;
}

bool want_limits_wheels(const struct want *want) {
    return want->no_binary.all || want->no_binary.len;
}
