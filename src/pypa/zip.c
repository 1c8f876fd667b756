#include "pypa/zip.h"

#include "base/arena.h"
#include "os/term.h"

#include <assert.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    DESCRIPTOR_SIZE = 16,
    DESCRIPTOR64_SIZE = 24,
    FLAG_ENCRYPTED = 1,
    FLAG_DESCRIPTOR = 8,
    FLAG_UTF8 = 1 << 11,
    /* Compression hints and the two above; encryption, patches and masked headers are not for wheels. */
    FLAGS_KNOWN = 2 | 4 | FLAG_DESCRIPTOR | FLAG_UTF8,
    EXTRA_ZIP64 = 1,
    EXTRA_UNICODE_PATH = 0x7075,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
    NEEDS_MAX = 63, /* version 6.3 of the format: what any reader of today knows */
    DOS_VOLUME = 0x08,
    DOS_DIRECTORY = 0x10,
};
#define SIGN_END 0x06054b50u
#define SIGN_END64 0x06064b50u
#define SIGN_LOCATOR 0x07064b50u
#define SIGN_CENTRAL 0x02014b50u
#define SIGN_LOCAL 0x04034b50u
#define SIGN_DESCRIPTOR 0x08074b50u
#define FULL16 0xffffu
#define FULL32 0xffffffffu

static uint32_t le16(const char *at) {
    const unsigned char *p = (const unsigned char *)at;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const char *at) {
    return le16(at) | le16(at + 2) << 16;
}

/* Numbers above INT64_MAX become INT64_MAX, which every check of a bound refuses. */
static int64_t le64(const char *at) {
    uint64_t value = (uint64_t)le32(at) | (uint64_t)le32(at + 4) << 32;
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static struct err *refuse(struct arena *arena, const char *why) {
    return err_make(arena, ERR_WHEEL, "the archive is refused: it %s", why);
}

static struct err *refuse_entry(struct arena *arena, struct str name, const char *why) {
    struct str shown = term_quote(arena, name);
    return err_make(arena, ERR_WHEEL, "the archive is refused: entry \"%.*s\" %s", FMT(shown), why);
}

/* One character beyond ASCII at `at`; what makes it unfit for a path, or NULL. The text is UTF-8. */
static const char *wide_problem(struct str path, ptrdiff_t at) {
    unsigned char a = (unsigned char)path.data[at];
    unsigned char b = at + 1 < path.len ? (unsigned char)path.data[at + 1] : 0;
    unsigned char c = at + 2 < path.len ? (unsigned char)path.data[at + 2] : 0;
    if (a == 0xC2 && b < 0xA0) return "holds a control character";
    if (a == 0xD8 && b == 0x9C) return "holds a bidirectional override";
    if (a != 0xE2) return NULL;
    if (b == 0x80 && (c == 0xA8 || c == 0xA9)) return "holds a line separator";
    bool override = b == 0x80 && (c == 0x8E || c == 0x8F || (c >= 0xAA && c <= 0xAE));
    bool isolate = b == 0x81 && c >= 0xA6 && c <= 0xA9;
    return override || isolate ? "holds a bidirectional override" : NULL;
}

static const char *character_problem(struct str path) {
    for (ptrdiff_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c == 0) return "holds a NUL byte";
        if (c < 0x20 || c == 0x7F) return "holds a control character";
        if (c == '\\') return "holds a backslash";
        if (c == ':') return "holds a colon";
        const char *problem = c >= 0x80 ? wide_problem(path, i) : NULL;
        if (problem) return problem;
    }
    return NULL;
}

static const char *part_problem(struct str part) {
    if (part.len == 0) return "has an empty part";
    if (str_eq(part, S("."))) return "has a part `.`";
    if (str_eq(part, S(".."))) return "has a part `..`";
    if (part.len > ZIP_PART_MAX) return "has a part that is too long";
    /* A dot at the end only matters on Windows, and there are wheels with `project./` that auditwheel made. */
    return part.data[part.len - 1] == ' ' ? "has a part that ends with a blank" : NULL;
}

const char *zip_path_problem(struct str path) {
    if (path.len == 0) return "has an empty name";
    if (path.len > ZIP_NAME_MAX) return "has a name that is too long";
    if (!str_is_utf8(path)) return "has a name that is not UTF-8";
    if (path.data[0] == '/') return "has an absolute path";
    const char *problem = character_problem(path);
    if (problem) return problem;
    int32_t depth = 0;
    for (struct str rest = path; rest.data;) {
        struct str part = str_cut(&rest, '/');
        if (part_problem(part)) return part_problem(part);
        if (++depth > ZIP_DEPTH_MAX) return "lies too deep";
        if (rest.len == 0 && path.data[path.len - 1] == '/') return "has an empty part";
    }
    return NULL;
}

/* The name without the `/` of a directory. */
static struct str bare_name(struct str name) {
    return name.len && name.data[name.len - 1] == '/' ? str_slice(name, 0, name.len - 1) : name;
}

/* Order of paths in which all that lies below a path follows it directly: `/` sorts before every other byte. */
static int path_cmp(struct str a, struct str b) {
    ptrdiff_t n = a.len < b.len ? a.len : b.len;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (a.data[i] == b.data[i]) continue;
        int x = a.data[i] == '/' ? 0 : (unsigned char)a.data[i];
        int y = b.data[i] == '/' ? 0 : (unsigned char)b.data[i];
        return x - y;
    }
    return (a.len > b.len) - (a.len < b.len);
}

/* Where the directory is, from the end of the file. */
struct end {
    int64_t offset, size, count;
    int64_t records; /* where the records of the end begin: the directory must stop there */
};

static struct err *end_check(struct arena *arena, const struct end *end, int64_t file_size) {
    if (end->count > ZIP_ENTRIES_MAX)
        return err_make(arena, ERR_LIMIT, "the archive has %lld entries, more than %d", (long long)end->count,
                        ZIP_ENTRIES_MAX);
    if (end->size > ZIP_DIRECTORY_MAX) return err_make(arena, ERR_LIMIT, "the archive's directory is too large");
    if (file_size > ZIP_SIZE_MAX) return err_make(arena, ERR_LIMIT, "the archive is too large");
    if (end->offset > file_size || end->offset + end->size != end->records)
        return refuse(arena, "has data before its entries or a wrong place of the directory");
    if (end->count == 0) return refuse(arena, "is empty");
    return NULL;
}

/* The zip64 record and its locator, whose 20 bytes end at the classic record. `at` is the classic record in `tail`. */
static struct err *end64_read(struct arena *arena, struct str tail, int64_t file_size, const char *at,
                              struct end *ret) {
    int64_t place = file_size - END_SIZE - LOCATOR_SIZE - END64_SIZE;
    if (at - tail.data < LOCATOR_SIZE + END64_SIZE || place < 0) return refuse(arena, "has a cut zip64 record");
    const char *locator = at - LOCATOR_SIZE, *record = locator - END64_SIZE;
    if (le32(locator + 4) != 0 || le32(locator + 16) > 1) return refuse(arena, "has several disks");
    if (le64(locator + 8) != place || le32(record) != SIGN_END64 || le64(record + 4) != END64_SIZE - 12)
        return refuse(arena, "has a wrong zip64 record");
    if (le32(record + 16) != 0 || le32(record + 20) != 0) return refuse(arena, "has several disks");
    struct end end = {.offset = le64(record + 48), .size = le64(record + 40), .count = le64(record + 32)};
    end.records = place;
    if (le64(record + 24) != end.count) return refuse(arena, "has several disks");
    bool agree = (le16(at + 10) == FULL16 || le16(at + 10) == end.count) && le16(at + 8) == le16(at + 10) &&
                 (le32(at + 12) == FULL32 || le32(at + 12) == end.size) &&
                 (le32(at + 16) == FULL32 || le32(at + 16) == end.offset);
    if (!agree) return refuse(arena, "has two ends that disagree");
    *ret = end;
    return NULL;
}

static struct err *end_read(struct arena *arena, struct str tail, int64_t file_size, struct end *ret) {
    if (tail.len < END_SIZE || file_size < tail.len) return refuse(arena, "is no zip archive (too short)");
    const char *at = tail.data + tail.len - END_SIZE;
    if (le32(at) != SIGN_END) return refuse(arena, "is no zip archive, or has a comment or data behind its end");
    if (le16(at + 20) != 0) return refuse(arena, "has a comment");
    bool zip64 = tail.len >= END_SIZE + LOCATOR_SIZE && le32(at - LOCATOR_SIZE) == SIGN_LOCATOR;
    struct end end = {.offset = le32(at + 16), .size = le32(at + 12), .count = le16(at + 10)};
    if (zip64) {
        TRY(end64_read(arena, tail, file_size, at, &end));
    } else {
        if (le16(at + 4) != 0 || le16(at + 6) != 0 || le16(at + 8) != le16(at + 10))
            return refuse(arena, "has several disks");
        end.records = file_size - END_SIZE;
    }
    TRY(end_check(arena, &end, file_size));
    *ret = end;
    return NULL;
}

/* The zip64 field of the extra data in `extra`, empty where there is none. NULL, or what is wrong. */
static const char *extra_read(struct str extra, struct str *ret_zip64) {
    *ret_zip64 = (struct str){0};
    while (extra.len) {
        if (extra.len < 4) return "has cut extra data";
        ptrdiff_t size = (ptrdiff_t)le16(extra.data + 2);
        uint32_t id = le16(extra.data);
        if (size > extra.len - 4) return "has cut extra data";
        if (id == EXTRA_UNICODE_PATH) return "has a second name in its extra data";
        if (id == EXTRA_ZIP64 && ret_zip64->data) return "has two zip64 sizes";
        if (id == EXTRA_ZIP64) *ret_zip64 = (struct str){extra.data + 4, size};
        extra = str_from(extra, 4 + size);
    }
    return NULL;
}

/*
 * Replaces the sizes that do not fit by those of the zip64 field. Writers disagree whether values that do fit are
 * repeated there: they may be, in their order, if they are the same.
 */
static const char *zip64_apply(struct str field, int64_t *const *values, int32_t len) {
    int32_t full = 0;
    for (int32_t i = 0; i < len; i++) full += *values[i] == FULL32;
    bool only_full = field.len == full * 8;
    if (!only_full && field.len != len * 8 && (field.len != 16 || *values[len - 1] == FULL32))
        return "has a wrong zip64 field";
    ptrdiff_t at = 0;
    for (int32_t i = 0; i < len && at < field.len; i++) {
        if (only_full && *values[i] != FULL32) continue;
        int64_t value = le64(field.data + at);
        if (*values[i] != FULL32 && *values[i] != value) return "has a zip64 field that disagrees";
        *values[i] = value;
        at += 8;
    }
    return NULL;
}

static const char *mode_problem(struct zip_entry *entry, uint32_t attributes) {
    entry->mode = attributes >> 16;
    entry->is_dir = entry->name.len && entry->name.data[entry->name.len - 1] == '/';
    uint32_t type = entry->mode & S_IFMT;
    if (type != 0 && type != S_IFREG && type != S_IFDIR) return "is neither a regular file nor a directory";
    if (type == S_IFDIR && !entry->is_dir) return "is a directory by its mode, a file by its name";
    if (type == S_IFREG && entry->is_dir) return "is a file by its mode, a directory by its name";
    if (attributes & (entry->is_dir ? DOS_VOLUME : DOS_VOLUME | DOS_DIRECTORY))
        return "is another thing by its DOS attributes than by its name";
    if (entry->is_dir && (entry->size != 0 || entry->crc != 0)) return "is a directory with data";
    return NULL;
}

static const char *entry_problem(const struct zip_entry *entry) {
    if (entry->flags & FLAG_ENCRYPTED) return "is encrypted";
    if (entry->flags & ~(uint32_t)FLAGS_KNOWN) return "has flags that are not for wheels";
    if (entry->method != METHOD_STORED && entry->method != METHOD_DEFLATED)
        return "has a compression method other than stored and deflated";
    if (entry->method == METHOD_STORED && entry->packed != entry->size) return "is stored with two sizes";
    if (entry->packed > ZIP_SIZE_MAX || entry->size > ZIP_SIZE_MAX) return "is too large";
    if (!(entry->flags & FLAG_UTF8))
        for (ptrdiff_t i = 0; i < entry->name.len; i++)
            if ((unsigned char)entry->name.data[i] >= 0x80) return "has a name beyond ASCII without the UTF-8 flag";
    return NULL;
}

static bool grows_too_much(int64_t packed, int64_t size) {
    return size > ZIP_RATIO_FROM && size / ZIP_RATIO_MAX > packed;
}

static struct err *ratio_check(struct arena *arena, const struct zip_entry *entry) {
    if (!grows_too_much(entry->packed, entry->size)) return NULL;
    struct str shown = term_quote(arena, entry->name);
    return err_make(arena, ERR_LIMIT, "the archive is refused: entry \"%.*s\" would grow from %lld to %lld bytes",
                    FMT(shown), (long long)entry->packed, (long long)entry->size);
}

/* One record of the directory at the start of `*rest`, which is advanced. */
static struct err *central_read(struct arena *arena, struct str *rest, struct zip_entry *ret) {
    const char *at = rest->data;
    if (rest->len < CENTRAL_SIZE || le32(at) != SIGN_CENTRAL)
        return refuse(arena, "has a directory with other entries than it says");
    ptrdiff_t name_len = (ptrdiff_t)le16(at + 28), extra_len = (ptrdiff_t)le16(at + 30);
    if (rest->len - CENTRAL_SIZE < name_len + extra_len) return refuse(arena, "has a cut directory");
    struct zip_entry entry = {.name = {at + CENTRAL_SIZE, name_len}, .offset = le32(at + 42)};
    entry.flags = (uint16_t)le16(at + 8);
    entry.method = (uint16_t)le16(at + 10);
    entry.crc = le32(at + 16);
    entry.packed = le32(at + 20);
    entry.size = le32(at + 24);
    if (le16(at + 32) != 0) return refuse_entry(arena, entry.name, "has a comment");
    if (le16(at + 34) != 0) return refuse_entry(arena, entry.name, "lies on another disk");
    struct str zip64;
    const char *problem = extra_read((struct str){at + CENTRAL_SIZE + name_len, extra_len}, &zip64);
    int64_t *values[] = {&entry.size, &entry.packed, &entry.offset};
    if (!problem && zip64.data) problem = zip64_apply(zip64, values, 3);
    if (!problem && (le16(at + 6) & 0xff) > NEEDS_MAX) problem = "needs a reader of a later format";
    if (!problem) problem = entry_problem(&entry);
    if (!problem) problem = mode_problem(&entry, le32(at + 38));
    if (!problem) problem = zip_path_problem(entry.is_dir ? bare_name(entry.name) : entry.name);
    if (problem) return refuse_entry(arena, entry.name, problem);
    TRY(ratio_check(arena, &entry));
    *ret = entry;
    *rest = str_from(*rest, CENTRAL_SIZE + name_len + extra_len);
    return NULL;
}

static int order_by_name(const void *a, const void *b, void *self) {
    const struct zip_entry *entries = self;
    return path_cmp(bare_name(entries[*(const int32_t *)a].name), bare_name(entries[*(const int32_t *)b].name));
}

static int order_by_offset(const void *a, const void *b, void *self) {
    const struct zip_entry *entries = self;
    int64_t x = entries[*(const int32_t *)a].offset, y = entries[*(const int32_t *)b].offset;
    return (x > y) - (x < y);
}

static int32_t *sorted_positions(struct arena *arena, struct zip_entry *entries, int32_t len,
                                 int (*order)(const void *, const void *, void *)) {
    int32_t *positions = arena_new(arena, int32_t, len);
    for (int32_t i = 0; i < len; i++) positions[i] = i;
    qsort_r(positions, (size_t)len, sizeof *positions, order, entries);
    return positions;
}

static struct err *names_check(struct arena *arena, const struct zip_entry *entries, const int32_t *sorted,
                               int32_t len) {
    for (int32_t i = 1; i < len; i++) {
        const struct zip_entry *before = &entries[sorted[i - 1]], *entry = &entries[sorted[i]];
        struct str above = bare_name(before->name), name = bare_name(entry->name);
        assert(above.data && name.data);
        if (str_eq(above, name)) return refuse_entry(arena, entry->name, "is there twice");
        bool below = str_starts(name, above) && name.data[above.len] == '/';
        if (below && !before->is_dir) return refuse_entry(arena, entry->name, "lies below a file");
    }
    return NULL;
}

/* Sets `next` of every entry; overlaps and data before the first entry show here already. */
static struct err *places_check(struct arena *arena, struct zip_entry *entries, int32_t len, int64_t directory) {
    struct arena_mark mark = arena_mark(arena);
    const int32_t *places = sorted_positions(arena, entries, len, order_by_offset);
    if (entries[places[0]].offset != 0)
        return refuse_entry(arena, entries[places[0]].name, "is the first, but has data before it");
    for (int32_t i = 0; i < len; i++) {
        struct zip_entry *entry = &entries[places[i]];
        entry->next = i + 1 < len ? entries[places[i + 1]].offset : directory;
        if (entry->next - entry->offset < LOCAL_SIZE + entry->name.len + entry->packed)
            return refuse_entry(arena, entry->name, "overlaps what follows it");
    }
    arena_rewind(arena, mark);
    return NULL;
}

struct err *zip_read(struct arena *arena, struct str tail, int64_t file_size, struct zip *ret, int64_t *ret_need) {
    struct end end = {0};
    TRY(end_read(arena, tail, file_size, &end));
    if (file_size - end.offset > tail.len) {
        *ret_need = file_size - end.offset;
        return NULL;
    }
    struct str rest = str_slice(tail, tail.len - (ptrdiff_t)(file_size - end.offset),
                                tail.len - (ptrdiff_t)(file_size - end.records));
    if (rest.len / CENTRAL_SIZE < end.count) return refuse(arena, "has a directory too small for its entries");
    int32_t len = (int32_t)end.count;
    struct zip_entry *entries = arena_new(arena, struct zip_entry, len);
    int64_t size = 0;
    for (int32_t i = 0; i < len; i++) {
        TRY(central_read(arena, &rest, &entries[i]));
        size += entries[i].size;
        if (size > ZIP_SIZE_MAX) return err_make(arena, ERR_LIMIT, "the archive would unpack to too many bytes");
    }
    if (rest.len) return refuse(arena, "has more entries in its directory than it says");
    if (grows_too_much(file_size, size))
        return err_make(arena, ERR_LIMIT, "the archive is refused: it would grow from %lld to %lld bytes",
                        (long long)file_size, (long long)size);
    const int32_t *sorted = sorted_positions(arena, entries, len, order_by_name);
    TRY(names_check(arena, entries, sorted, len));
    TRY(places_check(arena, entries, len, end.offset));
    *ret = (struct zip){entries, len, sorted, end.offset, file_size, size};
    *ret_need = 0;
    return NULL;
}

/* The descriptor behind the data; `size` is its length by the place of what follows. */
static const char *descriptor_problem(const struct zip_entry *entry, struct str at) {
    if (at.len != DESCRIPTOR_SIZE && at.len != DESCRIPTOR64_SIZE) return "has a data descriptor of a wrong size";
    bool wide = at.len == DESCRIPTOR64_SIZE;
    if (le32(at.data) != SIGN_DESCRIPTOR) return "has a data descriptor without a signature";
    int64_t packed = wide ? le64(at.data + 8) : le32(at.data + 8);
    int64_t size = wide ? le64(at.data + 16) : le32(at.data + 12);
    if (le32(at.data + 4) != entry->crc || packed != entry->packed || size != entry->size)
        return "has a data descriptor that disagrees with the directory";
    return NULL;
}

static const char *local_problem(const struct zip_entry *entry, const char *at, struct str extra) {
    bool descriptor = entry->flags & FLAG_DESCRIPTOR;
    if (le16(at + 6) != entry->flags) return "has other flags in its local header than in the directory";
    if (le16(at + 8) != entry->method) return "has another method in its local header than in the directory";
    int64_t packed = le32(at + 18), size = le32(at + 22);
    int64_t *values[] = {&size, &packed};
    struct str zip64;
    const char *problem = extra_read(extra, &zip64);
    if (!problem && zip64.data) problem = zip64_apply(zip64, values, 2);
    if (problem) return problem;
    bool unset = descriptor && le32(at + 14) == 0 && packed == 0 && size == 0;
    if (unset) return NULL;
    if (le32(at + 14) != entry->crc && !(descriptor && le32(at + 14) == 0))
        return "has another CRC in its local header than in the directory";
    if (packed != entry->packed || size != entry->size)
        return "has other sizes in its local header than in the directory";
    return NULL;
}

struct err *zip_data(struct arena *arena, const struct zip_entry *entry, struct str bytes, struct str *ret) {
    int64_t span = entry->next - entry->offset;
    if (bytes.len < span) return err_make(arena, ERR_INTERNAL, "an entry's bytes are not all there");
    bytes = str_slice(bytes, 0, (ptrdiff_t)span);
    const char *at = bytes.data;
    assert(at);
    if (le32(at) != SIGN_LOCAL) return refuse_entry(arena, entry->name, "has no local header");
    ptrdiff_t name_len = (ptrdiff_t)le16(at + 26), extra_len = (ptrdiff_t)le16(at + 28);
    struct str name = str_slice(bytes, LOCAL_SIZE, LOCAL_SIZE + name_len);
    if (!str_eq(name, entry->name)) return refuse_entry(arena, entry->name, "has another name in its local header");
    ptrdiff_t start = LOCAL_SIZE + name_len + extra_len;
    if (span - start < entry->packed) return refuse_entry(arena, entry->name, "overlaps what follows it");
    const char *problem = local_problem(entry, at, str_slice(bytes, LOCAL_SIZE + name_len, start));
    struct str behind = str_from(bytes, start + (ptrdiff_t)entry->packed);
    if (!problem && (entry->flags & FLAG_DESCRIPTOR)) problem = descriptor_problem(entry, behind);
    if (!problem && !(entry->flags & FLAG_DESCRIPTOR) && behind.len) problem = "has data behind it";
    if (problem) return refuse_entry(arena, entry->name, problem);
    *ret = (struct str){bytes.data + start, (ptrdiff_t)entry->packed};
    return NULL;
}

struct err *zip_verify(struct arena *arena, const struct zip *zip, struct str whole) {
    for (int32_t i = 0; i < zip->len; i++) {
        struct str data;
        TRY(zip_data(arena, &zip->entries[i], str_from(whole, (ptrdiff_t)zip->entries[i].offset), &data));
    }
    return NULL;
}

const struct zip_entry *zip_find(const struct zip *zip, struct str name) {
    name = bare_name(name);
    for (int32_t low = 0, high = zip->len; low < high;) {
        int32_t middle = low + (high - low) / 2;
        const struct zip_entry *entry = &zip->entries[zip->sorted[middle]];
        int order = path_cmp(name, bare_name(entry->name));
        if (order == 0) return entry;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

struct err *zip_unpack(struct arena *arena, const struct zip_entry *entry, struct str data, char *out) {
    bool good = data.len == entry->packed;
    if (good && entry->method == METHOD_STORED) {
        good = data.len == entry->size;
        if (good && data.len) memcpy(out, data.data, (size_t)data.len);
    } else if (good) {
        struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
        if (!inflater) return err_make(arena, ERR_SPACE, "no memory to unpack");
        char none; /* libdeflate wants a place even for no bytes */
        size_t used = 0;
        good = libdeflate_deflate_decompress_ex(inflater, data.data, (size_t)data.len, entry->size ? out : &none,
                                                (size_t)entry->size, &used, NULL) == LIBDEFLATE_SUCCESS &&
               used == (size_t)data.len;
        libdeflate_free_decompressor(inflater);
    }
    if (!good) return refuse_entry(arena, entry->name, "does not unpack to the size it says");
    if (libdeflate_crc32(0, entry->size ? out : "", (size_t)entry->size) != entry->crc)
        return refuse_entry(arena, entry->name, "has a wrong CRC");
    return NULL;
}

uint32_t zip_crc(uint32_t crc, struct str bytes) {
    return bytes.len ? libdeflate_crc32(crc, bytes.data, (size_t)bytes.len) : crc;
}

bool zip_is_deflated(const struct zip_entry *entry) {
    return entry->method == METHOD_DEFLATED;
}

struct err *zip_extract(struct arena *arena, const struct zip_entry *entry, struct str bytes, int64_t limit,
                        struct str *ret) {
    struct str shown = term_quote(arena, entry->name);
    if (entry->size > limit)
        return err_make(arena, ERR_LIMIT, "the archive is refused: entry \"%.*s\" has %lld bytes, more than %lld",
                        FMT(shown), (long long)entry->size, (long long)limit);
    struct str data;
    TRY(zip_data(arena, entry, bytes, &data));
    char *out = arena_alloc(arena, (ptrdiff_t)entry->size);
    TRY(zip_unpack(arena, entry, data, out));
    *ret = (struct str){out, (ptrdiff_t)entry->size};
    return NULL;
}
