/* What a layer is, and the texts of its files. */
#include "stage/layer_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/mapping.h"
#include "os/term.h"

#include <assert.h>

#define PIP_HEAD S("#!/bin/sh\n# The pip of the environment below, for this layer and under its lock.\n")
#define CONFIG_FILE S("pyvenv.cfg")

bool layer_is_part(struct str name) {
    static const struct str parts[] = {
        S_INIT("bin"), S_INIT("include"),        S_INIT("lib"),      S_INIT("lib64"),      S_INIT("share"),
        S_INIT("etc"), S_INIT("constraint.txt"), S_INIT("pip.conf"), S_INIT("pyvenv.cfg"), S_INIT(".unpin-new")};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (str_eq(name, parts[i])) return true;
    return false;
}

bool layer_is_pip(struct str text) {
    return str_starts(text, PIP_HEAD);
}

/* The path with links resolved as far as it exists. */
static struct err *resolve(struct arena *arena, struct str path, struct str *ret) {
    struct str absolute, rest = S(""), real;
    TRY(path_absolute(arena, path, &absolute));
    for (struct str head = absolute; head.len > 0;) {
        struct fs_stat st;
        assert(head.data);
        TRY(fs_stat(fs_real(), arena, head, false, &st));
        if (st.exists) {
            TRY(path_resolve(arena, head, &real));
            *ret = rest.len == 0 ? real : str_format(arena, "%s%.*s", real.len == 1 ? "" : real.data, FMT(rest));
            return NULL;
        }
        ptrdiff_t slash = str_find_last(head, '/');
        struct str name = str_from(head, slash + 1);
        if (str_eq(name, S("..")))
            return err_make(arena, ERR_USAGE, "'%.*s' leads through a directory that is not there", FMT(path));
        if (name.len && !str_eq(name, S("."))) rest = str_format(arena, "/%.*s%.*s", FMT(name), FMT(rest));
        head = slash > 0 ? str_slice(head, 0, slash) : slash == 0 && head.len > 1 ? S("/") : S("");
    }
    return err_make(arena, ERR_USAGE, "'%.*s' is no path", FMT(path));
}

/* The value of a key of pyvenv.cfg (PEP 405), empty if there is none. */
static struct str config_value(struct str text, struct str key) {
    struct str line;
    while (str_line(&text, &line)) {
        struct str value = line, name = str_cut(&value, '=');
        if (str_eq(str_trim(name), key)) return str_trim(value);
    }
    return (struct str){0};
}

static struct err *refuse(struct arena *arena, struct str dir, const char *what) {
    struct str shown = term_quote(arena, dir);
    struct err *err = err_make(arena, ERR_CONFLICT, "%.*s %s", FMT(shown), what);
    return err_hint(arena, err, "--into wants a directory that is not there, is empty, or is a layer that unpin made");
}

struct err *layer_find(struct arena *arena, const struct fs *fs, struct str path, struct layer *ret) {
    struct layer layer = {0};
    struct fs_stat st;
    struct str text, *names = NULL;
    int32_t len = 0;
    bool found = false, begun = false;
    TRY(resolve(arena, path, &layer.dir));
    for (ptrdiff_t i = 0; i < layer.dir.len; i++)
        if ((unsigned char)layer.dir.data[i] < ' ')
            return err_make(arena, ERR_USAGE, "control characters cannot be in the path of a virtual environment");
    TRY(fs_stat(fs, arena, layer.dir, true, &st));
    if (st.exists && !st.is_dir) return refuse(arena, layer.dir, "is not a directory");
    if (st.exists) TRY(fs_list(fs, arena, layer.dir, &names, &len));
    TRY(fs_read_optional(fs, arena, path_join(arena, layer.dir, CONFIG_FILE), LAYER_FILE_MAX, &text, &found));
    if (found) {
        layer.of = config_value(text, S("unpin-layer-of"));
        if (layer.of.len == 0) return refuse(arena, layer.dir, "is a virtual environment, but no layer of unpin");
        layer.made = true;
    }
    for (int32_t i = 0; i < len; i++) begun = begun || str_eq(names[i], LAYER_NEW);
    for (int32_t i = 0; i < len && !found; i++)
        if (!begun || !layer_is_part(names[i])) return refuse(arena, layer.dir, "is not empty, and no layer of unpin");
    *ret = layer;
    return NULL;
}

struct str layer_lock_path(struct arena *arena, struct str prefix) {
    return path_join(arena, prefix, S("constraint.txt"));
}

/* Adds the text of a lock file; with `comment_includes` lines that include other files become comments. */
static struct err *lock_text_add(struct buf *buf, struct str text) {
    struct arena *arena = buf->arena;
    struct requirement_file parsed;
    struct str line;
    int32_t number = 0, next = 0;
    TRY(requirement_file_parse(arena, text, &parsed));
    for (bool inside = false; str_line(&text, &line);) {
        number++;
        if (next < parsed.len && parsed.lines[next].line == number) {
            const struct requirement_line *logical = &parsed.lines[next++];
            inside = requirement_line_option(logical, S("--requirement")).len ||
                     requirement_line_option(logical, S("--constraint")).len;
        }
        buf_addf(buf, "%s%.*s\n", inside ? "# " : "", FMT(line));
    }
    return NULL;
}

/* One text for all files: what they include follows, so the lines that include become comments. */
static struct err *lock_join(struct arena *arena, const struct lock_set *set, struct str *ret) {
    struct buf buf = {.arena = arena};
    if (set->files_len == 1) {
        *ret = set->files[0].text;
        return NULL;
    }
    for (int32_t i = 0; i < set->files_len; i++) {
        buf_addf(&buf, "# %.*s\n", FMT(term_quote(arena, set->files[i].path)));
        TRY(lock_text_add(&buf, set->files[i].text));
    }
    *ret = buf_str(&buf);
    return NULL;
}

struct err *layer_lock(struct arena *arena, struct environment *env, struct lock_choice *choice, struct lock_set *set) {
    struct str text, *path = arena_new(arena, struct str, 1);
    env->layer.lock_source = S("");
    if (set->files_len == 0) return NULL;
    struct lock_set joined = {0};
    *path = layer_lock_path(arena, env->prefix);
    TRY(lock_join(arena, set, &text));
    TRY(lock_add_text(arena, *path, text, &env->markers, &joined));
    struct lock_file *file = arena_new(arena, struct lock_file, 1);
    *file = (struct lock_file){.path = *path, .text = text, .writable_target = true};
    joined.files = file;
    joined.implied = set->implied;
    joined.implied_names = set->implied_names;
    /* An empty lock means something where it is the vendor's; the copy must not lose that. */
    env->layer.lock_source = set->implied ? S("PIP_CONSTRAINT") : choice->source;
    *choice = (struct lock_choice){path, 1, choice->source};
    *set = joined;
    return NULL;
}

struct str layer_cfg_text(struct arena *arena, const struct environment *env) {
    const struct environment_layer *layer = &env->layer;
    struct buf buf = {.arena = arena};
    buf_addf(&buf, "home = %.*s\n", FMT(str_slice(layer->base_python, 0, str_find_last(layer->base_python, '/'))));
    buf_addf(&buf, "include-system-site-packages = %s\n", layer->system_too ? "true" : "false");
    buf_addf(&buf, "version = %.*s\n", FMT(env->markers.python_full_version));
    buf_addf(&buf, "executable = %.*s\n", FMT(layer->base_python));
    if (layer->below_len) buf_addf(&buf, "extends-environment = %.*s\n", FMT(layer->below_prefix));
    buf_addf(&buf, "unpin-layer-of = %.*s\n", FMT(layer->of));
    if (layer->lock_source.len) buf_addf(&buf, "unpin-lock-source = %.*s\n", FMT(layer->lock_source));
    return buf_str(&buf);
}

/* site.py reads .pth files in the encoding of the locale, so no byte of a path stands there as it is. */
struct str layer_pth_text(struct arena *arena, const struct environment *env) {
    static const char hex[] = "0123456789abcdef";
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < env->layer.below_len; i++) {
        struct str path = env->layer.below[i];
        buf_add(&buf, S("import os, site; site.addsitedir(os.fsdecode(b'"));
        for (ptrdiff_t k = 0; k < path.len; k++) {
            unsigned char byte = (unsigned char)path.data[k];
            bool plain = char_is_alnum(path.data[k]) || byte == '/' || byte == '.' || byte == '-' || byte == '_';
            if (plain) buf_add_char(&buf, path.data[k]);
            else buf_addf(&buf, "\\x%c%c", hex[byte >> 4], hex[byte & 15]);
        }
        buf_add(&buf, S("'))\n"));
    }
    return buf_str(&buf);
}

/* A word for sh. */
static void add_quoted(struct buf *buf, struct str word) {
    buf_add_char(buf, '\'');
    for (ptrdiff_t i = 0; i < word.len; i++) {
        if (word.data[i] == '\'') buf_add(buf, S("'\\''"));
        else buf_add_char(buf, word.data[i]);
    }
    buf_add_char(buf, '\'');
}

/* The lock as pip takes it: it splits the setting at blanks, so a path with any becomes a URL. */
static struct str lock_word(struct arena *arena, const struct environment *env) {
    struct str path = layer_lock_path(arena, env->prefix);
    struct buf buf = {.arena = arena};
    if (str_find_char(path, ' ') < 0) return path;
    buf_add(&buf, S("file://"));
    for (ptrdiff_t i = 0; i < path.len; i++) {
        if (path.data[i] == ' ' || path.data[i] == '%') buf_addf(&buf, "%%%02X", (unsigned char)path.data[i]);
        else buf_add_char(&buf, path.data[i]);
    }
    return buf_str(&buf);
}

struct str layer_pip_text(struct arena *arena, const struct environment *env) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, PIP_HEAD);
    if (env->layer.lock_source.len) {
        buf_add(&buf, S("PIP_CONSTRAINT="));
        add_quoted(&buf, lock_word(arena, env));
        buf_add_char(&buf, ' ');
    }
    buf_add(&buf, S("exec "));
    add_quoted(&buf, env->python);
    buf_add(&buf, S(" -m pip \"$@\"\n"));
    return buf_str(&buf);
}

/* True for a line of pip.conf that sets `constraint`. */
static bool is_constraint(struct str line) {
    struct str key = str_cut(&line, '=');
    key = str_cut(&key, ':');
    return str_eq_nocase(str_trim(key), S("constraint"));
}

struct str layer_pip_conf_text(struct arena *arena, const struct environment *env, struct str text) {
    struct buf buf = {.arena = arena};
    struct str line, ours = str_format(arena, "constraint = %.*s\n", FMT(lock_word(arena, env)));
    bool done = false, skipping = false;
    if (env->layer.lock_source.len == 0) return text;
    while (str_line(&text, &line)) {
        bool goes_on = line.len && char_is_space(line.data[0]) && str_trim(line).len;
        skipping = goes_on ? skipping : is_constraint(line);
        if (skipping) continue;
        buf_addf(&buf, "%.*s\n", FMT(line));
        if (done || !str_eq(str_trim(line), S("[global]"))) continue;
        buf_add(&buf, ours);
        done = true;
    }
    if (!done) buf_addf(&buf, "[global]\n%.*s", FMT(ours));
    return buf_str(&buf);
}
