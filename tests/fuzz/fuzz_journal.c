/* The journal of a transaction, of every format: the input with its hash put right. What is read is written to the
 * same bytes, in the present format. */
#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"
#include "os/transaction_parts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str sealed(struct arena *arena, struct str head, struct str body) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, head);
    buf_add(&buf, body);
    buf_add(&buf, digest_make(arena, buf_str(&buf), HASH_SIZE));
    return buf_str(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct journal journal;
    struct str body = {(const char *)data, (ptrdiff_t)size};
    struct str now = sealed(arena, S("unpin journal 3\n"), body);
    const struct str before[] = {sealed(arena, S("unpin journal 2\n"), body),
                                 sealed(arena, S("unpin journal 1\n"), body)};
    if (journal_parse(arena, now, &journal)) assert(str_eq(journal_format(arena, &journal), now));
    for (int i = 0; i < 2; i++) {
        if (!journal_parse(arena, before[i], &journal)) continue;
        struct str written = journal_format(arena, &journal);
        struct journal again;
        assert(journal_parse(arena, written, &again) && str_eq(journal_format(arena, &again), written));
    }
    (void)journal_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &journal);
    arena_close(arena);
    return 0;
}
