/* A URL of a repository. What is accepted gives git no option, and reads back as what it was. */
#include "base/arena.h"
#include "stage/vcs.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct vcs_url url, again;
    if (!vcs_url_parse(arena, (struct str){(const char *)data, (ptrdiff_t)size}, &url)) {
        struct str commit = S("0123456789012345678901234567890123456789");
        struct str host = str_from(url.repository, str_find(url.repository, S("://")) + 3);
        assert(!str_starts(url.revision, S("-")) && !str_starts(host, S("-")) && url.repository.len > 0);
        assert(!str_starts(url.subdirectory, S("/")) && !str_eq(url.subdirectory, S("..")));
        for (ptrdiff_t i = 0; i < url.revision.len; i++) assert((unsigned char)url.revision.data[i] > ' ');
        assert(!vcs_url_parse(arena, vcs_url_format(arena, &url, commit, true), &again));
        assert(str_eq(again.revision, commit) && str_eq(again.repository, url.repository));
        assert(str_eq(again.subdirectory, url.subdirectory));
    }
    arena_close(arena);
    return 0;
}
