/* A name that was asked for and may not be the one that was meant: a misspelt one, or that of a module. */
#include "face/session.h"

#include "base/arena.h"
#include "stage/scan.h"

enum { SHORT_NAME = 4, TOLD_OF_EXISTING = 5 };

typedef VEC(struct str) names;

/* True if a site directory has a module of that name, or a package. */
static bool has_module(struct session *session, struct str name) {
    const struct environment *env = &session->env;
    for (int32_t i = 0; i < env->sites_len; i++) {
        const struct str paths[] = {path_join(session->arena, env->sites[i], name),
                                    str_format(session->arena, "%.*s/%.*s.py", FMT(env->sites[i]), FMT(name))};
        for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
            struct fs_stat st = {0};
            if (fs_stat(session->fs, session->arena, paths[k], true, &st) == NULL && st.exists) return true;
        }
    }
    return false;
}

/* The installed distribution that owns the module, NULL: none does. */
static const struct dist *owner_of(struct session *session, struct str module) {
    const struct environment *env = &session->env;
    if (!session->live || !has_module(session, module)) return NULL;
    for (int32_t i = 0; i < env->dists_len; i++) {
        const struct str *modules;
        int32_t len;
        if (env->dists[i].shadowed) continue;
        scan_top_level(session->arena, session->fs, env, &env->dists[i], &modules, &len);
        for (int32_t k = 0; k < len; k++)
            if (str_eq(modules[k], module)) return &env->dists[i];
    }
    return NULL;
}

static void take_nearer(struct str name, struct str other, int32_t *best_distance, struct str *best) {
    int32_t distance = options_distance(name, other);
    if (distance >= *best_distance) return;
    *best_distance = distance;
    *best = other;
}

/* The name of something installed or locked that differs in at most `most` letters, empty: none. */
static struct str nearest(const struct session *session, struct str name, int32_t most) {
    struct str best = S("");
    int32_t best_distance = most + 1;
    const struct dist *dists = session->env.dists;
    const struct lock_line *lines = session->locks.lines;
    for (int32_t i = 0; dists && i < session->env.dists_len; i++)
        take_nearer(name, dists[i].name, &best_distance, &best);
    for (int32_t i = 0; lines && i < session->locks.lines_len; i++)
        take_nearer(name, lines[i].requirement.name, &best_distance, &best);
    return best;
}

/* True if no index has the project: a fact of the refusal. */
static bool is_absent(const struct plan *plan, struct str name) {
    for (int32_t i = 0; i < plan->reason_len; i++)
        if (plan->reason[i].kind == FACT_ABSENT && plan->reason[i].text.len == 0 && str_eq(plan->reason[i].name, name))
            return true;
    return false;
}

static struct str tell_name(struct session *session, const struct requirement *asked, bool absent) {
    struct arena *arena = session->arena;
    struct buf spelt = {.arena = arena};
    for (ptrdiff_t i = 0; i < asked->raw_name.len; i++)
        buf_add_char(&spelt, asked->raw_name.data[i] == '-' ? '_' : asked->raw_name.data[i]);
    struct str module = buf_str(&spelt);
    const struct dist *owner = owner_of(session, module);
    if (owner && !str_eq(owner->name, asked->name))
        return str_format(arena, "the module %.*s is there: %.*s %.*s brings it", FMT(module), FMT(owner->raw_name),
                          FMT(owner->version.text));
    if (!absent && asked->name.len < TOLD_OF_EXISTING) return S(""); /* short names are near each other by chance */
    struct str meant = nearest(session, asked->name, absent && asked->name.len > SHORT_NAME ? 2 : 1);
    if (!meant.len) return S("");
    bool installed = environment_find(&session->env, meant) != NULL;
    return str_format(arena, "%.*s is not %.*s, which is %s: did you mean that?", FMT(asked->raw_name), FMT(meant),
                      installed ? "installed" : "named by the lock");
}

const struct str *session_tell_names(struct session *session, const struct plan *plan, int32_t *ret_len) {
    names told = {0};
    for (int32_t i = 0; i < plan->want->requests_len; i++) {
        const struct request *request = &plan->want->requests[i];
        const struct requirement *asked = &request->requirement;
        bool absent = is_absent(plan, asked->name);
        if (request->constraint || asked->url.len || environment_find(&session->env, asked->name)) continue;
        if (plan->status == PLAN_INFEASIBLE && !absent) continue;
        struct str sentence = tell_name(session, asked, absent);
        if (sentence.len) *vec_push(session->arena, &told) = sentence;
    }
    *ret_len = (int32_t)told.len;
    return told.data;
}
