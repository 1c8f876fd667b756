/* What comes: headers that matter, the body into memory or a file, hashed on the way. */
#include "os/http_parts.h"

#include <errno.h>
#include <unistd.h>

enum { IGNORED_MAX = 1 << 20 /* bytes of a body that nobody wants, such as a 404's */ };

/* A body's bytes have come. Anything but their number ends the transfer. */
size_t http_on_body(char *data, size_t one, size_t len, void *self) {
    struct transfer *transfer = self;
    (void)one;
    long status = 0;
    (void)transfer->http->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    bool wanted = status == 0 || status == 200 || status == 206;
    transfer->http->received += (int64_t)len;
    if (!wanted) {
        transfer->ignored += (int64_t)len;
        return transfer->ignored > IGNORED_MAX ? 0 : len;
    }
    if ((int64_t)len > transfer->request.limit - transfer->size) {
        transfer->over_limit = true;
        return 0;
    }
    transfer->size += (int64_t)len;
    if (transfer->digest) digest_add(transfer->digest, (struct str){data, (ptrdiff_t)len});
    if (transfer->fd < 0) {
        transfer->write_failed = !http_body_add(transfer, (struct str){data, (ptrdiff_t)len});
        return transfer->write_failed ? 0 : len;
    }
    for (size_t done = 0; done < len;) {
        ssize_t n = write(transfer->fd, data + done, len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            transfer->write_failed = true;
            transfer->write_errno = errno;
            return 0;
        }
        done += (size_t)n;
    }
    return len;
}

bool http_continues(const struct transfer *transfer, long status) {
    return transfer->resumed_at > 0 && status == 206 && transfer->answer.range_first == transfer->resumed_at;
}

/* The headers of an answer are complete: one that promises more than is wanted ends here. Where only the rest of a file
 * was asked for, what comes now may be the rest, or all of it again, because it is another file by now or the server
 * knows no ranges. */
static bool place(struct transfer *transfer) {
    long status = 0;
    (void)transfer->http->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if ((status == 200 || status == 206) && transfer->promised > transfer->request.limit) transfer->over_limit = true;
    if (transfer->over_limit) return false;
    if (!transfer->resumed_at || http_continues(transfer, status)) return true;
    if (status == 206 || status == 416) transfer->misplaced = true;
    if (status != 200) return !transfer->misplaced;
    transfer->size = transfer->resumed_at = 0;
    bool again = ftruncate(transfer->fd, 0) == 0 && lseek(transfer->fd, 0, SEEK_SET) == 0;
    if (!again) transfer->write_errno = errno;
    transfer->write_failed = !again;
    digest_close(transfer->digest, NULL);
    transfer->digest = digest_open(transfer->http->arena); /* it may outlive the attempt */
    return again;
}

/* "bytes 5-9/100", or "bytes *" + "/100". */
static void parse_content_range(struct str value, struct http_response *answer) {
    if (!str_starts(value, S("bytes "))) return;
    struct str rest = str_trim(str_from(value, 6));
    struct str span = str_cut(&rest, '/');
    int64_t n;
    if (str_to_int(rest, &n)) answer->range_total = n;
    if (str_to_int(str_cut(&span, '-'), &n)) answer->range_first = n;
}

static void parse_cache_control(struct str value, struct http_response *answer) {
    while (value.len) {
        struct str word = str_trim(str_cut(&value, ','));
        int64_t n;
        if (str_eq_nocase(word, S("no-store")) || str_eq_nocase(word, S("no-cache"))) {
            answer->max_age = 0;
            return;
        }
        if (str_eq_nocase(str_slice(word, 0, 8), S("max-age=")) && str_to_int(str_from(word, 8), &n))
            answer->max_age = n;
    }
}

void http_reset_answer(struct transfer *transfer) {
    transfer->answer = (struct http_response){.max_age = -1, .range_first = -1, .range_total = -1};
    transfer->promised = -1;
}

size_t http_on_header(char *data, size_t one, size_t len, void *self) {
    struct transfer *transfer = self;
    struct http_response *answer = &transfer->answer;
    struct str rest = {data, (ptrdiff_t)(one * len)};
    if (str_starts(rest, S("HTTP/"))) http_reset_answer(transfer);
    if (rest.len > HTTP_HEADERS_MAX) return len;
    if (str_trim(rest).len == 0) return place(transfer) ? len : 0;
    struct str name = str_trim(str_cut(&rest, ':')), value = str_trim(rest);
    if (str_eq_nocase(name, S("content-type"))) answer->content_type = str_copy(transfer->arena, value);
    else if (str_eq_nocase(name, S("etag"))) answer->etag = str_copy(transfer->arena, value);
    else if (str_eq_nocase(name, S("last-modified"))) answer->last_modified = str_copy(transfer->arena, value);
    else if (str_eq_nocase(name, S("cache-control"))) parse_cache_control(value, answer);
    else if (str_eq_nocase(name, S("content-length"))) (void)str_to_int(value, &transfer->promised);
    else if (str_eq_nocase(name, S("content-range"))) parse_content_range(value, answer);
    return len;
}

struct str http_digest_hex(struct transfer *transfer) {
    unsigned char digest[DIGEST_SHA256];
    if (!transfer->digest) return (struct str){0};
    digest_close(transfer->digest, digest);
    transfer->digest = NULL;
    return digest_hex(transfer->arena, (struct str){(const char *)digest, DIGEST_SHA256});
}
