/* unpin check - what is broken: requirements, advisories, locks, files. */
#include "face/command.h"

#include "base/arena.h"
#include "stage/check.h"
#include "stage/integrity.h"

struct findings {
    const struct plan_break *breaks;
    int32_t breaks_len;
    const struct advisory *const *advisories;
    int32_t advisories_len;
    const struct lock_line **drifted;
    int32_t drifted_len;
    struct integrity files;
    bool files_checked;
    int32_t unknown; /* distributions of which nothing is known */
};

static void find_drifted(struct session *session, struct findings *found) {
    found->drifted = arena_new(session->arena, const struct lock_line *, session->locks.lines_len);
    for (int32_t i = 0; i < session->locks.lines_len; i++) {
        const struct lock_line *line = &session->locks.lines[i];
        const struct dist *dist = environment_find(&session->env, line->requirement.name);
        if (!dist || !dist->version_valid || !line->active || line->shadowed || line->requirement.url.len) continue;
        if (!specifier_set_match(&line->requirement.specifiers, &dist->version))
            found->drifted[found->drifted_len++] = line;
    }
}

static struct err *find(struct session *session, struct findings *found) {
    const struct check_dist *dists;
    int32_t len = 0, allowances_len = 0;
    const struct plan_allowance *allowances;
    const struct map nothing_changed = {0};
    check_dists_of(session->arena, &session->env, &dists, &len);
    check_breaks(session->arena, &session->env.markers, dists, len, true, &found->breaks, &found->breaks_len,
                 &allowances, &allowances_len);
    check_advisories(session->arena, &session->advisories, dists, len, &nothing_changed, &found->advisories,
                     &found->advisories_len);
    for (int32_t i = 0; i < len; i++) found->unknown += dists[i].metadata == NULL;
    find_drifted(session, found);
    found->files_checked = session->options->check_files;
    if (!found->files_checked) return NULL;
    TRY(session_need_live(session));
    session_progress(session, S("reading files"));
    TRY(integrity_check(session->arena, session->fs, &session->env, &found->files));
    session_progress(session, S(""));
    return NULL;
}

static bool serious(const struct advisory *advisory) {
    return advisory->severity == ADVISORY_ERROR || advisory->severity == ADVISORY_SECURITY;
}

static bool is_broken(const struct findings *found) {
    bool broken = found->breaks_len > 0 || found->files.len > 0;
    for (int32_t i = 0; i < found->advisories_len; i++) broken = broken || serious(found->advisories[i]);
    return broken;
}

static const struct str severities[] = {
    [ADVISORY_INFO] = S_INIT("info"),
    [ADVISORY_WARN] = S_INIT("warn"),
    [ADVISORY_ERROR] = S_INIT("error"),
    [ADVISORY_SECURITY] = S_INIT("security"),
};

static void write_advisories(struct json_writer *w, const struct findings *found) {
    json_key(w, S("advisories"));
    json_begin_array(w);
    for (int32_t i = 0; i < found->advisories_len; i++) {
        const struct advisory *advisory = found->advisories[i];
        json_begin_object(w);
        json_key_string(w, S("id"), advisory->id);
        json_key_string(w, S("severity"), severities[advisory->severity]);
        json_key_string(w, S("text"), advisory->text);
        json_key_string(w, S("fix"), advisory->fix);
        json_key_string(w, S("source"), advisory->source);
        json_end_object(w);
    }
    json_end_array(w);
}

static void print_json(struct session *session, const struct findings *found) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, is_broken(found) ? S("broken") : S("ok"));
    json_key_int(&w, S("installed"), session->env.by_name.len);
    json_key_int(&w, S("requirements_unknown"), found->unknown);
    report_breaks_json(&w, S("breaks"), found->breaks, found->breaks_len);
    write_advisories(&w, found);
    json_key(&w, S("drifted"));
    json_begin_array(&w);
    for (int32_t i = 0; i < found->drifted_len; i++) {
        const struct lock_line *line = found->drifted[i];
        json_begin_object(&w);
        json_key_string(&w, S("name"), line->requirement.name);
        json_key_string(&w, S("lock"), line->requirement.text);
        json_key_string(&w, S("installed"), environment_find(&session->env, line->requirement.name)->version.text);
        json_key_string(&w, S("file"), report_mask(session->arena, session->locks.files[line->file].path));
        json_key_int(&w, S("line"), line->line);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_key_bool(&w, S("files_checked"), found->files_checked);
    json_key_int(&w, S("files"), found->files.files);
    json_key(&w, S("damaged"));
    json_begin_array(&w);
    for (int32_t i = 0; i < found->files.len; i++) {
        json_begin_object(&w);
        json_key_string(&w, S("name"), found->files.items[i].name);
        json_key_string(&w, S("path"), found->files.items[i].path);
        json_key_string(&w, S("what"), found->files.items[i].what);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_key_strings(&w, S("problems"), session->env.problems, session->env.problems_len);
    session_print(session, report_end_json(&w));
}

static void add_breaks(struct buf *buf, struct session *session, const struct findings *found) {
    if (found->breaks_len == 0) return;
    report_title(buf, &session->look,
                 report_count(session->arena, found->breaks_len, "requirement is not met", "requirements are not met"));
    struct str *cells = arena_new(session->arena, struct str, found->breaks_len * 2);
    for (int32_t i = 0; i < found->breaks_len; i++) {
        const struct plan_break *b = &found->breaks[i];
        cells[i * 2] = str_format(session->arena, "%.*s %.*s", FMT(b->name), FMT(b->version));
        cells[i * 2 + 1] = report_break_text(session->arena, b);
    }
    report_table(buf, &session->look, cells, found->breaks_len, 2, (const char *const[]){"31", ""});
}

static void add_advisories(struct buf *buf, struct session *session, const struct findings *found) {
    for (int32_t i = 0; i < found->advisories_len; i++) {
        const struct advisory *advisory = found->advisories[i];
        report_paint(
            buf, &session->look, serious(advisory) ? "31" : "33",
            str_format(session->arena, "%.*s (%.*s): ", FMT(advisory->id), FMT(severities[advisory->severity])));
        term_escape(buf, advisory->text);
        buf_add_char(buf, '\n');
        if (advisory->fix.len == 0) continue;
        buf_add(buf, S("  fix: "));
        term_escape(buf, advisory->fix);
        buf_add_char(buf, '\n');
    }
}

static void add_drifted(struct buf *buf, struct session *session, const struct findings *found) {
    if (found->drifted_len == 0) return;
    report_title(buf, &session->look,
                 report_count(session->arena, found->drifted_len, "lock differs from what is installed",
                              "locks differ from what is installed"));
    struct str *cells = arena_new(session->arena, struct str, found->drifted_len * 3);
    for (int32_t i = 0; i < found->drifted_len; i++) {
        const struct lock_line *line = found->drifted[i];
        cells[i * 3] = line->requirement.text;
        cells[i * 3 + 1] = str_format(session->arena, "installed %.*s",
                                      FMT(environment_find(&session->env, line->requirement.name)->version.text));
        cells[i * 3 + 2] =
            str_format(session->arena, "%.*s:%d", FMT(session->locks.files[line->file].path), line->line);
    }
    report_table(buf, &session->look, cells, found->drifted_len, 3, (const char *const[]){"33", "", "2"});
}

static void add_files(struct buf *buf, struct session *session, const struct findings *found) {
    if (!found->files_checked) return;
    struct str *cells = arena_new(session->arena, struct str, found->files.len * 3);
    for (int32_t i = 0; i < found->files.len; i++) {
        cells[i * 3] = found->files.items[i].name;
        cells[i * 3 + 1] = found->files.items[i].what;
        cells[i * 3 + 2] = found->files.items[i].path;
    }
    if (found->files.len > 0)
        report_title(buf, &session->look,
                     report_count(session->arena, found->files.len, "file is not as it was installed",
                                  "files are not as they were installed"));
    report_table(buf, &session->look, cells, found->files.len, 3, (const char *const[]){"31", "", ""});
    buf_addf(buf, "%lld files (%.*s) verified against their RECORD", (long long)found->files.files,
             FMT(report_size(session->arena, found->files.bytes)));
    if (found->files.without_record > 0) buf_addf(buf, "; %d distributions have none", found->files.without_record);
    buf_add_char(buf, '\n');
}

static void print_text(struct session *session, const struct findings *found) {
    struct buf buf = {.arena = session->arena};
    add_breaks(&buf, session, found);
    add_advisories(&buf, session, found);
    add_drifted(&buf, session, found);
    add_files(&buf, session, found);
    struct str dists = report_count(session->arena, session->env.by_name.len, "distribution", "distributions");
    if (is_broken(found)) buf_addf(&buf, "%.*s checked: broken\n", FMT(dists));
    else buf_addf(&buf, "%.*s checked: nothing is broken\n", FMT(dists));
    session_print(session, buf_str(&buf));
    for (int32_t i = 0; i < session->env.problems_len; i++) session_note(session, session->env.problems[i]);
    if (found->unknown > 0)
        session_note(session, str_format(session->arena, "note: of %d distributions it is not known what they require",
                                         found->unknown));
}

struct err *cmd_check(struct session *session, int *ret_status) {
    TRY(session_open_environment(session));
    struct findings found = {0};
    TRY(find(session, &found));
    if (session->options->json) print_json(session, &found);
    else print_text(session, &found);
    if (is_broken(&found)) *ret_status = err_exit_status(ERR_BREAKS);
    return NULL;
}
