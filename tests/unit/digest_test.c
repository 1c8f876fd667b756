#include "os/digest.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* The vectors of FIPS 180-4. */
static const struct {
    const char *text;
    int32_t size;
    const char *hex;
} vectors[] = {
    {"", 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 32,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abc", 48, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
    {"abc", 64,
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2"
     "a9ac94fa54ca49f"},
};

static void test_whole(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct str digest = digest_make(arena, str_of(vectors[i].text), vectors[i].size);
        assert_int_equal(digest.len, vectors[i].size);
        assert_true(str_eq(digest_hex(arena, digest), str_of(vectors[i].hex)));
    }
    arena_close(arena);
}

/* In parts of any length it is the same; one that nobody wants any more can be dropped. */
static void test_parts(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str text = str_of(vectors[2].text);
    for (ptrdiff_t part = 1; part < 60; part++) {
        unsigned char sha256[DIGEST_SHA256];
        struct digest *digest = digest_open(arena);
        for (ptrdiff_t at = 0; at < text.len; at += part) digest_add(digest, str_slice(text, at, at + part));
        digest_close(digest, sha256);
        struct str hex = digest_hex(arena, (struct str){(const char *)sha256, DIGEST_SHA256});
        assert_true(str_eq(hex, str_of(vectors[2].hex)));
    }
    struct digest *dropped = digest_open(arena);
    digest_add(dropped, text);
    digest_close(dropped, NULL);
    digest_close(NULL, NULL);
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
