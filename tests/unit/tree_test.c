#include "stage/tree.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/scratch.h"
#include "os/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define PROJECT "[project]\nname = \"a\"\nversion = \"1\"\n"

/* A pyproject.toml; the name; requirements joined by " | " where they are certain, NULL where not. */
static const struct {
    const char *text, *name, *requires;
} cases[] = {
    {"", "", NULL},
    {"[tool.poetry]\nname = \"a\"\nversion = \"1\"\n", "", NULL},
    {"[project]\nname = \"A.b\"\nversion = \"1.0\"\n", "a-b", ""},
    {PROJECT "dependencies = [\"b>=1; python_version<'3.9'\", \"c[x]\"]\n[project.optional-dependencies]\n"
             "Web_x = [\"d\", \"e; os_name=='nt' or os_name=='posix'\"]\n",
     "a",
     "b>=1; python_version < \"3.9\" | c[x] | d; extra == \"web-x\" | "
     "e; (os_name == \"nt\" or os_name == \"posix\") and extra == \"web-x\""},
    {PROJECT "dependencies = [\"b @ https://h.example/b-1.tar.gz\"]\n", "a", "b @ https://h.example/b-1.tar.gz"},
    {PROJECT "dynamic = [\"dependencies\"]\n", "a", NULL},
    {PROJECT "dynamic = [\"readme\"]\n", "a", ""},
    {"[project]\nname = \"a\"\ndynamic = [\"version\"]\n", "a", NULL},
    {PROJECT "dynamic = [\"optional-dependencies\"]\n", "a", NULL},
    {PROJECT "dynamic = [\"requires-python\"]\n", "a", NULL},
};

static void test_known(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_open();
        struct tree tree = {0};
        struct buf found = {.arena = arena};
        struct err *err = tree_parse(arena, str_of(cases[i].text), &tree);
        if (err) fail_msg("%s: %.*s", cases[i].text, FMT(err->what));
        assert_true(str_eq(tree.name, str_of(cases[i].name)));
        assert_int_equal(tree.known, cases[i].requires != NULL);
        for (int32_t k = 0; tree.known && k < tree.metadata.requires_len; k++)
            buf_addf(&found, "%s%.*s", k ? " | " : "", FMT(requirement_format(arena, &tree.metadata.requires_dist[k])));
        if (!str_eq(buf_str(&found), str_of(cases[i].requires)))
            fail_msg("%s: %.*s", cases[i].text, FMT(buf_str(&found)));
        arena_close(arena);
    }
}

static void test_refused(void **state) {
    static const char *const broken[] = {
        "no toml",
        "[project]\nversion = \"1\"\n",
        "[project]\nname = \"a\\nRequires-Dist: evil\"\nversion = \"1\"\n",
        "[project]\nname = \"a\"\nversion = \"none\"\n",
        PROJECT "dependencies = \"b\"\n",
        PROJECT "dependencies = [1]\n",
        PROJECT "dependencies = [\"b\\nRequires-Dist: evil\"]\n",
        PROJECT "dependencies = [\"==1\"]\n",
        PROJECT "requires-python = \">=3\\nx\"\n",
        PROJECT "[project.optional-dependencies]\n\"-\" = []\n",
        "[build-system]\nrequires = \"x\"\n",
        "build-system = []\n",
        "[build-system]\nbuild-backend = \"a\\nb\"\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct arena *arena = arena_open();
        struct tree tree = {0};
        struct err *err = tree_parse(arena, str_of(broken[i]), &tree);
        if (!err) fail_msg("%s is not refused", broken[i]);
        assert_int_equal(err->kind, ERR_REQUEST);
        arena_close(arena);
    }
}

static void put(struct arena *arena, struct str dir, const char *name, const char *text) {
    assert_true(store_write(arena, str_format(arena, "%.*s/%s", FMT(dir), name), str_of(text)));
}

/* From files. */
static void test_read(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir, wrapper, text;
    struct tree tree;
    assert_null(scratch_open(arena, &dir));
    assert_null(scratch_make(arena, dir, S("wrapper"), &wrapper));
    assert_int_equal(tree_read(arena, fs_real(), dir, &tree)->kind, ERR_REQUEST);
    put(arena, dir, "setup.py", "raise SystemExit('this must not run')\n");
    assert_null(tree_read(arena, fs_real(), dir, &tree));
    assert_false(tree.known);
    assert_true(str_eq(tree.backend.backend, S("setuptools.build_meta:__legacy__")));
    put(arena, dir, "PKG-INFO", "Metadata-Version: 2.1\nName: a\nVersion: 1\n");
    assert_null(tree_read(arena, fs_real(), dir, &tree));
    assert_false(tree.known);
    put(arena, dir, "PKG-INFO", "Metadata-Version: 2.2\nName: a\nVersion: 1\nRequires-Dist: b\n");
    assert_null(tree_read(arena, fs_real(), dir, &tree));
    assert_true(tree.known && tree.metadata.requires_len == 1);
    put(arena, dir, "pyproject.toml",
        "[build-system]\nrequires = [\"x>=1\"]\nbuild-backend = \"m:o\"\nbackend-path = [\".\"]\n"
        "[project]\nname = \"a\"\nversion = \"2\"\nx = 2020-01-01\n");
    assert_null(tree_read(arena, fs_real(), dir, &tree));
    assert_true(tree.known && str_eq(tree.metadata.version, S("2")));
    assert_null(tree_wrap(arena, fs_real(), &tree, wrapper));
    assert_null(fs_read(fs_real(), arena, path_join(arena, wrapper, S("pyproject.toml")), 10000, &text));
    assert_true(str_find(text, S("requires = [\"x>=1\"]")) > 0);
    assert_null(fs_read(fs_real(), arena, path_join(arena, wrapper, S("tree.json")), 10000, &text));
    assert_true(str_find(text, S("\"m:o\"")) > 0);
    put(arena, dir, "pyproject.toml", "[project\n");
    struct err *err = tree_read(arena, fs_real(), dir, &tree);
    assert_int_equal(err->kind, ERR_REQUEST);
    assert_true(str_find(err_format(arena, err), S("pyproject.toml cannot be read")) >= 0);
    scratch_close(arena, dir);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
