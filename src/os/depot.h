/*
 * depot - files kept by the SHA-256 of their bytes, so that a wheel that was installed once need not be unpacked again.
 *
 * A file goes in and out as a clone (btrfs, xfs) or as another name (hard link) of itself: no bytes are written. Hard
 * links to a cache let a change of one installed file reach the cache and every other environment. Not here:
 * - a kept file is given away only while the depot's is its only name, so no two environments ever share one; whoever
 *   comes second writes a copy of his own;
 * - it is given away only if it is the very inode, with the size and the time of its last change, that was noted when
 *   its bytes were known and durable (`depot_notes`), or after its bytes were hashed; one that was changed is removed;
 * - and only if it has the mode that is asked for, our owner and group, and no extended attributes.
 *
 * A note is not fooled by whatever writes into a file, for that changes its time; who sets the time back afterwards
 * fools it. It is made only when what was noted is durable, so that it never speaks of bytes that a power cut took.
 *
 * Nothing is synced. There is no depot across file systems, nor on overlayfs, where links are costly and inodes
 * unsteady. Failing is no error: the caller writes the file. All functions but depot_open and depot_close may be called
 * from several threads.
 */
#ifndef UNPIN_OS_DEPOT_H
#define UNPIN_OS_DEPOT_H

#include "os/fs.h"
#include "os/sys.h"

struct depot {
    struct str dir;    /* empty: there is none */
    int fd;            /* the directory, open */
    bool clones;       /* the file system can share bytes between files */
    bool is_new;       /* nothing was kept when it was opened: there is nothing to look for */
    uint32_t uid, gid; /* ours */
    int64_t now_ns;    /* when it was opened */
};

/* The depot in `dir`, which is made (0700), for files that are wanted in the directory `target`. */
struct depot depot_open(struct arena *arena, struct str dir, struct str target);
void depot_close(struct depot *depot);

/* What is wanted. The CRC-32 is of what the wheel holds, so that a RECORD which gives the hash of another kept file is
 * refused with the depot as it is without. */
struct depot_file {
    struct str sha256; /* 32 bytes */
    int64_t size;
    uint32_t crc;
    uint32_t mode; /* permission bits */
    bool aged;     /* it may keep the time that it has in the depot, of less than a day ago, so that it need not be
                      opened; else it gets the present: another file of the same path and size was there before */
};

/* A kept file as it is now. */
struct depot_mark {
    int64_t inode; /* 0: it is not kept */
    int64_t mtime_ns;
    bool noted; /* a note that was given says so */
};

/* A note: the kept file that has these bytes and bits. */
struct depot_note {
    unsigned char sha256[32];
    int64_t size, inode, mtime_ns;
    int64_t mode;
};

/* Notes of the files of one artifact, sorted by digest. */
struct depot_notes {
    const struct depot_note *items;
    int32_t len;
};

/* The notes that were written for the artifact of this name (its hex SHA-256), in DIR-notes; none where there are none
 * that are whole. */
struct depot_notes depot_notes_read(struct arena *arena, const struct depot *depot, struct str name);
/* Writes notes, in any order, in the depot `dir`. Only of files that are durable. */
void depot_notes_write(struct arena *arena, struct str dir, struct str name, struct depot_note *notes, int32_t len);

/* Makes `name` in the open directory `to`, where it must not exist, the kept file that is wanted; `*ret` is that file,
 * `*ret_mark` what is kept. False: nothing was made. */
bool depot_take(const struct depot *depot, struct arena *scratch, const struct depot_notes *notes,
                const struct depot_file *file, int to, const char *name, struct sys_stat *ret,
                struct depot_mark *ret_mark);
/* Keeps the file `name` in the open directory `from`, open as `fd`, which is ours alone, has this digest and has, or
 * will have at once, these permission bits. The mark is 0 where one is kept already. `*ret` is that file as it is now,
 * where it got another name by it; else it is untouched. */
struct depot_mark depot_give(const struct depot *depot, struct str sha256, uint32_t mode, int from, const char *name,
                             int fd, struct sys_stat *ret);

#endif
