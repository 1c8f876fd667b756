/* What curl is told of a request: whom it may trust, whose credentials it shows, how long it may take. */
#include "os/http_parts.h"

static bool is_trusted(const struct http *http, struct arena *arena, struct str url) {
    struct str origin = http_origin(arena, url);
    struct str host = str_from(origin, str_find(origin, S("://")) + 3);
    ptrdiff_t colon = str_find_last(host, ':');
    for (int32_t i = 0; i < http->options.trusted_hosts_len; i++) {
        struct str trusted = http->options.trusted_hosts[i];
        if (str_eq_nocase(trusted, host) || str_eq_nocase(trusted, str_slice(host, 0, colon))) return true;
    }
    return false;
}

struct known *http_known(struct http *http, struct arena *arena, struct str url) {
    struct str origin = http_origin(arena, url);
    for (ptrdiff_t i = 0; i < http->known.len; i++)
        if (str_eq(http->known.data[i].origin, origin)) return &http->known.data[i];
    return NULL;
}

bool http_login(struct transfer *transfer) {
    struct http *http = transfer->http;
    struct str url = transfer->request.url, origin = http_origin(http->arena, url);
    char *effective = NULL;
    (void)http->curl.easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &effective);
    /* Another server than the one that was asked has refused: it gets nothing that belongs to the first. */
    if (!http->options.login || transfer->logged_in || !effective) return false;
    if (!str_eq(http_origin(http->arena, str_of(effective)), origin)) return false;
    if (http_userinfo(url).len) http_know(http, url);
    struct known *known = http_known(http, http->arena, url);
    if (!known) {
        known = vec_push(http->arena, &http->known);
        *known = (struct known){.origin = origin};
    }
    if (known->asked) return known->password != NULL;
    known->asked = true;
    struct http_login login = {0};
    struct str user = str_of(known->user ? known->user : "");
    known->password = NULL;
    if (!http->options.login(http->options.login_self, http->arena, http_strip(http->arena, url), user, &login))
        return false;
    known->user = str_copy_z(http->arena, login.user);
    known->password = str_copy_z(http->arena, login.password);
    return true;
}

static void set_credentials(struct transfer *transfer) {
    const struct curl *curl = &transfer->http->curl;
    const struct http *http = transfer->http;
    if (http->netrc) {
        (void)curl->easy_setopt(transfer->easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
        (void)curl->easy_setopt(transfer->easy, CURLOPT_NETRC_FILE, http->netrc);
    }
    const struct known *known = http_known(transfer->http, transfer->arena, transfer->request.url);
    if (!known || !known->user) return;
    if (http_userinfo(transfer->request.url).len) {
        if (!known->asked) return;
        (void)curl->easy_setopt(transfer->easy, CURLOPT_URL,
                                str_copy_z(transfer->arena, http_strip(transfer->arena, transfer->request.url)));
    }
    (void)curl->easy_setopt(transfer->easy, CURLOPT_USERNAME, known->user);
    if (known->password) (void)curl->easy_setopt(transfer->easy, CURLOPT_PASSWORD, known->password);
    transfer->logged_in = known->asked;
}

void http_set_security(struct transfer *transfer) {
    const struct curl *curl = &transfer->http->curl;
    const struct http *http = transfer->http;
    CURL *easy = transfer->easy;
    struct str url = transfer->request.url;
    bool file = str_eq_nocase(str_slice(url, 0, 5), S("file:"));
    (void)curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, file ? "file" : "http,https");
    /* What was asked for over TLS is not taken from a redirect that gives it up. */
    bool tls = str_eq_nocase(str_slice(url, 0, 6), S("https:"));
    (void)curl->easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
    (void)curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS_MAX);
    if (http->ca_file || http->ca_path) {
        (void)curl->easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
        (void)curl->easy_setopt(easy, CURLOPT_CAPATH, http->ca_path);
    }
    if (http->client_cert) (void)curl->easy_setopt(easy, CURLOPT_SSLCERT, http->client_cert);
    (void)curl->easy_setopt(easy, CURLOPT_PROXY, file ? "" : tls ? http->proxy_https : http->proxy_http);
    (void)curl->easy_setopt(easy, CURLOPT_NOPROXY, http->no_proxy);
    (void)curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (is_trusted(http, transfer->arena, url)) {
        (void)curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set_credentials(transfer);
}

int64_t http_total_s(const struct http *http, const struct http_request *request) {
    if (http->options.total_s > 0) return http->options.total_s;
    if (!request->path.len) return HTTP_DOCUMENT_S;
    int64_t all = HTTP_FILE_S + request->limit / HTTP_FILE_SPEED;
    return all < HTTP_FILE_MAX_S ? all : HTTP_FILE_MAX_S;
}

void http_set_limits(struct transfer *transfer, int64_t now_us) {
    const struct curl *curl = &transfer->http->curl;
    const struct http_options *options = &transfer->http->options;
    CURL *easy = transfer->easy;
    long stall = options->timeout_s > 0 ? options->timeout_s : HTTP_STALL_S;
    long connect = stall < HTTP_CONNECT_S ? stall : HTTP_CONNECT_S;
    (void)curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, connect);
    (void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, stall);
    int64_t left_ms = (transfer->deadline_us - now_us) / 1000;
    (void)curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 1 ? left_ms : 1));
    (void)curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

static void add_header(struct transfer *transfer, struct str header) {
    struct curl_slist *longer =
        transfer->http->curl.slist_append(transfer->headers, str_copy_z(transfer->arena, header));
    if (longer) transfer->headers = longer;
}

void http_set_request(struct transfer *transfer, struct str validator) {
    const struct curl *curl = &transfer->http->curl;
    const struct http_request *request = &transfer->request;
    CURL *easy = transfer->easy;
    (void)curl->easy_setopt(easy, CURLOPT_URL, str_copy_z(transfer->arena, request->url));
    (void)curl->easy_setopt(easy, CURLOPT_USERAGENT, "unpin/" UNPIN_VERSION);
    (void)curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* Only over TLS may a connection turn out to carry many requests at once (HTTP/2). */
    if (str_starts(request->url, S("https:"))) (void)curl->easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text);
    (void)curl->easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_on_body);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_on_header);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    if (transfer->resumed_at)
        (void)curl->easy_setopt(
            easy, CURLOPT_RANGE,
            str_copy_z(transfer->arena, str_format(transfer->arena, "%lld-", (long long)transfer->resumed_at)));
    else if (request->range.len)
        (void)curl->easy_setopt(easy, CURLOPT_RANGE, str_copy_z(transfer->arena, request->range));
    else if (!request->path.len) (void)curl->easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    for (int32_t i = 0; i < request->headers_len; i++) add_header(transfer, request->headers[i]);
    if (transfer->resumed_at && validator.len)
        add_header(transfer, str_format(transfer->arena, "If-Range: %.*s", FMT(validator)));
    if (transfer->headers) (void)curl->easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
}
