/* The cache of a scan: only a text that is whole is taken, and that one is a fixed point. */
#include "base/arena.h"
#include "base/buf.h"
#include "stage/scan_cache.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct scan_cache cache;
    struct str body = {(const char *)data, (ptrdiff_t)size};
    (void)scan_cache_parse(arena, body, S("/s"), &cache);
    /* The hash keeps a fuzzer out, so it is put right here. */
    struct buf text = {.arena = arena};
    buf_addf(&text, "unpin-site 2 %016llx ", (unsigned long long)str_hash(body));
    buf_add(&text, body);
    if (scan_cache_parse(arena, buf_str(&text), S("/s"), &cache)) {
        struct scan_cache again;
        struct str once = scan_cache_format(arena, S("/s"), &cache);
        bool ok = scan_cache_parse(arena, once, S("/s"), &again);
        assert(ok && str_eq(scan_cache_format(arena, S("/s"), &again), once));
    }
    arena_close(arena);
    return 0;
}
