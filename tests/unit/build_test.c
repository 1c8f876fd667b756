#include "stage/build.h"

#include "base/arena.h"
#include "os/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

/* A pip that keeps what it was called with, and ends as it is told. */
struct fake {
    struct proc_result result;
    struct proc_call call;
};

static struct err *fake_run(void *self, struct arena *arena, const struct proc_call *call, struct proc_result *ret) {
    struct fake *fake = self;
    struct str *argv = arena_new(arena, struct str, call->argv_len), *env = arena_new(arena, struct str, call->env_len);
    for (int32_t i = 0; i < call->argv_len; i++) argv[i] = call->argv[i];
    for (int32_t i = 0; i < call->env_len; i++) env[i] = call->env[i];
    fake->call = *call;
    fake->call.argv = argv;
    fake->call.env = env;
    *ret = fake->result;
    return NULL;
}

static bool has(const struct str *texts, int32_t len, struct str text) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(texts[i], text)) return true;
    return false;
}

static void test_environment(void **state) {
    (void)state;
    static const struct str ours[] = {S_INIT("PIP_CONSTRAINT=/etc/pip/constraint.txt"),
                                      S_INIT("PIP_INDEX_URL=https://a/simple"),
                                      S_INIT("PATH=/bin"),
                                      S_INIT("PYTHONPATH=/evil"),
                                      S_INIT("CC=gcc"),
                                      S_INIT("PIP_TARGET=/x"),
                                      S_INIT("HF_TOKEN=hf_1"),
                                      S_INIT("MY_SERVICE_PASSWORD=x"),
                                      S_INIT("https_proxy=http://u:p@proxy:8080"),
                                      S_INIT("http_proxy=http://proxy:8080"),
                                      S_INIT("LD_LIBRARY_PATH=/cuda/lib"),
                                      S_INIT("PIP_FIND_LINKS=/old")};
    static const struct str settings[] = {S_INIT("PIP_FIND_LINKS=/new"), S_INIT("PIP_EXTRA_INDEX_URL=")};
    struct arena *arena = arena_open();
    const struct str *got = NULL;
    int32_t len = 0;
    build_environment(arena, ours, sizeof ours / sizeof *ours, settings, 2, &got, &len);
    assert_int_equal(len, 9);
    assert_true(has(got, len, S("PIP_CONSTRAINT=/dev/null")));
    assert_true(has(got, len, S("PIP_BUILD_CONSTRAINT=/dev/null")));
    assert_true(has(got, len, S("http_proxy=http://proxy:8080")));
    assert_true(has(got, len, S("LD_LIBRARY_PATH=/cuda/lib")));
    assert_true(has(got, len, S("PIP_FIND_LINKS=/new")));
    assert_true(has(got, len, S("PIP_INDEX_URL=https://a/simple")));
    assert_true(has(got, len, S("PATH=/bin")));
    assert_true(has(got, len, S("CC=gcc")));
    arena_close(arena);
}

static void test_failures(void **state) {
    (void)state;
    static const struct {
        struct proc_result result;
        const char *text;
    } cases[] = {
        {{.status = 1, .error = S_INIT("error: no\033[31m compiler\n")}, "ended with an error"},
        {{.timed_out = true, .status = 137}, "too long"},
        {{.too_much = true, .status = 137}, "too much"},
        {{.status = 0}, "no wheel"},
    };
    struct arena *arena = arena_open();
    char dir[] = "/tmp/unpin-build-XXXXXX";
    assert_non_null(mkdtemp(dir));
    (void)setenv("PIP_CONSTRAINT", "/lock", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake fake = {.result = cases[i].result};
        const struct proc proc = {&fake, fake_run};
        struct version version;
        assert_null(version_parse(arena, S("1"), &version));
        const struct build_item item = {.source = S("/s/a-1.tar.gz"), .name = S("a"), .version = &version};
        struct build_place place = {.fs = fs_real(), .proc = &proc, .python = S("/env/bin/python")};
        assert_null(scratch_make(arena, str_of(dir), str_format(arena, "%zu", i), &place.scratch));
        place.logs = str_of(dir);
        place.no_isolation = i == 1;
        place.config = i == 2 ? S("[global]\nindex-url = https://u:p@h/simple\n") : S("");
        struct build_result result;
        struct err *err = build_wheel(arena, &place, &item, &result);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_BUILD);
        assert_true(str_find(err->what, str_of(cases[i].text)) >= 0);
        assert_true(str_find_char(err->hint, '\033') < 0);
        assert_true(has(fake.call.argv, fake.call.argv_len, S("--no-deps")));
        assert_int_equal(has(fake.call.argv, fake.call.argv_len, S("--no-build-isolation")), i == 1);
        struct str log = path_join(arena, str_of(dir), S("a-1.log")), kept;
        assert_true(str_find(err->hint, log) >= 0);
        assert_null(fs_read(fs_real(), arena, log, 1000, &kept));
        assert_true(str_eq(kept, cases[i].result.error));
        struct str config = str_format(arena, "PIP_CONFIG_FILE=%.*s/a-1.built/pip.conf", FMT(place.scratch));
        assert_int_equal(has(fake.call.env, fake.call.env_len, config), i == 2);
        assert_false(has(fake.call.env, fake.call.env_len, S("PIP_CONSTRAINT=/lock")));
    }
    (void)unsetenv("PIP_CONSTRAINT");
    scratch_close(arena, str_of(dir));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
