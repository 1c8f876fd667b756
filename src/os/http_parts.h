/*
 * http_parts - what the parts of http share. Only http*.c include it.
 *
 * http.c queues, starts, repeats and ends transfers; http_request.c tells curl what to ask for and how; http_answer.c
 * takes what comes; http_url.c is about URLs as text.
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
    struct buf body;
    int fd; /* -1: memory */
    bool busy;
    bool over_limit, write_failed;
    int write_errno;
    int64_t size;
    int32_t attempt;
    struct http_response answer; /* what the headers said */
    char text[CURL_ERROR_SIZE];
};

/* A request that waits for its turn. */
struct waiting {
    struct http_request request;
    int64_t not_before_us;
    int32_t attempt;
};

struct known {
    struct str origin;
    char *user, *password;
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
    const char *ca_path, *ca_file, *proxy, *client_cert, *netrc;
};

/* http_answer.c */
/* curl's callbacks: a line of the headers, bytes of the body. */
size_t http_on_header(char *data, size_t one, size_t len, void *self);
size_t http_on_body(char *data, size_t one, size_t len, void *self);
/* Forgets what headers said. */
void http_reset_answer(struct transfer *transfer);
/* The SHA-256 of the body, hex; empty where none was computed. */
struct str http_digest_hex(struct transfer *transfer);

/* http_request.c: sets the options of the transfer's easy handle. */
void http_set_request(struct transfer *transfer);
void http_set_security(struct transfer *transfer);
void http_set_limits(struct transfer *transfer);

#endif
