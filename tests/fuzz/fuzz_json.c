/* JSON: what is read and written is read to the same text, which holds nothing that a terminal obeys. */
#include "base/arena.h"
#include "base/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str written(struct arena *arena, const struct json *json) {
    struct buf buf = {.arena = arena};
    struct json_writer w = {.buf = &buf};
    json_value(&w, json);
    return buf_str(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct json json, again;
    if (!json_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, (int64_t)size, &json)) {
        struct str once = written(arena, &json);
        for (ptrdiff_t i = 0; i < once.len; i++) assert((unsigned char)once.data[i] >= ' ' && once.data[i] != 0x7F);
        assert(str_find(once, S("\xC2\x9B")) < 0 && str_find(once, S("\xE2\x80\xAE")) < 0);
        struct err *err = json_parse(arena, once, once.len, &again);
        assert(!err);
        assert(str_eq(written(arena, &again), once));
    }
    arena_close(arena);
    return 0;
}
