#include "stage/snapshot.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/name.h"

/* X(bit, name in JSON) */
#define VENDOR_NAMES(X)                                                                                                \
    X(VENDOR_LOCAL_VERSION, "local-version")                                                                           \
    X(VENDOR_URL_GONE, "url-gone")                                                                                     \
    X(VENDOR_NOT_ON_INDEX, "not-on-index")                                                                             \
    X(VENDOR_LOCAL_BUILD, "local-build")                                                                               \
    X(VENDOR_LISTED, "listed")

/* X(form, name in JSON) */
#define FORM_NAMES(X)                                                                                                  \
    X(DIST_INFO, "dist-info")                                                                                          \
    X(DIST_EGG_INFO_DIR, "egg-info-dir")                                                                               \
    X(DIST_EGG_INFO_FILE, "egg-info-file")                                                                             \
    X(DIST_EGG_LINK, "egg-link")                                                                                       \
    X(DIST_LISTED, "listed")

static const struct {
    uint32_t bit;
    struct str name;
} vendor_names[] = {
#define X(bit, name) {bit, S_INIT(name)},
    VENDOR_NAMES(X)
#undef X
};

static const struct str form_names[] = {
#define X(form, name) [form] = S_INIT(name),
    FORM_NAMES(X)
#undef X
};

enum { VENDOR_LEN = sizeof vendor_names / sizeof *vendor_names, FORM_LEN = sizeof form_names / sizeof *form_names };

/* A URL without user name and password: a snapshot is made to be handed on. */
static struct str url_without_credentials(struct arena *arena, struct str url) {
    ptrdiff_t scheme = str_find(url, S("://"));
    if (scheme < 0) return url;
    struct str rest = str_from(url, scheme + 3);
    ptrdiff_t slash = str_find_char(rest, '/');
    ptrdiff_t at = str_find_last(str_slice(rest, 0, slash < 0 ? rest.len : slash), '@');
    if (at < 0) return url;
    return str_format(arena, "%.*s%.*s", FMT(str_slice(url, 0, scheme + 3)), FMT(str_from(rest, at + 1)));
}

static void key_text(struct json_writer *writer, struct str key, struct str text) {
    if (text.len) json_key_string(writer, key, text);
}

static void metadata_format(struct json_writer *writer, const struct metadata *metadata) {
    key_text(writer, S("requires_python"), metadata->requires_python_text);
    json_key(writer, S("requires_dist"));
    json_begin_array(writer);
    for (int32_t i = 0; i < metadata->requires_len; i++) json_string(writer, metadata->requires_dist[i].text);
    json_end_array(writer);
    if (metadata->extras_len) json_key_strings(writer, S("extras"), metadata->extras, metadata->extras_len);
}

void snapshot_dist_format(struct json_writer *writer, const struct dist *dist) {
    json_begin_object(writer);
    json_key_string(writer, S("name"), dist->raw_name);
    json_key_string(writer, S("version"), dist->version.text);
    json_key_string(writer, S("form"), form_names[dist->form]);
    if (dist->site >= 0) json_key_int(writer, S("site"), dist->site);
    key_text(writer, S("info_dir"), dist->info_dir);
    if (dist->editable) json_key_bool(writer, S("editable"), true);
    if (dist->system) json_key_bool(writer, S("system"), true);
    if (dist->requested) json_key_bool(writer, S("requested"), true);
    key_text(writer, S("direct_url"), url_without_credentials(writer->buf->arena, dist->direct_url));
    key_text(writer, S("installer"), dist->installer);
    if (dist->vendor) {
        json_key(writer, S("vendor"));
        json_begin_array(writer);
        for (int32_t i = 0; i < VENDOR_LEN; i++)
            if (dist->vendor & vendor_names[i].bit) json_string(writer, vendor_names[i].name);
        json_end_array(writer);
    }
    if (dist->metadata_known) metadata_format(writer, &dist->metadata);
    json_end_object(writer);
}

static void environment_format(struct json_writer *writer, const struct environment *env) {
    json_key(writer, S("environment"));
    json_begin_object(writer);
    key_text(writer, S("python"), env->python);
    key_text(writer, S("prefix"), env->prefix);
    key_text(writer, S("image"), env->image);
    key_text(writer, S("ngc"), env->ngc);
    key_text(writer, S("fingerprint"), environment_fingerprint(writer->buf->arena, env));
    if (env->image_date != INT64_MIN) json_key_int(writer, S("image_date"), env->image_date);
    json_key_bool(writer, S("externally_managed"), env->externally_managed);
    json_key_strings(writer, S("sites"), env->sites, env->sites_len);
    json_key_strings(writer, S("problems"), env->problems, env->problems_len);
    json_end_object(writer);
}

static void platform_format(struct json_writer *writer, const struct environment *env) {
    json_key(writer, S("markers"));
    json_begin_object(writer);
#define X(field, name) json_key_string(writer, S(name), env->markers.field);
    MARKER_VARIABLES(X)
#undef X
    json_end_object(writer);
    const struct tags_input *tags = &env->tags_input;
    json_key(writer, S("tags"));
    json_begin_object(writer);
    json_key_int(writer, S("major"), tags->major);
    json_key_int(writer, S("minor"), tags->minor);
    json_key_string(writer, S("implementation"), tags->implementation);
    json_key_strings(writer, S("abis"), tags->abis, tags->abis_len);
    json_key_strings(writer, S("platforms"), tags->platforms, tags->platforms_len);
    json_end_object(writer);
}

static void locks_format(struct json_writer *writer, const struct lock_set *locks) {
    json_key(writer, S("locks"));
    json_begin_object(writer);
    json_key_bool(writer, S("implied"), locks->implied);
    if (locks->implied_names.len)
        json_key_strings(writer, S("implied_names"), locks->implied_names.keys, locks->implied_names.len);
    json_key(writer, S("files"));
    json_begin_array(writer);
    for (int32_t i = 0; i < locks->files_len; i++) {
        json_begin_object(writer);
        json_key_string(writer, S("path"), locks->files[i].path);
        json_key_string(writer, S("text"), locks->files[i].text);
        json_end_object(writer);
    }
    json_end_array(writer);
    json_end_object(writer);
}

struct str snapshot_format(struct arena *arena, const struct environment *env, const struct lock_set *locks) {
    struct buf out = {.arena = arena};
    struct json_writer writer = {.buf = &out, .indent = 1};
    json_begin_object(&writer);
    json_key_int(&writer, S("unpin_snapshot"), SNAPSHOT_SCHEMA);
    environment_format(&writer, env);
    platform_format(&writer, env);
    locks_format(&writer, locks);
    json_key(&writer, S("dists"));
    json_begin_array(&writer);
    for (int32_t i = 0; i < env->dists_len; i++) snapshot_dist_format(&writer, &env->dists[i]);
    json_end_array(&writer);
    json_end_object(&writer);
    buf_add_char(&out, '\n');
    return buf_str(&out);
}

/* The strings of an array; others in it are left out. */
static const struct str *texts_of(struct arena *arena, const struct json *array, int32_t *ret_len) {
    struct str *texts = arena_new(arena, struct str, array->len);
    int32_t len = 0;
    for (int32_t i = 0; i < array->len; i++)
        if (array->items[i].kind == JSON_STRING) texts[len++] = array->items[i].text;
    *ret_len = len;
    return texts;
}

static enum dist_form form_of(struct str name) {
    for (int32_t i = 0; i < FORM_LEN; i++)
        if (str_eq(form_names[i], name)) return (enum dist_form)i;
    return DIST_LISTED;
}

static uint32_t vendor_of(const struct json *array) {
    uint32_t bits = 0;
    for (int32_t i = 0; i < array->len; i++)
        for (int32_t k = 0; k < VENDOR_LEN; k++)
            if (str_eq(array->items[i].text, vendor_names[k].name)) bits |= vendor_names[k].bit;
    return bits;
}

static bool has_line_end(struct str text) {
    return str_find_char(text, '\n') >= 0 || str_find_char(text, '\r') >= 0;
}

/* The metadata as the core metadata they came from, so that one parser reads them. A line end in a value would begin a
 * field of its own, so it is refused. */
ERR_MUST_CHECK static struct err *metadata_of(struct arena *arena, const struct json *json, struct dist *ret) {
    int32_t requires_len, extras_len;
    const struct str *requires = texts_of(arena, json_find_array(json, S("requires_dist")), &requires_len);
    const struct str *extras = texts_of(arena, json_find_array(json, S("extras")), &extras_len);
    struct str python = json_find_text(json, S("requires_python"));
    bool broken = has_line_end(python);
    for (int32_t i = 0; i < requires_len; i++) broken |= has_line_end(requires[i]);
    for (int32_t i = 0; i < extras_len; i++) broken |= has_line_end(extras[i]);
    if (broken) return err_make(arena, ERR_SNAPSHOT, "a requirement with a line end");
    struct buf text = {.arena = arena};
    buf_addf(&text, "Metadata-Version: 2.1\nName: %.*s\nVersion: %.*s\n", FMT(ret->raw_name), FMT(ret->version.text));
    if (python.len) buf_addf(&text, "Requires-Python: %.*s\n", FMT(python));
    for (int32_t i = 0; i < requires_len; i++) buf_addf(&text, "Requires-Dist: %.*s\n", FMT(requires[i]));
    for (int32_t i = 0; i < extras_len; i++) buf_addf(&text, "Provides-Extra: %.*s\n", FMT(extras[i]));
    ret->metadata_known = true;
    return metadata_parse(arena, buf_str(&text), &ret->metadata);
}

struct err *snapshot_dist_parse(struct arena *arena, const struct json *json, struct dist *ret) {
    struct dist dist = {.site = -1};
    struct str name = json_find_text(json, S("name")), version = json_find_text(json, S("version"));
    if (!name_is_valid(name) || has_line_end(version))
        return err_make(arena, ERR_SNAPSHOT, "a distribution without a valid name and version: '%.*s'", FMT(name));
    dist.raw_name = name;
    dist.name = name_normalize(arena, name);
    dist.version_valid = version_try_parse(arena, version, &dist.version);
    if (!dist.version_valid) dist.version = (struct version){.text = version, .post = -1, .dev = -1};
    dist.form = form_of(json_find_text(json, S("form")));
    dist.site = (int32_t)json_find_int(json, S("site"), -1);
    dist.info_dir = json_find_text(json, S("info_dir"));
    dist.editable = json_find_bool(json, S("editable"), false);
    dist.system = json_find_bool(json, S("system"), false);
    dist.requested = json_find_bool(json, S("requested"), false);
    dist.direct_url = json_find_text(json, S("direct_url"));
    dist.installer = json_find_text(json, S("installer"));
    dist.vendor = vendor_of(json_find_array(json, S("vendor")));
    if (json_find(json, S("requires_dist"))) {
        struct err *err = metadata_of(arena, json, &dist);
        if (err)
            return err_because(err_make(arena, ERR_SNAPSHOT, "the metadata of '%.*s' cannot be read", FMT(name)), err);
    }
    *ret = dist;
    return NULL;
}

ERR_MUST_CHECK static struct err *platform_of(struct arena *arena, const struct json *json, struct environment *env) {
    const struct json *markers = json_find_object(json, S("markers")), *tags = json_find_object(json, S("tags"));
#define X(field, name) env->markers.field = json_find_text(markers, S(name));
    MARKER_VARIABLES(X)
#undef X
    struct tags_input *input = &env->tags_input;
    input->major = (int32_t)json_find_int(tags, S("major"), 0);
    input->minor = (int32_t)json_find_int(tags, S("minor"), -1);
    input->implementation = json_find_text(tags, S("implementation"));
    input->abis = texts_of(arena, json_find_array(tags, S("abis")), &input->abis_len);
    input->platforms = texts_of(arena, json_find_array(tags, S("platforms")), &input->platforms_len);
    if (input->major != 3 || input->minor < 0 || input->minor > 999 || input->platforms_len == 0 ||
        env->markers.python_version.len == 0)
        return err_make(arena, ERR_SNAPSHOT, "the snapshot does not tell its interpreter");
    env->tags = tags_make(arena, input);
    return NULL;
}

ERR_MUST_CHECK static struct err *dists_of(struct arena *arena, const struct json *json, struct environment *env) {
    const struct json *array = json_find_array(json, S("dists"));
    if (array->len > SNAPSHOT_DISTS_MAX) return err_make(arena, ERR_SNAPSHOT, "too many distributions");
    struct dist *dists = arena_new(arena, struct dist, array->len);
    for (int32_t i = 0; i < array->len; i++) {
        TRY(snapshot_dist_parse(arena, &array->items[i], &dists[i]));
        if (dists[i].site >= env->sites_len || dists[i].site < -1)
            return err_make(arena, ERR_SNAPSHOT, "'%.*s' is in a site directory that the snapshot lacks",
                            FMT(dists[i].name));
    }
    environment_seal(arena, env, dists, array->len);
    return NULL;
}

ERR_MUST_CHECK static struct err *locks_of(struct arena *arena, const struct json *json,
                                           const struct marker_env *markers, struct lock_set *locks) {
    const struct json *object = json_find_object(json, S("locks")), *files = json_find_array(object, S("files"));
    for (int32_t i = 0; i < files->len; i++)
        TRY(lock_add_text(arena, json_find_text(&files->items[i], S("path")),
                          json_find_text(&files->items[i], S("text")), markers, locks));
    locks->implied = json_find_bool(object, S("implied"), false);
    int32_t len;
    const struct str *names = texts_of(arena, json_find_array(object, S("implied_names")), &len);
    for (int32_t i = 0; i < len; i++) map_add(arena, &locks->implied_names, names[i], 0);
    return NULL;
}

ERR_MUST_CHECK static struct err *document_read(struct arena *arena, struct str text, struct environment *env,
                                                struct lock_set *locks) {
    struct json json;
    TRY(json_parse(arena, text, SNAPSHOT_FILE_MAX, &json));
    int64_t schema = json_find_int(&json, S("unpin_snapshot"), 0);
    if (schema != SNAPSHOT_SCHEMA)
        return err_hint(arena,
                        err_make(arena, ERR_SNAPSHOT, schema ? "the snapshot is of schema %lld" : "no snapshot (%lld)",
                                 (long long)schema),
                        "make one with: unpin snapshot -o FILE");
    const struct json *environment = json_find_object(&json, S("environment"));
    env->python = json_find_text(environment, S("python"));
    env->prefix = json_find_text(environment, S("prefix"));
    env->image = json_find_text(environment, S("image"));
    env->ngc = json_find_text(environment, S("ngc"));
    env->fingerprint = json_find_text(environment, S("fingerprint"));
    env->image_date = json_find_int(environment, S("image_date"), INT64_MIN);
    env->externally_managed = json_find_bool(environment, S("externally_managed"), false);
    env->sites = texts_of(arena, json_find_array(environment, S("sites")), &env->sites_len);
    env->problems = texts_of(arena, json_find_array(environment, S("problems")), &env->problems_len);
    TRY(platform_of(arena, &json, env));
    TRY(dists_of(arena, &json, env));
    return locks_of(arena, &json, &env->markers, locks);
}

struct err *snapshot_read(struct arena *arena, const struct fs *fs, struct str path,
                          const struct snapshot_platform *platform, struct environment *ret,
                          struct lock_set *ret_locks) {
    struct str text;
    struct environment env = {.image_date = INT64_MIN};
    struct lock_set locks = {0};
    struct err *err = fs_read(fs, arena, path, SNAPSHOT_FILE_MAX, &text);
    if (!err && str_starts(str_trim(text), S("{"))) err = document_read(arena, text, &env, &locks);
    else if (!err) err = snapshot_list_read(arena, path, text, platform, &env, &locks);
    if (err) {
        if (err->kind != ERR_USAGE) err->kind = ERR_SNAPSHOT;
        return err->file.len ? err : err_at(err, path, err->line, err->column);
    }
    *ret = env;
    *ret_locks = locks;
    return NULL;
}
