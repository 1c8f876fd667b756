/* unpin why - why a distribution is at its version. */
#include "face/command.h"

#include "base/arena.h"

/* A requirement of an installed distribution on the project. */
struct dependent {
    const struct dist *dist;
    const struct requirement *requirement;
    bool active; /* without any extra */
    bool met;
};

struct findings {
    struct str name;
    const struct dist *dist;     /* NULL: not installed */
    const struct dist **shadows; /* the same project in later site directories */
    int32_t shadows_len;
    VEC(struct dependent) dependents;
    const struct lock_line **locks;
    int32_t locks_len;
    VEC(struct str) vendor;         /* sentences */
    const struct str *transactions; /* sentences, newest first */
    int32_t transactions_len;
};

static void find_dependents(struct session *session, struct findings *found) {
    for (int32_t i = 0; i < session->env.dists_len; i++) {
        const struct dist *dist = &session->env.dists[i];
        for (int32_t k = 0; !dist->shadowed && dist->metadata_known && k < dist->metadata.requires_len; k++) {
            const struct requirement *requirement = &dist->metadata.requires_dist[k];
            if (!str_eq(requirement->name, found->name)) continue;
            struct arena_mark mark = arena_mark(session->arena);
            bool active = marker_eval(session->arena, requirement->marker, &session->env.markers, (struct str){0});
            arena_rewind(session->arena, mark);
            if (!active && !marker_has_extra(requirement->marker)) continue;
            bool met =
                found->dist &&
                (requirement->url.len > 0 ||
                 (found->dist->version_valid && specifier_set_match(&requirement->specifiers, &found->dist->version)));
            *vec_push(session->arena, &found->dependents) = (struct dependent){dist, requirement, active, met};
        }
    }
}

static void find_locks(struct session *session, struct findings *found) {
    found->locks = arena_new(session->arena, const struct lock_line *, session->locks.lines_len);
    for (int32_t i = 0; i < session->locks.lines_len; i++)
        if (str_eq(session->locks.lines[i].requirement.name, found->name))
            found->locks[found->locks_len++] = &session->locks.lines[i];
}

static void find_vendor(struct session *session, struct findings *found) {
    static const struct {
        enum vendor_reason reason;
        struct str text;
    } reasons[] = {
        {VENDOR_LOCAL_VERSION, S_INIT("its version is a local one, which no index gives")},
        {VENDOR_URL_GONE, S_INIT("it was installed from a path that is gone")},
        {VENDOR_NOT_ON_INDEX, S_INIT("the index does not have it")},
        {VENDOR_LOCAL_BUILD, S_INIT("it was built by the vendor, or here: no index takes wheels with its tag")},
        {VENDOR_LISTED, S_INIT("the catalog lists it as built by the vendor")},
    };
    for (size_t i = 0; found->dist && i < sizeof reasons / sizeof *reasons; i++)
        if (found->dist->vendor & reasons[i].reason) *vec_push(session->arena, &found->vendor) = reasons[i].text;
}

static struct str requirement_text(struct session *session, const struct dependent *dependent) {
    return report_mask(session->arena, requirement_format(session->arena, dependent->requirement));
}

static void add_dependents(struct buf *buf, struct session *session, const struct findings *found, bool active) {
    struct str *cells = arena_new(session->arena, struct str, (int32_t)found->dependents.len * 3);
    int32_t n = 0;
    for (ptrdiff_t i = 0; i < found->dependents.len; i++) {
        const struct dependent *dependent = &found->dependents.data[i];
        if (dependent->active != active) continue;
        struct str *cell = &cells[n++ * 3];
        cell[0] =
            str_format(session->arena, "%.*s %.*s", FMT(dependent->dist->name), FMT(dependent->dist->version.text));
        struct requirement plain = *dependent->requirement;
        if (active && !session->options->verbose) plain.marker = NULL; /* it holds here */
        cell[1] = report_mask(session->arena, requirement_format(session->arena, &plain));
        cell[2] = dependent->met ? S("") : S("not met");
    }
    if (n == 0) {
        if (active) buf_add(buf, S("nothing that is installed requires it\n"));
        return;
    }
    report_title(buf, &session->look, active ? S("required by") : S("would be required by, with an extra"));
    report_table(buf, &session->look, cells, n, 3, (const char *const[]){"", "", "31"});
}

static void print_text(struct session *session, const struct findings *found) {
    struct arena *arena = session->arena;
    struct buf buf = {.arena = arena};
    report_title(&buf, &session->look,
                 found->dist ? str_format(arena, "%.*s %.*s", FMT(found->name), FMT(found->dist->version.text))
                             : str_format(arena, "%.*s is not installed", FMT(found->name)));
    if (found->dist && found->dist->site >= 0 && found->dist->site < session->env.sites_len)
        buf_addf(&buf, "  in %.*s\n", FMT(session->env.sites[found->dist->site]));
    for (int32_t i = 0; i < found->shadows_len; i++)
        buf_addf(&buf, "  hides %.*s in a later site directory\n", FMT(found->shadows[i]->version.text));
    if (found->dist && found->dist->installer.len) {
        buf_add(&buf, S("  installed by "));
        term_escape(&buf, found->dist->installer);
        buf_add(&buf, found->dist->requested ? S(", because somebody asked for it\n") : S("\n"));
    }
    for (ptrdiff_t i = 0; i < found->vendor.len; i++)
        buf_addf(&buf, "%s%.*s%s", i ? "; " : "  vendor build: ", FMT(found->vendor.data[i]),
                 i + 1 < found->vendor.len ? "" : "\n");
    for (int32_t i = 0; i < found->locks_len; i++) {
        const struct lock_line *line = found->locks[i];
        struct str path = report_mask(arena, session->locks.files[line->file].path);
        term_escape(&buf, str_format(arena, "  locked by %.*s:%d: %.*s%s", FMT(path), line->line,
                                     FMT(report_mask(arena, line->requirement.text)),
                                     line->active ? "" : " (its marker does not hold here)"));
        buf_add_char(&buf, '\n');
    }
    if (found->locks_len == 0 && session->locks.files_len > 0)
        buf_add(&buf, session->locks.implied ? S("  counts as locked: the lock is empty, it came with the image\n")
                                             : S("  no lock names it\n"));
    for (int32_t i = 0; i < found->transactions_len; i++) buf_addf(&buf, "  %.*s\n", FMT(found->transactions[i]));
    add_dependents(&buf, session, found, true);
    if (session->options->verbose) add_dependents(&buf, session, found, false);
    session_print(session, buf_str(&buf));
}

static void print_json(struct session *session, const struct findings *found) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key_string(&w, S("name"), found->name);
    json_key_string(&w, S("version"), found->dist ? found->dist->version.text : S(""));
    json_key_bool(&w, S("installed"), found->dist != NULL);
    json_key_bool(&w, S("requested"), found->dist && found->dist->requested);
    json_key_string(&w, S("installer"), found->dist ? found->dist->installer : S(""));
    json_key_strings(&w, S("vendor"), found->vendor.data, (int32_t)found->vendor.len);
    json_key(&w, S("locks"));
    json_begin_array(&w);
    for (int32_t i = 0; i < found->locks_len; i++) {
        json_begin_object(&w);
        json_key_string(&w, S("lock"), report_mask(session->arena, found->locks[i]->requirement.text));
        json_key_string(&w, S("file"), report_mask(session->arena, session->locks.files[found->locks[i]->file].path));
        json_key_int(&w, S("line"), found->locks[i]->line);
        json_key_bool(&w, S("active"), found->locks[i]->active);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_key(&w, S("required_by"));
    json_begin_array(&w);
    for (ptrdiff_t i = 0; i < found->dependents.len; i++) {
        const struct dependent *dependent = &found->dependents.data[i];
        json_begin_object(&w);
        json_key_string(&w, S("name"), dependent->dist->name);
        json_key_string(&w, S("version"), dependent->dist->version.text);
        json_key_string(&w, S("requires"), requirement_text(session, dependent));
        json_key_bool(&w, S("active"), dependent->active);
        json_key_bool(&w, S("met"), dependent->met);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_key_strings(&w, S("transactions"), found->transactions, found->transactions_len);
    session_print(session, report_end_json(&w));
}

static void find_shadows(struct session *session, struct findings *found) {
    found->shadows = arena_new(session->arena, const struct dist *, session->env.dists_len);
    for (int32_t i = 0; i < session->env.dists_len; i++)
        if (session->env.dists[i].shadowed && str_eq(session->env.dists[i].name, found->name))
            found->shadows[found->shadows_len++] = &session->env.dists[i];
}

struct err *cmd_why(struct session *session, int *ret_status) {
    struct option_list words = session_words(session);
    if (words.len != 1)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "why wants one name"),
                        "for example: unpin why numpy");
    struct findings found = {0};
    TRY(want_parse_name(session->arena, words.items[0], &found.name));
    TRY(session_open_environment(session));
    found.dist = environment_find(&session->env, found.name);
    find_shadows(session, &found);
    find_dependents(session, &found);
    find_locks(session, &found);
    find_vendor(session, &found);
    TRY(session_transactions_of(session, found.name, &found.transactions, &found.transactions_len));
    if (session->options->json) print_json(session, &found);
    else print_text(session, &found);
    if (!found.dist) *ret_status = 1;
    return NULL;
}
