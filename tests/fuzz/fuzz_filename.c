/* A file name, the normalized name of a project and a platform, a line each. */
#include "base/arena.h"
#include "pypa/filename.h"
#include "pypa/name.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct str items[] = {S_INIT("cp312-cp312-linux_x86_64"), S_INIT("py3-none-any"),
                                       S_INIT("py2-none-any")};
    struct arena *arena = arena_open();
    struct str rest = {(const char *)data, (ptrdiff_t)size};
    struct str filename = str_cut(&rest, '\n'), project = str_cut(&rest, '\n');
    struct tags tags = tags_of_list(arena, items, 3);
    struct wheel_name wheel;
    struct version version;
    if (!wheel_name_parse(arena, filename, &wheel)) {
        int32_t rank = wheel_name_rank(&wheel, &tags);
        assert(rank >= -1 && rank < tags.len && name_is_valid(wheel.name) && wheel.version.release_len > 0);
        assert(wheel_build_cmp(wheel.build, wheel.build) == 0);
    }
    if (sdist_name_parse(arena, filename, project, &version)) assert(version.release_len > 0);

    struct str normal = name_normalize(arena, project);
    assert(str_eq(name_normalize(arena, normal), normal) && name_match(project, normal));
    const struct str *platforms;
    int32_t platforms_len;
    if (!tags_platforms_make(arena, rest, 17, &platforms, &platforms_len)) {
        struct tags_input input = {3, 12, S("cp"), &project, 1, platforms, platforms_len};
        tags = tags_make(arena, &input);
        assert(platforms_len > 0 && tags.len > platforms_len && tags.len <= TAGS_MAX);
    }
    arena_close(arena);
    return 0;
}
