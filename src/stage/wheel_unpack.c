#include "stage/wheel_unpack.h"

#include "base/arena.h"
#include "os/digest.h"
#include "os/signals.h"
#include "os/term.h"
#include "os/workers.h"

#include <stdlib.h>
#include <string.h>

/* Above this many bytes an entry is unpacked straight into its file, so that memory stays small. */
enum { UNPACK_MEMORY_MAX = 8 << 20 };

struct job {
    const struct unpack_item *item;
    char sha256[32]; /* computed by a worker; its arena does not outlive the item */
};

bool record_row_matches(struct arena *scratch, const struct record_row *row, struct str bytes) {
    if (row->hash == RECORD_NONE || row->hash == RECORD_WEAK) return false;
    if (row->size >= 0 && row->size != bytes.len) return false;
    return str_eq(digest_make(scratch, bytes, (int32_t)row->digest.len), row->digest);
}

static struct err *check_bytes(struct arena *arena, struct job *job, struct str bytes) {
    const struct wheel_file *file = job->item->file;
    if (!record_row_matches(arena, file->row, bytes)) {
        struct str name = term_quote(arena, file->entry->name);
        struct err *err =
            err_make(arena, ERR_WHEEL, "the wheel is refused: \"%.*s\" has not the hash that RECORD gives", FMT(name));
        return err_hint(arena, err,
                        "its maker wrote a wrong RECORD; --rebuild-record NAME takes the files as they are in "
                        "the archive and writes a true one");
    }
    if (file->sha256.len == 0) memcpy(job->sha256, digest_make(arena, bytes, 32).data, sizeof job->sha256);
    return NULL;
}

static struct err *unpack_large(struct arena *arena, struct job *job, struct str data) {
    const struct wheel_file *file = job->item->file;
    struct mapping mapping;
    TRY(mapping_create(arena, file->source, file->entry->size, &mapping));
    struct err *err = zip_unpack(arena, file->entry, data, mapping.data);
    if (!err) err = check_bytes(arena, job, (struct str){mapping.data, (ptrdiff_t)mapping.size});
    mapping_close(&mapping);
    return err;
}

static struct err *unpack(void *self, struct arena *arena, int32_t i) {
    struct job *job = &((struct job *)self)[i];
    const struct wheel_file *file = job->item->file;
    if (!file->entry) return file_create(arena, file->source, file->text);
    struct str data;
    TRY(signals_check(arena));
    struct str bytes = str_from(job->item->wheel->bytes, (ptrdiff_t)file->entry->offset);
    TRY(zip_data(arena, file->entry, bytes, &data));
    if (file->entry->size > UNPACK_MEMORY_MAX) return unpack_large(arena, job, data);
    char *out = arena_alloc(arena, (ptrdiff_t)file->entry->size);
    TRY(zip_unpack(arena, file->entry, data, out));
    struct str text = {out, (ptrdiff_t)file->entry->size};
    TRY(check_bytes(arena, job, text));
    return file_create(arena, file->source, text);
}

/* Large ones first: none is left alone at the end. */
static int job_order(const void *a, const void *b) {
    const struct unpack_item *x = ((const struct job *)a)->item, *y = ((const struct job *)b)->item;
    int64_t m = x->file->entry ? x->file->entry->size : 0, n = y->file->entry ? y->file->entry->size : 0;
    if (m != n) return m > n ? -1 : 1;
    return (x > y) - (x < y);
}

struct err *wheel_unpack(struct arena *arena, const struct unpack_item *items, int32_t len) {
    struct job *jobs = arena_new(arena, struct job, len);
    for (int32_t i = 0; i < len; i++) jobs[i].item = &items[i];
    if (len) qsort(jobs, (size_t)len, sizeof *jobs, job_order);
    const struct workers_step step = {jobs, unpack};
    TRY(workers_run(arena, &step, len));
    for (int32_t i = 0; i < len; i++) {
        struct wheel_file *file = jobs[i].item->file;
        if (file->sha256.len == 0) file->sha256 = str_copy(arena, (struct str){jobs[i].sha256, 32});
    }
    return NULL;
}
