/*
 * index - the package indexes: pages and metadata for the pool, artifacts for apply.
 *
 * Knows PEP 503/691/700 pages, PEP 658/714 metadata files, byte ranges of wheels, sdists; the cache on disk; and pip's
 * and uv's configuration. Fetches many documents at once. What an index sends is hostile until checked.
 *
 * A project is taken whole from the first index that has it: from UV_INDEX, then the index-url, then the extra indexes
 * in their order. So nobody can put a newer release of a project of one index onto another one. Files of find-links
 * count as if that index had them too. Another index adds to the first one's page only if both say so (PEP 708: tracks,
 * alternate-locations), or where all indexes count alike (index-strategy unsafe-best-match). A project that
 * [tool.uv.sources] pins to an index is taken from that one alone.
 */
#ifndef UNPIN_STAGE_INDEX_H
#define UNPIN_STAGE_INDEX_H

#include "os/http.h"
#include "os/proc.h"
#include "stage/config.h"
#include "stage/pool.h"
#include "stage/want.h"

struct index;

struct index_options {
    const struct str *index_urls; /* from the command line, in order (first: --index-url); empty: from configuration */
    int32_t index_urls_len;
    const struct str *extra_index_urls;
    int32_t extra_index_urls_len;
    const struct str *find_links;
    int32_t find_links_len;
    bool no_index;
    bool offline;                /* only the cache (and `recorded`) */
    bool refresh;                /* do not trust cached pages */
    const struct config *config; /* what config_read gave; what is said above comes before it */
    struct str cache_dir;        /* empty: config->cache_dir; where that is empty or cannot be written, no cache */
    struct str recorded;         /* directory of recorded answers that serve when there is no network; empty: none */
    struct str record_dir;   /* each page and metadata document that is used is written there as `recorded` wants it;
                                empty: none */
    const struct proc *proc; /* runs `keyring`; NULL: it is not asked */
    const struct config_variables *variables; /* its environment */
    const struct environment *env;            /* tags and Requires-Python decide which files are candidates */
    const struct want *want;                  /* exclude_newer, only_binary, no_binary */
    /* `total` 0: `what` says it all. NULL: quiet. */
    void (*progress)(void *self, struct str what, int64_t done, int64_t total);
    void *progress_self;
};

struct index_stats {
    int32_t pages, metadata, requests; /* documents asked for, HTTP requests sent */
    int64_t bytes;                     /* received */
    int32_t rounds;                    /* batches */
    bool used_recorded;                /* some answers came from `recorded` */
    int32_t old_pages; /* served from the cache for want of an answer, though they should be asked again */
    int64_t oldest;    /* seconds since 1970 of the answer that the oldest of these is */
    int64_t us;        /* time spent */
};

/* How servers are spoken to under a configuration. */
struct http_options index_http_options(const struct config *config);

/* Reads the configuration and opens the cache. Close with index_close. ERR_CONFIG, ERR_USAGE. */
ERR_MUST_CHECK struct err *index_open(struct arena *arena, const struct fs *fs, const struct index_options *options,
                                      struct index **ret);
void index_close(struct index *index);

/*
 * Fetches what `needs` names, all at once, into the pool. A project that no index has becomes PAGE_ABSENT; metadata
 * that cannot be had become META_UNREADABLE with a problem noted. Fails (ERR_NETWORK, ERR_INDEX) where a page or
 * metadata cannot be had because a server failed or refused: what is not known may not look like what does not exist.
 */
ERR_MUST_CHECK struct err *index_supply(struct index *index, struct pool *pool, const struct needs *needs);

/* Puts a wheel (or sdist) named by URL or path into the pool as a release of its project, metadata known: for requests
 * by URL and local file. Gives the project's name and the release's version. */
ERR_MUST_CHECK struct err *index_supply_url(struct index *index, struct pool *pool, struct str url, struct str name,
                                            struct project_id *ret, int32_t *ret_release);

/* Downloads `artifact` into `path` (created exclusively), hash checked while it arrives. ERR_HASH, ERR_NETWORK, ERR_IO.
 */
ERR_MUST_CHECK struct err *index_download(struct index *index, const struct artifact *artifact, struct str path);
/* Who is told of each file that came from a server, as soon as it is there and verified: its number, on the thread that
 * downloads. Of files that the cache had nobody is told. */
struct index_arrivals {
    void *self;
    void (*tell)(void *self, int32_t i);
};

/* Several, the largest first and a few at once, so that they come one after the other and each can be unpacked while
 * others come; `paths` in the order of `artifacts`. `arrivals` may be NULL. Where one fails, none stays. */
ERR_MUST_CHECK struct err *index_download_all(struct index *index, const struct artifact *const *artifacts,
                                              const struct str *paths, int32_t len,
                                              const struct index_arrivals *arrivals);

/* Notes that the file that was downloaded, open as `fd`, was verified, where the cache has that very file: for a day it
 * is not hashed again, unless its inode, size or time are others. Only when it is durable. */
void index_download_note(struct index *index, const struct artifact *artifact, int fd);

struct index_stats index_stats(const struct index *index);

/* The folder of the cache that is the index's, and those in it; a document is at FOLDER/ab/cdef…, a wheel by its hash.
 */
#define INDEX_CACHE "index-2"
/* The normalized name of the project that the document at `path`, in such a folder, is about; empty where it is about
 * none or that cannot be told. */
struct str index_cached_project(struct arena *arena, const struct fs *fs, struct str folder, struct str path);
/* What is in force as settings for pip, which fetches the tools of a build: variables ("PIP_INDEX_URL=…", empty where
 * there is none), and the text of a configuration file for those that hold credentials (empty: none do). */
void index_pip_settings(struct arena *arena, const struct index *index, const struct str **ret, int32_t *ret_len,
                        struct str *ret_config);
/* Sentences about documents that were ignored and why. */
const struct str *index_problems(const struct index *index, int32_t *ret_len);

#endif
