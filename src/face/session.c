#include "face/session.h"

#include "base/arena.h"

#include <time.h>

int64_t session_clock_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct session session_make(struct arena *arena, const struct options *options) {
    struct session session = {
        .arena = arena,
        .options = options,
        .command = options->words.len > 0 ? options->words.items[0] : S(""),
        .fs = fs_real(),
        .out = term_open(1),
        .err = term_open(2),
        .started_us = session_clock_us(),
    };
    session.look = (struct report_look){session.out.color, options->verbose, options->quiet};
    session.err_look = (struct report_look){session.err.color, options->verbose, options->quiet};
    return session;
}

struct option_list session_words(const struct session *session) {
    struct option_list words = session->options->words;
    return words.len > 0 ? (struct option_list){words.items + 1, words.len - 1} : words;
}

void session_print(struct session *session, struct str text) {
    if (!term_write(&session->out, text)) session->output_failed = true;
}

void session_note(struct session *session, struct str sentence) {
    if (session->options->quiet) return;
    session_progress(session, S(""));
    struct buf buf = {.arena = session->arena};
    term_escape(&buf, sentence);
    buf_add_char(&buf, '\n');
    (void)term_write(&session->err, buf_str(&buf));
}

void session_progress(struct session *session, struct str text) {
    if (session->options->quiet || session->options->json || !session->err.terminal) return;
    struct buf buf = {.arena = session->arena};
    term_escape(&buf, text);
    term_line(&session->err, buf_str(&buf));
}

struct err *session_ask(struct session *session, struct str question) {
    if (session->options->yes) return NULL;
    const char *hint = "run it again with -y (--yes) to go ahead";
    if (session->options->json || !term_can_ask())
        return err_hint(session->arena, err_make(session->arena, ERR_CONSENT, "nothing was changed: consent is needed"),
                        "%s", hint);
    if (term_ask(&session->err, question)) return NULL;
    return err_make(session->arena, ERR_CONSENT, "nothing was changed, as you decided");
}
