#include "stage/want.h"

#include "base/arena.h"
#include "pypa/filename.h"
#include "pypa/name.h"
#include "pypa/requirement_file.h"
#include "stage/want_word.h"

#define COMMAND_LINE S("command line")

/* Reading in progress. */
struct reader {
    struct arena *arena;
    const struct fs *fs;
    const struct environment *env;
    const struct want_pages *pages;
    struct want *want;
    VEC(struct request) requests;
    VEC(struct str) extra_index_urls, find_links, notes, constraint_files;
    VEC(struct want_format) formats;
    struct str stack[WANT_DEPTH_MAX]; /* files being read, to find one that includes itself */
    int32_t depth, files;
};

static void note_add(struct reader *reader, struct str origin, int32_t line, struct str what) {
    struct str place = line ? str_format(reader->arena, "%.*s:%d: ", FMT(origin), line) : S("");
    *vec_push(reader->arena, &reader->notes) = str_format(reader->arena, "%.*s%.*s", FMT(place), FMT(what));
}

/* Adds a request unless its marker does not hold here. */
ERR_MUST_CHECK static struct err *request_add(struct reader *reader, const struct request *request) {
    if (reader->requests.len == WANT_REQUESTS_MAX)
        return err_make(reader->arena, ERR_REQUEST, "more than %d requests", WANT_REQUESTS_MAX);
    const struct requirement *requirement = &request->requirement;
    if (!marker_eval(reader->arena, requirement->marker, &reader->env->markers, (struct str){0})) {
        note_add(
            reader, request->origin, request->line,
            str_format(reader->arena, "'%.*s' does not apply here: its marker does not hold", FMT(requirement->text)));
        return NULL;
    }
    *vec_push(reader->arena, &reader->requests) = *request;
    return NULL;
}

ERR_MUST_CHECK static struct err *hashes_of(struct reader *reader, const struct requirement_line *line,
                                            struct request *request) {
    VEC(struct str) hashes = {0};
    for (int32_t i = 0; i < line->options_len; i++) {
        if (!str_eq(line->options[i].name, S("--hash"))) continue;
        struct str value = line->options[i].value;
        struct str rest = value, algorithm = str_cut(&rest, ':');
        bool known = str_eq(algorithm, S("sha256")) || str_eq(algorithm, S("sha384")) || str_eq(algorithm, S("sha512"));
        if (rest.data && !known)
            return err_hint(reader->arena,
                            err_make(reader->arena, ERR_REQUEST, "'--hash=%.*s' is of an algorithm that proves nothing",
                                     FMT(value)),
                            "pip and unpin take sha256, sha384 and sha512");
        if (str_find_char(value, ':') <= 0)
            return err_hint(reader->arena,
                            err_make(reader->arena, ERR_REQUEST, "'--hash=%.*s' names no algorithm", FMT(value)),
                            "write it like --hash=sha256:HEXDIGITS");
        *vec_push(reader->arena, &hashes) = value;
    }
    request->hashes = hashes.data;
    request->hashes_len = (int32_t)hashes.len;
    if (hashes.len) reader->want->require_hashes = true;
    return NULL;
}

/* Adds a request of a file's line, with the place in every err. */
ERR_MUST_CHECK static struct err *line_request_add(struct reader *reader, struct str path,
                                                   const struct requirement_line *line, bool constraint) {
    struct request request = {.origin = path, .line = line->line, .constraint = constraint};
    struct str editable = requirement_line_option(line, S("--editable"));
    request.editable = line->requirement.len == 0;
    struct str word = request.editable ? editable : line->requirement;
    struct str folder = requirement_file_relative(reader->arena, path, S(""));
    struct err *err = request.editable
                          ? want_word_parse_editable(reader->arena, reader->fs, folder, word, &request.requirement)
                          : want_word_parse(reader->arena, reader->fs, folder, word, &request.requirement);
    if (!err && constraint && request.requirement.extras_len)
        err = err_make(reader->arena, ERR_REQUEST, "the constraint '%.*s' has extras, which constraints cannot have",
                       FMT(word));
    if (!err) err = hashes_of(reader, line, &request);
    if (err) return err_at(err, path, line->line, err->column);
    return request_add(reader, &request);
}

/* Where a --find-links of a file points: a URL, or a path taken from the file's folder if it is there. */
static struct str find_links_of(struct reader *reader, struct str path, struct str value) {
    struct fs_stat st;
    struct str beside = requirement_file_relative(reader->arena, path, value);
    return fs_stat(reader->fs, reader->arena, beside, true, &st) == NULL && st.exists ? beside : value;
}

/* A line --only-binary or --no-binary. What the command line says of the same comes before it: the line is kept. */
ERR_MUST_CHECK static struct err *format_apply(struct reader *reader, struct str path, int32_t line, struct str value,
                                               bool binary) {
    struct err *err = want_formats_add(reader->arena, reader->want, value, binary);
    if (err) return err_at(err, path, line, 0);
    *vec_push(reader->arena, &reader->formats) = (struct want_format){value, binary};
    return NULL;
}

ERR_MUST_CHECK static struct err *option_apply(struct reader *reader, struct str path, int32_t line,
                                               const struct requirement_option *option) {
    struct want *want = reader->want;
    struct str name = option->name, value = option->value;
    if (str_eq(name, S("--index-url")) || str_eq(name, S("--pypi-url"))) want->index_url = value;
    else if (str_eq(name, S("--extra-index-url"))) *vec_push(reader->arena, &reader->extra_index_urls) = value;
    else if (str_eq(name, S("--find-links")))
        *vec_push(reader->arena, &reader->find_links) = find_links_of(reader, path, value);
    else if (str_eq(name, S("--no-index"))) want->no_index = true;
    else if (str_eq(name, S("--pre"))) want->pre = true;
    else if (str_eq(name, S("--require-hashes"))) want->require_hashes = true;
    else if (str_eq(name, S("--only-binary"))) return format_apply(reader, path, line, value, true);
    else if (str_eq(name, S("--no-binary"))) return format_apply(reader, path, line, value, false);
    else note_add(reader, path, line, str_format(reader->arena, "the option %.*s has no effect here", FMT(name)));
    return NULL;
}

ERR_MUST_CHECK static struct err *file_read(struct reader *reader, struct str path, bool constraint);

/* A line without a requirement: -r, -c, or options for the whole. */
ERR_MUST_CHECK static struct err *option_line(struct reader *reader, struct str path,
                                              const struct requirement_line *line) {
    struct str nested = requirement_line_option(line, S("--requirement"));
    bool constraint = nested.len == 0;
    if (constraint) nested = requirement_line_option(line, S("--constraint"));
    if (nested.len) {
        struct err *err = file_read(reader, requirement_file_relative(reader->arena, path, nested), constraint);
        return err && err->file.len == 0 ? err_at(err, path, line->line, 0) : err;
    }
    for (int32_t i = 0; i < line->options_len; i++) TRY(option_apply(reader, path, line->line, &line->options[i]));
    return NULL;
}

ERR_MUST_CHECK static struct err *lines_read(struct reader *reader, struct str path, struct str text, bool constraint) {
    struct requirement_file file;
    struct err *err = requirement_file_parse(reader->arena, text, &file);
    if (err) {
        err->kind = ERR_REQUEST;
        return err_at(err, path, err->line, err->column);
    }
    for (int32_t i = 0; i < file.len; i++) {
        const struct requirement_line *line = &file.lines[i];
        for (int32_t k = 0; k < line->options_len; k++)
            if (!line->options[k].known)
                return err_at(err_make(reader->arena, ERR_REQUEST, "pip has no option '%.*s' in a requirements file",
                                       FMT(line->options[k].name)),
                              path, line->line, 0);
        if (line->requirement.len || requirement_line_option(line, S("--editable")).len)
            TRY(line_request_add(reader, path, line, constraint));
        else TRY(option_line(reader, path, line));
    }
    return NULL;
}

/* The text of a file, of this machine or on a server. */
ERR_MUST_CHECK static struct err *text_read(struct reader *reader, struct str path, struct str *ret) {
    if (requirement_file_is_remote(path)) {
        if (reader->pages) return reader->pages->fetch(reader->pages->self, path, ret);
        return err_hint(reader->arena, err_make(reader->arena, ERR_REQUEST, "'%.*s' is a URL", FMT(path)),
                        "download the requirements file and name the copy");
    }
    struct err *err = fs_read(reader->fs, reader->arena, path, WANT_FILE_MAX, ret);
    if (err) err->kind = ERR_REQUEST;
    return err;
}

static struct err *file_read(struct reader *reader, struct str path, bool constraint) {
    struct arena *arena = reader->arena;
    for (int32_t i = 0; i < reader->depth; i++)
        if (str_eq(reader->stack[i], path))
            return err_make(arena, ERR_REQUEST, "the requirements file '%.*s' includes itself", FMT(path));
    if (reader->depth == WANT_DEPTH_MAX || reader->files == WANT_FILES_MAX)
        return err_make(arena, ERR_REQUEST, "too many requirements files (%d), or too deep (%d)", WANT_FILES_MAX,
                        WANT_DEPTH_MAX);
    struct str text;
    TRY(text_read(reader, path, &text));
    reader->files++;
    reader->stack[reader->depth++] = path;
    struct err *err = lines_read(reader, path, text, constraint);
    reader->depth--;
    return err;
}

/* A word of the command line. */
ERR_MUST_CHECK static struct err *word_read(struct reader *reader, struct str word) {
    struct arena *arena = reader->arena;
    struct request request = {.origin = COMMAND_LINE, .editable = str_starts(word, S("-e "))};
    struct str rest = str_from(word, 3);
    if (str_starts(word, S("-c "))) {
        *vec_push(arena, &reader->constraint_files) = rest;
        return file_read(reader, file_url_path(arena, rest), true);
    }
    if (request.editable) TRY(want_word_parse_editable(arena, reader->fs, S(""), rest, &request.requirement));
    else TRY(want_word_parse(arena, reader->fs, S(""), word, &request.requirement));
    return request_add(reader, &request);
}

struct err *want_parse(struct arena *arena, const struct fs *fs, const struct environment *env, const struct str *words,
                       int32_t words_len, const struct str *files, int32_t files_len, const struct want_pages *pages,
                       struct want *ret) {
    struct want want = {.exclude_newer = INT64_MAX};
    struct reader reader = {.arena = arena, .fs = fs, .env = env, .pages = pages, .want = &want};
    for (int32_t i = 0; i < words_len; i++) TRY(word_read(&reader, words[i]));
    for (int32_t i = 0; i < files_len; i++) TRY(file_read(&reader, file_url_path(arena, files[i]), false));
    want.requests = reader.requests.data;
    want.requests_len = (int32_t)reader.requests.len;
    want.extra_index_urls = reader.extra_index_urls.data;
    want.extra_index_urls_len = (int32_t)reader.extra_index_urls.len;
    want.find_links = reader.find_links.data;
    want.find_links_len = (int32_t)reader.find_links.len;
    want.files = files;
    want.files_len = files_len;
    want.constraint_files = reader.constraint_files.data;
    want.constraint_files_len = (int32_t)reader.constraint_files.len;
    want.formats = reader.formats.data;
    want.formats_len = (int32_t)reader.formats.len;
    want.notes = reader.notes.data;
    want.notes_len = (int32_t)reader.notes.len;
    *ret = want;
    return NULL;
}

struct err *want_parse_name(struct arena *arena, struct str word, struct str *ret) {
    struct str trimmed = str_trim(word);
    if (name_is_valid(trimmed)) {
        *ret = name_normalize(arena, trimmed);
        return NULL;
    }
    struct err *err = err_make(arena, ERR_REQUEST, "'%.*s' is not the name of a project", FMT(word));
    ptrdiff_t end = 0;
    while (end < trimmed.len && (char_is_alnum(trimmed.data[end]) || str_find_char(S("._-"), trimmed.data[end]) >= 0))
        end++;
    if (name_is_valid(str_slice(trimmed, 0, end)))
        return err_hint(arena, err, "give the name alone: %.*s", FMT(str_slice(trimmed, 0, end)));
    return err;
}
