/* unpin explain - what the stable codes mean. */
#include "face/command.h"

#include "base/arena.h"
#include "face/explain.h"

static void write_kind(struct json_writer *w, enum err_kind kind) {
    json_begin_object(w);
    json_key_string(w, S("code"), err_code(kind));
    json_key_string(w, S("kind"), err_name(kind));
    json_key_int(w, S("exit_status"), err_exit_status(kind));
    json_key_string(w, S("text"), explain_text(kind));
    json_end_object(w);
}

/* The kinds from `first` to `last`. */
static void print_json(struct session *session, int32_t first, int32_t last) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key(&w, S("codes"));
    json_begin_array(&w);
    for (int32_t i = first; i <= last; i++) write_kind(&w, (enum err_kind)i);
    json_end_array(&w);
    session_print(session, report_end_json(&w));
}

static void print_all(struct session *session) {
    struct buf buf = {.arena = session->arena};
    int32_t len = explain_len();
    struct str *cells = arena_new(session->arena, struct str, len * 3);
    for (int32_t i = 0; i < len; i++) {
        cells[i * 3] = err_code((enum err_kind)i);
        cells[i * 3 + 1] = err_name((enum err_kind)i);
        cells[i * 3 + 2] = str_format(session->arena, "exit status %d", err_exit_status((enum err_kind)i));
    }
    report_table(&buf, &session->look, cells, len, 3, (const char *const[]){"1", "", "2"});
    session_print(session, buf_str(&buf));
}

struct err *cmd_explain(struct session *session, int *ret_status) {
    (void)ret_status;
    struct option_list words = session_words(session);
    if (words.len == 0) {
        if (session->options->json) print_json(session, 0, explain_len() - 1);
        else print_all(session);
        return NULL;
    }
    enum err_kind kind = ERR_USAGE;
    char code[8] = {0};
    for (ptrdiff_t i = 0; i < words.items[0].len && i < (ptrdiff_t)sizeof code - 1; i++)
        code[i] = words.items[0].data[i] == 'u' ? 'U' : words.items[0].data[i];
    if (words.items[0].len > (ptrdiff_t)sizeof code - 1 || !err_kind_find(str_of(code), &kind)) {
        struct err *err = err_make(session->arena, ERR_USAGE, "no such code: %.*s", FMT(words.items[0]));
        return err_hint(session->arena, err, "unpin explain lists all codes");
    }
    if (session->options->json) {
        print_json(session, (int32_t)kind, (int32_t)kind);
        return NULL;
    }
    struct buf buf = {.arena = session->arena};
    report_title(&buf, &session->look,
                 str_format(session->arena, "%.*s %.*s (exit status %d)", FMT(err_code(kind)), FMT(err_name(kind)),
                            err_exit_status(kind)));
    buf_addf(&buf, "%.*s\n", FMT(explain_text(kind)));
    session_print(session, buf_str(&buf));
    return NULL;
}
