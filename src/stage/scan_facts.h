/*
 * scan_facts - what an interpreter says of itself. For `scan` alone.
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
