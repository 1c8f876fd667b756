/*
 * What a server answers, without a network: the input is a byte that says how it was asked for (bit 0: into a file,
 * bit 1: only the rest of a file of which some bytes are there, bit 2: with a digest), then the answer as it comes:
 * lines of headers, an empty one, the body in pieces of a few bytes. What is kept never grows beyond what was asked
 * for, and the digest is that of what is kept.
 */
#include "base/arena.h"
#include "os/http_parts.h"

#include <assert.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 100, KEPT = 4, PIECE = 7, STATUS_AT = 9 };

/* The status that the headers gave, for http_answer's only question to curl. */
struct answerer {
    long status;
    curl_off_t promised;
};

static CURLcode tell(CURL *easy, CURLINFO info, ...) {
    const struct answerer *answerer = easy;
    va_list list;
    va_start(list, info);
    if (info == CURLINFO_RESPONSE_CODE) *va_arg(list, long *) = answerer->status;
    if (info == CURLINFO_CONTENT_LENGTH_DOWNLOAD_T) *va_arg(list, curl_off_t *) = answerer->promised;
    va_end(list);
    return CURLE_OK;
}

/* As curl would call it; false where it is told to stop. */
static bool give_headers(struct transfer *transfer, struct answerer *answerer, struct str *rest) {
    struct str line;
    while (str_line(rest, &line)) {
        int64_t status;
        if (str_starts(line, S("HTTP/")) && str_to_int(str_trim(str_slice(line, STATUS_AT, STATUS_AT + 3)), &status))
            answerer->status = (long)status;
        char *copy = str_copy_z(transfer->arena, line);
        copy[line.len] = '\n'; /* curl's lines end so, and with no NUL */
        size_t len = (size_t)line.len + 1;
        if (http_on_header(copy, 1, len, transfer) != len) return false;
        answerer->promised = transfer->promised;
        if (str_trim(line).len == 0) return true;
    }
    return false;
}

static bool give_body(struct transfer *transfer, struct str body) {
    for (ptrdiff_t at = 0; at < body.len; at += PIECE) {
        struct str piece = str_slice(body, at, at + PIECE);
        if (http_on_body(str_copy_z(transfer->arena, piece), 1, (size_t)piece.len, transfer) != (size_t)piece.len)
            return false;
    }
    return true;
}

/* What was kept, from memory or from the file. */
static struct str kept_by(const struct transfer *transfer) {
    static char bytes[LIMIT + 1];
    if (transfer->fd < 0) return buf_str(&transfer->body);
    ssize_t n = pread(transfer->fd, bytes, sizeof bytes, 0);
    assert(n >= 0 && n <= LIMIT);
    return (struct str){bytes, n};
}

static void check(struct transfer *transfer, bool ended) {
    struct str kept = kept_by(transfer);
    assert(transfer->size == kept.len && kept.len <= LIMIT);
    assert(ended || transfer->over_limit || transfer->misplaced || transfer->ignored);
    assert(transfer->answer.max_age >= -1 && transfer->answer.range_first >= -1 && transfer->answer.range_total >= -1);
    if (!transfer->digest) return;
    struct str digest = digest_hex(transfer->arena, digest_make(transfer->arena, kept, DIGEST_SHA256));
    assert(str_eq(http_digest_hex(transfer), digest));
    assert(http_digest_hex(transfer).len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    struct arena *arena = arena_open();
    struct str rest = str_copy(arena, (struct str){(const char *)data + 1, (ptrdiff_t)size - 1});
    struct http *http = arena_new(arena, struct http, 1);
    struct answerer answerer = {.promised = -1};
    *http = (struct http){.arena = arena, .curl = {.easy_getinfo = tell}};
    struct transfer transfer = {.http = http, .arena = arena, .easy = &answerer, .fd = -1, .body = {.arena = arena}};
    transfer.request.limit = LIMIT;
    http_reset_answer(&transfer);
    if (data[0] & 4u) transfer.digest = digest_open(arena);
    if (data[0] & 1u) transfer.fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (transfer.fd >= 0 && data[0] & 2u) {
        struct str begun = S("kept");
        assert(write(transfer.fd, begun.data, KEPT) == KEPT);
        if (transfer.digest) digest_add(transfer.digest, begun);
        transfer.size = transfer.resumed_at = KEPT;
    }
    bool headers = give_headers(&transfer, &answerer, &rest);
    check(&transfer, headers ? give_body(&transfer, rest) : true);
    if (transfer.digest) digest_close(transfer.digest, NULL);
    if (transfer.fd >= 0) (void)close(transfer.fd);
    arena_close(arena);
    return 0;
}
