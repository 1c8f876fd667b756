/* unpin export - a saved plan for those who build images: with pip, exactly these files, and the lock edited. */
#include "face/command.h"

#include "base/arena.h"
#include "face/saved.h"
#include "pypa/simple.h"

/* pip compares with each of them: the one that all know, where there is one. */
static struct str hash_of(const struct artifact *artifact) {
    return artifact->sha256.len ? artifact->sha256 : artifact->strong;
}

static bool all_hashed(const struct saved *plan) {
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (plan->changes[i].action != PLAN_REMOVE && hash_of(&plan->changes[i].artifact).len == 0) return false;
    return true;
}

/* A line for pip. What is no release of an index is named by its URL: by its name, pip would take what anybody has put
 * there under it. */
static struct str pin(struct arena *arena, const struct plan_change *change, bool hashed) {
    bool named = change->artifact.url.len > 0;
    struct str text = str_format(arena, "%.*s%s%.*s", FMT(change->name),
                                 named ? " @ " : "==", FMT(named ? change->artifact.url : change->to));
    if (!hashed) return text;
    struct str hex = hash_of(&change->artifact);
    return str_format(arena, "%.*s --hash=%.*s:%.*s", FMT(text), FMT(simple_hash_name(hex)), FMT(hex));
}

/* `text` as a basic regular expression of sed that matches it alone, `/` included. */
static struct str sed_quote(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = 0; i < text.len; i++) {
        if (str_find_char(S(".*[]^$/\\&"), text.data[i]) >= 0) buf_add_char(&buf, '\\');
        buf_add_char(&buf, text.data[i]);
    }
    return buf_str(&buf);
}

/* One sed call per lift; a line that is not as planned is left alone, and pip then refuses. */
static void add_lock_edits(struct buf *buf, const struct saved *plan, const char *end) {
    for (int32_t i = 0; i < plan->lifts_len; i++) {
        const struct plan_lift *lift = &plan->lifts[i];
        if (lift->file.len == 0 || lift->line == 0) continue;
        struct str program = str_format(buf->arena, "%ds/==\\( *\\)%.*s/==\\1%.*s/", lift->line,
                                        FMT(sed_quote(buf->arena, lift->from)), FMT(sed_quote(buf->arena, lift->to)));
        const struct str argv[] = {S("sed"), S("-i"), program, lift->file};
        buf_addf(buf, "%.*s%s", FMT(report_shell(buf->arena, argv, 4)), end);
    }
}

static void add_removals(struct buf *buf, const struct saved *plan, const char *end) {
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (plan->changes[i].action == PLAN_REMOVE)
            buf_addf(buf, "python3 -m pip uninstall -y %.*s%s", FMT(plan->changes[i].name), end);
}

static int32_t installs(const struct saved *plan) {
    int32_t n = 0;
    for (int32_t i = 0; i < plan->changes_len; i++) n += plan->changes[i].action != PLAN_REMOVE;
    return n;
}

static void add_head(struct buf *buf, const struct saved *plan) {
    buf_addf(buf, "# unpin " UNPIN_VERSION ": lifts %.*s, changes %.*s",
             FMT(report_count(buf->arena, plan->lifts_len, "lock", "locks")),
             FMT(report_count(buf->arena, plan->changes_len, "distribution", "distributions")));
    if (plan->image.len) {
        buf_add(buf, S(", for "));
        term_escape(buf, plan->image);
    }
    buf_add_char(buf, '\n');
}

static struct str script(struct arena *arena, const struct saved *plan) {
    struct buf buf = {.arena = arena};
    bool hashed = all_hashed(plan);
    buf_add(&buf, S("#!/bin/sh\n"));
    add_head(&buf, plan);
    buf_add(&buf, S("set -eu\n"));
    add_lock_edits(&buf, plan, "\n");
    add_removals(&buf, plan, "\n");
    if (installs(plan) > 0) {
        buf_add(&buf,
                S("requirements=$(mktemp)\ntrap 'rm -f \"$requirements\"' EXIT\ncat >\"$requirements\" <<'END'\n"));
        for (int32_t i = 0; i < plan->changes_len; i++)
            if (plan->changes[i].action != PLAN_REMOVE)
                buf_addf(&buf, "%.*s\n", FMT(pin(arena, &plan->changes[i], hashed)));
        buf_addf(&buf, "END\npython3 -m pip install --no-deps%s -r \"$requirements\"\n",
                 hashed ? " --require-hashes" : "");
    }
    return buf_str(&buf);
}

static struct str dockerfile(struct arena *arena, const struct saved *plan) {
    struct buf buf = {.arena = arena};
    bool hashed = all_hashed(plan);
    add_head(&buf, plan);
    buf_add(&buf, S("RUN set -eu; \\\n    "));
    add_lock_edits(&buf, plan, "; \\\n    ");
    add_removals(&buf, plan, "; \\\n    ");
    if (installs(plan) == 0) {
        buf_add(&buf, S("true\n"));
        return buf_str(&buf);
    }
    buf_add(&buf, S("printf '%s\\n'"));
    for (int32_t i = 0; i < plan->changes_len; i++) {
        struct str line = pin(arena, &plan->changes[i], hashed);
        if (plan->changes[i].action != PLAN_REMOVE)
            buf_addf(&buf, " \\\n      %.*s", FMT(report_shell(arena, &line, 1)));
    }
    buf_addf(&buf,
             " >/tmp/unpin.txt; \\\n    python3 -m pip install --no-cache-dir --no-deps%s -r /tmp/unpin.txt; \\\n"
             "    rm /tmp/unpin.txt\n",
             hashed ? " --require-hashes" : "");
    return buf_str(&buf);
}

/* The lock after the plan; without one, what the plan installs. */
static struct str constraints(struct arena *arena, const struct saved *plan) {
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < plan->locks_len; i++) buf_add(&buf, plan->locks[i].text);
    if (plan->locks_len > 0) return buf_str(&buf);
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (plan->changes[i].action != PLAN_REMOVE) buf_addf(&buf, "%.*s\n", FMT(pin(arena, &plan->changes[i], false)));
    return buf_str(&buf);
}

struct err *cmd_export(struct session *session, int *ret_status) {
    (void)ret_status;
    const struct options *o = session->options;
    struct option_list words = session_words(session);
    if (words.len != 1 || o->dockerfile + o->constraints + o->script != 1)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "export wants a form and a saved plan"),
                        "for example: unpin export --dockerfile plan.json");
    struct saved plan;
    TRY(saved_read(session->arena, session->fs, words.items[0], &plan));
    struct str text = o->script       ? script(session->arena, &plan)
                      : o->dockerfile ? dockerfile(session->arena, &plan)
                                      : constraints(session->arena, &plan);
    if (o->output.len) return session_write_file(session, o->output, text);
    if (!o->json) {
        session_print(session, text);
        return NULL;
    }
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key_string(&w, S("text"), text);
    session_print(session, report_end_json(&w));
    return NULL;
}
