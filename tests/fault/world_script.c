#include "world.h"

#include "os/fs.h"
#include "os/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TIME = 1501000000, MARKS_MAX = 2, ROUNDS = 4 };

const char *const scenario_names[SCENARIOS] = {"upgrade",   "downgrade", "reinstall", "remove",         "add",
                                               "lock-only", "types",     "hardlinks", "replace-vendor", "whole"};

/* The operations of a scenario while they are collected. */
struct script {
    struct arena *arena;
    const struct world *world;
    struct transaction *transaction;
    VEC(struct transaction_op) ops;
    struct err *err;
};

static struct transaction_op *add(struct script *script, enum transaction_kind kind, const char *path, uint32_t flags) {
    char buffer[WORLD_PATH_MAX];
    struct transaction_op *op = vec_push(script->arena, &script->ops);
    *op = (struct transaction_op){.kind = kind, .flags = flags, .mode = 0755};
    op->path = str_copy(script->arena, str_of(world_at(buffer, script->world, path)));
    return op;
}

static void put(struct script *script, const char *path, const char *text, uint32_t mode, uint32_t flags) {
    struct transaction_op *op = add(script, TRANSACTION_PUT, path, flags);
    op->text = str_of(text); /* for world_imitate */
    if (!script->transaction || script->err) return;
    script->err = transaction_stage(script->transaction, str_of(text), mode, op);
    if (script->err) return;
    /* A fixed time, so that trees can be compared. */
    struct timespec times[2] = {{.tv_sec = TIME}, {.tv_sec = TIME}};
    (void)utimensat(AT_FDCWD, str_copy_z(script->arena, op->source), times, 0);
}

static void gone(struct script *script, const char *path, uint32_t flags) {
    (void)add(script, TRANSACTION_REMOVE, path, flags);
}

static void gone_dir(struct script *script, const char *path) {
    (void)add(script, TRANSACTION_RMDIR, path, 0);
}

static void lock_edit(struct script *script, const char *text) {
    add(script, TRANSACTION_EDIT, "etc/constraint.txt", 0)->text = str_of(text);
}

static void old_info_gone(struct script *script) {
    gone(script, "site/pkg-1.0.dist-info/METADATA", TRANSACTION_MARK);
    gone(script, "site/pkg-1.0.dist-info/RECORD", 0);
    gone(script, "site/pkg-1.0.dist-info/INSTALLER", 0);
    gone_dir(script, "site/pkg-1.0.dist-info");
}

static void upgrade(struct script *script) {
    lock_edit(script, "pkg==2.0\nother==3\n");
    put(script, "site/pkg/__init__.py", "version = 2 # longer than before\n", 0644, 0);
    put(script, "site/pkg/core.py", "core = 2\n", 0755, 0);
    gone(script, "site/pkg/core.py", 0);
    put(script, "site/pkg/data.bin", "\1\2\3 data two", 0644, 0);
    put(script, "site/pkg/new/module.py", "new = 2\n", 0644, 0);
    gone(script, "site/pkg/sub/a.py", 0);
    gone(script, "site/pkg/sub/b.py", 0);
    gone_dir(script, "site/pkg/sub");
    gone(script, "site/pkg/__pycache__/core.cpython-312.pyc", TRANSACTION_DERIVED);
    gone_dir(script, "site/pkg/__pycache__");
    put(script, "bin/tool", "#!/bin/sh\necho 2\n", 0755, 0);
    put(script, "bin/other", "#!/bin/sh\necho other\n", 0755, 0);
    old_info_gone(script);
    put(script, "site/pkg-2.0.dist-info/METADATA", "Name: pkg\nVersion: 2.0\n", 0644, TRANSACTION_MARK);
    put(script, "site/pkg-2.0.dist-info/RECORD", "pkg/__init__.py,,\n", 0644, 0);
}

static void downgrade(struct script *script) {
    lock_edit(script, "pkg==0.9\nother==3\n");
    put(script, "site/pkg/__init__.py", "version = 0\n", 0644, 0); /* as many bytes as there were */
    put(script, "site/pkg/core.py", "core = 0 # with more in it\n", 0644, 0);
    gone(script, "site/pkg/__pycache__/core.cpython-312.pyc", TRANSACTION_DERIVED);
    gone_dir(script, "site/pkg/__pycache__");
    gone(script, "site/pkg/data.bin", 0);
    gone(script, "site/pkg/sub/b.py", 0);
    put(script, "site/pkg/legacy/__init__.py", "", 0644, 0);
    put(script, "bin/tool", "#!/bin/sh\necho 0\n", 0755, 0);
    old_info_gone(script);
    put(script, "site/pkg-0.9.dist-info/METADATA", "Name: pkg\nVersion: 0.9\n", 0644, TRANSACTION_MARK);
    put(script, "site/pkg-0.9.dist-info/RECORD", "pkg/__init__.py,,\n", 0644, 0);
}

static void reinstall(struct script *script) {
    put(script, "site/pkg-1.0.dist-info/METADATA", "Name: pkg\nVersion: 1.0\nSummary: again\n", 0644, TRANSACTION_MARK);
    put(script, "site/pkg-1.0.dist-info/RECORD", "pkg/__init__.py,,\n", 0644, 0);
    put(script, "site/pkg/__init__.py", "version = 1\n", 0644, 0);
    put(script, "site/vendor.pth", "vendor again\n", 0644, TRANSACTION_LATE);
    gone(script, "site/pkg-1.0.dist-info/METADATA", TRANSACTION_MARK);
    gone(script, "site/pkg/absent.py", 0);
}

static void removal(struct script *script) {
    gone(script, "site/pkg/__init__.py", 0);
    gone(script, "site/pkg/core.py", 0);
    gone(script, "site/pkg/data.bin", 0);
    gone(script, "site/pkg/sub/a.py", 0);
    gone(script, "site/pkg/sub/b.py", 0);
    gone(script, "site/pkg/__pycache__/core.cpython-312.pyc", TRANSACTION_DERIVED);
    gone_dir(script, "site/pkg/__pycache__");
    gone_dir(script, "site/pkg/sub");
    gone_dir(script, "site/pkg");
    gone(script, "site/shared/one.py", 0);
    gone_dir(script, "site/shared");
    gone(script, "site/plainlink", 0);
    old_info_gone(script);
    lock_edit(script, "other==3\n");
}

static void addition(struct script *script) {
    put(script, "site/added/__init__.py", "added\n", 0644, 0);
    put(script, "site/added/deep/er/file.py", "deep\n", 0644, 0);
    put(script, "site/added.pth", "added\n", 0644, TRANSACTION_LATE);
    add(script, TRANSACTION_MKDIR, "site/added/empty", 0)->mode = 0700;
    add(script, TRANSACTION_LINK, "site/added/link", 0)->text = S("__init__.py");
    put(script, "site/shared/three.py", "three\n", 0644, 0);
    put(script, "site/added-1.dist-info/METADATA", "Name: added\n", 0644, TRANSACTION_MARK);
    put(script, "bin/added", "#!/bin/sh\n", 0755, 0);
}

/* A directory that is staged as a whole; gives its source. */
static struct str grow(struct script *script, const char *path) {
    struct transaction_op *op = add(script, TRANSACTION_MKDIR, path, 0);
    if (!script->transaction || script->err) return (struct str){0};
    op->source = transaction_next(script->transaction);
    int status = sys_mkdir(sys_real(), op->source.data, 0755);
    if (status) script->err = err_errno(script->arena, status, "cannot make '%s'", op->source.data);
    return op->source;
}

/* Through the seam, as who stages a directory makes its files. */
static struct err *make_file(struct arena *arena, struct str path, struct str bytes) {
    const struct sys *sys = sys_real();
    int fd = -1;
    int status = sys_create(sys, str_copy_z(arena, path), 0644, &fd);
    if (status) return err_errno(arena, status, "cannot create %.*s", FMT(path));
    status = bytes.len ? sys_write(sys, fd, bytes.data, bytes.len, -1) : 0;
    if (status == 0) status = sys_chmod(sys, fd, 0644);
    int closed = sys_close(sys, fd);
    if (status == 0) status = closed;
    return status ? err_errno(arena, status, "cannot write %.*s", FMT(path)) : NULL;
}

/* A file that comes with it. */
static void sprout(struct script *script, struct str source, const char *path, const char *inner, const char *text) {
    char full[WORLD_PATH_MAX];
    (void)snprintf(full, sizeof full, "%s/%s", path, inner);
    struct transaction_op *op = add(script, TRANSACTION_PUT, full, 0);
    op->text = str_of(text); /* for world_imitate */
    op->mode = 0644;
    if (!script->transaction || script->err) return;
    op->source = path_join(script->arena, source, str_of(inner));
    script->err = make_file(script->arena, op->source, str_of(text));
    struct timespec times[2] = {{.tv_sec = TIME}, {.tv_sec = TIME}};
    (void)utimensat(AT_FDCWD, str_copy_z(script->arena, op->source), times, 0);
}

/* Whole directories, and what goes into them but does not come with them; one where the other mount may be. */
static void whole(struct script *script) {
    struct str site = grow(script, "site/grown");
    sprout(script, site, "site/grown", "__init__.py", "grown\n");
    if (site.len && !script->err)
        (void)sys_mkdir(sys_real(), str_copy_z(script->arena, path_join(script->arena, site, S("deep"))), 0755);
    sprout(script, site, "site/grown", "deep/er.py", "deeper\n");
    add(script, TRANSACTION_LINK, "site/grown/link", 0)->text = S("__init__.py");
    add(script, TRANSACTION_MKDIR, "site/grown/empty", 0)->mode = 0700;
    put(script, "site/grown/late.pth", "late\n", 0644, TRANSACTION_LATE);
    struct str info = grow(script, "site/grown-1.dist-info");
    sprout(script, info, "site/grown-1.dist-info", "RECORD", "grown/__init__.py,,\n");
    put(script, "site/grown-1.dist-info/METADATA", "Name: grown\n", 0644, TRANSACTION_MARK);
    struct str bin = grow(script, "bin/grown");
    sprout(script, bin, "bin/grown", "tool", "#!/bin/sh\n");
    gone(script, "site/pkg/data.bin", 0);
    lock_edit(script, "pkg==1.0\nother==3\ngrown==1\n");
}

static void types(struct script *script) {
    gone(script, "site/turn", 0);
    put(script, "site/turn/a/b", "now a directory\n", 0644, 0);
    gone(script, "site/turndir/x", 0);
    gone(script, "site/turndir/in/y", 0);
    gone_dir(script, "site/turndir/in");
    gone_dir(script, "site/turndir");
    put(script, "site/turndir", "now a file\n", 0644, 0);
    gone(script, "site/turnlink", 0);
    put(script, "site/turnlink/core.py", "was a link\n", 0644, 0);
    gone(script, "site/linkdir/z", 0);
    gone_dir(script, "site/linkdir");
    add(script, TRANSACTION_LINK, "site/linkdir", 0)->text = S("pkg");
    put(script, "site/plainlink", "was a link to core.py\n", 0644, 0);
    gone(script, "site/pkg/sub/a.py", 0);
    add(script, TRANSACTION_LINK, "site/pkg/sub/a.py", 0)->text = S("b.py");
}

static void hardlinks(struct script *script) {
    put(script, "site/hard1", "parted\n", 0644, 0);
    gone(script, "site/hard2", 0);
    put(script, "site/shared/one.py", "one = 2\n", 0644, 0);
    put(script, "site/shared/two.py", "two = 2\n", 0644, 0);
}

static void replace_vendor(struct script *script) {
    gone(script, "site/vendor-1.dist-info/METADATA", TRANSACTION_MARK);
    gone_dir(script, "site/vendor-1.dist-info");
    gone(script, "site/vendor/lib.so", 0);
    gone(script, "site/vendor/gone/deep/x.py", 0);
    gone_dir(script, "site/vendor/gone/deep");
    gone_dir(script, "site/vendor/gone");
    put(script, "site/vendor/lib2.so", "\177ELF from the index", 0755, 0);
    put(script, "site/vendor-2.dist-info/METADATA", "Name: vendor\nVersion: 2\n", 0644, TRANSACTION_MARK);
    gone(script, "site/vendor.pth", 0);
    put(script, "site/vendor.pth", "vendor two\n", 0644, TRANSACTION_LATE);
    lock_edit(script, "pkg==1.0\nother==3\nvendor==2\n");
}

static void lock_only(struct script *script) {
    lock_edit(script, "pkg==1.0\nother==4 # a longer line than there was\n");
}

static struct err *open_store(struct arena *arena, const struct world *world, const struct sys *sys,
                              struct transaction_store **ret) {
    char etc[4096];
    (void)snprintf(etc, sizeof etc, "%s", world->lock);
    *strrchr(etc, '/') = '\0';
    struct str *roots = arena_new(arena, struct str, 2);
    roots[0] = str_of(world->bin);
    roots[1] = str_copy(arena, str_of(etc));
    struct transaction_options options = {.sys = sys, .site = str_of(world->site), .roots = roots, .roots_len = 2};
    return transaction_open(arena, &options, NULL, ret);
}

struct err *world_recover(struct arena *arena, const struct world *world, const struct sys *sys) {
    struct transaction_store *store;
    TRY(open_store(arena, world, sys, &store));
    transaction_close(store);
    return NULL;
}

struct err *world_undo(struct arena *arena, const struct world *world, const struct sys *sys, struct str id) {
    struct transaction_store *store;
    struct transaction_result result;
    TRY(open_store(arena, world, sys, &store));
    struct err *err = transaction_undo(store, id, false, NULL, 0, S("{\"undo\":1}"), &result);
    transaction_close(store);
    return err;
}

static void (*const makers[SCENARIOS])(struct script *) = {upgrade,   downgrade, reinstall, removal,        addition,
                                                           lock_only, types,     hardlinks, replace_vendor, whole};

struct err *world_run(struct arena *arena, const struct world *world, const struct sys *sys, int number,
                      struct transaction_result *ret) {
    struct transaction_store *store;
    TRY(open_store(arena, world, sys, &store));
    struct script script = {.arena = arena, .world = world};
    script.err = transaction_begin(store, &script.transaction);
    if (script.err) {
        transaction_close(store);
        return script.err;
    }
    makers[number](&script);
    if (script.err) transaction_abort(script.transaction);
    else
        script.err =
            transaction_commit(script.transaction, script.ops.data, (int32_t)script.ops.len, S("{\"test\":1}"), ret);
    transaction_close(store);
    return script.err;
}

static void bytes_write(const char *path, struct str text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text.data, (size_t)text.len) != text.len || close(fd) < 0) abort();
}

static void parents_make(const char *path) {
    char parent[WORLD_PATH_MAX];
    (void)snprintf(parent, sizeof parent, "%s", path);
    for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(parent, 0755);
        *slash = '/';
    }
}

/* What makes something; removals came before. */
static void imitate(const struct transaction_op *op, const char *path, const char *text) {
    if (op->kind == TRANSACTION_EDIT) bytes_write(path, op->text);
    if (op->kind == TRANSACTION_REMOVE || op->kind == TRANSACTION_RMDIR || op->kind == TRANSACTION_EDIT) return;
    parents_make(path);
    if (op->kind == TRANSACTION_MKDIR) (void)mkdir(path, (mode_t)op->mode);
    if (op->kind == TRANSACTION_MKDIR) return;
    (void)unlink(path);
    if (op->kind == TRANSACTION_PUT) bytes_write(path, op->text);
    else if (symlink(text, path) < 0) abort();
}

void world_imitate(const struct world *world, int number) {
    struct script script = {.arena = arena_open(), .world = world};
    makers[number](&script);
    for (ptrdiff_t i = 0; i < script.ops.len; i++)
        if (script.ops.data[i].kind == TRANSACTION_REMOVE)
            (void)unlink(str_copy_z(script.arena, script.ops.data[i].path));
    for (int round = 0; round < ROUNDS; round++)
        for (ptrdiff_t i = 0; i < script.ops.len; i++)
            if (script.ops.data[i].kind == TRANSACTION_RMDIR)
                (void)rmdir(str_copy_z(script.arena, script.ops.data[i].path));
    for (ptrdiff_t i = 0; i < script.ops.len; i++) {
        const struct transaction_op *op = &script.ops.data[i];
        imitate(op, str_copy_z(script.arena, op->path), str_copy_z(script.arena, op->text));
    }
    arena_close(script.arena);
}

bool world_installed(const struct world *world, int number, bool *ret_stale) {
    static const char *const marks[SCENARIOS][MARKS_MAX] = {
        {"site/pkg-1.0.dist-info/METADATA", "site/pkg-2.0.dist-info/METADATA"},
        {"site/pkg-1.0.dist-info/METADATA", "site/pkg-0.9.dist-info/METADATA"},
        {"site/pkg-1.0.dist-info/METADATA"},
        {"site/pkg-1.0.dist-info/METADATA"},
        {"site/added-1.dist-info/METADATA"},
        {0},
        {0},
        {0},
        {"site/vendor-1.dist-info/METADATA", "site/vendor-2.dist-info/METADATA"},
        {"site/grown-1.dist-info/METADATA"}};
    char path[WORLD_PATH_MAX], text[16] = "";
    struct stat st;
    bool installed = false;
    for (int i = 0; i < MARKS_MAX; i++)
        if (marks[number][i] && lstat(world_at(path, world, marks[number][i]), &st) == 0) installed = true;
    int fd = open(world_at(path, world, "site/pkg/core.py"), O_RDONLY | O_CLOEXEC);
    bool other = fd >= 0 && read(fd, text, sizeof text - 1) > 0 && strcmp(text, "core = 1\n") != 0;
    if (fd >= 0) (void)close(fd);
    *ret_stale = other && lstat(world_at(path, world, "site/pkg/__pycache__/core.cpython-312.pyc"), &st) == 0;
    return installed;
}
