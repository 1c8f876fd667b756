#include "stage/apply_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static struct err *ways_out(struct arena *arena, struct err *err) {
    return err_hint(arena, err,
                    "--into DIR makes a layer over this environment, which stays as it is, and changes that; or run it "
                    "as its owner (sudo)");
}

/* The directory itself, or the last one above it that is there. */
static struct err *may_write_dir(struct arena *arena, struct str dir) {
    for (struct str there = dir; there.len > 1; there = str_slice(there, 0, str_find_last(there, '/'))) {
        if (faccessat(AT_FDCWD, str_copy_z(arena, there), W_OK | X_OK, AT_EACCESS) == 0) return NULL;
        if (errno == ENOENT) continue;
        struct err *err = err_errno(arena, errno, "cannot write to '%.*s'", FMT(there));
        return ways_out(arena, err);
    }
    return NULL;
}

struct err *lock_paths(struct arena *arena, const struct plan *plan, struct str **ret) {
    struct str *paths = arena_new(arena, struct str, plan->locks ? plan->locks->files_len : 0);
    for (int32_t i = 0; i < plan->lifts_len; i++) {
        int32_t file = plan->lifts[i].file_number;
        char real[PATH_MAX];
        if (file < 0 || paths[file].len) continue;
        struct str path = plan->locks->files[file].path;
        if (!realpath(str_copy_z(arena, path), real))
            return err_errno(arena, errno, "cannot resolve '%.*s'", FMT(path));
        paths[file] = str_copy(arena, str_of(real));
    }
    *ret = paths;
    return NULL;
}

/* A lock file is replaced in its directory, or written in place where it is a bind mount: then its directory does not
 * matter. */
static struct err *may_write_locks(struct arena *arena, const struct apply_input *input) {
    struct str *paths;
    TRY(lock_paths(arena, input->plan, &paths));
    for (int32_t i = 0; input->plan->locks && i < input->plan->locks->files_len; i++) {
        struct sys_stat file, dir;
        if (!paths[i].len) continue;
        struct str parent = str_slice(paths[i], 0, str_find_last(paths[i], '/'));
        const char *path = str_copy_z(arena, paths[i]);
        if (!parent.len) parent = S("/");
        bool mounted = sys_stat(sys_real(), path, &file) == 0 &&
                       sys_stat(sys_real(), str_copy_z(arena, parent), &dir) == 0 && file.mount != dir.mount;
        if (!mounted) TRY(may_write_dir(arena, parent));
        else if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
            return ways_out(arena, err_errno(arena, errno, "cannot write to '%s'", path));
    }
    return NULL;
}

struct err *apply_writable(struct arena *arena, const struct environment *env, bool break_system_packages) {
    const struct str dirs[] = {env->purelib, env->platlib, env->scripts};
    if (env->python.len == 0 || env->purelib.len == 0)
        return err_make(arena, ERR_ENVIRONMENT, "this environment is a description; nothing can be changed in it");
    if (env->externally_managed && !break_system_packages) {
        struct err *err = err_make(arena, ERR_ENVIRONMENT,
                                   "this Python belongs to the system's package manager (EXTERNALLY-MANAGED, PEP 668)");
        return err_hint(arena, err, "--into DIR makes a layer over it and changes that; or --break-system-packages");
    }
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (dirs[i].len) TRY(may_write_dir(arena, dirs[i]));
    return NULL;
}

struct err *apply_allowed(struct arena *arena, const struct apply_input *input) {
    const struct environment *env = input->plan->env;
    TRY(apply_writable(arena, env, input->options->break_system_packages));
    return env->layer.coming ? NULL : may_write_locks(arena, input); /* a new layer has a lock of its own */
}
