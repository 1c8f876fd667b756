/* A marker: its normal form is a fixed point and has the same value. */
#include "base/arena.h"
#include "pypa/marker.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct marker_env env = {
        .os_name = S_INIT("posix"),
        .sys_platform = S_INIT("linux"),
        .platform_machine = S_INIT("x86_64"),
        .platform_python_implementation = S_INIT("CPython"),
        .platform_release = S_INIT("6.1"),
        .platform_system = S_INIT("Linux"),
        .platform_version = S_INIT("#1 SMP"),
        .python_version = S_INIT("3.12"),
        .python_full_version = S_INIT("3.12.0+"),
        .implementation_name = S_INIT("cpython"),
        .implementation_version = S_INIT("3.12.0"),
    };
    static const struct str names[] = {S_INIT("a"), S_INIT("b")};
    struct arena *arena = arena_open();
    const struct marker *marker, *again;
    if (!marker_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &marker)) {
        struct str normal = marker_format(arena, marker);
        struct err *err = marker_parse(arena, normal, &again);
        assert(!err && str_eq(marker_format(arena, again), normal));
        assert(marker_has_extra(marker) == marker_has_extra(again));
        for (int i = 0; i < 2; i++)
            assert(marker_eval(arena, marker, &env, names[i]) == marker_eval(arena, again, &env, names[i]));
    }
    arena_close(arena);
    return 0;
}
