#include "stage/want.h"

#include "base/arena.h"
#include "fake_fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct fake_file files[] = {
    {"/w/cycle.txt", S_INIT("-r cycle.txt\n")},
    {"/w/foo-1.0.tar.gz", S_INIT("")},
    {"/w/my_tool-1.0+cu.12-py3-none-any.whl", S_INIT("")},
    {"/w/bad.txt", S_INIT("\n# c\nnumpy=1.2\n")},
    {"/w/r.txt", S_INIT("--index-url https://a.example/simple # x\n--extra-index-url=https://b.example\n"
                        "-f wheels\n--pre --only-binary=:all:\nrequests[socks]>=2 ; python_version > '3' \\\n"
                        "  --hash=sha256:aa --hash sha256:bb\ncolorama; sys_platform == 'win32'\n"
                        "-r more/s.txt\n-c c.txt\n./my_tool-1.0+cu.12-py3-none-any.whl\n"
                        "-e git+https://x.example/y@v1#egg=why&subdirectory=z\n--no-binary numpy\n")},
    {"/w/more/s.txt", S_INIT("six\n")},
    {"/w/c.txt", S_INIT("urllib3<3\n")},
    {"/w/src/setup.py", S_INIT("")},
    {"/w/wheels/x.txt", S_INIT("")},
    {"/w/foo-1.0.tar.gz", S_INIT("")},
    {"requirements.txt", S_INIT("")},
};

static struct environment environment_of(void) {
    return (struct environment){.markers = {.sys_platform = S("linux"), .python_version = S("3.12")}};
}

static struct err *parse(struct arena *arena, const char *word, const char *file, struct want *ret) {
    struct fake_fs fake = {files, (int)(sizeof files / sizeof *files)};
    struct fs fs = fake_fs_make(&fake);
    struct environment env = environment_of();
    struct str words[] = {str_of(word)}, names[] = {str_of(file)};
    return want_parse(arena, &fs, &env, words, word ? 1 : 0, names, file ? 1 : 0, NULL, ret);
}

/* Word, name, url. */
static const struct {
    const char *word, *name, *url;
} words[] = {
    {"numpy", "numpy", ""},
    {" Foo.Bar[a,b] >=1,<2 ; python_version>'3' ", "foo-bar", ""},
    {"/w/my_tool-1.0+cu.12-py3-none-any.whl", "my-tool", "file:///w/my_tool-1.0+cu.12-py3-none-any.whl"},
    {"/w/my_tool-1.0+cu.12-py3-none-any.whl[x]", "my-tool", "file:///w/my_tool-1.0+cu.12-py3-none-any.whl"},
    {"https://h.example/a%2Bb/my_tool-1.0%2Bcu.12-py3-none-any.whl#sha256=00", "my-tool",
     "https://h.example/a%2Bb/my_tool-1.0%2Bcu.12-py3-none-any.whl#sha256=00"},
    {"https://h.example/foo-bar-1.0.tar.gz", "foo-bar", "https://h.example/foo-bar-1.0.tar.gz"},
    {"name @ git+https://h.example/x@main", "name", "git+https://h.example/x@main"},
    {"git+https://h.example/x@main#egg=named", "named", "git+https://h.example/x@main#egg=named"},
    {"git+https://h.example/x@main#subdirectory=y", "", "git+https://h.example/x@main#subdirectory=y"},
    {"/w/src", "", "file:///w/src"},
    {"/w/src[x] ; python_version > '3'", "", "file:///w/src"},
    {"file:///w/src/", "", "file:///w/src"},
    {"-e /w/src", "", "file:///w/src"},
    {"named @ file:///w/src", "named", "file:///w/src"},
    {"/w/foo-1.0.tar.gz", "foo", "file:///w/foo-1.0.tar.gz"},
};

static void test_words(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct arena *arena = arena_open();
        struct want want;
        struct err *err = parse(arena, words[i].word, NULL, &want);
        if (err) fail_msg("%s: %.*s", words[i].word, FMT(err_format(arena, err)));
        assert_int_equal(want.requests_len, 1);
        assert_true(str_eq(want.requests[0].requirement.name, str_of(words[i].name)));
        assert_true(str_eq(want.requests[0].requirement.url, str_of(words[i].url)));
        assert_true(str_eq(want.requests[0].origin, S("command line")));
        arena_close(arena);
    }
}

/* Word, and what the hint must hold. */
static const struct {
    const char *word, *hint;
} refused[] = {
    {"numpy=1.2", "numpy==1.2"},
    {"numpy 1.2", "numpy==1.2"},
    {"numpy@1.2", "numpy==1.2"},
    {"numpy=>1.2", "numpy>=1.2"},
    {"requirements.txt", "-r requirements.txt"},
    {"dev-requirements.txt", "-r FILE"}, /* it is not there: nor is a project of that name meant */
    {"https://h.example/x", "NAME @ https://h.example/x"},
    {"-e /w/nowhere", ""},
    {"-e /w/r.txt", ""},
    {"/w/nowhere-1.0-py3-none-any.whl", ""},
    {"https://h.example/bad.whl", ""},
    {"", ""},
    {"!", ""},
};

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct arena *arena = arena_open();
        struct want want;
        struct err *err = parse(arena, refused[i].word, NULL, &want);
        if (!err) fail_msg("'%s' is not refused", refused[i].word);
        assert_int_equal(err->kind, ERR_REQUEST);
        if (str_find(err->hint, str_of(refused[i].hint)) < 0)
            fail_msg("'%s': hint '%.*s'", refused[i].word, FMT(err->hint));
        arena_close(arena);
    }
}

static void test_file(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct want want;
    struct err *err = parse(arena, "first", "/w/r.txt", &want);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    const char *names[] = {"first", "requests", "six", "urllib3", "my-tool", "why"};
    assert_int_equal(want.requests_len, 6);
    for (int i = 0; i < 6; i++) assert_true(str_eq(want.requests[i].requirement.name, str_of(names[i])));
    assert_int_equal(want.requests[1].hashes_len, 2);
    assert_true(str_eq(want.requests[1].hashes[1], S("sha256:bb")));
    assert_int_equal(want.requests[1].line, 5);
    assert_int_equal(want.requests[1].requirement.extras_len, 1);
    assert_true(str_eq(want.requests[2].origin, S("/w/more/s.txt")));
    assert_true(want.requests[3].constraint && !want.requests[2].constraint);
    assert_true(str_eq(want.requests[4].requirement.url, S("file:///w/my_tool-1.0+cu.12-py3-none-any.whl")));
    assert_true(want.requests[5].editable);
    assert_true(str_eq(want.index_url, S("https://a.example/simple")));
    assert_int_equal(want.extra_index_urls_len, 1);
    assert_true(str_eq(want.find_links[0], S("/w/wheels")));
    assert_true(want.pre && want.only_binary.all && want.require_hashes && !want.no_index);
    assert_int_equal(want.notes_len, 1); /* colorama is not for Linux */
    assert_true(str_find(want.notes[0], S("colorama")) > 0);
    arena_close(arena);
}

static void test_broken_files(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct want want;
    struct err *err = parse(arena, NULL, "/w/bad.txt", &want);
    assert_int_equal(err->kind, ERR_REQUEST);
    assert_int_equal(err->line, 3);
    assert_true(str_eq(err->file, S("/w/bad.txt")) && err->column > 0);
    assert_true(str_find(err->hint, S("numpy==1.2")) >= 0);
    assert_int_equal(parse(arena, NULL, "/w/cycle.txt", &want)->kind, ERR_REQUEST);
    assert_int_equal(parse(arena, NULL, "/w/gone.txt", &want)->kind, ERR_REQUEST);
    arena_close(arena);
}

/* As pip counts --only-binary and --no-binary: `letters` says of projects a and b what is taken, as w(heels), s(dists).
 */
static void test_formats(void **state) {
    (void)state;
    static const struct {
        const char *options; /* o: --only-binary, n: --no-binary; with blanks between them */
        const char *a, *b;
    } rows[] = {
        {"", "ws", "ws"},
        {"o:all:", "w", "w"},
        {"n:all:", "s", "s"},
        {"oa", "w", "ws"},
        {"nA", "s", "ws"},
        {"oa,b", "w", "w"},
        {"oa nb", "w", "s"},
        {"oa na", "s", "ws"},
        {"na oa", "w", "ws"},
        {"o:all: na", "s", "w"},
        {"n:all: oa", "w", "s"},
        {"oa n:all:", "s", "s"},
        {"na o:all:", "w", "w"},
        {"oa o:none:", "ws", "ws"},
        {"o:all: o:none:", "ws", "ws"},
        {"o:all:,:none:", "ws", "ws"},
        {"o:all:,:none:,a", "w", "ws"},
        {"o:all:,a", "w", "w"},
        {"nb oa,:all: nb", "w", "s"},
        {"na o:none:", "s", "ws"},
        {"oa,,b,", "w", "w"},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct want want = {0};
        struct str rest = str_of(rows[i].options);
        while (rest.len) {
            struct str word = str_cut(&rest, ' ');
            assert_null(want_formats_add(arena, &want, str_from(word, 1), word.data[0] == 'o'));
        }
        for (int k = 0; k < 2; k++) {
            struct str name = k ? S("b") : S("a"), expected = str_of(k ? rows[i].b : rows[i].a);
            assert_int_equal(want_takes_wheels(&want, name), str_find_char(expected, 'w') >= 0);
            assert_int_equal(want_takes_sdists(&want, name), str_find_char(expected, 's') >= 0);
        }
        assert_true(want_limits_sdists(&want) || want_takes_sdists(&want, S("b")));
        assert_true(want_limits_wheels(&want) || want_takes_wheels(&want, S("b")));
    }
    struct want want = {0};
    assert_int_equal(want_formats_add(arena, &want, S("a,b>=1"), true)->kind, ERR_REQUEST);
    assert_int_equal(want_formats_add(arena, &want, S("-r"), false)->kind, ERR_REQUEST);
    arena_close(arena);
}

static void test_names(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str name;
    assert_null(want_parse_name(arena, S("Foo_Bar"), &name));
    assert_true(str_eq(name, S("foo-bar")));
    struct err *err = want_parse_name(arena, S("foo==1"), &name);
    assert_true(str_eq(err->hint, S("give the name alone: foo")));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),        cmocka_unit_test(test_refused), cmocka_unit_test(test_file),
        cmocka_unit_test(test_broken_files), cmocka_unit_test(test_names),   cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
