/*
 * Metadata files that need not be fetched. Releases that follow each other often have the same metadata file but for
 * the line that says the version. Where a page gives the SHA-256 of a metadata file (PEP 714), that of a neighbour,
 * with the other version in that line, is it if it has this hash: then it is known as surely as if it had been fetched.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"
#include "stage/index_parts.h"

enum {
    TWIN_MAX = 256 << 10,      /* bytes of one text that is kept */
    TWINS_BYTES_MAX = 8 << 20, /* of all */
};

/* The value of the line "Version: " among the headers, -1: there is none, or it is not on a line of its own. */
static ptrdiff_t find_version(struct str text, struct str version) {
    const struct str key = S("\nVersion: ");
    ptrdiff_t at = str_find(text, key), head = str_find(text, S("\n\n"));
    if (at < 0 || (head >= 0 && head < at)) return -1;
    at += key.len;
    ptrdiff_t end = at + version.len;
    if (end >= text.len || text.data[end] != '\n') return -1;
    return str_eq(str_slice(text, at, end), version) ? at : -1;
}

void index_twin_keep(struct index *index, struct project_id id, int32_t release, struct str version, struct str text) {
    ptrdiff_t at = find_version(text, version);
    if (at < 0 || text.len > TWIN_MAX || index->twins_bytes + text.len > TWINS_BYTES_MAX) return;
    index->twins_bytes += text.len;
    *vec_push(index->arena, &index->twins) =
        (struct index_twin){id.n, release, at, version.len, str_copy(index->arena, text)};
}

/* The kept texts of the project that are nearest to the release: from below and from above, NULL where there is none.
 */
static void find_nearest(const struct index *index, int32_t project, int32_t release, const struct index_twin *ret[2]) {
    ret[0] = ret[1] = NULL;
    for (ptrdiff_t i = 0; i < index->twins.len; i++) {
        const struct index_twin *twin = &index->twins.data[i];
        if (twin->project != project || twin->release == release) continue;
        if (twin->release < release && (!ret[0] || twin->release > ret[0]->release)) ret[0] = twin;
        if (twin->release > release && (!ret[1] || twin->release < ret[1]->release)) ret[1] = twin;
    }
}

static bool has_hash(struct arena *scratch, const struct index_twin *twin, struct str version, struct str sha256) {
    struct arena_mark mark = arena_mark(scratch);
    unsigned char bytes[DIGEST_SHA256];
    struct digest *digest = digest_open(scratch);
    digest_add(digest, str_slice(twin->text, 0, twin->version_at));
    digest_add(digest, version);
    digest_add(digest, str_from(twin->text, twin->version_at + twin->version_len));
    digest_close(digest, bytes);
    bool same = str_eq(digest_hex(scratch, (struct str){(const char *)bytes, sizeof bytes}), sha256);
    arena_rewind(scratch, mark);
    return same;
}

bool index_twin_find(struct index *index, struct arena *arena, struct project_id id, int32_t release,
                     struct str version, struct str sha256, struct str *ret) {
    const struct index_twin *nearest[2];
    find_nearest(index, id.n, release, nearest);
    for (int i = 0; i < 2; i++) {
        const struct index_twin *twin = nearest[i];
        if (!twin || !has_hash(index->scratch, twin, version, sha256)) continue;
        struct buf buf = {.arena = arena};
        buf_add(&buf, str_slice(twin->text, 0, twin->version_at));
        buf_add(&buf, version);
        buf_add(&buf, str_from(twin->text, twin->version_at + twin->version_len));
        *ret = buf_str(&buf);
        return true;
    }
    return false;
}
