#include "stage/config_parts.h"

#include "base/arena.h"
#include "base/buf.h"

#include <string.h>

/* What is known while the lines of one file go by. */
struct ini {
    struct str path, section;
    int32_t line;
    int rank; /* -1: a section that does not concern us */
    bool in_section, in_value;
};

struct config_variables config_variables_make(struct arena *arena, char *const *environ) {
    VEC(struct str) items = {0};
    for (; environ && *environ && items.len < CONFIG_ENTRIES_MAX; environ++)
        *vec_push(arena, &items) = str_of(*environ);
    return (struct config_variables){.items = items.data, .len = (int32_t)items.len};
}

struct str config_variable(const struct config_variables *variables, struct str name) {
    for (int32_t i = 0; i < variables->len; i++) {
        struct str rest = variables->items[i];
        if (str_eq(str_cut(&rest, '='), name)) return rest;
    }
    return (struct str){0};
}

struct str config_text(const struct config_setting *setting) {
    return setting->len ? setting->items[0] : (struct str){0};
}

bool config_truth(const struct config_setting *setting) {
    static const struct str words[] = {S_INIT("1"), S_INIT("y"),    S_INIT("yes"),
                                       S_INIT("t"), S_INIT("true"), S_INIT("on")};
    struct str text = config_text(setting);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(text, words[i])) return true;
    return false;
}

int64_t config_number(const struct config_setting *setting, int64_t otherwise) {
    struct str text = config_text(setting);
    int64_t n;
    return str_to_int(str_cut(&text, '.'), &n) ? n : otherwise;
}

/* As pip does: `--Index_URL` is `index-url`. */
static struct str normalize_key(struct arena *arena, struct str key) {
    struct str lower = str_lower(arena, str_trim(key));
    char *data = str_copy_z(arena, lower);
    for (ptrdiff_t i = 0; i < lower.len; i++)
        if (data[i] == '_') data[i] = '-';
    struct str name = {data, lower.len};
    return str_starts(name, S("--")) ? str_from(name, 2) : name;
}

static struct err *refuse(struct reader *reader, const struct ini *ini, const char *why) {
    return err_at(err_make(reader->arena, ERR_CONFIG, "%s", why), ini->path, ini->line, 0);
}

/* Ends the value that was being gathered. */
static void end_value(struct reader *reader, struct ini *ini, struct buf *value) {
    if (ini->in_value && reader->entries.len) {
        struct entry *last = &reader->entries.data[reader->entries.len - 1];
        last->value = str_trim(str_copy(reader->arena, buf_str(value)));
    }
    ini->in_value = false;
    value->len = 0;
}

static struct err *parse_section(struct reader *reader, struct ini *ini, struct str line) {
    ptrdiff_t close = str_find_char(line, ']');
    if (close < 0) return refuse(reader, ini, "a section without ']'");
    ini->section = str_slice(line, 1, close);
    ini->rank = str_eq(ini->section, S("global"))    ? 0
                : str_eq(ini->section, S("install")) ? 1
                : str_eq(ini->section, S("unpin"))   ? 2
                                                     : -1;
    ini->in_section = true;
    return NULL;
}

/* The position of the first `=` or `:`, -1 if there is none. */
static ptrdiff_t find_delimiter(struct str line) {
    for (ptrdiff_t i = 0; i < line.len; i++)
        if (line.data[i] == '=' || line.data[i] == ':') return i;
    return -1;
}

static struct err *parse_line(struct reader *reader, struct ini *ini, struct str line, struct buf *value) {
    struct str text = str_trim(line);
    if (text.len && (text.data[0] == '#' || text.data[0] == ';')) return NULL;
    bool indented = line.len && char_is_space(line.data[0]);
    if (ini->in_value && (text.len == 0 || indented)) {
        buf_add_char(value, '\n');
        buf_add(value, text);
        return NULL;
    }
    if (text.len == 0) return NULL;
    end_value(reader, ini, value);
    if (text.data[0] == '[') return parse_section(reader, ini, text);
    if (!ini->in_section) return refuse(reader, ini, "an option before the first section");
    ptrdiff_t at = find_delimiter(text);
    if (at < 1) return refuse(reader, ini, "neither a section nor `key = value`");
    if (reader->entries.len == CONFIG_ENTRIES_MAX) return refuse(reader, ini, "too many options");
    *vec_push(reader->arena, &reader->entries) = (struct entry){
        .key = normalize_key(reader->arena, str_slice(text, 0, at)),
        .source = str_format(reader->arena, "%.*s [%.*s]", FMT(ini->path), FMT(ini->section)),
        .rank = ini->rank,
    };
    buf_add(value, str_trim(str_from(text, at + 1)));
    ini->in_value = true;
    return NULL;
}

/* Reads one file; that it is not there, or may not be read, is nothing wrong. */
static struct err *read_file(struct reader *reader, struct str path) {
    if (path.len == 0) return NULL;
    struct fs_stat st;
    struct err *unseen = fs_stat(reader->fs, reader->arena, path, true, &st);
    if (unseen || !st.exists || st.is_dir) return NULL;
    struct str text;
    struct err *err = fs_read(reader->fs, reader->arena, path, CONFIG_FILE_MAX, &text);
    if (err && err->kind == ERR_PERMISSION) return NULL;
    if (err) return err_because(err_make(reader->arena, ERR_CONFIG, "cannot read pip's configuration"), err);
    *vec_push(reader->arena, &reader->files) = path;
    if (str_starts(text, S("\xEF\xBB\xBF"))) text = str_from(text, 3);
    struct ini ini = {.path = path, .rank = -1};
    struct buf value = {.arena = reader->arena};
    struct str line;
    while (str_line(&text, &line)) {
        ini.line++;
        TRY(parse_line(reader, &ini, line, &value));
    }
    end_value(reader, &ini, &value);
    return NULL;
}

struct str config_user_dir(const struct reader *reader, struct str variable, struct str tail) {
    struct str dir = config_variable(reader->variables, variable);
    bool ignored = str_starts(variable, S("XDG_")) && !str_starts(dir, S("/"));
    if (dir.len && !ignored) return dir;
    struct str home = config_variable(reader->variables, S("HOME"));
    return str_starts(home, S("/")) ? path_join(reader->arena, home, tail) : (struct str){0};
}

static struct err *read_user_files(struct reader *reader) {
    struct str home = config_variable(reader->variables, S("HOME"));
    if (home.len) TRY(read_file(reader, path_join(reader->arena, home, S(".pip/pip.conf"))));
    struct str dir = config_user_dir(reader, S("XDG_CONFIG_HOME"), S(".config"));
    return dir.len ? read_file(reader, path_join(reader->arena, dir, S("pip/pip.conf"))) : NULL;
}

static struct err *read_files(struct reader *reader, struct str prefix) {
    struct str named = config_variable(reader->variables, S("PIP_CONFIG_FILE"));
    if (str_eq(named, S("/dev/null"))) return NULL;
    struct fs_stat st = {0};
    if (named.len && fs_stat(reader->fs, reader->arena, named, true, &st)) st.exists = false;
    struct str dirs = config_variable(reader->variables, S("XDG_CONFIG_DIRS"));
    if (dirs.len == 0) dirs = S("/etc/xdg");
    while (dirs.len) {
        struct str dir = str_cut(&dirs, ':');
        if (dir.len) TRY(read_file(reader, path_join(reader->arena, dir, S("pip/pip.conf"))));
    }
    TRY(read_file(reader, S("/etc/pip.conf")));
    if (!st.exists) TRY(read_user_files(reader));
    if (prefix.len) TRY(read_file(reader, path_join(reader->arena, prefix, S("pip.conf"))));
    return named.len ? read_file(reader, named) : NULL;
}

/* The entry of a file that is in force: [install] before [global], then the later one. NULL: none. */
static const struct entry *find_entry(const struct reader *reader, struct str key) {
    const struct entry *best = NULL;
    if (key.len == 0) return NULL;
    for (ptrdiff_t i = 0; i < reader->entries.len; i++) {
        const struct entry *entry = &reader->entries.data[i];
        if (entry->rank < 0 || !entry->value.len || !str_eq(entry->key, key)) continue;
        if (!best || entry->rank >= best->rank) best = entry;
    }
    return best;
}

static bool is_separator(char c, bool commas) {
    return char_is_space(c) || (commas && c == ',');
}

static struct config_setting make_setting(struct arena *arena, struct str value, struct str source,
                                          enum config_split split, bool commas) {
    VEC(struct str) items = {0};
    value = str_trim(value);
    if (split == CONFIG_ONE && value.len) *vec_push(arena, &items) = value;
    while (split != CONFIG_ONE && value.len && items.len < CONFIG_LIST_MAX) {
        ptrdiff_t end = 0;
        while (end < value.len && !is_separator(value.data[end], commas)) end++;
        if (end) *vec_push(arena, &items) = str_slice(value, 0, end);
        value = str_from(value, end + 1);
    }
    return (struct config_setting){items.data, (int32_t)items.len, items.len ? source : (struct str){0}};
}

/* The first of the blank-separated variable names that is set. */
static struct config_setting find_variable(const struct reader *reader, struct str names, enum config_split split,
                                           bool commas) {
    while (names.len) {
        struct str name = str_cut(&names, ' ');
        struct str value = config_variable(reader->variables, name);
        struct config_setting setting = make_setting(reader->arena, value, name, split, commas);
        if (setting.len) return setting;
    }
    return (struct config_setting){0};
}

/* What the command line says. */
static struct config_setting find_given(const struct reader *reader, struct str key) {
    const struct config_variables *variables = reader->variables;
    struct str *items = arena_new(reader->arena, struct str, variables->given_len);
    int32_t len = 0;
    for (int32_t i = 0; key.len && i < variables->given_len; i++)
        if (str_eq(variables->given[i].name, key)) items[len++] = variables->given[i].value;
    return (struct config_setting){items, len, len ? S("command line") : (struct str){0}};
}

struct names {
    struct str key, pip, uv, toml;
};

static struct config_setting find_setting(const struct reader *reader, const struct names *names,
                                          enum config_split split) {
    struct config_setting setting = find_given(reader, names->key);
    if (setting.len) return setting;
    setting = find_variable(reader, names->pip, split, false);
    if (setting.len) return setting;
    const struct entry *entry = find_entry(reader, names->key);
    if (entry) return make_setting(reader->arena, entry->value, entry->source, split, false);
    setting = find_variable(reader, names->uv, split, split == CONFIG_COMMAS);
    return setting.len ? setting : config_uv_setting(reader, names->toml);
}

/* uv lets an index be named: `nvidia=https://…`. */
static void drop_names(const struct reader *reader, struct config_setting *setting) {
    if (!str_starts(setting->source, S("UV_"))) return;
    struct str *items = arena_new(reader->arena, struct str, setting->len);
    for (int32_t i = 0; i < setting->len; i++) {
        items[i] = setting->items[i];
        ptrdiff_t equals = str_find_char(items[i], '='), colon = str_find_char(items[i], ':');
        if (equals >= 0 && (colon < 0 || equals < colon))
            items[i] = config_uv_login(reader, str_slice(items[i], 0, equals), str_from(items[i], equals + 1));
    }
    setting->items = items;
}

struct err *config_read(struct arena *arena, const struct fs *fs, struct str prefix,
                        const struct config_variables *variables, struct config *ret) {
    struct reader reader = {.arena = arena, .fs = fs, .variables = variables};
    TRY(read_files(&reader, prefix));
    TRY(config_uv_read(&reader));
    struct config config = {0};
#define X(field, name, pip, uv, toml, split)                                                                           \
    config.field = find_setting(&reader, &(struct names){S(name), S(pip), S(uv), S(toml)}, split);
    CONFIG_SETTINGS(X)
#undef X
    if (config.proxy.len) config.proxy_http = config.proxy_https = config.proxy;
    drop_names(&reader, &config.index_url);
    drop_names(&reader, &config.uv_index);
    config_uv_indexes(&reader, &config);
    if (!config.index_url.len)
        config.index_url = make_setting(arena, S(CONFIG_DEFAULT_INDEX), S("default"), CONFIG_ONE, false);
    config.cache_dir = config_variable(variables, S("UNPIN_CACHE_DIR"));
    if (!config.cache_dir.len && config.no_cache.len == 0 && !config_truth(&config.uv_no_cache)) {
        struct str dir = config_user_dir(&reader, S("XDG_CACHE_HOME"), S(".cache"));
        if (dir.len) config.cache_dir = path_join(arena, dir, S("unpin"));
    }
    config.netrc = config_user_dir(&reader, S("NETRC"), S(".netrc"));
    config.files = reader.files.data;
    config.files_len = (int32_t)reader.files.len;
    *ret = config;
    return NULL;
}
