/*
 * want - what the user asks for: requests, and how far a plan may go for them.
 */
#ifndef UNPIN_STAGE_WANT_H
#define UNPIN_STAGE_WANT_H

#include "os/fs.h"
#include "stage/environment.h"

enum { WANT_REQUESTS_MAX = 10000, WANT_DEPTH_MAX = 16, WANT_FILES_MAX = 256, WANT_FILE_MAX = 16 << 20 };

struct request {
    struct requirement requirement; /* url set for URLs, paths and VCS; its name is empty until the artifact is known */
    struct str origin;              /* "command line", or the file */
    int32_t line;                   /* in the file; 0 for the command line */
    bool constraint;                /* a -c line: bounds, but does not ask for the project */
    bool editable;                  /* -e: a source tree, to be installed as pointers to it */
    const struct str *hashes;       /* "sha256:hex" (sha384, sha512) from --hash; any one must match */
    int32_t hashes_len;
};

/* Names, or all but those of another set. */
struct want_names {
    bool all;
    struct str *items; /* normalized */
    int32_t len;
};

/* A value of --only-binary, or of --no-binary. */
struct want_format {
    struct str value;
    bool binary;
};

struct want {
    const struct request *requests; /* whose markers hold in the environment; the others are dropped */
    int32_t requests_len;
    const struct str *remove; /* normalized names to remove */
    int32_t remove_len;
    const struct str *keep; /* normalized names that must not change */
    int32_t keep_len;
    const struct str *replace; /* vendor builds that may change */
    int32_t replace_len;
    const struct str *no_lift; /* normalized names whose lock stays */
    int32_t no_lift_len;
    const struct str *ignore_advisories; /* ids */
    int32_t ignore_advisories_len;
    bool upgrade;                             /* -U: the newest version of what was asked for comes before few lifts */
    bool pre;                                 /* pre-releases are candidates */
    struct want_names only_binary, no_binary; /* want_takes_sdists and want_takes_wheels tell what they mean */
    bool stale;              /* level 1 of the objective is off: old releases that merely state no bounds are welcome */
    bool builds;             /* releases with only an sdist are candidates even where the project has wheels that fit */
    const struct str *build; /* normalized names that may be built (--build) */
    int32_t build_len;
    bool build_all; /* --build :all: */
    bool no_allowances;
    bool no_lifts;         /* no lock may be lifted at all */
    int64_t exclude_newer; /* seconds since 1970; INT64_MAX: none */

    const struct str *files; /* requirement files, as they were named (-r) */
    int32_t files_len;
    const struct str *constraint_files; /* the same of -c on the command line */
    int32_t constraint_files_len;

    /* Options that stand in requirement files, in reading order; the command line's own come before them. */
    struct str index_url; /* the last --index-url; empty: none */
    const struct str *extra_index_urls;
    int32_t extra_index_urls_len;
    const struct str *find_links; /* URLs, or paths relative to the working directory */
    int32_t find_links_len;
    bool no_index;
    const struct want_format *formats; /* lines --only-binary and --no-binary */
    int32_t formats_len;
    bool formats_configured; /* a configuration says something of them, too */
    bool no_build;           /* only_binary is :all: because nothing may be built: sentences name --no-build */
    bool formats_fixed;      /* it says that nothing is built, which no option takes back */
    bool require_hashes;     /* --require-hashes, or any --hash */
    const struct str *notes; /* sentences: requests dropped for their marker, options that have no effect */
    int32_t notes_len;
};

/* Where requirement and constraint files on servers come from. */
struct want_pages {
    void *self;
    /* The text behind a URL, at most WANT_FILE_MAX bytes. */
    struct err *(*fetch)(void *self, struct str url, struct str *ret);
};

/* Parses the words of a command line (`words`) and the requirement files (-r, nested -r and -c as pip reads them).
 * A word is a requirement, a path of a file or source tree, a URL, "-e " and a source tree, or
 * "-c " and a constraint file. Files may be URLs where `pages` is not NULL. ERR_REQUEST with file,
 * line, column and, where it is clear what was meant, a hint. Sets `requests`, `pre`, `only_binary`, `no_binary` and
 * the options of files; everything else of `ret` is zero but `exclude_newer`, which is INT64_MAX. */
ERR_MUST_CHECK struct err *want_parse(struct arena *arena, const struct fs *fs, const struct environment *env,
                                      const struct str *words, int32_t words_len, const struct str *files,
                                      int32_t files_len, const struct want_pages *pages, struct want *ret);

/* True if the words at --keep, --replace and the like name projects: gives the normalized name. ERR_REQUEST. */
ERR_MUST_CHECK struct err *want_parse_name(struct arena *arena, struct str word, struct str *ret);

/* Takes one value of --only-binary (`binary`) or --no-binary into account: names with commas between them, `:all:`,
 * `:none:`; the later one wins, as with pip. ERR_REQUEST for what is no name. */
ERR_MUST_CHECK struct err *want_formats_add(struct arena *arena, struct want *want, struct str value, bool binary);
/* True if sdists (wheels) of the project of this normalized name may be candidates. */
bool want_takes_sdists(const struct want *want, struct str name);
bool want_takes_wheels(const struct want *want, struct str name);
/* True if --build names the project of this normalized name, or all. */
bool want_names_build(const struct want *want, struct str name);
/* True if sdists of any project are left out for --only-binary; true if wheels are for --no-binary. */
bool want_limits_sdists(const struct want *want);
bool want_limits_wheels(const struct want *want);

#endif
