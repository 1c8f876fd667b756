/* zip: any bytes as a whole archive, and as its end; what is accepted is unpacked within bounds. */
#include "base/arena.h"
#include "pypa/zip.h"

#include <stdlib.h>

enum { UNPACKED_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str whole = {(const char *)data, (ptrdiff_t)size};
    struct zip zip;
    int64_t need = 0;
    struct err *err = zip_read(arena, whole, whole.len, &zip, &need);
    if (!err && need != 0) abort(); /* the whole file is always enough */
    if (!err && !zip_verify(arena, &zip, whole)) {
        int64_t end = 0;
        for (int32_t i = 0; i < zip.len; i++) {
            const struct zip_entry *entry = &zip.entries[i];
            if (zip_find(&zip, entry->name) != entry) abort();
            end += entry->next - entry->offset;
            struct str text;
            struct err *bad = zip_extract(arena, entry, str_from(whole, (ptrdiff_t)entry->offset), UNPACKED_MAX, &text);
            if (!bad && text.len != entry->size) abort();
        }
        if (end != zip.directory_offset) abort(); /* the entries tile the file */
    }
    err = zip_read(arena, str_from(whole, whole.len / 2), whole.len, &zip, &need);
    if (!err && need != 0 && (need <= whole.len - whole.len / 2 || need > whole.len)) abort();
    arena_close(arena);
    return 0;
}
