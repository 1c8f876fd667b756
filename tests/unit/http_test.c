#include "base/arena.h"
#include "os/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_mask(void **state) {
    (void)state;
    static const struct {
        struct str url, masked, stripped;
    } cases[] = {
        {S_INIT("https://h/simple"), S_INIT("https://h/simple"), S_INIT("https://h/simple")},
        {S_INIT("https://me:pw@h/simple"), S_INIT("https://****@h/simple"), S_INIT("https://h/simple")},
        {S_INIT("https://token@h:8080/x"), S_INIT("https://****@h:8080/x"), S_INIT("https://h:8080/x")},
        {S_INIT("https://h:8080/pkg@1.0"), S_INIT("https://h:8080/pkg@1.0"), S_INIT("https://h:8080/pkg@1.0")},
        {S_INIT("https://h:/pkg@1.0"), S_INIT("https://h:/pkg@1.0"), S_INIT("https://h:/pkg@1.0")},
        {S_INIT("git+https://h/x.git@main"), S_INIT("git+https://h/x.git@main"), S_INIT("git+https://h/x.git@main")},
        {S_INIT("https://[::1]:80/a@b"), S_INIT("https://[::1]:80/a@b"), S_INIT("https://[::1]:80/a@b")},
        {S_INIT("https://me:p@w@h/"), S_INIT("https://****@h/"), S_INIT("https://h/")},
        /* What should have been escaped. */
        {S_INIT("https://me:p/w@h/simple"), S_INIT("https://****@h/simple"), S_INIT("https://h/simple")},
        {S_INIT("https://me:p?w@h/simple"), S_INIT("https://****@h/simple"), S_INIT("https://h/simple")},
        {S_INIT("https://me:p#w@h/simple"), S_INIT("https://****@h/simple"), S_INIT("https://h/simple")},
        {S_INIT("https://me:1234567/w@h/"), S_INIT("https://****@h/"), S_INIT("https://h/")},
        {S_INIT("https://me:12ab/w@h/"), S_INIT("https://****@h/"), S_INIT("https://h/")},
        {S_INIT("https://me@corp.com:p/w@h/"), S_INIT("https://****@h/"), S_INIT("https://h/")},
        {S_INIT("https://me:pw/simple"), S_INIT("https://****/simple"), S_INIT("https://me:pw/simple")},
        /* Without a scheme: a proxy. */
        {S_INIT("me:pw@h:8080"), S_INIT("****@h:8080"), S_INIT("me:pw@h:8080")},
        {S_INIT("me:p/w@h:8080"), S_INIT("****@h:8080"), S_INIT("me:p/w@h:8080")},
        {S_INIT("git@h:x/y"), S_INIT("git@h:x/y"), S_INIT("git@h:x/y")},
        {S_INIT("./a:b@c"), S_INIT("./a:b@c"), S_INIT("./a:b@c")},
        {S_INIT("a: b @ c"), S_INIT("a: b @ c"), S_INIT("a: b @ c")},
        {S_INIT(""), S_INIT(""), S_INIT("")},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str masked = http_mask(arena, cases[i].url), stripped = http_strip(arena, cases[i].url);
        if (!str_eq(masked, cases[i].masked)) fail_msg("%.*s: %.*s", FMT(cases[i].url), FMT(masked));
        if (!str_eq(stripped, cases[i].stripped)) fail_msg("%.*s: %.*s", FMT(cases[i].url), FMT(stripped));
    }
    arena_close(arena);
}

/* Ports that a sentence goes on behind are ports. */
static void test_credentials_in_sentences(void **state) {
    (void)state;
    static const char *const without[] = {"h:80, and x@y", "h:80) x@y", "127.0.0.1:9: refused",
                                          "h:8080' a@b",   "h: x@y",    "h/a b@c"};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        assert_int_equal(http_credentials(str_of(without[i])), -1);
    assert_int_equal(http_credentials(S("me:p/w@h/x, you@there")), 6);
}

static void test_origin(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    assert_true(str_eq(http_origin(arena, S("https://me:pw@Host/x")), S("https://host:443")));
    assert_true(str_eq(http_origin(arena, S("https://me:p/w@Host/x")), S("https://host:443")));
    assert_true(str_eq(http_origin(arena, S("http://[::1]/x")), S("http://[::1]:80")));
    assert_true(str_eq(http_origin(arena, S("http://h:8080?x")), S("http://h:8080")));
    arena_close(arena);
}

/* A body of some megabytes is the same wherever it is kept, and leaves nothing behind. */
static void test_spool(void **state) {
    (void)state;
    enum { SIZE = (3 << 20) + 5 };
    struct arena *arena = arena_open();
    char dir[] = "/tmp/unpin-http-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct str path = str_format(arena, "%s/body", dir);
    char *bytes = arena_alloc(arena, SIZE);
    for (ptrdiff_t i = 0; i < SIZE; i++) bytes[i] = (char)(i * 31 + i / 977);
    FILE *out = fopen(path.data, "wb");
    assert_true(out && fwrite(bytes, 1, SIZE, out) == SIZE && fclose(out) == 0);
    const struct str spools[] = {str_of(dir), S("/nowhere/at/all"), {0}};
    for (size_t i = 0; i < sizeof spools / sizeof *spools; i++) {
        struct http *http;
        struct http_response response;
        const struct http_options options = {.retries = -1, .spool = spools[i]};
        const struct http_request request = {.url = str_format(arena, "file://%.*s", FMT(path)), .limit = SIZE};
        assert_null(http_open(arena, &options, &http));
        for (int k = 0; k < 3; k++) http_add(http, &request);
        for (int k = 0; k < 3; k++) {
            assert_true(http_next(http, &response));
            assert_null(response.err);
            assert_int_equal(response.size, SIZE);
            assert_int_equal(response.body.len, SIZE);
            assert_memory_equal(response.body.data, bytes, SIZE);
        }
        assert_false(http_next(http, &response));
        http_close(http);
    }
    assert_int_equal(unlink(path.data), 0);
    assert_int_equal(rmdir(dir), 0);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_credentials_in_sentences),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_spool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
