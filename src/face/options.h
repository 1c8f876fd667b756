/*
 * options - the command line, read once into plain data.
 *
 * One table names every option with its help; each command says which groups of options it takes (face/command).
 * Options may stand anywhere, values follow as `--name=value` or `--name value`, `--` ends the options. Texts are
 * borrowed from argv.
 */
#ifndef UNPIN_FACE_OPTIONS_H
#define UNPIN_FACE_OPTIONS_H

#include "base/err.h"

/* Groups of options, by what they are about (bits). A command takes some of them. */
enum option_group {
    OPTION_GENERAL = 1,     /* every command */
    OPTION_ENVIRONMENT = 2, /* an environment that is not here */
    OPTION_LOCK = 4,        /* which lock */
    OPTION_INDEX = 8,       /* which index */
    OPTION_WANT = 16,       /* how far a plan may go */
    OPTION_FILES = 32,      /* -r */
    OPTION_CONSENT = 64,    /* -y */
    OPTION_OUTPUT = 128,    /* -o */
    OPTION_CHECK = 256,
    OPTION_OPTIONS = 512,
    OPTION_EXPORT = 1024,
    OPTION_RECOVER = 2048,
    OPTION_UNDO = 4096,
    OPTION_UPGRADE = 8192,
    OPTION_APPLY = 16384,
    OPTION_OFFLINE = 32768, /* --offline, taken as well by commands that never ask an index */
    OPTION_PYTHON = 65536,  /* which environment of this machine */
    OPTION_INTO = 262144,   /* a layer over it */
    OPTION_CASE = 131072,   /* for those who work on unpin */
    OPTION_BUILD = 524288,  /* builds from source */
    OPTION_CACHE = 1048576, /* how much of the cache goes */
};

/* The values of an option that may be repeated. */
struct option_list {
    struct str *items;
    int32_t len;
};

struct options {
    struct option_list words; /* what is no option, the command first */
    uint32_t groups_seen;     /* bits of the groups of the options that were given */
    bool help, version, json, quiet, verbose;
    struct str image, snapshot, python, platform, into;
    struct option_list locks;
    struct str index_url;
    struct option_list extra_index_urls, find_links;
    bool no_index, offline, refresh, no_cache_dir;
    struct str index_strategy, proxy, cert, client_cert, keyring_provider, timeout, retries;
    struct option_list trusted_hosts;
    struct str cache_dir, recorded, record;
    struct option_list files, remove, keep, replace, no_lift, ignore_advisories, rebuild_record;
    bool upgrade, pre, no_build, no_allowances, no_lifts, allow_stale, prove_newest;
    struct str exclude_newer;
    bool yes;
    struct str output;
    bool check_files;
    bool all;
    bool dockerfile, constraints, script;
    bool forward, back;
    bool force;
    struct option_list formats; /* "only-binary=NAME", "no-binary=NAME", in their order */
    struct option_list editable, constraint_files, build;
    struct str only;
    bool no_build_isolation;
    struct str build_timeout;
    bool break_system_packages, allow_pth, no_imports, no_undo, compile, no_compile;
    struct str modified;
    struct str max_size, older_than;
    struct str save_case;
    const char
        *seen[64]; /* long name of each option that was given, for the refusal of those a command does not take */
    uint32_t seen_groups[64];
    int32_t seen_len;
};

/* Reads the command line. ERR_USAGE for an unknown option (with the nearest known one), a missing or a superfluous
 * value. */
ERR_MUST_CHECK struct err *options_parse(struct arena *arena, int argc, char **argv, struct options *ret);

/* ERR_USAGE if an option was given that belongs to none of `groups`. */
ERR_MUST_CHECK struct err *options_allow(struct arena *arena, const struct options *options, struct str command,
                                         uint32_t groups);

/* Help for the options of `groups`, one or two lines each, under a title per group. */
struct str options_help(struct arena *arena, uint32_t groups);

/* The candidate nearest to `word` by edit distance, empty if none is near enough to be meant. */
struct str options_nearest(struct str word, const struct str *candidates, int32_t len);
/* Edit distance: insertions, deletions and substitutions of bytes; INT32_MAX where a word is too long to be measured.
 */
int32_t options_distance(struct str a, struct str b);

#endif
