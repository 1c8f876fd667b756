#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { TIME = 1500000000, DEPTH_MAX = 16 };

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

const char *world_at(char *buffer, const struct world *world, const char *path) {
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
    (void)world_at(path, world, name);
    if (last == '/') {
        must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
    } else if (last == '>') {
        must(symlink(old_tree[i].text, path) == 0, path);
    } else if (last == '=') {
        must(link(world_at(other, world, old_tree[i].text), path) == 0, path);
        return;
    } else {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        must(fd >= 0, path);
        must(write(fd, old_tree[i].text, strlen(old_tree[i].text)) >= 0, path);
        (void)fsetxattr(fd, "user.note", "kept", 4, 0);
        (void)close(fd);
    }
    /* EINVAL: a user namespace that knows no such owner. */
    if (geteuid() == 0) must(lchown(path, old_tree[i].owner, old_tree[i].owner) == 0 || errno == EINVAL, path);
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
        must(utimensat(AT_FDCWD, world_at(path, world, name), times, AT_SYMLINK_NOFOLLOW) == 0, path);
    }
}

void world_lower(const struct world *world) {
    char lower[WORLD_PATH_MAX], bin[WORLD_PATH_MAX + 16], lock[WORLD_PATH_MAX + 32], marker[WORLD_PATH_MAX + 16];
    struct stat st;
    (void)snprintf(lower, sizeof lower, "%s.lower", world->dir);
    (void)snprintf(marker, sizeof marker, "%s/site/hard2", lower);
    if (lstat(marker, &st) == 0) return;
    (void)snprintf(bin, sizeof bin, "%s/bin", lower);
    (void)snprintf(lock, sizeof lock, "%s/etc/constraint.txt", lower);
    build(&(struct world){.dir = lower, .bin = bin, .lock = lock});
}

static void fuse_mount(const char *dir, const char *options) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        (void)execlp("fuse-overlayfs", "fuse-overlayfs", "-o", options, dir, (char *)NULL);
        _exit(1);
    }
    must(child > 0 && waitpid(child, &status, 0) == child && status == 0, "fuse-overlayfs");
}

static void overlay_mount(const struct world *world) {
    char upper[WORLD_PATH_MAX], work[WORLD_PATH_MAX], options[4 * WORLD_PATH_MAX];
    (void)snprintf(upper, sizeof upper, "%s.upper/up", world->dir);
    (void)snprintf(work, sizeof work, "%s.upper/work", world->dir);
    (void)umount2(world->dir, 0);
    remove_tree(upper, 0);
    remove_tree(work, 0);
    world_lower(world);
    must(mkdir(upper, 0755) == 0, upper);
    must(mkdir(work, 0755) == 0, work);
    (void)snprintf(options, sizeof options, "%s%slowerdir=%s.lower,upperdir=%s,workdir=%s", world->overlay,
                   *world->overlay ? "," : "", world->dir, upper, work);
    if (strcmp(world->overlay, "fuse") == 0) fuse_mount(world->dir, options + strlen("fuse,"));
    else must(mount("overlay", world->dir, "overlay", 0, options) == 0, "mount -t overlay");
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

/* The texts while they grow. */
struct look {
    const struct world *world;
    struct buf loose, plain, exact, content, files;
};

static void add_all(struct look *look, struct str text) {
    buf_add(&look->loose, text);
    buf_add(&look->plain, text);
    buf_add(&look->exact, text);
}

static void times_add(struct look *look, const char *path, const struct sys_stat *st) {
    struct str time = str_format(look->exact.arena, " @%lld", (long long)st->mtime_ns);
    /* Made by the engine itself, at its own time. */
    bool fresh = strcmp(path, look->world->lock) == 0 || st->type == SYS_LINK;
    buf_add(&look->exact, time);
    if (st->type == SYS_DIR) return;
    buf_add(&look->plain, time);
    if (!fresh) buf_add(&look->loose, time);
}

/* Extended attributes to the full texts; gives the bytes of a file. */
static struct str inside_add(struct look *look, const char *path, const struct sys_stat *st) {
    struct arena *arena = look->exact.arena;
    struct sys_xattr *xattrs = NULL;
    struct str bytes = {0};
    int32_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0, path);
    (void)sys_xattr_list(sys_real(), arena, fd, &xattrs, &len);
    for (int32_t i = 0; i < len; i++)
        add_all(look, str_format(arena, " %.*s=%.*s", FMT(xattrs[i].name), FMT(xattrs[i].value)));
    if (st->type == SYS_FILE) {
        char *data = arena_alloc(arena, st->size);
        must(read(fd, data, (size_t)st->size) == st->size, path);
        bytes = (struct str){data, st->size};
    }
    (void)close(fd);
    return bytes;
}

static void look_at(struct look *look, const char *path, int depth) {
    struct arena *arena = look->exact.arena;
    struct sys_stat st;
    struct str *names = NULL, bytes = {0};
    int32_t len = 0;
    must(sys_stat(sys_real(), path, &st) == 0, path);
    add_all(look, str_format(arena, "%s %d %o %u:%u", path, (int)st.type, st.mode, st.uid, st.gid));
    times_add(look, path, &st);
    if (st.type == SYS_LINK) must(sys_readlink(sys_real(), arena, path, &bytes) == 0, path);
    if (st.type == SYS_FILE || st.type == SYS_DIR) bytes = inside_add(look, path, &st);
    add_all(look, str_format(arena, " %td:%.*s\n", bytes.len, FMT(bytes)));
    struct str bare = str_format(arena, "%s %d %td:%.*s\n", path, (int)st.type, bytes.len, FMT(bytes));
    if (strstr(path, "/.unpin-")) return; /* a staging directory or a probe */
    buf_add(&look->content, bare);
    if (st.type != SYS_DIR && strcmp(path, look->world->lock) != 0) buf_add(&look->files, bare);
    if (st.type != SYS_DIR || depth > DEPTH_MAX) return;
    must(sys_list(sys_real(), arena, path, &names, &len) == 0, path);
    for (int32_t i = 0; i < len; i++)
        if (!str_eq(names[i], S(".unpin")) && !(look->world->no_sides && str_starts(names[i], S(".unpin-"))))
            look_at(look, str_format(arena, "%s/%.*s", path, FMT(names[i])).data, depth + 1);
}

void world_look(struct arena *arena, const struct world *world, struct world_texts *ret) {
    struct buf empty = {.arena = arena};
    struct look look = {world, empty, empty, empty, empty, empty};
    char path[WORLD_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/site", world->dir);
    look_at(&look, path, 0);
    look_at(&look, world->bin, 0);
    (void)snprintf(path, sizeof path, "%s", world->lock);
    *strrchr(path, '/') = '\0';
    look_at(&look, path, 0);
    *ret = (struct world_texts){buf_str(&look.loose), buf_str(&look.plain), buf_str(&look.exact),
                                buf_str(&look.content), buf_str(&look.files)};
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
