#include "base/err.h"

#include "base/arena.h"
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    struct str code, name;
    int status;
} kinds[] = {
#define X(kind, code, status, name) {S_INIT(code), S_INIT(name), status},
    ERR_KINDS(X)
#undef X
};

__attribute__((format(printf, 2, 0))) static struct str format_args(struct arena *arena, const char *format,
                                                                    va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) return (struct str){0};
    char *data = arena_alloc(arena, (ptrdiff_t)len + 1);
    (void)vsnprintf(data, (size_t)len + 1, format, args);
    return (struct str){data, len};
}

struct err *err_make(struct arena *arena, enum err_kind kind, const char *format, ...) {
    struct err *err = arena_new(arena, struct err, 1);
    va_list args;
    va_start(args, format);
    err->kind = kind;
    err->what = format_args(arena, format, args);
    va_end(args);
    return err;
}

struct err *err_at(struct err *err, struct str file, int32_t line, int32_t column) {
    err->file = file;
    err->line = line;
    err->column = column;
    return err;
}

struct err *err_hint(struct arena *arena, struct err *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    err->hint = format_args(arena, format, args);
    va_end(args);
    return err;
}

struct err *err_because(struct err *err, struct err *cause) {
    err->cause = cause;
    return err;
}

struct err *err_copy(struct arena *arena, const struct err *err) {
    if (!err) return NULL;
    struct err *copy = arena_new(arena, struct err, 1);
    *copy = *err;
    copy->what = str_copy(arena, err->what);
    copy->hint = str_copy(arena, err->hint);
    copy->file = str_copy(arena, err->file);
    copy->cause = err_copy(arena, err->cause);
    return copy;
}

static enum err_kind kind_of_errno(int errno_value) {
    switch (errno_value) {
    case EACCES:
    case EPERM:
    case EROFS: return ERR_PERMISSION;
    case ENOSPC:
    case EDQUOT: return ERR_SPACE;
    default: return ERR_IO;
    }
}

struct err *err_errno(struct arena *arena, int errno_value, const char *format, ...) {
    struct err *err = arena_new(arena, struct err, 1);
    va_list args;
    va_start(args, format);
    struct str what = format_args(arena, format, args);
    va_end(args);
    err->kind = kind_of_errno(errno_value);
    err->what = str_format(arena, "%.*s: %s", FMT(what), strerror(errno_value));
    return err;
}

struct str err_code(enum err_kind kind) {
    return kinds[kind].code;
}

struct str err_name(enum err_kind kind) {
    return kinds[kind].name;
}

int err_exit_status(enum err_kind kind) {
    return kinds[kind].status;
}

bool err_kind_find(struct str code, enum err_kind *ret) {
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++) {
        if (!str_eq_nocase(kinds[i].code, code)) continue;
        *ret = (enum err_kind)i;
        return true;
    }
    return false;
}

struct str err_format(struct arena *arena, const struct err *err) {
    struct buf buf = {.arena = arena};
    for (int depth = 0; err && depth < 8; err = err->cause, depth++) {
        if (depth) buf_add(&buf, S(": "));
        if (err->file.len) {
            buf_add(&buf, err->file);
            if (err->line) buf_addf(&buf, ":%d", err->line);
            if (err->column) buf_addf(&buf, ":%d", err->column);
            buf_add(&buf, S(": "));
        }
        buf_add(&buf, err->what);
    }
    return buf_str(&buf);
}
