/*
 * store - a directory of small files that are written as a whole and may vanish: caches.
 *
 * A file is written beside its place and renamed into it, so that another process sees the old bytes or the new ones.
 * Nothing is synced: what a power cut leaves is found out by a checksum. A sealed file says what it is about, its
 * *identity*: names of files are short hashes of it, which an adversary could make collide. Failing to write is no
 * error of the command: the functions tell by their result.
 */
#ifndef UNPIN_OS_STORE_H
#define UNPIN_OS_STORE_H

#include "os/fs.h"

enum { STORE_IDENTITY_MAX = 64 << 10 };

/* 128 bits of `identity` as 32 hex digits: names of files. No SHA: its start takes longer than reading a warm cache. */
struct str store_key(struct arena *arena, struct str identity);

/* True if nobody else may put files into `dir`: it belongs to this user and is not open to all, or it is not there.
 * Else a sentence's end in *ret_why: "it belongs to user 1000". */
bool store_is_private(struct arena *arena, struct str dir, struct str *ret_why);

/* Makes the directory `dir` and those above it (0700), as far as they lack and that is possible. */
void store_make(struct arena *arena, struct str dir);

/* Writes `bytes` to `path`, whose missing directories are made (0700). False if that is not possible. */
bool store_write(struct arena *arena, struct str path, struct str bytes);
/* As store_write, with a checksum and the identity in front. False for an identity above STORE_IDENTITY_MAX. */
bool store_seal(struct arena *arena, struct str path, struct str identity, struct str bytes);
/* The bytes (at most `limit`) that store_seal wrote, aligned to 8; false where there are none of this identity, or not
 * those that were written (then the file is removed). */
bool store_unseal(const struct fs *fs, struct arena *arena, struct str path, struct str identity, int64_t limit,
                  struct str *ret);

/* Makes `to` another name of `from`, or a copy where that cannot be and it has at most `copy_max` bytes. False: not
 * possible, or `to` is there. */
bool store_link(struct arena *arena, struct str from, struct str to, int64_t copy_max);
/* The hex SHA-256 of `text`. The one of the last text that was asked for with this `path` is kept there, in a sealed
 * file: one that stays the same needs no start of OpenSSL, which takes longer than all else in a plan that changes
 * nothing. */
struct str store_sha256(const struct fs *fs, struct arena *arena, struct str path, struct str text);
/* The hex SHA-256 of a file's bytes; empty if it cannot be read. */
struct str store_file_sha256(struct arena *arena, struct str path);
/* The same for the digest of `size` bytes (os/digest): 48 SHA-384, 64 SHA-512. */
struct str store_file_digest(struct arena *arena, struct str path, int32_t size);
void store_remove(struct arena *arena, struct str path);

/* store_folder.c: what is in a store as a whole. Nothing of it follows a link beneath the store's own directory. */

/* A regular file that belongs to us. */
struct store_file {
    struct str name;
    int64_t bytes;   /* on disk */
    int64_t used_ns; /* when it was read or written last, as far as the file system notes that; since 1970 */
    bool shared;     /* it has another name somewhere: to remove it frees nothing */
};

struct store_folder {
    const struct store_file *files; /* sorted by name */
    int32_t files_len;
    const struct str *folders; /* names of directories, sorted */
    int32_t folders_len;
    int32_t strange; /* links, pipes, files of others, and all beyond STORE_FOLDER_MAX */
};

enum { STORE_FOLDER_MAX = 1000000, STORE_DEPTH_MAX = 8 /* directories beneath the store */ };

/* Reads the folder `path` of the store at `dir`; "" is the store itself. 0 or an errno value. */
int store_folder_read(struct arena *arena, struct str dir, struct str path, struct store_folder *ret);
/* Removes the name `name` from the folder `path`; a link is not followed, a directory must be empty. 0 or an errno
 * value; 0 where it is not there. */
int store_folder_remove(struct arena *arena, struct str dir, struct str path, struct str name, bool folder);
/* The identity of a sealed file and its bytes, whatever it is about. False as with store_unseal. */
bool store_unseal_any(const struct fs *fs, struct arena *arena, struct str path, int64_t limit,
                      struct str *ret_identity, struct str *ret);

enum store_use { STORE_SHARED /* other processes may use it too */, STORE_ALONE };

/* Says that this process uses the store, until store_release or its end: by a lock on the file `lock` in `dir`. Waits
 * for others at most `wait_ms`. 0, EWOULDBLOCK (others use it), or another errno value (nothing can be locked there).
 */
int store_hold(struct arena *arena, struct str dir, enum store_use use, int32_t wait_ms, int *ret_fd);
/* Nothing for -1. */
void store_release(int fd);

#endif
