/*
 * inflate - raw deflate (RFC 1951) unpacked in pieces, by zlib: for what is too large to have in memory at once.
 *
 * libdeflate is twice as fast and takes whole texts only. zlib is opened when it is needed first (os/library).
 */
#ifndef UNPIN_OS_INFLATE_H
#define UNPIN_OS_INFLATE_H

#include "base/str.h"

enum { INFLATE_IN_MAX = 1 << 30 /* bytes that one step may be given */ };

struct inflate;

/* NULL where there is no zlib, or no memory. Close with inflate_close. */
struct inflate *inflate_open(struct arena *arena);
void inflate_close(struct inflate *inflate); /* NULL is allowed */
/* Unpacks from the beginning of `*in`, which loses what was used, up to `size` bytes to `out`: their number, -1 where
 * the bytes are no deflate stream. `*ret_end`: the stream is at its end. */
int64_t inflate_step(struct inflate *inflate, struct str *in, char *out, int64_t size, bool *ret_end);

#endif
