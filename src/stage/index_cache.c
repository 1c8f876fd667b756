/* Documents on disk: the cache, recorded answers, and what is known of hosts. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "os/digest.h"
#include "pypa/filename.h"

#include <string.h>

enum { HOST_FILE_MAX = 64 };

struct str index_cache_path(const struct index *index, struct arena *arena, const char *what, struct str key) {
    return str_format(arena, "%.*s/%s/%.*s/%.*s", FMT(index->cache), what, FMT(str_slice(key, 0, 2)),
                      FMT(str_from(key, 2)));
}

struct str index_identity(struct arena *arena, struct str url) {
    if (http_strip(arena, url).len == url.len) return url;
    return str_format(arena, "sha256 %.*s", FMT(digest_hex(arena, digest_make(arena, url, DIGEST_SHA256))));
}

static struct str path_of(const struct index *index, struct arena *arena, const char *what, struct str identity) {
    return index_cache_path(index, arena, what, store_key(arena, identity));
}

bool index_cache_read(const struct index *index, struct arena *arena, const char *what, struct str identity,
                      int64_t limit, struct str *ret) {
    if (!index->cache.len || !identity.len) return false;
    return store_unseal(index->fs, arena, path_of(index, arena, what, identity), identity, limit, ret);
}

void index_cache_write(struct index *index, const char *what, struct str identity, struct str bytes) {
    if (!index->cache.len || !identity.len || index->cache_broken) return;
    /* One that is too long to be kept is no sign of a cache that cannot be written. */
    if (identity.len > STORE_IDENTITY_MAX) return;
    struct str path = path_of(index, index->arena, what, identity);
    index->cache_broken = !store_seal(index->arena, path, identity, bytes);
}

/* A name that can be part of a path. */
static bool is_plain(struct str name) {
    return name.len > 0 && name.len <= FILENAME_MAX_LEN && name.data[0] != '.' && str_find_char(name, '/') < 0 &&
           str_find_char(name, '\0') < 0;
}

bool index_recorded_read(struct index *index, struct arena *arena, const char *folder, struct str name, int64_t limit,
                         struct str *ret) {
    struct str dir = index->options.recorded;
    if (!dir.len || !is_plain(name)) return false;
    struct str path = str_format(arena, "%.*s/%s/%.*s", FMT(dir), folder, FMT(name));
    if (index->fs->read_file(index->fs->self, arena, str_copy_z(arena, path), limit, ret)) return false;
    index->stats.used_recorded = true;
    return true;
}

void index_record(struct index *index, const char *folder, struct str name, struct str bytes) {
    struct str dir = index->options.record_dir;
    if (!dir.len || !is_plain(name)) return;
    struct str path = str_format(index->arena, "%.*s/%s/%.*s", FMT(dir), folder, FMT(name));
    if (!store_write(index->arena, path, bytes))
        index_problem(index, str_format(index->arena, "'%.*s' cannot be recorded", FMT(path)));
}

struct index_host *index_host(struct index *index, struct str url) {
    struct str origin = http_origin(index->arena, url);
    for (ptrdiff_t i = 0; i < index->hosts.len; i++)
        if (str_eq(index->hosts.data[i].origin, origin)) return &index->hosts.data[i];
    struct index_host *host = vec_push(index->arena, &index->hosts);
    *host = (struct index_host){.origin = origin};
    struct str text;
    int64_t since;
    if (!index->options.refresh && index_cache_read(index, index->arena, "hosts", origin, HOST_FILE_MAX, &text) &&
        str_to_int(text, &since) && since <= index->now && index->now - since < INDEX_HOST_S)
        host->metadata_lacking = true;
    return host;
}

void index_host_learn(struct index *index, struct index_host *host, bool served) {
    if (served) {
        host->metadata_served = true;
        host->metadata_lacking = false;
        return;
    }
    host->failed++;
    if (host->metadata_served || host->metadata_lacking || host->failed < INDEX_HOST_FAILURES) return;
    host->metadata_lacking = true;
    index_cache_write(index, "hosts", host->origin, str_format(index->arena, "%lld", (long long)index->now));
}
