/* Plans as JSON, schema 1 (docs/schema). */
#include "stage/report.h"

#include "base/arena.h"
#include "base/json.h"

static void add_environment(struct arena *arena, struct json_writer *w, const struct plan *plan) {
    const struct environment *env = plan->env;
    json_key(w, S("environment"));
    json_begin_object(w);
    json_key_string(w, S("python"), env->markers.python_full_version);
    json_key_string(w, S("interpreter"), env->python);
    json_key_string(w, S("prefix"), env->prefix);
    json_key_string(w, S("image"), env->image);
    if (env->layer.of.len) {
        json_key(w, S("layer"));
        json_begin_object(w);
        json_key_string(w, S("over"), env->layer.of);
        json_key_bool(w, S("new"), env->layer.coming);
        json_end_object(w);
    }
    json_key(w, S("lock_files"));
    json_begin_array(w);
    for (int32_t i = 0; plan->locks && i < plan->locks->files_len; i++)
        json_string(w, report_mask(arena, plan->locks->files[i].path));
    json_end_array(w);
    json_key_int(w, S("locks"), report_lock_count(plan));
    json_key_int(w, S("installed"), env->by_name.len);
    json_key_string(w, S("fingerprint"), environment_fingerprint(arena, env));
    json_key_string(w, S("lock_fingerprint"), lock_fingerprint(arena, plan->locks));
    json_end_object(w);
}

static void add_requests(struct arena *arena, struct json_writer *w, const struct want *want) {
    json_key(w, S("requests"));
    json_begin_array(w);
    for (int32_t i = 0; i < want->requests_len; i++)
        if (!want->requests[i].constraint) json_string(w, report_mask(arena, want->requests[i].requirement.text));
    json_end_array(w);
    json_key_strings(w, S("remove"), want->remove, want->remove_len);
}

static void add_lifts(struct arena *arena, struct json_writer *w, const struct plan *plan) {
    json_key(w, S("lifts"));
    json_begin_array(w);
    for (int32_t i = 0; i < plan->lifts_len; i++) {
        const struct plan_lift *lift = &plan->lifts[i];
        json_begin_object(w);
        json_key_string(w, S("name"), lift->name);
        json_key_string(w, S("from"), report_mask(arena, lift->from));
        json_key_string(w, S("to"), lift->to);
        json_key_string(w, S("file"), report_mask(arena, lift->file));
        json_key_int(w, S("line"), lift->line);
        json_end_object(w);
    }
    json_end_array(w);
}

static struct str artifact_kind(const struct artifact *artifact) {
    if (artifact->tree) return artifact->tree->commit.len ? S("repository") : S("tree");
    return artifact->sdist ? S("sdist") : S("wheel");
}

static void add_artifact(struct arena *arena, struct json_writer *w, const struct artifact *artifact, bool direct) {
    json_key(w, S("artifact"));
    if (artifact->filename.len == 0 && artifact->url.len == 0) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    json_key_string(w, S("filename"), artifact->filename);
    json_key_string(w, S("url"), report_mask(arena, artifact->url));
    json_key_string(w, S("sha256"), artifact->sha256);
    json_key_string(w, S("verified"), artifact_verified(arena, artifact));
    json_key(w, S("size"));
    if (artifact->size >= 0) json_int(w, artifact->size);
    else json_null(w);
    json_key_string(w, S("kind"), artifact_kind(artifact));
    json_key_bool(w, S("direct"), direct);
    if (artifact->demanded_len) json_key_strings(w, S("demanded"), artifact->demanded, artifact->demanded_len);
    json_end_object(w);
}

static void add_words(struct json_writer *w, struct str key, const struct str *texts, int32_t len) {
    json_key(w, key);
    json_begin_array(w);
    for (int32_t i = 0; i < len; i++) json_string(w, report_mask(w->buf->arena, texts[i]));
    json_end_array(w);
}

static void add_changes(struct arena *arena, struct json_writer *w, const struct plan *plan) {
    json_key(w, S("changes"));
    json_begin_array(w);
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct plan_change *change = &plan->changes[i];
        json_begin_object(w);
        json_key_string(w, S("name"), change->name);
        json_key_string(w, S("action"), report_action(change->action));
        json_key_string(w, S("from"), change->from);
        json_key_string(w, S("to"), change->to);
        json_key_bool(w, S("requested"), change->requested);
        add_words(w, S("because"), change->because, change->because_len);
        json_key_bool(w, S("below_floor"), change->below_floor);
        json_key_bool(w, S("lax"), change->lax);
        add_artifact(arena, w, &change->artifact, change->direct);
        json_end_object(w);
    }
    json_end_array(w);
}

static void add_allowances(struct json_writer *w, const struct plan *plan) {
    json_key(w, S("allowances"));
    json_begin_array(w);
    for (int32_t i = 0; i < plan->allowances_len; i++) {
        const struct plan_allowance *allowance = &plan->allowances[i];
        json_begin_object(w);
        json_key_string(w, S("name"), allowance->name);
        json_key_string(w, S("version"), allowance->version);
        json_key_string(w, S("taken_as"), allowance->taken_as);
        json_key_string(w, S("for"), report_mask(w->buf->arena, allowance->for_text));
        json_end_object(w);
    }
    json_end_array(w);
}

static void add_advisories(struct json_writer *w, const struct plan *plan) {
    static const struct str effects[] = {
        [PLAN_ADVISORY_AVOIDED] = S_INIT("avoided"),
        [PLAN_ADVISORY_PRESENT] = S_INIT("present"),
        [PLAN_ADVISORY_IGNORED] = S_INIT("ignored"),
        [PLAN_ADVISORY_WARNED] = S_INIT("warned"),
    };
    json_key(w, S("advisories"));
    json_begin_array(w);
    for (int32_t i = 0; i < plan->advisories_len; i++) {
        const struct plan_advisory *advisory = &plan->advisories[i];
        json_begin_object(w);
        json_key_string(w, S("id"), advisory->id);
        json_key_string(w, S("effect"), effects[advisory->effect]);
        json_key_string(w, S("text"), advisory->text);
        json_key_string(w, S("source"), advisory->source);
        json_end_object(w);
    }
    json_end_array(w);
}

void report_breaks_json(struct json_writer *w, struct str key, const struct plan_break *breaks, int32_t len) {
    json_key(w, key);
    json_begin_array(w);
    for (int32_t i = 0; i < len; i++) {
        json_begin_object(w);
        json_key_string(w, S("name"), breaks[i].name);
        json_key_string(w, S("version"), breaks[i].version);
        json_key_string(w, S("requires"), report_mask(w->buf->arena, breaks[i].requires_text));
        json_key_string(w, S("found"), breaks[i].found);
        json_end_object(w);
    }
    json_end_array(w);
}

static void add_proof(struct json_writer *w, const struct plan_proof *proof) {
    json_key(w, S("proof"));
    json_begin_object(w);
    json_key_bool(w, S("optimal"), proof->optimal);
    json_key_int(w, S("lower_bound_lifts"), proof->lower_bound_lifts);
    json_key_int(w, S("metadata_fetched"), proof->metadata_fetched);
    json_key_int(w, S("rounds"), proof->rounds);
    json_key_int(w, S("variables"), proof->variables);
    json_key_int(w, S("clauses"), proof->clauses);
    json_key(w, S("levels"));
    json_begin_array(w);
    for (int32_t i = 0; i < proof->levels_len && i < PLAN_LEVELS; i++) {
        json_begin_object(w);
        json_key_string(w, S("name"), proof->level_names[i]);
        json_key_int(w, S("cost"), proof->level_costs[i]);
        json_key_bool(w, S("proven"), proof->level_proven[i]);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

static void add_reason(struct json_writer *w, const struct plan *plan) {
    static const struct str kinds[] = {
        [FACT_REQUEST] = S_INIT("request"),   [FACT_REQUIREMENT] = S_INIT("requirement"),
        [FACT_HELD] = S_INIT("held"),         [FACT_LOCK] = S_INIT("lock"),
        [FACT_KEEP] = S_INIT("keep"),         [FACT_ADVISORY] = S_INIT("advisory"),
        [FACT_VERSIONS] = S_INIT("versions"), [FACT_ABSENT] = S_INIT("absent"),
        [FACT_REMOVE] = S_INIT("remove"),     [FACT_STALE] = S_INIT("stale"),
    };
    json_key(w, S("reason"));
    json_begin_array(w);
    for (int32_t i = 0; i < plan->reason_len; i++) {
        const struct plan_fact *fact = &plan->reason[i];
        json_begin_object(w);
        json_key_string(w, S("kind"), kinds[fact->kind]);
        json_key_string(w, S("name"), fact->name);
        json_key_string(w, S("version"), fact->version);
        json_key_string(w, S("text"), report_mask(w->buf->arena, fact->text));
        json_key_string(w, S("file"), report_mask(w->buf->arena, fact->file));
        json_key_int(w, S("line"), fact->line);
        json_key_string(w, S("sentence"), report_mask(w->buf->arena, fact->sentence));
        json_end_object(w);
    }
    json_end_array(w);
}

static void add_suggestions(struct json_writer *w, const struct plan *plan) {
    json_key(w, S("suggestions"));
    json_begin_array(w);
    for (int32_t i = 0; i < plan->suggestions_len; i++) {
        const struct plan_suggestion *suggestion = &plan->suggestions[i];
        json_begin_object(w);
        json_key_string(w, S("text"), report_mask(w->buf->arena, suggestion->text));
        json_key(w, S("argv"));
        json_begin_array(w);
        for (int32_t k = 0; k < suggestion->argv_len; k++)
            json_string(w, report_mask(w->buf->arena, suggestion->argv[k]));
        json_end_array(w);
        json_key_int(w, S("lifts"), suggestion->lifts);
        json_key_int(w, S("changes"), suggestion->changes);
        json_end_object(w);
    }
    json_end_array(w);
}

static void add_timing(struct json_writer *w, const struct plan *plan, const struct report_extra *extra) {
    json_key(w, S("timing_ms"));
    json_begin_object(w);
    json_key_int(w, S("scan"), extra->scan_us / 1000);
    json_key_int(w, S("index"), plan->index_us / 1000);
    json_key_int(w, S("solve"), plan->solve_us / 1000);
    json_key_int(w, S("total"), extra->total_us / 1000);
    json_end_object(w);
}

static void add_lock_after(struct json_writer *w, const struct plan *plan) {
    json_key(w, S("lock_after"));
    json_begin_array(w);
    for (int32_t i = 0; plan->locks && i < plan->locks->files_len; i++) {
        json_begin_object(w);
        json_key_string(w, S("file"), report_mask(w->buf->arena, plan->locks->files[i].path));
        json_key_string(w, S("text"), report_mask(w->buf->arena, report_lock_text(w->buf->arena, plan, i)));
        json_end_object(w);
    }
    json_end_array(w);
}

void report_plan_write(struct json_writer *w, const struct plan *plan, const struct report_extra *extra) {
    struct arena *arena = w->buf->arena;
    static const struct str statuses[] = {
        [PLAN_FEASIBLE] = S_INIT("feasible"),
        [PLAN_SATISFIED] = S_INIT("satisfied"),
        [PLAN_INFEASIBLE] = S_INIT("infeasible"),
    };
    report_begin_json(w, extra->command, extra->err ? S("error") : statuses[plan->status]);
    if (extra->err) report_err_write(w, extra->err);
    add_environment(arena, w, plan);
    add_requests(arena, w, plan->want);
    add_lifts(arena, w, plan);
    add_changes(arena, w, plan);
    add_allowances(w, plan);
    add_advisories(w, plan);
    json_key(w, S("breaks"));
    json_begin_object(w);
    report_breaks_json(w, S("before"), plan->breaks_before, plan->breaks_before_len);
    report_breaks_json(w, S("fixed"), plan->breaks_fixed, plan->breaks_fixed_len);
    report_breaks_json(w, S("new"), plan->breaks_new, plan->breaks_new_len);
    json_end_object(w);
    add_proof(w, &plan->proof);
    add_reason(w, plan);
    add_suggestions(w, plan);
    add_words(w, S("warnings"), plan->warnings, plan->warnings_len);
    add_words(w, S("notes"), extra->notes, extra->notes_len);
    add_timing(w, plan, extra);
    if (extra->lock_after) add_lock_after(w, plan);
}

struct str report_plan_json(struct arena *arena, const struct plan *plan, const struct report_extra *extra) {
    struct buf buf = {.arena = arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_plan_write(&w, plan, extra);
    return report_end_json(&w);
}
