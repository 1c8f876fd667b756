/* Making a layer, and taking it away. */
#include "stage/layer_parts.h"

#include "base/arena.h"
#include "os/signals.h"

#include <errno.h>
#include <sys/stat.h>

enum { OUTPUT_MAX = 64 << 10, MESSAGE_MAX = 400, PRIVATE_MODE = 0600, FILE_MODE = 0644, SCRIPT_MODE = 0755 };

/* `python -m venv --without-pip --symlinks`, in one directory for another: the scripts that activate it name the place
 * where it will be. */
static const char script[] = "import os, sys, venv\n"
                             "folder, final = sys.argv[1:3]\n"
                             "class Builder(venv.EnvBuilder):\n"
                             "    def replace_variables(self, text, context):\n"
                             "        kept = context.env_dir\n"
                             "        context.env_dir = final\n"
                             "        try:\n"
                             "            return super().replace_variables(text, context)\n"
                             "        finally:\n"
                             "            context.env_dir = kept\n"
                             "Builder(symlinks=True, with_pip=False, prompt=os.path.basename(final)).create(folder)\n";

/* A layer in the making. */
struct making {
    struct arena *arena;
    const struct sys *sys;
    const struct environment *env;
    struct str dir, fresh; /* the directory, and where the parts are made */
    int lock;              /* descriptor of the directory, locked; -1: none */
    uint32_t umask;
};

static struct err *failed(struct arena *arena, int status, const char *what, struct str path) {
    return err_errno(arena, status, "cannot %s '%.*s'", what, FMT(path));
}

/* Removes what is at `path`, with all that is in it. Links are removed, never followed. */
static int tree_drop(struct making *making, struct str path, int32_t depth) {
    struct arena *arena = making->arena;
    struct sys_stat st;
    struct str *names = NULL;
    int32_t len = 0;
    const char *name = str_copy_z(arena, path);
    int status = sys_stat(making->sys, name, &st);
    if (status || st.type == SYS_NONE) return status;
    if (st.type != SYS_DIR) return sys_unlink(making->sys, name);
    if (depth == LAYER_DEPTH_MAX) return ELOOP;
    status = sys_list(making->sys, arena, name, &names, &len);
    for (int32_t i = 0; status == 0 && i < len; i++)
        status = tree_drop(making, path_join(arena, path, names[i]), depth + 1);
    return status ? status : sys_rmdir(making->sys, name);
}

/* Removes all parts of a layer in `dir`, and last what says that they are no layer yet. */
static int parts_drop(struct making *making) {
    struct arena *arena = making->arena;
    struct str *names = NULL;
    int32_t len = 0;
    int status = sys_list(making->sys, arena, str_copy_z(arena, making->dir), &names, &len);
    for (int32_t i = 0; status == 0 && i < len; i++)
        if (layer_is_part(names[i]) && !str_eq(names[i], LAYER_NEW))
            status = tree_drop(making, path_join(arena, making->dir, names[i]), 0);
    return status ? status : tree_drop(making, making->fresh, 0);
}

/* Makes the directory and those above it that are not there. */
static struct err *dir_make(struct making *making, struct str dir, int32_t depth, bool *ret_made) {
    struct sys_stat st;
    const char *name = str_copy_z(making->arena, dir);
    int status = sys_stat(making->sys, name, &st);
    if (status) return failed(making->arena, status, "look at", dir);
    if (st.type == SYS_DIR) return NULL;
    if (depth == LAYER_DEPTH_MAX) return failed(making->arena, ENAMETOOLONG, "make", dir);
    ptrdiff_t slash = str_find_last(dir, '/');
    if (slash > 0) TRY(dir_make(making, str_slice(dir, 0, slash), depth + 1, NULL));
    status = sys_mkdir(making->sys, name, 0777 & ~making->umask);
    if (status == EEXIST) return NULL; /* another process was faster; the lock decides */
    if (status) return failed(making->arena, status, "make", dir);
    if (ret_made) *ret_made = true;
    return NULL;
}

static struct err *dir_lock(struct making *making) {
    int status = sys_open(making->sys, str_copy_z(making->arena, making->dir), false, &making->lock);
    if (status) return failed(making->arena, status, "open", making->dir);
    status = sys_flock(making->sys, making->lock);
    if (status == EWOULDBLOCK)
        return err_make(making->arena, ERR_BUSY, "another process makes a layer in '%.*s'", FMT(making->dir));
    return NULL; /* a file system without locks: then the last step decides who was first */
}

static struct err *file_make(struct making *making, const char *name, struct str text, uint32_t mode) {
    struct str path = path_join(making->arena, making->fresh, str_of(name));
    int fd = -1;
    int status = sys_create(making->sys, str_copy_z(making->arena, path), mode, &fd);
    if (status == 0) status = sys_write(making->sys, fd, text.data, text.len, 0);
    if (status == 0) status = sys_chmod(making->sys, fd, mode & ~making->umask);
    if (fd >= 0) {
        int closed = sys_close(making->sys, fd);
        if (status == 0) status = closed;
    }
    return status ? failed(making->arena, status, "write", path) : NULL;
}

static struct err *venv_make(struct making *making, const struct proc *proc) {
    const struct environment *env = making->env;
    struct str python = env->layer.base_python;
    const struct str argv[] = {python, S("-I"), S("-S"), S("-B"), S("-"), making->fresh, making->dir};
    static const char *const passed[] = {"PATH", "HOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL"};
    enum { PASSED = sizeof passed / sizeof *passed };
    struct str variables[PASSED];
    struct proc_call call = {.argv = argv,
                             .argv_len = sizeof argv / sizeof *argv,
                             .env = variables,
                             .input = str_of(script),
                             .directory = S("/"),
                             .output_max = OUTPUT_MAX,
                             .timeout_ms = LAYER_TIMEOUT_MS};
    struct proc_result result;
    for (int32_t i = 0; i < PASSED; i++)
        call.env_len += proc_variable(making->arena, passed[i], &variables[call.env_len]);
    TRY(proc_run(proc, making->arena, &call, &result));
    TRY(signals_check(making->arena));
    if (result.status == 0 && !result.timed_out && !result.too_much) return NULL;
    struct str said = str_trim(result.error);
    struct err *err =
        err_make(making->arena, ERR_ENVIRONMENT, "'%.*s' cannot make a virtual environment: %.*s", FMT(python),
                 FMT(str_slice(str_from(said, str_find_last(said, '\n') + 1), 0, MESSAGE_MAX)));
    return err_hint(making->arena, err, "a layer needs the `venv` module of the standard library");
}

/* pip's configuration of the environment below, which pip does not read in the layer. It may hold a password. */
static struct err *pip_conf_make(struct making *making, const struct fs *fs) {
    struct str path = path_join(making->arena, making->env->layer.below_prefix, S("pip.conf")), text = S("");
    struct fs_stat st = {0};
    bool found = false;
    TRY(fs_read_optional(fs, making->arena, path, LAYER_FILE_MAX, &text, &found));
    if (found) TRY(fs_stat(fs, making->arena, path, true, &st));
    if (!found) text = S("");
    text = layer_pip_conf_text(making->arena, making->env, text);
    bool hidden = found && !(st.mode & 077);
    return text.len == 0 ? NULL : file_make(making, "pip.conf", text, hidden ? PRIVATE_MODE : FILE_MODE);
}

/* What makes the virtual environment a layer. */
static struct err *parts_make(struct making *making, const struct fs *fs, const struct lock_set *locks) {
    const struct environment *env = making->env;
    struct arena *arena = making->arena;
    struct str cfg = path_join(arena, making->fresh, S("pyvenv.cfg"));
    int status = sys_unlink(making->sys, str_copy_z(arena, cfg));
    if (status) return failed(arena, status, "replace", cfg);
    TRY(file_make(making, "pyvenv.cfg", layer_cfg_text(arena, env), FILE_MODE));
    if (env->layer.below_len) {
        struct str pth = path_join(arena, str_from(env->purelib, env->prefix.len + 1), S("~unpin-base.pth"));
        TRY(file_make(making, str_copy_z(arena, pth), layer_pth_text(arena, env), FILE_MODE));
    }
    if (env->layer.lock_source.len) TRY(file_make(making, "constraint.txt", locks->files[0].text, FILE_MODE));
    TRY(pip_conf_make(making, fs));
    if (!environment_find(env, S("pip"))) return NULL;
    TRY(file_make(making, "bin/pip", layer_pip_text(arena, env), SCRIPT_MODE));
    return file_make(making, "bin/pip3", layer_pip_text(arena, env), SCRIPT_MODE);
}

/* Moves the parts to their places, pyvenv.cfg when all others are there for good. */
static struct err *parts_move(struct making *making) {
    struct arena *arena = making->arena;
    struct str *names = NULL;
    int32_t len = 0;
    const char *dir = str_copy_z(arena, making->dir), *fresh = str_copy_z(arena, making->fresh);
    int status = sys_list(making->sys, arena, fresh, &names, &len);
    for (int32_t i = 0; status == 0 && i < len; i++) {
        if (str_eq(names[i], S("pyvenv.cfg"))) continue;
        status = sys_rename(making->sys, path_join(arena, making->fresh, names[i]).data,
                            path_join(arena, making->dir, names[i]).data);
    }
    if (status == 0) status = sys_syncfs(making->sys, dir);
    if (status == 0)
        status = sys_rename(making->sys, path_join(arena, making->fresh, S("pyvenv.cfg")).data,
                            path_join(arena, making->dir, S("pyvenv.cfg")).data);
    if (status == 0) status = sys_fsync_path(making->sys, dir);
    if (status) return failed(arena, status, "make a layer in", making->dir);
    (void)sys_rmdir(making->sys, fresh); /* the layer is there; an empty directory does no harm */
    return NULL;
}

static struct err *make(struct making *making, const struct layer_input *input) {
    struct layer now;
    TRY(dir_lock(making));
    TRY(layer_find(making->arena, input->fs, making->dir, &now));
    if (now.made)
        return err_make(making->arena, ERR_CHANGED, "another process has made the layer '%.*s'", FMT(making->dir));
    int status = parts_drop(making);
    if (status == 0) status = sys_mkdir(making->sys, str_copy_z(making->arena, making->fresh), 0777 & ~making->umask);
    if (status) return failed(making->arena, status, "make a layer in", making->dir);
    struct err *err = venv_make(making, input->proc);
    if (!err) err = parts_make(making, input->fs, input->locks);
    if (!err) err = parts_move(making);
    if (err) (void)parts_drop(making);
    return err;
}

static struct making making_of(struct arena *arena, const struct layer_input *input) {
    struct making making = {.arena = arena,
                            .sys = input->sys ? input->sys : sys_real(),
                            .env = input->env,
                            .dir = input->env->prefix,
                            .lock = -1};
    making.fresh = path_join(arena, making.dir, LAYER_NEW);
    return making;
}

struct err *layer_make(struct arena *arena, const struct layer_input *input, bool *ret_dir) {
    struct making making = making_of(arena, input);
    bool made = false;
    mode_t mask = umask(0);
    (void)umask(mask);
    making.umask = (uint32_t)mask;
    struct err *err = dir_make(&making, making.dir, 0, &made);
    if (!err) err = make(&making, input);
    if (err && made) (void)sys_rmdir(making.sys, str_copy_z(arena, making.dir));
    if (making.lock >= 0) (void)sys_close(making.sys, making.lock);
    if (!err) *ret_dir = made;
    return err;
}

void layer_drop(struct arena *arena, const struct layer_input *input, bool dir) {
    struct making making = making_of(arena, input);
    /* From here on it is an attempt that was not finished, whenever this is cut off. */
    int status = sys_mkdir(making.sys, making.fresh.data, 0700);
    if (status == 0 || status == EEXIST)
        status = sys_unlink(making.sys, path_join(arena, making.dir, S("pyvenv.cfg")).data);
    if (status == 0 || status == ENOENT) status = parts_drop(&making);
    if (status == 0 && dir) (void)sys_rmdir(making.sys, str_copy_z(arena, making.dir));
}
