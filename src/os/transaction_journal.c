#include "os/transaction_parts.h"

#include "base/buf.h"
#include "os/digest.h"

#include <string.h>

/*
 * The journal as bytes: the magic line, then numbers and texts (length, bytes, NUL), at the end the SHA-256 of all that
 * is before it. The NUL lets paths be used where they are. A number takes seven bits to the byte, the lowest first, the
 * eighth telling that more come; the sign is its lowest bit, so that numbers near 0 are short.
 */
static const struct str magic = S_INIT("unpin journal 3\n");
/* The same with numbers of 8 bytes, little endian, and (1) without trees: what releases before wrote is still undone.
 */
static const struct str magic_2 = S_INIT("unpin journal 2\n"), magic_1 = S_INIT("unpin journal 1\n");

enum {
    STEP_BYTES = 160, /* what a step mostly takes besides its path */
    NUMBER_MAX = 10,  /* bytes of a number */
    STEP_MIN = 16,    /* less than the least encoding of a step */
    TOUCHED_MIN = 4
};

static void add_number(struct buf *buf, int64_t n) {
    uint64_t rest = (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);
    char *to = buf_reserve(buf, NUMBER_MAX);
    ptrdiff_t len = 0;
    for (; rest >= 0x80; rest >>= 7) to[len++] = (char)(rest | 0x80);
    to[len++] = (char)rest;
    buf->len += len;
}

static void add_text(struct buf *buf, struct str s) {
    add_number(buf, s.len);
    buf_add(buf, s);
    buf_add_char(buf, '\0');
}

static void add_state(struct buf *buf, const struct state *state) {
    add_number(buf, state->type);
    if (state->type == SYS_NONE) return;
    add_number(buf, state->mode);
    add_number(buf, state->uid);
    add_number(buf, state->gid);
    add_number(buf, state->size);
    add_number(buf, state->mtime_ns);
    buf_add(buf, (struct str){(const char *)state->hash, HASH_SIZE});
    add_text(buf, state->link);
    add_number(buf, state->xattrs_len);
    for (int32_t i = 0; i < state->xattrs_len; i++) {
        add_text(buf, state->xattrs[i].name);
        add_text(buf, state->xattrs[i].value);
    }
}

static void add_step(struct buf *buf, const struct step *step) {
    add_number(buf, step->kind);
    add_number(buf, step->phase);
    add_number(buf, step->flags);
    add_number(buf, step->number);
    add_number(buf, step->side);
    add_number(buf, step->tree);
    add_number(buf, step->inner);
    add_number(buf, step->edit);
    add_number(buf, step->vanishes);
    add_text(buf, str_of(step->path));
    add_state(buf, &step->before);
    add_state(buf, &step->after);
    add_text(buf, step->old_bytes);
    add_text(buf, step->new_bytes);
}

struct str journal_format(struct arena *arena, const struct journal *journal) {
    struct buf buf = {.arena = arena};
    /* Room at once: growing leaves the smaller ones behind in the arena. */
    buf.cap = journal->description.len + STEP_BYTES;
    for (int32_t i = 0; i < journal->steps_len; i++) buf.cap += (ptrdiff_t)strlen(journal->steps[i].path) + STEP_BYTES;
    buf.data = arena_alloc(arena, buf.cap);
    buf_add(&buf, magic);
    add_text(&buf, journal->id);
    add_text(&buf, journal->description);
    add_text(&buf, journal->undoes);
    add_number(&buf, journal->time);
    add_number(&buf, journal->no_undo);
    add_number(&buf, journal->sides_len);
    for (int32_t i = 0; i < journal->sides_len; i++) {
        add_text(&buf, str_of(journal->sides[i].dir));
        add_number(&buf, journal->sides[i].overlay);
    }
    add_number(&buf, journal->steps_len);
    for (int32_t i = 0; i < journal->steps_len; i++) add_step(&buf, &journal->steps[i]);
    add_number(&buf, journal->touched_len);
    for (int32_t i = 0; i < journal->touched_len; i++) {
        add_text(&buf, str_of(journal->touched[i].path));
        add_number(&buf, journal->touched[i].before);
        add_number(&buf, journal->touched[i].after);
    }
    buf_add(&buf, digest_make(arena, buf_str(&buf), HASH_SIZE));
    return buf_str(&buf);
}

/* What is still to be read; `bad` stays set once something did not fit. */
struct reader {
    struct str rest;
    bool trees;  /* steps have a tree */
    bool packed; /* numbers are short */
    bool bad;
};

/* Written in one way only: no byte of zeros at the end, no bit beyond the 64th. */
static uint64_t take_packed(struct reader *reader) {
    uint64_t n = 0;
    ptrdiff_t len = 0;
    for (bool more = true; more && !reader->bad; len++) {
        reader->bad = len == NUMBER_MAX || len >= reader->rest.len;
        if (reader->bad) break;
        unsigned char byte = (unsigned char)reader->rest.data[len];
        n |= (uint64_t)(byte & 0x7f) << (7 * len);
        more = byte & 0x80;
        reader->bad = (len > 0 && byte == 0) || (len == NUMBER_MAX - 1 && byte > 1);
    }
    if (!reader->bad) reader->rest = str_from(reader->rest, len);
    return n >> 1 ^ (n & 1 ? UINT64_MAX : 0);
}

static uint64_t take_plain(struct reader *reader) {
    uint64_t n = 0;
    if (reader->rest.len < 8) reader->bad = true;
    if (reader->bad) return 0;
    for (int i = 0; i < 8; i++) n |= (uint64_t)(unsigned char)reader->rest.data[i] << (8 * i);
    reader->rest = str_from(reader->rest, 8);
    return n;
}

static int64_t take_number(struct reader *reader, int64_t min, int64_t max) {
    if (reader->bad) return min;
    uint64_t n = reader->packed ? take_packed(reader) : take_plain(reader);
    if ((int64_t)n < min || (int64_t)n > max) reader->bad = true;
    return reader->bad ? min : (int64_t)n;
}

static struct str take_text(struct reader *reader) {
    int64_t len = take_number(reader, 0, JOURNAL_MAX);
    if (len >= reader->rest.len || (!reader->bad && reader->rest.data[len] != '\0')) reader->bad = true;
    if (reader->bad) return (struct str){"", 0};
    struct str text = {reader->rest.data, len};
    reader->rest = str_from(reader->rest, len + 1);
    return text;
}

/* A path: absolute, without NUL. */
static const char *take_path(struct reader *reader) {
    struct str text = take_text(reader);
    if (!str_starts(text, S("/")) || str_find_char(text, '\0') >= 0) reader->bad = true;
    return reader->bad ? "/" : text.data;
}

static void take_state(struct reader *reader, struct arena *arena, struct state *ret) {
    ret->type = (enum sys_type)take_number(reader, SYS_NONE, SYS_OTHER);
    if (reader->bad || ret->type == SYS_NONE) return;
    ret->mode = (uint32_t)take_number(reader, 0, 07777);
    ret->uid = (uint32_t)take_number(reader, 0, UINT32_MAX);
    ret->gid = (uint32_t)take_number(reader, 0, UINT32_MAX);
    ret->size = take_number(reader, 0, INT64_MAX);
    ret->mtime_ns = take_number(reader, INT64_MIN, INT64_MAX);
    if (reader->rest.len < HASH_SIZE) reader->bad = true;
    if (reader->bad) return;
    memcpy(ret->hash, reader->rest.data, HASH_SIZE);
    reader->rest = str_from(reader->rest, HASH_SIZE);
    ret->link = take_text(reader);
    ret->xattrs_len = (int32_t)take_number(reader, 0, XATTRS_MAX);
    struct sys_xattr *xattrs = arena_new(arena, struct sys_xattr, ret->xattrs_len);
    for (int32_t i = 0; i < ret->xattrs_len; i++) {
        xattrs[i].name = take_text(reader);
        xattrs[i].value = take_text(reader);
    }
    ret->xattrs = xattrs;
}

static void take_step(struct reader *reader, struct arena *arena, int32_t sides_len, struct step *ret) {
    ret->kind = (enum transaction_kind)take_number(reader, TRANSACTION_PUT, TRANSACTION_EDIT);
    ret->phase = (enum phase)take_number(reader, PHASE_EDIT, PHASE_RMDIR);
    ret->flags = (uint32_t)take_number(reader, 0, UINT32_MAX);
    ret->number = (int32_t)take_number(reader, 0, INT32_MAX);
    ret->side = (int32_t)take_number(reader, 0, sides_len - 1);
    ret->tree = reader->trees ? (int32_t)take_number(reader, -1, INT32_MAX) : -1;
    ret->inner = reader->trees ? (int32_t)take_number(reader, 0, INT32_MAX) : 0;
    ret->op = -1;
    ret->edit = take_number(reader, 0, 1);
    ret->vanishes = take_number(reader, 0, 1);
    ret->path = take_path(reader);
    if (ret->inner > 0 && (ret->tree < 0 || (size_t)ret->inner >= strlen(ret->path))) reader->bad = true;
    take_state(reader, arena, &ret->before);
    take_state(reader, arena, &ret->after);
    ret->old_bytes = take_text(reader);
    ret->new_bytes = take_text(reader);
}

static bool trailer_holds(struct arena *arena, struct str bytes) {
    bool known = str_starts(bytes, magic) || str_starts(bytes, magic_2) || str_starts(bytes, magic_1);
    if (bytes.len < HASH_SIZE || !known) return false;
    ptrdiff_t body = bytes.len - HASH_SIZE;
    return str_eq(digest_make(arena, str_slice(bytes, 0, body), HASH_SIZE), str_from(bytes, body));
}

bool journal_parse(struct arena *arena, struct str bytes, struct journal *ret) {
    if (!trailer_holds(arena, bytes)) return false;
    struct reader reader = {.rest = str_slice(bytes, magic.len, bytes.len - HASH_SIZE),
                            .trees = !str_starts(bytes, magic_1),
                            .packed = str_starts(bytes, magic)};
    struct journal journal = {.id = take_text(&reader)};
    journal.description = take_text(&reader);
    journal.undoes = take_text(&reader);
    journal.time = take_number(&reader, INT64_MIN, INT64_MAX);
    journal.no_undo = take_number(&reader, 0, 1);
    journal.sides_len = (int32_t)take_number(&reader, 1, TRANSACTION_SIDES_MAX);
    journal.sides = arena_new(arena, struct side, journal.sides_len);
    for (int32_t i = 0; i < journal.sides_len; i++) {
        journal.sides[i].dir = take_path(&reader);
        journal.sides[i].overlay = take_number(&reader, 0, 1);
    }
    /* A step is longer than its least encoding, so the count cannot make us allocate more than the file is large. */
    journal.steps_len = (int32_t)take_number(&reader, 0, TRANSACTION_OPS_MAX);
    if (journal.steps_len > reader.rest.len / STEP_MIN) reader.bad = true;
    journal.steps = arena_new(arena, struct step, reader.bad ? 0 : journal.steps_len);
    for (int32_t i = 0; i < journal.steps_len && !reader.bad; i++)
        take_step(&reader, arena, journal.sides_len, &journal.steps[i]);
    journal.touched_len = (int32_t)take_number(&reader, 0, TRANSACTION_OPS_MAX);
    if (journal.touched_len > reader.rest.len / TOUCHED_MIN) reader.bad = true;
    journal.touched = arena_new(arena, struct touched, reader.bad ? 0 : journal.touched_len);
    for (int32_t i = 0; i < journal.touched_len && !reader.bad; i++) {
        journal.touched[i].path = take_path(&reader);
        journal.touched[i].before = take_number(&reader, INT64_MIN, INT64_MAX);
        journal.touched[i].after = take_number(&reader, INT64_MIN, INT64_MAX);
    }
    if (reader.bad || reader.rest.len) return false;
    *ret = journal;
    return true;
}

struct err *journal_write(struct transaction_store *store, const char *name, struct str bytes, bool *ret_named) {
    const char *path = transaction_path(store, name);
    const char *temporary = str_format(store->arena, "%s.tmp", path).data;
    struct sys_stat st;
    if (bytes.len > JOURNAL_MAX) /* it could not be read again */
        return err_make(store->arena, ERR_LIMIT, "the change has more than %d bytes of journal", JOURNAL_MAX);
    int status = sys_stat(store->sys, temporary, &st);
    if (status == 0 && st.type != SYS_NONE) status = sys_unlink(store->sys, temporary);
    if (status) return err_errno(store->arena, status, "cannot write '%s'", temporary);
    TRY(tree_file_write(store, temporary, bytes, 0600, true));
    status = sys_rename(store->sys, temporary, path);
    if (status) return err_errno(store->arena, status, "cannot rename '%s' to '%s'", temporary, path);
    *ret_named = true;
    status = sys_fsync_path(store->sys, store->dir);
    return status ? err_errno(store->arena, status, "cannot sync '%s'", store->dir) : NULL;
}
