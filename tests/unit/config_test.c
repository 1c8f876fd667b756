#include "stage/config.h"

#include "base/arena.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A file system of a few files. */
struct file {
    const char *path, *text;
};

static const struct file *find_file(void *self, const char *path) {
    for (const struct file *file = self; file->path; file++)
        if (strcmp(file->path, path) == 0) return file;
    return NULL;
}

static int fake_read(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret) {
    (void)arena;
    const struct file *file = find_file(self, path);
    if (!file) return ENOENT;
    if (strcmp(file->text, "!") == 0) return EACCES;
    *ret = str_of(file->text);
    return ret->len > limit ? EFBIG : 0;
}

static int fake_stat(void *self, const char *path, bool follow, struct fs_stat *ret) {
    (void)follow;
    *ret = (struct fs_stat){.exists = find_file(self, path) != NULL, .is_file = true};
    return 0;
}

static int fake_list(void *self, struct arena *arena, const char *path, struct str **ret, int32_t *ret_len) {
    (void)self, (void)arena, (void)path, (void)ret, (void)ret_len;
    return ENOENT;
}

static struct err *read_config(struct arena *arena, struct file *files, const char *const *variables,
                               struct config *ret) {
    struct fs fs = {files, fake_read, fake_list, fake_stat, NULL, NULL};
    struct str items[32];
    int32_t len = 0;
    for (; variables && variables[len]; len++) items[len] = str_of(variables[len]);
    struct config_variables table = {.items = items, .len = len, .directory = S("/project/sub")};
    return config_read(arena, &fs, S("/venv"), &table, ret);
}

static void test_defaults(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct file files[] = {{NULL, NULL}};
    struct config config;
    assert_null(read_config(arena, files, NULL, &config));
    assert_int_equal(config.index_url.len, 1);
    assert_true(str_eq(config.index_url.source, S("default")));
    assert_true(str_eq(config_text(&config.index_url), S(CONFIG_DEFAULT_INDEX)));
    assert_int_equal(config.extra_index_url.len, 0);
    assert_int_equal(config.cache_dir.len, 0);
    assert_false(config_truth(&config.no_index));
    assert_int_equal(config_number(&config.timeout, 15), 15);
    arena_close(arena);
}

static void test_order(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct file files[] = {
        {"/etc/xdg/pip/pip.conf", "[global]\nindex-url = http://xdg/\ntimeout = 5\ncert = /xdg.pem\n"},
        {"/etc/pip.conf", "; comment\n[global]\nindex-url: http://etc/\n[install]\nproxy=http://p:1\n"},
        {"/home/u/.config/pip/pip.conf",
         "[global]\nindex_url = http://user/\nproxy = http://other:2\n[list]\ncert = /list.pem\n"},
        {"/venv/pip.conf", "[global]\ntimeout = 7.5\n"},
        {NULL, NULL},
    };
    struct config config;
    const char *home[] = {"HOME=/home/u", NULL};
    assert_null(read_config(arena, files, home, &config));
    assert_true(str_eq(config_text(&config.index_url), S("http://user/")));
    assert_true(str_eq(config.index_url.source, S("/home/u/.config/pip/pip.conf [global]")));
    assert_true(str_eq(config_text(&config.proxy), S("http://p:1")));
    assert_true(str_eq(config_text(&config.cert), S("/xdg.pem")));
    assert_int_equal(config_number(&config.timeout, 15), 7);
    assert_int_equal(config.files_len, 4);
    assert_true(str_eq(config.cache_dir, S("/home/u/.cache/unpin")));
    assert_true(str_eq(config.netrc, S("/home/u/.netrc")));

    const char *relative[] = {"HOME=/home/u", "XDG_CACHE_HOME=cache", NULL}, *lost[] = {"HOME=u", NULL};
    assert_null(read_config(arena, files, relative, &config));
    assert_true(str_eq(config.cache_dir, S("/home/u/.cache/unpin")));
    assert_null(read_config(arena, files, lost, &config));
    assert_int_equal(config.cache_dir.len, 0);

    const char *null[] = {"HOME=/home/u", "PIP_CONFIG_FILE=/dev/null", NULL};
    assert_null(read_config(arena, files, null, &config));
    assert_int_equal(config.files_len, 0);
    assert_true(str_eq(config.index_url.source, S("default")));
    arena_close(arena);
}

static void test_named_file(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct file files[] = {
        {"/home/u/.pip/pip.conf", "[global]\nindex-url = http://user/\nretries = 9\n"},
        {"/named", "[global]\nindex-url = http://named/\n"},
        {NULL, NULL},
    };
    struct config config;
    const char *named[] = {"HOME=/home/u", "PIP_CONFIG_FILE=/named", NULL};
    assert_null(read_config(arena, files, named, &config));
    assert_true(str_eq(config_text(&config.index_url), S("http://named/")));
    assert_int_equal(config.retries.len, 0);
    const char *gone[] = {"HOME=/home/u", "PIP_CONFIG_FILE=/gone", NULL};
    assert_null(read_config(arena, files, gone, &config));
    assert_int_equal(config_number(&config.retries, 0), 9);
    arena_close(arena);
}

static void test_lists(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct file files[] = {
        {"/etc/pip.conf", "[global]\nextra-index-url =\n    http://a/simple\n    # not this\n\n    http://b/simple\n"
                          "constraint = /etc/pip/c.txt /etc/pip/d.txt\nfind-links = /w,x\n"},
        {NULL, NULL},
    };
    struct config config;
    assert_null(read_config(arena, files, NULL, &config));
    assert_int_equal(config.extra_index_url.len, 2);
    assert_true(str_eq(config.extra_index_url.items[0], S("http://a/simple")));
    assert_true(str_eq(config.extra_index_url.items[1], S("http://b/simple")));
    assert_int_equal(config.constraint.len, 2);
    assert_true(str_eq(config.constraint.source, S("/etc/pip.conf [global]")));
    assert_int_equal(config.find_links.len, 1);

    const char *variables[] = {"PIP_EXTRA_INDEX_URL=http://c/", "PIP_CONSTRAINT=", "UV_CONSTRAINT=/uv.txt",
                               "PIP_NO_INDEX=Yes", NULL};
    assert_null(read_config(arena, files, variables, &config));
    assert_int_equal(config.extra_index_url.len, 1);
    assert_true(str_eq(config.extra_index_url.source, S("PIP_EXTRA_INDEX_URL")));
    assert_int_equal(config.constraint.len, 2);
    assert_true(config_truth(&config.no_index));
    arena_close(arena);
}

static void test_uv(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct file files[] = {{NULL, NULL}};
    struct config config;
    const char *variables[] = {"UV_INDEX=nv=https://nv/simple https://x/?a=b",
                               "UV_DEFAULT_INDEX=main=https://main/simple",
                               "UV_FIND_LINKS=/a,/b",
                               "UV_CONSTRAINT=/c.txt",
                               "UV_OFFLINE=1",
                               NULL};
    assert_null(read_config(arena, files, variables, &config));
    assert_true(str_eq(config_text(&config.index_url), S("https://main/simple")));
    assert_int_equal(config.uv_index.len, 2);
    assert_true(str_eq(config.uv_index.items[0], S("https://nv/simple")));
    assert_true(str_eq(config.uv_index.items[1], S("https://x/?a=b")));
    assert_int_equal(config.find_links.len, 2);
    assert_true(str_eq(config.constraint.source, S("UV_CONSTRAINT")));
    assert_true(config_truth(&config.offline));
    arena_close(arena);
}

/* A pyproject.toml says where single projects come from, and which index is the default; what is not uv's is passed by.
 */
static void test_uv_files(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct file files[] = {
        {"/project/sub/pyproject.toml", "[project]\nname = 'no [tool.uv.x'\n"},
        {"/project/pyproject.toml", "[tool.uv]\nhttp-timeout = 9\noffline = true\n"
                                    "[[tool.uv.index]]\nname = 'gpu'\nurl = 'https://gpu/simple//'\nexplicit = true\n"
                                    "[[tool.uv.index]]\nurl = 'https://more/simple'\n"
                                    "[[tool.uv.index]]\nurl = 'https://main/simple'\ndefault = true\n"
                                    "[tool.uv.sources]\nTorch_Vision = {index = 'gpu'}\nother = {index = 'unknown'}\n"},
        {NULL, NULL},
    };
    struct config config;
    assert_null(read_config(arena, files, NULL, &config));
    assert_int_equal(config.files_len, 1);
    assert_true(str_eq(config_text(&config.index_url), S("https://main/simple")));
    assert_true(str_eq(config.index_url.source, S("/project/pyproject.toml [tool.uv.index]")));
    assert_int_equal(config.uv_index.len, 1);
    assert_true(str_eq(config_text(&config.uv_index), S("https://more/simple")));
    assert_int_equal(config.pins_len, 1);
    assert_true(str_eq(config.pins[0].project, S("torch-vision")));
    assert_true(str_eq(config.pins[0].url, S("https://gpu/simple")));
    assert_true(config_truth(&config.offline));
    struct file broken[] = {{"/project/uv.toml", "offline = \n"}, {NULL, NULL}};
    struct err *err = read_config(arena, broken, NULL, &config);
    assert_int_equal(err->kind, ERR_CONFIG);
    assert_int_equal(err->line, 1);
    arena_close(arena);
}

/* A file of another user is none of ours; one that is too large is refused. */
static void test_unreadable(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    char *large = memset(arena_alloc(arena, CONFIG_FILE_MAX + 2), '#', CONFIG_FILE_MAX + 1);
    static const char *const places[] = {"/etc/pip.conf", "/project/uv.toml"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct config config;
        struct file files[] = {{places[i], large}, {NULL, NULL}};
        struct err *err = read_config(arena, files, NULL, &config);
        assert_int_equal(err->kind, ERR_CONFIG);
        assert_non_null(err->cause);
        struct file secret[] = {{places[i], "!"}, {NULL, NULL}};
        assert_null(read_config(arena, secret, NULL, &config));
        assert_int_equal(config.files_len, 0);
    }
    arena_close(arena);
}

/* Of a variable that stands twice the first counts; there may be no environment at all. */
static void test_variables(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    char first[] = "A=1", second[] = "A=2", *environ_of[] = {first, second, NULL};
    struct config_variables variables = config_variables_make(arena, environ_of);
    assert_int_equal(variables.len, 2);
    assert_true(str_eq(config_variable(&variables, S("A")), S("1")));
    assert_int_equal(config_variables_make(arena, NULL).len, 0);
    arena_close(arena);
}

static void test_refused(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    static const struct {
        const char *text;
        int32_t line;
    } cases[] = {{"a = b\n", 1}, {"[global]\nnonsense\n", 2}, {"[global\n", 1}, {"[global]\n\n= 5\n", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct file files[] = {{"/etc/pip.conf", cases[i].text}, {NULL, NULL}};
        struct config config;
        struct err *err = read_config(arena, files, NULL, &config);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_CONFIG);
        assert_int_equal(err->line, cases[i].line);
        assert_true(str_eq(err->file, S("/etc/pip.conf")));
    }
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_order),      cmocka_unit_test(test_named_file),
        cmocka_unit_test(test_lists),    cmocka_unit_test(test_uv),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_uv_files), cmocka_unit_test(test_unreadable), cmocka_unit_test(test_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
