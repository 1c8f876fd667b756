/* Artifacts: from the cache of wheels, by their hash, else from their servers, some at once, hashed while they arrive.
 */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"
#include "os/signals.h"
#include "os/sys.h"
#include "os/workers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    COPY_MAX = 256 << 20, /* bytes of a wheel that is copied to or from the cache where it cannot be linked */
    SHOW_EVERY_MS = 100,
    /* Files that share a link come the later, each of them, the more they are; what has come can be unpacked. */
    AT_ONCE_MAX = 8,
};
/* How long a note on a cached file counts. */
#define NOTE_NS (INT64_C(86400) * 1000000000)

/* A cached file that was hashed and found durable: it is the same one as long as nobody writes into it. */
struct note {
    int64_t inode, size, mtime_ns;
    int64_t hashed_ns; /* when, since 1970 */
};

struct job {
    const struct artifact *artifact;
    int32_t number; /* the caller's */
    struct str path;
    struct str cached;               /* its place in the cache; empty: there is none */
    struct str note;                 /* that of the note on it */
    bool cached_found, cached_whole; /* it is there; it has the hash */
    bool made;                       /* the file is ours and complete: it goes where another one fails */
};

/* How far the downloads are, for whoever watches. Neither this nor the clock decides anything. */
struct index_downloads {
    const struct job *jobs;
    int32_t len;
    int64_t total;               /* bytes, as far as they are known */
    int64_t before;              /* bytes received for other things */
    int64_t begin_ms, showed_ms; /* of a monotonic clock */
};

static int64_t clock_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void add_megabytes(struct buf *buf, int64_t bytes) {
    buf_addf(buf, "%" PRId64 ".%d MB", bytes / 1000000, (int)(bytes % 1000000 / 100000));
}

void index_download_tick(void *self, int64_t received) {
    struct index *index = self;
    struct index_downloads *downloads = index->downloads;
    int64_t now = clock_ms();
    if (!downloads || !index->options.progress || now - downloads->showed_ms < SHOW_EVERY_MS) return;
    downloads->showed_ms = now;
    struct arena_mark mark = arena_mark(index->arena);
    struct buf buf = {.arena = index->arena};
    const struct job *first = NULL;
    int32_t others = -1;
    for (int32_t i = 0; i < downloads->len; i++) {
        if (downloads->jobs[i].made) continue;
        others++;
        if (!first || downloads->jobs[i].artifact->size > first->artifact->size) first = &downloads->jobs[i];
    }
    int64_t done = received - downloads->before, ms = now - downloads->begin_ms;
    buf_add(&buf, S("downloading "));
    if (first) buf_add(&buf, first->artifact->filename);
    if (others > 0) buf_addf(&buf, " and %d more", others);
    buf_add(&buf, S(": "));
    add_megabytes(&buf, done);
    if (downloads->total >= done) buf_add(&buf, S(" of "));
    if (downloads->total >= done) add_megabytes(&buf, downloads->total);
    if (ms > 0) buf_add(&buf, S(", "));
    if (ms > 0) add_megabytes(&buf, done * 1000 / ms);
    if (ms > 0) buf_add(&buf, S("/s"));
    index_progress(index, buf_str(&buf), 0, 0);
    arena_rewind(index->arena, mark);
}

static struct err *hash_err(struct arena *arena, const struct artifact *artifact, struct str is, struct str promised) {
    struct str name = simple_hash_name(promised);
    struct err *err = err_make(arena, ERR_HASH, "%.*s has the hash %.*s:%.*s, but the index gives %.*s:%.*s",
                               FMT(artifact->filename), FMT(name), FMT(is), FMT(name), FMT(promised));
    return err_hint(arena, err, "nothing was installed; try again, and if it stays so ask those who run the index");
}

/* Compares the file at `path`, whose SHA-256 is the promised one, with what else is promised or demanded of it. */
static struct err *check_more(struct arena *arena, const struct artifact *artifact, struct str path) {
    static const int32_t sizes[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
    if (artifact->strong.len) {
        struct str is = store_file_digest(arena, path, (int32_t)artifact->strong.len / 2);
        if (!str_eq(is, artifact->strong)) return hash_err(arena, artifact, is, artifact->strong);
    }
    for (size_t k = 0; artifact->demanded_len && k < sizeof sizes / sizeof *sizes; k++) {
        struct str is = {0};
        for (int32_t i = 0; i < artifact->demanded_len; i++) {
            struct str hex = artifact->demanded[i];
            (void)str_cut(&hex, ':');
            if (hex.len != 2 * sizes[k]) continue;
            if (!is.len) is = store_file_digest(arena, path, sizes[k]);
            if (str_eq_nocase(is, hex)) return NULL;
        }
    }
    if (artifact->demanded_len == 0) return NULL;
    return err_make(arena, ERR_HASH, "%.*s has none of the hashes that were asked for", FMT(artifact->filename));
}

/* The hash by which the cache of wheels knows a file. */
static struct str key_of(const struct artifact *artifact) {
    return artifact->sha256.len ? artifact->sha256 : artifact->strong;
}

static struct str note_identity(struct arena *arena, struct str key) {
    return str_format(arena, "note of a whole file, 1 %.*s", FMT(key));
}

/* True if the cached file of a job is the very one that was noted, not long ago. */
static bool is_noted(struct arena *arena, const struct job *job) {
    struct str bytes;
    struct note note;
    struct fs_stat now;
    struct str identity = note_identity(arena, key_of(job->artifact));
    if (!store_unseal(fs_real(), arena, job->note, identity, sizeof note, &bytes) || bytes.len != sizeof note)
        return false;
    memcpy(&note, bytes.data, sizeof note);
    if (fs_stat(fs_real(), arena, job->cached, false, &now) || !now.is_file) return false;
    int64_t age = sys_now_ns() - note.hashed_ns;
    return age >= 0 && age < NOTE_NS && now.inode == note.inode && now.size == note.size &&
           now.mtime_ns == note.mtime_ns;
}

/* Looks whether the cached file of a job is whole, on one of several threads: by its note, else it is hashed again. */
static struct err *look_at_cached(void *self, struct arena *arena, int32_t i) {
    struct job *job = &((struct job *)self)[i];
    if (!job->cached.len) return NULL;
    job->cached_found = job->cached_whole = is_noted(arena, job);
    if (job->cached_whole) return NULL;
    struct str key = key_of(job->artifact), is = store_file_digest(arena, job->cached, (int32_t)key.len / 2);
    job->cached_found = is.len > 0;
    job->cached_whole = str_eq(is, key);
    return NULL;
}

static void places_find(const struct index *index, struct job *job) {
    struct str key = key_of(job->artifact);
    if (!index->cache.len || !key.len) return;
    job->cached = index_cache_path(index, index->arena, "wheels", key);
    job->note = index_cache_path(index, index->arena, "wheels-notes", key);
}

/* Looks for all of them in the cache. One that is damaged is removed. */
static struct err *look_in_cache(struct index *index, struct job *jobs, int32_t len) {
    if (!index->cache.len) return NULL;
    for (int32_t i = 0; i < len; i++) places_find(index, &jobs[i]);
    const struct workers_step step = {.self = jobs, .run = look_at_cached};
    TRY(workers_run(index->arena, &step, len));
    for (int32_t i = 0; i < len; i++)
        if (jobs[i].cached_found && !jobs[i].cached_whole) store_remove(index->arena, jobs[i].cached);
    return NULL;
}

static struct err *settle(struct index *index, struct job *job, const struct http_response *response) {
    const struct artifact *artifact = job->artifact;
    struct err *err = NULL;
    if (response->err || response->status != 200) return index_answer_err(index, response, artifact->url);
    if (artifact->sha256.len && !str_eq(artifact->sha256, response->sha256))
        err = hash_err(index->arena, artifact, str_copy(index->arena, response->sha256), artifact->sha256);
    else if (artifact->size >= 0 && response->size != artifact->size)
        err = err_make(index->arena, ERR_HASH, "%.*s has %" PRId64 " bytes, but the index gives %" PRId64,
                       FMT(artifact->filename), response->size, artifact->size);
    if (!err) err = check_more(index->arena, artifact, job->path);
    if (!err && !key_of(artifact).len && !artifact->demanded_len) err = index_check_secure(index, response->url);
    if (err) {
        store_remove(index->arena, job->path);
        return err;
    }
    job->made = true;
    struct str key = key_of(artifact);
    if (index->cache.len && key.len && !index->cache_broken)
        (void)store_link(index->arena, job->path, index_cache_path(index, index->arena, "wheels", key), COPY_MAX);
    return NULL;
}

static struct err *start(struct index *index, struct job *job, int32_t *open) {
    const struct artifact *artifact = job->artifact;
    struct str local;
    job->made = job->cached_whole && store_link(index->arena, job->cached, job->path, COPY_MAX);
    if (job->made) return check_more(index->arena, artifact, job->path);
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
                 .url = url, .limit = limit, .path = job->path, .checked = key_of(artifact).len > 0, .user = job});
    ++*open;
    return NULL;
}

/* Asks for all and takes the answers until all are there. */
static struct err *receive(struct index *index, struct job *jobs, int32_t len, const struct index_arrivals *arrivals) {
    struct http_response response;
    struct err *err = NULL;
    int32_t next = 0, open = 0;
    for (;;) {
        while (!err && next < len && open < AT_ONCE_MAX) err = start(index, &jobs[next++], &open);
        if (err || open == 0 || !http_next(index->http, &response)) break;
        struct job *job = response.user;
        open--;
        err = settle(index, job, &response);
        if (!err && arrivals) arrivals->tell(arrivals->self, job->number);
    }
    if (!err && open > 0) err = signals_check(index->arena);
    if (!err && open > 0) err = err_make(index->arena, ERR_NETWORK, "the downloads ended early");
    return err;
}

/* The largest come first: what comes last is soon unpacked. Those whose size is not known may be large. */
static int job_order(const void *a, const void *b) {
    const struct job *x = a, *y = b;
    int64_t left = x->artifact->size < 0 ? INT64_MAX : x->artifact->size;
    int64_t right = y->artifact->size < 0 ? INT64_MAX : y->artifact->size;
    if (left != right) return left > right ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

struct err *index_download_all(struct index *index, const struct artifact *const *artifacts, const struct str *paths,
                               int32_t len, const struct index_arrivals *arrivals) {
    struct job *jobs = arena_new(index->arena, struct job, len);
    struct index_downloads downloads = {.jobs = jobs, .len = len, .begin_ms = clock_ms()};
    for (int32_t i = 0; i < len; i++) jobs[i] = (struct job){.artifact = artifacts[i], .number = i, .path = paths[i]};
    if (len) qsort(jobs, (size_t)len, sizeof *jobs, job_order);
    TRY(look_in_cache(index, jobs, len));
    for (int32_t i = 0; i < len; i++)
        if (!jobs[i].cached_whole && jobs[i].artifact->size > 0) downloads.total += jobs[i].artifact->size;
    if (index->http) downloads.before = http_received(index->http);
    index->downloads = &downloads;
    struct err *err = receive(index, jobs, len, arrivals);
    index->downloads = NULL;
    if (!err) return NULL;
    index_http_drop(index);
    for (int32_t i = 0; i < len; i++)
        if (jobs[i].made) store_remove(index->arena, jobs[i].path);
    return err;
}

struct err *index_download(struct index *index, const struct artifact *artifact, struct str path) {
    return index_download_all(index, &artifact, &path, 1, NULL);
}

void index_download_note(struct index *index, const struct artifact *artifact, int fd) {
    struct job job = {.artifact = artifact};
    struct sys_stat whole, cached;
    places_find(index, &job);
    if (!job.cached.len || index->cache_broken || is_noted(index->arena, &job)) return;
    if (sys_stat_at(sys_real(), fd, "", &whole) || whole.type != SYS_FILE) return;
    if (sys_stat_known(sys_real(), str_copy_z(index->arena, job.cached), &cached)) return;
    if (cached.inode != whole.inode || cached.device != whole.device) return;
    const struct note note = {whole.inode, whole.size, whole.mtime_ns, sys_now_ns()};
    struct str bytes = {(const char *)&note, sizeof note};
    (void)store_seal(index->arena, job.note, note_identity(index->arena, key_of(artifact)), bytes);
}
