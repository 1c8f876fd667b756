/* Bodies that no file was asked for: small ones in memory, large ones in files without a name, mapped when all is
 * there. So what comes from a slow server, fifty documents of megabytes at once, does not add up in memory. */
#include "os/http_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Room for what the server promises, as far as it stays in memory. */
static void reserve(struct transfer *transfer) {
    curl_off_t expected = -1;
    (void)transfer->http->curl.easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &expected);
    if (expected <= 0 || expected > transfer->request.limit) return;
    bool large = expected > HTTP_MEMORY_MAX && transfer->http->options.spool.len;
    (void)buf_reserve(&transfer->body, large ? HTTP_MEMORY_MAX : (ptrdiff_t)expected);
}

/* Writes what is in memory behind what is in the spool; false where that fails. */
static bool flush(struct transfer *transfer) {
    struct str rest = buf_str(&transfer->body);
    while (rest.len) {
        ssize_t n = pwrite(transfer->spool, rest.data, (size_t)rest.len, (off_t)transfer->spooled);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        transfer->spooled += n;
        rest = str_from(rest, n);
    }
    /* What could not be written stays. */
    struct buf left = {.arena = transfer->arena};
    if (rest.len) buf_add(&left, rest);
    if (rest.len) transfer->body = left;
    else transfer->body.len = 0;
    return rest.len == 0;
}

/* Takes all back into memory, as if there had never been a spool. */
static bool unspool(struct transfer *transfer) {
    struct buf whole = {.arena = transfer->arena};
    char *data = buf_reserve(&whole, (ptrdiff_t)transfer->spooled);
    while (whole.len < transfer->spooled) {
        ssize_t n = pread(transfer->spool, data + whole.len, (size_t)(transfer->spooled - whole.len), whole.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            transfer->write_errno = n < 0 ? errno : EIO;
            return false;
        }
        whole.len += n;
    }
    buf_add(&whole, buf_str(&transfer->body));
    http_body_drop(transfer);
    transfer->body = whole;
    transfer->unspooled = true;
    return true;
}

static void open_spool(struct transfer *transfer) {
    const char *dir = str_copy_z(transfer->arena, transfer->http->options.spool);
    if (*dir) transfer->spool = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    transfer->unspooled = transfer->spool < 0;
}

bool http_body_add(struct transfer *transfer, struct str bytes) {
    if (transfer->size == bytes.len) reserve(transfer);
    if (transfer->body.len + bytes.len > HTTP_MEMORY_MAX && !transfer->unspooled) {
        if (transfer->spool < 0) open_spool(transfer);
        if (transfer->spool >= 0 && !flush(transfer) && !unspool(transfer)) return false;
    }
    buf_add(&transfer->body, bytes);
    return true;
}

struct str http_body(struct transfer *transfer) {
    if (transfer->spool < 0) return buf_str(&transfer->body);
    void *data = flush(transfer) ? mmap(NULL, (size_t)transfer->spooled, PROT_READ, MAP_PRIVATE, transfer->spool, 0)
                                 : MAP_FAILED;
    if (data == MAP_FAILED) {
        transfer->write_failed = !unspool(transfer);
        return transfer->write_failed ? (struct str){0} : buf_str(&transfer->body);
    }
    transfer->mapped = (struct str){data, (ptrdiff_t)transfer->spooled};
    return transfer->mapped;
}

void http_body_drop(struct transfer *transfer) {
    if (transfer->mapped.len) (void)munmap((void *)(uintptr_t)transfer->mapped.data, (size_t)transfer->mapped.len);
    if (transfer->spool >= 0) (void)close(transfer->spool);
    transfer->mapped = (struct str){0};
    transfer->spool = -1;
    transfer->spooled = 0;
    transfer->unspooled = false;
    transfer->body = (struct buf){.arena = transfer->arena};
}
