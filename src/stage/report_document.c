/* The frame of every JSON document, and the document of an error. */
#include "stage/report.h"

#include "base/json.h"

enum { STATUS_SIGNAL = 128 }; /* as a shell has it */

void report_begin_json(struct json_writer *w, struct str command, struct str status) {
    json_begin_object(w);
    json_key_int(w, S("schema"), REPORT_SCHEMA);
    json_key_string(w, S("command"), command);
    json_key_string(w, S("status"), status);
}

struct str report_end_json(struct json_writer *w) {
    json_end_object(w);
    buf_add_char(w->buf, '\n');
    return buf_str(w->buf);
}

static void add_err(struct json_writer *w, const struct err *err) {
    json_begin_object(w);
    json_key_string(w, S("code"), err_code(err->kind));
    json_key_string(w, S("kind"), err_name(err->kind));
    json_key_int(w, S("exit_status"), err->signal ? STATUS_SIGNAL + err->signal : err_exit_status(err->kind));
    json_key_string(w, S("what"), report_mask(w->buf->arena, err->what));
    json_key_string(w, S("hint"), report_mask(w->buf->arena, err->hint));
    json_key_string(w, S("file"), report_mask(w->buf->arena, err->file));
    json_key_int(w, S("line"), err->line);
    json_key_int(w, S("column"), err->column);
}

void report_err_write(struct json_writer *w, const struct err *err) {
    json_key(w, S("error"));
    add_err(w, err);
    json_key(w, S("causes")); /* the outermost first */
    json_begin_array(w);
    int32_t depth = 0;
    for (const struct err *cause = err->cause; cause && depth < REPORT_CAUSES_MAX; cause = cause->cause, depth++) {
        add_err(w, cause);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

struct str report_err_json(struct arena *arena, const struct err *err, struct str command) {
    struct buf buf = {.arena = arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, command, S("error"));
    report_err_write(&w, err);
    return report_end_json(&w);
}
