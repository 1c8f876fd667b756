#include "pypa/metadata.h"

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define HEAD "Metadata-Version: 2.1\nName: Foo\nVersion: 1.0\n"

static int open_arena(void **state) {
    *state = arena_open();
    return 0;
}

static int close_arena(void **state) {
    arena_close(*state);
    return 0;
}

static struct metadata metadata_of(struct arena *arena, struct str text) {
    struct metadata metadata = {0};
    assert_null(metadata_parse(arena, text, &metadata));
    return metadata;
}

/* Requirements in their normal form, a line each. */
static struct str requires_of(struct arena *arena, const struct metadata *metadata) {
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        buf_add(&buf, requirement_format(arena, &metadata->requires_dist[i]));
        buf_add_char(&buf, '\n');
    }
    return buf_str(&buf);
}

static void test_fields(void **state) {
    struct metadata m =
        metadata_of(*state, S(HEAD "summary: a\n  b\nCLASSIFIER: x\n y\nRequires-Python: >=3.8\n"
                                   "Requires-Dist: a>=1\nRequires-Dist: b ; extra=='X_y'\nProvides-Extra: X_y\n"
                                   "Provides-Extra: x-y\nDynamic: requires-dist\n\nRequires-Dist: c\n"));
    assert_true(str_eq(m.metadata_version, S("2.1")) && str_eq(m.name, S("Foo")) && str_eq(m.version, S("1.0")));
    assert_true(str_eq(m.summary, S("a b")));
    assert_true(str_eq(m.requires_python_text, S(">=3.8")) && m.requires_python.len == 1);
    assert_true(str_eq(requires_of(*state, &m), S("a>=1\nb; extra == \"x-y\"\n")));
    assert_int_equal(m.extras_len, 1);
    assert_true(str_eq(m.extras[0], S("x-y")));
    assert_true(m.requires_dynamic);
    assert_int_equal(m.problems_len, 0);
}

static void test_line_ends(void **state) {
    struct metadata m = metadata_of(
        *state, S("\xEF\xBB\xBFName: Foo\r\nVersion: 1.0\r\nRequires-Dist: a\r\n\t>=1\r\n\r\nRequires-Dist: c\r\n"));
    assert_true(str_eq(requires_of(*state, &m), S("a>=1\n")));
    m = metadata_of(*state, S("Name: Foo\nVersion: 1.0\nRequires-Dist: a"));
    assert_int_equal(m.requires_len, 1);
    assert_false(m.requires_dynamic);
    assert_int_equal(m.requires_python.len, 0);
}

static void test_problems(void **state) {
    static const struct str lines[] = {
        S_INIT("Requires-Dist: ???\n"), S_INIT("Requires-Python: nonsense\n"),
        S_INIT("Provides-Extra: -\n"),  S_INIT("Name: Bar\n"),
        S_INIT("Version: 2\n"),         S_INIT("Requires-Python: >=3\nRequires-Python: >=4\n"),
        S_INIT("this is no field\n"),   S_INIT("Space : x\n"),
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct buf buf = {.arena = *state};
        buf_add(&buf, S(HEAD "Requires-Dist: a\n"));
        buf_add(&buf, lines[i]);
        struct metadata m = metadata_of(*state, buf_str(&buf));
        if (m.problems_len != 1) fail_msg("%.*s: %d problems", FMT(lines[i]), m.problems_len);
        assert_true(m.requires_len == 1 && str_eq(m.name, S("Foo")) && str_eq(m.version, S("1.0")));
    }
    struct metadata m = metadata_of(*state, S(HEAD "Name: Foo\nSummary: \xFF\xFE\n"));
    assert_int_equal(m.problems_len, 0);
    assert_true(str_eq(m.summary, S("\xFF\xFE")));
}

/* Requirements in a row share a marker that is written alike, and only such a one. */
static void test_markers(void **state) {
    struct metadata metadata;
    assert_null(metadata_parse(*state,
                               S("Name: x\nVersion: 1\n"
                                 "Requires-Dist: a; extra == \"t\"\n"
                                 "Requires-Dist: b>=1 ; extra == \"t\"\n"
                                 "Requires-Dist: c<2; extra == \"u\"\n"
                                 "Requires-Dist: d\n"
                                 "Requires-Dist: e; extra == \"p;q\"\n"
                                 "Requires-Dist: f; q\"\n"
                                 "Requires-Dist: g; extra == \"p;q\"\n"),
                               &metadata));
    const struct requirement *requires = metadata.requires_dist;
    assert_int_equal(metadata.requires_len, 6);
    assert_int_equal(metadata.problems_len, 1); /* f */
    assert_ptr_equal(requires[0].marker, requires[1].marker);
    assert_ptr_not_equal(requires[1].marker, requires[2].marker);
    assert_null(requires[3].marker);
    assert_ptr_equal(requires[4].marker, requires[5].marker);
    static const char *const texts[] = {"a; extra == \"t\"",   "b>=1; extra == \"t\"", "c<2; extra == \"u\"", "d",
                                        "e; extra == \"p;q\"", "g; extra == \"p;q\""};
    for (int i = 0; i < 6; i++) assert_true(str_eq(requirement_format(*state, &requires[i]), str_of(texts[i])));
}

static void test_errors(void **state) {
    struct metadata m = {.requires_len = 77};
    static const struct str lacking[] = {S_INIT(""), S_INIT("Name: x\n"), S_INIT("Version: 1\n"),
                                         S_INIT("Name:\nVersion: 1\n"), S_INIT("\nName: x\nVersion: 1\n")};
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
        assert_int_equal(metadata_parse(*state, lacking[i], &m)->kind, ERR_MALFORMED);
    struct buf buf = {.arena = *state};
    buf_add(&buf, S(HEAD));
    for (int i = 0; i < METADATA_REQUIRES_MAX + 1; i++) buf_add(&buf, S("Requires-Dist: a\n"));
    assert_int_equal(metadata_parse(*state, buf_str(&buf), &m)->kind, ERR_LIMIT);
    while (buf.len <= METADATA_MAX_SIZE)
        buf_add(&buf, S("                                                                \n"));
    assert_int_equal(metadata_parse(*state, buf_str(&buf), &m)->kind, ERR_LIMIT);
    assert_int_equal(m.requires_len, 77);
}

static void test_requires_txt(void **state) {
    struct metadata m = metadata_of(*state, S(HEAD "Requires-Dist: z\n"));
    metadata_add_requires_txt(
        *state,
        S("a>=1\r\n\n# c\n[Te_st]\nb\n[:os_name=='nt']\nc\n[q:os_name=='nt' or extra=='p']\n"
          "d ; python_version>'3'\ne @ http://h/e\n???\n[bad\nf\n[-]\ng\n[x:nonsense]\nh\n[ok]\ni\n"),
        &m);
    assert_true(
        str_eq(requires_of(*state, &m),
               S("z\na>=1\nb; extra == \"te-st\"\nc; os_name == \"nt\"\n"
                 "d; python_version > \"3\" and (os_name == \"nt\" or extra == \"p\") and extra == \"q\"\n"
                 "e @ http://h/e ; (os_name == \"nt\" or extra == \"p\") and extra == \"q\"\ni; extra == \"ok\"\n")));
    assert_int_equal(m.extras_len, 4);
    assert_true(str_eq(m.extras[0], S("te-st")) && str_eq(m.extras[1], S("q")) && str_eq(m.extras[3], S("ok")));
    /* ???, [bad, [-] twice (its name and itself), [x:nonsense] */
    assert_int_equal(m.problems_len, 5);
}

static void test_requires_txt_limit(void **state) {
    struct metadata m = metadata_of(*state, S(HEAD));
    struct buf buf = {.arena = *state};
    for (int i = 0; i < METADATA_REQUIRES_MAX + 5; i++) buf_add(&buf, S("a\n"));
    metadata_add_requires_txt(*state, buf_str(&buf), &m);
    assert_int_equal(m.requires_len, METADATA_REQUIRES_MAX);
    assert_int_equal(m.problems_len, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_line_ends, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_problems, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_markers, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_errors, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_requires_txt, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_requires_txt_limit, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
