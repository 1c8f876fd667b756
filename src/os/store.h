/*
 * store - a directory of small files that are written as a whole and may vanish: caches.
 *
 * A file is written beside its place and renamed into it, so that another process sees the old bytes or the new ones.
 * Nothing is synced: what a power cut leaves is found out by a checksum. Failing to write is no error of the command:
 * the functions tell by their result.
 */
#ifndef UNPIN_OS_STORE_H
#define UNPIN_OS_STORE_H

#include "os/fs.h"

enum { STORE_SUM = 8 /* bytes that a sealed file has more than its content */ };

/* The hex SHA-256 of `text`: names of files. */
struct str store_key(struct arena *arena, struct str text);

/* Writes `bytes` to `path`, whose missing directories are made (0700). False if that is not possible. */
bool store_write(struct arena *arena, struct str path, struct str bytes);
/* As store_write, with a checksum in front. */
bool store_seal(struct arena *arena, struct str path, struct str bytes);
/* The bytes that store_seal wrote, aligned to 8; false where there are none, or other ones (then the file is removed).
 */
bool store_unseal(const struct fs *fs, struct arena *arena, struct str path, int64_t limit, struct str *ret);

/* Makes `to` another name of `from`, or a copy where that cannot be and it has at most `copy_max` bytes. False: not
 * possible, or `to` is there. */
bool store_link(struct arena *arena, struct str from, struct str to, int64_t copy_max);
/* The hex SHA-256 of a file's bytes; empty if it cannot be read. */
struct str store_file_sha256(struct arena *arena, struct str path);
void store_remove(struct arena *arena, struct str path);

#endif
