/* unpin install and unpin remove - plan, show, ask, apply, verify. */
#include "face/command.h"

#include "base/arena.h"

enum { ROUNDS_MAX = 20 /* plans that builds may upset */ };

struct err *cmd_install(struct session *session, int *ret_status) {
    const struct options *options = session->options;
    const struct session_request request = {session_words(session), options->files, options->remove, options->editable};
    if (request.words.len + request.files.len + request.remove.len + request.editable.len == 0)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "nothing to install"),
                        "for example: unpin install 'numpy>=2'");
    struct plan plan;
    TRY(session_open_environment(session));
    TRY(session_need_live(session));
    session_expect_change(session);
    bool again = true;
    for (int32_t round = 0; round < ROUNDS_MAX && again; round++) {
        TRY(session_propose(session, &request, &plan));
        TRY(session_offer(session, &plan, &again, ret_status));
    }
    if (again) return err_make(session->arena, ERR_BUILD, "no plan lasts: each build told of other requirements");
    return NULL;
}

/* Who removes wants less, not other versions: all that stays is kept as it is, so what needs a removed distribution is
 * the reason why there is no plan. */
static struct err *keep_others(struct session *session, const struct session_request *request) {
    struct map removed = {0};
    for (int32_t i = 0; i < request->remove.len; i++) {
        struct str name;
        TRY(want_parse_name(session->arena, request->remove.items[i], &name));
        map_add(session->arena, &removed, name, i);
    }
    struct options *options = arena_new(session->arena, struct options, 1);
    *options = *session->options;
    options->keep = (struct option_list){arena_new(session->arena, struct str, session->env.by_name.len), 0};
    for (int32_t i = 0; i < session->env.by_name.len; i++)
        if (map_find(&removed, session->env.by_name.keys[i]) < 0)
            options->keep.items[options->keep.len++] = session->env.by_name.keys[i];
    session->options = options;
    return NULL;
}

/* True if the command lets something change that a removal keeps: then it is no `unpin remove`. */
static bool lets_change(const struct plan_suggestion *suggestion, int32_t keep_len) {
    int32_t kept = 0;
    for (int32_t k = 0; k < suggestion->argv_len; k++) kept += str_eq(suggestion->argv[k], S("--keep"));
    return kept < keep_len;
}

/* Tells the plan in the words of a removal: that the others stay is no wish of the user, and no option to repeat. */
static void tell_kept(struct session *session, const struct options *given, struct plan *plan) {
    struct plan_fact *facts = arena_new(session->arena, struct plan_fact, plan->reason_len);
    for (int32_t i = 0; i < plan->reason_len; i++) {
        facts[i] = plan->reason[i];
        if (facts[i].kind == FACT_KEEP)
            facts[i].sentence = str_format(session->arena, "%.*s %.*s stays: it is not to be removed",
                                           FMT(facts[i].name), FMT(facts[i].version));
    }
    plan->reason = facts;
    struct plan_suggestion *suggestions = arena_new(session->arena, struct plan_suggestion, plan->suggestions_len);
    for (int32_t i = 0; i < plan->suggestions_len; i++) {
        const struct plan_suggestion *old = &plan->suggestions[i];
        struct str *argv = arena_new(session->arena, struct str, old->argv_len * 2); /* "--remove" before each name */
        bool plans = lets_change(old, session->options->keep.len), names = true;
        int32_t len = 0;
        for (int32_t k = 0; k < old->argv_len; k++) {
            bool kept = str_eq(old->argv[k], S("--keep")) && k + 1 < old->argv_len;
            bool own = false;
            for (int32_t j = 0; kept && j < given->keep.len; j++)
                own = own || str_eq(given->keep.items[j], old->argv[k + 1]);
            names = names && !str_starts(old->argv[k], S("-"));
            if (plans && names && k > 1) argv[len++] = S("--remove");
            if (kept && !own) k++;
            else argv[len++] = plans && k == 1 ? S("plan") : old->argv[k];
        }
        suggestions[i] = *old;
        suggestions[i].argv = argv;
        suggestions[i].argv_len = len;
    }
    plan->suggestions = suggestions;
}

struct err *cmd_remove(struct session *session, int *ret_status) {
    const struct session_request request = {.remove = session_words(session)};
    if (request.remove.len == 0)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "nothing to remove"),
                        "for example: unpin remove tensorboard");
    struct plan plan;
    const struct options *given = session->options;
    TRY(session_open_environment(session));
    TRY(session_need_live(session));
    session_expect_change(session);
    TRY(keep_others(session, &request));
    TRY(session_propose(session, &request, &plan));
    tell_kept(session, given, &plan);
    bool again = false; /* a removal builds nothing */
    return session_offer(session, &plan, &again, ret_status);
}
