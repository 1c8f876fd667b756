/* Plans made by hand, told in words and as JSON, against the texts in tests/golden. With UNPIN_UPDATE=1 in the
 * environment the texts are written instead (read the difference before committing it). */
#include "stage/report.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { GOLDEN_MAX = 1 << 16 };

static void expect(struct arena *arena, const char *name, struct str text) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", UNPIN_GOLDEN, name);
    const char *update = getenv("UNPIN_UPDATE");
    if (update && *update) {
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(text.data, 1, (size_t)text.len, out), text.len);
        assert_int_equal(fclose(out), 0);
        return;
    }
    struct str expected;
    struct err *err = fs_read(fs_real(), arena, str_of(path), GOLDEN_MAX, &expected);
    assert_null(err);
    if (!str_eq(text, expected)) print_error("%s differs; this was made:\n%.*s", name, FMT(text));
    assert_true(str_eq(text, expected));
}

/* A small image with a lock, of which the tests make plans. */
struct world {
    struct arena *arena;
    struct environment env;
    struct lock_set locks;
    struct want want;
    struct request request;
};

static void add_dist(struct world *world, struct dist *dist, const char *name, const char *version, uint32_t vendor) {
    dist->name = str_of(name);
    dist->raw_name = dist->name;
    dist->vendor = vendor;
    dist->version_valid = version_try_parse(world->arena, str_of(version), &dist->version);
    assert_true(dist->version_valid);
}

static struct world *world_make(const char *request) {
    struct arena *arena = arena_open();
    struct world *world = arena_new(arena, struct world, 1);
    world->arena = arena;
    struct dist *dists = arena_new(arena, struct dist, 5);
    add_dist(world, &dists[0], "nvidia-modelopt", "0.25.0", 0);
    add_dist(world, &dists[1], "nvidia-modelopt-core", "0.25.0", 0);
    add_dist(world, &dists[2], "torch", "2.7.0a0+79aa17489c.nv25.4", VENDOR_LOCAL_VERSION);
    add_dist(world, &dists[3], "apex", "0.1", VENDOR_LISTED);
    add_dist(world, &dists[4], "idna", "3.10", 0);
    environment_seal(arena, &world->env, dists, 5);
    world->env.image = S("ngc-pytorch:25.04");
    world->env.markers.python_version = S("3.12");
    world->env.markers.python_full_version = S("3.12.3");
    world->env.fingerprint = S("00ff");
    assert_null(lock_add_text(arena, S("/etc/pip/constraint.txt"),
                              S("apex==0.1\nidna==3.10\nnvidia-modelopt==0.25.0\nnvidia-modelopt-core==0.25.0\n"
                                "torch==2.7.0a0+79aa17489c.nv25.4\n"),
                              &world->env.markers, &world->locks));
    assert_null(requirement_parse(arena, str_of(request), &world->request.requirement));
    world->want.requests = &world->request;
    world->want.requests_len = 1;
    return world;
}

static struct plan plan_of(const struct world *world, enum plan_status status) {
    return (struct plan){.status = status,
                         .env = &world->env,
                         .locks = &world->locks,
                         .want = &world->want,
                         .proof = {.optimal = true, .metadata_fetched = 9, .rounds = 3}};
}

static const struct report_look plain = {0};
static const struct report_extra extra = {.command = S_INIT("plan"),
                                          .next = S_INIT("unpin install nvidia-modelopt==0.27.0")};

static void test_feasible(void **state) {
    (void)state;
    struct world *world = world_make("nvidia-modelopt==0.27.0");
    struct plan plan = plan_of(world, PLAN_FEASIBLE);
    const struct plan_lift lifts[] = {
        {S("nvidia-modelopt"), S("0.25.0"), S("0.27.0"), S("/etc/pip/constraint.txt"), 0, 3},
        {S("nvidia-modelopt-core"), S("0.25.0"), S("0.27.0"), S("/etc/pip/constraint.txt"), 0, 4},
    };
    const struct str because[] = {S("nvidia-modelopt 0.27.0 requires nvidia-modelopt-core==0.27.0"),
                                  S("you asked for it")};
    const struct plan_change changes[] = {
        {.name = S("nvidia-modelopt"),
         .action = PLAN_UPGRADE,
         .from = S("0.25.0"),
         .to = S("0.27.0"),
         .requested = true,
         .artifact = {.filename = S("nvidia_modelopt-0.27.0-py3-none-any.whl"),
                      .url = S("https://me:secret@index.example/nvidia_modelopt-0.27.0-py3-none-any.whl"),
                      .sha256 = S("7f0ba4f5e4b6a2f3b0b8d6c1f3a94ce1c30b0ab6d9e1d0d5d5b4a83e8bd1a5c2"),
                      .size = 630000}},
        {.name = S("nvidia-modelopt-core"),
         .action = PLAN_UPGRADE,
         .from = S("0.25.0"),
         .to = S("0.27.0"),
         .because = because,
         .because_len = 2,
         .artifact = {.filename = S("nvidia_modelopt_core-0.27.0-cp312-cp312-linux_x86_64.whl"),
                      .url = S("https://index.example/core.whl"),
                      .size = 1370000}},
        {.name = S("pulp"),
         .action = PLAN_ADD,
         .to = S("2.9.0"),
         .because = &because[0],
         .because_len = 1,
         .artifact =
             {.size = -1, .sdist = true, .filename = S("pulp-2.9.0.tar.gz"), .url = S("https://index.example/p")}},
    };
    const struct plan_allowance allowance = {S("torch"), S("2.7.0a0+79aa17489c.nv25.4"), S("2.7.0"),
                                             S("accelerate 1.6.0: torch>=2.7.0")};
    const struct plan_advisory advisory = {S("ADV-001"), S("from_pretrained() fails"), S("https://example.org"),
                                           PLAN_ADVISORY_AVOIDED};
    const struct plan_break before = {S("idna"), S("3.10"), S("nowhere>=1"), S("")};
    const struct str warning = S("pulp 2.9.0 is a source distribution:\033[31m building it runs code");
    plan.lifts = lifts, plan.lifts_len = 2;
    plan.changes = changes, plan.changes_len = 3;
    plan.allowances = &allowance, plan.allowances_len = 1;
    plan.advisories = &advisory, plan.advisories_len = 1;
    plan.breaks_before = &before, plan.breaks_before_len = 1;
    plan.warnings = &warning, plan.warnings_len = 1;
    plan.proof.lower_bound_lifts = 2;
    plan.proof.levels_len = 1;
    plan.proof.level_names[0] = S("locks lifted");
    plan.proof.level_proven[0] = true;
    plan.proof.level_costs[0] = 2;
    expect(world->arena, "plan-feasible.txt", report_plan_format(world->arena, &plan, &plain, &extra));
    const struct report_look full = {.color = true, .verbose = true};
    expect(world->arena, "plan-feasible-verbose.txt", report_plan_format(world->arena, &plan, &full, &extra));
    expect(world->arena, "plan-feasible.json", report_plan_json(world->arena, &plan, &extra));
    arena_close(world->arena);
}

static void test_infeasible(void **state) {
    (void)state;
    struct world *world = world_make("torch==2.7.0");
    struct plan plan = plan_of(world, PLAN_INFEASIBLE);
    const struct plan_fact reason[] = {
        {.kind = FACT_REQUEST, .text = S("torch==2.7.0"), .sentence = S("you asked for torch==2.7.0")},
        {.kind = FACT_HELD,
         .name = S("torch"),
         .version = S("2.7.0a0+79aa17489c.nv25.4"),
         .file = S("/etc/pip/constraint.txt"),
         .line = 5,
         .sentence = S("torch 2.7.0a0+79aa17489c.nv25.4 is a vendor build and stays")},
    };
    const struct str argv[] = {S("unpin"), S("plan"), S("torch>=2.6 ; extra == 'a'"), S("--replace"), S("torch")};
    const struct plan_suggestion suggestion = {S("replace the vendor's torch"), argv, 5, 1, 4, false};
    plan.reason = reason, plan.reason_len = 2;
    plan.suggestions = &suggestion, plan.suggestions_len = 1;
    expect(world->arena, "plan-infeasible.txt", report_plan_format(world->arena, &plan, &plain, &extra));
    expect(world->arena, "plan-infeasible.json", report_plan_json(world->arena, &plan, &extra));
    arena_close(world->arena);
}

static void test_satisfied(void **state) {
    (void)state;
    struct world *world = world_make("idna>=3");
    struct plan plan = plan_of(world, PLAN_SATISFIED);
    expect(world->arena, "plan-satisfied.txt", report_plan_format(world->arena, &plan, &plain, &extra));
    arena_close(world->arena);
}

static void test_err(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct err *cause = err_make(arena, ERR_NETWORK, "https://u:p@host.example/simple/ does not answer");
    struct err *err = err_at(err_make(arena, ERR_LOCK, "cannot read the lock"), S("/etc/pip/\033c.txt"), 7, 3);
    err = err_hint(arena, err_because(err, cause), "name another with --lock");
    struct str text = report_err_format(arena, err, &plain);
    expect(arena, "err.txt", text);
    assert_int_equal(str_find(text, S("u:p")), -1);
    struct str json = report_err_json(arena, err, S("plan"));
    expect(arena, "err.json", json);
    assert_int_equal(str_find(json, S("u:p")), -1);
    arena_close(arena);
}

static void test_mask_and_shell(void **state) {
    (void)state;
    static const struct {
        struct str text, expected;
    } masks[] = {
        {S_INIT("https://u:p@h/x"), S_INIT("https://****@h/x")},
        {S_INIT("a http://u@h b ftp://x:y@z"), S_INIT("a http://****@h b ftp://****@z")},
        {S_INIT("https://h/a@b"), S_INIT("https://h/a@b")},
        {S_INIT("https://u:p@ss@h"), S_INIT("https://****@h")},
        {S_INIT("no url"), S_INIT("no url")},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        assert_true(str_eq(report_mask(arena, masks[i].text), masks[i].expected));
    const struct str argv[] = {S("unpin"), S("plan"), S("a>=1"), S("it's"), S(""), S("x==1")};
    assert_true(str_eq(report_shell(arena, argv, 6), S("unpin plan 'a>=1' 'it'\\''s' '' x==1")));
    assert_true(str_eq(report_size(arena, 999), S("999 B")));
    assert_true(str_eq(report_size(arena, 4200000), S("4.2 MB")));
    assert_true(str_eq(report_size(arena, 999999), S("1.0 MB")));
    arena_close(arena);
}

static void test_plain(void **state) {
    (void)state;
    static const char *const table[][2] = {
        {"a 1.0 requires b>=2 ; python_version > '3'", "a 1.0 requires b>=2"},
        {"a 1.0 requires b; extra == \"x\", and b moves to 3", "a 1.0 requires b, and b moves to 3"},
        {"a 1.0 requires b>=2", "a 1.0 requires b>=2"},
        {"you asked for it; truly", "you asked for it; truly"},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_true(str_eq(report_plain(arena, str_of(table[i][0])), str_of(table[i][1])));
    arena_close(arena);
}

static void test_diff(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    assert_int_equal(report_diff_format(arena, S("f"), S("a\nb\n"), S("a\nb\n"), &plain).len, 0);
    expect(arena, "diff.txt", report_diff_format(arena, S("f"), S("a\nb\nc\nd\n"), S("a\nB\nC\nd\ne\033\n"), &plain));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feasible), cmocka_unit_test(test_infeasible),     cmocka_unit_test(test_satisfied),
        cmocka_unit_test(test_err),      cmocka_unit_test(test_mask_and_shell), cmocka_unit_test(test_diff),
        cmocka_unit_test(test_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
