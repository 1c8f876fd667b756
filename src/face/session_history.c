/* What the transactions did to one project, and to the lock. */
#include "face/session.h"

#include "base/arena.h"

/* True for a transaction whose changes are still in place. */
static bool in_place(const struct history_entry *entry) {
    return entry->transaction.undoes.len == 0 && entry->transaction.undone_by.len == 0;
}

struct err *session_lifts(struct session *session, struct session_lift **ret, int32_t *ret_len) {
    VEC(struct session_lift) lifts = {0};
    const struct history_entry *entries = NULL;
    const struct str *problems;
    int32_t len = 0, problems_len = 0;
    if (session->live) TRY(history_list(session->arena, &session->env, &entries, &len, &problems, &problems_len));
    for (int32_t i = 0; i < len; i++)
        for (int32_t k = 0; in_place(&entries[i]) && k < entries[i].lifts_len; k++)
            *vec_push(session->arena, &lifts) = (struct session_lift){&entries[i], &entries[i].lifts[k]};
    *ret = lifts.data;
    *ret_len = (int32_t)lifts.len;
    return NULL;
}

struct err *session_transactions_of(struct session *session, struct str name, const struct str **ret,
                                    int32_t *ret_len) {
    VEC(struct str) sentences = {0};
    const struct history_entry *entries = NULL;
    const struct str *problems;
    int32_t len = 0, problems_len = 0;
    if (session->live) TRY(history_list(session->arena, &session->env, &entries, &len, &problems, &problems_len));
    for (int32_t i = len - 1; i >= 0; i--) {
        for (int32_t k = 0; k < entries[i].changes_len; k++) {
            const struct history_change *change = &entries[i].changes[k];
            if (!str_eq(change->name, name)) continue;
            *vec_push(session->arena, &sentences) = str_format(
                session->arena, "transaction %.*s: %.*s%s%.*s (%.*s)", FMT(entries[i].transaction.id),
                FMT(change->from), change->from.len && change->to.len ? " → " : "", FMT(change->to),
                FMT(report_mask(session->arena, report_shell(session->arena, entries[i].argv, entries[i].argv_len))));
        }
    }
    *ret = sentences.data;
    *ret_len = (int32_t)sentences.len;
    return NULL;
}
