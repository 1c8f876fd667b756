/*
 * Metadata of releases, the cheapest way first: the cache, a neighbour's file where the page's hash tells that it is
 * the same but for the version (index_twin.c), the file beside the artifact (PEP 658), the last bytes of the wheel,
 * more of the wheel, all of it; of an sdist all of it, and where that is too large its head (setuptools sorts the
 * files, so that PKG-INFO is among the first).
 */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "os/digest.h"

#include <stdlib.h>

enum step { STEP_FILE, STEP_TAIL, STEP_SPAN, STEP_WHOLE, STEP_SDIST, STEP_HEAD };

/* Metadata that are wanted. */
struct job {
    struct project_id id;
    int32_t release;
    struct artifact artifact;
    struct str url;      /* what is asked for now */
    struct str identity; /* in the cache; empty: it comes from there, or is not kept */
    enum step step;
    int64_t size;           /* of the wheel, once it is known */
    int32_t tails;          /* how often its end was asked for */
    struct zip_entry entry; /* STEP_SPAN: METADATA */
    bool waits;             /* for the file of a neighbour, which may stand for it */
    bool fetched;
    bool done, found;
    struct index_document document;
    struct err *err; /* why it cannot be had; with `fatal` because a server failed, not the file */
    bool fatal, unreachable;
};

struct index_files {
    struct job *items;
    int32_t len, open;
    int32_t total;       /* of `open`, when it was last asked for more */
    struct job **sorted; /* by project and release */
};

enum {
    TWIN_NEAR = 4,   /* releases at most so far apart are asked for one after the other */
    TWIN_STRIDE = 8, /* of a row of these one in so many is asked for at first */
    TWIN_FEW = 1,    /* so few are asked for at once */
};

static void ask(struct index *index, struct index_files *files, struct job *job, enum step step, struct str range) {
    job->step = step;
    job->url =
        step == STEP_FILE ? str_format(index->arena, "%.*s.metadata", FMT(job->artifact.url)) : job->artifact.url;
    http_add(index->http, &(struct http_request){
                              .url = job->url,
                              .range = range,
                              .limit = step == STEP_FILE ? INDEX_METADATA_MAX : INDEX_WHOLE_MAX,
                              .hash = step == STEP_FILE || (job->artifact.sha256.len > 0 && !range.len),
                              .user = job,
                              .tag = INDEX_TAG_METADATA,
                          });
    files->open++;
}

static void ask_tail(struct index *index, struct index_files *files, struct job *job, int64_t len) {
    job->tails++;
    ask(index, files, job, STEP_TAIL, str_format(index->arena, "-%lld", (long long)len));
}

static void give_up(struct job *job, struct err *err) {
    job->err = err;
    job->done = true;
}

static void succeed(struct job *job, struct arena *arena, struct index_document document) {
    job->document.text = index_header_block(arena, document.text);
    job->document.requires_txt = document.requires_txt.data ? str_copy(arena, document.requires_txt) : (struct str){0};
    job->document.sha256 = str_copy(arena, document.sha256);
    job->done = job->found = true;
}

/* All of a file is here. */
static void read_whole(struct index *index, struct pool *pool, struct job *job, struct str bytes) {
    struct index_document document = {0};
    struct err *err;
    if (job->artifact.sdist) {
        err = index_sdist_read(index->arena, bytes, job->step != STEP_HEAD, &document);
    } else {
        enum index_wheel_want want;
        int64_t from, to;
        err = index_wheel_tail(index->arena, bytes, bytes.len, &document.text, &want, &from, &to, &job->entry);
        if (!err && want != INDEX_WHEEL_DONE) err = err_make(index->arena, ERR_WHEEL, "it is cut off");
    }
    if (err) give_up(job, err);
    else succeed(job, pool->arena, document);
}

/* A file of this machine: no server to ask. */
static void read_local(struct index *index, struct pool *pool, struct job *job, struct str path) {
    struct str bytes;
    struct arena *scratch = arena_open();
    struct err *err = fs_read(index->fs, scratch, path, INDEX_WHOLE_MAX, &bytes);
    if (err) give_up(job, err_make(index->arena, err->kind, "%.*s", FMT(err->what)));
    else read_whole(index, pool, job, bytes);
    arena_close(scratch);
}

static bool try_recorded(struct index *index, struct pool *pool, struct job *job) {
    struct str text, name = job->artifact.filename;
    struct str file = str_format(pool->arena, "%.*s.metadata", FMT(name));
    if (!index_recorded_read(index, pool->arena, "metadata", file, INDEX_METADATA_MAX, &text)) return false;
    job->document = (struct index_document){.text = index_header_block(pool->arena, text)};
    file = str_format(pool->arena, "%.*s.requires.txt", FMT(name));
    if (job->artifact.sdist && index_recorded_read(index, pool->arena, "metadata", file, INDEX_METADATA_MAX, &text))
        job->document.requires_txt = text.data ? text : S("");
    job->done = job->found = true;
    job->err = NULL;
    return true;
}

static struct err *begin(struct index *index, struct pool *pool, struct index_files *files, struct job *job) {
    struct str bytes, path;
    struct artifact *artifact = &job->artifact;
    if (index_local_path(index->arena, artifact->url, &path)) {
        read_local(index, pool, job, path);
        return NULL;
    }
    struct str place = index_identity(index->arena, artifact->url);
    job->identity = str_format(index->arena, "%.*s %.*s%s%.*s", FMT(place), FMT(artifact->sha256),
                               artifact->strong.len ? " " : "", FMT(artifact->strong));
    if (index_cache_read(index, pool->arena, "metadata", job->identity, 2 * INDEX_METADATA_MAX, &bytes) &&
        index_document_open(bytes, &job->document)) {
        job->done = job->found = true;
        job->identity = (struct str){0};
        return NULL;
    }
    if (index->options.offline) {
        give_up(job, err_make(index->arena, ERR_NETWORK, "the metadata of %.*s are not in the cache",
                              FMT(artifact->filename)));
        job->unreachable = job->fatal = true;
        return NULL;
    }
    TRY(index_http(index));
    struct index_host *host = index_host(index, artifact->url);
    job->waits = artifact->has_metadata && artifact->metadata_sha256.len > 0 && !artifact->sdist;
    if (job->waits) return NULL;
    if (artifact->has_metadata || (!artifact->sdist && !host->metadata_lacking))
        ask(index, files, job, STEP_FILE, (struct str){0});
    else if (artifact->sdist) ask(index, files, job, STEP_SDIST, (struct str){0});
    else ask_tail(index, files, job, INDEX_TAIL);
    return NULL;
}

static struct str job_version(const struct pool *pool, const struct job *job) {
    return pool->projects.data[job->id.n].releases[job->release].version.text;
}

static void settle_file(struct index *index, struct pool *pool, struct index_files *files, struct job *job,
                        const struct http_response *response) {
    struct index_host *host = index_host(index, job->artifact.url);
    if (response->status == 200 && response->size > 0) {
        if (!job->artifact.has_metadata) index_host_learn(index, host, true);
        struct str promised = job->artifact.metadata_sha256;
        if (promised.len && !str_eq(promised, response->sha256))
            give_up(job, err_make(index->arena, ERR_HASH, "its metadata file has not the hash that the index gives"));
        else succeed(job, pool->arena, (struct index_document){.text = response->body, .sha256 = response->sha256});
        if (job->found && promised.len)
            index_twin_keep(index, job->id, job->release, job_version(pool, job), response->body);
        return;
    }
    if (!job->artifact.has_metadata) index_host_learn(index, host, false);
    if (job->artifact.sdist) ask(index, files, job, STEP_SDIST, (struct str){0});
    else ask_tail(index, files, job, INDEX_TAIL);
}

static void settle_tail(struct index *index, struct pool *pool, struct index_files *files, struct job *job,
                        const struct http_response *response) {
    enum index_wheel_want want;
    int64_t from = 0, to = 0;
    struct index_document document = {0};
    bool part = response->status == 206;
    int64_t size = part ? response->range_total : response->body.len;
    if (part && (size < 0 || response->range_first < 0 || size - response->body.len != response->range_first)) {
        ask(index, files, job, STEP_WHOLE, (struct str){0});
        return;
    }
    if (!part) {
        read_whole(index, pool, job, response->body);
        return;
    }
    struct err *err =
        index_wheel_tail(index->arena, response->body, size, &document.text, &want, &from, &to, &job->entry);
    job->size = size;
    if (err) give_up(job, err);
    else if (want == INDEX_WHEEL_DONE) succeed(job, pool->arena, document);
    else if (want == INDEX_WHEEL_TAIL && (from <= response->body.len || job->tails == INDEX_TAILS_MAX))
        give_up(job, err_make(index->arena, ERR_WHEEL, "its directory cannot be found"));
    else if (want == INDEX_WHEEL_TAIL) ask_tail(index, files, job, from);
    else ask(index, files, job, STEP_SPAN, str_format(index->arena, "%lld-%lld", (long long)from, (long long)to - 1));
}

static void settle_span(struct index *index, struct pool *pool, struct index_files *files, struct job *job,
                        const struct http_response *response) {
    if (response->status == 200) {
        read_whole(index, pool, job, response->body);
        return;
    }
    if (response->range_first != job->entry.offset) {
        ask(index, files, job, STEP_WHOLE, (struct str){0});
        return;
    }
    struct index_document document = {0};
    struct err *err = zip_extract(index->arena, &job->entry, response->body, INDEX_METADATA_MAX, &document.text);
    if (err) give_up(job, err);
    else succeed(job, pool->arena, document);
}

/* An answer without the file: gone, or a server that is ill. */
static void settle_failure(struct index *index, struct index_files *files, struct job *job,
                           const struct http_response *response) {
    bool ranged = job->step == STEP_TAIL || job->step == STEP_SPAN;
    if (!response->err && ranged && (response->status == 416 || response->status == 501)) {
        ask(index, files, job, STEP_WHOLE, (struct str){0});
        return;
    }
    bool too_large = response->err && response->err->kind == ERR_LIMIT;
    if (too_large && job->step == STEP_SDIST) {
        ask(index, files, job, STEP_HEAD, str_format(index->arena, "0-%d", INDEX_HEAD - 1));
        return;
    }
    index->unreachable = index->unreachable || response->unreachable;
    bool gone = !response->err && (response->status == 404 || response->status == 410);
    job->fatal = !gone && !too_large;
    job->unreachable = response->unreachable || response->status >= 500;
    give_up(job, index_answer_err(index, response, job->url));
}

/* True if a whole file has the hashes that its page gives. */
static bool is_promised(struct arena *scratch, const struct artifact *artifact, const struct http_response *response) {
    struct arena_mark mark = arena_mark(scratch);
    bool same = !artifact->sha256.len || str_eq(artifact->sha256, response->sha256);
    if (artifact->strong.len) {
        struct str bytes = digest_make(scratch, response->body, (int32_t)artifact->strong.len / 2);
        same = same && str_eq(artifact->strong, digest_hex(scratch, bytes));
    }
    arena_rewind(scratch, mark);
    return same;
}

static void settle(struct index *index, struct pool *pool, struct index_files *files, struct job *job,
                   const struct http_response *response) {
    bool ok = !response->err && (response->status == 200 || response->status == 206);
    if (job->step == STEP_FILE && !response->err && response->status < 500 && response->status != 429) {
        settle_file(index, pool, files, job, response);
    } else if (!ok) {
        settle_failure(index, files, job, response);
    } else if (job->step == STEP_TAIL) {
        settle_tail(index, pool, files, job, response);
    } else if (job->step == STEP_SPAN) {
        settle_span(index, pool, files, job, response);
    } else if (job->step == STEP_HEAD) {
        read_whole(index, pool, job, response->body);
    } else if (!is_promised(index->scratch, &job->artifact, response)) {
        give_up(job, err_make(index->arena, ERR_HASH, "it has not the hash that the index gives"));
    } else {
        read_whole(index, pool, job, response->body);
    }
}

static void record(struct index *index, const struct job *job) {
    struct str name = job->artifact.filename;
    if (!index->options.record_dir.len) return;
    index_record(index, "metadata", str_format(index->arena, "%.*s.metadata", FMT(name)), job->document.text);
    if (job->document.requires_txt.data)
        index_record(index, "metadata", str_format(index->arena, "%.*s.requires.txt", FMT(name)),
                     job->document.requires_txt);
}

/* Puts the result into the pool. */
static struct err *finish(struct index *index, struct pool *pool, struct job *job) {
    if (job->unreachable && !job->found) (void)try_recorded(index, pool, job);
    if (job->err && job->fatal) return job->err;
    struct project *project = &pool->projects.data[job->id.n];
    struct release *release = &project->releases[job->release];
    struct metadata *metadata = arena_new(pool->arena, struct metadata, 1);
    struct str version = release->version.text;
    bool unsure = false;
    if (job->found) {
        job->err = index_document_parse(pool->arena, &pool->known, &job->document, project->name, &release->version,
                                        job->artifact.sdist, metadata, &unsure);
        if (!job->err && job->identity.len)
            index_cache_write(index, "metadata", job->identity, index_document_format(index->arena, &job->document));
        if (!job->err) record(index, job);
    }
    if (job->err) {
        struct str why = err_format(index->arena, job->err);
        index_problem(index, str_format(index->arena, "%.*s %.*s is no candidate: %.*s", FMT(project->name),
                                        FMT(version), FMT(why)));
        release->meta_state = META_UNREADABLE;
        return NULL;
    }
    if (unsure)
        index_problem(index, str_format(index->arena, "requirements of %.*s %.*s (sdist) are known only after a build",
                                        FMT(project->name), FMT(version)));
    if (!release->artifact.metadata_sha256.len) release->artifact.metadata_sha256 = job->document.sha256;
    release->metadata = metadata;
    release->meta_state = META_KNOWN;
    release->unsure = unsure;
    return NULL;
}

static int job_order(const void *a, const void *b) {
    const struct job *x = *(struct job *const *)a, *y = *(struct job *const *)b;
    if (x->id.n != y->id.n) return x->id.n < y->id.n ? -1 : 1;
    return (x->release > y->release) - (x->release < y->release);
}

static void sort_jobs(struct index *index, struct index_files *files) {
    files->sorted = arena_new(index->arena, struct job *, files->len);
    for (int32_t i = 0; i < files->len; i++) files->sorted[i] = &files->items[i];
    qsort(files->sorted, (size_t)files->len, sizeof(struct job *), job_order);
}

/* Files that those which are here stand for. */
static void take_twins(struct index *index, struct pool *pool, struct index_files *files) {
    for (int32_t i = 0; i < files->len; i++) {
        struct job *job = &files->items[i];
        struct arena_mark mark = arena_mark(index->scratch);
        struct index_document document = {.sha256 = job->artifact.metadata_sha256};
        if (job->waits && index_twin_find(index, index->scratch, job->id, job->release, job_version(pool, job),
                                          document.sha256, &document.text)) {
            succeed(job, pool->arena, document);
            job->waits = false;
        }
        arena_rewind(index->scratch, mark);
    }
}

static void ask_waiting(struct index *index, struct index_files *files, struct job *job) {
    job->waits = false;
    job->fetched = true;
    ask(index, files, job, STEP_FILE, (struct str){0});
}

/* Asks for some files of those that wait: of each row of releases without a file between them one in TWIN_STRIDE. */
static void ask_some(struct index *index, struct index_files *files) {
    struct job **row = arena_new(index->arena, struct job *, files->len);
    for (int32_t i = 0; i < files->len;) {
        int32_t len = 0, first = i;
        for (; i < files->len; i++) {
            struct job *job = files->sorted[i];
            bool near = i == first || (job->id.n == files->sorted[i - 1]->id.n &&
                                       job->release - files->sorted[i - 1]->release <= TWIN_NEAR);
            if (!near || (job->fetched && i > first)) break;
            if (job->waits) row[len++] = job;
        }
        int32_t step = len <= TWIN_FEW ? 1 : TWIN_STRIDE;
        int32_t start = len <= TWIN_FEW ? 0 : (len < TWIN_STRIDE ? len : TWIN_STRIDE) / 2;
        for (int32_t k = start; k < len; k += step) ask_waiting(index, files, row[k]);
    }
}

static bool some_wait(const struct index_files *files) {
    for (int32_t i = 0; i < files->len; i++)
        if (files->items[i].waits) return true;
    return false;
}

struct err *index_files_begin(struct index *index, struct pool *pool, const struct needs *needs,
                              struct index_files **ret) {
    struct index_files *files = arena_new(index->arena, struct index_files, 1);
    files->items = arena_new(index->arena, struct job, needs->len);
    for (int32_t i = 0; i < needs->len; i++) {
        const struct need *need = &needs->items[i];
        const struct project *project = &pool->projects.data[need->project.n];
        if (need->release < 0 || need->release >= project->releases_len) continue;
        const struct release *release = &project->releases[need->release];
        if (release->meta_state != META_UNKNOWN) continue;
        files->items[files->len++] =
            (struct job){.id = need->project, .release = need->release, .artifact = release->artifact};
    }
    index->stats.metadata += files->len;
    for (int32_t i = 0; i < files->len; i++) TRY(begin(index, pool, files, &files->items[i]));
    sort_jobs(index, files);
    *ret = files;
    return NULL;
}

int32_t index_files_open(struct index *index, struct pool *pool, struct index_files *files) {
    while (files->open == 0 && some_wait(files)) {
        take_twins(index, pool, files);
        ask_some(index, files);
    }
    if (files->total < files->open) files->total = files->open;
    return files->open;
}

void index_files_settle(struct index *index, struct pool *pool, struct index_files *files,
                        const struct http_response *response) {
    files->open--;
    settle(index, pool, files, response->user, response);
    int32_t done = files->total > files->open ? files->total - files->open : 0;
    index_progress(index, S("metadata"), done, files->total);
}

struct err *index_files_end(struct index *index, struct pool *pool, struct index_files *files) {
    for (int32_t i = 0; i < files->len; i++) TRY(finish(index, pool, &files->items[i]));
    return NULL;
}
