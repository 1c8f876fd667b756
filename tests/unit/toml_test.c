#include "base/toml.h"

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* What `text` means, as JSON on one line; the err's text where it is refused. */
static struct str meaning(struct arena *arena, const char *text) {
    struct json json;
    struct err *err = toml_parse(arena, str_of(text), 1 << 20, &json);
    if (err) return str_format(arena, "%d: %.*s", err->line, FMT(err->what));
    struct buf buf = {.arena = arena};
    struct json_writer writer = {.buf = &buf};
    json_value(&writer, &json);
    return buf_str(&buf);
}

static void test_meant(void **state) {
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "{}"},
        {"\xEF\xBB\xBF# only a comment", "{}"},
        {"a = 1\r\nb = -2_000 # more\n", "{\"a\": 1, \"b\": -2000}"},
        {"a = 0xff\nb = 0o17\nc = 0b101\nd = 1.5e1\n", "{\"a\": 255, \"b\": 15, \"c\": 5, \"d\": 15}"},
        {"a = true\nb = false", "{\"a\": true, \"b\": false}"},
        {"a = 'C:\\x'\nb = \"t\\tu\\u00e9 \\U0001F600\"",
         "{\"a\": \"C:\\\\x\", \"b\": \"t\\tu\xC3\xA9 \xF0\x9F\x98\x80\"}"},
        {"a = \"\"\"\none \\\n   two\n\"\"\"", "{\"a\": \"one two\\n\"}"},
        {"a = '''it''s'''''", "{\"a\": \"it''s''\"}"},
        {"a.b = 1\na.\"c d\" = 2", "{\"a\": {\"b\": 1, \"c d\": 2}}"},
        {"a = [1, 'x', # why\n [2],\n]", "{\"a\": [1, \"x\", [2]]}"},
        {"a = { b = 1, c.d = 'e' }", "{\"a\": {\"b\": 1, \"c\": {\"d\": \"e\"}}}"},
        {"[t]\nx = 1\n[t.u]\ny = 2", "{\"t\": {\"x\": 1, \"u\": {\"y\": 2}}}"},
        {"[t.u]\ny = 2\n[t]\nx = 1", "{\"t\": {\"u\": {\"y\": 2}, \"x\": 1}}"},
        {"[[i]]\nn = 1\n[[i]]\nn = 2\n[i.s]\nq = 3", "{\"i\": [{\"n\": 1}, {\"n\": 2, \"s\": {\"q\": 3}}]}"},
        {"d = 2025-04-30T12:00:00Z\nt = 07:32:00", "{\"d\": \"2025-04-30T12:00:00Z\", \"t\": \"07:32:00\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_open();
        assert_string_equal(str_copy_z(arena, meaning(arena, cases[i].text)), cases[i].json);
        arena_close(arena);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int line;
    } cases[] = {
        {"a", 1},
        {"\na =", 2},
        {"a = 1 b = 2", 1},
        {"a = 1\na = 2", 2},
        {"[t]\n[t]", 2},
        {"a = 1\n[a]", 2},
        {"a.b = 1\n[a]", 2},
        {"a = {b = 1}\n[a.c]", 2},
        {"a = {b = 1}\na.c = 2", 2},
        {"a = []\n[[a]]", 2},
        {"[t\n", 1},
        {"[[t]\n", 1},
        {"a = \"x", 1},
        {"a = 'x\n'", 1},
        {"a = \"\\q\"", 1},
        {"a = \"\\ud800\"", 1},
        {"a = [1, 2", 1},
        {"a = {b = 1,}", 1},
        {"a = nonsense", 1},
        {"a = 1__x", 1},
        {"a = \xFF", 1},
        {"= 1", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_open();
        struct json json = {.kind = JSON_NULL};
        struct err *err = toml_parse(arena, str_of(cases[i].text), 1 << 20, &json);
        if (!err) fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(err->kind, ERR_MALFORMED);
        assert_int_equal(err->line, cases[i].line);
        assert_int_equal(json.kind, JSON_NULL);
        arena_close(arena);
    }
}

static void test_limits(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct buf deep = {.arena = arena}, many = {.arena = arena}, keys = {.arena = arena};
    struct json json;
    buf_add(&deep, S("a = "));
    for (int i = 0; i < 100000; i++) buf_add_char(&deep, '[');
    buf_add(&many, S("a = ["));
    for (int i = 0; i <= TOML_VALUES_MAX; i++) buf_add(&many, S("1,"));
    buf_add(&many, S("]"));
    for (int i = 0; i < 100; i++) buf_add(&keys, S("a."));
    struct str texts[] = {buf_str(&deep), buf_str(&many), buf_str(&keys)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct err *err = toml_parse(arena, texts[i], 1 << 20, &json);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_LIMIT);
    }
    struct err *large = toml_parse(arena, S("a = 1"), 4, &json);
    assert_non_null(large);
    assert_int_equal(large->kind, ERR_LIMIT);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meant),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
