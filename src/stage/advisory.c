#include "stage/advisory.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "pypa/name.h"

static const struct str severities[] = {
    [ADVISORY_INFO] = S_INIT("info"),
    [ADVISORY_WARN] = S_INIT("warn"),
    [ADVISORY_ERROR] = S_INIT("error"),
    [ADVISORY_SECURITY] = S_INIT("security"),
};

enum { SEVERITIES = sizeof severities / sizeof *severities };

ERR_MUST_CHECK static struct err *severity_parse(struct arena *arena, struct str text, enum advisory_severity *ret) {
    for (int i = 0; i < SEVERITIES; i++) {
        if (!str_eq(severities[i], text)) continue;
        *ret = (enum advisory_severity)i;
        return NULL;
    }
    return err_make(arena, ERR_CONFIG, "'%.*s' is no severity", FMT(text));
}

ERR_MUST_CHECK static struct err *when_parse(struct arena *arena, const struct json *array, struct advisory *ret) {
    struct requirement *when = arena_new(arena, struct requirement, array->len);
    for (int32_t i = 0; i < array->len; i++) TRY(requirement_parse(arena, array->items[i].text, &when[i]));
    if (array->len == 0) return err_make(arena, ERR_CONFIG, "an advisory without 'when'");
    ret->when = when;
    ret->when_len = array->len;
    return NULL;
}

ERR_MUST_CHECK static struct err *on_change_parse(struct arena *arena, const struct json *array, struct advisory *ret) {
    struct str *names = arena_new(arena, struct str, array->len);
    for (int32_t i = 0; i < array->len; i++) {
        if (!name_is_valid(array->items[i].text))
            return err_make(arena, ERR_CONFIG, "'%.*s' is no name of a project", FMT(array->items[i].text));
        names[i] = name_normalize(arena, array->items[i].text);
    }
    ret->on_change = names;
    ret->on_change_len = array->len;
    return NULL;
}

/* True where env's NGC release is in the specifiers, or is known at all for "present". */
ERR_MUST_CHECK static struct err *ngc_match(struct arena *arena, const struct environment *env, struct str text,
                                            bool *ret) {
    struct specifier_set set;
    struct version release;
    bool present = str_eq(text, S("present"));
    if (!present) TRY(specifier_set_parse(arena, text, &set));
    *ret = env->ngc.len > 0;
    if (*ret && !present) *ret = version_try_parse(arena, env->ngc, &release) && specifier_set_match(&set, &release);
    return NULL;
}

/* True where every condition on the environment holds. */
ERR_MUST_CHECK static struct err *condition_match(struct arena *arena, const struct environment *env,
                                                  const struct json *conditions, bool *ret) {
    *ret = true;
    for (int32_t i = 0; i < conditions->len; i++) {
        struct str key = conditions->keys[i], value = conditions->items[i].text;
        bool holds = false;
        if (str_eq(key, S("torch")) && str_eq(value, S("vendor"))) {
            const struct dist *torch = environment_find(env, S("torch"));
            holds = torch && torch->vendor;
        } else if (str_eq(key, S("ngc"))) {
            TRY(ngc_match(arena, env, value, &holds));
        } else {
            return err_make(arena, ERR_CONFIG, "'%.*s' is no condition on an environment", FMT(key));
        }
        *ret = *ret && holds;
    }
    return NULL;
}

static struct str sources_of(struct arena *arena, const struct json *array) {
    struct buf text = {.arena = arena};
    for (int32_t i = 0; i < array->len; i++) buf_addf(&text, "%s%.*s", i ? " " : "", FMT(array->items[i].text));
    return buf_str(&text);
}

/* One advisory; `*applies` tells whether its environment condition holds. */
ERR_MUST_CHECK static struct err *advisory_parse(struct arena *arena, struct str text, const struct environment *env,
                                                 bool *applies, struct advisory *ret) {
    struct json json;
    TRY(json_parse(arena, text, ADVISORY_FILE_MAX, &json));
    struct advisory advisory = {
        .id = json_find_text(&json, S("id")),
        .text = json_find_text(&json, S("symptom")),
        .fix = json_find_text(&json, S("fix")),
        .source = sources_of(arena, json_find_array(&json, S("sources"))),
        .confidence = json_find_text(&json, S("confidence")),
    };
    if (advisory.id.len == 0 || advisory.text.len == 0)
        return err_make(arena, ERR_CONFIG, "an advisory without id or symptom");
    TRY(severity_parse(arena, json_find_text(&json, S("severity")), &advisory.severity));
    TRY(when_parse(arena, json_find_array(&json, S("when")), &advisory));
    TRY(on_change_parse(arena, json_find_array(&json, S("on_change")), &advisory));
    TRY(condition_match(arena, env, json_find_object(&json, S("environment")), applies));
    *ret = advisory;
    return NULL;
}

struct err *advisories_read(struct arena *arena, const struct fs *fs, struct str dir, const struct environment *env,
                            struct advisories *ret) {
    struct str *names;
    int32_t len;
    VEC(struct advisory) items = {0};
    TRY(fs_list(fs, arena, dir, &names, &len));
    for (int32_t i = 0; i < len && items.len < ADVISORIES_MAX; i++) {
        if (!str_ends(names[i], S(".json"))) continue;
        struct str text, path = path_join(arena, dir, names[i]);
        struct advisory advisory;
        bool applies = false;
        struct err *err = fs_read(fs, arena, path, ADVISORY_FILE_MAX, &text);
        if (!err) err = advisory_parse(arena, text, env, &applies, &advisory);
        if (err) {
            err->kind = ERR_CONFIG;
            return err_at(err, path, err->line, err->column);
        }
        if (applies) *vec_push(arena, &items) = advisory;
    }
    /* Files are named after their ids, so name order is the order of ids. */
    *ret = (struct advisories){items.data, (int32_t)items.len};
    return NULL;
}
