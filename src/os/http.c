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
    LATE_US = 50000,           /* curl may end a transfer so much before its time */
    RESUME_US = 20000,         /* before a file is gone on with */
    PAUSE_US = 250000,         /* before the first repetition; doubled each time */
    HOST_CONNECTIONS_MAX = 16, /* to one server that speaks only HTTP/1.1 */
    FLUSH_MIN = 512 << 10,     /* bytes of a file that the disk had better begin with at once */
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
    http->proxy_http = str_copy_z(arena, options->proxy_http);
    http->proxy_https = str_copy_z(arena, options->proxy_https);
    http->no_proxy = str_copy_z(arena, options->no_proxy);
    http->client_cert = text_or_null(arena, options->client_cert);
    http->netrc = text_or_null(arena, options->netrc);
    if (http->netrc && access(http->netrc, R_OK) != 0) http->netrc = NULL;
    for (int i = 0; i < HTTP_PARALLEL_MAX; i++) {
        http->transfers[i].http = http;
        http->transfers[i].fd = -1;
        http->transfers[i].spool = -1;
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
    /* Who keeps it will want it durable: the disk had better begin at once. */
    if (keep && transfer->size >= FLUSH_MIN) (void)sync_file_range(transfer->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    (void)close(transfer->fd);
    transfer->fd = -1;
    if (!keep) (void)unlink(str_copy_z(transfer->arena, transfer->request.path));
}

/* Puts a waiting request on its way. An err here is one of the local file. */
static void start(struct http *http, struct transfer *transfer, const struct waiting *waiting) {
    if (!transfer->arena) transfer->arena = arena_open();
    transfer->request = waiting->request;
    transfer->attempt = waiting->attempt;
    transfer->deadline_us = waiting->deadline_us;
    transfer->furthest = waiting->furthest;
    transfer->busy = true;
    transfer->over_limit = transfer->write_failed = transfer->misplaced = transfer->logged_in = false;
    transfer->ignored = 0;
    transfer->size = transfer->resumed_at = waiting->beginning.size;
    transfer->times = waiting->beginning.times;
    transfer->text[0] = '\0';
    http_body_drop(transfer);
    http_reset_answer(transfer);
    transfer->fd = waiting->beginning.fd;
    transfer->digest = waiting->beginning.digest;
    transfer->write_errno = transfer->fd < 0 ? open_target(transfer) : 0;
    transfer->write_failed = transfer->write_errno != 0;
    if (!transfer->digest && (transfer->request.hash || transfer->fd >= 0))
        transfer->digest = digest_open(transfer->http->arena); /* it may outlive the attempt */
    if (!transfer->easy) transfer->easy = http->curl.easy_init();
    else http->curl.easy_reset(transfer->easy);
    if (!transfer->easy || transfer->write_failed) return;
    http_set_request(transfer, waiting->beginning.validator);
    http_set_security(transfer);
    http_set_limits(transfer, clock_us());
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
    http_body_drop(transfer);
    arena_rewind(transfer->arena, (struct arena_mark){0});
}

void http_add(struct http *http, const struct http_request *request) {
    *vec_push(http->arena, &http->queue) = (struct waiting){.request = *request, .beginning = {.fd = -1}};
}

static bool may_retry(CURLcode code, long status) {
    switch ((int)code) {
    case CURLE_OK: return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_OPERATION_TIMEDOUT:
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

/* Takes what came of a file out of the transfer, so that the next attempt goes on behind it; false where nothing can be
 * kept. */
static bool keep_beginning(struct transfer *transfer, struct beginning *ret) {
    const struct http_response *answer = &transfer->answer;
    bool strong = answer->etag.len && !str_starts(answer->etag, S("W/"));
    struct str validator = strong ? answer->etag : answer->last_modified;
    if (transfer->fd < 0 || transfer->misplaced || transfer->size <= transfer->resumed_at) return false;
    if (!validator.len && !transfer->request.checked) return false;
    if (transfer->request.range.len || transfer->times == HTTP_RESUMES_MAX) return false;
    *ret = (struct beginning){transfer->fd, transfer->digest, transfer->size,
                              str_copy(transfer->http->arena, validator), transfer->times + 1};
    transfer->fd = -1;
    transfer->digest = NULL;
    return true;
}

/* Gives it back, for the transfer is over after all. */
static void restore_beginning(struct transfer *transfer, const struct beginning *beginning) {
    if (beginning->fd < 0) return;
    transfer->fd = beginning->fd;
    transfer->digest = beginning->digest;
}

/* How long to wait before the next attempt, -1 where there is none. */
static int64_t pause_of(const struct http *http, const struct transfer *transfer, CURLcode code, long status) {
    int32_t most = http->options.retries >= 0 ? http->options.retries : HTTP_RETRIES;
    bool once = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT;
    if (most > 1 && once) most = 1; /* without a name, a route or a word one repetition is enough */
    if (transfer->attempt >= most || !(transfer->misplaced || may_retry(code, status))) return -1;
    curl_off_t asked = 0;
    long connected = 0;
    (void)http->curl.easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &asked);
    (void)http->curl.easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &connected);
    if (connected >= 400 && connected < 500) return -1; /* the proxy refuses */
    if (asked > HTTP_RETRY_AFTER_MAX_S) return -1;
    if (asked > 0) return (int64_t)asked * 1000000;
    return (int64_t)PAUSE_US << (transfer->attempt < 8 ? transfer->attempt : 8);
}

/* Queues the request again if another attempt makes sense. */
static bool retry(struct http *http, struct transfer *transfer, CURLcode code, long status) {
    struct waiting again = {.request = transfer->request, .attempt = transfer->attempt + 1, .beginning = {.fd = -1}};
    if (transfer->over_limit || transfer->write_failed) return false;
    int64_t pause = pause_of(http, transfer, code, status), now = clock_us();
    if (code == CURLE_OK && status == 401 && http_login(transfer)) {
        pause = 0;
        again.attempt--;
    }
    bool further = transfer->size > transfer->furthest;
    again.furthest = further ? transfer->size : transfer->furthest;
    bool kept = code != CURLE_OK && (further || pause >= 0) && may_retry(code, status) &&
                keep_beginning(transfer, &again.beginning);
    if (kept && further) {
        pause = RESUME_US;
        again.attempt = 0;
    }
    again.not_before_us = now + pause;
    again.deadline_us = transfer->deadline_us;
    if (pause < 0 || again.not_before_us >= again.deadline_us) {
        restore_beginning(transfer, &again.beginning);
        return false;
    }
    *vec_push(http->arena, &http->queue) = again;
    drop_target(transfer, false);
    finish(transfer);
    release(transfer);
    return true;
}

/* True if all attempts together took too long. */
static bool is_late(const struct transfer *transfer, CURLcode code) {
    return code == CURLE_OPERATION_TIMEDOUT && clock_us() + LATE_US >= transfer->deadline_us;
}

static struct err *hint_network(struct http *http, const struct transfer *transfer, struct err *err, CURLcode code) {
    struct arena *arena = http->arena;
    long connected = 0;
    (void)http->curl.easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &connected);
    if (connected == 407)
        return err_hint(arena, err, "the proxy wants credentials: name it as http://user:password@host:port");
    if (connected >= 400) return err_hint(arena, err, "the proxy refuses to connect there (it answers %ld)", connected);
    if (code == CURLE_SSL_CERTPROBLEM)
        return err_hint(arena, err,
                        "the client certificate cannot be used: it must be a PEM file with the key and the certificate "
                        "(PIP_CLIENT_CERT or pip's option `client-cert`)");
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return err_hint(arena, err,
                        "the server's certificate is not trusted: name the certificates of your network with "
                        "PIP_CERT or pip's option `cert`");
    if (code == CURLE_TOO_MANY_REDIRECTS) return err_hint(arena, err, "the server sends from one page to another");
    long redirects = 0;
    (void)http->curl.easy_getinfo(transfer->easy, CURLINFO_REDIRECT_COUNT, &redirects);
    if (code == CURLE_UNSUPPORTED_PROTOCOL && redirects > 0)
        return err_hint(arena, err, "a redirect may not lead from https to http, nor to a file");
    if (is_late(transfer, code))
        return err_hint(arena, err, "UNPIN_TOTAL_TIMEOUT=SECONDS allows more time for a document or file");
    if (is_unreachable(code))
        return err_hint(arena, err,
                        "is the network there? behind a proxy set HTTPS_PROXY or pip's option `proxy`; with "
                        "--offline only what is cached is used");
    return err;
}

static struct err *transfer_err(struct http *http, struct transfer *transfer, CURLcode code) {
    struct arena *arena = http->arena;
    struct str url = http_mask(arena, transfer->request.url);
    if (transfer->write_failed)
        return err_errno(arena, transfer->write_errno, "cannot write '%.*s'",
                         FMT(transfer->request.path.len ? transfer->request.path : http->options.spool));
    if (transfer->over_limit)
        return err_make(arena, ERR_LIMIT, "%.*s is larger than %lld bytes", FMT(url),
                        (long long)transfer->request.limit);
    if (transfer->misplaced)
        return err_make(arena, ERR_NETWORK, "cannot fetch %.*s: the server sends other bytes than it was asked for",
                        FMT(url));
    if (code == CURLE_OK) return NULL;
    /* curl's own text may hold the URL with its password; the general one does not. */
    const char *why =
        transfer->text[0] && !strchr(transfer->text, '@') ? transfer->text : http->curl.easy_strerror(code);
    if (is_late(transfer, code)) why = "it took too long in all";
    struct err *err = err_make(arena, ERR_NETWORK, "cannot fetch %.*s: %s", FMT(url), why);
    return transfer->easy ? hint_network(http, transfer, err, code) : err;
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
    if (http_continues(transfer, status)) status = 200; /* together with what came before it is the whole */
    curl_off_t wait_s = 0;
    if (transfer->easy) (void)http->curl.easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &wait_s);
    answer.retry_after = wait_s;
    answer.user = transfer->request.user;
    answer.tag = transfer->request.tag;
    answer.status = (int32_t)status;
    answer.body = http_body(transfer);
    answer.err = transfer_err(http, transfer, code);
    answer.unreachable = answer.err && is_unreachable(code);
    answer.url = http_strip(transfer->arena, url ? str_copy(transfer->arena, str_of(url)) : transfer->request.url);
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
        if (due.deadline_us == 0) due.deadline_us = now + http_total_s(http, &due.request) * 1000000;
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

/* What was kept for an attempt that never comes. */
static void drop_beginning(struct waiting *waiting) {
    if (waiting->beginning.fd < 0) return;
    struct arena *scratch = arena_open();
    (void)close(waiting->beginning.fd);
    (void)unlink(str_copy_z(scratch, waiting->request.path));
    digest_close(waiting->beginning.digest, NULL);
    arena_close(scratch);
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
        http_body_drop(transfer);
        arena_close(transfer->arena);
    }
    for (ptrdiff_t i = http->queue_from; i < http->queue.len; i++) drop_beginning(&http->queue.data[i]);
    (void)http->curl.multi_cleanup(http->multi);
}

int32_t http_requests(const struct http *http) {
    return http->requests;
}

int64_t http_received(const struct http *http) {
    return http->received;
}
