/* The journal of a transaction: the input with its hash put right. What is read is written to the same bytes. */
#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"
#include "os/transaction_parts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct buf buf = {.arena = arena};
    struct journal journal;
    buf_add(&buf, S("unpin journal 1\n"));
    buf_add(&buf, (struct str){(const char *)data, (ptrdiff_t)size});
    buf_add(&buf, digest_make(arena, buf_str(&buf), HASH_SIZE));
    struct str bytes = str_copy(arena, buf_str(&buf));
    if (journal_parse(arena, bytes, &journal)) assert(str_eq(journal_format(arena, &journal), bytes));
    (void)journal_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &journal);
    arena_close(arena);
    return 0;
}
