/*
 * digest - SHA-2 of bytes in memory, by OpenSSL.
 */
#ifndef UNPIN_OS_DIGEST_H
#define UNPIN_OS_DIGEST_H

#include "base/str.h"

/* The digest of `bytes` with `size` * 8 bits (32: SHA-256, 48: SHA-384, 64: SHA-512), as that many bytes in `arena`. */
struct str digest_make(struct arena *arena, struct str bytes, int32_t size);
/* In lower-case hex digits. */
struct str digest_hex(struct arena *arena, struct str digest);

#endif
