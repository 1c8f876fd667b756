#include "os/digest.h"

#include "base/arena.h"

#include <assert.h>
#include <openssl/evp.h>

struct str digest_make(struct arena *arena, struct str bytes, int32_t size) {
    const EVP_MD *kind = size == 32 ? EVP_sha256() : size == 48 ? EVP_sha384() : EVP_sha512();
    char *out = arena_alloc(arena, EVP_MAX_MD_SIZE);
    unsigned int len = 0;
    int done = EVP_Digest(bytes.len ? bytes.data : "", (size_t)bytes.len, (unsigned char *)out, &len, kind, NULL);
    assert(done == 1 && len == (unsigned int)size);
    (void)done;
    return (struct str){out, size};
}

struct str digest_hex(struct arena *arena, struct str digest) {
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(arena, digest.len * 2);
    for (ptrdiff_t i = 0; i < digest.len; i++) {
        out[i * 2] = digits[(unsigned char)digest.data[i] >> 4];
        out[i * 2 + 1] = digits[(unsigned char)digest.data[i] & 15];
    }
    return (struct str){out, digest.len * 2};
}
