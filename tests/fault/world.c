#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { TIME = 1500000000, DEPTH_MAX = 16 };

const char *const scenario_names[SCENARIOS] = {"upgrade",   "reinstall", "remove",    "add",
                                               "lock-only", "types",     "hardlinks", "replace-vendor"};

static void must(bool ok, const char *what) {
    if (ok) return;
    (void)fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
    abort();
}

/* What is built first; a path that ends in `/` is a directory, `->` a link, `=` another name. */
static const struct {
    const char *path, *text;
    unsigned mode;
    unsigned owner; /* used where we are root */
} old_tree[] = {
    {"site/", NULL, 0755, 0},
    {"bin/", NULL, 0755, 0},
    {"etc/", NULL, 0755, 0},
    {"site/pkg/", NULL, 0755, 0},
    {"site/pkg/sub/", NULL, 0775, 1000},
    {"site/pkg/__pycache__/", NULL, 0755, 0},
    {"site/pkg/__init__.py", "version = 1\n", 0644, 0},
    {"site/pkg/core.py", "core = 1\n", 0644, 0},
    {"site/pkg/data.bin", "\1\2\3 data one", 0600, 1000},
    {"site/pkg/sub/a.py", "a = 1\n", 0664, 1000},
    {"site/pkg/sub/b.py", "b = 1\n", 0644, 0},
    {"site/pkg/__pycache__/core.cpython-312.pyc", "pyc of one", 0644, 0},
    {"site/pkg-1.0.dist-info/", NULL, 0755, 0},
    {"site/pkg-1.0.dist-info/METADATA", "Name: pkg\nVersion: 1.0\n", 0644, 0},
    {"site/pkg-1.0.dist-info/RECORD", "pkg/__init__.py,,\n", 0644, 0},
    {"site/pkg-1.0.dist-info/INSTALLER", "pip\n", 0644, 0},
    {"site/vendor/", NULL, 0755, 0},
    {"site/vendor/lib.so", "\177ELF vendor build", 0755, 0},
    {"site/vendor/gone/", NULL, 0750, 0},
    {"site/vendor/gone/deep/", NULL, 0755, 0},
    {"site/vendor/gone/deep/x.py", "x = 1\n", 0644, 0},
    {"site/vendor-1.dist-info/", NULL, 0755, 0},
    {"site/vendor-1.dist-info/METADATA", "Name: vendor\nVersion: 1\n", 0644, 0},
    {"site/vendor.pth", "vendor\n", 0644, 0},
    {"site/turn", "a file\n", 0640, 0},
    {"site/turndir/", NULL, 0755, 0},
    {"site/turndir/x", "x\n", 0644, 0},
    {"site/turndir/in/", NULL, 0700, 0},
    {"site/turndir/in/y", "y\n", 0644, 0},
    {"site/linkdir/", NULL, 0755, 0},
    {"site/linkdir/z", "z\n", 0644, 0},
    {"site/turnlink->", "pkg", 0777, 0},
    {"site/plainlink->", "pkg/core.py", 0777, 0},
    {"site/hard1", "one inode, two names\n", 0644, 0},
    {"site/hard2=", "site/hard1", 0, 0},
    {"site/shared/", NULL, 0755, 0},
    {"site/shared/one.py", "one = 1\n", 0644, 0},
    {"site/shared/two.py", "two = 1\n", 0644, 0},
    {"bin/tool", "#!/bin/sh\necho 1\n", 0755, 1000},
    {"etc/constraint.txt", "pkg==1.0\nother==3\n", 0640, 1000},
};

static const char *at(char *buffer, const struct world *world, const char *path) {
    /* The parts that may lie on other mounts. */
    if (strncmp(path, "bin/", 4) == 0) (void)snprintf(buffer, 4096, "%s/%s", world->bin, path + 4);
    else if (strcmp(path, "etc/constraint.txt") == 0) (void)snprintf(buffer, 4096, "%s", world->lock);
    else (void)snprintf(buffer, 4096, "%s/%s", world->dir, path);
    size_t len = strlen(buffer);
    if (buffer[len - 1] == '/') buffer[len - 1] = '\0';
    return buffer;
}

/* The path without its mark, and the last character of the mark. */
static char name_of(char *buffer, size_t size, const char *path) {
    size_t len = strlen(path);
    char last = path[len - 1];
    (void)snprintf(buffer, size, "%s", path);
    if (last == '=') buffer[len - 1] = '\0';
    if (last == '>') buffer[len - 2] = '\0';
    return last;
}

static void build_one(const struct world *world, size_t i) {
    char path[4096], other[4096];
    char name[256];
    char last = name_of(name, sizeof name, old_tree[i].path);
    (void)at(path, world, name);
    if (last == '/') {
        must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
    } else if (last == '>') {
        must(symlink(old_tree[i].text, path) == 0, path);
    } else if (last == '=') {
        must(link(at(other, world, old_tree[i].text), path) == 0, path);
        return;
    } else {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        must(fd >= 0, path);
        must(write(fd, old_tree[i].text, strlen(old_tree[i].text)) >= 0, path);
        (void)fsetxattr(fd, "user.note", "kept", 4, 0);
        (void)close(fd);
    }
    if (geteuid() == 0) must(lchown(path, old_tree[i].owner, old_tree[i].owner) == 0, path);
    if (last != '>') must(chmod(path, old_tree[i].mode) == 0, path);
}

static void remove_tree(const char *path, int depth) {
    struct arena *arena = arena_open();
    struct str *names = NULL;
    int32_t len = 0;
    struct stat st;
    if (lstat(path, &st) < 0) {
        arena_close(arena);
        return;
    }
    if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
        (void)sys_list(sys_real(), arena, path, &names, &len);
        for (int32_t i = 0; i < len; i++)
            remove_tree(str_format(arena, "%s/%.*s", path, FMT(names[i])).data, depth + 1);
        (void)rmdir(path);
    } else {
        (void)unlink(path); /* EBUSY for a bind mount: it is overwritten */
    }
    arena_close(arena);
}

static void build(const struct world *world) {
    char path[4096];
    size_t count = sizeof old_tree / sizeof *old_tree;
    for (size_t i = 0; i < count; i++) build_one(world, i);
    for (size_t i = count; i-- > 0;) {
        char name[256];
        (void)name_of(name, sizeof name, old_tree[i].path);
        struct timespec times[2] = {{.tv_sec = TIME}, {.tv_sec = TIME + (time_t)i, .tv_nsec = 123456789}};
        must(utimensat(AT_FDCWD, at(path, world, name), times, AT_SYMLINK_NOFOLLOW) == 0, path);
    }
}

static void overlay_mount(const struct world *world) {
    char lower[4096], upper[4096], work[4096], options[16384];
    (void)snprintf(lower, sizeof lower, "%s.lower", world->dir);
    (void)snprintf(upper, sizeof upper, "%s.upper/up", world->dir);
    (void)snprintf(work, sizeof work, "%s.upper/work", world->dir);
    (void)umount2(world->dir, 0);
    remove_tree(upper, 0);
    remove_tree(work, 0);
    struct stat st;
    char marker[8192];
    (void)snprintf(marker, sizeof marker, "%s/site/hard2", lower);
    if (lstat(marker, &st) < 0) {
        /* The old tree is built once, in the lower directory. */
        struct world below = {.dir = lower};
        char bin[8192], lock[8192];
        (void)snprintf(bin, sizeof bin, "%s/bin", lower);
        (void)snprintf(lock, sizeof lock, "%s/etc/constraint.txt", lower);
        below.bin = bin;
        below.lock = lock;
        build(&below);
    }
    must(mkdir(upper, 0755) == 0, upper);
    must(mkdir(work, 0755) == 0, work);
    (void)snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
    must(mount("overlay", world->dir, "overlay", 0, options) == 0, "mount -t overlay");
}

void world_reset(const struct world *world) {
    char path[4096];
    if (world->overlay) {
        overlay_mount(world);
        return;
    }
    static const char *const parts[] = {"site", "etc"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", world->dir, parts[i]);
        remove_tree(path, 0);
    }
    remove_tree(world->bin, 0);
    build(world);
}

/* The operations of a scenario while they are collected. */
struct script {
    struct arena *arena;
    const struct world *world;
    struct transaction *transaction;
    VEC(struct transaction_op) ops;
    struct err *err;
};

static struct transaction_op *add(struct script *script, enum transaction_kind kind, const char *path, uint32_t flags) {
    char buffer[4096];
    struct transaction_op *op = vec_push(script->arena, &script->ops);
    *op = (struct transaction_op){.kind = kind, .flags = flags, .mode = 0755};
    op->path = str_copy(script->arena, str_of(at(buffer, script->world, path)));
    return op;
}

static void put(struct script *script, const char *path, const char *text, uint32_t mode, uint32_t flags) {
    struct transaction_op *op = add(script, TRANSACTION_PUT, path, flags);
    if (!script->err) script->err = transaction_stage(script->transaction, str_of(text), mode, op);
    if (script->err) return;
    /* A fixed time, so that trees can be compared. */
    struct timespec times[2] = {{.tv_sec = TIME}, {.tv_sec = TIME + 1000000}};
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

struct err *world_run(struct arena *arena, const struct world *world, const struct sys *sys, int number,
                      struct transaction_result *ret) {
    static void (*const makers[SCENARIOS])(struct script *) = {upgrade,   reinstall, removal,   addition,
                                                               lock_only, types,     hardlinks, replace_vendor};
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

static void text_add(struct buf *buf, const struct world *world, const char *path, int times, int depth) {
    struct sys_stat st;
    struct str *names = NULL, link = {0};
    struct sys_xattr *xattrs = NULL;
    int32_t len = 0, xattrs_len = 0;
    must(sys_stat(sys_real(), path, &st) == 0, path);
    buf_addf(buf, "%s %d %o %u:%u", path, (int)st.type, st.mode, st.uid, st.gid);
    /* Made by the engine itself, at its own time. */
    bool fresh = strcmp(path, world->lock) == 0 || st.type == SYS_LINK;
    if (times == 2 || (times >= 0 && st.type != SYS_DIR && !(fresh && times == 0)))
        buf_addf(buf, " @%lld", (long long)st.mtime_ns);
    if (st.type == SYS_LINK && sys_readlink(sys_real(), buf->arena, path, &link) == 0)
        buf_addf(buf, " -> %.*s", FMT(link));
    int fd = st.type == SYS_FILE || st.type == SYS_DIR ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)sys_xattr_list(sys_real(), buf->arena, fd, &xattrs, &xattrs_len);
        for (int32_t i = 0; i < xattrs_len; i++) buf_addf(buf, " %.*s=%.*s", FMT(xattrs[i].name), FMT(xattrs[i].value));
        if (st.type == SYS_FILE) {
            char *bytes = arena_alloc(buf->arena, st.size);
            must(read(fd, bytes, (size_t)st.size) == st.size, path);
            buf_addf(buf, " %lld:", (long long)st.size);
            buf_add(buf, (struct str){bytes, st.size});
        }
        (void)close(fd);
    }
    buf_add_char(buf, '\n');
    if (st.type != SYS_DIR || depth > DEPTH_MAX) return;
    must(sys_list(sys_real(), buf->arena, path, &names, &len) == 0, path);
    for (int32_t i = 0; i < len; i++)
        if (!str_eq(names[i], S(".unpin")) && !(world->no_sides && str_starts(names[i], S(".unpin-"))))
            text_add(buf, world, str_format(buf->arena, "%s/%.*s", path, FMT(names[i])).data, times, depth + 1);
}

struct str world_text(struct arena *arena, const struct world *world, int times) {
    struct buf buf = {.arena = arena};
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/site", world->dir);
    text_add(&buf, world, path, times, 0);
    text_add(&buf, world, world->bin, times, 0);
    (void)snprintf(path, sizeof path, "%s", world->lock);
    *strrchr(path, '/') = '\0';
    text_add(&buf, world, path, times, 0);
    return buf_str(&buf);
}

struct str world_litter(struct arena *arena, const struct world *world) {
    struct buf buf = {.arena = arena};
    struct str *names = NULL, *inner = NULL;
    int32_t len = 0, inner_len = 0;
    const char *dir = str_format(arena, "%s/.unpin", world->site).data;
    (void)sys_list(sys_real(), arena, dir, &names, &len);
    for (int32_t i = 0; i < len; i++) {
        int64_t n;
        if (str_eq(names[i], S("lock")) || str_ends(names[i], S(".tmp"))) continue;
        const char *path = str_format(arena, "%s/%.*s", dir, FMT(names[i])).data;
        if (!str_to_int(names[i], &n)) buf_addf(&buf, "%s ", path);
        (void)sys_list(sys_real(), arena, path, &inner, &inner_len);
        for (int32_t j = 0; j < inner_len; j++)
            if (!str_eq(inner[j], S("done")) && !str_eq(inner[j], S("old")))
                buf_addf(&buf, "%s/%.*s ", path, FMT(inner[j]));
        if (inner_len == 0) buf_addf(&buf, "%s ", path);
        inner_len = 0;
    }
    return buf_str(&buf);
}
