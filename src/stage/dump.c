#include "stage/dump.h"

#include "base/buf.h"

enum { DUMP_LINE_MAX = 110 }; /* longer lists of requirements are written one per line */

struct str dump_fact_name(enum plan_fact_kind kind) {
    switch (kind) {
    case FACT_REQUEST: return S("request");
    case FACT_REQUIREMENT: return S("requirement");
    case FACT_HELD: return S("held");
    case FACT_LOCK: return S("lock");
    case FACT_KEEP: return S("keep");
    case FACT_REMOVE: return S("remove");
    case FACT_STALE: return S("stale");
    case FACT_ADVISORY: return S("advisory");
    case FACT_VERSIONS: return S("versions");
    case FACT_ABSENT: return S("absent");
    }
    return S("?");
}

/* Foreign text in one line. */
static struct str one_line(struct arena *arena, struct str s) {
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        buf_add_char(&buf, c < 0x20 || c == 0x7f ? ' ' : s.data[i]);
    }
    return buf_str(&buf);
}

/* Foreign text that must be one word. */
static struct str one_word(struct arena *arena, struct str s) {
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        buf_add_char(&buf, c <= 0x20 || c == 0x7f ? '_' : s.data[i]);
    }
    return buf_str(&buf);
}

static void add_date(struct buf *buf, int64_t seconds) {
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    /* Civil date of a day number; years begin in March so that the leap day is last. */
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int day = (int)(of_year - (153 * month + 2) / 5 + 1);
    month += month < 10 ? 3 : -9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    buf_addf(buf, "%04d-%02d-%02d", (int)year, (int)month, day);
    if (rest) buf_addf(buf, "T%02d:%02d:%02d", (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

static void add_requires(struct buf *buf, const struct metadata *metadata) {
    ptrdiff_t width = 0;
    if (!metadata || metadata->requires_len == 0) return;
    for (int32_t i = 0; i < metadata->requires_len; i++) width += metadata->requires_dist[i].text.len + 3;
    bool folded = width > DUMP_LINE_MAX;
    buf_add(buf, S(" :"));
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        if (folded) buf_add(buf, S("\n    &"));
        else if (i > 0) buf_add(buf, S(" &"));
        buf_addf(buf, " %.*s", FMT(one_line(buf->arena, metadata->requires_dist[i].text)));
    }
}

/* A specifier without the blanks that may stand in it. */
static struct str without_blanks(struct arena *arena, struct str s) {
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] > 0x20 && s.data[i] != 0x7f) buf_add_char(&buf, s.data[i]);
    return buf_str(&buf);
}

static void add_python(struct buf *buf, const char *flag, const struct specifier_set *set) {
    if (set->len == 0) return;
    buf_addf(buf, " %s", flag);
    for (int32_t i = 0; i < set->len; i++)
        buf_addf(buf, "%s%.*s", i ? "," : "", FMT(without_blanks(buf->arena, set->items[i].text)));
}

/* True where the page is known and lacks what is installed. */
static bool is_off_index(const struct pool *pool, const struct dist *dist) {
    const struct project *project = pool_find(pool, dist->name);
    return !dist->vendor && project && project->page == PAGE_KNOWN && project->installed >= 0 &&
           !project->releases[project->installed].on_index;
}

static void add_installed(struct buf *buf, const struct environment *env, const struct pool *pool) {
    buf_add(buf, S("installed:\n"));
    for (int32_t i = 0; i < env->dists_len; i++) {
        const struct dist *dist = &env->dists[i];
        buf_addf(buf, "  %.*s %.*s", FMT(one_word(buf->arena, dist->raw_name)),
                 FMT(one_word(buf->arena, dist->version.text)));
        if (dist->vendor) buf_add(buf, S(" vendor"));
        if (is_off_index(pool, dist)) buf_add(buf, S(" off-index"));
        if (dist->system) buf_add(buf, S(" system"));
        if (dist->editable) buf_add(buf, S(" editable"));
        if (dist->requested) buf_add(buf, S(" requested"));
        if (!dist->metadata_known) buf_add(buf, S(" no-metadata"));
        if (dist->site > 0) buf_addf(buf, " site=%d", dist->site);
        add_python(buf, "python", &dist->metadata.requires_python);
        add_requires(buf, &dist->metadata);
        buf_add_char(buf, '\n');
    }
}

static void add_locks(struct buf *buf, const struct lock_set *locks) {
    if (!locks || (!locks->implied && locks->lines_len == 0)) return;
    buf_add(buf, locks->implied ? S("lock: implied\n") : S("lock:\n"));
    for (int32_t i = 0; i < locks->lines_len; i++)
        buf_addf(buf, "  %.*s\n", FMT(one_line(buf->arena, locks->lines[i].requirement.text)));
}

static void add_release(struct buf *buf, const struct project *project, const struct release *release) {
    buf_addf(buf, "  %.*s %.*s", FMT(project->name), FMT(one_word(buf->arena, release->version.text)));
    if (release->uploaded != INT64_MIN) {
        buf_add_char(buf, ' ');
        add_date(buf, release->uploaded);
    }
    if (release->yanked) buf_add(buf, S(" yanked"));
    if (release->bars & BAR_WHEELS) buf_add(buf, S(" other-python"));
    else if (release->artifact.sdist) buf_add(buf, S(" sdist"));
    if (release->bars & BAR_TAGS) buf_add(buf, S(" other-platform"));
    if (release->bars & BAR_QUARANTINED) buf_add(buf, S(" quarantined"));
    struct specifier_set page = {0};
    if (release->artifact.requires_python.len > 0 &&
        !specifier_set_parse(buf->arena, release->artifact.requires_python, &page))
        add_python(buf, "python", &page);
    if (release->installed) {
        /* Its metadata are those of the installed distribution. */
    } else if (release->meta_state == META_UNREADABLE) buf_add(buf, S(" unreadable"));
    else if (release->meta_state == META_UNKNOWN && !release->bars) buf_add(buf, S(" unrecorded"));
    else if (release->metadata) {
        if (page.len == 0) add_python(buf, "hidden-python", &release->metadata->requires_python);
        add_requires(buf, release->metadata);
    }
    buf_add_char(buf, '\n');
}

static void add_index(struct buf *buf, const struct pool *pool) {
    buf_add(buf, S("index:\n"));
    for (ptrdiff_t i = 0; i < pool->projects.len; i++) {
        const struct project *project = &pool->projects.data[i];
        if (project->page == PAGE_UNKNOWN) buf_addf(buf, "  %.*s ?\n", FMT(project->name));
        for (int32_t r = 0; project->page == PAGE_KNOWN && r < project->releases_len; r++)
            if (project->releases[r].on_index) add_release(buf, project, &project->releases[r]);
    }
}

static void add_advisories(struct buf *buf, const struct advisories *advisories) {
    static const char *const severities[] = {"info", "warn", "error", "security"};
    for (int32_t i = 0; advisories && i < advisories->len; i++) {
        const struct advisory *advisory = &advisories->items[i];
        buf_addf(buf, "advisory %.*s %s", FMT(one_word(buf->arena, advisory->id)), severities[advisory->severity]);
        for (int32_t n = 0; n < advisory->on_change_len; n++)
            buf_addf(buf, "%s %.*s", n ? "," : " on-change", FMT(one_word(buf->arena, advisory->on_change[n])));
        for (int32_t w = 0; w < advisory->when_len; w++)
            buf_addf(buf, "%s %.*s", w ? " &" : ":", FMT(one_line(buf->arena, advisory->when[w].text)));
        buf_add_char(buf, '\n');
    }
}

static void add_option_names(struct buf *buf, const char *option, const struct str *names, int32_t len) {
    for (int32_t i = 0; i < len; i++) buf_addf(buf, "options: %s %.*s\n", option, FMT(one_word(buf->arena, names[i])));
}

static void add_want(struct buf *buf, const struct want *want) {
    for (int32_t i = 0; i < want->requests_len; i++)
        buf_addf(buf, "%s: %.*s\n", want->requests[i].constraint ? "constraint" : "request",
                 FMT(one_line(buf->arena, want->requests[i].requirement.text)));
    add_option_names(buf, "--remove", want->remove, want->remove_len);
    add_option_names(buf, "--keep", want->keep, want->keep_len);
    add_option_names(buf, "--replace", want->replace, want->replace_len);
    add_option_names(buf, "--no-lift", want->no_lift, want->no_lift_len);
    add_option_names(buf, "--ignore-advisory", want->ignore_advisories, want->ignore_advisories_len);
    if (want->upgrade) buf_add(buf, S("options: --upgrade\n"));
    if (want->pre) buf_add(buf, S("options: --pre\n"));
    if (want->only_binary.all) buf_add(buf, S("options: --only-binary\n"));
    if (want->builds) buf_add(buf, S("options: --builds\n"));
    if (want->stale) buf_add(buf, S("options: --stale\n"));
    if (want->no_allowances) buf_add(buf, S("options: --no-allowances\n"));
    if (want->no_lifts) buf_add(buf, S("options: --no-lifts\n"));
    if (want->exclude_newer == INT64_MAX) return;
    buf_add(buf, S("options: --exclude-newer "));
    add_date(buf, want->exclude_newer);
    buf_add_char(buf, '\n');
}

static void add_change(struct buf *buf, const struct plan_change *change) {
    static const char *const actions[] = {"upgrade", "downgrade", "add", "remove", "replace"};
    buf_addf(buf, "  %s %.*s", actions[change->action], FMT(change->name));
    if (change->from.len) buf_addf(buf, " %.*s", FMT(one_word(buf->arena, change->from)));
    if (change->from.len && change->to.len) buf_add(buf, S(" ->"));
    if (change->to.len) buf_addf(buf, " %.*s", FMT(one_word(buf->arena, change->to)));
    if (change->below_floor) buf_add(buf, S(" below-floor"));
    if (change->lax) buf_add(buf, S(" lax"));
    buf_add_char(buf, '\n');
}

static void add_break(struct buf *buf, const char *word, const struct plan_break *item) {
    buf_addf(buf, "  %s %.*s %.*s: %.*s\n", word, FMT(item->name), FMT(one_word(buf->arena, item->version)),
             FMT(one_line(buf->arena, item->requires_text)));
}

static void add_feasible(struct buf *buf, const struct plan *plan) {
    static const char *const effects[] = {"avoided", "present", "ignored", "warned"};
    for (int32_t i = 0; i < plan->lifts_len; i++)
        buf_addf(buf, "  lift %.*s %.*s -> %.*s\n", FMT(plan->lifts[i].name),
                 FMT(one_word(buf->arena, plan->lifts[i].from)), FMT(one_word(buf->arena, plan->lifts[i].to)));
    for (int32_t i = 0; i < plan->changes_len; i++) add_change(buf, &plan->changes[i]);
    for (int32_t i = 0; i < plan->allowances_len; i++)
        buf_addf(buf, "  allowance %.*s as %.*s for %.*s\n", FMT(plan->allowances[i].name),
                 FMT(plan->allowances[i].taken_as), FMT(one_line(buf->arena, plan->allowances[i].for_text)));
    for (int32_t i = 0; i < plan->advisories_len; i++)
        buf_addf(buf, "  advisory %.*s %s\n", FMT(one_word(buf->arena, plan->advisories[i].id)),
                 effects[plan->advisories[i].effect]);
    for (int32_t i = 0; i < plan->breaks_before_len; i++) add_break(buf, "break-before", &plan->breaks_before[i]);
    for (int32_t i = 0; i < plan->breaks_fixed_len; i++) add_break(buf, "break-fixed", &plan->breaks_fixed[i]);
    for (int32_t i = 0; i < plan->breaks_new_len; i++) add_break(buf, "break-new", &plan->breaks_new[i]);
}

static void add_infeasible(struct buf *buf, const struct plan *plan) {
    for (int32_t i = 0; i < plan->reason_len; i++) {
        const struct plan_fact *fact = &plan->reason[i];
        buf_addf(buf, "  because %.*s", FMT(dump_fact_name(fact->kind)));
        if (fact->name.len) buf_addf(buf, " %.*s", FMT(one_word(buf->arena, fact->name)));
        if (fact->version.len) buf_addf(buf, " %.*s", FMT(one_line(buf->arena, fact->version)));
        if (fact->text.len) buf_addf(buf, ": %.*s", FMT(one_line(buf->arena, fact->text)));
        buf_add_char(buf, '\n');
    }
    for (int32_t i = 0; i < plan->suggestions_len; i++) {
        const struct plan_suggestion *suggestion = &plan->suggestions[i];
        buf_add(buf, S("  suggest"));
        for (int32_t a = 1; a < suggestion->argv_len; a++)
            buf_addf(buf, " %.*s", FMT(one_word(buf->arena, suggestion->argv[a])));
        buf_add_char(buf, '\n');
    }
}

struct str dump_expect(struct arena *arena, const struct plan *plan) {
    struct buf buf = {.arena = arena};
    switch (plan->status) {
    case PLAN_FEASIBLE:
    case PLAN_SATISFIED:
        buf_add(&buf, plan->status == PLAN_FEASIBLE ? S("expect: plan\n") : S("expect: satisfied\n"));
        add_feasible(&buf, plan);
        break;
    case PLAN_INFEASIBLE:
        buf_add(&buf, S("expect: infeasible\n"));
        add_infeasible(&buf, plan);
        break;
    }
    return buf_str(&buf);
}

struct str dump_case(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                     const struct plan *plan, struct str title) {
    struct buf buf = {.arena = arena};
    buf_addf(&buf, "# %.*s\n", FMT(one_line(arena, title)));
    buf_addf(&buf, "python %.*s\n", FMT(one_word(arena, input->env->markers.python_full_version)));
    if (input->env->markers.platform_machine.len)
        buf_addf(&buf, "machine %.*s\n", FMT(one_word(arena, input->env->markers.platform_machine)));
    if (input->env->image_date != INT64_MIN) {
        buf_add(&buf, S("date "));
        add_date(&buf, input->env->image_date);
        buf_add_char(&buf, '\n');
    }
    add_installed(&buf, input->env, pool);
    add_locks(&buf, input->locks);
    add_index(&buf, pool);
    add_advisories(&buf, input->advisories);
    add_want(&buf, input->want);
    if (input->guess) buf_add(&buf, S("options: --guess\n"));
    if (plan) buf_add(&buf, dump_expect(arena, plan));
    return buf_str(&buf);
}
