/* JSON: what is read and written is read to the same text, which holds nothing that a terminal obeys. An array that is
 * taken element by element is taken where the whole text can be read, and is what the whole text has there. */
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

/* `whole`: what json_parse makes of the text, NULL: nothing. */
static void take_elements(struct arena *arena, struct str text, const struct json *whole) {
    struct json outline, element;
    struct str elements;
    if (json_parse_outline(arena, text, text.len, S("files"), &outline, &elements)) {
        assert(!whole);
        return;
    }
    if (!elements.data) {
        assert(whole && str_eq(written(arena, &outline), written(arena, whole)));
        return;
    }
    const struct json *files = whole ? json_find(whole, S("files")) : NULL;
    struct err *err = NULL;
    bool any = true;
    int32_t len = 0;
    assert(!whole || (files && files->kind == JSON_ARRAY));
    while (!err && any) {
        err = json_parse_element(arena, text, &elements, &element, &any);
        if (err || !any) break;
        if (whole) assert(len < files->len && str_eq(written(arena, &element), written(arena, &files->items[len])));
        len++;
    }
    if (whole) assert(!err && len == files->len);
    else assert(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str text = {(const char *)data, (ptrdiff_t)size};
    struct json json, again;
    struct err *bad = json_parse(arena, text, text.len, &json);
    take_elements(arena, text, bad ? NULL : &json);
    if (!bad) {
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
