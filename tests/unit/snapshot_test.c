#include "stage/snapshot.h"

#include "base/arena.h"
#include "fake_fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err *read_text(struct arena *arena, struct str text, const char *python, struct environment *env,
                             struct lock_set *locks) {
    struct fake_file file = {"/s", text};
    struct fake_fs fake = {&file, 1};
    struct fs fs = fake_fs_make(&fake);
    struct snapshot_platform platform = {.python = str_of(python)};
    return snapshot_read(arena, &fs, S("/s"), &platform, env, locks);
}

static const struct str list =
    S_INIT("# a freeze\r\n"
           "Foo.Bar==1.0\n"
           "torch @ file:///build/torch-2.7.0a0%2B79.nv25.4-cp312-cp312-linux_x86_64.whl#sha256=0\n"
           "tree @ file:///opt/tree\n"
           "vcs @ git+https://h.example/x@1\n"
           "-e git+https://h.example/y@2#egg=why\n"
           "numpy<2\n"
           "win==1 ; sys_platform == 'win32'\n"
           "odd===1.x-y\n"
           "local==1.0+cu12\n"
           "!!\n");

static void test_list(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct environment env;
    struct lock_set locks;
    struct err *err = read_text(arena, list, "3.12", &env, &locks);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    assert_int_equal(env.dists_len, 7);
    const struct dist *torch = environment_find(&env, S("torch"));
    assert_true(torch->version_valid && torch->version.local_len == 3);
    assert_int_equal(torch->vendor, VENDOR_LOCAL_VERSION | VENDOR_URL_GONE);
    assert_false(environment_find(&env, S("tree"))->version_valid);
    assert_int_equal(environment_find(&env, S("tree"))->vendor, VENDOR_URL_GONE);
    assert_int_equal(environment_find(&env, S("vcs"))->vendor, 0);
    assert_true(environment_find(&env, S("why"))->editable);
    assert_int_equal(environment_find(&env, S("local"))->vendor, VENDOR_LOCAL_VERSION);
    assert_false(environment_find(&env, S("odd"))->version_valid);
    assert_null(environment_find(&env, S("numpy")));
    assert_null(environment_find(&env, S("win")));
    assert_false(environment_find(&env, S("foo-bar"))->metadata_known);
    assert_int_equal(env.problems_len, 1);
    assert_true(str_starts(env.problems[0], S("/s:11: ")));
    /* The list is the lock, too: limits as well as pins. */
    assert_true(map_find(&locks.by_name, S("numpy")) >= 0 && map_find(&locks.by_name, S("foo-bar")) >= 0);
    assert_true(str_eq(env.markers.python_version, S("3.12")) && str_eq(env.markers.platform_machine, S("x86_64")));
    assert_true(map_find(&env.tags.rank, S("cp312-cp312-manylinux_2_39_x86_64")) >= 0);
    assert_true(map_find(&env.tags.rank, S("cp312-cp312-manylinux_2_40_x86_64")) < 0);
    arena_close(arena);
}

static void test_round_trip(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct environment env, again;
    struct lock_set locks, locks_again;
    assert_null(read_text(arena, list, "3.12.3", &env, &locks));
    struct str site = S("/usr/lib/python3/dist-packages");
    env.sites = &site;
    env.sites_len = 1;
    env.ngc = S("25.04");
    env.image_date = 1743820684;
    struct dist *dists = arena_new(arena, struct dist, env.dists_len);
    for (int32_t i = 0; i < env.dists_len; i++) dists[i] = env.dists[i];
    int32_t foo = map_find(&env.by_name, S("foo-bar"));
    assert_null(metadata_parse(arena,
                               S("Name: Foo.Bar\nVersion: 1.0\nRequires-Dist: a[b]>=1; extra == 'x'\n"
                                 "Provides-Extra: x\nRequires-Python: >=3.8\n"),
                               &dists[foo].metadata));
    dists[foo].metadata_known = dists[foo].system = dists[foo].requested = true;
    dists[foo].site = 0;
    dists[foo].direct_url = S("https://user:secret@h.example/p@q/x.whl");
    env.dists = dists;
    locks.implied = true;
    struct str text = snapshot_format(arena, &env, &locks);
    assert_int_equal(str_find(text, S("secret")), -1);
    struct err *err = read_text(arena, text, "", &again, &locks_again);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    assert_true(str_eq(snapshot_format(arena, &again, &locks_again), text));
    const struct dist *dist = environment_find(&again, S("foo-bar"));
    assert_true(dist->system && dist->requested && dist->metadata_known && dist->site == 0);
    assert_true(str_eq(dist->direct_url, S("https://h.example/p@q/x.whl")));
    assert_int_equal(dist->metadata.requires_len, 1);
    assert_true(str_eq(dist->metadata.requires_python_text, S(">=3.8")));
    assert_int_equal(again.tags.len, env.tags.len);
    assert_true(str_eq(again.markers.python_full_version, S("3.12.3")));
    assert_true(locks_again.implied && locks_again.lines_len == locks.lines_len);
    assert_int_equal(again.image_date, 1743820684);
    arena_close(arena);
}

#define HEAD                                                                                                           \
    "{\"unpin_snapshot\":1,\"markers\":{\"python_version\":\"3.12\"},\"tags\":{\"major\":3,\"minor\":12,"              \
    "\"implementation\":\"cp\",\"abis\":[\"cp312\"],\"platforms\":[\"linux_x86_64\"]}"

static void test_refused(void **state) {
    (void)state;
    static const struct str texts[] = {
        S_INIT(""),
        S_INIT("# nothing\n"),
        S_INIT("numpy<2\n"),
        S_INIT("{"),
        S_INIT("{}"),
        S_INIT("{\"unpin_snapshot\":2}"),
        S_INIT("{\"unpin_snapshot\":1}"),
        S_INIT(HEAD ",\"dists\":[{\"name\":\"-\",\"version\":\"1\"}]}"),
        S_INIT(HEAD ",\"dists\":[{\"name\":\"a\",\"version\":\"1\\nRequires-Dist: b\"}]}"),
        S_INIT(HEAD ",\"dists\":[{\"name\":\"a\",\"version\":\"1\",\"site\":0}]}"),
        S_INIT(HEAD ",\"dists\":[{\"name\":\"a\",\"version\":\"1\",\"site\":-2}]}"),
        S_INIT("a==1\0"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct arena *arena = arena_open();
        struct environment env;
        struct lock_set locks;
        struct err *err = read_text(arena, texts[i], "3.12", &env, &locks);
        if (!err) fail_msg("%zu is not refused", i);
        assert_int_equal(err->kind, ERR_SNAPSHOT);
        assert_true(str_eq(err->file, S("/s")));
        arena_close(arena);
    }
    struct arena *arena = arena_open();
    struct environment env;
    struct lock_set locks;
    assert_null(read_text(arena, S(HEAD "}"), "", &env, &locks));
    assert_int_equal(read_text(arena, S("a==1"), "", &env, &locks)->kind, ERR_USAGE);
    assert_int_equal(read_text(arena, S("a==1"), "2.7", &env, &locks)->kind, ERR_USAGE);
    assert_int_equal(read_text(arena, S("a==1"), "3.x", &env, &locks)->kind, ERR_USAGE);
    arena_close(arena);
}

/* A requirement with a line end would become a field of its own in the metadata that it is put into. */
static void test_no_field_gets_in(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct environment env;
    struct lock_set locks;
    struct err *err = read_text(arena,
                                S(HEAD ",\"dists\":[{\"name\":\"a\",\"version\":\"1\",\"requires_dist\":"
                                       "[\"b\\nRequires-Dist: c\"]}]}"),
                                "", &env, &locks);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_SNAPSHOT);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_field_gets_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
