/*
 * index_parts - what the parts of index share. Only index*.c include it.
 *
 * index.c opens and closes; index_config.c says which indexes there are; index_login.c who is trusted and finds
 * passwords; index_cache.c keeps documents, index_cached.c says what one is about; index_pack.c is the packed form of a
 * page and index_release.c makes releases of it; index_page.c fetches pages, index_links.c lists find-links;
 * index_metadata.c fetches metadata (index_twin.c: where it must), index_wheel.c and index_sdist.c find them in files,
 * index_document.c says what they mean; index_url.c serves requests by URL; index_download.c fetches artifacts.
 */
#ifndef UNPIN_STAGE_INDEX_PARTS_H
#define UNPIN_STAGE_INDEX_PARTS_H

#include "os/http.h"
#include "os/store.h"
#include "pypa/simple.h"
#include "pypa/zip.h"
#include "stage/index.h"

enum {
    INDEX_PAGE_MAX = SIMPLE_PAGE_MAX,
    INDEX_PAGE_FRESH_S = 600,       /* a page's time to live where the index says nothing */
    INDEX_PAGE_FRESH_MAX_S = 86400, /* whatever it says */
    INDEX_METADATA_MAX = 4 << 20,
    INDEX_TAIL = 32 << 10,       /* last bytes of a wheel that are asked for first */
    INDEX_TAIL_MAX = 16 << 20,   /* the most that a directory may make us ask for */
    INDEX_TAILS_MAX = 3,         /* how often: the second time all of the directory comes */
    INDEX_WHOLE_MAX = 200 << 20, /* a file that is fetched for its metadata */
    INDEX_HEAD = 1 << 20,        /* of an sdist that is larger */
    INDEX_HOST_FAILURES = 8,     /* so many files without metadata and none with: the host serves none */
    INDEX_HOST_S = 7 * 86400,    /* how long a host is known to serve no metadata files */
    INDEX_PLACES_MAX = 64,
    INDEX_PROBLEMS_MAX = 1000,
    INDEX_LISTED_MAX = 100000,   /* files in the directories of find-links */
    INDEX_BASES_MAX = 128 << 20, /* bytes that the URL of a page may add to those of its links in all */
};
#define INDEX_ARTIFACT_MAX ((int64_t)16 << 30) /* bytes of a file whose size the index does not tell */

/* A host that files come from. */
struct index_host {
    struct str origin;
    bool metadata_served;  /* a metadata file that was not advertised has been had */
    bool metadata_lacking; /* none could be had, again and again */
    int32_t failed;        /* metadata files that were not advertised and not there */
};

/* A metadata file, and where in it the version of its release stands. */
struct index_twin {
    int32_t project, release; /* positions in the pool, and in the project's releases */
    ptrdiff_t version_at, version_len;
    struct str text;
};

struct index_downloads;

struct index {
    struct arena *arena;
    struct index_downloads *downloads; /* while artifacts are fetched; else NULL */
    const struct fs *fs;
    struct index_options options;
    struct http *http; /* NULL until something is fetched: starting curl takes longer than reading a warm cache */
    struct str cache;  /* directory with version; empty: none */
    bool cache_broken; /* it could not be written; not tried again */
    const struct str *places; /* project pages are at place/name/, in the order in which they are asked */
    int32_t places_len;
    const struct str *links; /* find-links: directories, pages */
    int32_t links_len;
    bool links_listed;
    bool best_match;                /* all indexes count alike */
    VEC(struct simple_file) linked; /* files of find-links, URLs absolute */
    struct arena *scratch;          /* emptied after each document */
    struct str circumstances;       /* what views depend on; empty until a view is looked for */
    struct map ranks;               /* "py3-none-any" to rank + 1, 0 for none */
    struct map pythons;             /* Requires-Python to 1 if it holds, 0 if not */
    struct version python;
    struct str cpython; /* tag of the interpreter's version: "cp312" */
    VEC(struct index_host) hosts;
    VEC(struct str) problems;
    VEC(struct index_twin) twins; /* files that may stand for those of other releases */
    int64_t twins_bytes;
    struct index_stats stats;
    bool unreachable; /* a server could not be reached in this run */
    int64_t now;      /* seconds since 1970 when the index was opened */
};

/* A page in packed form: what a cache file holds. All texts are borrowed from `bytes`. */
struct index_packed {
    struct str bytes;
};

/* What a page says of its project (PEP 792); empty: active. */
struct index_status {
    struct str status, reason;
};

/* Pages of the same project elsewhere (PEP 708), a URL per line. */
struct index_kin {
    struct str tracks, alternates;
};

/* What a server said about a page besides its files. */
struct index_page_facts {
    struct str url, etag, last_modified;
    int64_t fetched, fresh_until;
    bool absent; /* the index does not have the project */
};

/* index_config.c */
void index_config_apply(struct index *index);
/* True for a file URL or a path; its decoded path. */
bool index_local_path(struct arena *arena, struct str url, struct str *ret);
/* True if the page at `page` may name a file at `url`, both absolute: no server names files of this machine, and none
 * that was asked over TLS names one without, unless the file's hash is `known`. */
bool index_may_link(struct str page, struct str url, bool known);
/* ERR_LIMIT where `page` at `url` would take far more memory than it has bytes. */
ERR_MUST_CHECK struct err *index_page_check(struct arena *arena, const struct simple_page *page, struct str url);
/* The file URL of an absolute path. */
struct str index_local_url(struct arena *arena, struct str path);

/* index_login.c */
/* ERR_INDEX for a URL that is asked without TLS, off this machine, of a host that nobody called trusted. */
ERR_MUST_CHECK struct err *index_check_secure(struct index *index, struct str url);
/* http_options.login of an index. */
bool index_login(void *self, struct arena *arena, struct str url, struct str user, struct http_login *ret);

/* index_cache.c. `what` is the folder: "pages", "views", "links", "metadata", "wheels",
 * "hosts". */
struct str index_cache_path(const struct index *index, struct arena *arena, const char *what, struct str key);
/* The document of this identity. */
bool index_cache_read(const struct index *index, struct arena *arena, const char *what, struct str identity,
                      int64_t limit, struct str *ret);
void index_cache_write(struct index *index, const char *what, struct str identity, struct str bytes);
/* What tells the documents at `url` from others: the URL itself, or its SHA-256 where it holds a password. */
struct str index_identity(struct arena *arena, struct str url);
/* A recorded document "simple/NAME" or "metadata/NAME". */
bool index_recorded_read(struct index *index, struct arena *arena, const char *folder, struct str name, int64_t limit,
                         struct str *ret);
void index_record(struct index *index, const char *folder, struct str name, struct str bytes);
struct index_host *index_host(struct index *index, struct str url);
void index_host_learn(struct index *index, struct index_host *host, bool served);

/* index_download.c: shows how far the downloads are; called while bytes arrive. */
void index_download_tick(void *self, int64_t received);

/* index.c */
ERR_MUST_CHECK struct err *index_http(struct index *index);
/* Ends what is still being fetched. */
void index_http_drop(struct index *index);
void index_problem(struct index *index, struct str sentence);
void index_progress(struct index *index, struct str what, int64_t done, int64_t total);
/* ERR_INDEX or ERR_NETWORK for an answer that is no use. */
struct err *index_answer_err(struct index *index, const struct http_response *response, struct str url);

/* index_pack.c. Files whose names are none of `project` are left out. */
struct index_packed index_pack(struct arena *arena, struct str project, const struct simple_page *page,
                               const struct index_page_facts *facts);
/* A view: a packed page whose releases have one file each, the one that was chosen for an environment. */
struct index_packed index_pack_view(struct arena *arena, const struct release *list, int32_t len,
                                    const struct index_page_facts *facts, struct index_status status);
bool index_packed_is_view(const struct index_packed *packed);
/* False if `bytes` are no packed page. */
bool index_packed_open(struct str bytes, struct index_packed *ret);
struct index_page_facts index_packed_facts(const struct index_packed *packed);
/* The packed page with other facts. */
struct index_packed index_packed_renew(struct arena *arena, const struct index_packed *packed,
                                       const struct index_page_facts *facts);
/* The files again, URLs absolute. */
struct simple_page index_unpack(struct arena *arena, const struct index_packed *packed);
int32_t index_packed_releases(const struct index_packed *packed);
bool index_packed_quarantined(const struct index_packed *packed);
struct index_status index_packed_status(const struct index_packed *packed);
struct index_kin index_packed_kin(const struct index_packed *packed);

/* A file of a packed page, decoded as far as the choice needs it. */
struct index_packed_file {
    struct str filename, url, requires_python, yanked_reason, tags, build;
    struct str sha256, metadata_sha256; /* 32 bytes, not hex */
    struct str strong;                  /* 48 or 64 bytes: SHA-384, SHA-512; may be empty */
    int64_t size, uploaded;
    uint32_t bars; /* in a view */
    bool sdist, yanked, has_metadata, is_tar_gz;
};
/* Release `i`: its version's text and its files' span. */
struct str index_packed_release(const struct index_packed *packed, int32_t i, int32_t *ret_first, int32_t *ret_count);
struct index_packed_file index_packed_file(const struct index_packed *packed, int32_t i);

/* index_release.c: puts a packed page, or a view of it, into the pool, whose texts stay borrowed from it. */
void index_load(struct index *index, struct pool *pool, struct project_id id, const struct index_packed *packed);
/* The view of a packed page for this environment and these wishes, in `arena`. Where `url` is not empty, it is kept in
 * the cache as that of the page there. */
struct index_packed index_view(struct index *index, struct arena *arena, struct str name,
                               const struct index_packed *packed, struct str url);
/* The identity of the view of the page at `url` for this environment and these wishes. */
struct str index_view_identity(struct index *index, struct arena *arena, struct str url);

/* index_twin.c */
/* Keeps the metadata file of a release, unless it is too large. */
void index_twin_keep(struct index *index, struct project_id id, int32_t release, struct str version, struct str text);
/* The metadata file of the release, whose SHA-256 its page gives: one that is kept, but for the version. */
bool index_twin_find(struct index *index, struct arena *arena, struct project_id id, int32_t release,
                     struct str version, struct str sha256, struct str *ret);

/* index_page.c, index_links.c, index_metadata.c */
/* Reads a page of `content_type` (empty: by its look) found at `url`. */
ERR_MUST_CHECK struct err *index_page_parse(struct arena *arena, struct str text, struct str content_type,
                                            struct simple_page *ret);
/* The files of the local directory `path`, or those of its index.html. *found: it is there. */
ERR_MUST_CHECK struct err *index_local_page(struct index *index, struct arena *arena, struct str path,
                                            struct simple_page *ret, bool *found);
ERR_MUST_CHECK struct err *index_list_links(struct index *index);
/* The files of find-links that may be of `name`. */
struct simple_page index_linked_files(struct index *index, struct arena *arena, struct str name);

/* Pages and metadata files that are on their way at the same time: begun, each answer given to the kind that its tag
 * names, and put into the pool when all are here. `_open`: how many answers are still to come. */
enum index_tag { INDEX_TAG_PAGE = 1, INDEX_TAG_METADATA };
struct index_pages;
struct index_files;
/* The pages that `needs` names. Waits for find-links; nothing else may be on its way yet. */
ERR_MUST_CHECK struct err *index_pages_begin(struct index *index, struct pool *pool, const struct needs *needs,
                                             struct index_pages **ret);
int32_t index_pages_open(const struct index_pages *pages);
ERR_MUST_CHECK struct err *index_pages_settle(struct index *index, struct pool *pool, struct index_pages *pages,
                                              const struct http_response *response);
ERR_MUST_CHECK struct err *index_pages_end(struct index *index, struct pool *pool, struct index_pages *pages);
/* The metadata that `needs` names. */
ERR_MUST_CHECK struct err *index_files_begin(struct index *index, struct pool *pool, const struct needs *needs,
                                             struct index_files **ret);
/* Asks for those that waited for a neighbour's file, if nothing is on its way. */
int32_t index_files_open(struct index *index, struct pool *pool, struct index_files *files);
void index_files_settle(struct index *index, struct pool *pool, struct index_files *files,
                        const struct http_response *response);
ERR_MUST_CHECK struct err *index_files_end(struct index *index, struct pool *pool, struct index_files *files);

/* What a file says about itself. */
struct index_document {
    struct str text;         /* header block of METADATA or PKG-INFO */
    struct str requires_txt; /* of an egg-info; data NULL: there is none */
    struct str sha256;       /* hex, of the metadata file beside the artifact; empty: it was found otherwise */
};
/* Requirements, name and version of `document`; an err's text is a sentence for index_problems. `sdist` documents whose
 * requirements are not certain set *ret_unsure. */
ERR_MUST_CHECK struct err *index_document_parse(struct arena *arena, struct metadata_known *known,
                                                const struct index_document *document, struct str project,
                                                const struct version *version, bool sdist, struct metadata *ret,
                                                bool *ret_unsure);
/* The form in the cache. */
struct str index_document_format(struct arena *arena, const struct index_document *document);
bool index_document_open(struct str bytes, struct index_document *ret);
/* Of what is before the first empty line the fields that matter; the rest is most of the bytes. */
struct str index_header_block(struct arena *arena, struct str text);

enum index_wheel_want { INDEX_WHEEL_DONE, INDEX_WHEEL_TAIL, INDEX_WHEEL_SPAN };
/* METADATA of a wheel of `size` bytes whose last bytes are `tail`. DONE: `ret` is set; TAIL: *from last bytes are
 * needed; SPAN: bytes [*from, *to) are needed, for index_wheel_span. */
ERR_MUST_CHECK struct err *index_wheel_tail(struct arena *arena, struct str tail, int64_t size, struct str *ret,
                                            enum index_wheel_want *want, int64_t *from, int64_t *to,
                                            struct zip_entry *entry);
/* What an sdist, or the head of one, tells; `whole`: that nothing is cut off, so that requirements which are not told
 * of are not there. */
ERR_MUST_CHECK struct err *index_sdist_read(struct arena *arena, struct str bytes, bool whole,
                                            struct index_document *ret);

#endif
