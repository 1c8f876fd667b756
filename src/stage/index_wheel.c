/* METADATA in a wheel of which only some bytes are here. */
#include "stage/index_parts.h"

#include "base/arena.h"

/* The entry `*.dist-info/METADATA`, of which a wheel has exactly one. */
static struct err *find_metadata(struct arena *arena, const struct zip *zip, const struct zip_entry **ret) {
    const struct zip_entry *found = NULL;
    for (int32_t i = 0; i < zip->len; i++) {
        struct str name = zip->entries[i].name;
        if (!str_ends(name, S(".dist-info/METADATA")) || str_find_char(name, '/') != name.len - 9) continue;
        if (found) return err_make(arena, ERR_WHEEL, "it holds METADATA twice");
        found = &zip->entries[i];
    }
    if (!found) return err_make(arena, ERR_WHEEL, "it holds no METADATA");
    *ret = found;
    return NULL;
}

struct err *index_wheel_tail(struct arena *arena, struct str tail, int64_t size, struct str *ret,
                             enum index_wheel_want *want, int64_t *from, int64_t *to, struct zip_entry *entry) {
    struct zip zip;
    const struct zip_entry *found = NULL;
    int64_t need = 0;
    if (tail.len > size) return err_make(arena, ERR_WHEEL, "the server sent more bytes than the file has");
    TRY(zip_read(arena, tail, size, &zip, &need));
    if (need > INDEX_TAIL_MAX)
        return err_make(arena, ERR_LIMIT, "its directory is larger than %d bytes", INDEX_TAIL_MAX);
    *want = INDEX_WHEEL_TAIL;
    *from = need;
    if (need) return NULL;
    TRY(find_metadata(arena, &zip, &found));
    *entry = *found;
    entry->name = str_copy(arena, found->name);
    int64_t tail_from = size - tail.len;
    if (found->offset >= tail_from) {
        *want = INDEX_WHEEL_DONE;
        return zip_extract(arena, found, str_from(tail, found->offset - tail_from), INDEX_METADATA_MAX, ret);
    }
    *want = INDEX_WHEEL_SPAN;
    *from = found->offset;
    *to = found->next;
    if (*to - *from > 2 * INDEX_METADATA_MAX)
        return err_make(arena, ERR_LIMIT, "its METADATA is larger than %d bytes", INDEX_METADATA_MAX);
    return NULL;
}
