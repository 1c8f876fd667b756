/* A page in the form in which the cache keeps it: releases ascending, files grouped by release, all names parsed. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/filename.h"
#include "pypa/name.h"

#include <stdlib.h>
#include <string.h>

#define PACK_MAGIC 0x33304B4361506E75u /* names the layout; another byte order reads another number */

enum { PACK_ABSENT = 1, PACK_QUARANTINED = 2, PACK_VIEW = 4 };
enum { FILE_BYTES = 320 /* texts of one file, about */ };
enum { FILE_SDIST = 1, FILE_YANKED = 2, FILE_METADATA = 4, FILE_TAR_GZ = 8 };

struct span {
    uint32_t at, len; /* in the heap */
};

struct pack_head {
    uint64_t magic;
    int64_t fetched, fresh_until;
    uint32_t flags, releases, files, heap;
    struct span url, etag, last_modified, status, status_reason;
    struct span tracks, alternates; /* lines */
};

struct pack_release {
    struct span version;
    uint32_t first, count;
};

struct pack_file {
    int64_t size, uploaded;
    struct span filename, url, requires_python, yanked_reason, tags, build, sha256, strong, metadata_sha256;
    uint32_t flags, bars; /* bars: in a view */
};

/* A file whose name has been understood. */
struct named {
    const struct simple_file *file;
    struct version version;
    struct str url; /* absolute */
    struct str tags, build;
    int32_t place; /* on the page */
    bool sdist;
};

static struct span add_text(struct buf *heap, struct str text) {
    struct span span = {(uint32_t)heap->len, (uint32_t)text.len};
    buf_add(heap, text);
    return span;
}

/* Of a hexadecimal digit: the letters have bit 6 set, and 1 to 6 in their low bits. */
static unsigned hex_value(char c) {
    unsigned n = (unsigned char)c;
    return (n & 15u) + 9u * (n >> 6);
}

static struct span add_bytes(struct buf *heap, struct str hex) {
    struct span span = {(uint32_t)heap->len, (uint32_t)hex.len / 2};
    char *out = buf_reserve(heap, hex.len / 2);
    for (ptrdiff_t i = 0; i < hex.len / 2; i++)
        out[i] = (char)(hex_value(hex.data[2 * i]) << 4 | hex_value(hex.data[2 * i + 1]));
    heap->len += hex.len / 2;
    return span;
}

static struct span add_sha256(struct buf *heap, struct str hex) {
    return simple_is_sha256(hex) ? add_bytes(heap, hex) : (struct span){0};
}

/* `hex` is empty or what simple_url_strong and the like gave. */
static struct span add_strong(struct buf *heap, struct str hex) {
    return hex.len ? add_bytes(heap, hex) : (struct span){0};
}

/* `part` of `whole` if it points into it, else added. */
static struct span add_part(struct buf *heap, struct str whole, struct span at, struct str part) {
    if (part.len && part.data >= whole.data && part.data + part.len <= whole.data + whole.len)
        return (struct span){at.at + (uint32_t)(part.data - whole.data), (uint32_t)part.len};
    return add_text(heap, part);
}

static bool name_file(struct arena *arena, struct str project, const struct simple_file *file, struct named *ret) {
    struct str filename = file->filename;
    *ret = (struct named){.file = file};
    if (str_ends(filename, S(".whl"))) {
        struct wheel_name wheel;
        struct err *no_wheel = wheel_name_parse(arena, filename, &wheel);
        if (no_wheel || !str_eq(wheel.name, project)) return false;
        ret->version = wheel.version;
        ret->build = wheel.build;
        ret->tags = (struct str){wheel.python.data, wheel.platform.data + wheel.platform.len - wheel.python.data};
        return true;
    }
    ret->sdist = true;
    return sdist_name_parse(arena, filename, project, &ret->version);
}

static int named_order(const void *a, const void *b) {
    const struct named *x = a, *y = b;
    int order = version_cmp(&x->version, &y->version);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void pack_one(struct buf *heap, const struct named *named, struct pack_file *ret) {
    const struct simple_file *file = named->file;
    struct str url = named->url;
    *ret = (struct pack_file){.size = file->size, .uploaded = file->uploaded};
    ret->url = add_text(heap, url);
    if (str_ends(url, file->filename))
        ret->filename =
            (struct span){ret->url.at + (uint32_t)(url.len - file->filename.len), (uint32_t)file->filename.len};
    else ret->filename = add_text(heap, file->filename);
    ret->tags = add_part(heap, file->filename, ret->filename, named->tags);
    ret->build = add_part(heap, file->filename, ret->filename, named->build);
    ret->requires_python = add_text(heap, file->requires_python);
    ret->yanked_reason = add_text(heap, file->yanked_reason);
    ret->sha256 = add_sha256(heap, file->sha256);
    ret->strong = add_strong(heap, file->strong);
    ret->metadata_sha256 = add_sha256(heap, file->metadata_sha256);
    ret->flags = (named->sdist ? FILE_SDIST : 0u) | (file->yanked ? FILE_YANKED : 0u) |
                 (file->has_metadata ? FILE_METADATA : 0u) |
                 (str_ends(file->filename, S(".tar.gz")) ? FILE_TAR_GZ : 0u);
}

static struct index_packed assemble(struct arena *arena, struct pack_head head, const struct pack_release *releases,
                                    const struct pack_file *files, struct buf *heap) {
    head.magic = PACK_MAGIC;
    head.heap = (uint32_t)heap->len;
    struct buf out = {.arena = arena};
    (void)buf_reserve(&out, (ptrdiff_t)(sizeof head + head.releases * sizeof *releases + head.files * sizeof *files) +
                                heap->len);
    buf_add(&out, (struct str){(const char *)&head, sizeof head});
    buf_add(&out, (struct str){(const char *)releases, (ptrdiff_t)(head.releases * sizeof *releases)});
    buf_add(&out, (struct str){(const char *)files, (ptrdiff_t)(head.files * sizeof *files)});
    buf_add(&out, buf_str(heap));
    return (struct index_packed){buf_str(&out)};
}

/* Line by line; a URL with a line end in it is none. */
static struct span add_lines(struct buf *heap, const struct str *lines, int32_t len) {
    struct span span = {(uint32_t)heap->len, 0};
    for (int32_t i = 0; i < len; i++) {
        if (str_find_char(lines[i], '\n') >= 0) continue;
        buf_add(heap, lines[i]);
        buf_add_char(heap, '\n');
    }
    span.len = (uint32_t)heap->len - span.at;
    return span;
}

static void set_status(struct buf *heap, struct pack_head *head, struct index_status status) {
    head->status = add_text(heap, status.status);
    head->status_reason = add_text(heap, status.reason);
}

static void set_facts(struct buf *heap, struct pack_head *head, const struct index_page_facts *facts) {
    head->fetched = facts->fetched;
    head->fresh_until = facts->fresh_until;
    head->flags = (head->flags & ~(uint32_t)PACK_ABSENT) | (facts->absent ? PACK_ABSENT : 0u);
    head->url = add_text(heap, facts->url);
    head->etag = add_text(heap, facts->etag);
    head->last_modified = add_text(heap, facts->last_modified);
}

struct index_packed index_pack(struct arena *arena, struct str project, const struct simple_page *page,
                               const struct index_page_facts *facts) {
    struct named *named = arena_new(arena, struct named, page->len);
    struct str base = page->base.len ? simple_url(arena, facts->url, page->base) : facts->url;
    int32_t len = 0;
    for (int32_t i = 0; i < page->len; i++) {
        if (!name_file(arena, project, &page->files[i], &named[len])) continue;
        named[len].url = simple_url(arena, base, page->files[i].url);
        bool known = page->files[i].sha256.len > 0 || page->files[i].strong.len > 0;
        if (named[len].url.len > HTTP_URL_MAX || !index_may_link(facts->url, named[len].url, known)) continue;
        named[len++].place = i;
    }
    if (len) qsort(named, (size_t)len, sizeof *named, named_order);
    struct pack_release *releases = arena_new(arena, struct pack_release, len);
    struct pack_file *files = arena_new(arena, struct pack_file, len);
    struct buf heap = {.arena = arena};
    (void)buf_reserve(&heap, (ptrdiff_t)len * FILE_BYTES);
    struct pack_head head = {.files = (uint32_t)len, .flags = page->quarantined ? PACK_QUARANTINED : 0u};
    for (int32_t i = 0; i < len; i++) {
        pack_one(&heap, &named[i], &files[i]);
        if (i == 0 || version_cmp(&named[i - 1].version, &named[i].version) != 0)
            releases[head.releases++] =
                (struct pack_release){.version = add_text(&heap, named[i].version.text), .first = (uint32_t)i};
        releases[head.releases - 1].count++;
    }
    set_facts(&heap, &head, facts);
    set_status(&heap, &head, (struct index_status){page->status, page->status_reason});
    head.tracks = add_lines(&heap, page->tracks, page->tracks_len);
    head.alternates = add_lines(&heap, page->alternates, page->alternates_len);
    return assemble(arena, head, releases, files, &heap);
}

static struct pack_head head_of(const struct index_packed *packed) {
    struct pack_head head;
    memcpy(&head, packed->bytes.data, sizeof head);
    return head;
}

bool index_packed_open(struct str bytes, struct index_packed *ret) {
    struct index_packed packed = {bytes};
    if (bytes.len < (ptrdiff_t)sizeof(struct pack_head)) return false;
    struct pack_head head = head_of(&packed);
    uint64_t size = sizeof head + (uint64_t)head.releases * sizeof(struct pack_release) +
                    (uint64_t)head.files * sizeof(struct pack_file) + head.heap;
    if (head.magic != PACK_MAGIC || size != (uint64_t)bytes.len) return false;
    *ret = packed;
    return true;
}

static const char *releases_at(const struct index_packed *packed) {
    return packed->bytes.data + sizeof(struct pack_head);
}

static const char *files_at(const struct index_packed *packed, const struct pack_head *head) {
    return releases_at(packed) + head->releases * sizeof(struct pack_release);
}

static struct str heap_of(const struct index_packed *packed, const struct pack_head *head) {
    return str_from(packed->bytes, packed->bytes.len - (ptrdiff_t)head->heap);
}

static struct str text_of(struct str heap, struct span span) {
    return str_slice(heap, (ptrdiff_t)span.at, (ptrdiff_t)span.at + (ptrdiff_t)span.len);
}

struct index_page_facts index_packed_facts(const struct index_packed *packed) {
    struct pack_head head = head_of(packed);
    struct str heap = heap_of(packed, &head);
    return (struct index_page_facts){
        text_of(heap, head.url), text_of(heap, head.etag),       text_of(heap, head.last_modified), head.fetched,
        head.fresh_until,        (head.flags & PACK_ABSENT) != 0};
}

static void view_one(struct buf *heap, const struct release *release, struct pack_file *ret) {
    const struct artifact *artifact = &release->artifact;
    *ret = (struct pack_file){.size = artifact->size, .uploaded = release->uploaded, .bars = release->bars};
    ret->url = add_text(heap, artifact->url);
    ret->filename = add_part(heap, artifact->url, ret->url, artifact->filename);
    ret->requires_python = add_text(heap, artifact->requires_python);
    ret->yanked_reason = add_text(heap, release->yanked_reason);
    ret->sha256 = add_sha256(heap, artifact->sha256);
    ret->strong = add_strong(heap, artifact->strong);
    ret->metadata_sha256 = add_sha256(heap, artifact->metadata_sha256);
    ret->flags = (artifact->sdist ? FILE_SDIST : 0u) | (release->yanked ? FILE_YANKED : 0u) |
                 (artifact->has_metadata ? FILE_METADATA : 0u);
}

struct index_packed index_pack_view(struct arena *arena, const struct release *list, int32_t len,
                                    const struct index_page_facts *facts, struct index_status status) {
    struct pack_release *releases = arena_new(arena, struct pack_release, len);
    struct pack_file *files = arena_new(arena, struct pack_file, len);
    struct buf heap = {.arena = arena};
    struct pack_head head = {.flags = PACK_VIEW, .releases = (uint32_t)len, .files = (uint32_t)len};
    for (int32_t i = 0; i < len; i++) {
        view_one(&heap, &list[i], &files[i]);
        releases[i] = (struct pack_release){add_text(&heap, list[i].version.text), (uint32_t)i, 1};
    }
    set_facts(&heap, &head, facts);
    set_status(&heap, &head, status);
    return assemble(arena, head, releases, files, &heap);
}

bool index_packed_is_view(const struct index_packed *packed) {
    return (head_of(packed).flags & PACK_VIEW) != 0;
}

struct index_packed index_packed_renew(struct arena *arena, const struct index_packed *packed,
                                       const struct index_page_facts *facts) {
    struct pack_head head = head_of(packed);
    struct buf heap = {.arena = arena};
    buf_add(&heap, heap_of(packed, &head));
    set_facts(&heap, &head, facts);
    struct pack_release *releases = arena_new(arena, struct pack_release, head.releases);
    struct pack_file *files = arena_new(arena, struct pack_file, head.files);
    memcpy(releases, releases_at(packed), head.releases * sizeof *releases);
    memcpy(files, files_at(packed, &head), head.files * sizeof *files);
    return assemble(arena, head, releases, files, &heap);
}

int32_t index_packed_releases(const struct index_packed *packed) {
    return (int32_t)head_of(packed).releases;
}

struct index_status index_packed_status(const struct index_packed *packed) {
    struct pack_head head = head_of(packed);
    struct str heap = heap_of(packed, &head);
    return (struct index_status){text_of(heap, head.status), text_of(heap, head.status_reason)};
}

struct index_kin index_packed_kin(const struct index_packed *packed) {
    struct pack_head head = head_of(packed);
    struct str heap = heap_of(packed, &head);
    return (struct index_kin){text_of(heap, head.tracks), text_of(heap, head.alternates)};
}

bool index_packed_quarantined(const struct index_packed *packed) {
    return (head_of(packed).flags & PACK_QUARANTINED) != 0;
}

struct str index_packed_release(const struct index_packed *packed, int32_t i, int32_t *ret_first, int32_t *ret_count) {
    struct pack_head head = head_of(packed);
    struct pack_release release;
    memcpy(&release, releases_at(packed) + (size_t)i * sizeof release, sizeof release);
    bool sound = release.first <= head.files && release.count <= head.files - release.first;
    *ret_first = sound ? (int32_t)release.first : 0;
    *ret_count = sound ? (int32_t)release.count : 0;
    return text_of(heap_of(packed, &head), release.version);
}

struct index_packed_file index_packed_file(const struct index_packed *packed, int32_t i) {
    struct pack_head head = head_of(packed);
    struct str heap = heap_of(packed, &head);
    struct pack_file file;
    memcpy(&file, files_at(packed, &head) + (size_t)i * sizeof file, sizeof file);
    return (struct index_packed_file){
        .filename = text_of(heap, file.filename),
        .url = text_of(heap, file.url),
        .requires_python = text_of(heap, file.requires_python),
        .yanked_reason = text_of(heap, file.yanked_reason),
        .tags = text_of(heap, file.tags),
        .build = text_of(heap, file.build),
        .sha256 = text_of(heap, file.sha256),
        .strong = text_of(heap, file.strong),
        .metadata_sha256 = text_of(heap, file.metadata_sha256),
        .size = file.size,
        .uploaded = file.uploaded,
        .bars = file.bars,
        .sdist = (file.flags & FILE_SDIST) != 0,
        .yanked = (file.flags & FILE_YANKED) != 0,
        .has_metadata = (file.flags & FILE_METADATA) != 0,
        .is_tar_gz = (file.flags & FILE_TAR_GZ) != 0,
    };
}

static struct str hex_of(struct arena *arena, struct str bytes) {
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        buf_add_char(&buf, "0123456789abcdef"[c >> 4]);
        buf_add_char(&buf, "0123456789abcdef"[c & 15]);
    }
    return buf_str(&buf);
}

struct simple_page index_unpack(struct arena *arena, const struct index_packed *packed) {
    struct pack_head head = head_of(packed);
    struct simple_file *files = arena_new(arena, struct simple_file, head.files);
    for (int32_t i = 0; i < (int32_t)head.files; i++) {
        struct index_packed_file file = index_packed_file(packed, i);
        files[i] = (struct simple_file){.filename = file.filename,
                                        .url = file.url,
                                        .sha256 = hex_of(arena, file.sha256),
                                        .strong = hex_of(arena, file.strong),
                                        .size = file.size,
                                        .uploaded = file.uploaded,
                                        .requires_python = file.requires_python,
                                        .yanked = file.yanked,
                                        .yanked_reason = file.yanked_reason,
                                        .has_metadata = file.has_metadata,
                                        .metadata_sha256 = hex_of(arena, file.metadata_sha256)};
    }
    struct index_status status = index_packed_status(packed);
    return (struct simple_page){.files = files,
                                .len = (int32_t)head.files,
                                .quarantined = index_packed_quarantined(packed),
                                .status = status.status,
                                .status_reason = status.reason};
}
