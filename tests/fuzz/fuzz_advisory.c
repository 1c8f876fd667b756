/* Files of advisories (input_fs.h): one that is taken says what it is and when it holds. */
#include "input_fs.h"
#include "pypa/name.h"
#include "stage/advisory.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct input_fs input;
    struct dist torch = {.name = S("torch"), .vendor = VENDOR_LOCAL_VERSION};
    struct environment env = {.ngc = S("25.04")};
    environment_seal(arena, &env, &torch, 1);
    struct fs fs = input_fs_make(arena, S("/a"), (struct str){(const char *)data, (ptrdiff_t)size}, &input);
    struct advisories advisories;
    if (!advisories_read(arena, &fs, S("/a"), &env, &advisories))
        for (int32_t i = 0; i < advisories.len; i++) {
            const struct advisory *advisory = &advisories.items[i];
            assert(advisory->id.len && advisory->text.len && advisory->when_len > 0);
            for (int32_t k = 0; k < advisory->when_len; k++) assert(name_is_valid(advisory->when[k].name));
            for (int32_t k = 0; k < advisory->on_change_len; k++) assert(name_is_valid(advisory->on_change[k]));
        }
    arena_close(arena);
    return 0;
}
