/*
 * pool - what can be installed: projects, their releases, and the metadata of those that were needed so far.
 *
 * The pool starts with the installed distributions only. `index` adds pages and metadata as the solver asks for them;
 * what is not there yet is *unknown*, never absent. Releases of a project stand in ascending order of version.
 */
#ifndef UNPIN_STAGE_POOL_H
#define UNPIN_STAGE_POOL_H

#include "base/arena.h"
#include "stage/want.h"

struct project_id {
    int32_t n; /* position in pool.projects */
};

enum page_state {
    PAGE_UNKNOWN, /* not asked for yet */
    PAGE_KNOWN,
    PAGE_ABSENT, /* no index has the project */
};

enum meta_state {
    META_UNKNOWN, /* not asked for yet */
    META_KNOWN,
    META_UNREADABLE, /* asked for, could not be had or understood: no candidate */
};

/* Why a release that exists is no candidate (bits). */
enum release_bar {
    BAR_PYTHON = 1,       /* Requires-Python excludes this interpreter */
    BAR_TAGS = 2,         /* wheels only for other platforms, and no sdist */
    BAR_DATE = 4,         /* uploaded after --exclude-newer */
    BAR_SDIST = 8,        /* only an sdist, and --only-binary */
    BAR_BINARY = 64,      /* only wheels, and --no-binary */
    BAR_QUARANTINED = 16, /* PEP 792 */
    BAR_WHEELS = 32,      /* an sdist whose wheels are for other versions of Python only: most likely it builds for none
                             but them; --build takes it all the same */
};

/* Where a source tree that is to be built comes from. */
struct artifact_tree {
    struct str path;         /* of the tree on this machine */
    struct str url;          /* for people and PEP 610: file:///…, or the repository without credentials */
    struct str commit;       /* full name of the commit; empty: no repository */
    struct str revision;     /* as it was asked for; may be empty */
    struct str subdirectory; /* of the repository; may be empty */
    bool editable;           /* what is installed are pointers to the tree */
};

/* A file of the index, or what a request names. */
struct artifact {
    struct str filename;
    struct str url;             /* without fragment; of a repository with commit and subdirectory */
    struct str sha256;          /* hex, empty: the index gives none */
    struct str strong;          /* hex of SHA-512, else of SHA-384; empty: the index gives none */
    const struct str *demanded; /* "sha512:HEX": one must be the file's (--hash) and no page tells; may be none */
    int32_t demanded_len;
    int64_t size;                     /* bytes, -1: not known */
    bool sdist;                       /* has to be built */
    const struct artifact_tree *tree; /* the source is a tree; NULL: a file */
    struct str built;                 /* path of the wheel that was built of it in this run; empty: not built */
    struct str requires_python;       /* from the page */
    bool has_metadata;                /* the index advertises `url`.metadata (PEP 658/714) */
    struct str metadata_sha256;       /* hex, may be empty */
};

/* Which requirements of a release matter in this environment, so that markers are evaluated and names are looked up
 * once: positions in metadata.requires_dist. Made by pool_active. */
struct active {
    const int32_t *base; /* active without extras */
    int32_t base_len;
    const int32_t *extra; /* with a marker that mentions `extra`, and not active without */
    int32_t extra_len;
    bool names_prerelease; /* one of them names a pre-release exactly */
    bool asks_extras;      /* one of them asks for extras */
    const int32_t *named; /* by position, of those that matter: the number of the name that it is on, for pool_target */
    const bool *met;      /* by position: what was installed meets it, without an allowance */
};

/* A version of a project. */
struct release {
    struct version version;
    struct artifact artifact; /* what would be installed: the best wheel, else the sdist */
    uint32_t bars;            /* bits of release_bar; 0: may be a candidate */
    bool installed;           /* the version that is installed */
    bool on_index;
    bool prerelease;
    bool yanked;
    struct str yanked_reason;
    int64_t uploaded; /* seconds since 1970; INT64_MIN: the index gives no date */
    enum meta_state meta_state;
    bool unsure;                     /* of an sdist whose requirements are known only after a build: none are assumed */
    const struct metadata *metadata; /* where KNOWN */
    const struct active *active;     /* NULL until pool_active made it */
};

struct project {
    struct str name; /* normalized */
    enum page_state page;
    struct release *releases; /* ascending; the installed one is among them even where no index has it */
    int32_t releases_len;
    int32_t installed; /* position of the installed release, -1: not installed */
    bool held;         /* a vendor build: stays unless named by --replace; shows at the latest with its page */
    struct str status, status_reason; /* what the index says of the project (PEP 792); empty: active */
    bool has_dates;                   /* every release has an upload date */
};

struct pool {
    struct arena *arena;
    VEC(struct project) projects;
    struct map by_name;
    struct map names;            /* of what active requirements are on, to numbers */
    VEC(int32_t) targets;        /* by these numbers: position in projects, -1: not there */
    struct metadata_known known; /* requirements of what was fetched so far, shared between releases */
};

/* The strongest hash that is known of a file, "sha256:HEX"; empty: none. */
struct str artifact_hash(struct arena *arena, const struct artifact *artifact);
/* What a file is compared with before it is opened: "sha512:HEX" (the strongest that is known), "one of 3 hashes",
 * "size", "nothing"; "local file" or "commit" where it comes from no index; empty for no artifact. */
struct str artifact_verified(struct arena *arena, const struct artifact *artifact);
/* A pool holding what is installed. */
struct pool pool_make(struct arena *arena, const struct environment *env);
/* The project of a normalized name, added as PAGE_UNKNOWN if it is new. */
struct project_id pool_project(struct pool *pool, struct str name);
/* The project of a normalized name, NULL if it is not in the pool. */
struct project *pool_find(const struct pool *pool, struct str name);
/* The active requirements of a release whose metadata are known; kept in the pool. */
const struct active *pool_active(struct pool *pool, struct release *release, const struct marker_env *markers);
/* The project that an active requirement is on, as a position in projects; -1: it is not in the pool. */
static inline int32_t pool_target(const struct pool *pool, const struct active *active, int32_t requirement) {
    return pool->targets.data[active->named[requirement]];
}
/* The release equal to `version` (local versions compared), -1: none. */
int32_t project_find(const struct project *project, const struct version *version);
/* Puts the releases of a page in: `releases` ascending, distinct; the installed one is merged in (it keeps its
 * installed metadata), and what is installed but on no index becomes held. Sets PAGE_KNOWN. */
void pool_add_page(struct pool *pool, struct project_id id, const struct release *releases, int32_t len);

/* Puts a release that a request names into the pool, metadata known or not, and gives its position, -1 where its
 * version cannot be compared. It is all that is known of its project then; what the indexes have is not looked at. With
 * `replaces`, an installed distribution of the same version is taken as not installed, so that it is put in anew. */
int32_t pool_add_named(struct pool *pool, struct project_id id, const struct release *release, bool replaces);
/* What a build told: the metadata of the wheel at `built`, which is installed in place of its source. */
void pool_learn(struct pool *pool, struct release *release, const struct metadata *metadata, struct str built);

/* What the solver lacks. */
struct need {
    struct project_id project;
    int32_t release; /* -1: the page; else the metadata of this release */
};

struct needs {
    const struct need *items; /* without duplicates */
    int32_t len;
};

/* Where the pool's unknowns come from: the package indexes, or a made-up world in tests. */
struct source {
    void *self;
    /* Puts what `needs` names into the pool; see index_supply. */
    struct err *(*supply)(void *self, struct pool *pool, const struct needs *needs);
    /* Puts what a request names by URL or path into the pool as a release; see index_supply_url. NULL: not possible. */
    struct err *(*supply_url)(void *self, struct pool *pool, const struct request *request, struct project_id *ret,
                              int32_t *ret_release);
    /* Gives the bytes (at most `limit`) that `keep` had under this key, in this command or an earlier one of the same
     * program; false where there are none. What is kept may vanish. NULL: nothing is kept. */
    bool (*recall)(void *self, struct arena *arena, uint64_t key, int64_t limit, struct str *ret);
    void (*keep)(void *self, uint64_t key, struct str bytes);
    struct trail *trail; /* of `propose` alone */
};

#endif
