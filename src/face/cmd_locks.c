/* unpin locks - what the lock says against what is installed, and what transactions changed in it. */
#include "face/command.h"

#include "base/arena.h"

enum lock_state { KEPT, LIFTED, DRIFTED, STALE, INACTIVE, STATES };

static const struct str state_names[STATES] = {S_INIT("kept"), S_INIT("lifted"), S_INIT("drifted"), S_INIT("stale"),
                                               S_INIT("inactive")};

struct lock_row {
    const struct lock_line *line;
    struct str installed; /* version, empty: not installed */
    enum lock_state state;
};

static enum lock_state state_of(const struct lock_line *line, const struct dist *dist, const struct map *lifted) {
    if (!line->active) return INACTIVE;
    if (!dist) return STALE;
    bool held_to = line->requirement.url.len > 0 ||
                   (dist->version_valid && specifier_set_match(&line->requirement.specifiers, &dist->version));
    if (!held_to) return DRIFTED;
    return map_find(lifted, line->requirement.name) >= 0 ? LIFTED : KEPT;
}

static struct lock_row *rows_of(struct session *session, const struct map *lifted, int32_t counts[STATES]) {
    struct lock_row *rows = arena_new(session->arena, struct lock_row, session->locks.lines_len);
    for (int32_t i = 0; i < session->locks.lines_len; i++) {
        const struct lock_line *line = &session->locks.lines[i];
        const struct dist *dist = environment_find(&session->env, line->requirement.name);
        rows[i] = (struct lock_row){.line = line, .state = state_of(line, dist, lifted)};
        if (dist) rows[i].installed = dist->version.text;
        counts[rows[i].state]++;
    }
    return rows;
}

static struct str file_of(const struct session *session, const struct lock_line *line) {
    return session->locks.files[line->file].path;
}

static void print_json(struct session *session, const struct lock_row *rows, const int32_t counts[STATES]) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key_string(&w, S("source"), session->lock_choice.source);
    json_key_bool(&w, S("implied"), session->locks.implied);
    json_key(&w, S("counts"));
    json_begin_object(&w);
    for (int32_t i = 0; i < STATES; i++) json_key_int(&w, state_names[i], counts[i]);
    json_end_object(&w);
    json_key(&w, S("locks"));
    json_begin_array(&w);
    for (int32_t i = 0; i < session->locks.lines_len; i++) {
        json_begin_object(&w);
        json_key_string(&w, S("name"), rows[i].line->requirement.name);
        json_key_string(&w, S("lock"), report_mask(session->arena, rows[i].line->requirement.text));
        json_key_string(&w, S("state"), state_names[rows[i].state]);
        json_key_string(&w, S("installed"), rows[i].installed);
        json_key_string(&w, S("file"), report_mask(session->arena, file_of(session, rows[i].line)));
        json_key_int(&w, S("line"), rows[i].line->line);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_key_strings(&w, S("problems"), session->locks.problems, session->locks.problems_len);
    session_print(session, report_end_json(&w));
}

/* Every lock with -v, else those that are not simply kept. */
static void print_text(struct session *session, const struct lock_row *rows, const int32_t counts[STATES]) {
    struct arena *arena = session->arena;
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < session->locks.files_len; i++)
        report_title(&buf, &session->look, report_mask(arena, session->locks.files[i].path));
    if (session->lock_choice.source.len) buf_addf(&buf, "  named by %.*s\n", FMT(session->lock_choice.source));
    struct str *cells = arena_new(arena, struct str, session->locks.lines_len * 4);
    int32_t n = 0;
    for (int32_t i = 0; i < session->locks.lines_len; i++) {
        if (rows[i].state == KEPT && !session->options->verbose) continue;
        struct str *cell = &cells[n++ * 4];
        cell[0] = state_names[rows[i].state];
        cell[1] = report_mask(arena, rows[i].line->requirement.text);
        cell[2] =
            rows[i].installed.len ? str_format(arena, "installed %.*s", FMT(rows[i].installed)) : S("not installed");
        cell[3] = str_format(arena, "line %d", rows[i].line->line);
    }
    report_table(&buf, &session->look, cells, n, 4, (const char *const[]){"33", "", "", "2"});
    if (session->locks.implied)
        buf_addf(&buf, "The lock is empty: the %d distributions that came with the image count as locked.\n",
                 session->locks.implied_names.len ? session->locks.implied_names.len : session->env.by_name.len);
    buf_addf(&buf, "%.*s:", FMT(report_count(arena, session->locks.lines_len, "lock", "locks")));
    for (int32_t i = 0; i < STATES; i++)
        if (counts[i] > 0 || i == KEPT) buf_addf(&buf, "%s %d %.*s", i ? "," : "", counts[i], FMT(state_names[i]));
    buf_addf(&buf, "%s\n", n < session->locks.lines_len ? " (-v lists all)" : "");
    session_print(session, buf_str(&buf));
    for (int32_t i = 0; i < session->locks.problems_len; i++) session_note(session, session->locks.problems[i]);
}

/* What transactions changed in the lock, one line per lift; the lines are found by name in the lock as it is. */
static void print_diff(struct session *session, const struct session_lift *lifts, int32_t len) {
    enum { COLUMNS = 4 };
    struct arena *arena = session->arena;
    struct buf buf = {.arena = arena};
    struct str *cells = arena_new(arena, struct str, len * COLUMNS);
    for (int32_t i = 0; i < len; i++) {
        const struct history_change *lift = lifts[i].lift;
        int32_t at = map_find(&session->locks.by_name, lift->name);
        const struct lock_line *line = at >= 0 ? &session->locks.lines[at] : NULL;
        struct str *cell = &cells[i * COLUMNS];
        cell[0] = lift->name;
        cell[1] = str_format(arena, "%.*s → %.*s", FMT(lift->from), FMT(lift->to));
        cell[2] = str_format(arena, "transaction %.*s", FMT(lifts[i].entry->transaction.id));
        if (line) cell[3] = str_format(arena, "%.*s:%d", FMT(report_mask(arena, file_of(session, line))), line->line);
    }
    report_table(&buf, &session->look, cells, len, COLUMNS, (const char *const[]){"33", "", "", "2"});
    if (len == 0) buf_add(&buf, S("No transaction of unpin lifted a lock here.\n"));
    session_print(session, buf_str(&buf));
}

static void print_diff_json(struct session *session, const struct session_lift *lifts, int32_t len) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key(&w, S("lifted"));
    json_begin_array(&w);
    for (int32_t i = 0; i < len; i++) {
        json_begin_object(&w);
        json_key_string(&w, S("name"), lifts[i].lift->name);
        json_key_string(&w, S("from"), lifts[i].lift->from);
        json_key_string(&w, S("to"), lifts[i].lift->to);
        json_key_string(&w, S("transaction"), lifts[i].entry->transaction.id);
        json_end_object(&w);
    }
    json_end_array(&w);
    session_print(session, report_end_json(&w));
}

struct err *cmd_locks(struct session *session, int *ret_status) {
    (void)ret_status;
    struct option_list words = session_words(session);
    if (words.len > 0 && !str_eq(words.items[0], S("diff")))
        return err_hint(session->arena,
                        err_make(session->arena, ERR_USAGE, "unpin locks %.*s is nothing", FMT(words.items[0])),
                        "unpin locks, or unpin locks diff");
    TRY(session_open_environment(session));
    struct map lifted = {0};
    struct session_lift *lifts;
    int32_t lifts_len = 0;
    TRY(session_lifts(session, &lifts, &lifts_len));
    for (int32_t i = 0; i < lifts_len; i++) map_add(session->arena, &lifted, lifts[i].lift->name, i);
    if (words.len > 0) {
        if (session->options->json) print_diff_json(session, lifts, lifts_len);
        else print_diff(session, lifts, lifts_len);
        return NULL;
    }
    if (session->locks.files_len == 0 && !session->options->json) {
        session_print(session, S("There is no lock: nothing names a constraint file.\n"));
        return NULL;
    }
    int32_t counts[STATES] = {0};
    const struct lock_row *rows = rows_of(session, &lifted, counts);
    if (session->options->json) print_json(session, rows, counts);
    else print_text(session, rows, counts);
    return NULL;
}
