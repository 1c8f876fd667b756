#include "os/scratch.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tree with links, one of which leads out, goes; what it leads to stays. */
static void test_scratch(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir, other, inner;
    struct stat st;
    assert_null(scratch_open(arena, &dir));
    assert_null(scratch_open(arena, &other));
    assert_int_equal(stat(str_copy_z(arena, dir), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_null(scratch_make(arena, dir, S("a b"), &inner));
    assert_non_null(scratch_make(arena, dir, S("a b"), &inner));
    assert_int_equal(symlink(str_copy_z(arena, other), str_format(arena, "%.*s/out", FMT(inner)).data), 0);
    struct str command = str_format(arena,
                                    "cd '%.*s' && mkdir -p x/y/z && touch x/y/z/f x/.h && ln x/.h x/hard && "
                                    "touch '%.*s/kept'",
                                    FMT(inner), FMT(other));
    assert_int_equal(system(str_copy_z(arena, command)), 0);
    scratch_close(arena, dir);
    assert_int_not_equal(stat(str_copy_z(arena, dir), &st), 0);
    assert_int_equal(stat(str_format(arena, "%.*s/kept", FMT(other)).data, &st), 0);
    scratch_close(arena, other);
    scratch_close(arena, S(""));
    arena_close(arena);
}

static void test_no_place(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir = S("unset"), before = str_of(getenv("TMPDIR"));
    char *old = before.data ? str_copy_z(arena, before) : NULL;
    (void)setenv("TMPDIR", "/nowhere/at/all", 1);
    assert_int_equal(scratch_open(arena, &dir)->kind, ERR_IO);
    if (old) (void)setenv("TMPDIR", old, 1);
    else (void)unsetenv("TMPDIR");
    assert_true(str_eq(dir, S("unset")));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scratch), cmocka_unit_test(test_no_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
