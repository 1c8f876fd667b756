#include "os/inflate.h"

#include "base/arena.h"
#include "os/library.h"

#include <stddef.h>
#define ZLIB_CONST /* its input is const then */
#include <zlib.h>

struct functions {
    __typeof__(inflateInit2_) *begin;
    __typeof__(inflate) *step;
    __typeof__(inflateEnd) *end;
};

struct inflate {
    struct functions functions;
    z_stream stream;
};

#ifdef UNPIN_LIBRARIES_LINKED

static bool functions_open(struct functions *ret) {
    *ret = (struct functions){inflateInit2_, inflate, inflateEnd};
    return true;
}

#else

static bool functions_open(struct functions *ret) {
    static const struct library_symbol symbols[] = {
        {"inflateInit2_", offsetof(struct functions, begin)},
        {"inflate", offsetof(struct functions, step)},
        {"inflateEnd", offsetof(struct functions, end)},
    };
    return library_open("libz.so.1", symbols, (int32_t)(sizeof symbols / sizeof *symbols), ret);
}

#endif

struct inflate *inflate_open(struct arena *arena) {
    struct inflate *inflate = arena_new(arena, struct inflate, 1);
    if (!functions_open(&inflate->functions)) return NULL;
    /* Negative: without the head and the sum of zlib's own format. */
    int status = inflate->functions.begin(&inflate->stream, -MAX_WBITS, ZLIB_VERSION, (int)sizeof inflate->stream);
    return status == Z_OK ? inflate : NULL;
}

void inflate_close(struct inflate *inflate) {
    if (inflate) (void)inflate->functions.end(&inflate->stream);
}

int64_t inflate_step(struct inflate *inflate, struct str *in, char *out, int64_t size, bool *ret_end) {
    z_stream *stream = &inflate->stream;
    uInt given = in->len > INFLATE_IN_MAX ? INFLATE_IN_MAX : (uInt)in->len;
    uInt room = size > INFLATE_IN_MAX ? INFLATE_IN_MAX : (uInt)size;
    stream->next_in = (const Bytef *)in->data;
    stream->avail_in = given;
    stream->next_out = (Bytef *)out;
    stream->avail_out = room;
    int status = inflate->functions.step(stream, Z_NO_FLUSH);
    *in = str_from(*in, (ptrdiff_t)(given - stream->avail_in));
    *ret_end = status == Z_STREAM_END;
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR ? (int64_t)(room - stream->avail_out) : -1;
}
