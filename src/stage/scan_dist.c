#include "stage/scan_dist.h"

#include "base/arena.h"
#include "base/json.h"
#include "pypa/name.h"
#include "pypa/requirement_file.h"
#include "stage/scan_sites.h"

#include <errno.h>
#include <string.h>

static void problem_add(struct scan_dist_reader *reader, struct str name, const char *what) {
    *vec_push(reader->arena, &reader->problems) =
        str_format(reader->arena, "%.*s/%.*s: %s", FMT(reader->site), FMT(name), what);
}

static char *append(char *to, struct str part) {
    if (part.len) memcpy(to, part.data, (size_t)part.len);
    return to + part.len;
}

/* `name`/`file`, or `name` alone; NUL-terminated. */
static const char *relative(struct arena *arena, struct str name, const char *file) {
    struct str last = str_of(file);
    char *path = arena_alloc(arena, name.len + last.len + 2), *at = append(path, name);
    if (last.len) *at++ = '/';
    *append(at, last) = '\0';
    return path;
}

/* The path of a file of the description, NUL-terminated. By hand: it is made a thousand times in a scan. */
static const char *path_of(const struct scan_dist_reader *reader, struct str name, const char *file) {
    struct str last = str_of(file);
    char *path = arena_alloc(reader->arena, reader->site.len + name.len + last.len + 3), *at = path;
    at = append(at, reader->site);
    *at++ = '/';
    at = append(at, name);
    if (last.len) *at++ = '/';
    *append(at, last) = '\0';
    return path;
}

/* Bytes of an optional file; false where it is not there, or cannot be read, which is told. */
static bool read_optional(struct scan_dist_reader *reader, struct str name, const char *file, int64_t limit,
                          struct str *ret) {
    const struct fs *fs = reader->fs;
    int status = fs->read_file(fs->self, reader->arena, path_of(reader, name, file), limit, ret);
    if (status == 0) return true;
    if (status != ENOENT && status != ENOTDIR)
        problem_add(reader, name, status == EFBIG ? "a file of it is too large" : "a file of it cannot be read");
    return false;
}

/* "{name}-{version}" of the directory's name, for metadata that do not tell. */
static void name_from_file(struct str name, struct str suffix, struct metadata *metadata) {
    struct str stem = str_slice(name, 0, name.len - suffix.len);
    ptrdiff_t dash = str_find_char(stem, '-');
    struct str version = dash < 0 ? (struct str){0} : str_from(stem, dash + 1);
    /* egg-info names go on with "-py3.11" and a platform. */
    ptrdiff_t python = str_find(version, S("-py"));
    if (python >= 0) version = str_slice(version, 0, python);
    if (metadata->name.len == 0) metadata->name = dash < 0 ? stem : str_slice(stem, 0, dash);
    if (metadata->version.len == 0) metadata->version = version;
}

/* The value of a header field, for metadata that do not parse as a whole. */
static struct str header(struct str text, struct str field) {
    struct str line;
    while (str_line(&text, &line) && line.len)
        if (str_eq_nocase(str_slice(line, 0, field.len), field)) return str_trim(str_from(line, field.len));
    return (struct str){0};
}

/* Parses the metadata; what a broken file lacks comes from the name of the directory. */
static void metadata_of(struct scan_dist_reader *reader, struct str name, struct str suffix, struct str text,
                        struct dist *ret) {
    struct err *err = metadata_parse(reader->arena, text, &ret->metadata);
    if (err) {
        ret->metadata = (struct metadata){.name = header(text, S("Name:")), .version = header(text, S("Version:"))};
        name_from_file(name, suffix, &ret->metadata);
        problem_add(reader, name, "its metadata are broken; its requirements are not known");
    }
    ret->metadata_known = err == NULL;
}

/* Name and version as the rest of the program wants them; false where there is no usable name. */
static bool identify(struct scan_dist_reader *reader, struct str name, struct dist *ret) {
    struct arena *arena = reader->arena;
    ret->raw_name = ret->metadata.name;
    if (!name_is_valid(ret->raw_name)) {
        problem_add(reader, name, "remains of an installation, or no valid name: not counted");
        return false;
    }
    ret->name = name_normalize(arena, ret->raw_name);
    ret->version_valid = version_try_parse(arena, ret->metadata.version, &ret->version);
    if (!ret->version_valid) {
        ret->version = (struct version){.text = ret->metadata.version, .post = -1, .dev = -1};
        problem_add(reader, name, "its version is none of PEP 440");
    }
    if (ret->version.local_len) ret->vendor |= VENDOR_LOCAL_VERSION;
    ret->info_dir = name;
    ret->site = reader->site_number;
    return true;
}

/* direct_url.json (PEP 610): where it came from, whether it is editable, and whether that place is gone. */
static void direct_url_of(struct scan_dist_reader *reader, struct str name, struct str text, struct dist *ret) {
    struct json json;
    if (text.len == 0) return;
    if (json_parse(reader->arena, text, SCAN_SMALL_FILE_MAX, &json)) {
        problem_add(reader, name, "its direct_url.json is broken");
        return;
    }
    ret->direct_url = json_find_text(&json, S("url"));
    ret->direct_commit = json_find_text(json_find_object(&json, S("vcs_info")), S("commit_id"));
    ret->editable = json_find_bool(json_find_object(&json, S("dir_info")), S("editable"), false);
    if (!str_starts(ret->direct_url, S("file:"))) return;
    struct fs_stat st = {0};
    struct str path = file_url_path(reader->arena, ret->direct_url);
    struct err *err = str_find_char(path, '\0') >= 0 ? NULL : fs_stat(reader->fs, reader->arena, path, true, &st);
    if (err == NULL && !st.exists) ret->vendor |= VENDOR_URL_GONE;
}

/* Owned by the system's package manager: in its directories, and not put there by a Python installer. */
static bool is_systems(struct str site, struct str installer) {
    bool usr = str_starts(site, S("/usr/lib/python")) || str_starts(site, S("/usr/lib64/python"));
    return usr && !str_eq(installer, S("pip")) && !str_eq(installer, S("uv")) && !str_eq(installer, S("unpin"));
}

static struct fs_stat stat_of(struct scan_dist_reader *reader, struct str name, const char *file) {
    struct fs_stat st = {0};
    int status = reader->fs->stat_path(reader->fs->self, path_of(reader, name, file), true, &st);
    return status == 0 ? st : (struct fs_stat){0};
}

static struct scan_identity identity_of(const struct fs_stat *st) {
    return st->exists ? (struct scan_identity){st->size, st->mtime_ns} : (struct scan_identity){-1, -1};
}

enum { PLACES = 3 }; /* of a dist-info directory that are looked at: itself, METADATA, RECORD */

const struct scan_dist_state *scan_dist_states(const struct scan_dist_reader *reader, const struct str *names,
                                               int32_t len) {
    struct arena *arena = reader->arena;
    const char **paths = arena_new(arena, const char *, (ptrdiff_t)len *PLACES);
    int32_t *owners = arena_new(arena, int32_t, len);
    int32_t n = 0, places = reader->no_state ? PLACES - 1 : PLACES;
    for (int32_t i = 0; i < len; i++) {
        if (!str_ends(names[i], S(".dist-info"))) continue;
        owners[n] = i;
        paths[n * places] = relative(arena, names[i], "");
        paths[n * places + 1] = relative(arena, names[i], "METADATA");
        if (!reader->no_state) paths[n * places + 2] = relative(arena, names[i], "RECORD");
        n++;
    }
    struct fs_stat *found = arena_new(arena, struct fs_stat, (ptrdiff_t)n * PLACES);
    fs_stat_names(reader->fs, arena, reader->site, paths, n * places, found);
    struct scan_dist_state *states = arena_new(arena, struct scan_dist_state, len);
    for (int32_t i = 0; i < n; i++) {
        struct scan_dist_state *state = &states[owners[i]];
        state->dir = found[i * places];
        state->metadata = found[i * places + 1];
        if (!reader->no_state) state->record = found[i * places + 2];
    }
    return states;
}

/* True if a tag of WHEEL names a plain platform (linux_x86_64): indexes take only manylinux and musllinux (PEP 600,
 * 656). */
static bool is_local_build(struct str wheel) {
    struct str line;
    while (str_line(&wheel, &line)) {
        if (line.len == 0) break;
        if (!str_starts(line, S("Tag:"))) continue;
        struct str tag = str_trim(str_from(line, 4));
        if (str_starts(str_from(tag, str_find_last(tag, '-') + 1), S("linux_"))) return true;
    }
    return false;
}

/* The files of a dist-info directory, from the cache where they are as they were. False: there is no METADATA. */
static bool files_read(struct scan_dist_reader *reader, struct str name, const struct scan_dist_state *state,
                       struct scan_cache_entry *ret) {
    const struct scan_cache_entry *known = scan_cache_find(reader->cache, name, &state->dir, &state->metadata);
    if (known) {
        *ret = *known;
        *vec_push(reader->arena, &reader->fresh.entries) = *known;
        return true;
    }
    struct str ignored, wheel;
    *ret = (struct scan_cache_entry){.name = name,
                                     .inode = state->dir.inode,
                                     .mtime_ns = state->dir.mtime_ns,
                                     .metadata_size = state->metadata.size,
                                     .metadata_mtime_ns = state->metadata.mtime_ns};
    if (!read_optional(reader, name, "METADATA", METADATA_MAX_SIZE, &ret->metadata)) return false;
    if (!read_optional(reader, name, "INSTALLER", SCAN_SMALL_FILE_MAX, &ret->installer)) ret->installer = S("");
    if (!read_optional(reader, name, "direct_url.json", SCAN_SMALL_FILE_MAX, &ret->direct_url)) ret->direct_url = S("");
    ret->requested = read_optional(reader, name, "REQUESTED", SCAN_SMALL_FILE_MAX, &ignored);
    ret->local_build = read_optional(reader, name, "WHEEL", SCAN_SMALL_FILE_MAX, &wheel) && is_local_build(wheel);
    ptrdiff_t before = reader->fresh.entries.len;
    scan_cache_add(reader->arena, &reader->fresh, ret, reader->now_ns);
    reader->stale |= reader->fresh.entries.len > before;
    return true;
}

static struct dist_look look_of(const struct scan_dist_reader *reader, const struct scan_dist_state *state) {
    int64_t settled = reader->now_ns - SCAN_CACHE_SETTLED_NS;
    return (struct dist_look){.inode = state->dir.inode,
                              .mtime_ns = state->dir.mtime_ns,
                              .file_size = state->metadata.size,
                              .file_mtime_ns = state->metadata.mtime_ns,
                              .settled = state->dir.mtime_ns <= settled && state->metadata.mtime_ns <= settled};
}

/* What an earlier scan made of the same files; NULL where there is none, or where they are not the same any more. */
static const struct dist *known_find(const struct scan_dist_reader *reader, struct str name,
                                     const struct scan_dist_state *state) {
    int32_t at = reader->known ? map_find(&reader->known_dists, name) : -1;
    if (at < 0) return NULL;
    const struct dist *known = &reader->known->dists[at];
    const struct dist_look *look = &known->look;
    bool same = look->settled && look->inode == state->dir.inode && look->mtime_ns == state->dir.mtime_ns &&
                look->file_size == state->metadata.size && look->file_mtime_ns == state->metadata.mtime_ns;
    return same ? known : NULL;
}

static bool dist_info_read(struct scan_dist_reader *reader, struct str name, const struct scan_dist_state *state,
                           struct dist *ret, struct scan_identity *identity) {
    struct scan_cache_entry files;
    const struct dist *known = known_find(reader, name, state);
    *identity = identity_of(&state->record);
    if (known) {
        *ret = *known;
        ret->site = reader->site_number;
        return true;
    }
    if (!files_read(reader, name, state, &files)) {
        problem_add(reader, name, "it has no METADATA: not counted as installed");
        return false;
    }
    ret->form = DIST_INFO;
    ret->look = look_of(reader, state);
    metadata_of(reader, name, S(".dist-info"), files.metadata, ret);
    if (!identify(reader, name, ret)) return false;
    ret->installer = str_trim(files.installer);
    ret->requested = files.requested;
    if (files.local_build) ret->vendor |= VENDOR_LOCAL_BUILD;
    direct_url_of(reader, name, files.direct_url, ret);
    ret->system = is_systems(reader->site, ret->installer);
    return true;
}

/* An egg-info, a directory or a single file. setuptools writes requirements to requires.txt, newer ones to PKG-INFO
 * too. */
static bool egg_info_read(struct scan_dist_reader *reader, struct str name, struct dist *ret,
                          struct scan_identity *identity) {
    struct str text, requires;
    bool is_dir = read_optional(reader, name, "PKG-INFO", METADATA_MAX_SIZE, &text);
    if (!is_dir && !read_optional(reader, name, "", METADATA_MAX_SIZE, &text)) {
        problem_add(reader, name, "it has no PKG-INFO: not counted as installed");
        return false;
    }
    ret->form = is_dir ? DIST_EGG_INFO_DIR : DIST_EGG_INFO_FILE;
    metadata_of(reader, name, S(".egg-info"), text, ret);
    if (!identify(reader, name, ret)) return false;
    if (is_dir && ret->metadata.requires_len == 0 &&
        read_optional(reader, name, "requires.txt", SCAN_SMALL_FILE_MAX, &requires))
        metadata_add_requires_txt(reader->arena, requires, &ret->metadata);
    struct fs_stat st = stat_of(reader, name, is_dir ? "PKG-INFO" : "");
    *identity = identity_of(&st);
    ret->look = (struct dist_look){.file_size = identity->size, .file_mtime_ns = identity->mtime_ns};
    ret->system = is_systems(reader->site, S(""));
    return true;
}

/* An egg-link: its first line names the source tree that holds the egg-info (setuptools' develop). */
static bool egg_link_read(struct scan_dist_reader *reader, struct str name, struct dist *ret,
                          struct scan_identity *identity) {
    struct str text, tree, *names;
    int32_t len;
    if (!read_optional(reader, name, "", SCAN_SMALL_FILE_MAX, &text) || !str_line(&text, &tree)) return false;
    tree = str_trim(tree);
    struct str project = str_slice(name, 0, name.len - S(".egg-link").len);
    struct scan_dist_reader inner = {
        .arena = reader->arena, .fs = reader->fs, .site = tree, .site_number = reader->site_number};
    if (!name_is_valid(project) || str_find_char(tree, '\0') >= 0 ||
        fs_list(reader->fs, reader->arena, tree, &names, &len) != NULL)
        return false; /* the source tree is gone, and with it the distribution */
    struct str wanted = name_normalize(reader->arena, project);
    for (int32_t i = 0; i < len; i++) {
        if (!str_ends(names[i], S(".egg-info"))) continue;
        struct str stem = str_slice(names[i], 0, names[i].len - S(".egg-info").len);
        if (!name_is_valid(stem) || !str_eq(name_normalize(reader->arena, stem), wanted)) continue;
        if (!egg_info_read(&inner, names[i], ret, identity)) return false;
        ret->form = DIST_EGG_LINK;
        ret->editable = true;
        ret->info_dir = name;
        return true;
    }
    return false;
}

bool scan_dist_read(struct scan_dist_reader *reader, struct str name, const struct scan_dist_state *state,
                    struct dist *ret, struct scan_identity *identity) {
    *ret = (struct dist){0};
    *identity = (struct scan_identity){-1, -1};
    if (str_ends(name, S(".dist-info"))) return dist_info_read(reader, name, state, ret, identity);
    if (str_ends(name, S(".egg-info"))) return egg_info_read(reader, name, ret, identity);
    if (str_ends(name, S(".egg-link"))) return egg_link_read(reader, name, ret, identity);
    return false;
}
