/* Pages of projects: from the cache while they are fresh, else from the indexes in their order, all at once. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "base/json.h"

/* A page that is wanted. */
struct job {
    struct project_id id;
    struct str name;
    struct str url; /* where it is asked for now */
    struct str headers[3];
    int32_t headers_len;
    int32_t place;    /* which index is asked */
    bool done, found; /* found: `page` is what the pool gets */
    struct index_packed page;
    VEC(struct index_packed) pages; /* what the indexes that were asked so far have, the first one first */
    bool more;                      /* another index may add to the first one's page */
    bool have_stale;                /* the cache has a page that the server may confirm, and that serves without one */
    struct index_page_facts stale;  /* of that page */
    struct err *err;
    bool unreachable;
};

struct index_pages {
    struct job *items;
    int32_t len, open;
    int32_t total; /* of `open`, at first */
};

struct err *index_page_parse(struct arena *arena, struct str text, struct str content_type, struct simple_page *ret) {
    struct str type = str_trim(str_cut(&content_type, ';'));
    bool json = str_ends(type, S("json"));
    if (type.len == 0 || (!json && str_find(type, S("html")) < 0))
        json = str_starts(str_trim(str_slice(text, 0, 4096)), S("{"));
    return json ? simple_parse_json(arena, text, ret) : simple_parse_html(arena, text, ret);
}

struct err *index_page_check(struct arena *arena, const struct simple_page *page, struct str url) {
    if ((url.len + page->base.len) * page->len <= INDEX_BASES_MAX) return NULL;
    return err_make(arena, ERR_LIMIT, "the page's own URL is too long for the number of files that it lists");
}

/* Makes `packed` the page that the pool gets. Of a page that nothing else is put together with that is a view: what the
 * plan may choose from, a small part of what the page says. */
static void hold(struct index *index, struct pool *pool, struct job *job, const struct index_packed *packed,
                 struct str url) {
    struct index_kin kin = index_packed_kin(packed);
    job->found = true;
    job->more = job->more || index->best_match || kin.tracks.len || kin.alternates.len;
    if (job->more || index->linked.len || index->options.record_dir.len)
        job->page.bytes = str_copy(pool->arena, packed->bytes);
    else job->page = index_view(index, pool->arena, job->name, packed, url);
}

/* Keeps a page, or that there is none. */
static struct index_packed keep_page(struct index *index, struct arena *arena, const struct job *job,
                                     const struct simple_page *page, const struct http_response *response) {
    int64_t fresh = response->max_age >= 0 ? response->max_age : INDEX_PAGE_FRESH_S;
    if (fresh > INDEX_PAGE_FRESH_MAX_S) fresh = INDEX_PAGE_FRESH_MAX_S;
    struct index_page_facts facts = {response->url, response->etag,     response->last_modified,
                                     index->now,    index->now + fresh, response->status != 200};
    if (facts.absent)
        facts = (struct index_page_facts){.url = http_strip(arena, job->url),
                                          .fetched = index->now,
                                          .fresh_until = index->now + INDEX_PAGE_FRESH_S,
                                          .absent = true};
    struct index_packed packed = index_pack(arena, job->name, page, &facts);
    index_cache_write(index, "pages", index_identity(index->arena, job->url), packed.bytes);
    return packed;
}

/* Finds the page of a directory on this machine, if there is one. */
static struct err *try_local(struct index *index, struct pool *pool, struct job *job, struct str path, bool *ret) {
    struct simple_page page = {0};
    struct arena *scratch = arena_open();
    struct err *err = index_local_page(index, scratch, path_join(scratch, path, job->name), &page, ret);
    if (!err && *ret) {
        struct index_page_facts facts = {.url = index_local_url(scratch, path)};
        struct index_packed packed = index_pack(scratch, job->name, &page, &facts);
        hold(index, pool, job, &packed, (struct str){0});
    }
    err = err_copy(index->arena, err);
    arena_close(scratch);
    return err;
}

static void ask(struct index *index, struct job *job) {
    job->headers_len = 0;
    job->headers[job->headers_len++] =
        S("Accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01");
    if (job->have_stale) {
        const struct index_page_facts *facts = &job->stale;
        if (facts->etag.len && !facts->absent)
            job->headers[job->headers_len++] = str_format(index->arena, "If-None-Match: %.*s", FMT(facts->etag));
        else if (facts->last_modified.len && !facts->absent)
            job->headers[job->headers_len++] =
                str_format(index->arena, "If-Modified-Since: %.*s", FMT(facts->last_modified));
    }
    http_add(index->http, &(struct http_request){.url = job->url,
                                                 .headers = job->headers,
                                                 .headers_len = job->headers_len,
                                                 .limit = INDEX_PAGE_MAX,
                                                 .user = job,
                                                 .tag = INDEX_TAG_PAGE});
}

static bool is_fresh(const struct index *index, const struct index_page_facts *facts) {
    return facts->fetched <= index->now && index->now < facts->fresh_until && !index->options.refresh;
}

/* The page's view: most of a page is about files that would never be installed here. */
static bool try_view(struct index *index, struct pool *pool, struct job *job) {
    struct str bytes;
    if (index->linked.len || index->options.record_dir.len || index->best_match) return false;
    struct str identity = index_view_identity(index, index->arena, job->url);
    if (!index_cache_read(index, pool->arena, "views", identity, INT32_MAX, &bytes)) return false;
    if (!index_packed_open(bytes, &job->page) || !index_packed_is_view(&job->page)) return false;
    struct index_page_facts facts = index_packed_facts(&job->page);
    job->found = is_fresh(index, &facts);
    return job->found;
}

/* The page at job->url that the cache has, however old. */
static bool read_cached(const struct index *index, struct arena *arena, const struct job *job,
                        struct index_packed *ret) {
    struct str bytes;
    return index_cache_read(index, arena, "pages", index_identity(arena, job->url), INT32_MAX, &bytes) &&
           index_packed_open(bytes, ret);
}

/* What the cache has for job->url. True if that settles it, or that this index has none (*absent). A page that has to
 * be asked for again is not kept in memory until the answer is there. */
static bool try_cache(struct index *index, struct pool *pool, struct job *job, bool *absent) {
    job->have_stale = false;
    *absent = false;
    if (try_view(index, pool, job)) return true;
    struct arena *scratch = arena_open();
    struct index_packed packed;
    bool settled = false;
    if (read_cached(index, scratch, job, &packed)) {
        struct index_page_facts facts = index_packed_facts(&packed);
        job->have_stale = true;
        job->stale = facts;
        job->stale.url = (struct str){0};
        job->stale.etag = str_copy(index->arena, facts.etag);
        job->stale.last_modified = str_copy(index->arena, facts.last_modified);
        settled = is_fresh(index, &facts) || index->options.offline;
        *absent = settled && facts.absent;
        if (settled && !*absent) hold(index, pool, job, &packed, job->url);
    }
    arena_close(scratch);
    return settled;
}

/* The indexes that may have the project, in their order. */
static const struct str *places_of(const struct index *index, const struct job *job, int32_t *ret_len) {
    const struct config *config = index->options.config;
    for (int32_t i = 0; i < config->pins_len && !index->options.no_index; i++) {
        if (!str_eq(config->pins[i].project, job->name)) continue;
        *ret_len = 1;
        return &config->pins[i].url;
    }
    *ret_len = index->places_len;
    return index->places;
}

static struct err *advance(struct index *index, struct pool *pool, struct index_pages *pages, struct job *job);

/* job->page is what an index has. The first one is all there is, unless all indexes count alike, or it says that
 * another one has files of the same project. */
static struct err *take(struct index *index, struct pool *pool, struct index_pages *pages, struct job *job) {
    if (!job->more) {
        job->done = true;
        return NULL;
    }
    *vec_push(pool->arena, &job->pages) = job->page;
    job->place++;
    return advance(index, pool, pages, job);
}

/* Goes on at job->place until something is asked for or the job is settled. */
static struct err *advance(struct index *index, struct pool *pool, struct index_pages *pages, struct job *job) {
    int32_t len;
    const struct str *places = places_of(index, job, &len);
    for (; job->place < len; job->place++) {
        struct str place = places[job->place], path;
        if (index_local_path(pool->arena, place, &path)) {
            bool there = false;
            TRY(try_local(index, pool, job, path, &there));
            if (there) return take(index, pool, pages, job);
            continue;
        }
        bool absent;
        job->url = str_format(index->arena, "%.*s/%.*s/", FMT(place), FMT(job->name));
        if (try_cache(index, pool, job, &absent)) {
            if (absent) continue;
            return take(index, pool, pages, job);
        }
        if (index->options.offline) {
            /* Whether this index has the project is not known: another one may not stand in for it. */
            job->done = job->unreachable = true;
            job->found = false;
            return NULL;
        }
        TRY(index_http(index));
        ask(index, job);
        pages->open++;
        return NULL;
    }
    job->done = true;
    return NULL;
}

/* The server says that what the cache has is still right. */
static struct err *confirm(struct index *index, struct pool *pool, struct index_pages *pages, struct job *job,
                           const struct http_response *response) {
    struct arena *scratch = arena_open();
    struct index_packed packed;
    struct index_page_facts facts = {0};
    bool same = read_cached(index, scratch, job, &packed);
    if (same) facts = index_packed_facts(&packed);
    same = same && str_eq(facts.etag, job->stale.etag) && str_eq(facts.last_modified, job->stale.last_modified);
    if (same) {
        int64_t fresh = response->max_age >= 0 ? response->max_age : INDEX_PAGE_FRESH_S;
        facts.fetched = index->now;
        facts.fresh_until = index->now + (fresh > INDEX_PAGE_FRESH_MAX_S ? INDEX_PAGE_FRESH_MAX_S : fresh);
        packed = index_packed_renew(scratch, &packed, &facts);
        index_cache_write(index, "pages", index_identity(scratch, job->url), packed.bytes);
        hold(index, pool, job, &packed, job->url);
    }
    arena_close(scratch);
    if (same) return take(index, pool, pages, job);
    /* Somebody changed the cache meanwhile: what the server confirmed is not there any more. */
    job->have_stale = false;
    ask(index, job);
    pages->open++;
    return NULL;
}

/* Takes what the cache has, however old; false where it is not there any more. */
static bool hold_stale(struct index *index, struct pool *pool, struct job *job) {
    struct arena *scratch = arena_open();
    struct index_packed packed;
    bool there = read_cached(index, scratch, job, &packed) && !index_packed_facts(&packed).absent;
    if (there) hold(index, pool, job, &packed, job->url);
    arena_close(scratch);
    return there;
}

/* The page cannot be had. An older copy serves where the server is ill; without one nothing is known of the project,
 * whatever other indexes have. */
static struct err *fail(struct index *index, struct pool *pool, struct index_pages *pages, struct job *job,
                        struct err *err, bool unreachable) {
    if (job->have_stale && unreachable && !job->stale.absent && hold_stale(index, pool, job)) {
        int64_t fetched = job->stale.fetched;
        if (index->stats.old_pages++ == 0 || fetched < index->stats.oldest) index->stats.oldest = fetched;
        return take(index, pool, pages, job);
    }
    job->err = err;
    job->unreachable = unreachable;
    job->done = true;
    job->found = false;
    return NULL;
}

/* Takes what came. What it is parsed into is many times as large as what the pool gets, and goes. */
static struct err *read_page(struct index *index, struct pool *pool, struct job *job,
                             const struct http_response *response) {
    struct simple_page page = {0};
    struct arena *scratch = arena_open();
    struct err *err = index_page_parse(scratch, response->body, response->content_type, &page);
    if (!err) err = index_page_check(scratch, &page, response->url);
    if (!err) {
        struct index_packed packed = keep_page(index, scratch, job, &page, response);
        hold(index, pool, job, &packed, job->url);
    }
    err = err_copy(index->arena, err);
    arena_close(scratch);
    return err;
}

static struct err *settle(struct index *index, struct pool *pool, struct index_pages *pages, struct job *job,
                          const struct http_response *response) {
    struct simple_page page = {0};
    bool absent = !response->err && (response->status == 404 || response->status == 410);
    if (!response->err && response->status == 304 && job->have_stale) {
        return confirm(index, pool, pages, job, response);
    }
    if (absent) {
        (void)keep_page(index, index->arena, job, &page, response);
        job->place++;
        return advance(index, pool, pages, job);
    }
    if (response->err || response->status != 200) {
        index->unreachable = index->unreachable || response->unreachable;
        return fail(index, pool, pages, job, index_answer_err(index, response, job->url),
                    response->unreachable || response->status >= 500);
    }
    struct err *err = index_check_secure(index, response->url); /* it may have been sent elsewhere */
    if (err) return fail(index, pool, pages, job, err, false);
    err = read_page(index, pool, job, response);
    if (err) {
        struct str masked = http_mask(index->arena, job->url);
        struct err *outer = err_make(index->arena, ERR_INDEX, "%.*s is no page of an index", FMT(masked));
        return fail(index, pool, pages, job, err_because(outer, err), false);
    }
    return take(index, pool, pages, job);
}

/* The recorded page, where there is one. */
static struct err *try_recorded(struct index *index, struct pool *pool, struct job *job) {
    static const char *const forms[] = {"json", "html"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct str text;
        struct simple_page page;
        struct str file = str_format(pool->arena, "%.*s.%s", FMT(job->name), forms[i]);
        if (!index_recorded_read(index, pool->arena, "simple", file, INDEX_PAGE_MAX, &text)) continue;
        TRY(index_page_parse(pool->arena, text, (struct str){0}, &page));
        struct index_page_facts facts = {.url = index->places_len ? index->places[0] : (struct str){0}};
        job->page = index_pack(pool->arena, job->name, &page, &facts);
        job->found = true;
        return NULL;
    }
    return NULL;
}

/* The page as JSON, as `recorded` wants it. */
static void record_page(struct index *index, struct arena *arena, const struct job *job) {
    if (!index->options.record_dir.len) return;
    struct simple_page page = index_unpack(arena, &job->page);
    struct buf buf = {.arena = arena};
    struct json_writer w = {.buf = &buf, .indent = 1};
    json_begin_object(&w);
    json_key_string(&w, S("name"), job->name);
    json_key(&w, S("files"));
    json_begin_array(&w);
    for (int32_t i = 0; i < page.len; i++) {
        const struct simple_file *file = &page.files[i];
        json_begin_object(&w);
        json_key_string(&w, S("filename"), file->filename);
        json_key_string(&w, S("url"), http_strip(arena, file->url));
        json_key(&w, S("hashes"));
        json_begin_object(&w);
        if (file->sha256.len) json_key_string(&w, S("sha256"), file->sha256);
        if (file->strong.len) json_key_string(&w, simple_hash_name(file->strong), file->strong);
        json_end_object(&w);
        if (file->requires_python.len) json_key_string(&w, S("requires-python"), file->requires_python);
        if (file->size >= 0) json_key_int(&w, S("size"), file->size);
        if (file->uploaded != INT64_MIN)
            json_key_string(&w, S("upload-time"), simple_date_format(arena, file->uploaded));
        if (file->yanked) json_key_string(&w, S("yanked"), file->yanked_reason);
        if (file->has_metadata) json_key_bool(&w, S("core-metadata"), true);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    index_record(index, "simple", str_format(arena, "%.*s.json", FMT(job->name)), buf_str(&buf));
}

/* True if one of the lines is `url`. */
static bool names_page(struct str lines, struct str url) {
    struct str line;
    while (str_ends(url, S("/"))) url.len--;
    while (url.len && str_line(&lines, &line)) {
        while (str_ends(line, S("/"))) line.len--;
        if (str_eq(line, url)) return true;
    }
    return false;
}

/* PEP 708: two pages are of the same project if one index says that it tracks the other, or if both pages name each
 * other. */
static bool is_kin(const struct index_packed *first, const struct index_packed *other) {
    struct index_kin of_first = index_packed_kin(first), of_other = index_packed_kin(other);
    struct str first_url = index_packed_facts(first).url, other_url = index_packed_facts(other).url;
    if (names_page(of_first.tracks, other_url) || names_page(of_other.tracks, first_url)) return true;
    return names_page(of_first.alternates, other_url) && names_page(of_other.alternates, first_url);
}

/* Puts what several indexes have of the project together; of the same version the first index's files count first. */
static void merge(struct index *index, struct pool *pool, struct job *job) {
    const struct index_packed *first = &job->pages.data[0];
    struct index_page_facts facts = {0};
    int32_t len = 0, taken = 0;
    for (ptrdiff_t i = 0; i < job->pages.len; i++) len += index_unpack(pool->arena, &job->pages.data[i]).len;
    struct simple_file *files = arena_new(pool->arena, struct simple_file, len);
    struct simple_page all = index_unpack(pool->arena, first);
    len = 0;
    for (ptrdiff_t i = 0; i < job->pages.len; i++) {
        if (i > 0 && !index->best_match && !is_kin(first, &job->pages.data[i])) continue;
        struct simple_page page = index_unpack(pool->arena, &job->pages.data[i]);
        for (int32_t k = 0; k < page.len; k++) files[len++] = page.files[k];
        all.quarantined = all.quarantined || page.quarantined;
        taken++;
    }
    job->page = *first;
    if (taken == 1) return;
    all.files = files;
    all.len = len;
    job->page = index_pack(pool->arena, job->name, &all, &facts);
}

/* Adds the files of find-links to what the indexes have. */
static void add_links(struct index *index, struct pool *pool, struct job *job) {
    if (!index->linked.len) return;
    struct simple_page linked = index_linked_files(index, pool->arena, job->name);
    if (!linked.len) return;
    struct simple_page page = job->found ? index_unpack(pool->arena, &job->page) : (struct simple_page){0};
    struct simple_file *files = arena_new(pool->arena, struct simple_file, linked.len + page.len);
    for (int32_t i = 0; i < linked.len; i++) files[i] = linked.files[i];
    for (int32_t i = 0; i < page.len; i++) files[linked.len + i] = page.files[i];
    page.files = files;
    page.len += linked.len;
    struct index_page_facts facts = {0};
    struct index_packed packed = index_pack(pool->arena, job->name, &page, &facts);
    if (index_packed_releases(&packed) == 0) return;
    job->page = packed;
    job->found = true;
}

static struct err *finish(struct index *index, struct pool *pool, struct job *job) {
    if (!job->found && job->unreachable) TRY(try_recorded(index, pool, job));
    if (job->found && job->pages.len && job->more) merge(index, pool, job);
    if (!job->err || !job->more) add_links(index, pool, job);
    if (job->found) {
        record_page(index, pool->arena, job);
        index_load(index, pool, job->id, &job->page);
        return NULL;
    }
    if (job->err) return job->err;
    if (index->options.offline && job->unreachable) {
        struct err *err = err_make(index->arena, ERR_NETWORK, "the page of %.*s is not in the cache", FMT(job->name));
        return err_hint(index->arena, err, "without --offline it would be fetched");
    }
    pool->projects.data[job->id.n].page = PAGE_ABSENT;
    return NULL;
}

struct err *index_pages_begin(struct index *index, struct pool *pool, const struct needs *needs,
                              struct index_pages **ret) {
    struct index_pages *pages = arena_new(index->arena, struct index_pages, 1);
    pages->items = arena_new(index->arena, struct job, needs->len);
    for (int32_t i = 0; i < needs->len; i++) {
        struct project *project = &pool->projects.data[needs->items[i].project.n];
        if (needs->items[i].release >= 0 || project->page != PAGE_UNKNOWN) continue;
        pages->items[pages->len++] = (struct job){.id = needs->items[i].project, .name = project->name};
    }
    if (pages->len) TRY(index_list_links(index));
    index->stats.pages += pages->len;
    for (int32_t i = 0; i < pages->len; i++) TRY(advance(index, pool, pages, &pages->items[i]));
    pages->total = pages->open;
    *ret = pages;
    return NULL;
}

int32_t index_pages_open(const struct index_pages *pages) {
    return pages->open;
}

struct err *index_pages_settle(struct index *index, struct pool *pool, struct index_pages *pages,
                               const struct http_response *response) {
    pages->open--;
    TRY(settle(index, pool, pages, response->user, response));
    int32_t done = pages->total > pages->open ? pages->total - pages->open : 0;
    index_progress(index, S("pages"), done, pages->total);
    return NULL;
}

struct err *index_pages_end(struct index *index, struct pool *pool, struct index_pages *pages) {
    for (int32_t i = 0; i < pages->len; i++) TRY(finish(index, pool, &pages->items[i]));
    return NULL;
}
