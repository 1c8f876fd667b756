/*
 * An environment: the first file (input_fs.h) is what its interpreter answers, with LF for NUL; the others lie in its
 * site directory. Whatever they hold, the scan tells an environment or refuses it, and a snapshot of it can be read.
 */
#include "input_fs.h"
#include "pypa/name.h"
#include "stage/scan.h"
#include "stage/snapshot.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct err *answer(void *self, struct arena *arena, const struct proc_call *call, struct proc_result *ret) {
    (void)call;
    const struct str *said = self;
    *ret = (struct proc_result){.output = str_copy(arena, *said)};
    return NULL;
}

/* The answer in the form that the interpreter gives it. */
static struct str answer_of(struct arena *arena, struct str lines) {
    static const char begin[] = "unpin-facts\0001\0site\0/s\0", end[] = "end\0001";
    char *text = arena_alloc(arena, lines.len + (ptrdiff_t)(sizeof begin + sizeof end)), *at = text;
    memcpy(at, begin, sizeof begin - 1);
    at += sizeof begin - 1;
    for (ptrdiff_t i = 0; i < lines.len; i++) *at++ = lines.data[i] == '\n' ? '\0' : lines.data[i];
    memcpy(at, end, sizeof end);
    return (struct str){text, at + sizeof end - text};
}

/* Reads /snapshot from `self`. */
static int read_snapshot(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret) {
    (void)path;
    const struct str *text = self;
    if (text->len > limit) return EFBIG;
    *ret = str_copy(arena, *text);
    return 0;
}

static void look(struct arena *arena, const struct fs *fs, struct environment *env) {
    const struct lock_set none = {0};
    const struct snapshot_platform platform = {.python = S("3.12")};
    struct environment again;
    struct lock_set locks;
    for (int32_t i = 0; i < env->dists_len; i++) {
        const struct str *names;
        int32_t len;
        assert(name_is_valid(env->dists[i].name) && env->dists[i].site < env->sites_len);
        scan_top_level(arena, fs, env, &env->dists[i], &names, &len);
    }
    struct str text = snapshot_format(arena, env, &none);
    struct fs snapshot = {.self = &text, .read_file = read_snapshot};
    if (!snapshot_read(arena, &snapshot, S("/snapshot"), &platform, &again, &locks))
        assert(again.dists_len == env->dists_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct input_fs input;
    struct str rest = {(const char *)data, (ptrdiff_t)size}, lines = str_cut(&rest, '\0');
    struct str said = answer_of(arena, lines);
    struct fs fs = input_fs_make(arena, S("/s"), rest, &input);
    const struct proc proc = {&said, answer};
    const struct scan_options options = {.python = S("/bin/sh")}; /* any program that is there: it is not run */
    struct environment env;
    if (!scan_environment(arena, &fs, &proc, &options, &env)) look(arena, &fs, &env);
    arena_close(arena);
    return 0;
}
