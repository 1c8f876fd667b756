/* A constraint file: no edit keeps every byte, an edit is a fixed point and leaves a text that reads to the new
 * version. */
#include "base/arena.h"
#include "stage/lock.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EDITS_MAX = 20 };

/* Edits every pin of `set` to a version that none of them has; gives their number. */
static int32_t edits_of(const struct lock_set *set, struct lock_edit edits[EDITS_MAX]) {
    int32_t len = 0;
    for (int32_t i = 0; i < set->by_name.len && len < EDITS_MAX; i++)
        edits[len++] = (struct lock_edit){.name = set->by_name.keys[i], .to = S("9876.5")};
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct marker_env markers = {.sys_platform = S("linux"), .python_version = S("3.12")};
    struct arena *arena = arena_open();
    struct lock_set set = {0}, again = {0};
    struct str text = {(const char *)data, (ptrdiff_t)size};
    if (!lock_add_text(arena, S("lock"), text, &markers, &set)) {
        assert(str_eq(lock_edit_format(arena, &set, 0, NULL, 0), text));
        struct lock_edit edits[EDITS_MAX];
        int32_t len = edits_of(&set, edits);
        struct str after = lock_edit_format(arena, &set, 0, edits, len);
        struct err *err = lock_add_text(arena, S("lock"), after, &markers, &again);
        assert(!err && again.lines_len == set.lines_len);
        assert(str_eq(lock_edit_format(arena, &again, 0, edits, len), after));
        for (int32_t i = 0; i < set.lines_len; i++) {
            const struct lock_line *line = &set.lines[i];
            assert(line->version_from < 0 || (line->version_to > line->version_from && line->version_to <= text.len));
            assert(str_eq(line->requirement.name, again.lines[i].requirement.name));
        }
    }
    arena_close(arena);
    return 0;
}
