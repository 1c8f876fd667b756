/*
 * wheel_owned - the files that an installed distribution owns, from its RECORD or installed-files.txt.
 */
#ifndef UNPIN_STAGE_WHEEL_OWNED_H
#define UNPIN_STAGE_WHEEL_OWNED_H

#include "os/fs.h"
#include "stage/wheel_layout.h"

struct owned_file {
    struct str path;              /* absolute, normal */
    const struct record_row *row; /* NULL: known without a hash */
    bool is_metadata;             /* what marks the distribution as installed: METADATA, PKG-INFO, .egg-link */
    bool is_info;                 /* lies in the dist-info directory */
};

struct owned {
    const struct owned_file *files; /* in the order of the list */
    int32_t len;
    struct str pth;      /* easy-install.pth, which loses a line with a DIST_EGG_LINK; empty: none */
    struct str pth_text; /* what it holds then */
};

/*
 * The files of env->dists[number]. ERR_CONFLICT where it cannot be uninstalled: no list of files, or a list that names
 * the interpreter or a file outside of the scheme's directories.
 */
ERR_MUST_CHECK struct err *owned_read(struct arena *arena, const struct fs *fs, const struct environment *env,
                                      const struct scheme *scheme, int32_t number, struct owned *ret);

/* The rows that a distribution lists, without judging them; none where there is no list that can be read. `site` is
 * what their paths are relative to. */
void owned_rows(struct arena *arena, const struct fs *fs, const struct environment *env, int32_t number,
                struct str *site, const struct record_row **ret, int32_t *ret_len);

#endif
