/* The journal of a transaction: the input with its hash put right. What is read is written to the same bytes. */
#include "base/arena.h"
#include "base/buf.h"
#include "os/transaction_parts.h"

#include <assert.h>
#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct buf buf = {.arena = arena};
    struct journal journal;
    unsigned char hash[EVP_MAX_MD_SIZE];
    buf_add(&buf, S("unpin journal 1\n"));
    buf_add(&buf, (struct str){(const char *)data, (ptrdiff_t)size});
    (void)EVP_Digest(buf.data, (size_t)buf.len, hash, NULL, EVP_sha256(), NULL);
    buf_add(&buf, (struct str){(const char *)hash, HASH_SIZE});
    struct str bytes = str_copy(arena, buf_str(&buf));
    if (journal_parse(arena, bytes, &journal)) assert(str_eq(journal_format(arena, &journal), bytes));
    (void)journal_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &journal);
    arena_close(arena);
    return 0;
}
