/* unpin snapshot - the environment as a file. */
#include "face/command.h"

#include "base/arena.h"
#include "stage/snapshot.h"

struct err *cmd_snapshot(struct session *session, int *ret_status) {
    (void)ret_status;
    TRY(session_open_environment(session));
    struct str text = snapshot_format(session->arena, &session->env, &session->locks);
    struct str output = session->options->output;
    if (output.len == 0 && !session->options->json) {
        session_print(session, text);
        return NULL;
    }
    if (output.len > 0) TRY(session_write_file(session, output, text));
    if (!session->options->json) {
        session_note(session, str_format(session->arena, "%d distributions written to %.*s", session->env.by_name.len,
                                         FMT(output)));
        return NULL;
    }
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key_string(&w, S("file"), output);
    json_key_int(&w, S("installed"), session->env.by_name.len);
    json_key_string(&w, S("fingerprint"), environment_fingerprint(session->arena, &session->env));
    if (output.len == 0) {
        struct json snapshot;
        TRY(json_parse(session->arena, text, SNAPSHOT_FILE_MAX, &snapshot));
        json_key(&w, S("snapshot"));
        json_value(&w, &snapshot);
    }
    session_print(session, report_end_json(&w));
    return NULL;
}
