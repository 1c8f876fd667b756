#include "os/store.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { LIMIT = 1 << 20 };

static struct str make_dir(struct arena *arena) {
    char *path = str_copy_z(arena, S("/tmp/unpin-store-XXXXXX"));
    assert_non_null(mkdtemp(path));
    return str_of(path);
}

static void test_seal(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir = make_dir(arena), path = path_join(arena, dir, S("a/b/file")), bytes;
    assert_false(store_unseal(fs_real(), arena, path, LIMIT, &bytes));
    char text[1000];
    for (int i = 0; i < 1000; i++) text[i] = (char)i;
    for (ptrdiff_t len = 0; len < 1000; len += 37) {
        assert_true(store_seal(arena, path, (struct str){text, len}));
        assert_true(store_unseal(fs_real(), arena, path, LIMIT, &bytes));
        assert_true(str_eq(bytes, (struct str){text, len}));
    }
    assert_false(store_unseal(fs_real(), arena, path, 10, &bytes));
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
    for (ptrdiff_t at = 0; at < 108; at++) {
        char text[100];
        memset(text, 'x', sizeof text);
        assert_true(store_seal(arena, path, (struct str){text, sizeof text}));
        assert_null(fs_read(fs_real(), arena, path, LIMIT, &all));
        char *changed = str_copy_z(arena, all);
        changed[at] ^= 1;
        assert_true(store_write(arena, path, (struct str){changed, all.len}));
        assert_false(store_unseal(fs_real(), arena, path, LIMIT, &bytes));
        assert_false(store_unseal(fs_real(), arena, path, LIMIT, &bytes));
        assert_int_equal(access(str_copy_z(arena, path), F_OK), -1);
        assert_true(store_write(arena, path, str_slice(all, 0, at)));
        assert_false(store_unseal(fs_real(), arena, path, LIMIT, &bytes));
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
    assert_true(str_eq(store_file_sha256(arena, to), store_key(arena, S("bytes"))));
    assert_true(str_eq(store_key(arena, S("")), S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    assert_int_equal(store_file_sha256(arena, path_join(arena, dir, S("gone"))).len, 0);
    assert_false(store_write(arena, S("/dev/null/x"), S("bytes")));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
