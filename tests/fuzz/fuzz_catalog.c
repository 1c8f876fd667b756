/* Images of a catalog (input_fs.h): what is listed can be read or is refused, and recognizing one ends well. */
#include "input_fs.h"
#include "stage/catalog.h"
#include "stage/snapshot.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct input_fs input;
    struct fs fs = input_fs_make(arena, S("/c/images"), (struct str){(const char *)data, (ptrdiff_t)size}, &input);
    const struct catalog_item *items = NULL;
    int32_t len = 0;
    if (!catalog_list(arena, &fs, S("/c"), &items, &len))
        for (int32_t i = 0; i < len; i++) {
            struct environment env;
            struct lock_set locks;
            if (catalog_read(arena, &fs, S("/c"), items[i].name, &env, &locks)) continue;
            assert(snapshot_format(arena, &env, &locks).len > 0);
        }
    struct dist torch = {.name = S("torch"), .vendor = VENDOR_LOCAL_VERSION, .version_valid = true};
    struct err *err = version_parse(arena, S("2.7.0+nv25.04"), &torch.version);
    assert(!err);
    struct environment env = {.ngc = S("25.04")};
    environment_seal(arena, &env, &torch, 1);
    bool found = false;
    if (!catalog_recognize(arena, &fs, S("/c"), &env, &found) && found) assert(env.image.len > 0);
    arena_close(arena);
    return 0;
}
