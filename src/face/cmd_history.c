/* unpin history, undo, recover - the transactions and the way back. */
#include "face/command.h"

#include "base/arena.h"
#include "stage/history.h"

#include <time.h>

enum { TIME_MAX = 32 };

/* "2026-11-21 12:30:05Z". */
static struct str time_text(struct arena *arena, int64_t seconds) {
    time_t when = (time_t)seconds;
    struct tm parts;
    char text[TIME_MAX];
    if (!gmtime_r(&when, &parts) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts) == 0) return S("");
    return str_copy(arena, str_of(text));
}

/* What the files of all of these were compared with, if that is one thing and worth a word. */
static struct str doubt_of(const struct history_change *changes, int32_t len) {
    struct str doubt = {0};
    for (int32_t i = 0; i < len; i++) {
        struct str verified = changes[i].verified;
        if (i > 0 && !str_eq(doubt, verified)) return (struct str){0};
        doubt = verified;
    }
    return doubt;
}

static struct str doubt_text(struct str verified) {
    if (str_eq(verified, S("size"))) return S(" (the index gave a size, but no hash)");
    if (str_eq(verified, S("nothing"))) return S(" (the index gave no hash)");
    return (struct str){0};
}

static struct str changes_text(struct arena *arena, const struct history_change *changes, int32_t len) {
    struct buf buf = {.arena = arena};
    struct str doubt = doubt_of(changes, len); /* told once, behind the last */
    for (int32_t i = 0; i < len; i++) {
        buf_addf(&buf, "%s%.*s ", i ? ", " : "", FMT(changes[i].name));
        if (changes[i].to.len == 0) buf_addf(&buf, "%.*s removed", FMT(changes[i].from));
        else if (changes[i].from.len == 0) buf_addf(&buf, "%.*s added", FMT(changes[i].to));
        else buf_addf(&buf, "%.*s → %.*s", FMT(changes[i].from), FMT(changes[i].to));
        if (!doubt.len) buf_add(&buf, doubt_text(changes[i].verified));
    }
    buf_add(&buf, doubt_text(doubt));
    return buf_str(&buf);
}

static struct str state_text(struct arena *arena, const struct history_entry *entry) {
    const struct transaction_entry *transaction = &entry->transaction;
    if (transaction->undoes.len) return str_format(arena, "undo of %.*s", FMT(transaction->undoes));
    if (transaction->undone_by.len) return str_format(arena, "undone by %.*s", FMT(transaction->undone_by));
    return transaction->undoable ? S("") : S("cannot be undone");
}

static void print_list(struct session *session, const struct history_entry *entries, int32_t len) {
    struct arena *arena = session->arena;
    struct buf buf = {.arena = arena};
    if (len == 0) buf_add(&buf, S("No transaction of unpin in this environment.\n"));
    for (int32_t i = len - 1; i >= 0; i--) {
        const struct history_entry *entry = &entries[i];
        struct str state = state_text(arena, entry);
        report_paint(&buf, &session->look, "1", entry->transaction.id);
        buf_addf(&buf, "  %.*s", FMT(time_text(arena, entry->transaction.time)));
        if (entry->user.len) {
            buf_add(&buf, S("  by "));
            term_escape(&buf, entry->user);
        }
        if (entry->transaction.undoable)
            buf_addf(&buf, "  %.*s kept", FMT(report_size(arena, entry->transaction.bytes)));
        if (state.len) {
            buf_add(&buf, S("  "));
            report_paint(&buf, &session->look, "33", state);
        }
        buf_add(&buf, S("\n    "));
        term_escape(&buf, changes_text(arena, entry->changes, entry->changes_len));
        buf_add(&buf, S("\n    "));
        report_paint(&buf, &session->look, "2", report_mask(arena, report_shell(arena, entry->argv, entry->argv_len)));
        buf_add_char(&buf, '\n');
    }
    session_print(session, buf_str(&buf));
}

static void write_entry(struct json_writer *w, const struct history_entry *entry) {
    struct arena *arena = w->buf->arena;
    json_begin_object(w);
    json_key_string(w, S("id"), entry->transaction.id);
    json_key_string(w, S("time"), time_text(arena, entry->transaction.time));
    json_key(w, S("argv"));
    json_begin_array(w);
    for (int32_t i = 0; i < entry->argv_len; i++) json_string(w, report_mask(arena, entry->argv[i]));
    json_end_array(w);
    json_key_string(w, S("user"), entry->user);
    history_changes_write(w, S("lifts"), entry->lifts, entry->lifts_len);
    history_changes_write(w, S("changes"), entry->changes, entry->changes_len);
    json_key_string(w, S("undoes"), entry->transaction.undoes);
    json_key_string(w, S("undone_by"), entry->transaction.undone_by);
    json_key_bool(w, S("undoable"), entry->transaction.undoable);
    json_key_int(w, S("bytes"), entry->transaction.bytes);
    json_end_object(w);
}

static struct err *entries_of(struct session *session, const struct history_entry **ret, int32_t *ret_len) {
    const struct str *problems;
    int32_t problems_len = 0;
    TRY(session_open_environment(session));
    TRY(session_need_live(session));
    TRY(history_list(session->arena, &session->env, ret, ret_len, &problems, &problems_len));
    for (int32_t i = 0; i < problems_len; i++) session_note(session, problems[i]);
    return NULL;
}

/* `history prune SIZE`: less is kept for undo. */
static struct err *prune(struct session *session, struct str word, int64_t *ret_freed) {
    const struct history_entry *entries;
    int32_t len = 0;
    int64_t most = 0;
    TRY(session_size(session->arena, word, S("history prune"), &most));
    TRY(entries_of(session, &entries, &len));
    int64_t kept = history_size(entries, len);
    if (kept <= most) {
        *ret_freed = 0;
        return NULL;
    }
    struct str question = str_format(session->arena, "Keep at most %.*s of %.*s? What goes cannot be undone. [y/N] ",
                                     FMT(report_size(session->arena, most)), FMT(report_size(session->arena, kept)));
    TRY(session_ask(session, question));
    return history_prune(session->arena, &session->env, most, 0, ret_freed);
}

static struct err *cmd_prune(struct session *session) {
    const struct option_list words = session_words(session);
    int64_t freed = 0;
    if (words.len != 2 || !str_eq(words.items[0], S("prune")))
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "history takes no words but prune SIZE"),
                        "for example: unpin history prune 500M");
    TRY(prune(session, words.items[1], &freed));
    if (!session->options->json) {
        session_print(session, str_format(session->arena, "Freed %.*s.\n", FMT(report_size(session->arena, freed))));
        return NULL;
    }
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key_int(&w, S("freed"), freed);
    session_print(session, report_end_json(&w));
    return NULL;
}

struct err *cmd_history(struct session *session, int *ret_status) {
    (void)ret_status;
    const struct history_entry *entries;
    int32_t len = 0;
    if (session_words(session).len) return cmd_prune(session);
    TRY(entries_of(session, &entries, &len));
    if (!session->options->json) {
        print_list(session, entries, len);
        return NULL;
    }
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key(&w, S("transactions")); /* newest first */
    json_begin_array(&w);
    for (int32_t i = len - 1; i >= 0; i--) write_entry(&w, &entries[i]);
    json_end_array(&w);
    session_print(session, report_end_json(&w));
    return NULL;
}

/* The number behind `undo`: 1 without one. */
static struct err *count_of(struct session *session, int64_t *ret) {
    struct option_list words = session_words(session);
    *ret = 1;
    if (words.len == 0) return NULL;
    if (words.len == 1 && str_to_int(words.items[0], ret) && *ret > 0) return NULL;
    return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "undo wants a number of transactions"),
                    "unpin undo takes the last one back, unpin undo 2 the last two");
}

static struct str what_is_undone(struct arena *arena, const struct history_entry *entry) {
    return str_format(arena, "transaction %.*s (%.*s): %.*s", FMT(entry->transaction.id),
                      FMT(time_text(arena, entry->transaction.time)),
                      FMT(changes_text(arena, entry->changes, entry->changes_len)));
}

/* The transaction of --only. */
static struct err *entry_of_only(struct session *session, const struct history_entry *entries, int32_t len,
                                 const struct history_entry **ret) {
    const struct history_entry *found = NULL;
    struct str only = session->options->only;
    for (int32_t i = 0; i < len; i++)
        if (str_eq(entries[i].transaction.id, only)) found = &entries[i];
    if (!found) return err_make(session->arena, ERR_REQUEST, "there is no transaction '%.*s'", FMT(only));
    if (found != history_last(entries, len) && !session->options->force)
        TRY(history_undo_check(session->arena, &session->env, found));
    *ret = found;
    return NULL;
}

/* What is to be taken back, newest first: the last `count` that are in force, or that of --only. All of them are known
 * before consent is asked for, so that nobody agrees to what was not shown. */
static struct err *entries_to_undo(struct session *session, int64_t count, const struct history_entry ***ret) {
    const struct history_entry *entries, **found;
    int32_t len = 0;
    int64_t n = 0;
    TRY(entries_of(session, &entries, &len));
    found = arena_new(session->arena, const struct history_entry *, len + 1);
    if (session->options->only.len) {
        TRY(entry_of_only(session, entries, len, &found[0]));
        *ret = found;
        return NULL;
    }
    for (int32_t left = len; n < count; n++) {
        found[n] = history_last(entries, left);
        if (!found[n]) break;
        left = (int32_t)(found[n] - entries);
    }
    if (n == 0) return err_make(session->arena, ERR_REQUEST, "there is no transaction to undo");
    for (int64_t i = 1; i < n; i++)
        if (!found[i]->transaction.undoable)
            return err_hint(session->arena,
                            err_make(session->arena, ERR_REQUEST,
                                     "transaction %.*s cannot be undone: what it replaced is not kept",
                                     FMT(found[i]->transaction.id)),
                            "unpin undo %lld takes back what is newer", (long long)i);
    if (n < count)
        return err_hint(session->arena,
                        err_make(session->arena, ERR_REQUEST, "there %s only %lld transaction%s to undo",
                                 n == 1 ? "is" : "are", (long long)n, n == 1 ? "" : "s"),
                        "unpin undo %lld takes %s back; unpin history lists them", (long long)n,
                        n == 1 ? "it" : "them all");
    *ret = found;
    return NULL;
}

static void show_what_is_undone(struct session *session, const struct history_entry *const *entries, int64_t len) {
    struct buf buf = {.arena = session->arena};
    for (int64_t i = 0; i < len; i++) {
        buf_add(&buf, S("Takes back "));
        term_escape(&buf, what_is_undone(session->arena, entries[i]));
        buf_add_char(&buf, '\n');
    }
    session_print(session, buf_str(&buf));
}

static struct err *undo_one(struct session *session, const struct history_entry *entry) {
    struct transaction_result result;
    TRY(history_undo(session->arena, &session->env, entry->transaction.id, session->options->force, session->argv,
                     session->argv_len, &result));
    session->changed = true;
    for (int32_t i = 0; i < result.warnings_len; i++) session_note(session, result.warnings[i]);
    return NULL;
}

struct err *cmd_undo(struct session *session, int *ret_status) {
    (void)ret_status;
    int64_t count;
    const struct history_entry **entries;
    TRY(count_of(session, &count));
    if (session->options->only.len && session_words(session).len)
        return err_make(session->arena, ERR_USAGE, "--only takes one transaction back, not a number of them");
    TRY(entries_to_undo(session, count, &entries));
    if (!session->options->json) show_what_is_undone(session, entries, count);
    TRY(session_ask(session, count == 1 ? S("Undo it? [y/N] ") : S("Undo them? [y/N] ")));
    VEC(struct str) undone = {0};
    struct buf done = {.arena = session->arena};
    for (int64_t i = 0; i < count; i++) {
        struct err *err = undo_one(session, entries[i]);
        if (err && i > 0)
            session_note(session, str_format(session->arena, "transaction%s taken back before that: %.*s",
                                             i == 1 ? "" : "s", FMT(buf_str(&done))));
        TRY(err);
        *vec_push(session->arena, &undone) = entries[i]->transaction.id;
        buf_addf(&done, "%s%.*s", i ? ", " : "", FMT(entries[i]->transaction.id));
    }
    if (!session->options->json) {
        session_print(session, session->options->only.len ? S("Done: what it changed is as it was before.\n")
                                                          : S("Done: everything is as it was before.\n"));
        return NULL;
    }
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key_strings(&w, S("undone"), undone.data, (int32_t)undone.len);
    session_print(session, report_end_json(&w));
    return NULL;
}

struct err *cmd_recover(struct session *session, int *ret_status) {
    (void)ret_status;
    static const struct {
        struct str name, sentence;
    } outcomes[] = {
        [TRANSACTION_CLEAN] = {S_INIT("clean"), S_INIT("Nothing was interrupted.")},
        [TRANSACTION_DISCARDED] = {S_INIT("discarded"),
                                   S_INIT("A transaction had not begun to change anything: what it left is "
                                          "gone, the old state is in place.")},
        [TRANSACTION_FORWARDED] = {S_INIT("forwarded"),
                                   S_INIT("The interrupted transaction was finished: the new state is in "
                                          "place.")},
        [TRANSACTION_ROLLED_BACK] = {S_INIT("rolled-back"),
                                     S_INIT("The interrupted transaction was taken back: the old state is "
                                            "in place.")},
    };
    const struct options *o = session->options;
    if (o->forward && o->back) return err_make(session->arena, ERR_USAGE, "--forward and --back exclude each other");
    enum transaction_way way = o->forward ? TRANSACTION_FORWARD : o->back ? TRANSACTION_BACK : TRANSACTION_AUTO;
    enum transaction_recovery outcome = TRANSACTION_CLEAN;
    session->no_recovery = true; /* it is done here, in the way that was asked for */
    TRY(session_open_environment(session));
    TRY(session_need_live(session));
    TRY(history_recover(session->arena, &session->env, way, &outcome));
    if (!o->json) {
        session_print(session, str_format(session->arena, "%.*s\n", FMT(outcomes[outcome].sentence)));
        return NULL;
    }
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key_string(&w, S("outcome"), outcomes[outcome].name);
    session_print(session, report_end_json(&w));
    return NULL;
}
