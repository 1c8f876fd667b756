/*
 * depot - files kept by the SHA-256 of their bytes, so that a wheel that was installed once need not be unpacked again.
 *
 * A file goes in and out as a clone (btrfs, xfs) or as another name (hard link) of itself: no bytes are written. Hard
 * links to a cache let a change of one installed file reach the cache and every other environment. Not here:
 * - a kept file is given away only while the depot's is its only name, so no two environments ever share one; whoever
 *   comes second writes a copy of his own;
 * - it is given away only after its bytes were hashed, this time too; one that was changed is removed;
 * - and only if it has the mode that is asked for, our owner and group, and no extended attributes.
 * Nothing is synced. There is no depot across file systems, nor on overlayfs, where links are costly and inodes
 * unsteady. Failing is no error: the caller writes the file. All functions may be called from several threads.
 */
#ifndef UNPIN_OS_DEPOT_H
#define UNPIN_OS_DEPOT_H

#include "base/str.h"

struct depot {
    struct str dir; /* empty: there is none */
    bool clones;    /* the file system can share bytes between files */
};

/* The depot in `dir`, which is made (0700), for files that are wanted in the directory `target`. */
struct depot depot_open(struct arena *arena, struct str dir, struct str target);

/* What is wanted. The CRC-32 is of what the wheel holds, so that a RECORD which gives the hash of another kept file is
 * refused with the depot as it is without. */
struct depot_file {
    struct str sha256; /* 32 bytes */
    int64_t size;
    uint32_t crc;
    uint32_t mode; /* permission bits */
};

/* Makes `path`, which must not exist, the kept file that is wanted, with the present as its time. False: nothing was
 * made. */
bool depot_take(const struct depot *depot, struct arena *scratch, const struct depot_file *file, struct str path);
/* Keeps the file at `path`, which is ours alone and has this digest and these permission bits. */
void depot_give(const struct depot *depot, struct arena *scratch, struct str sha256, uint32_t mode, struct str path);

#endif
