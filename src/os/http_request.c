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

static void set_credentials(struct transfer *transfer) {
    const struct curl *curl = &transfer->http->curl;
    const struct http *http = transfer->http;
    if (http->netrc) {
        (void)curl->easy_setopt(transfer->easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
        (void)curl->easy_setopt(transfer->easy, CURLOPT_NETRC_FILE, http->netrc);
    }
    struct str url = transfer->request.url;
    if (http_strip(transfer->arena, url).len != url.len) return;
    struct str origin = http_origin(transfer->arena, url);
    for (ptrdiff_t i = 0; i < http->known.len; i++) {
        if (!str_eq(http->known.data[i].origin, origin)) continue;
        (void)curl->easy_setopt(transfer->easy, CURLOPT_USERNAME, http->known.data[i].user);
        if (http->known.data[i].password)
            (void)curl->easy_setopt(transfer->easy, CURLOPT_PASSWORD, http->known.data[i].password);
        return;
    }
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
    if (is_trusted(http, transfer->arena, url)) {
        (void)curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set_credentials(transfer);
}

void http_set_limits(struct transfer *transfer) {
    const struct curl *curl = &transfer->http->curl;
    const struct http_options *options = &transfer->http->options;
    CURL *easy = transfer->easy;
    long stall = options->timeout_s > 0 ? options->timeout_s : HTTP_STALL_S;
    long connect = stall < HTTP_CONNECT_S ? stall : HTTP_CONNECT_S;
    (void)curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, connect);
    (void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, stall);
    if (transfer->fd < 0) (void)curl->easy_setopt(easy, CURLOPT_TIMEOUT, (long)HTTP_DOCUMENT_S);
    (void)curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

void http_set_request(struct transfer *transfer) {
    const struct curl *curl = &transfer->http->curl;
    const struct http_request *request = &transfer->request;
    CURL *easy = transfer->easy;
    (void)curl->easy_setopt(easy, CURLOPT_URL, str_copy_z(transfer->arena, request->url));
    (void)curl->easy_setopt(easy, CURLOPT_USERAGENT, "unpin/" UNPIN_VERSION);
    (void)curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    (void)curl->easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text);
    (void)curl->easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_on_body);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_on_header);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    if (transfer->http->proxy) (void)curl->easy_setopt(easy, CURLOPT_PROXY, transfer->http->proxy);
    if (request->range.len) (void)curl->easy_setopt(easy, CURLOPT_RANGE, str_copy_z(transfer->arena, request->range));
    else if (!request->path.len) (void)curl->easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    for (int32_t i = 0; i < request->headers_len; i++) {
        struct curl_slist *longer =
            curl->slist_append(transfer->headers, str_copy_z(transfer->arena, request->headers[i]));
        if (longer) transfer->headers = longer;
    }
    if (transfer->headers) (void)curl->easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
}
