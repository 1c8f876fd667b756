#include "stage/vcs.h"

#include "base/arena.h"
#include "os/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static void test_urls(void **state) {
    static const struct {
        const char *url, *repository, *revision, *subdirectory, *name;
    } cases[] = {
        {"git+https://h.example/x.git", "https://h.example/x.git", "", "", ""},
        {"git+https://u:p@h.example/x@v1.0", "https://u:p@h.example/x", "v1.0", "", ""},
        {"git+ssh://git@h.example/a/b@feature/x#egg=Foo.Bar[c]&subdirectory=py%20x", "ssh://git@h.example/a/b",
         "feature/x", "py x", "Foo.Bar"},
        {"git+file:///r@0123abc", "file:///r", "0123abc", "", ""},
        {"git+https://u:p%40q@h.example:8080/x", "https://u:p%40q@h.example:8080/x", "", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_open();
        struct vcs_url url;
        struct err *err = vcs_url_parse(arena, str_of(cases[i].url), &url);
        if (err) fail_msg("%s: %.*s", cases[i].url, FMT(err->what));
        assert_true(str_eq(url.repository, str_of(cases[i].repository)));
        assert_true(str_eq(url.revision, str_of(cases[i].revision)));
        assert_true(str_eq(url.subdirectory, str_of(cases[i].subdirectory)));
        assert_true(str_eq(url.name, str_of(cases[i].name)));
        arena_close(arena);
    }
}

static void test_refused(void **state) {
    static const char *const cases[] = {
        "hg+https://h.example/x",
        "git+https://h.example/x@-upload-pack=evil",
        "git+https://h.example/x@%2d-upload-pack=evil",
        "git+https://h.example/x@a:b",
        "git+https://h.example/x@a..b",
        "git+https://h.example/x@",
        "git+https://h.example",
        "git+https://-oProxyCommand=evil/x",
        "git+ssh://-oProxyCommand=evil/x",
        "git+ext::sh -c evil",
        "git+file://h.example/x",
        "git+git@h.example:x",
        "git+https://h.example/x y",
        "git+https://h.example/x#subdirectory=/etc",
        "git+https://h.example/x#subdirectory=a/%2e%2e/b",
        "git+https://h.example/x@a%0ab",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_open();
        struct vcs_url url;
        struct err *err = vcs_url_parse(arena, str_of(cases[i]), &url);
        if (!err) fail_msg("%s is not refused", cases[i]);
        assert_int_equal(err->kind, ERR_REQUEST);
        arena_close(arena);
    }
}

static void test_format(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct vcs_url url;
    assert_null(vcs_url_parse(arena, S("git+https://u:secret@h.example/x@main#subdirectory=y"), &url));
    assert_true(
        str_eq(vcs_url_format(arena, &url, S("abc"), true), S("git+https://u:secret@h.example/x@abc#subdirectory=y")));
    struct str shown = vcs_url_format(arena, &url, S("abc"), false);
    assert_true(str_find(shown, S("secret")) < 0 && str_find(shown, S("h.example/x@abc")) > 0);
    arena_close(arena);
}

static void run(struct arena *arena, const char *dir, const char *script) {
    struct str command =
        str_format(arena,
                   "cd %s && export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a "
                   "GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a; %s",
                   dir, script);
    assert_int_equal(system(str_copy_z(arena, command)), 0);
}

static bool is_there(struct arena *arena, struct str dir, const char *name) {
    FILE *file = fopen(str_copy_z(arena, str_format(arena, "%.*s/%s", FMT(dir), name)), "r");
    if (file) (void)fclose(file);
    return file != NULL;
}

/* By branch, tag, full and short name of a commit, and as it stands; a hook in the repository does not run. */
static void test_checkout(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir, answer;
    struct proc_result done;
    assert_null(scratch_open(arena, &dir));
    run(arena, dir.data,
        "git init -q -b main r && cd r && echo 1 > one && git add . && git commit -qm 1 && git tag -a -m t v1 && "
        "git rev-parse HEAD > ../first && git checkout -q -b side && echo 2 > two && git add . && git commit -qm 2 && "
        "git checkout -q main && echo 3 > three && git add . && git commit -qm 3");
    const struct str ask[] = {S("cat"), S("first")};
    const struct proc_call call = {
        .argv = ask, .argv_len = 2, .directory = dir, .output_max = 1000, .timeout_ms = 10000};
    assert_null(proc_run(proc_real(), arena, &call, &done));
    answer = str_trim(done.output);
    assert_int_equal(answer.len, 40);
    const struct {
        struct str revision;
        const char *there, *absent;
    } cases[] = {{S(""), "three", "two"},
                 {S("@side"), "two", "three"},
                 {S("@v1"), "one", "two"},
                 {str_format(arena, "@%.*s", FMT(answer)), "one", "three"},
                 {str_format(arena, "@%.*s", FMT(str_slice(answer, 0, 8))), "one", "three"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vcs_url url;
        struct str out, commit;
        struct str text = str_format(arena, "git+file://%.*s/r%.*s", FMT(dir), FMT(cases[i].revision));
        assert_null(vcs_url_parse(arena, text, &url));
        assert_null(scratch_make(arena, dir, str_format(arena, "%zu", i), &out));
        struct err *err = vcs_checkout(arena, proc_real(), &url, out, &commit);
        if (err) fail_msg("%.*s: %.*s", FMT(text), FMT(err->what));
        assert_int_equal(commit.len, 40);
        assert_true(is_there(arena, out, cases[i].there) && !is_there(arena, out, cases[i].absent));
        assert_null(vcs_deepen(arena, proc_real(), &url, out));
        assert_null(vcs_deepen(arena, proc_real(), &url, out));
    }
    struct vcs_url url;
    struct str out, commit;
    assert_null(vcs_url_parse(arena, str_format(arena, "git+file://%.*s/r@nowhere", FMT(dir)), &url));
    assert_null(scratch_make(arena, dir, S("none"), &out));
    assert_int_equal(vcs_checkout(arena, proc_real(), &url, out, &commit)->kind, ERR_REQUEST);
    assert_null(vcs_url_parse(arena, str_format(arena, "git+file://%.*s/gone", FMT(dir)), &url));
    assert_null(scratch_make(arena, dir, S("none2"), &out));
    assert_int_equal(vcs_checkout(arena, proc_real(), &url, out, &commit)->kind, ERR_NETWORK);
    scratch_close(arena, dir);
    assert_false(is_there(arena, dir, "first"));
    arena_close(arena);
}

/* What git says of a server that is not there names no password, and it comes from no file of the checkout. */
static void test_no_secrets(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir, commit;
    struct vcs_url url;
    assert_null(scratch_open(arena, &dir));
    assert_null(vcs_url_parse(arena, S("git+http://me:s3cret@127.0.0.1:9/a/x.git"), &url));
    struct err *err = vcs_checkout(arena, proc_real(), &url, dir, &commit);
    assert_int_equal(err->kind, ERR_NETWORK);
    struct str text = err_format(arena, err);
    assert_true(str_find(text, S("127.0.0.1:9")) >= 0);
    assert_true(str_find(text, S("s3cret")) < 0);
    run(arena, dir.data, "! grep -rq s3cret .");
    scratch_close(arena, dir);
    arena_close(arena);
}

/* A submodule comes along; one that is not there is an error. */
static void test_submodules(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir, out, commit;
    struct vcs_url url;
    assert_null(scratch_open(arena, &dir));
    run(arena, dir.data,
        "for r in r s; do git init -q -b main $r; (cd $r && echo 1 > one && git add . && git commit -qm 1); done; "
        "cd r && git -c protocol.file.allow=always submodule --quiet add ../s part && git commit -qm 2");
    assert_null(vcs_url_parse(arena, str_format(arena, "git+file://%.*s/r", FMT(dir)), &url));
    assert_null(scratch_make(arena, dir, S("out"), &out));
    assert_null(vcs_checkout(arena, proc_real(), &url, out, &commit));
    assert_true(is_there(arena, out, "part/one"));
    run(arena, dir.data, "mv s t");
    assert_null(scratch_make(arena, dir, S("out2"), &out));
    struct err *err = vcs_checkout(arena, proc_real(), &url, out, &commit);
    assert_int_equal(err->kind, ERR_NETWORK);
    assert_true(str_find(err->what, S("git submodule: ")) >= 0);
    scratch_close(arena, dir);
    arena_close(arena);
}

/* Without git, the message says what lacks. */
static void test_no_git(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct vcs_url url;
    struct str commit, path = str_copy(arena, str_of(getenv("PATH")));
    assert_null(vcs_url_parse(arena, S("git+https://h.example/x"), &url));
    (void)setenv("PATH", "/nowhere", 1);
    struct err *err = vcs_checkout(arena, proc_real(), &url, S("/"), &commit);
    (void)setenv("PATH", str_copy_z(arena, path), 1);
    assert_true(err && str_find(err->what, S("no program `git`")) >= 0 && err->hint.len > 0);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),       cmocka_unit_test(test_refused), cmocka_unit_test(test_format),
        cmocka_unit_test(test_checkout),   cmocka_unit_test(test_no_git),  cmocka_unit_test(test_no_secrets),
        cmocka_unit_test(test_submodules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
