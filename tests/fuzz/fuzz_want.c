/* What is asked for: words, a line each up to the first NUL, then files (input_fs.h), of which /w/r.txt is read. */
#include "input_fs.h"
#include "pypa/name.h"
#include "stage/want.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct input_fs input;
    struct str rest = {(const char *)data, (ptrdiff_t)size}, lines = str_cut(&rest, '\0'), words[WORDS_MAX];
    const struct str file = S("/w/r.txt");
    int32_t words_len = 0;
    while (words_len < WORDS_MAX && str_line(&lines, &words[words_len])) words_len++;
    struct fs fs = input_fs_make(arena, S("/w"), rest, &input);
    struct environment env = {.markers = {.sys_platform = S("linux"), .python_version = S("3.12")}};
    struct want want;
    (void)clearenv();
    if (!want_parse(arena, &fs, &env, words, words_len, &file, rest.len ? 1 : 0, NULL, &want))
        for (int32_t i = 0; i < want.requests_len; i++) {
            const struct request *request = &want.requests[i];
            assert(request->requirement.name.len == 0 || name_is_valid(request->requirement.name));
            assert(!request->editable || request->requirement.url.len);
            for (int32_t k = 0; k < request->hashes_len; k++) assert(str_find_char(request->hashes[k], ':') > 0);
        }
    arena_close(arena);
    return 0;
}
