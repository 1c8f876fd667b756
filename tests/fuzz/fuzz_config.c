/* pip's configuration file, uv's, and variables: the input is the first file up to its first NUL, the second up to the
 * next, then variables between NULs. */
#include "base/arena.h"
#include "stage/config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VARIABLES_MAX = 64 };

static int read_input(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret) {
    const struct str *input = (const struct str *)self + (strcmp(path, "/etc/pip.conf") != 0);
    if (input->len > limit) return EFBIG;
    *ret = str_copy(arena, *input);
    return 0;
}

static int stat_input(void *self, const char *path, bool follow, struct fs_stat *ret) {
    (void)self;
    (void)follow;
    *ret = (struct fs_stat){.exists =
                                str_eq(str_of(path), S("/etc/pip.conf")) || str_eq(str_of(path), S("/project/uv.toml")),
                            .is_file = true};
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct str rest = {(const char *)data, (ptrdiff_t)size};
    struct str texts[2] = {str_cut(&rest, '\0'), str_cut(&rest, '\0')}, items[VARIABLES_MAX];
    const struct fs fs = {.self = texts, .read_file = read_input, .stat_path = stat_input};
    struct config_variables variables = {.items = items, .directory = S("/project")};
    while (rest.len && variables.len < VARIABLES_MAX) items[variables.len++] = str_cut(&rest, '\0');
    struct config config;
    if (!config_read(arena, &fs, S(""), &variables, &config)) {
        assert(config.index_url.len == 1);
        assert(config_number(&config.timeout, 7) >= 0);
        for (int32_t i = 0; i < config.find_links.len; i++) assert(config.find_links.items[i].len > 0);
    }
    arena_close(arena);
    return 0;
}
