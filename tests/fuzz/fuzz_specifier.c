/* A set of specifiers and a version, a line each: the sorted set says the same, and an allowance is one. */
#include "base/arena.h"
#include "pypa/specifier.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str version_text = {(const char *)data, (ptrdiff_t)size};
    struct str set_text = str_cut(&version_text, '\n');
    struct version version = {.text = version_text, .post = -1, .dev = -1};
    struct specifier_set set, again;
    (void)version_try_parse(arena, version_text, &version);
    if (!specifier_set_parse(arena, set_text, &set)) {
        bool match = specifier_set_match(&set, &version);
        struct specifier_set sorted = specifier_set_sorted(arena, &set);
        assert(specifier_set_match(&sorted, &version) == match);
        struct err *err = specifier_set_parse(arena, specifier_set_format(arena, &sorted), &again);
        assert(!err && again.len <= set.len && specifier_set_match(&again, &version) == match);
        assert(!specifier_set_allowance(&set, &version) || (!match && version_is_prerelease(&version)));
        assert(!match || version.release_len > 0 || set.len == 0 || set.items[0].op == SPECIFIER_ARBITRARY);
        (void)specifier_set_pins(&set, &version);
        (void)specifier_set_names_prerelease(&set);
    }
    arena_close(arena);
    return 0;
}
