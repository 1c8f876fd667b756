/*
 * scan_facts - what an interpreter says of itself. For `scan` alone.
 *
 * An answer is kept in the cache and believed as long as nothing that it depends on has changed:
 *   - the script that asks, and the path by which the interpreter is named;
 *   - the file that this path leads to: its real path, device, inode, size, time;
 *   - the bytes of pyvenv.cfg beside it and above it, and of those that `extends-environment` names in turn (a virtual
 *     environment that is deleted and made anew as it was has the same answer; its times and inodes do not count);
 *   - the dynamic loaders of glibc and musl, which come with the C library, whose version is asked for;
 *   - the variables that the interpreter is given, the user and group, and the kernel's release, version and machine;
 *   - of what the answer names: the interpreter below a virtual environment, and the modules of the standard library
 * that work it out (os, site, sysconfig, platform), by real path, device, inode, size, time. Nothing else has a say:
 * the interpreter runs in `/`, with `-I -S`, so that no sitecustomize, .pth file or user site runs, and with no other
 * variables. A file that is rewritten in place, to the same size, with its old time, is not noticed.
 */
#ifndef UNPIN_STAGE_SCAN_FACTS_H
#define UNPIN_STAGE_SCAN_FACTS_H

#include "os/fs.h"
#include "os/proc.h"

enum {
    SCAN_FACTS_MAX = 256 << 10, /* bytes of the answer */
    SCAN_TIMEOUT_MS = 60000,    /* for the answer; cold file systems are slow */
};

/* The answer: texts by key; a key may come several times (sites, abis). */
struct scan_facts {
    struct str text;        /* the answer as it was printed: key NUL value NUL, … */
    const struct str *keys; /* len of them */
    const struct str *values;
    int32_t len;
};

/* Asks the interpreter at `python` (absolute) what it says of itself, or of a layer over it in the directory `into`
 * that is not made yet (empty: none). The answer may come from `cache_dir` (empty: no cache). */
ERR_MUST_CHECK struct err *scan_facts_read(struct arena *arena, const struct fs *fs, const struct proc *proc,
                                           struct str python, struct str into, struct str cache_dir,
                                           struct scan_facts *ret);
/* Cuts an answer up; ERR_MALFORMED unless it begins and ends as one. */
ERR_MUST_CHECK struct err *scan_facts_parse(struct arena *arena, struct str text, struct scan_facts *ret);

/* The first value of a key, empty if there is none. */
struct str scan_facts_find(const struct scan_facts *facts, struct str key);
/* All values of a key. */
const struct str *scan_facts_all(struct arena *arena, const struct scan_facts *facts, struct str key, int32_t *ret_len);

#endif
