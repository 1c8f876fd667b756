#include "stage/wheel_unpack.h"

#include "base/arena.h"
#include "os/digest.h"
#include "os/inflate.h"
#include "os/signals.h"
#include "os/term.h"
#include "os/workers.h"

#include <stdlib.h>
#include <string.h>

/* Above this many bytes an entry goes into its file piece by piece, so that memory stays small. */
enum { UNPACK_MEMORY_MAX = 2 << 20, PIECE = 256 << 10 };

struct job {
    const struct unpack_item *item;
    const struct depot *depot;
    char sha256[32]; /* computed by a worker; its arena does not outlive the item */
};

bool record_row_matches(struct arena *scratch, const struct record_row *row, struct str bytes) {
    if (row->hash == RECORD_NONE || row->hash == RECORD_WEAK) return false;
    if (row->size >= 0 && row->size != bytes.len) return false;
    return str_eq(digest_make(scratch, bytes, (int32_t)row->digest.len), row->digest);
}

static struct err *wrong_hash(struct arena *arena, const struct wheel_file *file) {
    struct str name = term_quote(arena, file->entry->name);
    struct err *err =
        err_make(arena, ERR_WHEEL, "the wheel is refused: \"%.*s\" has not the hash that RECORD gives", FMT(name));
    return err_hint(arena, err,
                    "its maker wrote a wrong RECORD; --rebuild-record NAME takes the files as they are in "
                    "the archive and writes a true one");
}

static struct err *check_bytes(struct arena *arena, struct job *job, struct str bytes) {
    const struct wheel_file *file = job->item->file;
    if (!record_row_matches(arena, file->row, bytes)) return wrong_hash(arena, file);
    if (file->sha256.len == 0) memcpy(job->sha256, digest_make(arena, bytes, 32).data, sizeof job->sha256);
    return NULL;
}

/* Unpacks into a mapping of the file: where a piece at a time is not possible. */
static struct err *unpack_mapped(struct arena *arena, struct job *job, struct str data) {
    const struct wheel_file *file = job->item->file;
    struct mapping mapping;
    TRY(mapping_create(arena, file->source, file->entry->size, &mapping));
    struct err *err = zip_unpack(arena, file->entry, data, mapping.data);
    if (!err) err = check_bytes(arena, job, (struct str){mapping.data, (ptrdiff_t)mapping.size});
    mapping_close(&mapping);
    return err;
}

/* An entry on its way into its file. */
struct stream {
    const struct job *job;
    struct inflate *inflate; /* NULL: it is stored */
    struct digest *digest;
    struct str rest; /* packed bytes */
    char *piece;
    int64_t size; /* unpacked so far */
    uint32_t crc;
    int fd;
};

static struct err *stream_wrong(struct arena *arena, const struct stream *stream, const char *why) {
    struct str name = term_quote(arena, stream->job->item->file->entry->name);
    return err_make(arena, ERR_WHEEL, "the archive is refused: entry \"%.*s\" %s", FMT(name), why);
}

/* One piece; `*ret_end`: it was the last. */
static struct err *stream_step(struct arena *arena, struct stream *stream, bool *ret_end) {
    const struct wheel_file *file = stream->job->item->file;
    struct str before = stream->rest;
    int64_t n = stream->rest.len < PIECE ? stream->rest.len : PIECE;
    if (stream->inflate) {
        n = inflate_step(stream->inflate, &stream->rest, stream->piece, PIECE, ret_end);
    } else {
        if (n) memcpy(stream->piece, stream->rest.data, (size_t)n);
        stream->rest = str_from(stream->rest, (ptrdiff_t)n);
        *ret_end = stream->rest.len == 0;
    }
    struct str used = str_slice(before, 0, before.len - stream->rest.len);
    bool stuck = n == 0 && used.len == 0 && !*ret_end;
    if (n < 0 || stuck || n > file->entry->size - stream->size)
        return stream_wrong(arena, stream, "does not unpack to the size it says");
    struct str bytes = {stream->piece, (ptrdiff_t)n};
    digest_add(stream->digest, bytes);
    stream->crc = zip_crc(stream->crc, bytes);
    stream->size += n;
    mapping_forget(&stream->job->item->wheel->mapping, used);
    int status = sys_write(sys_real(), stream->fd, bytes.data, bytes.len, -1);
    return status ? err_errno(arena, status, "cannot write '%.*s'", FMT(file->source)) : NULL;
}

static struct err *stream_run(struct arena *arena, struct stream *stream) {
    const struct zip_entry *entry = stream->job->item->file->entry;
    bool end = false;
    while (!end) {
        TRY(signals_check(arena));
        TRY(stream_step(arena, stream, &end));
    }
    if (stream->size != entry->size || stream->rest.len)
        return stream_wrong(arena, stream, "does not unpack to the size it says");
    return stream->crc == entry->crc ? NULL : stream_wrong(arena, stream, "has a wrong CRC");
}

static struct err *unpack_large(struct arena *arena, struct job *job, struct str data) {
    const struct wheel_file *file = job->item->file;
    struct stream stream = {.job = job, .rest = data, .fd = -1};
    if (file->row->hash != RECORD_SHA256) return unpack_mapped(arena, job, data);
    if (zip_is_deflated(file->entry)) {
        stream.inflate = inflate_open(arena);
        if (!stream.inflate) return unpack_mapped(arena, job, data);
    }
    stream.piece = arena_alloc(arena, PIECE);
    int status = sys_create(sys_real(), str_copy_z(arena, file->source), 0600, &stream.fd);
    if (status) {
        inflate_close(stream.inflate);
        return err_errno(arena, status, "cannot create '%.*s'", FMT(file->source));
    }
    char found[DIGEST_SHA256];
    stream.digest = digest_open(arena);
    struct err *err = stream_run(arena, &stream);
    digest_close(stream.digest, (unsigned char *)found);
    inflate_close(stream.inflate);
    if (!err) status = sys_chmod(sys_real(), stream.fd, file->mode & 0777);
    int closed = sys_close(sys_real(), stream.fd);
    if (status == 0) status = closed;
    if (!err && status) err = err_errno(arena, status, "cannot write '%.*s'", FMT(file->source));
    if (!err && !str_eq((struct str){found, DIGEST_SHA256}, file->row->digest)) err = wrong_hash(arena, file);
    return err;
}

static struct err *unpack(void *self, struct arena *arena, int32_t i) {
    struct job *job = &((struct job *)self)[i];
    const struct wheel_file *file = job->item->file;
    if (!file->entry) return file_create(arena, file->source, file->mode & 0777, file->text);
    struct str data;
    uint32_t mode = file->mode & 0777;
    TRY(signals_check(arena));
    const struct depot_file wanted = {file->sha256, file->entry->size, file->entry->crc, mode};
    if (depot_take(job->depot, arena, &wanted, file->source)) return NULL;
    struct str bytes = str_from(job->item->wheel->bytes, (ptrdiff_t)file->entry->offset);
    TRY(zip_data(arena, file->entry, bytes, &data));
    if (file->entry->size > UNPACK_MEMORY_MAX) {
        TRY(unpack_large(arena, job, data));
        depot_give(job->depot, arena, file->sha256, mode, file->source);
        return NULL;
    }
    char *out = arena_alloc(arena, (ptrdiff_t)file->entry->size);
    TRY(zip_unpack(arena, file->entry, data, out));
    struct str text = {out, (ptrdiff_t)file->entry->size};
    mapping_forget(&job->item->wheel->mapping,
                   str_slice(bytes, 0, (ptrdiff_t)(file->entry->next - file->entry->offset)));
    TRY(check_bytes(arena, job, text));
    TRY(file_create(arena, file->source, mode, text));
    depot_give(job->depot, arena, file->sha256, mode, file->source);
    return NULL;
}

/* Large ones first: none is left alone at the end. */
static int job_order(const void *a, const void *b) {
    const struct unpack_item *x = ((const struct job *)a)->item, *y = ((const struct job *)b)->item;
    int64_t m = x->file->entry ? x->file->entry->size : 0, n = y->file->entry ? y->file->entry->size : 0;
    if (m != n) return m > n ? -1 : 1;
    return (x > y) - (x < y);
}

struct err *wheel_unpack(struct arena *arena, const struct depot *depot, const struct unpack_item *items, int32_t len) {
    struct job *jobs = arena_new(arena, struct job, len);
    for (int32_t i = 0; i < len; i++) jobs[i] = (struct job){.item = &items[i], .depot = depot};
    if (len) qsort(jobs, (size_t)len, sizeof *jobs, job_order);
    const struct workers_step step = {jobs, unpack};
    TRY(workers_run(arena, &step, len));
    for (int32_t i = 0; i < len; i++) {
        struct wheel_file *file = jobs[i].item->file;
        if (file->sha256.len == 0) file->sha256 = str_copy(arena, (struct str){jobs[i].sha256, 32});
    }
    return NULL;
}
