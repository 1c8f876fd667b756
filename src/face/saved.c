#include "face/saved.h"

#include "base/arena.h"
#include "base/json.h"
#include "pypa/name.h"
#include "pypa/simple.h"
#include "stage/report.h"

static bool is_hash(struct str text, struct str algorithm) {
    return str_is_hex(text) && str_eq(simple_hash_name(text), algorithm);
}

/* The hex of "sha512:HEX" or "sha384:HEX", empty for other texts. */
static struct str strong_of(struct str verified) {
    struct str hex = verified, algorithm = str_cut(&hex, ':');
    bool strong = str_eq(algorithm, S("sha512")) || str_eq(algorithm, S("sha384"));
    return strong && is_hash(hex, algorithm) ? hex : (struct str){0};
}

static struct err *check_name(struct arena *arena, struct str name) {
    if (name_is_valid(name)) return NULL;
    return err_make(arena, ERR_SNAPSHOT, "not a project name: %.*s", FMT(name));
}

/* Visible ASCII only: what is exported goes into a shell, sed and a Dockerfile, where a line end begins a command. */
static bool is_plain(struct str text) {
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] >= 0x7F) return false;
    return true;
}

static struct err *check_version(struct arena *arena, struct str text) {
    struct version version;
    bool plain = is_plain(text) && str_find_char(text, ' ') < 0;
    if (text.len == 0 || (plain && version_try_parse(arena, text, &version))) return NULL;
    return err_make(arena, ERR_SNAPSHOT, "not a version: %.*s", FMT(text));
}

/* The path of a lock: no option of a program, no control characters. */
static struct err *check_file(struct arena *arena, struct str path) {
    bool good = str_is_utf8(path) && !str_starts(path, S("-"));
    for (ptrdiff_t i = 0; i < path.len; i++) good = good && (unsigned char)path.data[i] >= ' ' && path.data[i] != 0x7F;
    return good ? NULL : err_make(arena, ERR_SNAPSHOT, "not the file of a lock: %.*s", FMT(path));
}

/* The text of a lock: lines, no other control characters. */
static struct err *check_text(struct arena *arena, struct str text) {
    bool good = true;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        good = good && (c >= ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f') && c != 0x7F;
    }
    return good ? NULL : err_make(arena, ERR_SNAPSHOT, "the text of a lock holds control characters");
}

static bool action_find(struct str name, enum plan_action *ret) {
    for (int32_t i = PLAN_UPGRADE; i <= PLAN_REPLACE; i++) {
        if (!str_eq(report_action((enum plan_action)i), name)) continue;
        *ret = (enum plan_action)i;
        return true;
    }
    return false;
}

static void texts_of(struct arena *arena, const struct json *array, const struct str **ret, int32_t *ret_len) {
    struct str *texts = arena_new(arena, struct str, array->len);
    int32_t n = 0;
    for (int32_t i = 0; i < array->len; i++)
        if (array->items[i].kind == JSON_STRING) texts[n++] = array->items[i].text;
    *ret = texts;
    *ret_len = n;
}

static struct err *change_of(struct arena *arena, const struct json *json, struct plan_change *ret) {
    const struct json *artifact = json_find_object(json, S("artifact"));
    struct plan_change change = {
        .name = json_find_text(json, S("name")),
        .from = json_find_text(json, S("from")),
        .to = json_find_text(json, S("to")),
        .requested = json_find_bool(json, S("requested"), false),
        .direct = json_find_bool(artifact, S("direct"), false),
        .artifact = {.filename = json_find_text(artifact, S("filename")),
                     .sha256 = json_find_text(artifact, S("sha256")),
                     .strong = strong_of(json_find_text(artifact, S("verified")))},
    };
    struct str kind = json_find_text(artifact, S("kind")), url = json_find_text(artifact, S("url"));
    if (change.direct || str_eq(kind, S("tree")) || str_eq(kind, S("repository"))) change.artifact.url = url;
    if (!is_plain(change.artifact.url) || str_find_char(change.artifact.url, ' ') >= 0)
        return err_make(arena, ERR_SNAPSHOT, "%.*s: not a URL", FMT(change.name));
    TRY(check_name(arena, change.name));
    TRY(check_version(arena, change.to));
    if (!action_find(json_find_text(json, S("action")), &change.action))
        return err_make(arena, ERR_SNAPSHOT, "%.*s: an action that this version does not know", FMT(change.name));
    if (change.action != PLAN_REMOVE && change.to.len == 0)
        return err_make(arena, ERR_SNAPSHOT, "%.*s: the version lacks", FMT(change.name));
    texts_of(arena, json_find_array(json, S("because")), &change.because, &change.because_len);
    texts_of(arena, json_find_array(artifact, S("demanded")), &change.artifact.demanded, &change.artifact.demanded_len);
    if (change.artifact.sha256.len > 0 && !is_hash(change.artifact.sha256, S("sha256")))
        return err_make(arena, ERR_SNAPSHOT, "%.*s: not a SHA-256", FMT(change.name));
    change.raw_name = change.name;
    *ret = change;
    return NULL;
}

static struct err *lift_of(struct arena *arena, const struct json *json, struct plan_lift *ret) {
    struct plan_lift lift = {
        .name = json_find_text(json, S("name")),
        .from = json_find_text(json, S("from")),
        .to = json_find_text(json, S("to")),
        .file = json_find_text(json, S("file")),
        .line = (int32_t)json_find_int(json, S("line"), 0),
    };
    TRY(check_name(arena, lift.name));
    TRY(check_version(arena, lift.to));
    TRY(check_file(arena, lift.file));
    if (!is_plain(lift.from))
        return err_make(arena, ERR_SNAPSHOT, "%.*s: not the text of a lock: %.*s", FMT(lift.name), FMT(lift.from));
    *ret = lift;
    return NULL;
}

static struct err *fill(struct arena *arena, const struct json *root, struct saved *ret) {
    const struct json *environment = json_find_object(root, S("environment"));
    const struct json *changes = json_find_array(root, S("changes")), *lifts = json_find_array(root, S("lifts"));
    const struct json *locks = json_find_array(root, S("lock_after")),
                      *advisories = json_find_array(root, S("advisories"));
    struct saved saved = {.image = json_find_text(environment, S("image")),
                          .python = json_find_text(environment, S("python")),
                          .fingerprint = json_find_text(environment, S("fingerprint")),
                          .lock_fingerprint = json_find_text(environment, S("lock_fingerprint"))};
    texts_of(arena, json_find_array(root, S("requests")), &saved.requests, &saved.requests_len);
    texts_of(arena, json_find_array(root, S("remove")), &saved.remove, &saved.remove_len);
    for (int32_t i = 0; i < saved.remove_len; i++) TRY(check_name(arena, saved.remove[i]));
    struct plan_change *change = arena_new(arena, struct plan_change, changes->len);
    for (int32_t i = 0; i < changes->len; i++) TRY(change_of(arena, &changes->items[i], &change[i]));
    struct plan_lift *lift = arena_new(arena, struct plan_lift, lifts->len);
    for (int32_t i = 0; i < lifts->len; i++) TRY(lift_of(arena, &lifts->items[i], &lift[i]));
    struct saved_lock *lock = arena_new(arena, struct saved_lock, locks->len);
    for (int32_t i = 0; i < locks->len; i++) {
        lock[i] = (struct saved_lock){json_find_text(&locks->items[i], S("file")),
                                      json_find_text(&locks->items[i], S("text"))};
        TRY(check_text(arena, lock[i].text));
    }
    struct str *ignored = arena_new(arena, struct str, advisories->len);
    for (int32_t i = 0; i < advisories->len; i++)
        if (str_eq(json_find_text(&advisories->items[i], S("effect")), S("ignored")))
            ignored[saved.ignored_len++] = json_find_text(&advisories->items[i], S("id"));
    saved.changes = change, saved.changes_len = changes->len;
    saved.lifts = lift, saved.lifts_len = lifts->len;
    saved.locks = lock, saved.locks_len = locks->len;
    saved.ignored = ignored;
    *ret = saved;
    return NULL;
}

struct err *saved_read(struct arena *arena, const struct fs *fs, struct str path, struct saved *ret) {
    struct str text;
    TRY(fs_read(fs, arena, path, SAVED_MAX, &text));
    struct json root;
    struct err *cause = json_parse(arena, text, SAVED_MAX, &root);
    if (cause) return err_because(err_make(arena, ERR_SNAPSHOT, "%.*s is no saved plan", FMT(path)), cause);
    struct str status = json_find_text(&root, S("status"));
    if (json_find_int(&root, S("schema"), 0) != REPORT_SCHEMA || status.len == 0 ||
        json_find_array(&root, S("changes"))->len > SAVED_CHANGES_MAX)
        return err_hint(arena, err_make(arena, ERR_SNAPSHOT, "%.*s is no saved plan of schema 1", FMT(path)),
                        "unpin plan REQ -o plan.json writes one");
    if (!str_eq(status, S("feasible")))
        return err_make(arena, ERR_SNAPSHOT, "%.*s holds no plan to carry out: %.*s", FMT(path), FMT(status));
    cause = fill(arena, &root, ret);
    return cause ? err_because(err_make(arena, ERR_SNAPSHOT, "%.*s cannot be used", FMT(path)), cause) : NULL;
}
