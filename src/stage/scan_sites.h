/*
 * scan_sites - the directories that the interpreter would search for distributions, .pth files followed. For `scan`
 * alone.
 */
#ifndef UNPIN_STAGE_SCAN_SITES_H
#define UNPIN_STAGE_SCAN_SITES_H

#include "os/fs.h"

enum {
    SCAN_SITES_MAX = 1000,
    SCAN_SMALL_FILE_MAX = 1 << 20, /* bytes of .pth, INSTALLER, direct_url.json, requires.txt */
};

/* One of them, listed. */
struct scan_site {
    struct str path;
    const struct str *names; /* what is in it, sorted */
    int32_t names_len;
    bool by_pth; /* a line of a .pth file added it: a source tree or the like */
};

/*
 * The directories of `paths` (in order) that are there, each followed by those that its .pth files name, as site.py
 * adds them. `import` lines are not run. A directory that comes twice, also through a link, counts once. What cannot be
 * read is left out and told in `problems`. `coming` (empty: none) is one of the paths that will be made yet: it counts
 * as an empty directory.
 */
void scan_sites_read(struct arena *arena, const struct fs *fs, const struct str *paths, int32_t len, struct str coming,
                     const struct scan_site **ret, int32_t *ret_len, const struct str **ret_problems,
                     int32_t *ret_problems_len);

#endif
