/* The plan in words, for people. */
#include "stage/report.h"

#include "base/arena.h"

/* What every part of the text needs. */
struct page {
    struct arena *arena;
    const struct plan *plan;
    const struct report_look *look;
    const struct report_extra *extra;
    struct buf buf;
};

static void add_text(struct page *page, struct str text) {
    term_escape(&page->buf, text);
}

static void add_gap(struct page *page) {
    buf_add_char(&page->buf, '\n');
}

static struct str requests_text(struct arena *arena, const struct want *want) {
    struct buf buf = {.arena = arena};
    int32_t shown = 0, all = 0;
    for (int32_t i = 0; i < want->requests_len; i++) {
        if (want->requests[i].constraint) continue;
        if (all++ >= REPORT_REQUESTS_SHOWN) continue;
        if (shown++ > 0) buf_add(&buf, S(", "));
        buf_add(&buf, report_mask(arena, want->requests[i].requirement.text));
    }
    if (all > shown) buf_addf(&buf, " and %d more", all - shown);
    for (int32_t i = 0; i < want->remove_len; i++)
        buf_addf(&buf, "%s%.*s", i > 0 ? ", " : all > 0 ? ", removing " : "removing ", FMT(want->remove[i]));
    return buf_str(&buf);
}

static struct str environment_text(struct arena *arena, const struct plan *plan) {
    const struct environment *env = plan->env;
    struct buf buf = {.arena = arena};
    if (env->image.len) buf_addf(&buf, "%.*s, ", FMT(env->image));
    else if (env->prefix.len) buf_addf(&buf, "%.*s, ", FMT(env->prefix));
    if (env->layer.of.len && env->image.len) buf_addf(&buf, "%.*s, ", FMT(env->prefix));
    if (env->layer.of.len) buf_addf(&buf, "a %slayer over %.*s, ", env->layer.coming ? "new " : "", FMT(env->layer.of));
    buf_addf(&buf, "Python %.*s, ", FMT(env->markers.python_version));
    buf_add(&buf, report_count(arena, env->by_name.len, "distribution", "distributions"));
    if (!plan->locks || plan->locks->files_len == 0) buf_add(&buf, S(", no lock"));
    for (int32_t i = 0; plan->locks && i < plan->locks->files_len; i++)
        buf_addf(&buf, "%s%.*s", i == 0 ? ", lock " : " + ", FMT(report_mask(arena, plan->locks->files[i].path)));
    return buf_str(&buf);
}

static void add_head(struct page *page, const char *verdict) {
    struct str requests = requests_text(page->arena, page->plan->want);
    struct str title = str_format(page->arena, "%s %.*s", verdict, FMT(requests));
    if (requests.len == 0) title = S("Nothing to do: no request applies here"); /* markers leave all of them out */
    report_paint(&page->buf, page->look, "1", title);
    add_text(page, str_format(page->arena, "  (%.*s)", FMT(environment_text(page->arena, page->plan))));
    add_gap(page);
}

static const struct plan_change *change_find(const struct plan *plan, struct str name) {
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (str_eq(plan->changes[i].name, name)) return &plan->changes[i];
    return NULL;
}

static bool is_lifted(const struct plan *plan, struct str name) {
    for (int32_t i = 0; i < plan->lifts_len; i++)
        if (str_eq(plan->lifts[i].name, name)) return true;
    return false;
}

static struct str reason_text(struct page *page, const struct plan_change *change) {
    struct buf buf = {.arena = page->arena};
    if (!change) return S("the lock follows what is installed");
    if (change->action == PLAN_DOWNGRADE) buf_add(&buf, S("(older) "));
    if (change->requested) {
        buf_add(&buf, S("you asked for it"));
        return buf_str(&buf);
    }
    bool verbose = page->look->verbose;
    if (change->because_len > 0)
        buf_add(&buf, verbose ? change->because[0] : report_plain(page->arena, change->because[0]));
    for (int32_t i = 1; verbose && i < change->because_len; i++) buf_addf(&buf, "; %.*s", FMT(change->because[i]));
    return report_mask(page->arena, buf_str(&buf));
}

static struct str versions_text(struct arena *arena, struct str from, struct str to) {
    if (from.len == 0) return to;
    if (to.len == 0) return from;
    return str_format(arena, "%.*s → %.*s", FMT(from), FMT(to));
}

static struct str lifts_title(struct arena *arena, const struct plan *plan) {
    struct str all = report_count(arena, report_lock_count(plan), "lock", "locks");
    struct str some = plan->lifts_len == 0 ? S("none") : str_format(arena, "%d", plan->lifts_len);
    bool implied = plan->locks && plan->locks->implied;
    return str_format(arena, "lifts %.*s of %.*s%s", FMT(some), FMT(all),
                      implied ? " (the lock is empty: what came with the image counts as locked)" : "");
}

static void add_lifts(struct page *page) {
    const struct plan *plan = page->plan;
    if (plan->lifts_len == 0 && report_lock_count(plan) == 0) return;
    add_gap(page);
    report_title(&page->buf, page->look, lifts_title(page->arena, plan));
    struct str *cells = arena_new(page->arena, struct str, plan->lifts_len * 3);
    for (int32_t i = 0; i < plan->lifts_len; i++) {
        const struct plan_lift *lift = &plan->lifts[i];
        cells[i * 3] = lift->name;
        cells[i * 3 + 1] = report_mask(page->arena, versions_text(page->arena, lift->from, lift->to));
        cells[i * 3 + 2] = reason_text(page, change_find(plan, lift->name));
    }
    report_table(&page->buf, page->look, cells, plan->lifts_len, 3, (const char *const[]){"33", "", "2"});
}

/* The changes of one kind that the section of the lifts does not show. */
static int32_t collect(struct page *page, bool added, bool removed, struct str *cells, int64_t *bytes) {
    int32_t n = 0;
    for (int32_t i = 0; i < page->plan->changes_len; i++) {
        const struct plan_change *change = &page->plan->changes[i];
        if ((change->action == PLAN_ADD) != added || (change->action == PLAN_REMOVE) != removed) continue;
        if (!added && !removed && is_lifted(page->plan, change->name)) continue;
        if (change->artifact.size > 0) *bytes += change->artifact.size;
        cells[n * 3] = change->name;
        cells[n * 3 + 1] = versions_text(page->arena, change->from, change->to);
        cells[n * 3 + 2] = reason_text(page, change);
        n++;
    }
    return n;
}

static void add_changes(struct page *page, bool added, bool removed, const char *verb, const char *paint) {
    struct str *cells = arena_new(page->arena, struct str, page->plan->changes_len * 3);
    int64_t bytes = 0;
    int32_t n = collect(page, added, removed, cells, &bytes);
    if (n == 0) return;
    add_gap(page);
    struct str what =
        report_count(page->arena, n, added || removed ? "distribution" : "distribution that no lock names",
                     added || removed ? "distributions" : "distributions that no lock names");
    report_title(&page->buf, page->look, str_format(page->arena, "%s %.*s", verb, FMT(what)));
    report_table(&page->buf, page->look, cells, n, 3, (const char *const[]){paint, "", "2"});
}

static struct str kept_text(struct page *page) {
    const struct plan *plan = page->plan;
    const struct dist *shown = NULL;
    int32_t n = 0;
    for (int32_t i = 0; i < plan->env->dists_len; i++) {
        const struct dist *dist = &plan->env->dists[i];
        if (dist->shadowed || !dist->vendor || change_find(plan, dist->name)) continue;
        n++;
        if (!shown || str_eq(dist->name, S("torch"))) shown = dist;
    }
    if (!shown) return S("");
    struct str first = str_format(page->arena, "%.*s %.*s", FMT(shown->name), FMT(shown->version.text));
    if (n == 1) return str_format(page->arena, "keeps the vendor build %.*s", FMT(first));
    struct str others = report_count(page->arena, n - 1, "other vendor build", "other vendor builds");
    return str_format(page->arena, "keeps %.*s and %.*s", FMT(first), FMT(others));
}

struct str report_break_text(struct arena *arena, const struct plan_break *b) {
    struct str requires = report_mask(arena, b->requires_text);
    if (b->found.len == 0) return str_format(arena, "requires %.*s, which is not installed", FMT(requires));
    return str_format(arena, "requires %.*s, found %.*s", FMT(requires), FMT(b->found));
}

static void add_breaks(struct page *page, const char *title, const struct plan_break *breaks, int32_t len) {
    if (len == 0) return;
    report_title(&page->buf, page->look, str_of(title));
    struct str *cells = arena_new(page->arena, struct str, len * 2);
    for (int32_t i = 0; i < len; i++) {
        const struct plan_break *b = &breaks[i];
        cells[i * 2] = str_format(page->arena, "%.*s %.*s", FMT(b->name), FMT(b->version));
        cells[i * 2 + 1] = report_break_text(page->arena, b);
    }
    report_table(&page->buf, page->look, cells, len, 2, NULL);
}

/* What stays as it was: one line each, so that silence is never taken for consent. */
static void add_summary(struct page *page) {
    const struct plan *plan = page->plan;
    int32_t adds = 0, removes = 0;
    int64_t bytes = 0;
    for (int32_t i = 0; i < plan->changes_len; i++) {
        adds += plan->changes[i].action == PLAN_ADD;
        removes += plan->changes[i].action == PLAN_REMOVE;
        if (plan->changes[i].artifact.size > 0) bytes += plan->changes[i].artifact.size;
    }
    add_gap(page);
    struct str kept = kept_text(page);
    if (kept.len) {
        add_text(page, kept);
        add_gap(page);
    }
    struct str added = adds ? str_format(page->arena, "%d", adds) : S("nothing");
    struct str removed = removes ? str_format(page->arena, "%d", removes) : S("nothing");
    buf_addf(&page->buf, "adds %.*s · removes %.*s · ", FMT(added), FMT(removed));
    if (bytes > 0) buf_addf(&page->buf, "downloads %.*s · ", FMT(report_size(page->arena, bytes)));
    if (plan->breaks_new_len == 0) buf_add(&page->buf, S("new breaks: none"));
    else buf_addf(&page->buf, "new breaks: %d", plan->breaks_new_len);
    add_gap(page);
}

static void add_break_sections(struct page *page) {
    const struct plan *plan = page->plan;
    add_breaks(page, "new breaks", plan->breaks_new, plan->breaks_new_len);
    add_breaks(page, "mends what was broken", plan->breaks_fixed, plan->breaks_fixed_len);
    if (page->look->verbose) {
        add_breaks(page, "broken before and after, not touched", plan->breaks_before, plan->breaks_before_len);
    } else if (plan->breaks_before_len > 0) {
        buf_addf(&page->buf, "broken before: %.*s, not made worse (-v lists %s)\n",
                 FMT(report_count(page->arena, plan->breaks_before_len, "requirement", "requirements")),
                 plan->breaks_before_len == 1 ? "it" : "them");
    }
}

static void add_allowances(struct page *page) {
    const struct plan *plan = page->plan;
    for (int32_t i = 0; i < plan->allowances_len; i++) {
        const struct plan_allowance *a = &plan->allowances[i];
        add_text(page, str_format(page->arena, "takes %.*s %.*s as %.*s for %.*s", FMT(a->name), FMT(a->version),
                                  FMT(a->taken_as), FMT(report_mask(page->arena, a->for_text))));
        add_gap(page);
    }
}

static void add_advisories(struct page *page) {
    static const char *const effects[] = {[PLAN_ADVISORY_AVOIDED] = "avoids",
                                          [PLAN_ADVISORY_PRESENT] = "already there:",
                                          [PLAN_ADVISORY_IGNORED] = "ignores",
                                          [PLAN_ADVISORY_WARNED] = "warning:"};
    for (int32_t i = 0; i < page->plan->advisories_len; i++) {
        const struct plan_advisory *a = &page->plan->advisories[i];
        if (a->effect == PLAN_ADVISORY_PRESENT && !page->look->verbose) continue;
        add_text(page, str_format(page->arena, "%s %.*s: %.*s", effects[a->effect], FMT(a->id), FMT(a->text)));
        add_gap(page);
    }
}

static void add_notes(struct page *page) {
    if (page->look->quiet) return;
    for (int32_t i = 0; i < page->plan->warnings_len; i++) {
        report_paint(&page->buf, page->look, "33", S("warning: "));
        add_text(page, report_mask(page->arena, page->plan->warnings[i]));
        add_gap(page);
    }
    for (int32_t i = 0; i < page->extra->notes_len; i++) {
        add_text(page, str_format(page->arena, "note: %.*s", FMT(report_mask(page->arena, page->extra->notes[i]))));
        add_gap(page);
    }
}

/* What is proven holds among the plans that the levels above allow: those with the fewest old or lax releases. */
static struct str proven_among(const struct plan *plan) {
    bool old = false;
    for (int32_t i = 0; i < plan->changes_len; i++) old = old || plan->changes[i].below_floor || plan->changes[i].lax;
    if (old) return S("with as few old or lax releases");
    return plan->want->upgrade ? S("with the newest versions asked for") : S("with current releases");
}

/* The first level that is not proven, in words; the levels before it are. */
static void add_unproven(struct page *page) {
    static const struct {
        struct str level;
        const char *words;
    } claims[] = {
        {S_INIT("soft"), "as few bounds of extras as possible are passed over"},
        {S_INIT("builds"), "nothing less could be built"},
        {S_INIT("requested-age"), "what was asked for is the newest that fits"},
        {S_INIT("collateral-distance"), "the other changes are the smallest that fit"},
        {S_INIT("added-age"), "what is added is the newest that fits"},
        {S_INIT("added"), "nothing could be left out of what is added"},
    };
    const struct plan_proof *proof = &page->plan->proof;
    for (size_t c = 0; c < sizeof claims / sizeof *claims; c++) {
        for (int32_t i = 0; i < proof->levels_len; i++) {
            if (!str_eq(proof->level_names[i], claims[c].level) || proof->level_proven[i]) continue;
            add_text(page,
                     str_format(page->arena,
                                "Assumed, not proven: that %s. What two releases both require, those between them "
                                "were taken to require (--prove-newest looks at each).",
                                claims[c].words));
            add_gap(page);
            return;
        }
    }
}

static void add_proof(struct page *page) {
    const struct plan *plan = page->plan;
    struct str among = proven_among(plan);
    if (plan->lifts_len == 0) buf_add(&page->buf, S("Proven: no lock has to be lifted.\n"));
    else if (plan->lifts_len == 1)
        buf_addf(&page->buf, "Proven: no plan %.*s gets by without lifting a lock.\n", FMT(among));
    else
        buf_addf(&page->buf, "Proven: no plan %.*s lifts fewer than %d locks.\n", FMT(among),
                 plan->proof.lower_bound_lifts);
    add_unproven(page);
}

static void add_details(struct page *page) {
    const struct plan_proof *proof = &page->plan->proof;
    if (!page->look->verbose) return;
    for (int32_t i = 0; i < proof->levels_len && i < PLAN_LEVELS; i++)
        buf_addf(&page->buf, "level %d  %.*s: %lld%s\n", i + 1, FMT(proof->level_names[i]),
                 (long long)proof->level_costs[i], proof->level_proven[i] ? "" : " (assumed)");
    buf_addf(&page->buf, "%d rounds, %d documents, %d variables, %d clauses\n", proof->rounds, proof->metadata_fetched,
             proof->variables, proof->clauses);
    buf_addf(&page->buf, "scan %.1f ms, index %.1f ms, solve %.1f ms, total %.1f ms\n",
             (double)page->extra->scan_us / 1e3, (double)page->plan->index_us / 1e3, (double)page->plan->solve_us / 1e3,
             (double)page->extra->total_us / 1e3);
}

static void add_commands(struct page *page) {
    for (int32_t i = 0; i < page->plan->suggestions_len; i++) {
        const struct plan_suggestion *s = &page->plan->suggestions[i];
        buf_add(&page->buf, S("  "));
        report_paint(&page->buf, page->look, "1",
                     report_mask(page->arena, report_shell(page->arena, s->argv, s->argv_len)));
        buf_add(&page->buf, S("\n      "));
        add_text(page, report_mask(page->arena, s->text));
        add_gap(page);
    }
}

static void add_feasible(struct page *page) {
    add_head(page, "Plan for");
    add_lifts(page);
    add_changes(page, false, false, page->plan->lifts_len ? "changes beside them" : "changes", "33");
    add_changes(page, true, false, "adds", "32");
    add_changes(page, false, true, "removes", "31");
    add_summary(page);
    add_allowances(page);
    add_advisories(page);
    add_break_sections(page);
    struct str diffs = report_lock_diffs_format(page->arena, page->plan, page->look);
    if (diffs.len) {
        add_gap(page);
        buf_add(&page->buf, diffs);
    }
    add_gap(page);
    add_proof(page);
    add_details(page);
    add_notes(page);
    if (page->plan->suggestions_len > 0) {
        report_title(&page->buf, page->look, S("also possible"));
        add_commands(page);
    }
    if (page->extra->next.len) {
        buf_add(&page->buf, S("Next: "));
        report_paint(&page->buf, page->look, "1", page->extra->next);
        add_gap(page);
    }
}

/* How many of the facts `from` to `to` tell of the same distribution's requirements as the one at `at`. */
static int32_t alike(const struct plan *plan, int32_t at, int32_t from, int32_t to) {
    int32_t n = 0;
    for (int32_t i = from; i < to; i++)
        if (plan->reason[i].kind == FACT_REQUIREMENT && str_eq(plan->reason[i].name, plan->reason[at].name)) n++;
    return n;
}

/* Requirements of many releases of one project are told by those of the newest, which are asked about: the argument
 * stays short. Facts come with the oldest releases first, so the first of them stands for what is left out. */
static bool add_folded(struct page *page, int32_t at) {
    const struct plan *plan = page->plan;
    if (page->look->verbose || plan->reason[at].kind != FACT_REQUIREMENT) return false;
    int32_t before = alike(plan, at, 0, at), after = alike(plan, at, at + 1, plan->reason_len);
    int32_t folded = before + 1 + after - REPORT_FACTS_ALIKE;
    if (folded < 2 || before >= folded) return false; /* a line that says "1 more" is as long as the fact */
    if (before > 0) return true;
    add_text(page, str_format(page->arena, "     %d requirements of older releases of %.*s (-v lists them), and",
                              folded, FMT(plan->reason[at].name)));
    add_gap(page);
    return true;
}

static void add_facts(struct page *page) {
    const struct plan *plan = page->plan;
    add_gap(page);
    report_title(&page->buf, page->look,
                 plan->reason_len == 1 ? S("why not") : S("why not: these contradict each other"));
    for (int32_t i = 0, number = 1; i < plan->reason_len; i++) {
        const struct plan_fact *fact = &plan->reason[i];
        if (add_folded(page, i)) continue;
        buf_addf(&page->buf, "  %d. ", number++);
        bool shortened = fact->kind == FACT_REQUIREMENT && !page->look->verbose;
        struct str sentence = shortened ? report_plain(page->arena, fact->sentence) : fact->sentence;
        add_text(page, report_mask(page->arena, sentence));
        if (fact->file.len && fact->line > 0) {
            struct str place =
                str_format(page->arena, "  (%.*s:%d)", FMT(report_mask(page->arena, fact->file)), fact->line);
            report_paint(&page->buf, page->look, "2", place);
        }
        add_gap(page);
    }
}

/* True if a project that was asked for is on no index: most likely its name is mistyped. */
static bool names_no_project(const struct plan *plan) {
    for (int32_t i = 0; i < plan->reason_len; i++) {
        if (plan->reason[i].kind != FACT_ABSENT || plan->reason[i].text.len) continue;
        for (int32_t k = 0; k < plan->want->requests_len; k++)
            if (str_eq(plan->want->requests[k].requirement.name, plan->reason[i].name)) return true;
    }
    return false;
}

static void add_suggestions(struct page *page) {
    const struct plan *plan = page->plan;
    add_gap(page);
    if (plan->suggestions_len == 0) {
        buf_add(&page->buf,
                names_no_project(plan)
                    ? S("Is the name right? What other indexes have is found with "
                        "--extra-index-url URL or --find-links PATH.\n")
                    : S("Giving up vendor builds, advisories or limits of the request does not make it possible.\n"));
        return;
    }
    report_title(&page->buf, page->look, S("ways out (each was planned and works)"));
    add_commands(page);
}

static void add_infeasible(struct page *page) {
    add_head(page, "No plan for");
    add_facts(page);
    add_suggestions(page);
    add_gap(page);
    buf_add(&page->buf, S("Proven: no choice of versions meets all of them. Nothing was changed.\n"));
    add_details(page);
    add_notes(page);
}

static void add_satisfied(struct page *page) {
    add_head(page, "Nothing to do for");
    for (int32_t i = 0; i < page->plan->want->requests_len; i++) {
        const struct request *request = &page->plan->want->requests[i];
        const struct dist *dist = environment_find(page->plan->env, request->requirement.name);
        if (!dist || request->constraint) continue;
        add_text(page, str_format(page->arena, "  %.*s %.*s is installed", FMT(dist->name), FMT(dist->version.text)));
        add_gap(page);
    }
    add_break_sections(page);
    add_details(page);
    add_notes(page);
}

struct str report_plan_format(struct arena *arena, const struct plan *plan, const struct report_look *look,
                              const struct report_extra *extra) {
    struct page page = {.arena = arena, .plan = plan, .look = look, .extra = extra, .buf = {.arena = arena}};
    if (plan->status == PLAN_FEASIBLE) add_feasible(&page);
    if (plan->status == PLAN_INFEASIBLE) add_infeasible(&page);
    if (plan->status == PLAN_SATISFIED) add_satisfied(&page);
    return buf_str(&page.buf);
}
