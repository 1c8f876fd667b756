/*
 * zip - a strict reader of zip archives (PKWARE APPNOTE 6.3, with zip64), for wheels. Pure: works on bytes in memory.
 *
 * Two readers of one archive can see different files: where the central directory and the local headers disagree,
 * where something lies between the entries, where a name means different paths. This reader accepts only archives that
 * leave no choice. The directory is read from the whole file or from its last bytes (a range request); the entries are
 * compared with it by `zip_verify` for the whole file, by `zip_data` and `zip_extract` one at a time.
 *
 * Refused, with the entry's name in the text: data before, between or behind the entries, comments, several disks,
 * encryption, methods other than stored and deflated, disagreeing headers, names that are empty, absolute, longer than
 * ZIP_NAME_MAX, not UTF-8, or hold control characters, bidirectional overrides, `\`, `:`, empty, `.` or `..` parts,
 * parts longer than ZIP_PART_MAX or with a blank at their end; duplicates, a file where another has a directory;
 * anything but regular files and empty directories. Data descriptors are accepted where signature, CRC and sizes agree.
 * All refusals are ERR_WHEEL, limits ERR_LIMIT.
 */
#ifndef UNPIN_PYPA_ZIP_H
#define UNPIN_PYPA_ZIP_H

#include "base/err.h"

enum {
    ZIP_ENTRIES_MAX = 65535,      /* what fits without zip64; the largest wheels known have half of it */
    ZIP_DIRECTORY_MAX = 64 << 20, /* bytes of the central directory */
    ZIP_NAME_MAX = 4096,          /* bytes of a path */
    ZIP_PART_MAX = 255,           /* bytes of one of its parts */
    ZIP_DEPTH_MAX = 128,          /* parts */
    ZIP_RATIO_MAX = 300,          /* unpacked : packed, of entries and of archives of more than ZIP_RATIO_FROM bytes */
    ZIP_RATIO_FROM = 32 << 20,
};
#define ZIP_SIZE_MAX ((int64_t)64 << 30) /* bytes of all entries unpacked, and of the archive */

struct zip_entry {
    struct str name;      /* as in the archive; a directory's ends with `/`; borrowed from the bytes */
    int64_t offset;       /* of the local header */
    int64_t next;         /* where the next entry or the directory begins: the entry lies in [offset, next) */
    int64_t packed, size; /* bytes in the archive, bytes unpacked */
    uint32_t crc;         /* CRC-32 of the unpacked bytes */
    uint32_t mode;        /* Unix mode with its type bits; 0: none given */
    uint16_t method;      /* 0 or 8 */
    uint16_t flags;
    bool is_dir;
};

struct zip {
    const struct zip_entry *entries; /* in the order of the directory */
    int32_t len;
    const int32_t *sorted; /* positions in `entries` in the order of their names */
    int64_t directory_offset;
    int64_t file_size;
    int64_t size; /* unpacked bytes of all entries */
};

/*
 * Reads the directory from `tail`, the last bytes of a file of `file_size` bytes (or all of them). Where the directory
 * begins before the tail, *ret_need is the number of last bytes that are needed and `ret` is untouched; otherwise
 * *ret_need is 0. The entries borrow from `tail`.
 */
ERR_MUST_CHECK struct err *zip_read(struct arena *arena, struct str tail, int64_t file_size, struct zip *ret,
                                    int64_t *ret_need);

/* Compares every local header of the file `whole` with the directory, and that the entries leave no gap. Contents are
 * not unpacked. */
ERR_MUST_CHECK struct err *zip_verify(struct arena *arena, const struct zip *zip, struct str whole);

/* The entry of a name (a directory with or without its `/`), or NULL. */
const struct zip_entry *zip_find(const struct zip *zip, struct str name);

/* The packed bytes of `entry`, its local header checked. `bytes` are the file's from entry->offset on, at least up to
 * entry->next. */
ERR_MUST_CHECK struct err *zip_data(struct arena *arena, const struct zip_entry *entry, struct str bytes,
                                    struct str *ret);
/* Unpacks `data`, the packed bytes of `entry`, to the entry->size bytes at `out` and checks the CRC. */
ERR_MUST_CHECK struct err *zip_unpack(struct arena *arena, const struct zip_entry *entry, struct str data, char *out);
/* The CRC of bytes of which `crc` (0: none yet) is the CRC so far. */
uint32_t zip_crc(uint32_t crc, struct str bytes);
/* True if the packed bytes of `entry` are a deflate stream; else they are its bytes themselves. */
bool zip_is_deflated(const struct zip_entry *entry);
/* zip_data and zip_unpack into `arena`; ERR_LIMIT above `limit` bytes. */
ERR_MUST_CHECK struct err *zip_extract(struct arena *arena, const struct zip_entry *entry, struct str bytes,
                                       int64_t limit, struct str *ret);

/* NULL, or why `path` may not be a file's path in an archive, as the end of a sentence ("has a part `..`"). */
const char *zip_path_problem(struct str path);

#endif
