/* RECORD: what was read and written again reads the same. */
#include "base/arena.h"
#include "pypa/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    const struct record_row *rows = NULL, *again = NULL;
    int32_t len = 0, again_len = 0, names_len = 0;
    const struct str *names = NULL;
    if (!record_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &rows, &len)) {
        struct str text = record_format(arena, rows, len);
        if (record_parse(arena, text, &again, &again_len) || again_len != len) abort();
        for (int32_t i = 0; i < len; i++) {
            bool same = str_eq(rows[i].path, again[i].path) && str_eq(rows[i].digest, again[i].digest);
            if (!same || rows[i].size != again[i].size) abort();
        }
        record_top_level(arena, rows, len, &names, &names_len);
        for (int32_t i = 1; i < names_len; i++)
            if (str_cmp(names[i - 1], names[i]) >= 0) abort();
    }
    arena_close(arena);
    return 0;
}
