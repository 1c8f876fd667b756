#include "stage/want_word.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/filename.h"
#include "pypa/name.h"
#include "pypa/requirement_file.h"
#include "stage/vcs.h"

static const struct str archive_suffixes[] = {S_INIT(".whl"),    S_INIT(".tar.gz"), S_INIT(".zip"),
                                              S_INIT(".tgz"),    S_INIT(".tar"),    S_INIT(".tar.bz2"),
                                              S_INIT(".tar.xz"), S_INIT(".tbz"),    S_INIT(".txz")};

/* The archive suffix of a path or URL; empty: none. */
static struct str archive_suffix(struct str path) {
    struct str lower = path;
    for (size_t i = 0; i < sizeof archive_suffixes / sizeof *archive_suffixes; i++)
        if (str_ends(lower, archive_suffixes[i])) return archive_suffixes[i];
    return (struct str){0};
}

static bool is_url(struct str word) {
    ptrdiff_t colon = str_find_char(word, ':');
    struct str scheme = str_slice(word, 0, colon < 0 ? 0 : colon);
    if (str_eq_nocase(scheme, S("file"))) return true;
    ptrdiff_t slashes = str_find(word, S("://"));
    if (slashes <= 0 || slashes != colon) return false;
    for (ptrdiff_t i = 0; i < scheme.len; i++)
        if (!char_is_alnum(scheme.data[i]) && str_find_char(S("+-."), scheme.data[i]) < 0) return false;
    return true;
}

/* The value of `key` in a URL's fragment ("#egg=name&subdirectory=x"); empty: none. */
static struct str fragment_value(struct str url, struct str key) {
    ptrdiff_t hash = str_find_char(url, '#');
    struct str rest = hash < 0 ? (struct str){0} : str_from(url, hash + 1);
    while (rest.data) {
        struct str pair = str_cut(&rest, '&');
        struct str name = str_cut(&pair, '=');
        if (str_eq(name, key)) return pair;
    }
    return (struct str){0};
}

/* The last part of a URL's or file's path, without query and fragment, decoded. */
static struct str file_name_of(struct arena *arena, struct str url) {
    struct str rest = url;
    struct str path = str_cut(&rest, '#');
    rest = path;
    path = str_cut(&rest, '?');
    return percent_decode(arena, str_from(path, str_find_last(path, '/') + 1));
}

/* The project of an sdist's file name: what is before the last dash that a version follows. */
static bool sdist_project(struct arena *arena, struct str filename, struct str *ret) {
    struct str stem = str_slice(filename, 0, filename.len - archive_suffix(filename).len);
    for (ptrdiff_t i = stem.len - 1; i > 0; i--) {
        struct version version;
        if (stem.data[i] != '-' || !version_try_parse(arena, str_from(stem, i + 1), &version)) continue;
        *ret = str_slice(stem, 0, i);
        return name_is_valid(*ret);
    }
    return false;
}

/* Name and extras of a URL requirement that stands alone; `bare` is the URL without marker and extras. */
ERR_MUST_CHECK static struct err *name_of_url(struct arena *arena, struct str bare, struct str *ret) {
    struct str egg = fragment_value(bare, S("egg")), filename = file_name_of(arena, bare);
    ptrdiff_t bracket = str_find_char(egg, '[');
    if (bracket > 0) egg = str_slice(egg, 0, bracket);
    if (name_is_valid(egg)) {
        *ret = egg;
        return NULL;
    }
    if (str_ends(filename, S(".whl"))) {
        struct wheel_name wheel;
        struct err *cause = wheel_name_parse(arena, filename, &wheel);
        if (!cause) {
            *ret = wheel.name;
            return NULL;
        }
        return err_because(err_make(arena, ERR_REQUEST, "'%.*s' is not the name of a wheel", FMT(filename)), cause);
    }
    if (!vcs_is_url(bare) && archive_suffix(filename).len && sdist_project(arena, filename, ret)) return NULL;
    struct err *err = err_make(arena, ERR_REQUEST, "the URL '%.*s' does not say which project it is", FMT(bare));
    return err_hint(arena, err, "write NAME @ %.*s", FMT(bare));
}

/* "name[extras] @ url ; marker" put together and parsed by the one parser of requirements. */
ERR_MUST_CHECK static struct err *url_requirement(struct arena *arena, struct str name, struct str extras,
                                                  struct str url, struct str marker, struct requirement *ret) {
    struct buf text = {.arena = arena};
    buf_addf(&text, "%.*s%.*s @ %.*s", FMT(name), FMT(extras), FMT(url));
    if (marker.len) buf_addf(&text, " ; %.*s", FMT(marker));
    struct err *err = requirement_parse(arena, buf_str(&text), ret);
    if (err) err->kind = ERR_REQUEST;
    return err;
}

/* Cuts a trailing "[extra,…]" off a path or URL. */
static struct str cut_extras(struct str *word) {
    if (!str_ends(*word, S("]"))) return (struct str){0};
    ptrdiff_t open = str_find_last(*word, '[');
    if (open <= 0) return (struct str){0};
    struct str extras = str_from(*word, open);
    *word = str_slice(*word, 0, open);
    return extras;
}

/* Cuts "; marker" off: behind a URL or path only where a blank stands at the semicolon. */
static struct str cut_marker(struct str *word) {
    ptrdiff_t at = str_find(*word, S("; "));
    if (at < 0) at = str_find(*word, S(" ;"));
    if (at < 0) return (struct str){0};
    ptrdiff_t semicolon = at + str_find_char(str_from(*word, at), ';');
    struct str marker = str_trim(str_from(*word, semicolon + 1));
    *word = str_trim(str_slice(*word, 0, semicolon));
    return marker;
}

/* A file: URL of an absolute path: bytes that would end it or begin something else are escaped. */
static struct str url_of_path(struct arena *arena, struct str path) {
    struct buf url = {.arena = arena};
    buf_add(&url, S("file://"));
    for (ptrdiff_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (char_is_alnum(path.data[i]) || str_find_char(S("/._-~+"), path.data[i]) >= 0)
            buf_add_char(&url, path.data[i]);
        else buf_addf(&url, "%%%02X", c);
    }
    return buf_str(&url);
}

/* An absolute path without `.` and `..` and slashes at its end, as text, so that one tree has one URL. */
static struct str tidy(struct arena *arena, struct str path) {
    struct buf out = {.arena = arena};
    for (struct str rest = path; rest.data;) {
        struct str part = str_cut(&rest, '/');
        if (part.len == 0 || str_eq(part, S("."))) continue;
        if (str_eq(part, S(".."))) {
            out.len = out.len ? str_find_last(buf_str(&out), '/') : 0;
            continue;
        }
        buf_add_char(&out, '/');
        buf_add(&out, part);
    }
    return out.len ? buf_str(&out) : S("/");
}

/* A source tree: its name is not known before it is read. The parser wants one, and gets it taken away again. */
ERR_MUST_CHECK static struct err *tree_requirement(struct arena *arena, struct str full, struct str extras,
                                                   struct str marker, struct requirement *ret) {
    struct str url = url_of_path(arena, tidy(arena, full));
    TRY(url_requirement(arena, S("tree"), extras, url, marker, ret));
    ret->name = ret->raw_name = S("");
    ret->text = str_format(arena, "%.*s%.*s", FMT(url), FMT(extras));
    if (marker.len) ret->text = str_format(arena, "%.*s ; %.*s", FMT(ret->text), FMT(marker));
    return NULL;
}

/* Where the fragment of a URL begins. */
static ptrdiff_t fragment_at(struct str url) {
    ptrdiff_t hash = str_find_char(url, '#');
    return hash < 0 ? url.len : hash;
}

ERR_MUST_CHECK static struct err *url_parse(struct arena *arena, const struct fs *fs, struct str word,
                                            struct requirement *ret) {
    struct str url = word, marker = cut_marker(&url), extras = cut_extras(&url), name;
    struct fs_stat st = {0};
    struct str path = S("");
    if (str_eq_nocase(str_slice(url, 0, 5), S("file:"))) {
        path = tidy(arena, file_url_path(arena, str_slice(url, 0, fragment_at(url))));
        TRY(fs_stat(fs, arena, path, true, &st));
    }
    if (st.is_dir && !fragment_value(url, S("egg")).len) return tree_requirement(arena, path, extras, marker, ret);
    if (vcs_is_url(url) && !fragment_value(url, S("egg")).len) {
        TRY(url_requirement(arena, S("tree"), extras, url, marker, ret));
        ret->name = ret->raw_name = S("");
        ret->text = word;
        return NULL;
    }
    TRY(name_of_url(arena, url, &name));
    return url_requirement(arena, name, extras, url, marker, ret);
}

/* What is at a word that may be a path: as given, or in the folder of the file it stands in. */
static struct fs_stat look(struct arena *arena, const struct fs *fs, struct str folder, struct str *path) {
    struct fs_stat st = {0};
    if (path->len == 0 || str_find_char(*path, '\0') >= 0) return st;
    if (fs_stat(fs, arena, *path, true, &st) != NULL) st = (struct fs_stat){0};
    if (st.exists || folder.len == 0 || str_starts(*path, S("/"))) return st;
    struct str inner = *path;
    while (str_starts(inner, S("./"))) inner = str_from(inner, 2);
    struct str beside = path_join(arena, folder, inner);
    if (fs_stat(fs, arena, beside, true, &st) != NULL) return (struct fs_stat){0};
    if (st.exists) *path = beside;
    return st;
}

/* A word that pip takes for a path. `*is_path` is false where it is something else. */
ERR_MUST_CHECK static struct err *path_parse(struct arena *arena, const struct fs *fs, struct str folder,
                                             struct str word, bool *is_path, struct requirement *ret) {
    struct str path = word, marker = cut_marker(&path), extras = cut_extras(&path), given = path, full, name;
    struct fs_stat st = look(arena, fs, folder, &path);
    bool looks = str_find_char(given, '/') >= 0 || str_starts(given, S("."));
    bool archive = archive_suffix(given).len > 0;
    *is_path = (st.is_dir && looks) || archive;
    if (!*is_path) return NULL;
    if (!st.exists) return err_make(arena, ERR_REQUEST, "the file '%.*s' is not there", FMT(given));
    TRY(path_absolute(arena, path, &full));
    if (st.is_dir) return tree_requirement(arena, full, extras, marker, ret);
    struct str url = url_of_path(arena, full);
    TRY(name_of_url(arena, url, &name));
    return url_requirement(arena, name, extras, url, marker, ret);
}

/* True for the name of a text file that is there. */
static bool is_list(struct arena *arena, const struct fs *fs, struct str word) {
    struct fs_stat st;
    return str_ends(word, S(".txt")) && fs_stat(fs, arena, word, true, &st) == NULL && st.is_file;
}

/* What was probably meant by a word that is no requirement; empty: no idea. */
static struct str meant(struct arena *arena, struct str word) {
    ptrdiff_t end = 0;
    while (end < word.len && (char_is_alnum(word.data[end]) || str_find_char(S("._-[],"), word.data[end]) >= 0)) end++;
    struct str name = str_slice(word, 0, end), rest = str_trim(str_from(word, end));
    struct version version;
    if (str_starts(rest, S("=>")) || str_starts(rest, S("=<")))
        return str_format(arena, "did you mean %.*s%c=%.*s?", FMT(name), rest.data[1], FMT(str_from(rest, 2)));
    if (name.len == 0 && word.len && str_find_char(S("<>!~="), word.data[0]) >= 0)
        return S("quote a requirement with blanks or < >: 'name>=1.0'");
    if (rest.len && rest.len <= 3 &&
        (str_eq(rest, S("==")) || str_eq(rest, S(">=")) || str_eq(rest, S("<=")) || str_eq(rest, S("~=")) ||
         str_eq(rest, S("!=")) || str_eq(rest, S("==="))))
        return str_format(arena, "the version lacks: '%.*s%.*s1.0', or only '%.*s'", FMT(name), FMT(rest), FMT(name));
    if (str_starts(rest, S("=")) && !str_starts(rest, S("=="))) rest = str_trim(str_from(rest, 1));
    if (str_starts(rest, S("@"))) rest = str_trim(str_from(rest, 1));
    if (name.len && version_try_parse(arena, rest, &version))
        return str_format(arena, "did you mean %.*s==%.*s?", FMT(name), FMT(rest));
    if (rest.len && str_find_char(rest, ' ') > 0 && str_find_char(rest, ',') < 0 &&
        str_find_char(S("<>!~="), rest.data[0]) >= 0)
        return S("separate specifiers by commas: 'name>=1,<2'");
    return (struct str){0};
}

struct err *want_word_parse(struct arena *arena, const struct fs *fs, struct str folder, struct str word,
                            struct requirement *ret) {
    struct str trimmed = str_trim(word);
    bool is_path = false;
    if (trimmed.len == 0) return err_make(arena, ERR_REQUEST, "an empty request");
    if (str_find_char(trimmed, '\0') >= 0) return err_make(arena, ERR_REQUEST, "a request with a NUL byte");
    if (is_url(trimmed)) return url_parse(arena, fs, trimmed, ret);
    struct requirement requirement;
    struct err *err = requirement_parse(arena, trimmed, &requirement);
    bool named_url = !err && requirement.url.len && is_url(requirement.url);
    /* "requirements.txt" is a name that a project could have; where such a file is there, it is a forgotten -r. */
    if (is_list(arena, fs, trimmed))
        return err_hint(arena, err_make(arena, ERR_REQUEST, "'%.*s' is a file, not a request", FMT(trimmed)),
                        "to read requirements from it: -r %.*s", FMT(trimmed));
    if (str_ends(trimmed, S(".txt")))
        return err_hint(
            arena, err_make(arena, ERR_REQUEST, "the file '%.*s' is not there", FMT(trimmed)),
            "-r FILE reads requirements from a file; a project of that name is asked for with - for the dot");
    if (named_url || (!err && !requirement.url.len && archive_suffix(trimmed).len == 0)) {
        *ret = requirement;
        return NULL;
    }
    TRY(path_parse(arena, fs, folder, trimmed, &is_path, ret));
    if (is_path) return NULL;
    struct str hint = meant(arena, trimmed);
    struct err *refused = err_make(arena, ERR_REQUEST, "'%.*s' is not a request", FMT(trimmed));
    if (err) {
        refused->column = err->column;
        (void)err_because(refused, err);
    }
    return hint.len ? err_hint(arena, refused, "%.*s", FMT(hint)) : refused;
}

struct err *want_word_parse_editable(struct arena *arena, const struct fs *fs, struct str folder, struct str word,
                                     struct requirement *ret) {
    struct str path = str_trim(word), full;
    if (path.len == 0 || str_find_char(path, '\0') >= 0) return err_make(arena, ERR_REQUEST, "-e names nothing");
    if (is_url(path) && !str_starts(path, S("file:"))) return url_parse(arena, fs, path, ret);
    struct str marker = cut_marker(&path), extras = cut_extras(&path);
    if (str_starts(path, S("file:"))) path = file_url_path(arena, str_slice(path, 0, fragment_at(path)));
    struct fs_stat st = look(arena, fs, folder, &path);
    if (!st.is_dir) return err_make(arena, ERR_REQUEST, "'-e %.*s': there is no such source tree", FMT(word));
    TRY(path_absolute(arena, path, &full));
    TRY(tree_requirement(arena, full, extras, marker, ret));
    ret->text = str_format(arena, "-e %.*s", FMT(ret->text));
    return NULL;
}
