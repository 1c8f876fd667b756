/*
 * http - many transfers at once over HTTP/2 and HTTP/1.1, with limits, retries and nothing that can hang.
 *
 * Queue requests with http_add and take the answers, in the order in which they are complete, with http_next; requests
 * may be added between. At most `parallel` run at a time, over as few connections as the servers allow. Only http,
 * https and file URLs are followed (file only where it was asked for, never by redirect, http never by a redirect from
 * https), at most HTTP_REDIRECTS_MAX redirects; credentials do not follow to another server. Server errors (429, 5xx),
 * silence and cut connections are tried again after a growing pause, or after the one that the server asks for. A file
 * whose connection is cut is gone on with where it ended (Range and If-Range), if it is still the same. Everything has
 * a limit in time: for the connection, for silence, and for all attempts of a request together.
 *
 * Credentials come from the URL, from another URL of the same host that was given to http_know, or from netrc; where
 * these are missing or refused (401), `login` is asked, once per server. They are masked in every message.
 */
#ifndef UNPIN_OS_HTTP_H
#define UNPIN_OS_HTTP_H

#include "base/err.h"

enum {
    HTTP_REDIRECTS_MAX = 10,
    HTTP_PARALLEL_MAX = 50,
    HTTP_CONNECT_S = 10,   /* seconds for name, connection and TLS together */
    HTTP_STALL_S = 30,     /* seconds with less than a byte per second */
    HTTP_DOCUMENT_S = 300, /* seconds for a whole document that is kept in memory, all attempts together */
    HTTP_FILE_S = 3600,    /* the same for a file, besides its size at HTTP_FILE_SPEED */
    HTTP_FILE_MAX_S = 12 * 3600,
    HTTP_FILE_SPEED = 16 << 10, /* bytes a second */
    HTTP_RETRIES = 3,           /* in a row; attempts that brought a file further do not count */
    HTTP_RESUMES_MAX = 20000,
    HTTP_RETRY_AFTER_MAX_S = 30, /* who asks for more is not asked again */
    HTTP_MEMORY_MAX = 128 << 10, /* bytes of a body that are kept in memory, the rest goes to the spool */
    HTTP_HEADERS_MAX = 4096,     /* bytes of a header line that is looked at */
    HTTP_URL_MAX = 8192,
};

struct http;

struct http_login {
    struct str user, password;
};

struct http_options {
    struct str cert;                 /* PEM file or directory of certificates; empty: /etc/ssl/certs, else curl's own */
    struct str client_cert;          /* PEM file with key and certificate; empty: none */
    struct str proxy_http;           /* for http URLs, "http://user:password@host:port"; empty: none */
    struct str proxy_https;          /* for https URLs */
    struct str no_proxy;             /* hosts that are asked directly, as curl reads such a list */
    struct str netrc;                /* file; empty: none */
    const struct str *trusted_hosts; /* "host" or "host:port" whose certificates are not verified */
    int32_t trusted_hosts_len;
    /* An existing directory on whose file system large bodies are kept while they come, in files without a name; empty,
     * or where that system has no such files: memory. */
    struct str spool;
    int32_t timeout_s; /* stall; 0: HTTP_STALL_S */
    int32_t total_s;   /* all attempts of a request together; 0: HTTP_DOCUMENT_S, or by the size of the file */
    int32_t retries;   /* -1: HTTP_RETRIES */
    /* Called now and then while http_next waits; `received` are bytes of bodies so far. NULL: not called. */
    void (*tick)(void *self, int64_t received);
    void *tick_self;
    /* The credentials for `url`, whose user is `user` (empty: not known); false where there are none. NULL: not asked.
     */
    bool (*login)(void *self, struct arena *arena, struct str url, struct str user, struct http_login *ret);
    void *login_self;
};

struct http_request {
    struct str url;
    const struct str *headers; /* "Name: value" each */
    int32_t headers_len;
    struct str range; /* of bytes, as in `Range: bytes=`: "-32768", "0-99"; empty: all */
    int64_t limit;    /* bytes of the body at most */
    struct str path;  /* where the body goes, created exclusively and removed on failure; empty: memory, or the spool */
    bool hash;        /* compute the SHA-256 of a body in memory too */
    bool checked;     /* the caller knows the file's hash: a cut file is gone on with even if nothing tells its state */
    void *user;       /* comes back with the answer */
    int32_t tag;      /* comes back with the answer */
};

struct http_response {
    void *user;
    int32_t tag;
    struct err *err;   /* NULL: an answer arrived, whatever its status; else ERR_NETWORK, ERR_LIMIT, ERR_IO */
    bool unreachable;  /* with err: no connection came about */
    int32_t status;    /* 200, 404; 200 for file URLs */
    struct str url;    /* after redirects, without credentials */
    struct str body;   /* valid until the next http_next or http_close */
    struct str sha256; /* hex, of the body; empty unless `hash` or `path` was set */
    int64_t size;      /* bytes of the body */
    struct str content_type, etag, last_modified; /* as sent, empty: not sent; valid as long as body */
    int64_t retry_after;                          /* seconds from Retry-After; 0: none */
    int64_t max_age;     /* seconds from Cache-Control; -1: none; 0 for no-store and no-cache */
    int64_t range_first; /* from Content-Range; -1: none */
    int64_t range_total; /* size of the whole file from Content-Range (also of a 416); -1: none */
};

/* Sets curl up. The texts in `options` and what is given to http_add must live until http_close. ERR_NETWORK if curl
 * cannot be used. */
ERR_MUST_CHECK struct err *http_open(struct arena *arena, const struct http_options *options, struct http **ret);
/* Ends what still runs. NULL is allowed. */
void http_close(struct http *http);
/* Remembers the credentials in `url` for other URLs of its scheme, host and port. */
void http_know(struct http *http, struct str url);
void http_add(struct http *http, const struct http_request *request);
/* Waits for the next answer; false when none is outstanding, or when a signal that is held back waits (os/signals). */
bool http_next(struct http *http, struct http_response *ret);

int32_t http_requests(const struct http *http); /* sent so far, retries included */
int64_t http_received(const struct http *http); /* bytes of bodies so far */

/* How many bytes of what follows `://` are user and password, -1 for none. Also those of a password with a `/`, `?` or
 * `#` that should have been escaped: what cannot be a port is taken for one. A blank or quote ends the URL. */
ptrdiff_t http_credentials(struct str rest);
/* `url`, or `user:password@host`, with user and password as `****`. */
struct str http_mask(struct arena *arena, struct str url);
/* `url` without user and password. */
struct str http_strip(struct arena *arena, struct str url);
/* "scheme://host:port" in lower case, without credentials. */
struct str http_origin(struct arena *arena, struct str url);

#endif
