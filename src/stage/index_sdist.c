/* What an sdist says of its requirements without being built: PKG-INFO, and requires.txt of an egg-info. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/library.h"

#include <archive.h>
#include <archive_entry.h>

enum { ENTRIES_MAX = 200000, BLOCK = 16 << 10 };
#define UNPACKED_MAX ((int64_t)2 << 30) /* bytes that may be skipped over and read in all */

#define ARCHIVE_FUNCTIONS(X)                                                                                           \
    X(entry_filetype)                                                                                                  \
    X(entry_pathname)                                                                                                  \
    X(filter_bytes)                                                                                                    \
    X(read_data)                                                                                                       \
    X(read_free)                                                                                                       \
    X(read_new)                                                                                                        \
    X(read_next_header)                                                                                                \
    X(read_open_memory)                                                                                                \
    X(read_support_filter_bzip2)                                                                                       \
    X(read_support_filter_gzip)                                                                                        \
    X(read_support_filter_xz)                                                                                          \
    X(read_support_format_tar)                                                                                         \
    X(read_support_format_zip)

/* The functions of libarchive, opened with the first sdist that is looked into. */
struct libarchive {
#define X(name) __typeof__(archive_##name) *name;
    ARCHIVE_FUNCTIONS(X)
#undef X
};

static bool libarchive_open(struct libarchive *ret) {
#ifdef UNPIN_LIBRARIES_LINKED
#define X(name) .name = archive_##name,
    *ret = (struct libarchive){ARCHIVE_FUNCTIONS(X)};
#undef X
    return true;
#else
#define X(name) {"archive_" #name, offsetof(struct libarchive, name)},
    static const struct library_symbol symbols[] = {ARCHIVE_FUNCTIONS(X)};
#undef X
    return library_open("libarchive.so.13", symbols, (int32_t)(sizeof symbols / sizeof *symbols), ret);
#endif
}

/* An archive that is being read. */
struct reader {
    struct libarchive library;
    struct archive *archive;
};

/* What has been found so far; the depth of a path is the number of its slashes. */
struct found {
    struct str pkg_info, egg_pkg_info, requires_txt;
    bool egg_info; /* a directory *.egg-info is there */
    ptrdiff_t egg_depth;
};

static ptrdiff_t depth_of(struct str path) {
    ptrdiff_t depth = 0;
    for (ptrdiff_t i = 0; i < path.len; i++) depth += path.data[i] == '/';
    return depth;
}

static struct err *read_entry(struct arena *arena, struct reader *reader, struct str *ret) {
    struct buf buf = {.arena = arena};
    for (;;) {
        la_ssize_t n = reader->library.read_data(reader->archive, buf_reserve(&buf, BLOCK), BLOCK);
        if (n < 0) return err_make(arena, ERR_MALFORMED, "it cannot be unpacked");
        if (n == 0) break;
        buf.len += n;
        if (buf.len > INDEX_METADATA_MAX)
            return err_make(arena, ERR_LIMIT, "a file in it is larger than %d bytes", INDEX_METADATA_MAX);
    }
    /* An empty requires.txt says something: it must not look like none. */
    (void)buf_reserve(&buf, 1);
    *ret = buf_str(&buf);
    return NULL;
}

/* Looks at one entry: `name-1.0/PKG-INFO`, and `*.egg-info/` at most two directories deeper. */
static struct err *look(struct arena *arena, struct reader *reader, struct str path, struct found *found) {
    if (str_starts(path, S("./"))) path = str_from(path, 2);
    ptrdiff_t slash = str_find_last(path, '/');
    if (slash < 0) return NULL;
    struct str dir = str_slice(path, 0, slash), name = str_from(path, slash + 1);
    if (depth_of(path) == 1 && str_eq(name, S("PKG-INFO")) && !found->pkg_info.len)
        return read_entry(arena, reader, &found->pkg_info);
    if (!str_ends(dir, S(".egg-info")) || depth_of(dir) > 2) return NULL;
    /* Test data may hold other egg-infos; the outermost is the sdist's own. */
    if (found->egg_info && depth_of(dir) > found->egg_depth) return NULL;
    if (!found->egg_info || depth_of(dir) < found->egg_depth)
        found->egg_pkg_info = found->requires_txt = (struct str){0};
    found->egg_info = true;
    found->egg_depth = depth_of(dir);
    if (str_eq(name, S("PKG-INFO"))) return read_entry(arena, reader, &found->egg_pkg_info);
    if (str_eq(name, S("requires.txt"))) return read_entry(arena, reader, &found->requires_txt);
    return NULL;
}

static struct err *walk(struct arena *arena, struct reader *reader, struct found *found) {
    for (int32_t i = 0; i < ENTRIES_MAX; i++) {
        struct archive_entry *entry;
        int status = reader->library.read_next_header(reader->archive, &entry);
        if (status == ARCHIVE_EOF) return NULL;
        if (status < ARCHIVE_WARN) return err_make(arena, ERR_MALFORMED, "it cannot be unpacked");
        if (reader->library.filter_bytes(reader->archive, 0) > UNPACKED_MAX)
            return err_make(arena, ERR_LIMIT, "it unpacks to more than %lld bytes", (long long)UNPACKED_MAX);
        const char *name = reader->library.entry_pathname(entry);
        if (name && reader->library.entry_filetype(entry) != AE_IFLNK) TRY(look(arena, reader, str_of(name), found));
    }
    return err_make(arena, ERR_LIMIT, "it holds more than %d files", ENTRIES_MAX);
}

struct err *index_sdist_read(struct arena *arena, struct str bytes, bool whole, struct index_document *ret) {
    struct reader reader = {0};
    if (libarchive_open(&reader.library)) reader.archive = reader.library.read_new();
    if (!reader.archive) return err_make(arena, ERR_INTERNAL, "libarchive cannot be started");
    (void)reader.library.read_support_format_tar(reader.archive);
    (void)reader.library.read_support_format_zip(reader.archive);
    (void)reader.library.read_support_filter_gzip(reader.archive);
    (void)reader.library.read_support_filter_bzip2(reader.archive);
    (void)reader.library.read_support_filter_xz(reader.archive);
    struct found found = {0};
    struct err *err = NULL;
    if (reader.library.read_open_memory(reader.archive, bytes.data, (size_t)bytes.len) != ARCHIVE_OK)
        err = err_make(arena, ERR_MALFORMED, "it is no archive");
    if (!err) err = walk(arena, &reader, &found);
    (void)reader.library.read_free(reader.archive);
    /* A head ends in the middle of something: what was found before that counts. */
    if (err && (whole || err->kind != ERR_MALFORMED || !found.pkg_info.len)) return err;
    struct index_document document = {.text = found.pkg_info.len ? found.pkg_info : found.egg_pkg_info};
    if (!document.text.len) return err_make(arena, ERR_MALFORMED, "it holds no PKG-INFO");
    /* An egg-info without requires.txt has no requirements. */
    if (found.egg_info && (whole || found.requires_txt.data))
        document.requires_txt = found.requires_txt.data ? found.requires_txt : S("");
    document.text = index_header_block(arena, document.text);
    *ret = document;
    return NULL;
}
