/* From a plan to its being carried out: shown, consented to, applied, told. */
#include "face/session.h"

#include "base/arena.h"
#include "os/signals.h"
#include "stage/apply.h"
#include "stage/cache.h"
#include "stage/layer.h"

#include <time.h>

void session_expect_change(struct session *session) {
    session->denied = apply_writable(session->arena, &session->env, session->options->break_system_packages);
}

static void show_step(void *self, struct str what) {
    session_progress(self, what);
}

static struct err *policy_of(struct session *session, enum wheel_policy *ret) {
    struct str word = session->options->modified;
    *ret = str_eq(word, S("keep")) ? WHEEL_KEEP : str_eq(word, S("replace")) ? WHEEL_REPLACE : WHEEL_REFUSE;
    if (word.len == 0 || *ret != WHEEL_REFUSE) return NULL;
    return err_make(session->arena, ERR_USAGE, "--modified takes keep or replace, not %.*s", FMT(word));
}

/* What is asked before the plan is carried out. */
static struct str question_of(struct session *session, const struct plan *plan) {
    int32_t builds = session_unbuilt(plan);
    if (builds == 0) return S("Apply this plan? [y/N] ");
    return str_format(session->arena, "Apply this plan? It builds %.*s, which runs %s code. [y/N] ",
                      FMT(report_count(session->arena, builds, "source", "sources")), builds == 1 ? "its" : "their");
}

/* The plan with the wheels that were built for it. */
static struct plan with_wheels(struct session *session, const struct plan *plan) {
    struct plan copy = *plan;
    struct plan_change *changes = arena_new(session->arena, struct plan_change, plan->changes_len);
    for (int32_t i = 0; i < plan->changes_len; i++) {
        changes[i] = plan->changes[i];
        const struct release *release = session_release(session, &changes[i]);
        if (release) changes[i].artifact.built = release->artifact.built;
    }
    copy.changes = changes;
    return copy;
}

/* Asks, and builds what has to be built. The plan that was printed names it and warns of it, so that consent to the
 * plan is consent to the build; a program that reads --json names what it allows. */
static struct err *agree(struct session *session, const struct plan *plan, bool *differs) {
    *differs = false;
    TRY(session_ask(session, question_of(session, plan)));
    if (session_unbuilt(plan) == 0) return NULL;
    session->builds.consent = session->builds.consent || !session->options->json;
    return session_build_all(session, plan, differs);
}

static struct layer_input layer_input_of(const struct session *session) {
    return (struct layer_input){.fs = session->fs, .proc = proc_real(), .env = &session->env, .locks = &session->locks};
}

/* A layer that is to come is made first, and taken away if nothing comes into it. */
static struct err *carry_out_in_layer(struct session *session, const struct apply_input *input,
                                      struct apply_result *ret) {
    bool dir = false;
    if (!session->env.layer.coming) return apply_plan(session->arena, input, ret);
    const struct layer_input layer = layer_input_of(session);
    struct signals signals = {0};
    signals_hold(&signals);
    session_progress(session, S("making the layer"));
    struct err *err = layer_make(session->arena, &layer, &dir);
    if (!err) {
        err = apply_plan(session->arena, input, ret);
        if (err && err->kind != ERR_RECOVER) layer_drop(session->arena, &layer, dir);
    }
    int signal = signals_release(&signals);
    if (!err && !ret->signal) ret->signal = signal;
    return err;
}

/* Nothing has to be installed: the layer that was asked for is made all the same. */
static struct err *make_layer_only(struct session *session) {
    struct arena *arena = session->arena;
    bool dir = false;
    TRY(session_ask(session, S("Make the layer? [y/N] ")));
    const struct layer_input layer = layer_input_of(session);
    struct signals signals = {0};
    signals_hold(&signals);
    struct err *err = layer_make(arena, &layer, &dir);
    (void)signals_release(&signals);
    if (!err && !session->options->json)
        session_print(session, str_format(arena, "Done: the layer %.*s is there.\n", FMT(session->env.prefix)));
    return err;
}

/* How the layer is used, once it is there. */
static void print_layer(struct session *session) {
    struct arena *arena = session->arena;
    struct str words[] = {path_join(arena, session->env.prefix, S("bin/activate"))};
    session_print(session, str_format(arena, "The layer: . %.*s (or run what is in its bin)\n",
                                      FMT(report_shell(arena, words, 1))));
}

static struct err *carry_out(struct session *session, const struct plan *plan, bool *again, struct apply_result *ret) {
    const struct options *o = session->options;
    struct apply_options options = {
        .allow_startup = o->allow_pth,
        .break_system_packages = o->break_system_packages,
        .no_imports = o->no_imports,
        .compile = (o->compile || config_truth(&session->config.compile)) && !o->no_compile,
        .no_undo = o->no_undo,
        .cache_dir = session_cache_dir(session),
        .argv = session->argv,
        .argv_len = session->argv_len,
        .progress = show_step,
        .progress_self = session,
    };
    struct plan built = *plan;
    const struct apply_input input = {session->fs, proc_real(), session->index, &built, &options};
    struct str *rebuild = arena_new(session->arena, struct str, o->rebuild_record.len);
    for (int32_t i = 0; i < o->rebuild_record.len; i++)
        TRY(want_parse_name(session->arena, o->rebuild_record.items[i], &rebuild[i]));
    options.rebuild_record = rebuild;
    options.rebuild_record_len = o->rebuild_record.len;
    TRY(policy_of(session, &options.modified));
    TRY(apply_allowed(session->arena, &input));
    TRY(agree(session, plan, again));
    if (*again) return NULL;
    built = with_wheels(session, plan);
    TRY(carry_out_in_layer(session, &input, ret));
    session_progress(session, S(""));
    return NULL;
}

/* What is kept for undo: told before the question, for it is disk space. */
static void tell_kept(struct session *session, const struct session_kept *kept) {
    struct arena *arena = session->arena;
    struct buf buf = {.arena = arena};
    if (session->options->no_undo || kept->adds == 0) return;
    buf_addf(&buf, "Keeps %.*s of what is replaced, for undo", FMT(report_size(arena, kept->adds)));
    if (kept->so_far) buf_addf(&buf, " (%.*s so far; unpin history prune)", FMT(report_size(arena, kept->so_far)));
    buf_addf(&buf, "%s\n", kept->adds > kept->most ? ": more than UNPIN_UNDO_MAX" : "");
    session_print(session, buf_str(&buf));
}

/* The bound on what is kept: the transaction that was just made is spared. */
static void keep_bound(struct session *session, const struct session_kept *kept) {
    int64_t freed = 0;
    if (kept->most == INT64_MAX || session->options->no_undo) return;
    struct err *err = history_prune(session->arena, &session->env, kept->most, 1, &freed);
    if (err) session_note(session, str_format(session->arena, "note: %.*s", FMT(err_format(session->arena, err))));
    if (freed)
        session_note(session, str_format(session->arena, "note: %.*s of older transactions went (UNPIN_UNDO_MAX)",
                                         FMT(report_size(session->arena, freed))));
}

/* The cache grows by what is installed; what is too much goes, and that is told. */
static void bound_cache(struct session *session, int64_t most) {
    struct cache_sum freed[CACHE_KINDS];
    struct str dir = session_cache_dir(session);
    bool removed = false;
    if (dir.len == 0 || most == INT64_MAX) return;
    cache_leave(session->cache_use);
    session->cache_use = -1;
    int64_t added = session->index ? index_stats(session->index).bytes : 0;
    cache_bound(session->arena, session->fs, dir, most, added, (int64_t)time(NULL), freed, &removed);
    if (removed)
        session_note(session, str_format(session->arena,
                                         "note: the cache was above %.*s: %.*s of what was used least recently went "
                                         "(cache-max-size)",
                                         FMT(report_size(session->arena, most)),
                                         FMT(report_size(session->arena, cache_sum(freed).bytes))));
}

static void write_kept(struct json_writer *w, const struct session_kept *kept) {
    json_key(w, S("undo"));
    json_begin_object(w);
    json_key_int(w, S("adds"), kept->adds);
    json_key_int(w, S("so_far"), kept->so_far);
    json_end_object(w);
}

static void print_json(struct session *session, const struct plan *plan, const struct apply_result *result,
                       const struct session_kept *kept, const struct err *err) {
    struct report_extra extra = session_extra(session, plan);
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    extra.err = err;
    report_plan_write(&w, plan, &extra);
    json_key_string(&w, S("transaction"), result->id);
    if (!session->options->no_undo) write_kept(&w, kept);
    session_print(session, report_end_json(&w));
    session->printed = true;
}

static void print_done(struct session *session, const struct apply_result *result) {
    struct arena *arena = session->arena;
    for (int32_t i = 0; i < result->notes_len; i++)
        session_note(session, str_format(arena, "note: %.*s", FMT(result->notes[i])));
    double seconds = (double)(session_clock_us() - session->started_us) / 1e6;
    struct buf buf = {.arena = arena};
    report_paint(&buf, &session->look, "1;32", S("Done"));
    buf_addf(&buf, " in %.1f s: transaction %.*s", seconds, FMT(result->id));
    if (result->imported > 0)
        buf_addf(&buf, ", verified with %.*s", FMT(report_count(arena, result->imported, "import", "imports")));
    struct str undo = S("unpin undo"), given = session->options->python;
    if (session->env.layer.of.len || given.len) {
        struct str words[] = {undo, S("--python"), session->env.layer.of.len ? session->env.prefix : given};
        undo = str_format(arena, "%.*s %.*s", FMT(undo), FMT(report_shell(arena, words + 1, 2)));
    }
    if (session->options->no_undo) buf_add(&buf, S(".\n"));
    else buf_addf(&buf, ". `%.*s` takes it back.\n", FMT(undo));
    session_print(session, buf_str(&buf));
    if (session->env.layer.coming) print_layer(session);
}

/* What failed before the environment was changed, or was taken back, says so: it is the first that one wants to know.
 */
static void reassure(struct session *session, struct err *err) {
    if (err->hint.len) return;
    if (err->kind == ERR_SPACE) {
        err_hint(
            session->arena, err,
            "nothing was changed; make room in that file system, or clear the cache (unpin cache), and run it again");
        return;
    }
    static const enum err_kind before[] = {ERR_IO,    ERR_PERMISSION, ERR_LIMIT,   ERR_MALFORMED, ERR_WHEEL,
                                           ERR_BUILD, ERR_INDEX,      ERR_NETWORK, ERR_HASH};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (err->kind == before[i]) err_hint(session->arena, err, "nothing was changed");
}

struct err *session_offer(struct session *session, const struct plan *plan, bool *again, int *ret_status) {
    bool json = session->options->json;
    struct apply_result result = {0};
    struct session_kept kept = {.most = INT64_MAX};
    struct err *err = NULL;
    int64_t cache_most;
    struct str source;
    *again = false;
    TRY(session_cache_most(session, &cache_most, &source));
    if (plan->status == PLAN_FEASIBLE) TRY(session_kept_read(session, plan, &kept));
    if (!json) {
        const struct report_extra extra = session_extra(session, plan);
        session_print(session, report_plan_format(session->arena, plan, &session->look, &extra));
        if (plan->status == PLAN_FEASIBLE) tell_kept(session, &kept);
    }
    if (plan->status == PLAN_SATISFIED && session->env.layer.coming) err = make_layer_only(session);
    if (plan->status == PLAN_FEASIBLE) err = carry_out(session, plan, again, &result);
    if (!err && *again) {
        session_note(session, S("note: what was built requires other things than its source told: planning again"));
        return NULL;
    }
    session->changed = !err && result.id.len;
    if (session->changed) keep_bound(session, &kept);
    if (session->changed) bound_cache(session, cache_most);
    if (err) reassure(session, err);
    if (json) print_json(session, plan, &result, &kept, err);
    if (err) return err;
    if (plan->status == PLAN_INFEASIBLE) *ret_status = err_exit_status(ERR_INFEASIBLE);
    if (plan->status != PLAN_FEASIBLE) return NULL;
    if (!json) print_done(session, &result);
    return NULL;
}
