/* Artifacts: from the cache of wheels, by their hash, else from their servers, all at once, hashed while they arrive.
 */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "os/signals.h"

#include <inttypes.h>

enum { COPY_MAX = 256 << 20 /* bytes of a wheel that is copied to or from the cache where it cannot be linked */ };

struct job {
    const struct artifact *artifact;
    struct str path;
    bool made; /* the file is ours and complete: it goes where another one fails */
};

static struct err *hash_err(struct arena *arena, const struct artifact *artifact, struct str sha256) {
    struct err *err = err_make(arena, ERR_HASH, "%.*s has the hash sha256:%.*s, but the index gives sha256:%.*s",
                               FMT(artifact->filename), FMT(sha256), FMT(artifact->sha256));
    return err_hint(arena, err, "nothing was installed; try again, and if it stays so ask those who run the index");
}

/* The cached file, its hash checked again; one that is damaged is removed. */
static bool from_cache(struct index *index, const struct artifact *artifact, struct str path) {
    if (!index->cache.len || !artifact->sha256.len) return false;
    struct str cached = index_cache_path(index, index->arena, "wheels", artifact->sha256);
    struct str sha256 = store_file_sha256(index->arena, cached);
    if (!sha256.len) return false;
    if (str_eq(sha256, artifact->sha256)) return store_link(index->arena, cached, path, COPY_MAX);
    store_remove(index->arena, cached);
    return false;
}

static struct err *settle(struct index *index, struct job *job, const struct http_response *response) {
    const struct artifact *artifact = job->artifact;
    struct err *err = NULL;
    if (response->err || response->status != 200) return index_answer_err(index, response, artifact->url);
    if (artifact->sha256.len && !str_eq(artifact->sha256, response->sha256))
        err = hash_err(index->arena, artifact, str_copy(index->arena, response->sha256));
    else if (artifact->size >= 0 && response->size != artifact->size)
        err = err_make(index->arena, ERR_HASH, "%.*s has %" PRId64 " bytes, but the index gives %" PRId64,
                       FMT(artifact->filename), response->size, artifact->size);
    if (err) {
        store_remove(index->arena, job->path);
        return err;
    }
    job->made = true;
    if (index->cache.len && artifact->sha256.len && !index->cache_broken)
        (void)store_link(index->arena, job->path, index_cache_path(index, index->arena, "wheels", artifact->sha256),
                         COPY_MAX);
    return NULL;
}

static struct err *start(struct index *index, struct job *job, int32_t *open) {
    const struct artifact *artifact = job->artifact;
    struct str local;
    job->made = from_cache(index, artifact, job->path);
    if (job->made) return NULL;
    bool is_local = index_local_path(index->arena, artifact->url, &local);
    if (index->options.offline && !is_local)
        return err_hint(index->arena,
                        err_make(index->arena, ERR_NETWORK, "%.*s is not in the cache", FMT(artifact->filename)),
                        "without --offline it would be fetched");
    TRY(index_http(index));
    struct str url = is_local ? index_local_url(index->arena, local) : artifact->url;
    /* A server that sends more than was promised is cut off at once. */
    int64_t limit = artifact->size >= 0 ? artifact->size : INDEX_ARTIFACT_MAX;
    http_add(index->http,
             &(struct http_request){
                 .url = url, .limit = limit, .path = job->path, .checked = artifact->sha256.len > 0, .user = job});
    ++*open;
    return NULL;
}

struct err *index_download_all(struct index *index, const struct artifact *const *artifacts, const struct str *paths,
                               int32_t len) {
    struct job *jobs = arena_new(index->arena, struct job, len);
    struct err *err = NULL;
    int64_t done = 0, total = 0;
    int32_t open = 0;
    for (int32_t i = 0; i < len; i++) total += artifacts[i]->size > 0 ? artifacts[i]->size : 0;
    for (int32_t i = 0; i < len && !err; i++) {
        jobs[i] = (struct job){artifacts[i], paths[i], false};
        err = start(index, &jobs[i], &open);
    }
    struct http_response response;
    while (!err && open > 0 && http_next(index->http, &response)) {
        struct job *job = response.user;
        open--;
        err = settle(index, job, &response);
        done += response.size;
        index_progress(index, job->artifact->filename, done, total > done ? total : done);
    }
    if (!err && open > 0) err = signals_check(index->arena);
    if (!err && open > 0) err = err_make(index->arena, ERR_NETWORK, "the downloads ended early");
    if (!err) return NULL;
    index_http_drop(index);
    for (int32_t i = 0; i < len; i++)
        if (jobs[i].made) store_remove(index->arena, paths[i]);
    return err;
}

struct err *index_download(struct index *index, const struct artifact *artifact, struct str path) {
    return index_download_all(index, &artifact, &path, 1);
}
