#include "stage/scan.h"

#include "base/arena.h"
#include "stage/scan_cache.h"
#include "stage/scan_facts.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* A real tree in a temporary directory, and an interpreter that answers with fixed facts. */
struct world {
    struct arena *arena;
    struct str root;
    int asked; /* how often the interpreter was run */
    bool no_cache;
    const struct environment *known;
};

static void write_file(struct world *world, const char *path, const char *text) {
    struct err *err =
        fs_replace(fs_real(), world->arena, path_join(world->arena, world->root, str_of(path)), str_of(text));
    if (err) fail_msg("%.*s", FMT(err_format(world->arena, err)));
}

static struct err *answer(void *self, struct arena *arena, const struct proc_call *call, struct proc_result *ret) {
    struct world *world = self;
    world->asked++;
    assert_true(str_eq(call->argv[1], S("-I")) && str_eq(call->argv[2], S("-S")));
    const char *root = str_copy_z(arena, world->root);
    struct str text =
        str_format(arena,
                   "unpin-facts|1|pythonpath|%s/path|site|%s/site|site|%s/system|site|%s/gone|prefix|%s|in_venv|0|"
                   "system_too|1|purelib|%s/site|stdlib|%s/lib|os_name|posix|sys_platform|linux|"
                   "python_version|3.12|python_full_version|3.12.3|platform_machine|x86_64|major|3|minor|12|"
                   "tag|cp|abi|cp312|arch|x86_64|glibc|2.39|end|1|",
                   root, root, root, root, root, root, root);
    char *bytes = str_copy_z(arena, text);
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (bytes[i] == '|') bytes[i] = '\0';
    *ret = (struct proc_result){.output = {bytes, text.len}};
    return NULL;
}

static int setup(void **state) {
    struct arena *arena = arena_open();
    struct world *world = arena_new(arena, struct world, 1);
    char name[] = "/tmp/unpin-scan-XXXXXX";
    world->arena = arena;
    world->root = str_copy(arena, str_of(mkdtemp(name)));
    write_file(world, "bin/python", "");
    assert_int_equal(chmod(str_copy_z(arena, path_join(arena, world->root, S("bin/python"))), 0755), 0);
    write_file(world, "lib/EXTERNALLY-MANAGED", "");
    write_file(world, "site/Foo_Bar-1.0.dist-info/METADATA",
               "Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\nLicense: x\n y\nRequires-Dist: six\nRequires-Dist: "
               "numpy ; "
               "extra == 'x'\nProvides-Extra: x\n\nbody\n");
    write_file(world, "site/Foo_Bar-1.0.dist-info/INSTALLER", "pip\n");
    write_file(world, "site/Foo_Bar-1.0.dist-info/REQUESTED", "");
    write_file(world, "site/Foo_Bar-1.0.dist-info/RECORD",
               "foo_bar/__init__.py,sha256=x,1\n\"odd,name.py\",,\nfast.cpython-312-x86_64-linux-gnu.so,,\n../../../"
               "bin/foo,,\n"
               "Foo_Bar-1.0.dist-info/METADATA,,\nfoo_bar/data.txt,,\n_x.abi3.so,,\nx.libs/libz.so,,\n");
    write_file(world, "site/gone-2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: gone\nVersion: 2.0\n");
    write_file(world, "site/gone-2.0.dist-info/direct_url.json",
               "{\"url\": \"file:///nowhere/gone.whl\", \"archive_info\": {}}");
    write_file(world, "site/ed-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: ed\nVersion: 1\n");
    write_file(world, "site/ed-1.dist-info/direct_url.json",
               str_copy_z(arena, str_format(arena, "{\"url\": \"file://%.*s\", \"dir_info\": {\"editable\": true}}",
                                            FMT(world->root))));
    write_file(world, "site/torch-2.7.0a0+nv.dist-info/METADATA",
               "Metadata-Version: 2.1\nName: torch\nVersion: 2.7.0a0+nv\n");
    write_file(world, "site/broken-3.1.dist-info/METADATA", "nothing\n");
    write_file(world, "site/~umpy-1.26.dist-info/METADATA", "Metadata-Version: 2.1\nName: -umpy\nVersion: 1.26\n");
    write_file(world, "site/cut-1.0.dist-info/RECORD", "");
    write_file(world, "site/egg-1.2-py3.12.egg-info/PKG-INFO", "Metadata-Version: 1.0\nName: egg\nVersion: 1.2\n");
    write_file(world, "site/egg-1.2-py3.12.egg-info/requires.txt", "six>=1\n\n[x]\nnumpy\n");
    write_file(world, "site/flat-0.1.egg-info", "Metadata-Version: 1.0\nName: flat\nVersion: 0.1\n");
    write_file(world, "site/odd-1.egg-info", "Metadata-Version: 1.0\nName: odd\nVersion: 2023-not-pep440\n");
    write_file(world, "site/linked.egg-link", str_copy_z(arena, str_format(arena, "%.*s/tree\n.", FMT(world->root))));
    write_file(world, "site/a.pth", "# comment\nimport os; os.system('touch ran')\n../tree\n../absent\n\n");
    write_file(world, "tree/linked.egg-info/PKG-INFO", "Metadata-Version: 1.0\nName: linked\nVersion: 5\n");
    write_file(world, "system/six-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: six\nVersion: 1.0\n");
    write_file(world, "system/foo_bar-0.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: foo-bar\nVersion: 0.5\n");
    write_file(world, "path/early-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: early\nVersion: 1\n");
    *state = world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    struct str argv[] = {S("/bin/rm"), S("-rf"), world->root};
    struct proc_call call = {.argv = argv, .argv_len = 3, .output_max = 1000, .timeout_ms = 10000};
    struct proc_result result;
    assert_null(proc_run(proc_real(), world->arena, &call, &result));
    arena_close(world->arena);
    return 0;
}

static struct environment scan(struct world *world) {
    struct proc proc = {world, answer};
    struct scan_options options = {.python = path_join(world->arena, world->root, S("bin/python")),
                                   .cache_dir = path_join(world->arena, world->root, S("cache")),
                                   .known = world->known};
    if (world->no_cache) options.cache_dir = S("");
    struct environment env;
    struct err *err = scan_environment(world->arena, fs_real(), &proc, &options, &env);
    if (err) fail_msg("%.*s", FMT(err_format(world->arena, err)));
    return env;
}

static void test_distributions(void **state) {
    struct world *world = *state;
    struct environment env = scan(world);
    assert_int_equal(env.sites_len, 4); /* path, site, tree by a.pth, system */
    assert_int_equal(env.dists_len, 13);
    assert_true(env.externally_managed);
    const struct dist *foo = environment_find(&env, S("foo-bar"));
    assert_true(str_eq(foo->raw_name, S("Foo.Bar")) && str_eq(foo->version.text, S("1.0")));
    assert_true(foo->requested && str_eq(foo->installer, S("pip")) && foo->metadata_known);
    assert_int_equal(foo->metadata.requires_len, 2);
    assert_int_equal(foo->metadata.extras_len, 1);
    const struct dist *shadowed = foo + 1;
    assert_true(shadowed->shadowed && str_eq(shadowed->version.text, S("0.5")));
    assert_int_equal(environment_find(&env, S("torch"))->vendor, VENDOR_LOCAL_VERSION);
    assert_int_equal(environment_find(&env, S("gone"))->vendor, VENDOR_URL_GONE);
    assert_true(environment_find(&env, S("ed"))->editable && environment_find(&env, S("ed"))->vendor == 0);
    assert_int_equal(environment_find(&env, S("early"))->site, 0);
    assert_null(environment_find(&env, S("cut")));
    const struct dist *egg = environment_find(&env, S("egg"));
    assert_int_equal(egg->form, DIST_EGG_INFO_DIR);
    assert_int_equal(egg->metadata.requires_len, 2);
    assert_int_equal(environment_find(&env, S("flat"))->form, DIST_EGG_INFO_FILE);
    const struct dist *linked = environment_find(&env, S("linked"));
    assert_true(linked->form == DIST_EGG_LINK && linked->editable && str_eq(linked->version.text, S("5")));
    assert_false(environment_find(&env, S("odd"))->version_valid);
    const struct dist *broken = environment_find(&env, S("broken"));
    assert_true(str_eq(broken->version.text, S("3.1")) && !broken->metadata_known);
    assert_int_equal(env.problems_len, 4); /* broken, cut, ~umpy, odd */
    assert_int_not_equal(access("ran", F_OK), 0);
}

static void test_top_level(void **state) {
    struct world *world = *state;
    struct environment env = scan(world);
    const struct str *names;
    int32_t len;
    scan_top_level(world->arena, fs_real(), &env, environment_find(&env, S("foo-bar")), &names, &len);
    assert_int_equal(len, 4);
    assert_true(str_eq(names[0], S("_x")) && str_eq(names[1], S("fast")) && str_eq(names[2], S("foo_bar")) &&
                str_eq(names[3], S("odd,name")));
    scan_top_level(world->arena, fs_real(), &env, environment_find(&env, S("six")), &names, &len);
    assert_int_equal(len, 0);
}

/* Sets the mtime of everything in the site directory an hour back: what has just changed is not cached. */
static void settle(struct world *world) {
    struct str argv[] = {S("/bin/sh"), S("-c"), S("find \"$1\" -exec touch -d '1 hour ago' {} +"), S("sh"),
                         world->root};
    struct str env[] = {S("PATH=/usr/bin:/bin")};
    struct proc_call call = {
        .argv = argv, .argv_len = 5, .env = env, .env_len = 1, .output_max = 1000, .timeout_ms = 10000};
    struct proc_result result;
    assert_null(proc_run(proc_real(), world->arena, &call, &result));
    assert_int_equal(result.status, 0);
}

static void test_cache(void **state) {
    struct world *world = *state;
    settle(world);
    struct environment first = scan(world);
    int asked = world->asked;
    struct environment second = scan(world);
    assert_int_equal(world->asked, asked);
    assert_true(str_eq(environment_fingerprint(world->arena, &first), environment_fingerprint(world->arena, &second)));
    assert_int_equal(first.dists_len, second.dists_len);
    const struct dist *foo = environment_find(&second, S("foo-bar"));
    assert_true(foo->requested && foo->metadata.requires_len == 2 && str_eq(foo->installer, S("pip")));
    assert_int_equal(environment_find(&second, S("gone"))->vendor, VENDOR_URL_GONE);
    /* In place, so that only METADATA's own time tells. */
    struct str path = path_join(world->arena, world->root, S("site/Foo_Bar-1.0.dist-info/METADATA"));
    int fd = open(str_copy_z(world->arena, path), O_WRONLY | O_TRUNC);
    const char text[] = "Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    (void)close(fd);
    struct environment third = scan(world);
    assert_int_equal(environment_find(&third, S("foo-bar"))->metadata.requires_len, 0);
    /* A new distribution changes the fingerprint. */
    write_file(world, "site/new-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: new\nVersion: 1\n");
    struct environment fourth = scan(world);
    assert_false(str_eq(environment_fingerprint(world->arena, &third), environment_fingerprint(world->arena, &fourth)));
    assert_non_null(environment_find(&fourth, S("new")));
}

/* As if nothing had been written: what is there is another text of the same length and time. */
static void rewrite_unseen(struct world *world, const char *file, const char *text) {
    const char *path = str_copy_z(world->arena, path_join(world->arena, world->root, str_of(file)));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, (off_t)strlen(text));
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    const struct timespec times[] = {st.st_atim, st.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    (void)close(fd);
}

static void test_known(void **state) {
    struct world *world = *state;
    settle(world);
    struct environment first = scan(world);
    world->no_cache = true; /* so that only what is known is not read */
    world->known = &first;
    rewrite_unseen(world, "system/six-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: six\nVersion: 2.0\n");
    struct environment second = scan(world);
    assert_true(environment_is_still(&second, &first));
    assert_int_equal(second.dists_len, first.dists_len);
    const struct dist *six = environment_find(&second, S("six"));
    assert_true(str_eq(six->version.text, S("1.0")) && six->site == environment_find(&first, S("six"))->site);
    assert_true(environment_find(&second, S("foo-bar"))->metadata.requires_dist ==
                environment_find(&first, S("foo-bar"))->metadata.requires_dist);
    assert_true(second.tags.items == first.tags.items);
    write_file(world, "site/Foo_Bar-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\n");
    struct environment third = scan(world);
    assert_false(environment_is_still(&third, &first));
    assert_int_equal(environment_find(&third, S("foo-bar"))->metadata.requires_len, 0);
    /* What was changed a moment before it was read may change again without another time: it is read each time. */
    world->known = &third;
    struct environment fourth = scan(world);
    assert_true(environment_is_still(&fourth, &third));
    rewrite_unseen(world, "site/Foo_Bar-1.0.dist-info/METADATA",
                   "Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 9.0\n");
    struct environment fifth = scan(world);
    assert_true(str_eq(environment_find(&fifth, S("foo-bar"))->version.text, S("9.0")));
    assert_false(environment_is_still(&fifth, &third));
    write_file(world, "site/new-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: new\nVersion: 1\n");
    struct environment sixth = scan(world);
    assert_non_null(environment_find(&sixth, S("new")));
    assert_false(environment_is_still(&sixth, &fifth));
}

static void test_cache_text(void **state) {
    struct world *world = *state;
    struct scan_cache cache = {0}, again = {0};
    struct scan_cache_entry entry = {.name = S("a-1.dist-info"),
                                     .inode = 7,
                                     .mtime_ns = 8,
                                     .metadata_size = 9,
                                     .metadata_mtime_ns = 10,
                                     .metadata = S("Name: a\nLicense: b\n c\nRequires-Dist: d\n e\n\nx"),
                                     .installer = S("pip\n"),
                                     .direct_url = S("{}"),
                                     .requested = true};
    scan_cache_add(world->arena, &cache, &entry, SCAN_CACHE_SETTLED_NS * 2);
    entry.name = S("b-1.dist-info");
    entry.mtime_ns = SCAN_CACHE_SETTLED_NS + 1;
    scan_cache_add(world->arena, &cache, &entry, SCAN_CACHE_SETTLED_NS * 2); /* too young */
    assert_int_equal(cache.entries.len, 1);
    struct str text = scan_cache_format(world->arena, S("/site"), &cache);
    assert_true(scan_cache_parse(world->arena, text, S("/site"), &again));
    struct fs_stat dir = {.inode = 7, .mtime_ns = 8}, metadata = {.size = 9, .mtime_ns = 10};
    const struct scan_cache_entry *found = scan_cache_find(&again, S("a-1.dist-info"), &dir, &metadata);
    assert_true(str_eq(found->metadata, S("Name: a\nRequires-Dist: d\n e\n")) && found->requested);
    metadata.size++;
    assert_null(scan_cache_find(&again, S("a-1.dist-info"), &dir, &metadata));
    assert_false(scan_cache_parse(world->arena, text, S("/other"), &again));
    for (ptrdiff_t i = 0; i < text.len; i++) {
        char *bytes = str_copy_z(world->arena, text);
        bytes[i] ^= 1;
        assert_false(scan_cache_parse(world->arena, (struct str){bytes, text.len}, S("/site"), &again));
        assert_false(scan_cache_parse(world->arena, str_slice(text, 0, i), S("/site"), &again));
    }
}

static const char *at(struct world *world, const char *file) {
    return str_copy_z(world->arena, path_join(world->arena, world->root, str_of(file)));
}

/* Scans, and looks whether the interpreter was run for it. */
static void expect_asked(struct world *world, bool wanted, const char *why) {
    int asked = world->asked;
    (void)scan(world);
    if ((world->asked > asked) != wanted) fail_msg("%s: %s", why, wanted ? "not asked again" : "asked again");
    asked = world->asked;
    (void)scan(world);
    if (world->asked > asked) fail_msg("%s: asked twice", why);
}

/* What a virtual environment has of its own; deleted first if it is there. */
static void make_environment(struct world *world, const char *program, const char *more) {
    struct str config = str_format(world->arena, "home = %.*s/real\n%s", FMT(world->root), more);
    (void)unlink(at(world, "pyvenv.cfg"));
    (void)unlink(at(world, "bin/python"));
    (void)rmdir(at(world, "bin"));
    assert_int_equal(mkdir(at(world, "bin"), 0755), 0);
    assert_int_equal(symlink(at(world, program), at(world, "bin/python")), 0);
    write_file(world, "pyvenv.cfg", str_copy_z(world->arena, config));
}

static void test_facts_depend(void **state) {
    struct world *world = *state;
    write_file(world, "real/python3.12", "1");
    assert_int_equal(chmod(at(world, "real/python3.12"), 0755), 0);
    make_environment(world, "real/python3.12", "x = 1\n");
    expect_asked(world, true, "never seen");
    make_environment(world, "real/python3.12", "x = 1\n");
    expect_asked(world, false, "the same, made anew");
    make_environment(world, "real/python3.12", "x = 2\n");
    expect_asked(world, true, "another pyvenv.cfg");
    assert_int_equal(mkdir(at(world, "twin"), 0755), 0);
    assert_int_equal(link(at(world, "real/python3.12"), at(world, "twin/python3.12")), 0);
    make_environment(world, "twin/python3.12", "x = 2\n");
    expect_asked(world, true, "another name of the same file");
    write_file(world, "twin/python3.12", "2");
    assert_int_equal(chmod(at(world, "twin/python3.12"), 0755), 0);
    expect_asked(world, true, "another file of the same name and size");
    write_file(world, "lib/site.py", "1");
    expect_asked(world, true, "a module of the standard library came");
    write_file(world, "lib/site.py", "2");
    expect_asked(world, true, "a module of the standard library changed");
    write_file(world, "below/pyvenv.cfg", "extends-environment = /a\n");
    struct str extends = str_format(world->arena, "extends-environment = %.*s/below\n", FMT(world->root));
    make_environment(world, "twin/python3.12", extends.data);
    expect_asked(world, true, "an environment below");
    write_file(world, "below/pyvenv.cfg", "extends-environment = /b\n");
    expect_asked(world, true, "another environment below that");
    struct str user;
    bool set = proc_variable(world->arena, "PYTHONUSERBASE", &user);
    assert_int_equal(setenv("PYTHONUSERBASE", "/nowhere", 1), 0);
    expect_asked(world, true, "a variable");
    assert_int_equal(
        set ? setenv("PYTHONUSERBASE", user.data + sizeof "PYTHONUSERBASE", 1) : unsetenv("PYTHONUSERBASE"), 0);
    expect_asked(world, false, "the variables of before");
}

/* The script itself, on a real interpreter, against what that interpreter says with its site module. */
static void test_real_interpreter(void **state) {
    struct world *world = *state;
    struct arena *arena = world->arena;
    struct scan_options options = {0};
    struct environment env;
    if (scan_find_python(arena, S("/usr/bin/python3"), &options.python)) {
        skip();
        return;
    }
    struct err *err = scan_environment(arena, fs_real(), proc_real(), &options, &env);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    struct str argv[] = {
        S("/usr/bin/python3"), S("-s"), S("-c"),
        S("import sysconfig, platform, sys\n"
          "p = sysconfig.get_paths(sysconfig.get_preferred_scheme('prefix'))\n"
          "print(p['purelib'], p['scripts'], platform.python_version(), sys.prefix, sep='|', end='')")};
    struct proc_call call = {.argv = argv, .argv_len = 4, .output_max = 10000, .timeout_ms = 60000};
    struct proc_result result;
    assert_null(proc_run(proc_real(), arena, &call, &result));
    if (result.status) {
        skip(); /* older than 3.10: no preferred scheme */
        return;
    }
    assert_true(str_eq(result.output, str_format(arena, "%.*s|%.*s|%.*s|%.*s", FMT(env.purelib), FMT(env.scripts),
                                                 FMT(env.markers.python_full_version), FMT(env.prefix))));
    assert_true(env.tags.len > 100);
}

static void test_no_interpreter(void **state) {
    struct world *world = *state;
    struct scan_options options = {.python = S("/nowhere/python")};
    struct environment env;
    struct err *err = scan_environment(world->arena, fs_real(), proc_real(), &options, &env);
    assert_int_equal(err->kind, ERR_ENVIRONMENT);
    options.python = S("/bin/false");
    err = scan_environment(world->arena, fs_real(), proc_real(), &options, &env);
    assert_int_equal(err->kind, ERR_ENVIRONMENT);
    options.python = S("/bin/true");
    err = scan_environment(world->arena, fs_real(), proc_real(), &options, &env);
    assert_int_equal(err->kind, ERR_ENVIRONMENT);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_distributions),
        TEST(test_top_level),
        TEST(test_cache),
        TEST(test_known),
        TEST(test_facts_depend),
        TEST(test_cache_text),
        TEST(test_real_interpreter),
        TEST(test_no_interpreter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
