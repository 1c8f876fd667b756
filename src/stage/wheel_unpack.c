#include "stage/wheel_unpack.h"

#include "base/arena.h"
#include "base/map.h"
#include "os/digest.h"
#include "os/inflate.h"
#include "os/signals.h"
#include "os/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Above this many bytes an entry goes into its file piece by piece, so that memory stays small. */
    UNPACK_MEMORY_MAX = 4 << 20,
    PIECE = 256 << 10,
    /* What one worker does at a time: files of one directory. */
    BATCH_FILES = 64,
    BATCH_BYTES = 1 << 20,
    WINDOW = 64 << 10,     /* packed bytes of entries that follow each other, read at once */
    FLUSH_MIN = 512 << 10, /* bytes of a file that the disk had better begin with at once */
    AHEAD_ROOM = 2,        /* times what is unpacked ahead must be free */
    NEST_MODE = 0755,      /* as those that wheel_change stages */
};

/* What was read of an archive, for the entries that come next. */
struct window {
    const struct wheel *wheel; /* NULL: nothing yet */
    char *bytes;               /* WINDOW of them */
    int64_t offset, len;       /* these are read */
    int64_t next;              /* where the entry that was asked for last ends */
};

struct job {
    const struct unpack_item *item;
    const struct depot_notes *notes; /* of its wheel */
    struct str dir;                  /* of its source */
    const char *name;                /* there */
    int parent;                      /* that directory, open */
    struct window *window;           /* of those that are done one after the other */
    const struct crew *crew;         /* whose work it is; NULL: the caller waits for it */
    bool repeats;                    /* another job has the same bytes: one file is kept of them */
    char sha256[32];                 /* computed by a worker; its arena does not outlive the item */
};

/* Jobs of one directory that follow each other. */
struct batch {
    int32_t first, len;
    int64_t bytes;
};

struct unpacking {
    const struct depot *depot;
    struct job *jobs;
    struct batch *batches;
    int32_t batches_len;
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

/* Looks at a finished file, once its other name in the depot is there and its mode is right whatever the umask. One
 * look is enough for nearly all. */
static struct err *finish(struct arena *arena, const struct depot *depot, struct job *job, int fd) {
    struct wheel_file *file = job->item->file;
    struct sys_stat now = {0};
    uint32_t mode = file->mode & 0777;
    int status = 0;
    if (file->entry && file->entry->size > 0 && !job->repeats)
        file->kept = depot_give(depot, file->sha256, mode, job->parent, job->name, fd, &now);
    if (now.type == SYS_NONE) status = sys_stat_at(sys_real(), fd, "", &now);
    if (status == 0 && now.mode != mode) {
        status = sys_chmod(sys_real(), fd, mode);
        if (status == 0) status = sys_stat_at(sys_real(), fd, "", &now);
    }
    if (status == 0) file->staged = now;
    if (now.size >= FLUSH_MIN) sys_flush_begin(fd);
    return status ? err_errno(arena, status, "cannot look at '%.*s'", FMT(file->source)) : NULL;
}

static struct err *create(struct arena *arena, const struct job *job, int *ret) {
    const struct wheel_file *file = job->item->file;
    int status = sys_create_at(sys_real(), job->parent, job->name, file->mode & 0777, ret);
    return status ? err_errno(arena, status, "cannot create '%.*s'", FMT(file->source)) : NULL;
}

static struct err *write_whole(struct arena *arena, const struct depot *depot, struct job *job, struct str bytes) {
    const struct wheel_file *file = job->item->file;
    int fd = -1;
    TRY(create(arena, job, &fd));
    int status = bytes.len ? sys_write(sys_real(), fd, bytes.data, bytes.len, -1) : 0;
    struct err *err = status ? NULL : finish(arena, depot, job, fd);
    int closed = sys_close(sys_real(), fd);
    if (status == 0) status = closed;
    return err || status == 0 ? err : err_errno(arena, status, "cannot write '%.*s'", FMT(file->source));
}

/* Unpacks into a mapping of the file: where a piece at a time is not possible. */
static struct err *unpack_mapped(struct arena *arena, const struct depot *depot, struct job *job, struct str data) {
    const struct wheel_file *file = job->item->file;
    struct mapping mapping;
    TRY(mapping_create(arena, file->source, file->entry->size, &mapping));
    struct err *err = zip_unpack(arena, file->entry, data, mapping.data);
    if (!err) err = check_bytes(arena, job, (struct str){mapping.data, (ptrdiff_t)mapping.size});
    if (!err) err = finish(arena, depot, job, mapping.fd);
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
    mapping_forget(&stream->job->item->layout->wheel->mapping, used);
    int status = sys_write(sys_real(), stream->fd, bytes.data, bytes.len, -1);
    return status ? err_errno(arena, status, "cannot write '%.*s'", FMT(file->source)) : NULL;
}

static struct err *stream_run(struct arena *arena, struct stream *stream) {
    const struct zip_entry *entry = stream->job->item->file->entry;
    bool end = false;
    while (!end) {
        TRY(signals_check(arena));
        if (stream->job->crew && crew_ends(stream->job->crew)) return err_make(arena, ERR_INTERRUPTED, "not needed");
        TRY(stream_step(arena, stream, &end));
    }
    if (stream->size != entry->size || stream->rest.len)
        return stream_wrong(arena, stream, "does not unpack to the size it says");
    return stream->crc == entry->crc ? NULL : stream_wrong(arena, stream, "has a wrong CRC");
}

static struct err *unpack_large(struct arena *arena, const struct depot *depot, struct job *job, struct str data) {
    const struct wheel_file *file = job->item->file;
    struct stream stream = {.job = job, .rest = data, .fd = -1};
    if (file->row->hash != RECORD_SHA256) return unpack_mapped(arena, depot, job, data);
    if (zip_is_deflated(file->entry)) {
        stream.inflate = inflate_open(arena);
        if (!stream.inflate) return unpack_mapped(arena, depot, job, data);
    }
    stream.piece = arena_bytes(arena, PIECE);
    struct err *err = create(arena, job, &stream.fd);
    if (err) {
        inflate_close(stream.inflate);
        return err;
    }
    char found[DIGEST_SHA256];
    stream.digest = digest_open(arena);
    err = stream_run(arena, &stream);
    digest_close(stream.digest, (unsigned char *)found);
    inflate_close(stream.inflate);
    if (!err && !str_eq((struct str){found, DIGEST_SHA256}, file->row->digest)) err = wrong_hash(arena, file);
    if (!err) err = finish(arena, depot, job, stream.fd);
    int closed = sys_close(sys_real(), stream.fd);
    if (!err && closed) err = err_errno(arena, closed, "cannot write '%.*s'", FMT(file->source));
    return err;
}

static struct err *archive_read(struct arena *arena, const struct wheel *wheel, char *bytes, int64_t offset,
                                int64_t size) {
    int64_t so_far = 0;
    while (so_far < size) {
        int64_t n = 0;
        int status = sys_read_at(sys_real(), wheel->mapping.fd, bytes + so_far, size - so_far, offset + so_far, &n);
        if (status == 0 && n == 0) status = EIO;
        if (status) return err_errno(arena, status, "cannot read '%.*s'", FMT(wheel->path));
        so_far += n;
    }
    return NULL;
}

/* The bytes of the archive that hold the entry. Read, not mapped: what is mapped has to be given back page by page.
 * With an entry that lies behind the one before, what comes behind it is read as well. */
static struct err *packed_read(struct arena *arena, const struct job *job, struct str *ret) {
    const struct zip_entry *entry = job->item->file->entry;
    const struct wheel *wheel = job->item->layout->wheel;
    struct window *window = job->window;
    int64_t size = entry->next - entry->offset, behind = wheel->zip.directory_offset - entry->offset;
    bool follows = window->wheel == wheel && window->next == entry->offset && size <= WINDOW;
    if (window->wheel != wheel) *window = (struct window){.wheel = wheel, .bytes = window->bytes};
    window->next = entry->next;
    bool is_there = window->offset <= entry->offset && entry->next <= window->offset + window->len;
    if (!is_there && follows) {
        window->len = 0;
        int64_t len = behind < WINDOW ? behind : WINDOW;
        TRY(archive_read(arena, wheel, window->bytes, entry->offset, len));
        window->offset = entry->offset;
        window->len = len;
    }
    if (is_there || follows) {
        *ret = (struct str){window->bytes + (entry->offset - window->offset), (ptrdiff_t)size};
        return NULL;
    }
    char *bytes = arena_bytes(arena, (ptrdiff_t)size);
    TRY(archive_read(arena, wheel, bytes, entry->offset, size));
    *ret = (struct str){bytes, (ptrdiff_t)size};
    return NULL;
}

static struct str beside_of(const struct wheel_layout *layout) {
    struct str path = layout->wheel->path;
    return str_slice(path, 0, str_find_last(path, '/'));
}

/* The part of `path` beneath the site; empty: it does not lie there. */
static struct str in_site(const struct wheel_layout *layout, struct str path) {
    struct str site = layout->site;
    bool inside = path.len > site.len + 1 && str_starts(path, site) && path.data[site.len] == '/';
    return inside ? str_from(path, site.len + 1) : (struct str){0};
}

/* METADATA and what Python runs at its start come to their places one by one. */
static bool nests(const struct wheel_layout *layout, const struct wheel_file *file) {
    return !file->is_metadata && !file->is_startup && str_find_char(in_site(layout, file->target), '/') > 0;
}

bool wheel_unpack_nested(const struct wheel_layout *layout, const struct wheel_file *file) {
    return file->is_ahead && nests(layout, file);
}

struct str wheel_unpack_nest(struct arena *arena, const struct wheel_layout *layout, struct str dir) {
    return str_format(arena, "%.*s/site/%.*s", FMT(beside_of(layout)), FMT(in_site(layout, dir)));
}

/* Where a file lies unpacked ahead: as it will lie in the site, else by the number of its entry. */
static struct str ahead_path(struct arena *arena, const struct wheel_layout *layout, const struct wheel_file *file) {
    if (nests(layout, file)) return wheel_unpack_nest(arena, layout, file->target);
    return str_format(arena, "%.*s/%d", FMT(beside_of(layout)), (int)(file->entry - layout->wheel->zip.entries));
}

/* Moves what was unpacked ahead to its place. False where that is not possible: nothing is there. */
static bool take_ahead(struct arena *arena, const struct job *job) {
    struct wheel_file *file = job->item->file;
    struct sys_stat now;
    if (!file->is_ahead) return false;
    const char *from = str_copy_z(arena, ahead_path(arena, job->item->layout, file));
    file->is_ahead = sys_rename(sys_real(), from, str_copy_z(arena, file->source)) == 0;
    bool seen = file->is_ahead && sys_stat_at(sys_real(), job->parent, job->name, &now) == 0;
    file->staged = seen ? now : (struct sys_stat){0};
    if (!file->is_ahead) file->kept = (struct depot_mark){0};
    return file->is_ahead;
}

static struct err *unpack(struct arena *arena, const struct depot *depot, struct job *job) {
    struct wheel_file *file = job->item->file;
    struct str bytes, data;
    if (!file->entry) return write_whole(arena, depot, job, file->text);
    if (take_ahead(arena, job)) return NULL;
    const struct depot_file wanted = {file->sha256, file->entry->size, file->entry->crc, file->mode & 0777,
                                      file->is_carried};
    if (!job->repeats &&
        depot_take(depot, arena, job->notes, &wanted, job->parent, job->name, &file->staged, &file->kept))
        return NULL;
    if (file->entry->size > UNPACK_MEMORY_MAX) {
        bytes = str_from(job->item->layout->wheel->bytes, (ptrdiff_t)file->entry->offset);
        TRY(zip_data(arena, file->entry, bytes, &data));
        return unpack_large(arena, depot, job, data);
    }
    TRY(packed_read(arena, job, &bytes));
    TRY(zip_data(arena, file->entry, bytes, &data));
    char *out = arena_bytes(arena, (ptrdiff_t)file->entry->size);
    TRY(zip_unpack(arena, file->entry, data, out));
    struct str text = {out, (ptrdiff_t)file->entry->size};
    TRY(check_bytes(arena, job, text));
    return write_whole(arena, depot, job, text);
}

static struct err *unpack_batch(void *self, struct arena *arena, int32_t i) {
    const struct unpacking *unpacking = self;
    const struct batch *batch = &unpacking->batches[i];
    struct str dir = unpacking->jobs[batch->first].dir;
    struct err *err = NULL;
    int fd = -1;
    int status = sys_dir(sys_real(), str_copy_z(arena, dir), &fd);
    if (status) return err_errno(arena, status, "cannot open '%.*s'", FMT(dir));
    struct window window = {.bytes = arena_bytes(arena, WINDOW)};
    for (int32_t k = 0; k < batch->len && !err; k++) {
        struct job *job = &unpacking->jobs[batch->first + k];
        struct arena_mark mark = arena_mark(arena);
        job->parent = fd;
        job->window = &window;
        err = unpack(arena, unpacking->depot, job);
        if (!err) arena_rewind(arena, mark);
    }
    (void)sys_close(sys_real(), fd);
    return err;
}

/* Both the unpacked files and those of the transaction find room, whatever becomes of them. */
static bool has_room(struct arena *arena, const struct wheel_layout *layout, struct str dir) {
    struct sys_space space;
    int64_t size = 0;
    for (int32_t i = 0; i < layout->len; i++)
        if (layout->files[i].entry) size += layout->files[i].entry->size;
    if (sys_space(sys_real(), str_copy_z(arena, dir), &space)) return false;
    return space.bytes_free / AHEAD_ROOM > size && space.inodes_free / AHEAD_ROOM > layout->len;
}

/* The directory that is filled, held open. */
struct nest {
    struct str path;     /* empty: none yet */
    struct arena *names; /* has it */
    struct window window;
    int fd;
};

/* Goes into `dir`, beneath `top`, which is there. Files come sorted: what leads to the directory before is made. */
static struct err *nest_enter(struct arena *arena, struct nest *nest, struct str top, struct str dir) {
    int status = 0;
    for (ptrdiff_t len = top.len + 1; len <= dir.len && status == 0; len++) {
        struct str part = str_slice(dir, 0, len);
        bool whole = len == dir.len || dir.data[len] == '/';
        bool made = nest->path.len > 0 && str_starts(nest->path, part) &&
                    (nest->path.len == len || nest->path.data[len] == '/');
        if (whole && !made) status = sys_mkdir(sys_real(), str_copy_z(arena, part), NEST_MODE);
        if (status == EEXIST) status = 0;
    }
    if (nest->fd >= 0) (void)sys_close(sys_real(), nest->fd);
    nest->path = dir;
    nest->fd = -1;
    if (status == 0) status = sys_dir(sys_real(), str_copy_z(arena, dir), &nest->fd);
    return status ? err_errno(arena, status, "cannot make '%.*s'", FMT(dir)) : NULL;
}

/* Unpacks one file ahead. */
static struct err *ahead_file(struct arena *arena, const struct depot *depot, struct nest *nest,
                              const struct wheel_layout *layout, struct wheel_file *ret, const struct crew *crew) {
    struct wheel_file file = *ret; /* its place is another one here */
    const struct unpack_item item = {layout, &file};
    file.source = ahead_path(arena, layout, &file);
    ptrdiff_t slash = str_find_last(file.source, '/');
    struct str dir = str_slice(file.source, 0, slash);
    if (!str_eq(dir, nest->path)) TRY(nest_enter(arena, nest, beside_of(layout), str_copy(nest->names, dir)));
    struct job job = {.item = &item,
                      .dir = dir,
                      .name = str_copy_z(arena, str_from(file.source, slash + 1)),
                      .parent = nest->fd,
                      .window = &nest->window,
                      .crew = crew};
    struct err *err = unpack(arena, depot, &job);
    if (err) {
        (void)sys_unlink(sys_real(), str_copy_z(arena, file.source));
        return err;
    }
    ret->is_ahead = true;
    ret->kept = file.kept;
    ret->staged = file.staged;
    return NULL;
}

int64_t wheel_unpack_ahead(struct arena *arena, const struct depot *depot, const struct wheel_layout *layout,
                           const struct crew *crew) {
    struct nest nest = {.fd = -1};
    struct err *err = NULL;
    int64_t bytes = 0;
    if (depot_notes_read(arena, depot, layout->wheel->sha256).len || !has_room(arena, layout, beside_of(layout)))
        return 0;
    nest.names = arena_open();
    nest.window.bytes = arena_bytes(nest.names, WINDOW);
    for (int32_t i = 0; i < layout->len && !err && !crew_ends(crew); i++) {
        struct arena_mark mark = arena_mark(arena);
        struct wheel_file *file = &layout->files[i];
        if (!file->entry || file->sha256.len == 0) continue;
        err = ahead_file(arena, depot, &nest, layout, file, crew);
        if (!err) bytes += file->entry->size;
        arena_rewind(arena, mark);
    }
    if (nest.fd >= 0) (void)sys_close(sys_real(), nest.fd);
    arena_close(nest.names);
    return bytes;
}

static int64_t job_size(const struct job *job) {
    return job->item->file->entry ? job->item->file->entry->size : job->item->file->text.len;
}

static int job_order(const void *a, const void *b) {
    const struct job *x = a, *y = b;
    int order = str_cmp(x->dir, y->dir);
    return order ? order : strcmp(x->name, y->name);
}

/* Large ones first: none is left alone at the end. */
static int batch_order(const void *a, const void *b) {
    const struct batch *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static void batches_make(struct arena *arena, struct unpacking *unpacking, int32_t len) {
    unpacking->batches = arena_new(arena, struct batch, len);
    for (int32_t i = 0; i < len; i++) {
        const struct job *job = &unpacking->jobs[i];
        struct batch *last = i ? &unpacking->batches[unpacking->batches_len - 1] : NULL;
        int64_t size = job_size(job);
        bool fits = last && last->len < BATCH_FILES && last->bytes + size <= BATCH_BYTES &&
                    str_eq(unpacking->jobs[last->first].dir, job->dir);
        if (!fits) {
            last = &unpacking->batches[unpacking->batches_len++];
            *last = (struct batch){.first = i};
        }
        last->len++;
        last->bytes += size;
    }
    if (len) qsort(unpacking->batches, (size_t)unpacking->batches_len, sizeof *unpacking->batches, batch_order);
}

/* Two threads that want the same kept file would get in each other's way. */
static void repeats_find(struct job *jobs, int32_t len) {
    struct arena *scratch = arena_open();
    struct map seen = {0};
    for (int32_t i = 0; i < len; i++) {
        struct str sha256 = jobs[i].item->file->sha256;
        jobs[i].repeats = sha256.len == 0 || map_find(&seen, sha256) >= 0;
        if (!jobs[i].repeats) map_add(scratch, &seen, sha256, i);
    }
    arena_close(scratch);
}

/* The notes of every wheel, each read once. Items of one wheel mostly follow each other. */
static void notes_find(struct arena *arena, const struct depot *depot, struct job *jobs, int32_t len) {
    VEC(const struct wheel *) wheels = {0};
    const struct depot_notes **notes = arena_new(arena, const struct depot_notes *, len);
    ptrdiff_t at = 0;
    for (int32_t i = 0; i < len; i++) {
        const struct wheel *wheel = jobs[i].item->layout->wheel;
        if (at >= wheels.len || wheels.data[at] != wheel)
            for (at = 0; at < wheels.len && wheels.data[at] != wheel;) at++;
        if (at == wheels.len) {
            struct depot_notes *found = arena_new(arena, struct depot_notes, 1);
            *found = depot_notes_read(arena, depot, wheel->sha256);
            notes[wheels.len] = found;
            *vec_push(arena, &wheels) = wheel;
        }
        jobs[i].notes = notes[at];
    }
}

static struct err *unpack_all(struct arena *arena, struct arena *scratch, const struct depot *depot,
                              const struct unpack_item *items, int32_t len) {
    struct unpacking unpacking = {.depot = depot, .jobs = arena_new(scratch, struct job, len)};
    for (int32_t i = 0; i < len; i++) {
        struct str source = items[i].file->source;
        ptrdiff_t slash = str_find_last(source, '/');
        unpacking.jobs[i] = (struct job){.item = &items[i],
                                         .dir = str_slice(source, 0, slash),
                                         .name = str_copy_z(scratch, str_from(source, slash + 1))};
    }
    repeats_find(unpacking.jobs, len);
    notes_find(scratch, depot, unpacking.jobs, len);
    if (len) qsort(unpacking.jobs, (size_t)len, sizeof *unpacking.jobs, job_order);
    batches_make(scratch, &unpacking, len);
    const struct workers_step step = {.self = &unpacking, .run = unpack_batch};
    TRY(workers_run(arena, &step, unpacking.batches_len));
    for (int32_t i = 0; i < len; i++) {
        struct wheel_file *file = unpacking.jobs[i].item->file;
        if (file->sha256.len == 0) file->sha256 = str_copy(arena, (struct str){unpacking.jobs[i].sha256, 32});
    }
    return NULL;
}

struct err *wheel_unpack(struct arena *arena, const struct depot *depot, const struct unpack_item *items, int32_t len) {
    struct arena *scratch = arena_open();
    struct err *err = unpack_all(arena, scratch, depot, items, len);
    arena_close(scratch);
    return err;
}

void wheel_unpack_note(struct arena *arena, struct str depot_dir, const struct wheel_layout *layouts, int32_t len) {
    for (int32_t i = 0; depot_dir.len && i < len; i++) {
        const struct wheel_layout *layout = &layouts[i];
        int32_t count = 0, fresh = 0;
        for (int32_t k = 0; k < layout->len; k++)
            fresh += layout->files[k].kept.inode != 0 && !layout->files[k].kept.noted;
        if (fresh == 0) continue; /* the notes that are there say it all */
        struct depot_note *notes = arena_new(arena, struct depot_note, layout->len);
        for (int32_t k = 0; k < layout->len; k++) {
            const struct wheel_file *file = &layout->files[k];
            if (file->kept.inode == 0 || file->sha256.len != DIGEST_SHA256) continue;
            struct depot_note *note = &notes[count++];
            memcpy(note->sha256, file->sha256.data, sizeof note->sha256);
            note->size = file->entry->size;
            note->inode = file->kept.inode;
            note->mtime_ns = file->kept.mtime_ns;
            note->mode = file->mode & 0777;
        }
        depot_notes_write(arena, depot_dir, layout->wheel->sha256, notes, count);
    }
}
