/*
 * unpin apply - carries out a saved plan.
 *
 * What the file says is not believed: the same changes are planned again, each version pinned, and the plan must come
 * out the same, down to the hashes of the files. So the checker has seen it, and the index's credentials are at hand.
 */
#include "face/command.h"

#include "base/arena.h"
#include "face/saved.h"

/* Most often the plan is good, and another environment was found. */
static const char which[] =
    "is it the right one? --python and --lock name it as they did for `unpin plan`; else make the plan again";

/* Words that pin every version; a request by URL stays as it is. */
static struct session_request request_of(struct arena *arena, const struct saved *saved) {
    struct session_request request = {
        .words = {arena_new(arena, struct str, saved->requests_len + saved->changes_len), 0}};
    for (int32_t i = 0; i < saved->requests_len; i++) request.words.items[request.words.len++] = saved->requests[i];
    struct str *removed = arena_new(arena, struct str, saved->changes_len);
    for (int32_t i = 0; i < saved->changes_len; i++) {
        const struct plan_change *change = &saved->changes[i];
        if (change->action == PLAN_REMOVE) removed[request.remove.len++] = change->name;
        else
            request.words.items[request.words.len++] =
                str_format(arena, "%.*s==%.*s", FMT(change->name), FMT(change->to));
    }
    request.remove.items = removed;
    return request;
}

static const struct plan_change *change_find(const struct saved *saved, struct str name) {
    for (int32_t i = 0; i < saved->changes_len; i++)
        if (str_eq(saved->changes[i].name, name)) return &saved->changes[i];
    return NULL;
}

/* The plan tells what was asked for then, without the words that pin every version. */
static void tell_requests(struct arena *arena, const struct saved *saved, struct plan *plan) {
    struct want *want = arena_new(arena, struct want, 1);
    *want = *plan->want;
    want->requests_len = saved->requests_len; /* the pins follow */
    plan->want = want;
}

/* What the saved plan told of a file counts where the index does not tell it. False: they tell different things. */
static bool take_hash(const struct str *was, struct str *is) {
    if (!is->len) *is = *was;
    return !was->len || is->len != was->len || str_eq(*was, *is);
}

/* ERR_CHANGED unless the plans are the same. Takes over who asked for what: every version is pinned now. */
static struct err *compare(struct session *session, const struct saved *saved, struct plan *plan) {
    struct arena *arena = session->arena;
    struct err *other = err_make(arena, ERR_CHANGED, "the saved plan does not hold any more");
    if (plan->status != PLAN_FEASIBLE || plan->changes_len != saved->changes_len || plan->lifts_len != saved->lifts_len)
        return err_hint(arena, other, "make it again: unpin plan … -o plan.json");
    struct plan_change *changes = arena_new(arena, struct plan_change, plan->changes_len);
    for (int32_t i = 0; i < plan->changes_len; i++) {
        changes[i] = plan->changes[i];
        const struct plan_change *old = change_find(saved, changes[i].name);
        if (!old || old->action != changes[i].action || !str_eq(old->to, changes[i].to))
            return err_hint(arena, other, "%.*s would change differently now", FMT(changes[i].name));
        if (!take_hash(&old->artifact.sha256, &changes[i].artifact.sha256) ||
            !take_hash(&old->artifact.strong, &changes[i].artifact.strong))
            return err_make(arena, ERR_HASH, "%.*s %.*s has another hash than in the saved plan", FMT(changes[i].name),
                            FMT(changes[i].to));
        changes[i].requested = old->requested;
        if (old->because_len) changes[i].because = old->because, changes[i].because_len = old->because_len;
        changes[i].artifact.demanded = old->artifact.demanded;
        changes[i].artifact.demanded_len = old->artifact.demanded_len;
    }
    plan->changes = changes;
    tell_requests(arena, saved, plan);
    return NULL;
}

/* The limits under which the same plan comes out: what the saved one replaced and ignored is allowed again. */
static struct options limits_of(struct session *session, const struct saved *saved) {
    struct options options = *session->options;
    struct str *replace = arena_new(session->arena, struct str, saved->changes_len);
    options.replace = (struct option_list){replace, 0};
    for (int32_t i = 0; i < saved->changes_len; i++) replace[options.replace.len++] = saved->changes[i].name;
    struct str *ignored = arena_new(session->arena, struct str, saved->ignored_len);
    for (int32_t i = 0; i < saved->ignored_len; i++) ignored[i] = saved->ignored[i];
    options.ignore_advisories = (struct option_list){ignored, saved->ignored_len};
    options.allow_stale = true;
    return options;
}

struct err *cmd_apply(struct session *session, int *ret_status) {
    struct option_list words = session_words(session);
    if (words.len != 1)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "apply wants one saved plan"),
                        "unpin plan REQ -o plan.json writes one");
    struct saved saved;
    TRY(saved_read(session->arena, session->fs, words.items[0], &saved));
    TRY(session_open_environment(session));
    TRY(session_need_live(session));
    session_expect_change(session);
    if (!str_eq(saved.fingerprint, environment_fingerprint(session->arena, &session->env)))
        return err_hint(
            session->arena,
            err_make(session->arena, ERR_CHANGED, "the environment is not the one that the plan was made for"), "%s",
            which);
    if (!str_eq(saved.lock_fingerprint, lock_fingerprint(session->arena, &session->locks)))
        return err_hint(session->arena,
                        err_make(session->arena, ERR_CHANGED, "the lock is not the one that the plan was made for"),
                        "%s", which);
    struct options *limits = arena_new(session->arena, struct options, 1);
    *limits = limits_of(session, &saved);
    session->options = limits;
    const struct session_request request = request_of(session->arena, &saved);
    struct plan plan;
    TRY(session_propose(session, &request, &plan));
    TRY(compare(session, &saved, &plan));
    bool again = false;
    TRY(session_offer(session, &plan, &again, ret_status));
    if (!again) return NULL;
    return err_hint(session->arena,
                    err_make(session->arena, ERR_CHANGED, "what was built requires other things than was planned with"),
                    "make the plan again with --build: then it is known; nothing was changed");
}
