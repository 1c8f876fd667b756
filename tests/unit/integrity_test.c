#include "stage/integrity.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"
#include "os/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

static void write_file(struct arena *arena, struct str dir, const char *name, struct str text) {
    FILE *file = fopen(str_copy_z(arena, path_join(arena, dir, str_of(name))), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, (size_t)text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

/* A distribution with a row for every kind of damage, one with a RECORD that is none, one without. */
static void test_damage(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str dir;
    assert_null(scratch_open(arena, &dir));
    static const char *const infos[] = {"a-1.dist-info", "b-1.dist-info", "c-1.dist-info", "folder"};
    for (size_t i = 0; i < sizeof infos / sizeof *infos; i++)
        assert_int_equal(mkdir(str_copy_z(arena, path_join(arena, dir, str_of(infos[i]))), 0755), 0);
    write_file(arena, dir, "good.py", S("good"));
    write_file(arena, dir, "empty.py", S(""));
    write_file(arena, dir, "other.py", S("evil"));
    write_file(arena, dir, "b-1.dist-info/RECORD", S("\"unclosed"));
    /* SHA-256 of "good" and of nothing. */
    struct str hash = S("sha256=dw5gdiTWiSZcpsRIhNCAfZsFTSPEc8EGxyvp3gi3N2w");
    struct str none = S("sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    struct buf buf = {.arena = arena};
    buf_addf(&buf, "good.py,%.*s,4\nempty.py,%.*s,0\n", FMT(hash), FMT(none));
    buf_addf(&buf, "other.py,%.*s,4\nother.py,%.*s,5\n", FMT(hash), FMT(hash));
    buf_addf(&buf, "gone.py,%.*s,4\nfolder,%.*s,\n/etc/passwd,%.*s,4\n", FMT(hash), FMT(hash), FMT(hash));
    buf_addf(&buf, "gone.pyc,%.*s,4\na-1.dist-info/RECORD,,\n", FMT(hash));
    write_file(arena, dir, "a-1.dist-info/RECORD", buf_str(&buf));
    struct dist dists[3] = {0};
    for (int i = 0; i < 3; i++) {
        dists[i].name = dists[i].raw_name = str_slice(str_of(infos[i]), 0, 1);
        dists[i].info_dir = str_of(infos[i]);
    }
    struct environment env = {.sites = &dir, .sites_len = 1};
    environment_seal(arena, &env, dists, 3);
    struct integrity found;
    assert_null(integrity_check(arena, fs_real(), &env, &found));
    static const struct {
        const char *name, *path, *what;
    } expected[] = {{"a", "other.py", "hash"},       {"a", "other.py", "size"},
                    {"a", "gone.py", "missing"},     {"a", "folder", "unreadable"},
                    {"a", "/etc/passwd", "outside"}, {"b", "b-1.dist-info/RECORD", "RECORD"}};
    assert_int_equal(found.len, sizeof expected / sizeof *expected);
    for (int32_t i = 0; i < found.len; i++) {
        assert_true(str_eq(found.items[i].name, str_of(expected[i].name)));
        assert_true(str_ends(found.items[i].path, str_of(expected[i].path)));
        assert_true(str_eq(found.items[i].what, str_of(expected[i].what)));
    }
    assert_int_equal(found.files, 3); /* good, empty, and the one of another hash */
    assert_int_equal(found.bytes, 8);
    assert_int_equal(found.without_record, 1);
    const bool wanted[3] = {false, true, false};
    const struct integrity_limits limits = {.wanted = wanted, .hash_max = INT64_MAX};
    assert_null(integrity_check_some(arena, fs_real(), &env, &limits, &found));
    assert_int_equal(found.len, 1);
    assert_int_equal(found.files, 0);
    scratch_close(arena, dir);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
