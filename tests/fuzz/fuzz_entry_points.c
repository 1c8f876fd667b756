/* entry_points.txt: names and references that are accepted hold nothing that could leave a path or a line. */
#include "base/arena.h"
#include "pypa/entry_points.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str text) {
    if (text.len == 0) abort();
    for (ptrdiff_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!char_is_alnum(c) && c != '.' && c != '_' && c != '-' && c != '+') abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    const struct entry_point *points = NULL;
    int32_t len = 0;
    if (!entry_points_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &points, &len))
        for (int32_t i = 0; i < len; i++) {
            check(points[i].name);
            check(points[i].module);
            check(points[i].attribute);
            if (str_eq(points[i].name, S("..")) || str_eq(points[i].name, S("."))) abort();
        }
    arena_close(arena);
    return 0;
}
