/*
 * wheel_layout - where the files of a wheel go in an environment, and those that are made at installation: scripts
 * (with the text that pip gives them), INSTALLER, REQUESTED, direct_url.json and RECORD. Writes nothing.
 */
#ifndef UNPIN_STAGE_WHEEL_LAYOUT_H
#define UNPIN_STAGE_WHEEL_LAYOUT_H

#include "os/depot.h"
#include "stage/environment.h"
#include "stage/wheel.h"

enum { SCRIPT_TEXT_MAX = 1 << 20 }; /* scripts above are programs: their first line is left alone */

/* The directories of an install scheme, links resolved, without a slash at the end. */
struct scheme {
    struct str purelib, platlib, scripts, data, headers;
    struct str python; /* what shebangs name */
    bool linked;       /* the site directory is a link out of its place: `..` from it leads elsewhere */
    int32_t python_major, python_minor;
};

/* The scheme of an environment. A directory that does not exist yet is resolved from the last parent that does.
 * ERR_ENVIRONMENT where it has none. */
ERR_MUST_CHECK struct err *scheme_make(struct arena *arena, const struct environment *env, struct scheme *ret);
/* The directory of the scheme that `path` (absolute, normal) lies in, the deepest one; empty: none. */
struct str scheme_root(const struct scheme *scheme, struct str path);
/* `path` (absolute, or relative to `base`) with `.` and `..` taken away as text; empty where it leads above the root.
 */
struct str path_normalize(struct arena *arena, struct str base, struct str path);

struct wheel_file {
    struct str target;             /* absolute */
    const struct zip_entry *entry; /* what is unpacked; NULL: the bytes are `text` */
    const struct record_row *row;  /* of the wheel's RECORD; NULL for `text` */
    struct str text;
    struct str sha256; /* 32 bytes; empty where RECORD gives SHA-384 or -512 */
    uint32_t mode;
    bool is_metadata;  /* METADATA of the dist-info directory */
    bool is_ahead;     /* its bytes lie unpacked beside the wheel (wheel_unpack_ahead) */
    bool is_placed;    /* they came to `source` with a directory: nothing is left to do */
    bool is_carried;   /* it comes with a directory that is new */
    bool is_startup;   /* Python runs it at every start: `.pth` in a site directory, sitecustomize, usercustomize */
    struct str source; /* where it is staged; empty: not yet */
    struct sys_stat staged; /* as it was staged; SYS_NONE: not looked at */
    struct depot_mark kept; /* what the depot has of it */
};

struct wheel_layout {
    const struct wheel *wheel;
    struct wheel_file *files; /* sorted by target */
    int32_t len;
    struct str site; /* purelib or platlib: where the dist-info directory goes */
};

struct wheel_options {
    bool requested;        /* write REQUESTED */
    struct str direct_url; /* direct_url.json; empty: none */
};

/* ERR_WHEEL where two files have one target, or a script has the name of the interpreter or of pip. */
ERR_MUST_CHECK struct err *wheel_layout_make(struct arena *arena, const struct wheel *wheel,
                                             const struct scheme *scheme, const struct wheel_options *options,
                                             struct wheel_layout *ret);

/* The first lines of a script for the interpreter `python`: "#!python", or what `/bin/sh` needs to start it where the
 * path is too long for the kernel or has blanks. */
struct str script_shebang(struct arena *arena, struct str python);
/* The whole text of the script of an entry point. */
struct str script_text(struct arena *arena, struct str python, const struct entry_point *point);

#endif
