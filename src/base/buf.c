#include "base/buf.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *buf_reserve(struct buf *buf, ptrdiff_t size) {
    if (buf->cap - buf->len < size) {
        ptrdiff_t cap = buf->cap < 128 ? 128 : buf->cap;
        while (cap - buf->len < size) cap = cap > PTRDIFF_MAX / 2 ? PTRDIFF_MAX : cap * 2;
        buf->data = arena_grow(buf->arena, buf->data, buf->cap, cap);
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void buf_add(struct buf *buf, struct str s) {
    if (s.len == 0) return;
    memcpy(buf_reserve(buf, s.len), s.data, (size_t)s.len);
    buf->len += s.len;
}

void buf_add_char(struct buf *buf, char c) {
    *buf_reserve(buf, 1) = c;
    buf->len++;
}

void buf_addf(struct buf *buf, const char *format, ...) {
    enum { LIKELY = 128 }; /* most fit, and need not be formatted twice */
    va_list args;
    char *to = buf_reserve(buf, LIKELY);
    size_t room = (size_t)(buf->cap - buf->len);
    va_start(args, format);
    int len = vsnprintf(to, room, format, args);
    va_end(args);
    if (len <= 0) return;
    if ((size_t)len < room) {
        buf->len += len;
        return;
    }
    va_start(args, format);
    (void)vsnprintf(buf_reserve(buf, (ptrdiff_t)len + 1), (size_t)len + 1, format, args);
    va_end(args);
    buf->len += len;
}

struct str buf_str(const struct buf *buf) {
    return (struct str){buf->data, buf->len};
}
