/*
 * http_parts - what the parts of http share. Only http*.c include it.
 *
 * http.c queues, starts, repeats and ends transfers; http_request.c tells curl what to ask for and how; http_answer.c
 * takes what comes, http_body.c keeps it; http_url.c is about URLs as text.
 */
#ifndef UNPIN_OS_HTTP_PARTS_H
#define UNPIN_OS_HTTP_PARTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "os/curl.h"
#include "os/digest.h"
#include "os/http.h"

/* One request on its way. */
struct transfer {
    struct http *http;
    struct http_request request;
    struct arena *arena; /* of this transfer alone, rewound when it is over */
    CURL *easy;
    struct curl_slist *headers;
    struct digest *digest; /* NULL: none is wanted */
    struct buf body;       /* where there is a spool: what is not in it yet */
    int spool;             /* a file without a name, -1: none */
    int64_t spooled;       /* bytes in it */
    struct str mapped;     /* the whole spool, once all is there */
    bool unspooled;        /* it could not be used: all stays in memory */
    int fd;                /* the file that was asked for; -1: none */
    bool busy;
    bool over_limit, write_failed, misplaced;
    int write_errno;
    int64_t promised;            /* Content-Length of the answer, -1: it says none */
    int64_t size;                /* bytes of the body that are kept: in memory, or in the file and in the digest */
    int64_t ignored;             /* bytes of bodies that nobody wants */
    int64_t furthest;            /* the most that was kept in any attempt before */
    int64_t resumed_at;          /* what came in attempts before: only the rest was asked for; 0: all of it */
    int64_t deadline_us;         /* of all attempts together */
    bool logged_in;              /* credentials of `known` were sent */
    int32_t attempt, times;      /* times: how often the file was gone on with */
    struct http_response answer; /* what the headers said */
    char text[CURL_ERROR_SIZE];
};

/* The beginning of a file that came before the connection was cut. */
struct beginning {
    int fd; /* -1: nothing was kept */
    struct digest *digest;
    int64_t size;
    struct str validator; /* for If-Range; empty: the caller's check of the whole file is enough */
    int32_t times;        /* how often it was gone on with */
};

/* A request that waits for its turn. */
struct waiting {
    struct http_request request;
    int64_t not_before_us, deadline_us; /* deadline: 0 before the first attempt */
    int32_t attempt;
    int64_t furthest;
    struct beginning beginning;
};

/* Credentials of a server. */
struct known {
    struct str origin;
    char *user, *password; /* NULL: not known */
    bool asked;            /* options.login was asked; what it does not know now it will not know later */
};

struct http {
    struct arena *arena;
    struct http_options options;
    struct curl curl;
    CURLM *multi;
    struct transfer transfers[HTTP_PARALLEL_MAX];
    struct transfer *given; /* whose answer the caller has */
    VEC(struct waiting) queue;
    ptrdiff_t queue_from; /* what is before it has been started */
    VEC(struct known) known;
    int32_t running, requests;
    int64_t received;
    const char *ca_path, *ca_file, *client_cert, *netrc;
    const char *proxy_http, *proxy_https, *no_proxy; /* "" for none */
};

/* http_answer.c */
/* curl's callbacks: a line of the headers, bytes of the body. */
size_t http_on_header(char *data, size_t one, size_t len, void *self);
size_t http_on_body(char *data, size_t one, size_t len, void *self);
/* True for an answer that belongs behind what was kept. */
bool http_continues(const struct transfer *transfer, long status);
/* Forgets what headers said. */
void http_reset_answer(struct transfer *transfer);
/* The SHA-256 of the body, hex; empty where none was computed. */
struct str http_digest_hex(struct transfer *transfer);

/* http_body.c: a body that no file was asked for. */
/* Keeps bytes; false where that fails, with write_errno. */
bool http_body_add(struct transfer *transfer, struct str bytes);
/* All of it, until http_body_drop. */
struct str http_body(struct transfer *transfer);
void http_body_drop(struct transfer *transfer);

/* http_url.c: what stands before the @ of the host, still encoded; empty: nothing. */
struct str http_userinfo(struct str url);

/* http_request.c: sets the options of the transfer's easy handle. */
/* `validator`: of what was kept of the file, for If-Range. */
void http_set_request(struct transfer *transfer, struct str validator);
void http_set_security(struct transfer *transfer);
void http_set_limits(struct transfer *transfer, int64_t now_us);
/* Seconds that a request may take in all. */
int64_t http_total_s(const struct http *http, const struct http_request *request);
/* The known credentials for `url`, NULL where there are none. */
struct known *http_known(struct http *http, struct arena *arena, struct str url);
/* Asks options.login for credentials of the transfer's server; false where there are none that were not tried. */
bool http_login(struct transfer *transfer);

#endif
