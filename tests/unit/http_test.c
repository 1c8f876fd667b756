#include "base/arena.h"
#include "os/http.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_credentials_in_sentences),
        cmocka_unit_test(test_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
