#include "stage/apply_parts.h"

#include "base/arena.h"
#include "stage/history.h"
#include "stage/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A virtual environment without pip, a lock, and wheels of a made-up project. */
struct rig {
    struct arena *arena;
    const char *dir;
    struct environment env;
    struct lock_set locks;
    struct index *index;
    struct want want;
    struct config config;
    const char *meddled; /* a file that another program damages when the new RECORD is read; NULL: none */
    const char *damage;  /* how: "byte", "cut" or "gone" */
};

/* Makes demo-VERSION-py3-none-any.whl with the given body of demo/__init__.py. */
static const char wheel_script[] =
    "import base64, hashlib, sys, zipfile\n"
    "folder, version, body = sys.argv[1:]\n"
    "info = f'demo-{version}.dist-info'\n"
    "files = {'demo/__init__.py': body, 'demo/data.txt': version * 50,\n"
    "         f'{info}/METADATA': f'Metadata-Version: 2.1\\nName: demo\\nVersion: {version}\\n',\n"
    "         f'{info}/WHEEL': 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',\n"
    "         f'{info}/entry_points.txt': '[console_scripts]\\ndemo-tool = demo:main\\n'}\n"
    "rows = ''\n"
    "for n, t in files.items():\n"
    "    d = base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).rstrip(b'=').decode()\n"
    "    rows += f'{n},sha256={d},{len(t)}\\n'\n"
    "files[f'{info}/RECORD'] = rows + f'{info}/RECORD,,\\n'\n"
    "with zipfile.ZipFile(f'{folder}/demo-{version}-py3-none-any.whl', 'w') as z:\n"
    "    for n, t in files.items(): z.writestr(zipfile.ZipInfo(n, (2020, 1, 1, 0, 0, 0)), t)\n";

static void run_program(struct arena *arena, const struct str *argv, int32_t len) {
    struct proc_result result;
    struct str path;
    assert_true(proc_variable(arena, "PATH", &path));
    struct proc_call call = {
        .argv = argv, .argv_len = len, .env = &path, .env_len = 1, .output_max = 1 << 20, .timeout_ms = 120000};
    struct err *err = proc_run(proc_real(), arena, &call, &result);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    if (result.status) fail_msg("%.*s", FMT(result.error));
}

static void wheel_make(struct rig *rig, const char *version, const char *body) {
    const struct str argv[] = {S("python3"),     S("-c"),         str_of(wheel_script),
                               str_of(rig->dir), str_of(version), str_of(body)};
    run_program(rig->arena, argv, 6);
}

static void no_err(struct rig *rig, struct err *err) {
    if (err) fail_msg("%.*s", FMT(err_format(rig->arena, err)));
}

static void scan_again(struct rig *rig) {
    struct scan_options options = {.python = str_format(rig->arena, "%s/venv/bin/python", rig->dir)};
    struct str lock = str_format(rig->arena, "%s/constraint.txt", rig->dir);
    no_err(rig, scan_environment(rig->arena, fs_real(), proc_real(), &options, &rig->env));
    no_err(rig, lock_read(rig->arena, fs_real(), &lock, 1, &rig->env.markers, &rig->locks));
}

static int setup(void **state) {
    struct arena *arena = arena_open();
    struct rig *rig = arena_new(arena, struct rig, 1);
    char *dir = str_copy_z(arena, S("/tmp/unpin-apply-XXXXXX"));
    rig->arena = arena;
    assert_non_null(mkdtemp(dir));
    rig->dir = dir;
    const struct str argv[] = {S("python3"), S("-m"), S("venv"), S("--without-pip"), str_format(arena, "%s/venv", dir)};
    run_program(arena, argv, 5);
    FILE *lock = fopen(str_format(arena, "%s/constraint.txt", dir).data, "w");
    assert_non_null(lock);
    assert_true(fputs("# the lock\r\ndemo==1.0  # ours\r\nother==3", lock) >= 0);
    assert_int_equal(fclose(lock), 0);
    wheel_make(rig, "1.0", "value = 1\ndef main(): pass\n");
    wheel_make(rig, "2.0", "value = 2\ndef main(): pass\n");
    wheel_make(rig, "3.0", "import a_module_that_nobody_has\n");
    rig->want = (struct want){.exclude_newer = INT64_MAX};
    scan_again(rig);
    struct index_options options = {.no_index = true,
                                    .env = &rig->env,
                                    .want = &rig->want,
                                    .config = &rig->config,
                                    .cache_dir = str_format(arena, "%s/cache", dir)};
    no_err(rig, index_open(arena, fs_real(), &options, &rig->index));
    *state = rig;
    return 0;
}

static int teardown(void **state) {
    struct rig *rig = *state;
    const struct str argv[] = {S("rm"), S("-rf"), str_of(rig->dir)};
    run_program(rig->arena, argv, 3);
    index_close(rig->index);
    arena_close(rig->arena);
    return 0;
}

static void meddle(const struct rig *rig) {
    FILE *file = fopen(rig->meddled, "r+");
    assert_non_null(file);
    if (strcmp(rig->damage, "byte") == 0) assert_int_equal(fputc('X', file), 'X');
    assert_int_equal(fclose(file), 0);
    if (strcmp(rig->damage, "cut") == 0) assert_int_equal(truncate(rig->meddled, 3), 0);
    if (strcmp(rig->damage, "gone") == 0) assert_int_equal(unlink(rig->meddled), 0);
}

static int meddling_read(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret) {
    struct rig *rig = self;
    if (rig->meddled && str_ends(str_of(path), S("/demo-2.0.dist-info/RECORD"))) {
        meddle(rig);
        rig->meddled = NULL;
    }
    return fs_real()->read_file(fs_real()->self, arena, path, limit, ret);
}

static int plain_list(void *self, struct arena *arena, const char *path, struct str **ret, int32_t *ret_len) {
    (void)self;
    return fs_real()->list_dir(fs_real()->self, arena, path, ret, ret_len);
}

static int plain_stat(void *self, const char *path, bool follow, struct fs_stat *ret) {
    (void)self;
    return fs_real()->stat_path(fs_real()->self, path, follow, ret);
}

/* Applies a plan that takes demo `from` one version `to` another. */
static struct err *change(struct rig *rig, const char *from, const char *to, struct apply_result *ret) {
    struct str filename = str_format(rig->arena, "demo-%s-py3-none-any.whl", to);
    struct plan_change *demo = arena_new(rig->arena, struct plan_change, 1);
    *demo = (struct plan_change){.name = S("demo"),
                                 .raw_name = S("demo"),
                                 .action = *from ? PLAN_UPGRADE : PLAN_ADD,
                                 .from = str_of(from),
                                 .to = str_of(to),
                                 .requested = true};
    demo->artifact = (struct artifact){.filename = filename, .size = -1};
    demo->artifact.url = str_format(rig->arena, "file://%s/%.*s", rig->dir, FMT(filename));
    struct plan_lift lift = {.name = S("demo"), .from = str_of(from), .to = str_of(to), .line = 2};
    struct plan plan = {.status = PLAN_FEASIBLE,
                        .env = &rig->env,
                        .locks = &rig->locks,
                        .want = &rig->want,
                        .changes = demo,
                        .changes_len = 1,
                        .lifts = &lift,
                        .lifts_len = *from ? 1 : 0};
    const struct str argv[] = {S("unpin"), S("install"), S("demo")};
    struct apply_options options = {.argv = argv, .argv_len = 3};
    struct fs fs = {.self = rig, .read_file = meddling_read, .list_dir = plain_list, .stat_path = plain_stat};
    struct apply_input input = {rig->meddled ? &fs : fs_real(), proc_real(), rig->index, &plan, &options};
    return apply_plan(rig->arena, &input, ret);
}

static struct str read_text(struct rig *rig, const char *path) {
    struct str text = {0};
    struct err *err = fs_read(fs_real(), rig->arena, str_format(rig->arena, "%s/%s", rig->dir, path), 1 << 20, &text);
    return err ? S("(none)") : text;
}

static void installed(struct rig *rig, const char *version) {
    scan_again(rig);
    const struct dist *dist = environment_find(&rig->env, S("demo"));
    if (!version) {
        assert_null(dist);
        return;
    }
    assert_non_null(dist);
    assert_string_equal(str_copy_z(rig->arena, dist->version.text), version);
    struct str data = {0};
    no_err(rig,
           fs_read(fs_real(), rig->arena, path_join(rig->arena, rig->env.purelib, S("demo/data.txt")), 4096, &data));
    assert_true(str_starts(data, str_of(version)));
}

static void test_install_upgrade_undo(void **state) {
    struct rig *rig = *state;
    struct apply_result result;
    struct transaction_result undone;
    const struct history_entry *entries;
    int32_t len;
    no_err(rig, change(rig, "", "1.0", &result));
    assert_int_equal(result.imported, 1);
    installed(rig, "1.0");
    assert_true(str_starts(read_text(rig, "venv/bin/demo-tool"), S("#!")));
    no_err(rig, change(rig, "1.0", "2.0", &result));
    installed(rig, "2.0");
    assert_true(str_eq(read_text(rig, "constraint.txt"), S("# the lock\r\ndemo==2.0  # ours\r\nother==3")));

    /* A release that does not import is undone by itself. */
    struct err *err = change(rig, "2.0", "3.0", &result);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_VERIFY);
    installed(rig, "2.0");
    assert_true(str_eq(read_text(rig, "constraint.txt"), S("# the lock\r\ndemo==2.0  # ours\r\nother==3")));

    no_err(rig, history_list(rig->arena, &rig->env, &entries, &len, NULL, NULL));
    assert_int_equal(len, 2);
    assert_true(str_eq(entries[1].changes[0].from, S("1.0")) && str_eq(entries[1].lifts[0].to, S("2.0")));
    no_err(rig, history_undo(rig->arena, &rig->env, (struct str){0}, false, NULL, 0, &undone));
    installed(rig, "1.0");
    assert_true(str_eq(read_text(rig, "constraint.txt"), S("# the lock\r\ndemo==1.0  # ours\r\nother==3")));
    no_err(rig, history_undo(rig->arena, &rig->env, (struct str){0}, false, NULL, 0, &undone));
    installed(rig, NULL);
    assert_true(str_eq(read_text(rig, "venv/bin/demo-tool"), S("(none)")));
    assert_false(history_pending(rig->arena, &rig->env));
}

static void test_changed_since_the_plan(void **state) {
    struct rig *rig = *state;
    struct apply_result result;
    struct environment before = rig->env;
    no_err(rig, change(rig, "", "1.0", &result));
    /* The plan is still the one for the environment without demo. */
    rig->env = before;
    struct err *err = change(rig, "", "2.0", &result);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_CHANGED);
    installed(rig, "1.0");
}

/* What the new RECORD lists is not there any more when it is verified: everything goes back. */
static void test_files_that_are_not_what_record_says(void **state) {
    static const char *const damages[] = {"byte", "cut", "gone"};
    struct rig *rig = *state;
    struct apply_result result;
    no_err(rig, change(rig, "", "1.0", &result));
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        scan_again(rig);
        rig->damage = damages[i];
        rig->meddled = str_format(rig->arena, "%.*s/demo/data.txt", FMT(rig->env.purelib)).data;
        struct err *err = change(rig, "1.0", "2.0", &result);
        assert_null(rig->meddled);
        if (!err) fail_msg("%s: nobody noticed", damages[i]);
        assert_int_equal(err->kind, ERR_VERIFY);
        assert_true(str_find(err_format(rig->arena, err), S("not what RECORD says")) >= 0);
        installed(rig, "1.0");
        assert_true(str_eq(read_text(rig, "constraint.txt"), S("# the lock\r\ndemo==1.0  # ours\r\nother==3")));
        assert_false(history_pending(rig->arena, &rig->env));
    }
    no_err(rig, change(rig, "1.0", "2.0", &result));
    installed(rig, "2.0");
}

static struct wheel wheel_fake(struct arena *arena, const char *name, const char *needs, int64_t python) {
    struct zip_entry *entries = arena_new(arena, struct zip_entry, 2);
    struct requirement *requires_dist = arena_new(arena, struct requirement, 1);
    entries[0] = (struct zip_entry){.name = str_format(arena, "%s/__init__.py", name), .size = python};
    entries[1] = (struct zip_entry){.name = str_format(arena, "%s/_c.so", name), .size = 1 << 30};
    requires_dist->name = str_of(needs);
    return (struct wheel){.filename = {.name = str_of(name)},
                          .zip = {.entries = entries, .len = 2},
                          .metadata = {.requires_dist = requires_dist, .requires_len = *needs ? 1 : 0}};
}

/* What requires each other is together, the largest sets first, each where there is least; few modules are alone. */
static void test_import_groups(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    enum { MEBIBYTE = 1 << 20, LEN = 7 };
    struct wheel wheels[LEN] = {
        wheel_fake(arena, "array", "", 2 * MEBIBYTE),
        wheel_fake(arena, "frame", "dates", MEBIBYTE),
        wheel_fake(arena, "web", "elsewhere", 4 << 20),
        wheel_fake(arena, "dates", "array", 10),
        wheel_fake(arena, "graph", "", MEBIBYTE),
        wheel_fake(arena, "sums", "", MEBIBYTE / 2),
        wheel_fake(arena, "bar", "", 100),
    };
    const int32_t expected[LEN] = {1, 1, 0, 1, 2, 3, 3};
    int32_t groups[LEN];
    imports_group(arena, wheels, LEN, groups);
    assert_memory_equal(groups, expected, sizeof groups);
    imports_group(arena, &wheels[4], LEN - 4, groups);
    for (int i = 0; i < LEN - 4; i++) assert_int_equal(groups[i], 0);
    imports_group(arena, wheels, 0, groups);
    arena_close(arena);
}

/* Groups run side by side; what each said is at its module again, whatever came first. */
static void test_imports_side_by_side(void **state) {
    struct arena *arena = arena_open();
    struct environment env = {0};
    (void)state;
    assert_true(proc_find(arena, S("python3"), &env.python));
    const struct plan plan = {.env = &env};
    const struct apply_input input = {.proc = proc_real(), .plan = &plan};
    struct import_check checks[] = {
        {.module = S("json"), .group = 2},
        {.module = S("no_such_module_a"), .group = 0},
        {.module = S("no_such_module_b"), .group = 2},
        {.module = S("os"), .group = 0},
    };
    enum { LEN = sizeof checks / sizeof *checks };
    struct err *err = imports_try(arena, &input, checks, LEN);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    const enum import_outcome expected[] = {IMPORT_OK, IMPORT_FAILED, IMPORT_FAILED, IMPORT_OK};
    for (int i = 0; i < LEN; i++) assert_int_equal(checks[i].outcome, expected[i]);
    assert_true(str_find(checks[1].message, S("no_such_module_a")) >= 0);
    assert_true(str_find(checks[2].message, S("no_such_module_b")) >= 0);
    arena_close(arena);
}

static void module_make(struct rig *rig, const char *name, const char *text) {
    FILE *file = fopen(str_format(rig->arena, "%s/%s.py", rig->dir, name).data, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What a module does to those after it in one interpreter is nothing that those are to blame for. */
static void test_import_beside_one_that_meddles(void **state) {
    struct rig *rig = *state;
    struct arena *arena = rig->arena;
    struct environment env = {0};
    assert_true(proc_find(arena, S("python3"), &env.python));
    module_make(rig, "meddles", "import sys, json\nsys.modules['retries'] = json\n");
    module_make(rig, "retries", "STANDARD = 1\n");
    module_make(rig, "user_of_retries", "from retries import STANDARD\n");
    module_make(rig, "user_of_nothing", "from retries import LEGACY\n");
    const struct plan plan = {.env = &env};
    const struct apply_input input = {.proc = proc_real(), .plan = &plan};
    struct import_check checks[] = {
        {.module = S("meddles")},
        {.module = S("user_of_retries"), .before = true},
        {.module = S("user_of_nothing")},
    };
    setenv("PYTHONPATH", rig->dir, 1);
    struct err *err = imports_try(arena, &input, checks, sizeof checks / sizeof *checks);
    unsetenv("PYTHONPATH");
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    assert_int_equal(checks[0].outcome, IMPORT_OK);
    assert_int_equal(checks[1].outcome, IMPORT_OK);
    assert_true(checks[1].before && checks[1].message.len == 0);
    /* What fails by itself fails for its own reason, not for what the other did. */
    assert_int_equal(checks[2].outcome, IMPORT_FAILED);
    assert_true(str_find(checks[2].message, S("from 'retries'")) >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import_groups),
        cmocka_unit_test_setup_teardown(test_import_beside_one_that_meddles, setup, teardown),
        cmocka_unit_test(test_imports_side_by_side),
        cmocka_unit_test_setup_teardown(test_install_upgrade_undo, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_since_the_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_are_not_what_record_says, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
