/* find-links and local indexes: directories of files, pages on disk, pages with links. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/filename.h"
#include "pypa/name.h"

static bool is_dist(struct str filename) {
    static const struct str ends[] = {S_INIT(".whl"),     S_INIT(".tar.gz"), S_INIT(".zip"),
                                      S_INIT(".tar.bz2"), S_INIT(".tar.xz"), S_INIT(".tgz")};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(filename, ends[i])) return true;
    return false;
}

/* The files of a flat directory. */
static struct err *list_dir(struct index *index, struct arena *arena, struct str path, struct simple_page *ret) {
    struct str *names;
    int32_t len;
    TRY(fs_list(index->fs, arena, path, &names, &len));
    if (len > INDEX_LISTED_MAX) len = INDEX_LISTED_MAX;
    struct simple_file *files = arena_new(arena, struct simple_file, len);
    struct simple_page page = {.files = files};
    for (int32_t i = 0; i < len; i++) {
        if (!is_dist(names[i])) continue;
        struct str url = index_local_url(arena, path_join(arena, path, names[i]));
        files[page.len++] = (struct simple_file){.filename = names[i], .url = url, .size = -1, .uploaded = INT64_MIN};
    }
    *ret = page;
    return NULL;
}

/* Makes the URLs of a page absolute, and leaves out those that it may not name. */
static void absolutize(struct arena *arena, struct simple_page *page, struct str url) {
    struct simple_file *files = arena_new(arena, struct simple_file, page->len);
    struct str base = page->base.len ? simple_url(arena, url, page->base) : url;
    int32_t len = 0;
    for (int32_t i = 0; i < page->len; i++) {
        files[len] = page->files[i];
        files[len].url = simple_url(arena, base, files[len].url);
        if (index_may_link(url, files[len].url, files[len].sha256.len > 0 || files[len].strong.len > 0)) len++;
    }
    page->files = files;
    page->len = len;
    page->base = (struct str){0};
}

struct err *index_local_page(struct index *index, struct arena *arena, struct str path, struct simple_page *ret,
                             bool *found) {
    struct fs_stat st;
    struct str text;
    TRY(fs_stat(index->fs, arena, path, true, &st));
    *found = st.exists;
    if (!st.exists) return NULL;
    struct str file = path;
    if (st.is_dir) {
        file = path_join(arena, path, S("index.html"));
        TRY(fs_stat(index->fs, arena, file, true, &st));
        if (!st.exists) return list_dir(index, arena, path, ret);
    }
    struct simple_page page;
    TRY(fs_read(index->fs, arena, file, INDEX_PAGE_MAX, &text));
    TRY(index_page_parse(arena, text, (struct str){0}, &page));
    TRY(index_page_check(arena, &page, file));
    absolutize(arena, &page, index_local_url(arena, file));
    *ret = page;
    return NULL;
}

static void add_files(struct index *index, const struct simple_page *page) {
    for (int32_t i = 0; i < page->len && index->linked.len < INDEX_LISTED_MAX; i++)
        if (is_dist(page->files[i].filename)) *vec_push(index->arena, &index->linked) = page->files[i];
}

/* Takes the files of a page with links that was found at `url`. */
static struct err *take_page(struct index *index, struct str text, struct str content_type, struct str url) {
    struct simple_page page;
    TRY(index_page_parse(index->arena, text, content_type, &page));
    TRY(index_page_check(index->arena, &page, url));
    absolutize(index->arena, &page, url);
    add_files(index, &page);
    return NULL;
}

/* Keeps the page for those who have no network: its own URL, its type, and the text. */
static void keep_page(struct index *index, struct str identity, const struct http_response *response) {
    struct arena_mark mark = arena_mark(index->scratch);
    struct buf buf = {.arena = index->scratch};
    buf_addf(&buf, "%.*s\n%.*s\n", FMT(response->url), FMT(response->content_type));
    buf_add(&buf, response->body);
    index_cache_write(index, "links", identity, buf_str(&buf));
    arena_rewind(index->scratch, mark);
}

/* The page as it was when it was asked for last; false where it never was. */
static bool try_kept(struct index *index, struct str identity, struct err **ret) {
    struct str text, url, type;
    if (!index_cache_read(index, index->arena, "links", identity, INT32_MAX, &text)) return false;
    if (!str_line(&text, &url) || !str_line(&text, &type)) return false;
    *ret = take_page(index, text, type, url);
    return true;
}

/* A page with links, on a server. What it lacks is no error: an index may have it. */
static struct err *fetch_page(struct index *index, struct str url) {
    struct http_response response = {0};
    struct str identity = index_identity(index->arena, url);
    struct err *err = NULL;
    if (index->options.offline) {
        if (try_kept(index, identity, &err)) return err;
        struct str masked = http_mask(index->arena, url);
        index_problem(index, str_format(index->arena, "find-links: %.*s is not in the cache", FMT(masked)));
        return NULL;
    }
    TRY(index_http(index));
    http_add(index->http, &(struct http_request){.url = url, .limit = INDEX_PAGE_MAX});
    if (!http_next(index->http, &response)) return NULL;
    if (response.err || response.status != 200) {
        bool ill = response.unreachable || response.status >= 500;
        if (ill && try_kept(index, identity, &err)) return err;
        err = index_answer_err(index, &response, url);
        index_problem(index, str_format(index->arena, "find-links: %.*s", FMT(err->what)));
        return NULL;
    }
    TRY(index_check_secure(index, response.url));
    keep_page(index, identity, &response);
    return take_page(index, str_copy(index->arena, response.body), str_copy(index->arena, response.content_type),
                     str_copy(index->arena, response.url));
}

struct err *index_list_links(struct index *index) {
    if (index->links_listed) return NULL;
    index->links_listed = true;
    for (int32_t i = 0; i < index->links_len; i++) {
        struct str path;
        if (!index_local_path(index->arena, index->links[i], &path)) {
            TRY(fetch_page(index, index->links[i]));
            continue;
        }
        struct simple_page page = {0};
        bool found = false;
        TRY(index_local_page(index, index->arena, path, &page, &found));
        if (found) add_files(index, &page);
    }
    return NULL;
}

struct simple_page index_linked_files(struct index *index, struct arena *arena, struct str name) {
    struct simple_file *files = arena_new(arena, struct simple_file, index->linked.len);
    struct simple_page page = {.files = files};
    for (ptrdiff_t i = 0; i < index->linked.len; i++) {
        struct str filename = index->linked.data[i].filename;
        struct str start = name_normalize(arena, str_slice(filename, 0, name.len));
        /* A cheap look first: "A__b" is longer than its normal form "a-b", but no real file is named so. */
        if (str_eq(start, name)) files[page.len++] = index->linked.data[i];
    }
    return page;
}
