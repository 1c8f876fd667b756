#include "os/digest.h"

#include "base/arena.h"
#include "os/library.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The functions of one kind of digest. */
struct crypto {
    const EVP_MD *(*kind)(void);
    __typeof__(EVP_Digest) *whole;
    __typeof__(EVP_MD_CTX_new) *make;
    __typeof__(EVP_MD_CTX_free) *drop;
    __typeof__(EVP_DigestInit_ex) *begin;
    __typeof__(EVP_DigestUpdate) *add;
    __typeof__(EVP_DigestFinal_ex) *end;
};

struct digest {
    struct crypto crypto;
    EVP_MD_CTX *context;
};

/* What cannot go on here can go on nowhere: no caller could do without the digest. Not by exit, see
 * arena_out_of_memory. */
static _Noreturn void die(const char *what) {
    (void)dprintf(STDERR_FILENO, "unpin: %s\n", what);
    _exit(EXIT_FAILURE);
}

static void require(bool done) {
    if (!done) die("libcrypto failed to compute a digest");
}

#ifdef UNPIN_LIBRARIES_LINKED

static struct crypto crypto_open(int32_t size, bool in_parts) {
    (void)in_parts;
    library_guard_crypto();
    return (struct crypto){
        .kind = size == 32   ? EVP_sha256
                : size == 48 ? EVP_sha384
                             : EVP_sha512,
        .whole = EVP_Digest,
        .make = EVP_MD_CTX_new,
        .drop = EVP_MD_CTX_free,
        .begin = EVP_DigestInit_ex,
        .add = EVP_DigestUpdate,
        .end = EVP_DigestFinal_ex,
    };
}

#else

/* Once the library is open this takes a microsecond, for two functions; `in_parts` for all. */
static struct crypto crypto_open(int32_t size, bool in_parts) {
    const struct library_symbol symbols[] = {
        {size == 32   ? "EVP_sha256"
         : size == 48 ? "EVP_sha384"
                      : "EVP_sha512",
         offsetof(struct crypto, kind)},
        {"EVP_Digest", offsetof(struct crypto, whole)},
        {"EVP_MD_CTX_new", offsetof(struct crypto, make)},
        {"EVP_MD_CTX_free", offsetof(struct crypto, drop)},
        {"EVP_DigestInit_ex", offsetof(struct crypto, begin)},
        {"EVP_DigestUpdate", offsetof(struct crypto, add)},
        {"EVP_DigestFinal_ex", offsetof(struct crypto, end)},
    };
    enum { ALL = sizeof symbols / sizeof *symbols, WHOLE = 2 };
    struct crypto crypto = {0};
    if (!library_open("libcrypto.so.3", symbols, in_parts ? ALL : WHOLE, &crypto))
        die("libcrypto.so.3 (OpenSSL 3) cannot be opened");
    library_guard_crypto();
    return crypto;
}

#endif

struct str digest_make(struct arena *arena, struct str bytes, int32_t size) {
    struct crypto crypto = crypto_open(size, false);
    char *out = arena_alloc(arena, EVP_MAX_MD_SIZE);
    unsigned int len = 0;
    int done =
        crypto.whole(bytes.len ? bytes.data : "", (size_t)bytes.len, (unsigned char *)out, &len, crypto.kind(), NULL);
    require(done == 1 && len == (unsigned int)size);
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

struct digest *digest_open(struct arena *arena) {
    return digest_open_kind(arena, DIGEST_SHA256);
}

struct digest *digest_open_kind(struct arena *arena, int32_t size) {
    struct digest *digest = arena_new(arena, struct digest, 1);
    digest->crypto = crypto_open(size, true);
    digest->context = digest->crypto.make();
    require(digest->context && digest->crypto.begin(digest->context, digest->crypto.kind(), NULL) == 1);
    return digest;
}

void digest_add(struct digest *digest, struct str bytes) {
    require(digest->crypto.add(digest->context, bytes.data, (size_t)bytes.len) == 1);
}

void digest_close(struct digest *digest, unsigned char *ret) {
    if (!digest) return;
    if (ret) require(digest->crypto.end(digest->context, ret, NULL) == 1);
    digest->crypto.drop(digest->context);
}
