#include "stage/wheel.h"

#include "base/arena.h"
#include "os/digest.h"
#include "os/fs.h"
#include "os/term.h"
#include "pypa/name.h"

#include <stdlib.h>

enum {
    VERIFIED_AT_ONCE = 128, /* entries whose surroundings are in memory at the same time */
    WHEEL_FILE_MAX = 1 << 20,
    WHEEL_REBUILD_MAX = 1 << 30,
    METADATA_MAJOR = 2,
    METADATA_MINOR = 5, /* the newest version that is known */
};

struct draft {
    struct wheel *wheel;
    VEC(struct str) warnings;
};

static struct err *refuse(struct arena *arena, struct str entry, const char *why) {
    struct str shown = term_quote(arena, entry);
    return err_make(arena, ERR_WHEEL, "the wheel is refused: \"%.*s\" %s", FMT(shown), why);
}

static void warn(struct arena *arena, struct draft *draft, struct str subject, const char *why) {
    struct str shown = term_quote(arena, subject);
    *vec_push(arena, &draft->warnings) = str_format(arena, "\"%.*s\" %s", FMT(shown), why);
}

struct err *wheel_read(struct arena *arena, const struct wheel *wheel, const struct zip_entry *entry, int64_t limit,
                       struct str *ret) {
    return zip_extract(arena, entry, str_from(wheel->bytes, (ptrdiff_t)entry->offset), limit, ret);
}

/* The contents of a file of the dist-info directory; *found tells whether it is there. */
static struct err *info_read(struct arena *arena, const struct wheel *wheel, struct str name, int64_t limit,
                             bool *found, struct str *ret) {
    const struct zip_entry *entry = zip_find(&wheel->zip, path_join(arena, wheel->info_dir, name));
    *found = entry && !entry->is_dir;
    return *found ? wheel_read(arena, wheel, entry, limit, ret) : NULL;
}

static bool ends_nocase(struct str text, struct str suffix) {
    return text.len >= suffix.len && str_eq_nocase(str_from(text, text.len - suffix.len), suffix);
}

bool wheel_describes(struct str name) {
    return ends_nocase(name, S(".dist-info")) || ends_nocase(name, S(".egg-info")) || ends_nocase(name, S(".egg-link"));
}

/* True if `stem` is "name-version" of the file name, in whatever spelling. */
static bool stem_matches(struct arena *arena, const struct wheel *wheel, struct str stem) {
    ptrdiff_t dash = str_find_char(stem, '-');
    struct version version;
    if (dash < 0 || !version_try_parse(arena, str_from(stem, dash + 1), &version)) return false;
    if (!str_eq(name_normalize(arena, str_slice(stem, 0, dash)), wheel->filename.name)) return false;
    return version_cmp(&version, &wheel->filename.version) == 0;
}

/* Finds the dist-info directory; refuses a second one and anything that another installer may take for one. */
static struct err *find_info_dir(struct arena *arena, struct wheel *wheel) {
    for (int32_t i = 0; i < wheel->zip.len; i++) {
        struct str rest = wheel->zip.entries[i].name, first = str_cut(&rest, '/');
        if (!wheel_describes(first)) continue;
        if (!ends_nocase(first, S(".dist-info"))) return refuse(arena, first, "does not belong into a wheel");
        if (wheel->info_dir.len && !str_eq(wheel->info_dir, first))
            return refuse(arena, first, "is a second dist-info directory");
        if (!str_ends(first, S(".dist-info")) || !stem_matches(arena, wheel, str_slice(first, 0, first.len - 10)))
            return refuse(arena, first, "is not the dist-info directory of the file's name and version");
        wheel->info_dir = first;
    }
    if (!wheel->info_dir.len) return refuse(arena, wheel->path, "has no dist-info directory");
    struct str stem = str_slice(wheel->info_dir, 0, wheel->info_dir.len - 10);
    wheel->data_dir = str_format(arena, "%.*s.data", FMT(stem));
    return NULL;
}

static struct err *check_data_path(struct arena *arena, const struct wheel *wheel, const struct zip_entry *entry) {
    static const struct str keys[] = {S_INIT("purelib"), S_INIT("platlib"), S_INIT("scripts"), S_INIT("headers"),
                                      S_INIT("data")};
    struct str rest = entry->name, first = str_cut(&rest, '/');
    if (!ends_nocase(first, S(".data"))) return NULL;
    if (!str_eq(first, wheel->data_dir)) return refuse(arena, entry->name, "lies in a .data directory of another name");
    struct str key = str_cut(&rest, '/');
    if (entry->is_dir && key.len == 0) return NULL;
    bool known = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) known = known || str_eq(keys[i], key);
    if (!known) return refuse(arena, entry->name, "lies in a .data directory that is not known");
    if (!entry->is_dir && rest.len == 0) return refuse(arena, entry->name, "is a file where .data has a directory");
    return NULL;
}

/* Combining marks tell of a name that some file systems take for its composed form. */
static bool has_combining(struct str name) {
    for (ptrdiff_t i = 0; i + 1 < name.len; i++) {
        unsigned char a = (unsigned char)name.data[i], b = (unsigned char)name.data[i + 1];
        if ((a == 0xCC && b >= 0x80) || (a == 0xCD && b < 0xB0)) return true;
    }
    return false;
}

/* True if a part of the path is a directory of transactions: ".unpin", ".unpin-ID". */
static bool is_of_transactions(struct str path) {
    while (path.len) {
        struct str part = str_cut(&path, '/'), head = str_slice(part, 0, 6);
        if (str_eq_nocase(head, S(".unpin")) && (part.len == 6 || part.data[6] == '-')) return true;
    }
    return false;
}

static struct err *check_paths(struct arena *arena, struct draft *draft) {
    const struct wheel *wheel = draft->wheel;
    for (int32_t i = 0; i < wheel->zip.len; i++) {
        const struct zip_entry *entry = &wheel->zip.entries[i];
        TRY(check_data_path(arena, wheel, entry));
        if (is_of_transactions(entry->name))
            return refuse(arena, entry->name, "lies in a directory of unpin's own (.unpin)");
        if (entry->mode & 07000) warn(arena, draft, entry->name, "has set-id bits, which are left out");
        if (has_combining(entry->name))
            warn(arena, draft, entry->name, "holds combining characters, which some file systems compose");
    }
    return NULL;
}

static struct err *check_wheel_version(struct arena *arena, struct draft *draft, struct str value) {
    struct str minor = value, major = str_cut(&minor, '.');
    int64_t number = 0, part = 0;
    if (!str_to_int(major, &number) || !str_to_int(minor, &part))
        return refuse(arena, value, "is no version of the wheel format");
    if (number != 1) return refuse(arena, value, "is a version of the wheel format that is not known");
    if (part > 0) warn(arena, draft, value, "is a newer version of the wheel format than 1.0");
    return NULL;
}

/* Reads WHEEL: the version of the format, Root-Is-Purelib and the tags. */
static struct err *read_wheel_file(struct arena *arena, struct draft *draft) {
    struct wheel *wheel = draft->wheel;
    bool found;
    struct str text, line, version = {0};
    TRY(info_read(arena, wheel, S("WHEEL"), WHEEL_FILE_MAX, &found, &text));
    if (!found) return refuse(arena, wheel->info_dir, "has no WHEEL");
    bool purelib_known = false, tagged = false, tag_found = false;
    struct str wanted = str_format(arena, "%.*s-%.*s-%.*s", FMT(wheel->filename.python), FMT(wheel->filename.abi),
                                   FMT(wheel->filename.platform));
    while (str_line(&text, &line) && line.len) {
        if (str_find_char(line, ':') < 0) continue;
        struct str value = line, key = str_trim(str_cut(&value, ':'));
        value = str_trim(value);
        if (str_eq_nocase(key, S("Wheel-Version"))) {
            if (version.len) return refuse(arena, S("WHEEL"), "has two versions");
            version = value;
        } else if (str_eq_nocase(key, S("Root-Is-Purelib"))) {
            /* Wheels repaired after their build (nvidia-nvcomp-cu12 6.0.0.12) say it twice; the first counts, as for
             * pip. */
            if (purelib_known) warn(arena, draft, S("WHEEL"), "says twice where its files go; the first counts");
            else wheel->purelib = str_eq_nocase(value, S("true"));
            purelib_known = true;
        } else if (str_eq_nocase(key, S("Tag"))) {
            tagged = true;
            struct str rest = value, python = str_cut(&rest, '-'), abi = str_cut(&rest, '-');
            tag_found = tag_found || str_eq(value, wanted) ||
                        (str_find(wheel->filename.python, python) >= 0 && str_find(wheel->filename.abi, abi) >= 0 &&
                         str_find(wheel->filename.platform, rest) >= 0);
        }
    }
    if (tagged && !tag_found) warn(arena, draft, wanted, "is the tag in the file name, but not in WHEEL");
    return check_wheel_version(arena, draft, version);
}

/* The specification of core metadata: warn of a newer minor version, fail at a newer major one. */
static struct err *check_metadata_version(struct arena *arena, struct draft *draft) {
    struct str minor = draft->wheel->metadata.metadata_version, value = minor, major = str_cut(&minor, '.');
    int64_t number = 0, part = 0;
    if (!str_to_int(major, &number) || !str_to_int(minor, &part)) return NULL;
    if (number > METADATA_MAJOR) return refuse(arena, value, "is a Metadata-Version that is not known");
    if (number == METADATA_MAJOR && part > METADATA_MINOR)
        warn(arena, draft, value, "is a newer Metadata-Version than is known");
    return NULL;
}

static struct err *read_metadata(struct arena *arena, struct draft *draft) {
    struct wheel *wheel = draft->wheel;
    bool found;
    TRY(info_read(arena, wheel, S("METADATA"), METADATA_MAX_SIZE, &found, &wheel->metadata_text));
    if (!found) return refuse(arena, wheel->info_dir, "has no METADATA");
    TRY(metadata_parse(arena, wheel->metadata_text, &wheel->metadata));
    struct version version;
    if (!str_eq(name_normalize(arena, wheel->metadata.name), wheel->filename.name))
        return refuse(arena, wheel->metadata.name, "is the name in METADATA, but not that of the file name");
    if (!version_try_parse(arena, wheel->metadata.version, &version) ||
        version_cmp(&version, &wheel->filename.version) != 0)
        return refuse(arena, wheel->metadata.version, "is the version in METADATA, but not that of the file name");
    TRY(check_metadata_version(arena, draft));
    for (int32_t i = 0; i < wheel->metadata.problems_len; i++)
        warn(arena, draft, wheel->metadata.problems[i], "(a problem of METADATA)");
    return NULL;
}

static struct err *read_entry_points(struct arena *arena, struct wheel *wheel) {
    bool found;
    struct str text;
    TRY(info_read(arena, wheel, S("entry_points.txt"), ENTRY_POINTS_MAX_SIZE, &found, &text));
    if (!found) return NULL;
    TRY(entry_points_parse(arena, text, &wheel->scripts, &wheel->scripts_len));
    for (int32_t i = 0; i < wheel->scripts_len; i++)
        if (entry_point_is_reserved(wheel->scripts[i].name) && !str_eq(wheel->filename.name, S("pip")))
            return refuse(arena, wheel->scripts[i].name, "is a script that only Python or pip may have");
    return NULL;
}

static int row_order(const void *a, const void *b) {
    const struct record_row *x = a, *y = b;
    return str_cmp(x->path, y->path);
}

const struct record_row *wheel_row(const struct wheel *wheel, struct str path) {
    struct record_row key = {.path = path};
    if (wheel->rows_len == 0) return NULL;
    return bsearch(&key, wheel->rows, (size_t)wheel->rows_len, sizeof *wheel->rows, row_order);
}

/* RECORD cannot hold its own hash, nor those of its signatures. */
static bool is_record_itself(const struct wheel *wheel, struct str path) {
    if (!str_starts(path, wheel->info_dir)) return false;
    struct str name = str_from(path, wheel->info_dir.len);
    return str_eq(name, S("/RECORD")) || str_eq(name, S("/RECORD.jws")) || str_eq(name, S("/RECORD.p7s"));
}

/* A refusal for what a careless maker gets wrong, and not only an attacker. */
static struct err *wrong_record(struct arena *arena, const struct wheel *wheel, struct str entry, const char *why) {
    return err_hint(arena, refuse(arena, entry, why),
                    "its maker wrote a wrong RECORD; --rebuild-record %.*s takes the files as they are in the archive "
                    "and writes a true one",
                    FMT(wheel->filename.name));
}

static struct err *check_row(struct arena *arena, const struct wheel *wheel, const struct record_row *row) {
    const struct zip_entry *entry = zip_find(&wheel->zip, row->path);
    const char *problem = zip_path_problem(row->path);
    if (problem) return refuse(arena, row->path, "is a path in RECORD that no wheel may have");
    if (!entry || entry->is_dir) return wrong_record(arena, wheel, row->path, "is in RECORD but not in the wheel");
    if (is_record_itself(wheel, row->path)) return NULL;
    if (row->hash == RECORD_NONE) return wrong_record(arena, wheel, row->path, "has no hash in RECORD");
    if (row->hash == RECORD_WEAK)
        return wrong_record(arena, wheel, row->path, "has a hash in RECORD that is weaker than SHA-256");
    if (row->size >= 0 && row->size != entry->size)
        return wrong_record(arena, wheel, row->path, "has another size in RECORD");
    return NULL;
}

static struct err *read_record(struct arena *arena, struct wheel *wheel) {
    bool found;
    struct str text;
    const struct record_row *parsed = NULL;
    TRY(info_read(arena, wheel, S("RECORD"), RECORD_MAX_SIZE, &found, &text));
    if (!found) return refuse(arena, wheel->info_dir, "has no RECORD");
    TRY(record_parse(arena, text, &parsed, &wheel->rows_len));
    struct record_row *rows = arena_new(arena, struct record_row, wheel->rows_len);
    for (int32_t i = 0; i < wheel->rows_len; i++) rows[i] = parsed[i];
    if (wheel->rows_len) qsort(rows, (size_t)wheel->rows_len, sizeof *rows, row_order);
    wheel->rows = rows;
    for (int32_t i = 0; i < wheel->rows_len; i++) {
        if (i && str_eq(rows[i - 1].path, rows[i].path))
            return wrong_record(arena, wheel, rows[i].path, "is twice in RECORD");
        TRY(check_row(arena, wheel, &rows[i]));
    }
    for (int32_t i = 0; i < wheel->zip.len; i++) {
        const struct zip_entry *entry = &wheel->zip.entries[i];
        if (entry->is_dir || is_record_itself(wheel, entry->name)) continue;
        if (!wheel_row(wheel, entry->name)) return wrong_record(arena, wheel, entry->name, "is not in RECORD");
    }
    return NULL;
}

/* The rows that RECORD ought to have, from what the archive holds. */
static struct err *rebuild_record(struct arena *arena, struct arena *scratch, struct wheel *wheel) {
    struct record_row *rows = arena_new(arena, struct record_row, wheel->zip.len + 1);
    const struct arena_mark mark = arena_mark(scratch);
    wheel->rows_len = 0;
    for (int32_t i = 0; i < wheel->zip.len; i++) {
        const struct zip_entry *entry = &wheel->zip.entries[i];
        struct str bytes;
        if (entry->is_dir) continue;
        struct record_row *row = &rows[wheel->rows_len++];
        *row = (struct record_row){.path = entry->name, .size = entry->size};
        if (is_record_itself(wheel, entry->name)) continue;
        TRY(wheel_read(scratch, wheel, entry, WHEEL_REBUILD_MAX, &bytes));
        row->hash = RECORD_SHA256;
        row->digest = digest_make(arena, bytes, 32);
        arena_rewind(scratch, mark);
    }
    qsort(rows, (size_t)wheel->rows_len, sizeof *rows, row_order);
    wheel->rows = rows;
    return NULL;
}

/* Reads RECORD; where it is wrong and the caller has consented, the archive itself tells what it holds. */
static struct err *settle_record(struct arena *arena, struct draft *draft, const struct wheel_terms *terms) {
    struct wheel *wheel = draft->wheel;
    if (!terms->rebuild_record) return read_record(arena, wheel);
    struct arena *scratch = arena_open();
    struct err *err = rebuild_record(arena, scratch, wheel);
    arena_close(scratch);
    if (!err) warn(arena, draft, S("RECORD"), "is not that of its maker, but made from what the archive holds");
    return err;
}

/* As zip_verify, and what was looked at does not stay in memory. */
static struct err *verify_entries(struct arena *arena, const struct wheel *wheel) {
    struct str whole = wheel->bytes, data;
    for (int32_t i = 0; i < wheel->zip.len; i++) {
        const struct zip_entry *entry = &wheel->zip.entries[i];
        TRY(zip_data(arena, entry, str_from(whole, (ptrdiff_t)entry->offset), &data));
        if (i % VERIFIED_AT_ONCE == VERIFIED_AT_ONCE - 1) mapping_forget(&wheel->mapping, whole);
    }
    mapping_forget(&wheel->mapping, whole);
    return NULL;
}

static struct err *verify(struct arena *arena, struct draft *draft, struct str filename,
                          const struct wheel_terms *terms) {
    struct wheel *wheel = draft->wheel;
    struct str sha256 = terms->sha256;
    if (zip_path_problem(filename)) return refuse(arena, filename, "is no file name of a wheel");
    TRY(wheel_name_parse(arena, filename, &wheel->filename));
    if (sha256.len && !str_eq_nocase(digest_hex(arena, digest_make(arena, wheel->bytes, 32)), sha256))
        return err_make(arena, ERR_HASH, "its SHA-256 is not %.*s", FMT(sha256));
    int64_t need = 0;
    TRY(zip_read(arena, wheel->bytes, wheel->bytes.len, &wheel->zip, &need));
    TRY(verify_entries(arena, wheel));
    TRY(find_info_dir(arena, wheel));
    TRY(check_paths(arena, draft));
    TRY(read_wheel_file(arena, draft));
    TRY(read_metadata(arena, draft));
    TRY(read_entry_points(arena, wheel));
    TRY(settle_record(arena, draft, terms));
    wheel->warnings = draft->warnings.data;
    wheel->warnings_len = (int32_t)draft->warnings.len;
    return NULL;
}

struct err *wheel_open(struct arena *arena, struct str path, struct str filename, const struct wheel_terms *terms,
                       struct wheel *ret) {
    struct wheel *wheel = arena_new(arena, struct wheel, 1);
    wheel->path = str_copy(arena, path);
    TRY(mapping_open(arena, path, &wheel->mapping));
    wheel->bytes = (struct str){wheel->mapping.data, (ptrdiff_t)wheel->mapping.size};
    wheel->sha256 = terms->sha256.len ? str_lower(arena, terms->sha256) : terms->known;
    struct draft draft = {.wheel = wheel};
    struct err *err = verify(arena, &draft, filename, terms);
    if (err) {
        mapping_close(&wheel->mapping);
        struct str shown = term_quote(arena, filename);
        struct err *outer = err_make(arena, err->kind, "cannot use the wheel %.*s", FMT(shown));
        outer->hint = err->hint;
        return err_because(outer, err);
    }
    *ret = *wheel;
    return NULL;
}

void wheel_close(struct wheel *wheel) {
    mapping_close(&wheel->mapping);
}

void wheel_top_level(struct arena *arena, const struct wheel *wheel, const struct str **ret, int32_t *ret_len) {
    struct record_row *rows = arena_new(arena, struct record_row, wheel->rows_len);
    for (int32_t i = 0; i < wheel->rows_len; i++) {
        rows[i] = wheel->rows[i];
        struct str rest = rows[i].path, first = str_cut(&rest, '/'), key = str_cut(&rest, '/');
        bool data = str_eq(first, wheel->data_dir);
        if (data && (str_eq(key, S("purelib")) || str_eq(key, S("platlib")))) rows[i].path = rest;
    }
    record_top_level(arena, rows, wheel->rows_len, ret, ret_len);
}
