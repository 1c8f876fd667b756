#include "stage/lock.h"

#include "base/arena.h"
#include "fake_fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define PATH "/etc/pip/constraint.txt"

static const struct marker_env markers = {
    .os_name = S_INIT("posix"),
    .sys_platform = S_INIT("linux"),
    .python_version = S_INIT("3.12"),
    .python_full_version = S_INIT("3.12.3"),
};

static struct lock_set read_text(struct arena *arena, struct str text) {
    struct fake_file file = {PATH, text};
    struct fake_fs fake = {&file, 1};
    struct fs fs = fake_fs_make(&fake);
    struct str path = S(PATH);
    struct lock_set set = {0};
    struct err *err = lock_read(arena, &fs, &path, 1, &markers, &set);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    return set;
}

/* Text before, the edits as "name to", text after. */
static const struct {
    struct str before, name, to, after;
} edits[] = {
    {S_INIT("numpy==1.26.4\n"), S_INIT("numpy"), S_INIT("2.0.0"), S_INIT("numpy==2.0.0\n")},
    {S_INIT("# head\r\n\r\nPyYAML == 6.0.1  # why\r\nzipp==3.19.2"), S_INIT("pyyaml"), S_INIT("6.0.2"),
     S_INIT("# head\r\n\r\nPyYAML == 6.0.2  # why\r\nzipp==3.19.2")},
    {S_INIT("a==1\nb==2"), S_INIT("b"), S_INIT("3.0"), S_INIT("a==1\nb==3.0")},
    {S_INIT("\xEF\xBB\xBF"
            "flash_attn==2.7.3\n"),
     S_INIT("flash-attn"), S_INIT("2.8"),
     S_INIT("\xEF\xBB\xBF"
            "flash_attn==2.8\n")},
    /* Every active line of the project changes, the inactive one does not. */
    {S_INIT("a==1 ; python_version<'3'\na==1\nA==1\n"), S_INIT("a"), S_INIT("2"),
     S_INIT("a==1 ; python_version<'3'\na==2\nA==2\n")},
    /* A limit that forbids the new version becomes a pin; one that admits it stays. */
    {S_INIT("numpy<=2.1   # limit\n"), S_INIT("numpy"), S_INIT("2.2"), S_INIT("numpy==2.2   # limit\n")},
    {S_INIT("numpy<=2.1\n"), S_INIT("numpy"), S_INIT("2.0"), S_INIT("numpy<=2.1\n")},
    {S_INIT("numpy>=1,<2;python_version>'3'\n"), S_INIT("numpy"), S_INIT("2.0"),
     S_INIT("numpy==2.0;python_version>'3'\n")},
    {S_INIT("numpy==1.26.*\n"), S_INIT("numpy"), S_INIT("2.0"), S_INIT("numpy==2.0\n")},
    {S_INIT("numpy (==1.26.4)\n"), S_INIT("numpy"), S_INIT("2.0"), S_INIT("numpy (==2.0)\n")},
    {S_INIT("torch @ file:///opt/torch-2.0-py3-none-any.whl\n"), S_INIT("torch"), S_INIT("2.7"),
     S_INIT("torch ==2.7\n")},
    /* A local version is part of the pin. */
    {S_INIT("torch==2.7.0a0+79aa17489c.nv25.4\n"), S_INIT("torch"), S_INIT("2.7.0"), S_INIT("torch==2.7.0\n")},
    /* Continuations: the version moves, the line stays where it is. */
    {S_INIT("numpy==\\\n1.26.4 \\\n # no comment ends here\nb==1\n"), S_INIT("numpy"), S_INIT("2.0"),
     S_INIT("numpy==\\\n2.0 \\\n # no comment ends here\nb==1\n")},
    /* Hashes belong to the version. */
    {S_INIT("a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nb==1\n"), S_INIT("a"), S_INIT("2"),
     S_INIT("a==2\nb==1\n")},
    /* A variable that is the version is replaced by it. */
    {S_INIT("a==${UNPIN_TEST_VERSION}\n"), S_INIT("a"), S_INIT("2"), S_INIT("a==2\n")},
    /* A variable that holds more than the version: the line is written anew. */
    {S_INIT("${UNPIN_TEST_PIN} # x\n"), S_INIT("a"), S_INIT("2"), S_INIT("a==2 # x\n")},
    /* Not there: nothing changes. */
    {S_INIT("a==1\n-i https://example.org\n"), S_INIT("b"), S_INIT("2"), S_INIT("a==1\n-i https://example.org\n")},
};

static void test_edits(void **state) {
    (void)state;
    (void)setenv("UNPIN_TEST_VERSION", "1.5", 1);
    (void)setenv("UNPIN_TEST_PIN", "a==1.5", 1);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct arena *arena = arena_open();
        struct lock_set set = read_text(arena, edits[i].before);
        struct lock_edit edit = {.name = edits[i].name, .to = edits[i].to};
        struct str after = lock_edit_format(arena, &set, 0, &edit, 1);
        if (!str_eq(after, edits[i].after)) fail_msg("%zu: %.*s\nbecame\n%.*s", i, FMT(edits[i].before), FMT(after));
        /* Nothing to edit, or an edit to what is there: every byte stays. */
        assert_true(str_eq(lock_edit_format(arena, &set, 0, NULL, 0), edits[i].before));
        struct lock_set again = read_text(arena, after);
        assert_true(str_eq(lock_edit_format(arena, &again, 0, &edit, 1), after));
        arena_close(arena);
    }
}

static void test_hash_of_the_new_file(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct lock_set set = read_text(arena, S("a==1 \\\n    --hash=sha256:00\n"));
    struct lock_edit edit = {S("a"), S("2"), S("sha256:ff")};
    assert_true(str_eq(lock_edit_format(arena, &set, 0, &edit, 1), S("a==2 \\\n    --hash=sha256:ff\n")));
    arena_close(arena);
}

static void test_lines(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct lock_set set =
        read_text(arena, S("Jaraco.Text==3.12.1 # c\n\n--pre\nb<2;sys_platform=='win32'\n"
                           "jaraco_text==3.12.1\njaraco-text<4\nc#no comment\n-e .\nx[y]==1\n--nope\n"));
    assert_int_equal(set.lines_len, 5);
    assert_int_equal(map_find(&set.by_name, S("jaraco-text")), 0);
    assert_int_equal(map_find(&set.by_name, S("b")), -1);
    assert_false(set.lines[1].active);
    assert_int_equal(set.lines[1].line, 4);
    assert_int_equal(set.lines[1].version_from, -1);
    assert_true(set.lines[2].shadowed);
    assert_false(set.lines[3].shadowed);
    /* "c#no comment", "-e .", the extra and the unknown option. */
    assert_int_equal(set.problems_len, 4);
    assert_true(str_starts(set.problems[0], S(PATH ":7: ")));
    arena_close(arena);
}

static struct err *read_paths(struct arena *arena, const struct fake_file *files, int len, const char *path,
                              struct lock_set *ret) {
    struct fake_fs fake = {files, len};
    struct fs fs = fake_fs_make(&fake);
    struct str name = str_of(path);
    return lock_read(arena, &fs, &name, 1, &markers, ret);
}

static void test_includes(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct fake_file files[] = {
        {"/d/a.txt", S_INIT("a==1\n-c sub/b.txt\n-r sub/b.txt\n")},
        {"/d/sub/b.txt", S_INIT("b==1\n--constraint=../c.txt\n")},
        {"/d/sub/../c.txt", S_INIT("c==1")},
    };
    struct lock_set set = {0};
    assert_null(read_paths(arena, files, 3, "/d/a.txt", &set));
    assert_int_equal(set.files_len, 3);
    assert_int_equal(set.lines_len, 3);
    assert_int_equal(set.lines[2].file, 2);
    assert_true(str_eq(set.files[1].path, S("/d/sub/b.txt")));
    struct lock_set by_url = {0};
    assert_null(read_paths(arena, files, 3, "file:///d/sub/b.txt", &by_url));
    assert_int_equal(by_url.lines_len, 1 + 1);
    arena_close(arena);
}

static void test_refusals(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct fake_file files[] = {
        {"/a", S_INIT("x==1\n-c b\n")},
        {"/b", S_INIT("-c a")},
        {"/c", S_INIT("a\0b")},
        {"/d", S_INIT("\xFF\xFE"
                      "a")},
        {"/e", S_INIT("\n-c nowhere.txt")},
    };
    struct lock_set set = {0};
    for (int i = 0; i < 5; i++) {
        struct err *err = read_paths(arena, files, 5, files[i].path, &set);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_LOCK);
        assert_true(err->file.len > 0 && err->what.len > 0);
    }
    struct err *err = read_paths(arena, files, 5, "https://example.org/c.txt", &set);
    assert_int_equal(err->kind, ERR_LOCK);
    assert_true(err->hint.len > 0);
    assert_int_equal(set.lines_len, 0);
    arena_close(arena);
}

static void test_choice(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct fake_file files[] = {{PATH, S_INIT("")}, {"/x/c.txt", S_INIT("a==1")}};
    struct fake_fs fake = {files, 2};
    struct fs fs = fake_fs_make(&fake);
    struct str given = S("/given"), there = S("/x/c.txt"), gone = S("/x/gone.txt");
    struct config_setting none = {0}, by_pip = {&there, 1, S("PIP_CONSTRAINT")},
                          broken = {&gone, 1, S("PIP_CONSTRAINT")};
    struct lock_choice choice = {0};
    assert_null(lock_find(arena, &fs, &given, 1, &by_pip, &choice));
    assert_true(str_eq(choice.paths[0], given) && str_eq(choice.source, S("--lock")));
    assert_null(lock_find(arena, &fs, NULL, 0, &by_pip, &choice));
    assert_true(str_eq(choice.paths[0], there) && str_eq(choice.source, S("PIP_CONSTRAINT")));
    assert_null(lock_find(arena, &fs, NULL, 0, &none, &choice));
    assert_true(str_eq(choice.paths[0], S(PATH)));
    struct err *err = lock_find(arena, &fs, NULL, 0, &broken, &choice);
    assert_int_equal(err->kind, ERR_LOCK);
    assert_true(str_find(err->hint, S("touch /x/gone.txt")) >= 0);
    fake.len = 0;
    assert_null(lock_find(arena, &fs, NULL, 0, &none, &choice));
    assert_int_equal(choice.len, 0);
    assert_int_equal(choice.source.len, 0);
    arena_close(arena);
}

static void test_implied(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct fake_file files[] = {{PATH, S_INIT("# empty\n")},
                                      {"/etc/pip/original_constraint.txt", S_INIT("numpy==1.26.4\ntorch==2.7\n")}};
    struct fake_fs fake = {files, 2};
    struct fs fs = fake_fs_make(&fake);
    struct dist dist = {.name = S("numpy")};
    struct environment env = {.image_date = INT64_MIN};
    environment_seal(arena, &env, &dist, 1);
    struct str path = S(PATH);
    struct lock_choice choice = {&path, 1, S(PATH)};
    struct lock_set set = {0};
    assert_null(lock_read(arena, &fs, &path, 1, &markers, &set));
    lock_imply(arena, &fs, &env, &choice, &set);
    assert_true(set.implied);
    assert_int_equal(set.implied_names.len, 2);
    struct lock_set full = read_text(arena, S("numpy==1.26.4\n"));
    lock_imply(arena, &fs, &env, &choice, &full);
    assert_false(full.implied);
    struct lock_set other = read_text(arena, S("flask==3.1.0\n"));
    lock_imply(arena, &fs, &env, &choice, &other);
    assert_false(other.implied); /* outside of an image it is a lock like any other */
    env.ngc = S("nvidia");
    lock_imply(arena, &fs, &env, &choice, &other);
    assert_true(other.implied);
    env.ngc = (struct str){0};
    struct lock_set no_file = {0};
    lock_imply(arena, &fs, &env, &choice, &no_file);
    assert_false(no_file.implied);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),    cmocka_unit_test(test_hash_of_the_new_file),
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_includes),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_choice),
        cmocka_unit_test(test_implied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
