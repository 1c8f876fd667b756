/* unpin images - the catalog; with requests, what each image would have to lift for them. */
#include "face/command.h"

#include "base/arena.h"
#include "stage/catalog.h"

/* What an image makes of the requests. */
struct answer {
    const struct catalog_item *image;
    bool planned;
    struct plan plan;
    struct err *err; /* this image could not be planned for */
};

static void write_answer(struct json_writer *w, const struct answer *answer) {
    static const struct str statuses[] = {
        [PLAN_FEASIBLE] = S_INIT("feasible"),
        [PLAN_SATISFIED] = S_INIT("satisfied"),
        [PLAN_INFEASIBLE] = S_INIT("infeasible"),
    };
    const struct catalog_item *image = answer->image;
    json_begin_object(w);
    json_key_string(w, S("name"), image->name);
    json_key_string(w, S("title"), image->title);
    json_key_string(w, S("reference"), image->reference);
    json_key_string(w, S("python"), image->python);
    json_key_string(w, S("platform"), image->platform);
    json_key_string(w, S("date"), image->date);
    json_key_int(w, S("distributions"), image->dists);
    json_key_int(w, S("locks"), image->locks);
    json_key_int(w, S("vendor_builds"), image->vendor);
    if (answer->planned) {
        json_key_string(w, S("status"), answer->err ? S("error") : statuses[answer->plan.status]);
        json_key_int(w, S("lifts"), answer->plan.lifts_len);
        json_key_int(w, S("changes"), answer->plan.changes_len);
        json_key_string(w, S("error"), answer->err ? report_mask(w->buf->arena, answer->err->what) : S(""));
    }
    json_end_object(w);
}

static void print_json(struct session *session, const struct answer *answers, int32_t len) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key(&w, S("images"));
    json_begin_array(&w);
    for (int32_t i = 0; i < len; i++) write_answer(&w, &answers[i]);
    json_end_array(&w);
    session_print(session, report_end_json(&w));
}

/* What a plan does, in a few words. */
static struct str verdict(struct arena *arena, const struct answer *answer) {
    if (answer->err) return err_format(arena, answer->err);
    if (answer->plan.status == PLAN_SATISFIED) return S("has it already");
    if (answer->plan.status == PLAN_INFEASIBLE) {
        struct str why =
            answer->plan.reason_len > 0 ? answer->plan.reason[answer->plan.reason_len - 1].sentence : S("");
        return str_format(arena, "no plan: %.*s", FMT(why));
    }
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < answer->plan.lifts_len; i++)
        buf_addf(&buf, "%s%.*s %.*s", i ? ", " : ": ", FMT(answer->plan.lifts[i].name), FMT(answer->plan.lifts[i].to));
    return str_format(arena, "lifts %.*s%.*s", FMT(report_count(arena, answer->plan.lifts_len, "lock", "locks")),
                      FMT(buf_str(&buf)));
}

static void print_text(struct session *session, const struct answer *answers, int32_t len) {
    struct arena *arena = session->arena;
    struct buf buf = {.arena = arena};
    enum { COLUMNS = 4 };
    struct str *cells = arena_new(arena, struct str, len * COLUMNS);
    for (int32_t i = 0; i < len; i++) {
        const struct catalog_item *image = answers[i].image;
        struct str *cell = &cells[i * COLUMNS];
        cell[0] = image->name;
        if (answers[i].planned) {
            cell[1] = verdict(arena, &answers[i]);
            continue;
        }
        cell[1] = str_format(arena, "Python %.*s", FMT(image->python));
        cell[2] = str_format(arena, "%d distributions, %d locks, %d vendor builds", image->dists, image->locks,
                             image->vendor);
        cell[3] = image->reference;
    }
    report_table(&buf, &session->look, cells, len, COLUMNS, (const char *const[]){"1", "", "", "2"});
    session_print(session, buf_str(&buf));
}

static void plan_image(struct session *session, const struct session_request *request, struct answer *answer) {
    struct session image = session_for_image(session, answer->image->name);
    session_progress(session, answer->image->name);
    answer->planned = true;
    answer->err = session_propose(&image, request, &answer->plan);
    session_close(&image);
}

struct err *cmd_images(struct session *session, int *ret_status) {
    (void)ret_status;
    const struct session_request request = {.words = session_words(session), .files = session->options->files};
    const struct catalog_item *items;
    int32_t len = 0;
    TRY(session_open_catalog(session));
    TRY(catalog_list(session->arena, session->fs, session->catalog, &items, &len));
    struct answer *answers = arena_new(session->arena, struct answer, len);
    for (int32_t i = 0; i < len; i++) {
        answers[i].image = &items[i];
        if (request.words.len > 0 || request.files.len > 0) plan_image(session, &request, &answers[i]);
    }
    session_progress(session, S(""));
    if (session->options->json) print_json(session, answers, len);
    else print_text(session, answers, len);
    return NULL;
}
