#include "os/http_parts.h"

#include "os/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 50,
    PAUSE_US = 250000,         /* before the first repetition; doubled each time */
    HOST_CONNECTIONS_MAX = 16, /* to one server that speaks only HTTP/1.1 */
};

static int64_t clock_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const char *text_or_null(struct arena *arena, struct str s) {
    return s.len ? str_copy_z(arena, s) : NULL;
}

/* Where the system keeps its certificates: a directory with hashed names is read only as far as it is needed. */
static void choose_certificates(struct http *http) {
    static const char *const bundles[] = {"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                          "/etc/ssl/cert.pem"};
    const char *cert = text_or_null(http->arena, http->options.cert);
    struct stat st;
    if (cert) {
        bool dir = stat(cert, &st) == 0 && S_ISDIR(st.st_mode);
        http->ca_path = dir ? cert : NULL;
        http->ca_file = dir ? NULL : cert;
        return;
    }
    if (stat("/etc/ssl/certs/ca-certificates.crt", &st) == 0) http->ca_path = "/etc/ssl/certs";
    for (size_t i = 0; i < sizeof bundles / sizeof *bundles && !http->ca_path && !http->ca_file; i++)
        if (stat(bundles[i], &st) == 0) http->ca_file = bundles[i];
}

struct err *http_open(struct arena *arena, const struct http_options *options, struct http **ret) {
    struct http *http = arena_new(arena, struct http, 1);
    if (!curl_open(&http->curl) || http->curl.global_init(CURL_GLOBAL_DEFAULT))
        return err_make(arena, ERR_NETWORK, "libcurl cannot be started");
    http->arena = arena;
    http->options = *options;
    http->multi = http->curl.multi_init();
    if (!http->multi) return err_make(arena, ERR_NETWORK, "libcurl cannot be started");
    (void)http->curl.multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)http->curl.multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS_MAX);
    choose_certificates(http);
    http->proxy = text_or_null(arena, options->proxy);
    http->client_cert = text_or_null(arena, options->client_cert);
    http->netrc = text_or_null(arena, options->netrc);
    if (http->netrc && access(http->netrc, R_OK) != 0) http->netrc = NULL;
    for (int i = 0; i < HTTP_PARALLEL_MAX; i++) {
        http->transfers[i].http = http;
        http->transfers[i].fd = -1;
    }
    *ret = http;
    return NULL;
}

void http_know(struct http *http, struct str url) {
    CURLU *parts = http->curl.url();
    char *user = NULL, *password = NULL;
    if (parts && http->curl.url_set(parts, CURLUPART_URL, str_copy_z(http->arena, url), 0) == CURLUE_OK &&
        http->curl.url_get(parts, CURLUPART_USER, &user, CURLU_URLDECODE) == CURLUE_OK) {
        struct known *known = vec_push(http->arena, &http->known);
        known->origin = http_origin(http->arena, url);
        known->user = str_copy_z(http->arena, str_of(user));
        if (http->curl.url_get(parts, CURLUPART_PASSWORD, &password, CURLU_URLDECODE) == CURLUE_OK)
            known->password = str_copy_z(http->arena, str_of(password));
    }
    http->curl.free(user);
    http->curl.free(password);
    http->curl.url_cleanup(parts);
}

/* The file that the body goes to. */
static int open_target(struct transfer *transfer) {
    if (!transfer->request.path.len) return 0;
    const char *path = str_copy_z(transfer->arena, transfer->request.path);
    transfer->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return transfer->fd < 0 ? errno : 0;
}

static void drop_target(struct transfer *transfer, bool keep) {
    if (transfer->fd < 0) return;
    (void)close(transfer->fd);
    transfer->fd = -1;
    if (!keep) (void)unlink(str_copy_z(transfer->arena, transfer->request.path));
}

/* Puts a waiting request on its way. An err here is one of the local file. */
static void start(struct http *http, struct transfer *transfer, const struct waiting *waiting) {
    if (!transfer->arena) transfer->arena = arena_open();
    transfer->request = waiting->request;
    transfer->attempt = waiting->attempt;
    transfer->busy = true;
    transfer->over_limit = transfer->write_failed = false;
    transfer->size = 0;
    transfer->text[0] = '\0';
    transfer->body = (struct buf){.arena = transfer->arena};
    http_reset_answer(transfer);
    transfer->write_errno = open_target(transfer);
    transfer->write_failed = transfer->write_errno != 0;
    if (transfer->request.hash || transfer->fd >= 0) transfer->digest = digest_open(transfer->arena);
    if (!transfer->easy) transfer->easy = http->curl.easy_init();
    else http->curl.easy_reset(transfer->easy);
    if (!transfer->easy || transfer->write_failed) return;
    http_set_request(transfer);
    http_set_security(transfer);
    http_set_limits(transfer);
    if (http->curl.multi_add_handle(http->multi, transfer->easy) != CURLM_OK) return;
    http->running++;
    http->requests++;
}

/* Frees what one attempt held, but not its arena, whose bytes the caller may still look at. */
static void finish(struct transfer *transfer) {
    digest_close(transfer->digest, NULL);
    transfer->digest = NULL;
    transfer->http->curl.slist_free_all(transfer->headers);
    transfer->headers = NULL;
}

static void release(struct transfer *transfer) {
    transfer->busy = false;
    arena_rewind(transfer->arena, (struct arena_mark){0});
}

void http_add(struct http *http, const struct http_request *request) {
    *vec_push(http->arena, &http->queue) = (struct waiting){.request = *request};
}

static bool may_retry(CURLcode code, long status) {
    switch ((int)code) {
    case CURLE_OK: return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR: return true;
    default: return false;
    }
}

static bool is_unreachable(CURLcode code) {
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
           code == CURLE_OPERATION_TIMEDOUT || code == CURLE_SSL_CONNECT_ERROR;
}

/* Queues the request again if another attempt makes sense. Without a name or a route one repetition is enough. */
static bool retry(struct http *http, struct transfer *transfer, CURLcode code, long status) {
    int32_t most = http->options.retries >= 0 ? http->options.retries : HTTP_RETRIES;
    if (most > 1 && (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT)) most = 1;
    if (transfer->over_limit || transfer->write_failed || transfer->attempt >= most || !may_retry(code, status))
        return false;
    curl_off_t asked = 0;
    (void)transfer->http->curl.easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &asked);
    if (asked > HTTP_RETRY_AFTER_MAX_S) asked = HTTP_RETRY_AFTER_MAX_S;
    int64_t pause = (int64_t)PAUSE_US << (transfer->attempt < 8 ? transfer->attempt : 8);
    if (asked > 0) pause = (int64_t)asked * 1000000;
    *vec_push(http->arena, &http->queue) =
        (struct waiting){transfer->request, clock_us() + pause, transfer->attempt + 1};
    drop_target(transfer, false);
    finish(transfer);
    release(transfer);
    return true;
}

static void hint_network(struct arena *arena, struct err *err, CURLcode code) {
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        (void)err_hint(arena, err,
                       "the server's certificate is not trusted: name the certificates of your network with "
                       "PIP_CERT or pip's option `cert`");
    else if (is_unreachable(code))
        (void)err_hint(arena, err,
                       "is the network there? behind a proxy set HTTPS_PROXY or pip's option `proxy`; with "
                       "--offline only what is cached is used");
}

static struct err *transfer_err(struct http *http, struct transfer *transfer, CURLcode code) {
    struct arena *arena = http->arena;
    struct str url = http_mask(arena, transfer->request.url);
    if (transfer->write_failed)
        return err_errno(arena, transfer->write_errno, "cannot write '%.*s'", FMT(transfer->request.path));
    if (transfer->over_limit)
        return err_make(arena, ERR_LIMIT, "%.*s is larger than %lld bytes", FMT(url),
                        (long long)transfer->request.limit);
    if (code == CURLE_OK) return NULL;
    /* curl's own text may hold the URL with its password; the general one does not. */
    const char *why =
        transfer->text[0] && !strchr(transfer->text, '@') ? transfer->text : http->curl.easy_strerror(code);
    struct err *err = err_make(arena, ERR_NETWORK, "cannot fetch %.*s: %s", FMT(url), why);
    hint_network(arena, err, code);
    return err;
}

/* The answer of a transfer that is over. */
static void give(struct http *http, struct transfer *transfer, CURLcode code, struct http_response *ret) {
    long status = 0;
    char *url = NULL;
    if (transfer->easy) {
        (void)transfer->http->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)transfer->http->curl.easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &url);
    }
    bool file = str_eq_nocase(str_slice(transfer->request.url, 0, 5), S("file:"));
    struct http_response answer = transfer->answer;
    if (file && code == CURLE_OK) status = 200;
    if (file && (code == CURLE_FILE_COULDNT_READ_FILE || code == CURLE_REMOTE_FILE_NOT_FOUND)) {
        status = 404;
        code = CURLE_OK;
    }
    /* A body that nobody wants was cut off: the status says all. */
    if (code == CURLE_WRITE_ERROR && !transfer->over_limit && !transfer->write_failed && status != 200) code = CURLE_OK;
    answer.user = transfer->request.user;
    answer.tag = transfer->request.tag;
    answer.status = (int32_t)status;
    answer.err = transfer_err(http, transfer, code);
    answer.unreachable = answer.err && is_unreachable(code);
    answer.url = http_strip(transfer->arena, url ? str_copy(transfer->arena, str_of(url)) : transfer->request.url);
    answer.body = buf_str(&transfer->body);
    answer.size = transfer->size;
    answer.sha256 = http_digest_hex(transfer);
    drop_target(transfer, !answer.err && (status == 200 || status == 206));
    finish(transfer);
    http->given = transfer;
    *ret = answer;
}

/* Starts what is due. Gives a transfer that failed at once, else NULL. *wait_us: when the next one is due. */
static struct transfer *start_due(struct http *http, int64_t *wait_us) {
    int64_t now = clock_us();
    *wait_us = INT64_MAX;
    for (ptrdiff_t i = http->queue_from; i < http->queue.len; i++) {
        struct waiting *waiting = &http->queue.data[i];
        if (http->running == HTTP_PARALLEL_MAX) break;
        if (waiting->not_before_us > now) {
            if (waiting->not_before_us - now < *wait_us) *wait_us = waiting->not_before_us - now;
            continue;
        }
        struct transfer *slot = http->transfers;
        while (slot->busy) slot++;
        struct waiting due = *waiting;
        *waiting = http->queue.data[http->queue_from++];
        int32_t running = http->running;
        start(http, slot, &due);
        if (http->running == running) return slot;
    }
    if (http->queue_from == http->queue.len) http->queue.len = http->queue_from = 0;
    return NULL;
}

/* Takes the transfers that are over; gives the first whose answer counts. */
static bool take_finished(struct http *http, struct http_response *ret) {
    int left;
    const CURLMsg *message;
    while ((message = http->curl.multi_info_read(http->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        struct transfer *transfer = NULL;
        long status = 0;
        (void)http->curl.easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        (void)http->curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        (void)http->curl.multi_remove_handle(http->multi, easy);
        http->running--;
        if (retry(http, transfer, code, status)) continue;
        give(http, transfer, code, ret);
        return true;
    }
    return false;
}

bool http_next(struct http *http, struct http_response *ret) {
    if (http->given) release(http->given);
    http->given = NULL;
    for (;;) {
        int64_t wait_us;
        struct transfer *failed = start_due(http, &wait_us);
        if (failed) {
            give(http, failed, CURLE_FAILED_INIT, ret);
            return true;
        }
        int running;
        if (http->curl.multi_perform(http->multi, &running) != CURLM_OK) return false;
        if (take_finished(http, ret)) return true;
        if (http->running == 0 && http->queue_from == http->queue.len) return false;
        int wait_ms = wait_us / 1000 < TICK_MS ? (int)(wait_us / 1000) + 1 : TICK_MS;
        (void)http->curl.multi_poll(http->multi, NULL, 0, wait_ms, NULL);
        /* While bytes arrive nothing is committed: a signal that waits need not wait longer. */
        if (signals_waiting()) return false;
        if (http->options.tick) http->options.tick(http->options.tick_self, http->received);
    }
}

void http_close(struct http *http) {
    if (!http) return;
    for (int i = 0; i < HTTP_PARALLEL_MAX; i++) {
        struct transfer *transfer = &http->transfers[i];
        if (transfer->easy) {
            (void)http->curl.multi_remove_handle(http->multi, transfer->easy);
            http->curl.easy_cleanup(transfer->easy);
        }
        if (transfer->arena) drop_target(transfer, false);
        finish(transfer);
        arena_close(transfer->arena);
    }
    (void)http->curl.multi_cleanup(http->multi);
}

int32_t http_requests(const struct http *http) {
    return http->requests;
}

int64_t http_received(const struct http *http) {
    return http->received;
}
