#include "os/store.h"

#include "base/arena.h"
#include "os/digest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { LIMIT = 1 << 20 };

static const struct str about = S_INIT("what it is about");

static struct str make_dir(struct arena *arena) {
    char *path = str_copy_z(arena, S("/tmp/unpin-store-XXXXXX"));
    assert_non_null(mkdtemp(path));
    return str_of(path);
}

static void test_seal(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir = make_dir(arena), path = path_join(arena, dir, S("a/b/file")), bytes;
    assert_false(store_unseal(fs_real(), arena, path, about, LIMIT, &bytes));
    char text[1000];
    for (int i = 0; i < 1000; i++) text[i] = (char)i;
    for (ptrdiff_t len = 0; len < 1000; len += 37) {
        assert_true(store_seal(arena, path, about, (struct str){text, len}));
        assert_true(store_unseal(fs_real(), arena, path, about, LIMIT, &bytes));
        assert_true(str_eq(bytes, (struct str){text, len}));
    }
    assert_false(store_unseal(fs_real(), arena, path, about, 10, &bytes));
    struct str *names;
    int32_t len;
    assert_null(fs_list(fs_real(), arena, path_join(arena, dir, S("a/b")), &names, &len));
    assert_int_equal(len, 1);
    store_remove(arena, path);
    arena_close(arena);
}

/* Each single byte that changes is noticed, and so is each end that lacks; what is damaged goes. */
static void test_damage(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str path = path_join(arena, make_dir(arena), S("file")), bytes, all;
    for (ptrdiff_t at = 0; at < 132; at++) {
        char text[100];
        memset(text, 'x', sizeof text);
        assert_true(store_seal(arena, path, about, (struct str){text, sizeof text}));
        assert_null(fs_read(fs_real(), arena, path, LIMIT, &all));
        char *changed = str_copy_z(arena, all);
        changed[at] ^= 1;
        assert_true(store_write(arena, path, (struct str){changed, all.len}));
        assert_false(store_unseal(fs_real(), arena, path, about, LIMIT, &bytes));
        assert_false(store_unseal(fs_real(), arena, path, about, LIMIT, &bytes));
        assert_int_equal(access(str_copy_z(arena, path), F_OK), -1);
        assert_true(store_write(arena, path, str_slice(all, 0, at)));
        assert_false(store_unseal(fs_real(), arena, path, about, LIMIT, &bytes));
    }
    arena_close(arena);
}

static void test_link(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir = make_dir(arena), from = path_join(arena, dir, S("from")), to = path_join(arena, dir, S("x/to"));
    assert_true(store_write(arena, from, S("bytes")));
    assert_true(store_link(arena, from, to, LIMIT));
    assert_false(store_link(arena, from, to, LIMIT));
    assert_false(store_link(arena, path_join(arena, dir, S("gone")), path_join(arena, dir, S("y")), LIMIT));
    struct str sha256 = digest_hex(arena, digest_make(arena, S("bytes"), DIGEST_SHA256));
    assert_true(str_eq(store_file_sha256(arena, to), sha256));
    assert_int_equal(store_file_sha256(arena, path_join(arena, dir, S("gone"))).len, 0);
    assert_false(store_write(arena, S("/dev/null/x"), S("bytes")));
    arena_close(arena);
}

/* A file that is about something else is not taken, and stays: it may be wanted yet. */
static void test_identity(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str path = path_join(arena, make_dir(arena), S("file")), bytes;
    static const struct str others[] = {S_INIT(""), S_INIT("what it is abouT"), S_INIT("what it is about "),
                                        S_INIT("x")};
    assert_true(store_seal(arena, path, about, S("bytes")));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(store_unseal(fs_real(), arena, path, others[i], LIMIT, &bytes));
    assert_true(store_unseal(fs_real(), arena, path, about, LIMIT, &bytes));
    assert_true(str_eq(bytes, S("bytes")));
    char *long_one = arena_alloc(arena, STORE_IDENTITY_MAX + 1);
    assert_false(store_seal(arena, path, (struct str){long_one, STORE_IDENTITY_MAX + 1}, S("bytes")));
    assert_true(store_seal(arena, path, (struct str){long_one, STORE_IDENTITY_MAX}, S("more")));
    assert_true(store_unseal(fs_real(), arena, path, (struct str){long_one, STORE_IDENTITY_MAX}, LIMIT, &bytes));
    assert_true(str_eq(bytes, S("more")));
    store_remove(arena, path);
    arena_close(arena);
}

/* The digest that is kept is that of the very text: another text, or a damaged file, has it made again. */
static void test_sha256(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str path = path_join(arena, make_dir(arena), S("file")), all;
    static const struct str texts[] = {S_INIT("one"), S_INIT("one"), S_INIT("two"), S_INIT(""), S_INIT("one")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct str sha256 = digest_hex(arena, digest_make(arena, texts[i], DIGEST_SHA256));
        assert_true(str_eq(store_sha256(fs_real(), arena, path, texts[i]), sha256));
        assert_null(fs_read(fs_real(), arena, path, LIMIT, &all));
        assert_true(str_ends(all, sha256));
        char *changed = str_copy_z(arena, all);
        changed[all.len - 1] ^= 1;
        if (i > 0) assert_true(store_write(arena, path, (struct str){changed, all.len}));
        assert_true(str_eq(store_sha256(fs_real(), arena, path, texts[i]), sha256));
    }
    /* What is kept is what is given, so that it need not be made. */
    struct str identity = str_format(arena, "sha256 of 3 %.*s", FMT(store_key(arena, S("one"))));
    struct str other = digest_hex(arena, digest_make(arena, S("other"), DIGEST_SHA256));
    assert_true(store_seal(arena, path, identity, other));
    assert_true(str_eq(store_sha256(fs_real(), arena, path, S("one")), other));
    assert_true(store_seal(arena, path, identity, S("too short")));
    assert_false(str_eq(store_sha256(fs_real(), arena, path, S("one")), S("too short")));
    assert_int_equal(store_sha256(fs_real(), arena, S("/dev/null/x"), S("one")).len, 64);
    store_remove(arena, path);
    arena_close(arena);
}

/* Names of files: 32 hex digits, other ones for each text. */
static void test_key(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str keys[100];
    for (int i = 0; i < 100; i++) {
        keys[i] = store_key(arena, str_format(arena, "https://index/simple/name-%d/", i));
        assert_int_equal(keys[i].len, 32);
        assert_false(str_among(keys, i, keys[i]));
    }
    assert_true(str_eq(store_key(arena, S("a")), store_key(arena, S("a"))));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal),     cmocka_unit_test(test_damage), cmocka_unit_test(test_link),
        cmocka_unit_test(test_identity), cmocka_unit_test(test_key),    cmocka_unit_test(test_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
