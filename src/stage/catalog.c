#include "stage/catalog.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "stage/snapshot.h"

#include <time.h>

enum { CATALOG_SCHEMA = 1, NAMES_SHOWN = 10 };

struct err *catalog_find(struct arena *arena, const struct fs *fs, struct str configured, struct str exe,
                         struct str *ret) {
    struct str beside[] = {S("../share/unpin/catalog"), S("../catalog"), S("../../catalog")};
    if (configured.len) {
        *ret = configured;
        return NULL;
    }
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        struct str path = path_join(arena, exe, beside[i]);
        struct fs_stat st;
        TRY(fs_stat(fs, arena, path_join(arena, path, S("images")), true, &st));
        if (!st.is_dir) continue;
        *ret = path;
        return NULL;
    }
    return err_hint(arena, err_make(arena, ERR_CONFIG, "the catalog of images is not beside the program"),
                    "name its directory in UNPIN_CATALOG");
}

/* "2025-04-05T02:38:04Z" to seconds since 1970; INT64_MIN for anything else. */
static int64_t seconds_of(struct str text) {
    int64_t part[6];
    static const int8_t at[6] = {0, 5, 8, 11, 14, 17}, len[6] = {4, 2, 2, 2, 2, 2};
    if (text.len != 20 || text.data[19] != 'Z') return INT64_MIN;
    for (int i = 0; i < 6; i++)
        if (!str_to_int(str_slice(text, at[i], at[i] + len[i]), &part[i])) return INT64_MIN;
    struct tm tm = {.tm_year = (int)part[0] - 1900,
                    .tm_mon = (int)part[1] - 1,
                    .tm_mday = (int)part[2],
                    .tm_hour = (int)part[3],
                    .tm_min = (int)part[4],
                    .tm_sec = (int)part[5]};
    return (int64_t)timegm(&tm);
}

/* The document of one entry. */
ERR_MUST_CHECK static struct err *entry_read(struct arena *arena, const struct fs *fs, struct str path,
                                             struct json *ret) {
    struct str text;
    struct err *err = fs_read(fs, arena, path, CATALOG_ENTRY_MAX, &text);
    if (!err) err = json_parse(arena, text, CATALOG_ENTRY_MAX, ret);
    if (!err && json_find_int(ret, S("schema"), 0) != CATALOG_SCHEMA)
        err = err_make(arena, ERR_SNAPSHOT, "the entry is not of schema %d", CATALOG_SCHEMA);
    if (!err && json_find_text(ret, S("name")).len == 0) err = err_make(arena, ERR_SNAPSHOT, "the entry has no name");
    if (!err) return NULL;
    err->kind = ERR_SNAPSHOT;
    return err_at(err, path, err->line, err->column);
}

static void item_of(const struct json *json, struct catalog_item *ret) {
    *ret = (struct catalog_item){
        .name = json_find_text(json, S("name")),
        .title = json_find_text(json, S("title")),
        .python = json_find_text(json, S("python")),
        .platform = json_find_text(json, S("platform")),
        .reference = json_find_text(json, S("reference")),
        .date = str_slice(json_find_text(json, S("date")), 0, 10),
    };
    const struct json *dists = json_find_array(json, S("dists"));
    bool locked = json_find_text(json, S("lock")).len > 0;
    for (int32_t i = 0; i < dists->len; i++) {
        bool installed = json_find_bool(&dists->items[i], S("installed"), true);
        ret->dists += installed;
        ret->vendor += installed && json_find_array(&dists->items[i], S("vendor"))->len > 0;
        ret->locks += locked;
    }
}

/* The paths of the entries, in name order. */
ERR_MUST_CHECK static struct err *entries(struct arena *arena, const struct fs *fs, struct str dir,
                                          const struct str **ret, int32_t *ret_len) {
    struct str *names, images = path_join(arena, dir, S("images"));
    int32_t len, kept = 0;
    TRY(fs_list(fs, arena, images, &names, &len));
    for (int32_t i = 0; i < len && kept < CATALOG_ENTRIES_MAX; i++)
        if (str_ends(names[i], S(".json"))) names[kept++] = path_join(arena, images, names[i]);
    *ret = names;
    *ret_len = kept;
    return NULL;
}

struct err *catalog_list(struct arena *arena, const struct fs *fs, struct str dir, const struct catalog_item **ret,
                         int32_t *ret_len) {
    const struct str *paths;
    int32_t len;
    TRY(entries(arena, fs, dir, &paths, &len));
    struct catalog_item *items = arena_new(arena, struct catalog_item, len);
    for (int32_t i = 0; i < len; i++) {
        struct json json;
        TRY(entry_read(arena, fs, paths[i], &json));
        item_of(&json, &items[i]);
    }
    *ret = items;
    *ret_len = len;
    return NULL;
}

/* The entry's document by the image's name. */
ERR_MUST_CHECK static struct err *entry_find(struct arena *arena, const struct fs *fs, struct str dir, struct str name,
                                             struct json *ret) {
    const struct str *paths;
    int32_t len;
    struct buf known = {.arena = arena};
    TRY(entries(arena, fs, dir, &paths, &len));
    for (int32_t i = 0; i < len; i++) {
        struct json json;
        TRY(entry_read(arena, fs, paths[i], &json));
        struct str found = json_find_text(&json, S("name"));
        if (str_eq(found, name) || (name.len && str_eq(json_find_text(&json, S("reference")), name))) {
            *ret = json;
            return NULL;
        }
        if (i < NAMES_SHOWN) buf_addf(&known, "%s%.*s", i ? ", " : "", FMT(found));
    }
    return err_hint(arena, err_make(arena, ERR_USAGE, "the catalog has no image '%.*s'", FMT(name)), "it has: %.*s",
                    FMT(buf_str(&known)));
}

/* The lock of an entry: its lines in the order of the list it was made from. */
ERR_MUST_CHECK static struct err *lock_of(struct arena *arena, const struct json *json,
                                          const struct marker_env *markers, struct lock_set *ret) {
    struct str path = json_find_text(json, S("lock"));
    const struct json *dists = json_find_array(json, S("dists"));
    ret->implied = path.len == 0; /* without a lock file, what came with the image counts as locked */
    if (path.len == 0) return NULL;
    struct buf text = {.arena = arena};
    for (int32_t i = 0; i < dists->len; i++)
        buf_addf(&text, "%.*s==%.*s\n", FMT(json_find_text(&dists->items[i], S("name"))),
                 FMT(json_find_text(&dists->items[i], S("version"))));
    return lock_add_text(arena, path, buf_str(&text), markers, ret);
}

struct err *catalog_read(struct arena *arena, const struct fs *fs, struct str dir, struct str name,
                         struct environment *ret, struct lock_set *ret_locks) {
    struct json json;
    TRY(entry_find(arena, fs, dir, name, &json));
    struct environment env = {.image = json_find_text(&json, S("name")), .ngc = json_find_text(&json, S("ngc"))};
    struct snapshot_platform platform = {json_find_text(&json, S("python")), json_find_text(&json, S("platform")),
                                         json_find_int(&json, S("glibc_minor"), SNAPSHOT_GLIBC_MINOR)};
    TRY(snapshot_platform_apply(arena, &platform, &env));
    env.image_date = seconds_of(json_find_text(&json, S("date")));
    const struct json *array = json_find_array(&json, S("dists"));
    struct dist *dists = arena_new(arena, struct dist, array->len);
    int32_t len = 0;
    for (int32_t i = 0; i < array->len; i++)
        if (json_find_bool(&array->items[i], S("installed"), true))
            TRY(snapshot_dist_parse(arena, &array->items[i], &dists[len++]));
    environment_seal(arena, &env, dists, len);
    struct lock_set locks = {0};
    TRY(lock_of(arena, &json, &env.markers, &locks));
    *ret = env;
    *ret_locks = locks;
    return NULL;
}

/* The entry of the image that `env` is: the same NGC release, and the entry's torch (or tensorflow) installed. */
static bool is_image(const struct environment *env, const struct json *json) {
    if (env->ngc.len == 0 || !str_eq(json_find_text(json, S("ngc")), env->ngc)) return false;
    const struct json *array = json_find_array(json, S("dists"));
    for (int32_t i = 0; i < array->len; i++) {
        struct str name = json_find_text(&array->items[i], S("name"));
        if (!str_eq(name, S("torch")) && !str_eq(name, S("tensorflow"))) continue;
        const struct dist *dist = environment_find(env, name);
        return dist && str_eq(dist->version.text, json_find_text(&array->items[i], S("version")));
    }
    return false;
}

static void mark_vendor(struct arena *arena, const struct json *json, struct environment *env) {
    struct dist *dists = arena_new(arena, struct dist, env->dists_len);
    for (int32_t i = 0; i < env->dists_len; i++) dists[i] = env->dists[i];
    env->dists = dists;
    const struct json *array = json_find_array(json, S("dists"));
    for (int32_t i = 0; i < array->len; i++) {
        struct dist listed;
        if (json_find_array(&array->items[i], S("vendor"))->len == 0 ||
            snapshot_dist_parse(arena, &array->items[i], &listed) != NULL)
            continue;
        int32_t at = map_find(&env->by_name, listed.name);
        if (at >= 0 && str_eq(dists[at].version.text, listed.version.text)) dists[at].vendor |= VENDOR_LISTED;
    }
}

struct err *catalog_recognize(struct arena *arena, const struct fs *fs, struct str dir, struct environment *env,
                              bool *found) {
    const struct str *paths;
    int32_t len;
    *found = false;
    if (env->ngc.len == 0) return NULL;
    TRY(entries(arena, fs, dir, &paths, &len));
    for (int32_t i = 0; i < len && !*found; i++) {
        struct json json;
        TRY(entry_read(arena, fs, paths[i], &json));
        if (!is_image(env, &json)) continue;
        mark_vendor(arena, &json, env);
        env->image = json_find_text(&json, S("name"));
        env->image_date = seconds_of(json_find_text(&json, S("date")));
        *found = true;
    }
    return NULL;
}
