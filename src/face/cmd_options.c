/*
 * unpin options - which versions are possible, and what each costs.
 *
 * The front is walked from below: the plan for the request gives the newest version at the least cost; the plan for
 * what is newer than that gives the next one, until there is none. Costs are compared as plans are: level by level,
 * lifts before changes. So every row is proven to be the cheapest of its and all newer versions, and no version between
 * two rows costs less than the newer of them. With --all the newest versions are planned one by one instead.
 */
#include "face/command.h"

#include "base/arena.h"

enum { OPTIONS_MAX = 12 }; /* plans at most */

/* One version, planned. */
struct choice {
    struct str version;
    struct plan plan;
    int32_t lifts, changed, added;
    bool dominated; /* a newer version costs no more in any level before the newest */
};

static bool admissible(const struct want *want, const struct requirement *requirement, const struct release *release) {
    if (release->bars || !release->on_index) return false;
    if (release->uploaded != INT64_MIN && release->uploaded > want->exclude_newer) return false;
    if (release->yanked && !specifier_set_pins(&requirement->specifiers, &release->version)) return false;
    if (release->prerelease && !want->pre && !specifier_set_names_prerelease(&requirement->specifiers)) return false;
    return specifier_set_match(&requirement->specifiers, &release->version);
}

static struct err *find_request(struct session *session, struct requirement *ret) {
    struct option_list words = session_words(session);
    TRY(session_open_environment(session));
    TRY(want_parse(session->arena, session->fs, &session->env, words.items, 1, NULL, 0, NULL, &session->want));
    if (session->want.requests_len != 1 || session->want.requests[0].requirement.url.len > 0)
        return err_make(session->arena, ERR_USAGE, "options wants a requirement by name: %.*s", FMT(words.items[0]));
    *ret = session->want.requests[0].requirement;
    return NULL;
}

/* The newest admissible versions of the project, newest first; the installed one among them. */
static struct err *find_versions(struct session *session, struct requirement *ret, struct str *versions,
                                 int32_t *ret_len) {
    TRY(find_request(session, ret));
    TRY(session_open_index(session));
    session->pool = pool_make(session->arena, &session->env);
    struct project_id id = pool_project(&session->pool, ret->name);
    const struct need need = {id, -1};
    const struct needs needs = {&need, 1};
    TRY(index_supply(session->index, &session->pool, &needs));
    const struct project *project = &session->pool.projects.data[id.n];
    int32_t n = 0;
    for (int32_t i = project->releases_len - 1; i >= 0 && n < OPTIONS_MAX; i--)
        if (admissible(&session->want, ret, &project->releases[i])) versions[n++] = project->releases[i].version.text;
    *ret_len = n;
    if (n > 0) return NULL;
    struct err *err = err_make(session->arena, ERR_REQUEST, "no version of %.*s on the index fits %.*s",
                               FMT(ret->raw_name), FMT(ret->text));
    return project->page == PAGE_ABSENT ? err_hint(session->arena, err, "the index has no such project") : err;
}

/* "name[extras]" and the specifiers. */
static struct str word_of(struct arena *arena, const struct requirement *requirement, struct str specifiers) {
    struct buf word = {.arena = arena};
    buf_add(&word, requirement->raw_name);
    for (int32_t i = 0; i < requirement->extras_len; i++)
        buf_addf(&word, "%s%.*s%s", i ? "," : "[", FMT(requirement->extras[i]),
                 i + 1 == requirement->extras_len ? "]" : "");
    buf_add(&word, specifiers);
    return buf_str(&word);
}

static struct err *plan_word(struct session *session, struct str word, struct choice *choice) {
    const struct session_request request = {.words = {&word, 1}};
    TRY(session_propose(session, &request, &choice->plan));
    choice->lifts = choice->plan.lifts_len;
    for (int32_t i = 0; i < choice->plan.changes_len; i++) {
        if (choice->plan.changes[i].action == PLAN_ADD) choice->added++;
        else choice->changed++;
    }
    return NULL;
}

/* The newest versions, each planned. */
static struct err *find_all(struct session *session, struct requirement *requirement, struct choice *choices,
                            int32_t *ret_len) {
    struct str versions[OPTIONS_MAX];
    int32_t len = 0;
    TRY(find_versions(session, requirement, versions, &len));
    for (int32_t i = 0; i < len; i++) {
        choices[i].version = versions[i];
        struct str pin = str_format(session->arena, "==%.*s", FMT(versions[i]));
        TRY(plan_word(session, word_of(session->arena, requirement, pin), &choices[i]));
    }
    *ret_len = len;
    return NULL;
}

/* The version of the project that a plan leaves in place. */
static struct str version_after(const struct plan *plan, struct str name) {
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (str_eq(plan->changes[i].name, name)) return plan->changes[i].to;
    const struct dist *dist = environment_find(plan->env, name);
    return dist ? dist->version.text : S("");
}

/* The front, newest first; the last plan, for what is newer than all of them, says why there is no more. */
static struct err *find_front(struct session *session, struct requirement *requirement, struct choice *choices,
                              int32_t *ret_len) {
    struct arena *arena = session->arena;
    TRY(find_request(session, requirement));
    struct str given = specifier_set_format(arena, &requirement->specifiers), more = given;
    int32_t n = 0;
    while (n < OPTIONS_MAX) {
        struct choice choice = {0};
        TRY(plan_word(session, word_of(arena, requirement, more), &choice));
        bool possible = choice.plan.status != PLAN_INFEASIBLE;
        choice.version = possible ? version_after(&choice.plan, requirement->name) : S("none");
        /* A vendor's pre-release that is taken as its release is newer than itself. */
        bool again = n > 0 && str_eq(choice.version, choices[0].version);
        if (again || (!possible && n > 0)) break;
        for (int32_t i = n++; i > 0; i--) choices[i] = choices[i - 1];
        choices[0] = choice;
        if (!possible || choice.version.len == 0) break;
        struct str rest = choice.version, public = str_cut(&rest, '+'); /* no order compares with a local version */
        more = str_format(arena, "%.*s%s>%.*s", FMT(given), given.len ? "," : "", FMT(public));
    }
    *ret_len = n;
    return NULL;
}

/* The levels that come before the newest version, in order. */
static const struct {
    struct str level;
    const char *one, *more;
} costs[] = {
    {S_INIT("below-floor-or-lax"), "old release that merely lacks what excludes it",
     "old releases that merely lack what excludes them"},
    {S_INIT("allowances"), "allowance", "allowances"},
    {S_INIT("lifts"), "lock lifted", "locks lifted"},
    {S_INIT("changes"), "change", "changes"},
    {S_INIT("downgrades"), "downgrade", "downgrades"},
    {S_INIT("soft"), "bound of an extra left", "bounds of extras left"},
    {S_INIT("builds"), "build", "builds"},
};

enum { COSTS = sizeof costs / sizeof *costs };

static int64_t cost_at(const struct choice *choice, int32_t c) {
    const struct plan_proof *proof = &choice->plan.proof;
    for (int32_t i = 0; i < proof->levels_len; i++)
        if (str_eq(proof->level_names[i], costs[c].level)) return proof->level_costs[i];
    return 0;
}

/* The first level in which the costs differ, -1: none. */
static int32_t first_difference(const struct choice *a, const struct choice *b) {
    for (int32_t c = 0; c < COSTS; c++)
        if (cost_at(a, c) != cost_at(b, c)) return c;
    return -1;
}

/* A version is dominated by a newer one that is possible and costs no more. Choices stand newest first. */
static void find_dominated(struct choice *choices, int32_t len) {
    for (int32_t i = 0; i < len; i++) {
        choices[i].dominated = choices[i].plan.status == PLAN_INFEASIBLE;
        for (int32_t k = 0; k < i && !choices[i].dominated; k++) {
            const struct choice *newer = &choices[k];
            int32_t c = first_difference(newer, &choices[i]);
            choices[i].dominated =
                newer->plan.status != PLAN_INFEASIBLE && (c < 0 || cost_at(newer, c) < cost_at(&choices[i], c));
        }
        /* What is installed is always worth knowing. */
        if (choices[i].plan.status == PLAN_SATISFIED) choices[i].dominated = false;
    }
}

/* What the version costs more than `older`, where the columns do not show it. */
static void add_difference(struct buf *buf, const struct choice *choice, const struct choice *older) {
    int32_t c = older->plan.status == PLAN_INFEASIBLE ? -1 : first_difference(choice, older);
    int64_t more = c < 0 ? 0 : cost_at(choice, c) - cost_at(older, c);
    if (more <= 0 || choice->lifts != older->lifts || choice->changed != older->changed) return;
    buf_addf(buf, "%s%lld more %s than %.*s", buf->len ? "; " : "", (long long)more,
             more == 1 ? costs[c].one : costs[c].more, FMT(older->version));
}

/* `older` is the next row, NULL: the last one. */
static struct str note_of(struct arena *arena, const struct choice *choice, const struct choice *older) {
    if (choice->plan.status == PLAN_SATISFIED) return S("installed");
    if (choice->plan.status == PLAN_INFEASIBLE) {
        struct str why =
            choice->plan.reason_len > 0 ? choice->plan.reason[choice->plan.reason_len - 1].sentence : S("");
        return str_format(arena, "not possible: %.*s", FMT(why));
    }
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < choice->lifts; i++)
        buf_addf(&buf, "%s%.*s %.*s", i ? ", " : "lifts ", FMT(choice->plan.lifts[i].name),
                 FMT(choice->plan.lifts[i].to));
    if (choice->plan.allowances_len > 0)
        buf_addf(&buf, "%s%d allowance%s", buf.len ? "; " : "", choice->plan.allowances_len,
                 choice->plan.allowances_len == 1 ? "" : "s");
    if (older) add_difference(&buf, choice, older);
    return buf_str(&buf);
}

static void print_text(struct session *session, const struct requirement *requirement, const struct choice *choices,
                       int32_t len) {
    enum { COLUMNS = 5 };
    struct arena *arena = session->arena;
    struct buf buf = {.arena = arena};
    struct str *cells = arena_new(arena, struct str, (len + 1) * COLUMNS);
    const struct str head[COLUMNS] = {S("version"), S("lifts"), S("changes"), S("adds"), S("")};
    for (int32_t i = 0; i < COLUMNS; i++) cells[i] = head[i];
    int32_t n = 1;
    for (int32_t i = 0; i < len; i++) {
        struct str *cell = &cells[n++ * COLUMNS];
        bool possible = choices[i].plan.status != PLAN_INFEASIBLE;
        cell[0] = choices[i].version;
        cell[1] = possible ? str_format(arena, "%d", choices[i].lifts) : S("-");
        cell[2] = possible ? str_format(arena, "%d", choices[i].changed) : S("-");
        cell[3] = possible ? str_format(arena, "%d", choices[i].added) : S("-");
        cell[4] = note_of(arena, &choices[i], i + 1 < len ? &choices[i + 1] : NULL);
    }
    report_title(&buf, &session->look, str_format(arena, "options for %.*s", FMT(requirement->text)));
    if (n > 1) report_table(&buf, &session->look, cells, n, COLUMNS, (const char *const[]){"1", "", "", "", "2"});
    else buf_addf(&buf, "  none of the newest %d versions is possible (--all says why)\n", len);
    if (n - 1 < len && !session->options->all)
        buf_addf(&buf,
                 "%d of the newest %d versions are not possible, or a newer one costs no more (--all shows them)\n",
                 len - n + 1, len);
    session_print(session, buf_str(&buf));
}

static void print_json(struct session *session, const struct requirement *requirement, const struct choice *choices,
                       int32_t len) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key_string(&w, S("request"), requirement->text);
    json_key(&w, S("options"));
    json_begin_array(&w);
    for (int32_t i = 0; i < len; i++) {
        bool possible = choices[i].plan.status != PLAN_INFEASIBLE;
        json_begin_object(&w);
        json_key_string(&w, S("version"), choices[i].version);
        json_key_bool(&w, S("possible"), possible);
        json_key_bool(&w, S("installed"), choices[i].plan.status == PLAN_SATISFIED);
        json_key_bool(&w, S("dominated"), choices[i].dominated);
        json_key_int(&w, S("lifts"), choices[i].lifts);
        json_key_int(&w, S("changed"), choices[i].changed);
        json_key_int(&w, S("added"), choices[i].added);
        json_key_int(&w, S("allowances"), choices[i].plan.allowances_len);
        json_key_string(&w, S("note"), note_of(session->arena, &choices[i], i + 1 < len ? &choices[i + 1] : NULL));
        json_end_object(&w);
    }
    json_end_array(&w);
    session_print(session, report_end_json(&w));
}

struct err *cmd_options(struct session *session, int *ret_status) {
    if (session_words(session).len != 1)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "options wants one requirement"),
                        "for example: unpin options transformers");
    struct requirement requirement;
    struct choice *choices = arena_new(session->arena, struct choice, OPTIONS_MAX);
    /* A row says that there is nothing newer for its price: that has to be proven. */
    struct options *proving = arena_new(session->arena, struct options, 1);
    *proving = *session->options;
    proving->prove_newest = true;
    session->options = proving;
    int32_t len = 0, possible = 0;
    if (session->options->all) TRY(find_all(session, &requirement, choices, &len));
    else TRY(find_front(session, &requirement, choices, &len));
    for (int32_t i = 0; i < len; i++) possible += choices[i].plan.status != PLAN_INFEASIBLE;
    find_dominated(choices, len);
    if (session->options->json) print_json(session, &requirement, choices, len);
    else print_text(session, &requirement, choices, len);
    if (possible == 0) *ret_status = err_exit_status(ERR_INFEASIBLE);
    return NULL;
}
