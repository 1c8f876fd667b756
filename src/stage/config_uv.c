/* uv's files: uv.toml, and [tool.uv] of a pyproject.toml. */
#include "stage/config_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/toml.h"
#include "pypa/name.h"

enum { PARENTS_MAX = 64, INDEXES_MAX = 64, PINS_MAX = 1000 };

/* Reads a file that may not be there. *found: it has settings of uv's. */
static struct err *read_file(struct reader *reader, struct str path, bool project, bool *found) {
    struct fs_stat st;
    struct str text;
    struct uv_file file = {.path = path, .project = project};
    *found = false;
    struct err *unseen = fs_stat(reader->fs, reader->arena, path, true, &st);
    if (unseen || !st.exists || !st.is_file) return NULL;
    struct err *err = fs_read(reader->fs, reader->arena, path, CONFIG_FILE_MAX, &text);
    if (err && err->kind == ERR_PERMISSION) return NULL;
    if (err) return err_because(err_make(reader->arena, ERR_CONFIG, "cannot read uv's configuration"), err);
    /* Whose project has nothing to do with uv need not be TOML for us. */
    if (project && str_find(text, S("tool.uv")) < 0) return NULL;
    err = toml_parse(reader->arena, text, CONFIG_FILE_MAX, &file.settings);
    if (err) {
        struct err *outer = err_make(reader->arena, ERR_CONFIG, "no TOML: %.*s", FMT(err->what));
        return err_at(outer, path, err->line, 0);
    }
    if (project) {
        const struct json *settings = json_find_object(json_find_object(&file.settings, S("tool")), S("uv"));
        if (!settings->len) return NULL;
        file.settings = *settings;
    }
    *vec_push(reader->arena, &reader->uv_files) = file;
    *vec_push(reader->arena, &reader->files) = path;
    *found = true;
    return NULL;
}

/* The nearest of the working directory and those above it that has settings of uv's. */
static struct err *read_project(struct reader *reader) {
    struct str dir = reader->variables->directory;
    bool found = false;
    for (int i = 0; i < PARENTS_MAX && dir.len && !found; i++) {
        TRY(read_file(reader, path_join(reader->arena, dir, S("uv.toml")), false, &found));
        if (!found) TRY(read_file(reader, path_join(reader->arena, dir, S("pyproject.toml")), true, &found));
        ptrdiff_t slash = str_find_last(dir, '/');
        dir = dir.len == 1 ? (struct str){0} : str_slice(dir, 0, slash ? slash : 1);
    }
    return NULL;
}

struct err *config_uv_read(struct reader *reader) {
    struct str named = config_variable(reader->variables, S("UV_CONFIG_FILE"));
    bool found;
    if (config_variable(reader->variables, S("UV_NO_CONFIG")).len) return NULL;
    if (named.len) return read_file(reader, named, false, &found);
    TRY(read_project(reader));
    struct str user = config_user_dir(reader, S("XDG_CONFIG_HOME"), S(".config"));
    if (user.len) TRY(read_file(reader, path_join(reader->arena, user, S("uv/uv.toml")), false, &found));
    struct str dirs = config_variable(reader->variables, S("XDG_CONFIG_DIRS"));
    if (dirs.len == 0) dirs = S("/etc/xdg");
    for (found = false; dirs.len && !found;) {
        struct str dir = str_cut(&dirs, ':');
        if (dir.len) TRY(read_file(reader, path_join(reader->arena, dir, S("uv/uv.toml")), false, &found));
    }
    return found ? NULL : read_file(reader, S("/etc/uv/uv.toml"), false, &found);
}

/* A value as the texts that a variable would hold. */
static struct config_setting setting_of(struct arena *arena, const struct json *value, struct str source) {
    VEC(struct str) items = {0};
    int64_t n;
    if (value->kind == JSON_STRING && value->text.len) *vec_push(arena, &items) = value->text;
    if (value->kind == JSON_BOOL) *vec_push(arena, &items) = value->truth ? S("true") : S("false");
    if (value->kind == JSON_NUMBER && json_to_int(value, &n))
        *vec_push(arena, &items) = str_format(arena, "%lld", (long long)n);
    for (int32_t i = 0; value->kind == JSON_ARRAY && i < value->len && i < CONFIG_LIST_MAX; i++)
        if (value->items[i].kind == JSON_STRING && value->items[i].text.len)
            *vec_push(arena, &items) = value->items[i].text;
    return (struct config_setting){items.data, (int32_t)items.len, items.len ? source : (struct str){0}};
}

static struct str source_of(const struct reader *reader, const struct uv_file *file, const char *section) {
    return str_format(reader->arena, "%.*s [%s%s]", FMT(file->path), file->project ? "tool.uv" : "uv", section);
}

struct config_setting config_uv_setting(const struct reader *reader, struct str key) {
    for (ptrdiff_t i = 0; key.len && i < reader->uv_files.len; i++) {
        const struct uv_file *file = &reader->uv_files.data[i];
        const struct json *value = json_find(json_find_object(&file->settings, S("pip")), key);
        const char *section = value ? ".pip" : "";
        if (!value) value = json_find(&file->settings, key);
        struct config_setting setting = {0};
        if (value) setting = setting_of(reader->arena, value, source_of(reader, file, section));
        if (setting.len) return setting;
    }
    return (struct config_setting){0};
}

static void add_encoded(struct buf *buf, struct str text) {
    for (ptrdiff_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (char_is_alnum(c) || c == '-' || c == '_' || c == '.' || c == '~') buf_add_char(buf, c);
        else buf_addf(buf, "%%%02X", (unsigned char)c);
    }
}

struct str config_uv_login(const struct reader *reader, struct str name, struct str url) {
    struct arena *arena = reader->arena;
    char *variable = str_copy_z(arena, name);
    for (ptrdiff_t i = 0; i < name.len; i++) {
        char c = variable[i];
        variable[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : char_is_alnum(c) ? c : '_');
    }
    const struct config_variables *variables = reader->variables;
    struct str user = config_variable(variables, str_format(arena, "UV_INDEX_%s_USERNAME", variable));
    struct str password = config_variable(variables, str_format(arena, "UV_INDEX_%s_PASSWORD", variable));
    ptrdiff_t host = str_find(url, S("://")), slash = host < 0 ? -1 : str_find_char(str_from(url, host + 3), '/');
    struct str authority = host < 0 ? url : str_slice(url, host + 3, slash < 0 ? url.len : host + 3 + slash);
    if (!(user.len || password.len) || host < 0 || str_find_char(authority, '@') >= 0) return url;
    struct buf buf = {.arena = arena};
    buf_add(&buf, str_slice(url, 0, host + 3));
    add_encoded(&buf, user);
    if (password.len) buf_add_char(&buf, ':');
    add_encoded(&buf, password);
    buf_add_char(&buf, '@');
    buf_add(&buf, str_from(url, host + 3));
    return buf_str(&buf);
}

/* The [[index]] tables of all files, those of the file that counts most first. */
static int32_t list_indexes(const struct reader *reader, struct uv_index *ret) {
    int32_t len = 0;
    for (ptrdiff_t f = 0; f < reader->uv_files.len; f++) {
        const struct uv_file *file = &reader->uv_files.data[f];
        const struct json *tables = json_find_array(&file->settings, S("index"));
        for (int32_t i = 0; i < tables->len && len < INDEXES_MAX; i++) {
            const struct json *table = &tables->items[i];
            struct uv_index index = {json_find_text(table, S("name")), json_find_text(table, S("url")),
                                     source_of(reader, file, ".index"), json_find_bool(table, S("default"), false),
                                     json_find_bool(table, S("explicit"), false)};
            if (!index.url.len) continue;
            if (index.name.len) index.url = config_uv_login(reader, index.name, index.url);
            ret[len++] = index;
        }
    }
    return len;
}

static void add_pins(const struct reader *reader, const struct uv_index *indexes, int32_t len, struct config *config) {
    VEC(struct config_pin) pins = {0};
    for (ptrdiff_t f = 0; f < reader->uv_files.len; f++) {
        const struct uv_file *file = &reader->uv_files.data[f];
        const struct json *sources = json_find_object(&file->settings, S("sources"));
        for (int32_t i = 0; file->project && i < sources->len && pins.len < PINS_MAX; i++) {
            struct str named = json_find_text(&sources->items[i], S("index"));
            for (int32_t k = 0; named.len && k < len; k++) {
                if (!str_eq(indexes[k].name, named)) continue;
                struct str url = indexes[k].url;
                while (str_ends(url, S("/"))) url.len--;
                *vec_push(reader->arena, &pins) = (struct config_pin){name_normalize(reader->arena, sources->keys[i]),
                                                                      url, source_of(reader, file, ".sources")};
                break;
            }
        }
    }
    config->pins = pins.data;
    config->pins_len = (int32_t)pins.len;
}

void config_uv_indexes(const struct reader *reader, struct config *config) {
    struct uv_index *indexes = arena_new(reader->arena, struct uv_index, INDEXES_MAX);
    struct str *plain = arena_new(reader->arena, struct str, INDEXES_MAX);
    int32_t len = list_indexes(reader, indexes), plain_len = 0;
    bool add = config->uv_index.len == 0;
    for (int32_t i = 0; i < len; i++) {
        if (indexes[i].is_default && !indexes[i].is_explicit && !config->index_url.len) {
            struct str *url = arena_new(reader->arena, struct str, 1);
            *url = indexes[i].url;
            config->index_url = (struct config_setting){url, 1, indexes[i].source};
        }
        if (indexes[i].is_default || indexes[i].is_explicit || !add) continue;
        if (plain_len == 0) config->uv_index.source = indexes[i].source;
        plain[plain_len++] = indexes[i].url;
    }
    if (plain_len) config->uv_index = (struct config_setting){plain, plain_len, config->uv_index.source};
    add_pins(reader, indexes, len, config);
}
