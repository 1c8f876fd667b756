#include "pypa/record.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char good[] = "pkg/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
                           "\"pkg/a,\"\"b\"\".py\",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,12\n"
                           "../../../bin/tool,md5=abc,7\n"
                           "pkg-1.dist-info/RECORD,,\n";

static void test_parse(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct record_row *rows = NULL;
    int32_t len = 0;
    assert_null(record_parse(arena, str_of(good), &rows, &len));
    assert_int_equal(len, 4);
    assert_true(str_eq(rows[1].path, S("pkg/a,\"b\".py")));
    assert_int_equal(rows[1].hash, RECORD_SHA256);
    assert_int_equal(rows[1].digest.len, 32);
    assert_int_equal((unsigned char)rows[0].digest.data[0], 0xe3);
    assert_int_equal((unsigned char)rows[0].digest.data[31], 0x55);
    assert_int_equal(rows[1].size, 12);
    assert_int_equal(rows[2].hash, RECORD_WEAK);
    assert_int_equal(rows[3].hash, RECORD_NONE);
    assert_int_equal(rows[3].size, -1);
    arena_close(arena);
}

/* What was read is written as it was, weak hashes left out. */
static void test_round_trip(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    const struct record_row *rows = NULL, *again = NULL;
    int32_t len = 0, again_len = 0;
    assert_null(record_parse(arena, str_of(good), &rows, &len));
    struct str text = record_format(arena, rows, len);
    assert_true(str_eq(str_slice(text, 0, 100), str_slice(str_of(good), 0, 100)));
    assert_true(str_find(text, S("bin/tool,,7\n")) > 0);
    assert_null(record_parse(arena, text, &again, &again_len));
    assert_int_equal(again_len, len);
    assert_true(str_eq(record_format(arena, again, again_len), text));
    arena_close(arena);
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\"a,b\n",
        "a,b,c,d\n",
        ",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n",
        "a,sha256=47DEQpj8HBSa,0\n",
        "a,sha256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU,0\n",
        "a,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFV,0\n",
        "a,sha256,0\n",
        "a,,-1\n",
        "a,,99999999999999999999\n",
        "a\"b,,\n",
        "\"a\"b,,\n",
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct record_row *rows = NULL;
        int32_t len = 0;
        struct err *err = record_parse(arena, str_of(bad[i]), &rows, &len);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_MALFORMED);
        assert_int_equal(err->line, 1);
    }
    arena_close(arena);
}

static void test_top_level(void **state) {
    (void)state;
    static const char text[] =
        "six.py,,\nnumpy/__init__.py,,\nnumpy/core/x.so,,\nfast.cpython-312-x86_64-linux-gnu.so,,\n"
        "nvidia/cublas/lib/a.py,,\nnumpy.libs/libgfortran.so,,\n../../../bin/x.py,,\n/abs/y.py,,\n"
        "__pycache__/six.cpython-312.pyc,,\ndata/readme.txt,,\nx-1.dist-info/METADATA,,\n"
        "__editable___x.py,,\n_x.pth,,\n";
    static const char *const expected[] = {"__editable___x", "fast", "numpy", "nvidia", "six"};
    struct arena *arena = arena_open();
    const struct record_row *rows = NULL;
    const struct str *names = NULL;
    int32_t len = 0, names_len = 0;
    assert_null(record_parse(arena, str_of(text), &rows, &len));
    record_top_level(arena, rows, len, &names, &names_len);
    assert_int_equal(names_len, 5);
    for (int32_t i = 0; i < names_len; i++) assert_true(str_eq(names[i], str_of(expected[i])));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_top_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
