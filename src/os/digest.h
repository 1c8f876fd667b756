/*
 * digest - SHA-2, by OpenSSL.
 *
 * The only module that knows libcrypto, which is opened when the first digest is asked for (os/library): to map and
 * relocate it takes half as long as a whole `unpin check`, which needs none. A libcrypto that cannot be had, or fails,
 * ends the process like a lack of memory: exit status 1 and a message on standard error.
 */
#ifndef UNPIN_OS_DIGEST_H
#define UNPIN_OS_DIGEST_H

#include "base/str.h"

enum { DIGEST_SHA256 = 32, DIGEST_SHA384 = 48, DIGEST_SHA512 = 64, DIGEST_MAX = 64 /* their bytes */ };

/* The digest of `bytes` with `size` * 8 bits (32: SHA-256, 48: SHA-384, 64: SHA-512), as that many bytes in `arena`. */
struct str digest_make(struct arena *arena, struct str bytes, int32_t size);
/* In lower-case hex digits. */
struct str digest_hex(struct arena *arena, struct str digest);

/* A SHA-256 of bytes that come one after the other. Its memory is not the arena's: every one that was opened is closed.
 */
struct digest;
struct digest *digest_open(struct arena *arena);
/* The same of another kind, told by its bytes as in digest_make. */
struct digest *digest_open_kind(struct arena *arena, int32_t size);
void digest_add(struct digest *digest, struct str bytes);
/* Its bytes (32 of digest_open) to `ret`, where that is not NULL. A NULL `digest` is left alone. */
void digest_close(struct digest *digest, unsigned char *ret);

#endif
