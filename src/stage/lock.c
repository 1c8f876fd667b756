#include "stage/lock.h"

#include "base/arena.h"
#include "base/buf.h"

static const struct requirement_span no_span = {-1, -1};

/* Reading in progress. */
struct reader {
    struct arena *arena;
    const struct fs *fs; /* NULL: includes are not followed */
    const struct marker_env *markers;
    VEC(struct lock_file) files;
    VEC(struct lock_line) lines;
    VEC(struct str) problems;
    struct str stack[LOCK_DEPTH_MAX]; /* paths being read, to find a file that includes itself */
    int32_t depth;
};

static struct reader reader_of(struct arena *arena, const struct fs *fs, const struct marker_env *markers,
                               const struct lock_set *set) {
    struct reader reader = {.arena = arena, .fs = fs, .markers = markers};
    for (int32_t i = 0; i < set->files_len; i++) *vec_push(arena, &reader.files) = set->files[i];
    for (int32_t i = 0; i < set->lines_len; i++) *vec_push(arena, &reader.lines) = set->lines[i];
    for (int32_t i = 0; i < set->problems_len; i++) *vec_push(arena, &reader.problems) = set->problems[i];
    return reader;
}

static void problem_add(struct reader *reader, struct str path, int32_t line, struct str what) {
    *vec_push(reader->arena, &reader->problems) =
        str_format(reader->arena, "%.*s:%d: %.*s", FMT(path), line, FMT(what));
}

/* Where in `text` the specifiers or `@ url` of a requirement are; an empty range where it has none. The url of a parsed
 * requirement is a view into the text. */
static void specifier_place(struct str text, struct str url, ptrdiff_t *from, ptrdiff_t *to) {
    ptrdiff_t i = 0;
    while (i < text.len && (char_is_alnum(text.data[i]) || str_find_char(S("._-"), text.data[i]) >= 0)) i++;
    while (i < text.len && char_is_space(text.data[i])) i++;
    if (i < text.len && text.data[i] == '[') i += str_find_char(str_from(text, i), ']') + 1;
    while (i < text.len && (char_is_space(text.data[i]) || text.data[i] == '(')) i++;
    ptrdiff_t semicolon = str_find_char(str_from(text, i), ';');
    ptrdiff_t end = semicolon >= 0 ? i + semicolon : text.len;
    while (end > i && (char_is_space(text.data[end - 1]) || text.data[end - 1] == ')')) end--;
    if (url.len) end = url.data - text.data + url.len;
    *from = i;
    *to = end;
}

/* The length of the operator of a pin (`==`, `===`) with the blanks behind it; 0 for other requirements. */
static ptrdiff_t pin_operator_len(const struct requirement *requirement, struct str specifier) {
    if (requirement->specifiers.len != 1 || requirement->url.len) return 0;
    const struct specifier *only = &requirement->specifiers.items[0];
    if (only->wildcard || (only->op != SPECIFIER_EQ && only->op != SPECIFIER_ARBITRARY)) return 0;
    ptrdiff_t len = only->op == SPECIFIER_EQ ? 2 : 3;
    while (len < specifier.len && char_is_space(specifier.data[len])) len++;
    return len < specifier.len ? len : 0;
}

/* Fills in the byte ranges of a line whose requirement has been parsed. */
static void line_place(const struct requirement_line *source, struct lock_line *line) {
    line->version_from = line->version_to = -1;
    line->specifier = line->whole = line->hashes = no_span;
    struct str text = source->requirement;
    ptrdiff_t base = text.data - source->text.data, from, to;
    (void)requirement_line_span(source, base, base + text.len, &line->whole);
    if (requirement_line_option(source, S("--hash")).len)
        (void)requirement_line_span(source, source->options_from, source->text.len, &line->hashes);
    specifier_place(text, line->requirement.url, &from, &to);
    if (from >= to || !requirement_line_span(source, base + from, base + to, &line->specifier)) return;
    ptrdiff_t skip = pin_operator_len(&line->requirement, str_slice(text, from, to));
    struct requirement_span version;
    if (skip == 0 || !requirement_line_span(source, base + from + skip, base + to, &version)) return;
    line->version_from = version.from;
    line->version_to = version.to;
}

/* Why pip refuses a constraint that is a requirement; {NULL, 0}: it does not. */
static struct str refusal(const struct requirement *requirement) {
    if (requirement->extras_len) return S("constraints cannot have extras; pip refuses this line");
    return (struct str){0};
}

static void constraint_add(struct reader *reader, int32_t file, struct str path, const struct requirement_line *line) {
    struct lock_line made = {.file = file, .line = line->line};
    struct err *err = requirement_parse(reader->arena, line->requirement, &made.requirement);
    if (err) {
        problem_add(reader, path, line->line,
                    str_format(reader->arena, "not a constraint that pip accepts: %.*s", FMT(err->what)));
        return;
    }
    struct str why = refusal(&made.requirement);
    if (why.len) problem_add(reader, path, line->line, why);
    made.active = marker_eval(reader->arena, made.requirement.marker, reader->markers, (struct str){0});
    line_place(line, &made);
    *vec_push(reader->arena, &reader->lines) = made;
}

ERR_MUST_CHECK static struct err *file_read(struct reader *reader, struct str path);

ERR_MUST_CHECK static struct err *include(struct reader *reader, int32_t file, struct str path,
                                          const struct requirement_line *line) {
    struct str name = requirement_line_option(line, S("--requirement"));
    if (name.len == 0) name = requirement_line_option(line, S("--constraint"));
    if (name.len == 0) return NULL; /* --index-url and the like: kept, and no lock */
    if (!reader->fs || file < 0) {
        problem_add(reader, path, line->line, S("an include is not followed here"));
        return NULL;
    }
    struct err *err = file_read(reader, requirement_file_relative(reader->arena, path, name));
    if (err && err->file.len == 0) (void)err_at(err, path, line->line, 0);
    return err;
}

ERR_MUST_CHECK static struct err *text_read(struct reader *reader, int32_t file, struct str path, struct str text) {
    struct requirement_file parsed;
    struct err *err = requirement_file_parse(reader->arena, text, &parsed);
    if (err) {
        err->kind = ERR_LOCK;
        return err_at(err, path, err->line, err->column);
    }
    for (int32_t i = 0; i < parsed.len; i++) {
        const struct requirement_line *line = &parsed.lines[i];
        for (int32_t k = 0; k < line->options_len; k++)
            if (!line->options[k].known)
                problem_add(reader, path, line->line,
                            str_format(reader->arena, "pip has no option '%.*s' here", FMT(line->options[k].name)));
        if (reader->lines.len >= LOCK_LINES_MAX)
            return err_at(err_make(reader->arena, ERR_LOCK, "more than %d constraints", LOCK_LINES_MAX), path,
                          line->line, 0);
        if (line->requirement.len) constraint_add(reader, file, path, line);
        else if (requirement_line_option(line, S("--editable")).len)
            problem_add(reader, path, line->line, S("constraints cannot be editable; pip refuses this line"));
        else TRY(include(reader, file, path, line));
    }
    return NULL;
}

/* The bytes of a lock file, or why pip could not read it either. */
ERR_MUST_CHECK static struct err *bytes_read(struct reader *reader, struct str path, struct lock_file *ret) {
    struct arena *arena = reader->arena;
    if (requirement_file_is_remote(path))
        return err_hint(arena, err_make(arena, ERR_LOCK, "the lock '%.*s' is a URL, which cannot be edited", FMT(path)),
                        "download it and name the copy with --lock FILE");
    struct fs_stat st;
    struct err *err = fs_stat(reader->fs, arena, path, true, &st);
    if (!err && !st.exists)
        return err_hint(
            arena, err_make(arena, ERR_LOCK, "the lock file '%.*s' is not there", FMT(path)),
            "pip fails in the same way; create the file (it may be empty) or name another with --lock FILE");
    /* A pipe that nobody writes to reads as empty, and would lock nothing. */
    if (!err && !st.is_file && !st.is_dir && !str_eq(path, S("/dev/null")))
        err = err_make(arena, ERR_LOCK, "the lock file '%.*s' is no regular file", FMT(path));
    if (!err) err = fs_read(reader->fs, arena, path, LOCK_FILE_MAX, &ret->text);
    if (err) {
        err->kind = ERR_LOCK;
        return err;
    }
    ret->path = path;
    ret->writable_target = (st.mode & 0222) != 0;
    return NULL;
}

static struct err *file_read(struct reader *reader, struct str path) {
    struct arena *arena = reader->arena;
    for (int32_t i = 0; i < reader->depth; i++)
        if (str_eq(reader->stack[i], path))
            return err_make(arena, ERR_LOCK, "the lock file '%.*s' includes itself", FMT(path));
    if (reader->depth == LOCK_DEPTH_MAX) return err_make(arena, ERR_LOCK, "includes go deeper than %d", LOCK_DEPTH_MAX);
    /* A file that is included twice is one file to edit, and its lines count once. */
    for (ptrdiff_t i = 0; i < reader->files.len; i++)
        if (str_eq(reader->files.data[i].path, path)) return NULL;
    if (reader->files.len == LOCK_FILES_MAX)
        return err_make(arena, ERR_LOCK, "more than %d lock files", LOCK_FILES_MAX);
    struct lock_file file;
    TRY(bytes_read(reader, path, &file));
    *vec_push(arena, &reader->files) = file;
    reader->stack[reader->depth++] = path;
    struct err *err = text_read(reader, (int32_t)(reader->files.len - 1), path, file.text);
    reader->depth--;
    return err;
}

static bool says_the_same(const struct requirement *a, const struct requirement *b) {
    if (!str_eq(a->name, b->name) || !str_eq(a->url, b->url) || a->specifiers.len != b->specifiers.len) return false;
    for (int32_t i = 0; i < a->specifiers.len; i++) {
        const struct specifier *x = &a->specifiers.items[i], *y = &b->specifiers.items[i];
        if (x->op != y->op || x->wildcard != y->wildcard || !str_eq(x->version.text, y->version.text)) return false;
    }
    return true;
}

/* Moves what was read into `ret`: finds the first line of each project and the lines that repeat an earlier one. */
static void reader_finish(struct reader *reader, struct lock_set *ret) {
    struct arena *arena = reader->arena;
    int32_t len = (int32_t)reader->lines.len;
    int32_t *next = arena_new(arena, int32_t, len), *last = arena_new(arena, int32_t, len);
    ret->by_name = (struct map){0};
    for (int32_t i = 0; i < len; i++) {
        struct lock_line *line = &reader->lines.data[i];
        next[i] = -1;
        line->shadowed = false;
        if (!line->active) continue;
        int32_t first = map_find(&ret->by_name, line->requirement.name);
        if (first < 0) {
            map_add(arena, &ret->by_name, line->requirement.name, i);
            last[i] = i;
            continue;
        }
        for (int32_t k = first; k >= 0 && !line->shadowed; k = next[k])
            line->shadowed = says_the_same(&reader->lines.data[k].requirement, &line->requirement);
        if (line->shadowed) continue; /* only lines that differ are chained, so the walk stays short */
        next[last[first]] = i;
        last[first] = i;
    }
    ret->files = reader->files.data;
    ret->files_len = (int32_t)reader->files.len;
    ret->lines = reader->lines.data;
    ret->lines_len = len;
    ret->problems = reader->problems.data;
    ret->problems_len = (int32_t)reader->problems.len;
}

struct err *lock_read(struct arena *arena, const struct fs *fs, const struct str *paths, int32_t len,
                      const struct marker_env *markers, struct lock_set *ret) {
    struct lock_set set = {0};
    struct reader reader = reader_of(arena, fs, markers, &set);
    for (int32_t i = 0; i < len; i++) TRY(file_read(&reader, file_url_path(arena, paths[i])));
    reader_finish(&reader, &set);
    *ret = set;
    return NULL;
}

struct err *lock_add_text(struct arena *arena, struct str path, struct str text, const struct marker_env *markers,
                          struct lock_set *ret) {
    struct reader reader = reader_of(arena, NULL, markers, ret);
    if (reader.files.len == LOCK_FILES_MAX) return err_make(arena, ERR_LOCK, "more than %d lock files", LOCK_FILES_MAX);
    *vec_push(arena, &reader.files) = (struct lock_file){.path = path, .text = text};
    TRY(text_read(&reader, (int32_t)(reader.files.len - 1), path, text));
    reader_finish(&reader, ret);
    return NULL;
}
