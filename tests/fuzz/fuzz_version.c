/* Two versions, a line each: the normal form is a fixed point, and the order is one. */
#include "base/arena.h"
#include "pypa/version.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct version version_any(struct arena *arena, struct str text) {
    struct version version = {.post = -1, .dev = -1};
    if (!version_try_parse(arena, text, &version)) {
        version.text = text;
        return version;
    }
    struct version again;
    struct str normal = version_format(arena, &version);
    /* The normal form may be longer than what is read: each number may get a separator before it. */
    if (normal.len <= VERSION_MAX_LEN) {
        assert(version_try_parse(arena, normal, &again));
        assert(str_eq(version_format(arena, &again), normal));
        assert(version_cmp(&version, &again) == 0);
    }
    struct version base = version_base(&version), read;
    assert(version_try_parse(arena, base.text, &read) && version_cmp(&base, &read) == 0);
    assert(version_release_eq(&version, &base) && !version_is_prerelease(&base));
    return version;
}

static int sign(int order) {
    return (order > 0) - (order < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str rest = {(const char *)data, (ptrdiff_t)size};
    struct version a = version_any(arena, str_cut(&rest, '\n')), b = version_any(arena, rest);
    assert(sign(version_cmp(&a, &b)) == -sign(version_cmp(&b, &a)));
    assert(version_cmp(&a, &a) == 0);
    if (version_cmp_public(&a, &b) != 0) assert(sign(version_cmp_public(&a, &b)) == sign(version_cmp(&a, &b)));
    arena_close(arena);
    return 0;
}
