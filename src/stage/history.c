#include "stage/history.h"

#include "base/arena.h"
#include "base/map.h"
#include "os/http.h"
#include "stage/wheel_change.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

typedef VEC(struct transaction_op) op_vec;

enum { DESCRIPTION_MAX = 16 << 20, INDENT = 0, USER_ENTRY_MAX = 16 << 10 };

void history_changes_write(struct json_writer *writer, struct str key, const struct history_change *changes,
                           int32_t len) {
    json_key(writer, key);
    json_begin_array(writer);
    for (int32_t i = 0; i < len; i++) {
        json_begin_object(writer);
        json_key_string(writer, S("name"), changes[i].name);
        json_key_string(writer, S("from"), changes[i].from);
        json_key_string(writer, S("to"), changes[i].to);
        if (changes[i].verified.len) json_key_string(writer, S("verified"), changes[i].verified);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static struct str user_name(struct arena *arena) {
    const char *sudo = getenv("SUDO_USER");
    struct passwd entry, *found = NULL;
    char text[USER_ENTRY_MAX];
    if (sudo && *sudo && geteuid() == 0) return str_copy(arena, str_of(sudo));
    if (getpwuid_r(geteuid(), &entry, text, sizeof text, &found) == 0 && found && *found->pw_name)
        return str_copy(arena, str_of(found->pw_name));
    return str_format(arena, "%ld", (long)geteuid());
}

struct str history_format(struct arena *arena, const struct str *argv, int32_t argv_len,
                          const struct history_change *changes, int32_t changes_len, const struct history_change *lifts,
                          int32_t lifts_len) {
    struct buf buf = {.arena = arena};
    struct json_writer writer = {.buf = &buf, .indent = INDENT};
    json_begin_object(&writer);
    json_key_int(&writer, S("schema"), 1);
    json_key_string(&writer, S("user"), user_name(arena));
    json_key(&writer, S("argv"));
    json_begin_array(&writer);
    /* Others can read the history: no passwords in it. */
    for (int32_t i = 0; i < argv_len; i++) json_string(&writer, http_mask(arena, argv[i]));
    json_end_array(&writer);
    history_changes_write(&writer, S("changes"), changes, changes_len);
    history_changes_write(&writer, S("lifts"), lifts, lifts_len);
    json_end_object(&writer);
    return buf_str(&buf);
}

static void changes_read(struct arena *arena, const struct json *object, struct str key,
                         const struct history_change **ret, int32_t *ret_len) {
    const struct json *array = json_find_array(object, key);
    struct history_change *changes = arena_new(arena, struct history_change, array->len);
    for (int32_t i = 0; i < array->len; i++)
        changes[i] = (struct history_change){
            json_find_text(&array->items[i], S("name")), json_find_text(&array->items[i], S("from")),
            json_find_text(&array->items[i], S("to")), json_find_text(&array->items[i], S("verified"))};
    *ret = changes;
    *ret_len = array->len;
}

/* What the description says; one that is not ours leaves the entry without. */
static struct history_entry entry_make(struct arena *arena, const struct transaction_entry *transaction) {
    struct history_entry entry = {.transaction = *transaction};
    struct json json;
    if (json_parse(arena, transaction->description, DESCRIPTION_MAX, &json)) return entry;
    const struct json *argv = json_find_array(&json, S("argv"));
    struct str *words = arena_new(arena, struct str, argv->len);
    for (int32_t i = 0; i < argv->len; i++) words[i] = argv->items[i].text;
    entry.argv = words;
    entry.argv_len = argv->len;
    entry.user = json_find_text(&json, S("user"));
    changes_read(arena, &json, S("changes"), &entry.changes, &entry.changes_len);
    changes_read(arena, &json, S("lifts"), &entry.lifts, &entry.lifts_len);
    return entry;
}

/* The store is in purelib, where the scheme's directories are resolved. */
static struct err *site_find(struct arena *arena, const struct environment *env, struct str *ret) {
    struct scheme scheme;
    if (env->purelib.len == 0)
        return err_make(arena, ERR_ENVIRONMENT, "this environment is a description; nothing can be changed in it");
    TRY(scheme_make(arena, env, &scheme));
    *ret = scheme.purelib;
    return NULL;
}

struct err *history_list(struct arena *arena, const struct environment *env, const struct history_entry **ret,
                         int32_t *ret_len, const struct str **ret_problems, int32_t *ret_problems_len) {
    const struct transaction_entry *transactions = NULL;
    int32_t len = 0;
    struct str site;
    TRY(site_find(arena, env, &site));
    TRY(transaction_list(arena, NULL, site, &transactions, &len, ret_problems, ret_problems_len));
    struct history_entry *entries = arena_new(arena, struct history_entry, len);
    for (int32_t i = 0; i < len; i++) entries[i] = entry_make(arena, &transactions[i]);
    *ret = entries;
    *ret_len = len;
    return NULL;
}

const struct history_entry *history_last(const struct history_entry *entries, int32_t len) {
    for (int32_t i = len - 1; i >= 0; i--)
        if (!entries[i].transaction.undone_by.len && !entries[i].transaction.undoes.len) return &entries[i];
    return NULL;
}

/* uv locks a virtual environment by a file in it, and an interpreter of the system by one in the temporary directory.
 */
static void other_locks(struct arena *arena, const struct environment *env, struct transaction_options *options) {
    VEC(struct str) locks = {0};
    struct fs_stat st;
    const char *temporary = getenv("TMPDIR");
    struct str dir = str_of(temporary && *temporary == '/' ? temporary : "/tmp"), *names = NULL;
    int32_t len = 0;
    if (env->prefix.len) *vec_push(arena, &locks) = path_join(arena, env->prefix, S(".lock"));
    struct err *err = fs_stat(fs_real(), arena, path_join(arena, env->prefix, S("pyvenv.cfg")), true, &st);
    if (!err && !st.exists && !fs_list(fs_real(), arena, dir, &names, &len))
        for (int32_t i = 0; i < len; i++)
            if (str_starts(names[i], S("uv-")) && str_ends(names[i], S(".lock")))
                *vec_push(arena, &locks) = path_join(arena, dir, names[i]);
    options->locks = locks.data;
    options->locks_len = (int32_t)locks.len;
}

struct err *history_options(struct arena *arena, const struct environment *env, const struct str *files,
                            int32_t files_len, struct transaction_options *ret) {
    struct scheme scheme;
    const struct str *others = NULL;
    int32_t others_len = 0;
    VEC(struct str) roots = {0};
    if (env->purelib.len == 0)
        return err_make(arena, ERR_ENVIRONMENT, "this environment is a description; nothing can be changed in it");
    TRY(scheme_make(arena, env, &scheme));
    wheel_change_roots(arena, &scheme, &others, &others_len);
    for (int32_t i = 0; i < others_len; i++) *vec_push(arena, &roots) = others[i];
    for (int32_t i = 0; i < files_len; i++)
        *vec_push(arena, &roots) = str_slice(files[i], 0, str_find_last(files[i], '/'));
    *ret = (struct transaction_options){.site = scheme.purelib, .roots = roots.data, .roots_len = (int32_t)roots.len};
    other_locks(arena, env, ret);
    return NULL;
}

static struct err *store_open(struct arena *arena, const struct environment *env, enum transaction_way way,
                              enum transaction_recovery *ret_recovery, struct transaction_store **ret) {
    struct transaction_options options;
    TRY(history_options(arena, env, NULL, 0, &options));
    options.way = way;
    return transaction_open(arena, &options, ret_recovery, ret);
}

/* True if `name` in `dir`/__pycache__ is bytecode of a source that changes: `source.tag.pyc`, `source.tag.opt-1.pyc`.
 */
static bool is_of_changed(struct arena *arena, const struct map *changed, struct str dir, struct str name) {
    if (!str_ends(name, S(".pyc"))) return false;
    for (ptrdiff_t i = 0; i < name.len; i++) {
        if (name.data[i] != '.') continue;
        struct str source = str_format(arena, "%.*s.py", FMT(str_slice(name, 0, i)));
        if (map_find(changed, path_join(arena, dir, source)) >= 0) return true;
    }
    return false;
}

/* The bytecode in `dir`/__pycache__ of the sources that change. */
static void bytecode_add(struct arena *arena, const struct map *changed, struct str dir, op_vec *ops) {
    struct str cache = path_join(arena, dir, S("__pycache__")), *names = NULL;
    int32_t len = 0;
    if (sys_list(sys_real(), arena, str_copy_z(arena, cache), &names, &len)) return;
    ptrdiff_t before = ops->len;
    for (int32_t i = 0; i < len; i++) /* the bytecode of others stays, and so does the directory then */
        if (is_of_changed(arena, changed, dir, names[i]))
            *vec_push(arena, ops) = (struct transaction_op){
                .kind = TRANSACTION_REMOVE, .flags = TRANSACTION_DISPOSABLE, .path = path_join(arena, cache, names[i])};
    if (len && ops->len - before == len)
        *vec_push(arena, ops) = (struct transaction_op){.kind = TRANSACTION_RMDIR, .path = cache};
}

struct err *history_undo_in(struct arena *arena, struct transaction_store *store, struct str id, bool force,
                            struct str description, struct transaction_result *ret) {
    const struct str *paths = NULL;
    int32_t len = 0;
    struct map changed = {0}, dirs = {0};
    op_vec ops = {0};
    TRY(transaction_paths(store, id, &paths, &len));
    for (int32_t i = 0; i < len; i++) {
        if (!str_ends(paths[i], S(".py"))) continue;
        map_add(arena, &changed, paths[i], 1);
        map_add(arena, &dirs, str_slice(paths[i], 0, str_find_last(paths[i], '/')), 1);
    }
    for (int32_t i = 0; i < dirs.len; i++) bytecode_add(arena, &changed, dirs.keys[i], &ops);
    return transaction_undo(store, id, force, ops.data, (int32_t)ops.len, description, ret);
}

/* The changes of the transaction the other way round. */
static struct str undo_description(struct arena *arena, const struct history_entry *entry, const struct str *argv,
                                   int32_t argv_len) {
    struct history_change *changes = arena_new(arena, struct history_change, entry->changes_len);
    struct history_change *lifts = arena_new(arena, struct history_change, entry->lifts_len);
    for (int32_t i = 0; i < entry->changes_len; i++)
        changes[i] = (struct history_change){
            .name = entry->changes[i].name, .from = entry->changes[i].to, .to = entry->changes[i].from};
    for (int32_t i = 0; i < entry->lifts_len; i++)
        lifts[i] = (struct history_change){
            .name = entry->lifts[i].name, .from = entry->lifts[i].to, .to = entry->lifts[i].from};
    return history_format(arena, argv, argv_len, changes, entry->changes_len, lifts, entry->lifts_len);
}

static struct err *undo_found(struct arena *arena, const struct environment *env, struct transaction_store *store,
                              struct str id, bool force, const struct str *argv, int32_t argv_len,
                              struct transaction_result *ret) {
    const struct history_entry *entries = NULL, *entry = NULL;
    int32_t len = 0;
    TRY(history_list(arena, env, &entries, &len, NULL, NULL));
    if (id.len == 0) entry = history_last(entries, len);
    for (int32_t i = 0; i < len && id.len; i++)
        if (str_eq(entries[i].transaction.id, id)) entry = &entries[i];
    if (!entry && id.len) return err_make(arena, ERR_REQUEST, "there is no transaction '%.*s'", FMT(id));
    if (!entry) return err_make(arena, ERR_REQUEST, "there is no transaction to undo");
    return history_undo_in(arena, store, entry->transaction.id, force, undo_description(arena, entry, argv, argv_len),
                           ret);
}

struct err *history_undo(struct arena *arena, const struct environment *env, struct str id, bool force,
                         const struct str *argv, int32_t argv_len, struct transaction_result *ret) {
    struct transaction_store *store;
    TRY(store_open(arena, env, TRANSACTION_AUTO, NULL, &store));
    struct err *err = undo_found(arena, env, store, id, force, argv, argv_len, ret);
    transaction_close(store);
    return err;
}

bool history_pending(struct arena *arena, const struct environment *env) {
    struct str site;
    return !site_find(arena, env, &site) && transaction_pending(arena, NULL, site);
}

struct err *history_recover(struct arena *arena, const struct environment *env, enum transaction_way way,
                            enum transaction_recovery *ret) {
    struct transaction_store *store;
    if (!history_pending(arena, env)) {
        *ret = TRANSACTION_CLEAN;
        return NULL;
    }
    TRY(store_open(arena, env, way, ret, &store));
    transaction_close(store);
    return NULL;
}

int64_t history_size(const struct history_entry *entries, int32_t len) {
    int64_t bytes = 0;
    for (int32_t i = 0; i < len; i++) bytes += entries[i].transaction.undoable ? entries[i].transaction.bytes : 0;
    return bytes;
}

struct err *history_prune(struct arena *arena, const struct environment *env, int64_t most, int32_t spared,
                          int64_t *ret_freed) {
    const struct history_entry *entries = NULL;
    int32_t len = 0;
    int64_t freed = 0;
    struct transaction_store *store;
    TRY(store_open(arena, env, TRANSACTION_AUTO, NULL, &store));
    struct err *err = history_list(arena, env, &entries, &len, NULL, NULL);
    int64_t kept = err ? 0 : history_size(entries, len);
    for (int32_t i = 0; !err && i < len - spared && kept - freed > most; i++) {
        if (!entries[i].transaction.undoable) continue;
        err = transaction_forget(store, entries[i].transaction.id, false);
        if (!err) freed += entries[i].transaction.bytes;
    }
    transaction_close(store);
    if (!err) *ret_freed = freed;
    return err;
}
