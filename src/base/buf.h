/*
 * buf - bytes that grow at the end, in an arena. For building text and files in memory.
 */
#ifndef UNPIN_BASE_BUF_H
#define UNPIN_BASE_BUF_H

#include "base/str.h"

struct buf {
    struct arena *arena; /* set by the caller; where the bytes live */
    char *data;
    ptrdiff_t len, cap;
};

void buf_add(struct buf *buf, struct str s);
void buf_add_char(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `size` bytes more at data + len; the caller writes them and adds to `len`. */
char *buf_reserve(struct buf *buf, ptrdiff_t size);
/* A view of what is there; valid until the next change. */
struct str buf_str(const struct buf *buf);

#endif
