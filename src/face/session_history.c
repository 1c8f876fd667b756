/* What the transactions did to one project and to the lock, and what they keep. */
#include "face/session.h"

#include "base/arena.h"
#include "stage/wheel_owned.h"

#include <stdlib.h>

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

struct err *session_size(struct arena *arena, struct str text, struct str what, int64_t *ret) {
    static const char units[] = "kMGT";
    enum { DIGITS_MAX = 6 };
    struct str number = text, fraction;
    int64_t factor = 1, whole = 0, part = 0, scale = 1;
    ptrdiff_t unit =
        text.len ? str_find_char(S("kMGT"), text.data[text.len - 1] == 'K' ? 'k' : text.data[text.len - 1]) : -1;
    if (unit >= 0) number = str_slice(text, 0, text.len - 1);
    for (ptrdiff_t i = 0; i <= unit && units[i]; i++) factor *= 1000;
    fraction = number;
    struct str digits = str_cut(&fraction, '.');
    bool good = digits.len > 0 && digits.len <= DIGITS_MAX * 2 && str_to_int(digits, &whole) && whole >= 0;
    if (fraction.len)
        good = good && unit >= 0 && fraction.len <= DIGITS_MAX && str_to_int(fraction, &part) && part >= 0;
    if (!good || whole > INT64_MAX / factor / 2) {
        struct err *err = err_make(arena, ERR_USAGE, "%.*s: '%.*s' is no size", FMT(what), FMT(text));
        return err_hint(arena, err, "write 500M, 1.5G or 0");
    }
    for (ptrdiff_t i = 0; i < fraction.len; i++) scale *= 10;
    *ret = whole * factor + part * (factor / scale);
    return NULL;
}

/* Bytes of the files that a distribution lists. */
static int64_t dist_size(struct session *session, int32_t number) {
    const struct record_row *rows = NULL;
    struct str site;
    int32_t len = 0;
    int64_t bytes = 0;
    owned_rows(session->arena, session->fs, &session->env, number, &site, &rows, &len);
    for (int32_t i = 0; i < len; i++)
        if (rows[i].size > 0 && rows[i].size < INT64_MAX - bytes) bytes += rows[i].size;
    return bytes;
}

struct err *session_kept_read(struct session *session, const struct plan *plan, struct session_kept *ret) {
    const struct environment *env = &session->env;
    struct session_kept kept = {.most = INT64_MAX};
    const struct history_entry *entries = NULL;
    struct str most = str_of(getenv("UNPIN_UNDO_MAX"));
    int32_t len = 0;
    if (most.len) {
        struct err *err = session_size(session->arena, most, S("UNPIN_UNDO_MAX"), &kept.most);
        if (err) err->kind = ERR_CONFIG;
        TRY(err);
    }
    if (!env->layer.coming) TRY(history_list(session->arena, env, &entries, &len, NULL, NULL));
    kept.so_far = history_size(entries, len);
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct dist *dist = environment_find(env, plan->changes[i].name);
        bool below = dist && env->layer.of.len && !str_starts(env->sites[dist->site], env->prefix);
        if (dist && dist->site >= 0 && !below) kept.adds += dist_size(session, (int32_t)(dist - env->dists));
    }
    *ret = kept;
    return NULL;
}
