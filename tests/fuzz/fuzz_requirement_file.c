/* A requirements file: every byte of a logical line comes from the file, in order. */
#include "base/arena.h"
#include "pypa/requirement_file.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct requirement_file file;
    struct str text = {(const char *)data, (ptrdiff_t)size};
    (void)clearenv(); /* without variables every byte stands for itself */
    if (!requirement_file_parse(arena, text, &file)) {
        ptrdiff_t at = 0;
        for (int32_t i = 0; i < file.len; i++) {
            const struct requirement_line *line = &file.lines[i];
            assert(line->text.len > 0 && line->options_from <= line->text.len && line->line >= 1);
            for (ptrdiff_t k = 0; k < line->text.len; k++) {
                struct requirement_span span = line->source[k];
                assert(span.from >= at && span.to <= text.len);
                assert(span.to == span.from || text.data[span.from] == line->text.data[k]);
                at = span.to;
            }
        }
    }
    arena_close(arena);
    return 0;
}
