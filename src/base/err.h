/*
 * err - what went wrong, as a value.
 *
 * What can fail returns `struct err *`: NULL is success. The kind decides the stable code (`U…`), the name in JSON and
 * the exit status; one list below holds all of them. An err and its texts live in the arena it was made in.
 */
#ifndef UNPIN_BASE_ERR_H
#define UNPIN_BASE_ERR_H

#include "base/str.h"

#define ERR_MUST_CHECK __attribute__((warn_unused_result))

/* X(kind, stable code, exit status, name in JSON) */
#define ERR_KINDS(X)                                                                                                   \
    X(ERR_USAGE, "U001", 2, "usage")                                                                                   \
    X(ERR_REQUEST, "U002", 2, "bad-request")                                                                           \
    X(ERR_LOCK, "U003", 2, "lock-unreadable")                                                                          \
    X(ERR_SNAPSHOT, "U004", 2, "snapshot-unreadable")                                                                  \
    X(ERR_CONFIG, "U005", 2, "config-unreadable")                                                                      \
    X(ERR_IO, "U010", 1, "io")                                                                                         \
    X(ERR_PERMISSION, "U011", 1, "permission")                                                                         \
    X(ERR_SPACE, "U012", 1, "no-space")                                                                                \
    X(ERR_VERIFY, "U013", 1, "verification-failed")                                                                    \
    X(ERR_LIMIT, "U014", 1, "limit")                                                                                   \
    X(ERR_MALFORMED, "U015", 1, "malformed")                                                                           \
    X(ERR_WHEEL, "U016", 1, "wheel-refused")                                                                           \
    X(ERR_BUILD, "U017", 1, "build-failed")                                                                            \
    X(ERR_ENVIRONMENT, "U020", 1, "environment")                                                                       \
    X(ERR_CONFLICT, "U021", 1, "refused")                                                                              \
    X(ERR_INFEASIBLE, "U030", 3, "infeasible")                                                                         \
    X(ERR_CONSENT, "U031", 4, "consent-needed")                                                                        \
    X(ERR_BREAKS, "U032", 5, "breaks")                                                                                 \
    X(ERR_RECOVER, "U040", 6, "recovery-needs-decision")                                                               \
    X(ERR_INDEX, "U050", 7, "index")                                                                                   \
    X(ERR_NETWORK, "U051", 7, "network")                                                                               \
    X(ERR_HASH, "U052", 7, "hash-mismatch")                                                                            \
    X(ERR_CHANGED, "U060", 75, "environment-changed")                                                                  \
    X(ERR_BUSY, "U061", 75, "busy")                                                                                    \
    X(ERR_INTERRUPTED, "U070", 130, "interrupted")                                                                     \
    X(ERR_INTERNAL, "U099", 1, "internal")

enum err_kind {
#define X(kind, code, status, name) kind,
    ERR_KINDS(X)
#undef X
};

struct err {
    enum err_kind kind;
    struct str what;   /* one sentence without a full stop: what failed, on which thing */
    struct str hint;   /* what to do next; may be empty */
    struct str file;   /* where, if in a file; may be empty */
    int32_t line;      /* from 1; 0: none */
    int32_t column;    /* from 1, in bytes; 0: none */
    int signal;        /* ERR_INTERRUPTED: by which; else 0 */
    struct err *cause; /* what led to it; may be NULL */
};

struct err *err_make(struct arena *arena, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4), returns_nonnull));
/* Adds the place, the hint or the cause and returns the same err. */
struct err *err_at(struct err *err, struct str file, int32_t line, int32_t column) __attribute__((returns_nonnull));
struct err *err_hint(struct arena *arena, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4), returns_nonnull));
struct err *err_because(struct err *err, struct err *cause) __attribute__((returns_nonnull));
/* The same with all its causes, in another arena; NULL for NULL. */
struct err *err_copy(struct arena *arena, const struct err *err);
/* An ERR_IO, ERR_PERMISSION or ERR_SPACE by `errno_value`, text "what: strerror". */
struct err *err_errno(struct arena *arena, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4), returns_nonnull));

struct str err_code(enum err_kind kind);
struct str err_name(enum err_kind kind);
int err_exit_status(enum err_kind kind);
/* The kind of a stable code such as "U030"; false if there is none. */
bool err_kind_find(struct str code, enum err_kind *ret);
/* "file:line:column: what: cause". */
struct str err_format(struct arena *arena, const struct err *err);

/* Returns the err of `call` if there is one. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        struct err *try_err_ = (call);                                                                                 \
        if (try_err_) return try_err_;                                                                                 \
    } while (0)

#endif
