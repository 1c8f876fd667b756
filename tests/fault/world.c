#include "world.h"

#include <dirent.h>
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

enum { TIME = 1500000000, DEPTH_MAX = 16, XATTRS_MAX = 4096, XATTR_COUNT_MAX = 32 };

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

/* Removes `name` in `dir`, whatever it is. */
static void remove_at(int dir, const char *name, int depth) {
    if (unlinkat(dir, name, 0) == 0 || (errno != EISDIR && errno != EPERM)) return; /* EBUSY: a mount, overwritten */
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = fd >= 0 && depth < DEPTH_MAX ? fdopendir(fd) : NULL;
    if (!entries) return;
    for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_at(fd, entry->d_name, depth + 1);
    (void)closedir(entries);
    (void)unlinkat(dir, name, AT_REMOVEDIR);
}

static void remove_tree(const char *path) {
    remove_at(AT_FDCWD, path, 0);
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

void world_remount(const struct world *world) {
    char options[4 * WORLD_PATH_MAX];
    (void)snprintf(options, sizeof options, "%s%slowerdir=%s.lower,upperdir=%s.upper/up,workdir=%s.upper/work",
                   world->overlay, *world->overlay ? "," : "", world->dir, world->dir, world->dir);
    if (strcmp(world->overlay, "fuse") == 0) fuse_mount(world->dir, options + strlen("fuse,"));
    else must(mount("overlay", world->dir, "overlay", 0, options) == 0, "mount -t overlay");
}

static void overlay_mount(const struct world *world) {
    char upper[WORLD_PATH_MAX], work[WORLD_PATH_MAX];
    (void)snprintf(upper, sizeof upper, "%s.upper/up", world->dir);
    (void)snprintf(work, sizeof work, "%s.upper/work", world->dir);
    (void)umount2(world->dir, 0);
    remove_tree(upper);
    remove_tree(work);
    world_lower(world);
    must(mkdir(upper, 0755) == 0, upper);
    must(mkdir(work, 0755) == 0, work);
    world_remount(world);
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
        remove_tree(path);
    }
    remove_tree(world->bin);
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

static void times_add(struct look *look, const char *path, const struct stat *st) {
    struct str time = str_format(look->exact.arena, " @%lld.%09ld", (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    /* Made by the engine itself, at its own time. */
    bool fresh = strcmp(path, look->world->lock) == 0 || S_ISLNK(st->st_mode);
    buf_add(&look->exact, time);
    if (S_ISDIR(st->st_mode)) return;
    buf_add(&look->plain, time);
    if (!fresh) buf_add(&look->loose, time);
}

static int name_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

static void xattrs_add(struct look *look, int fd) {
    struct arena *arena = look->exact.arena;
    char names[XATTRS_MAX], value[XATTRS_MAX];
    struct str sorted[XATTR_COUNT_MAX];
    ptrdiff_t count = 0;
    ssize_t len = flistxattr(fd, names, sizeof names);
    for (char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
        ssize_t size = fgetxattr(fd, name, value, sizeof value);
        if (size >= 0 && count < XATTR_COUNT_MAX)
            sorted[count++] = str_format(arena, " %s=%.*s", name, (int)size, value);
    }
    if (count) qsort(sorted, (size_t)count, sizeof *sorted, name_order);
    for (ptrdiff_t i = 0; i < count; i++) add_all(look, sorted[i]);
}

/* The bytes of a file, the text of a link. */
static struct str bytes_of(struct arena *arena, int dir, const char *name, int fd, const struct stat *st) {
    char *data = arena_alloc(arena, st->st_size + 1);
    ssize_t len = 0;
    if (S_ISREG(st->st_mode)) len = read(fd, data, (size_t)st->st_size);
    if (S_ISLNK(st->st_mode)) len = readlinkat(dir, name, data, (size_t)st->st_size + 1);
    must(len >= 0, name);
    return (struct str){data, len};
}

static void look_at(struct look *look, int dir, const char *name, const char *path, int depth);

static void look_inside(struct look *look, int fd, const char *path, int depth) {
    struct arena *arena = look->exact.arena;
    VEC(struct str) names = {0};
    DIR *entries = fdopendir(fd);
    must(entries != NULL, path);
    for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        struct str name = str_of(entry->d_name);
        bool hidden = str_eq(name, S(".")) || str_eq(name, S("..")) || str_eq(name, S(".unpin"));
        if (!hidden && !(look->world->no_sides && str_starts(name, S(".unpin-"))))
            *vec_push(arena, &names) = str_format(arena, "%s", entry->d_name);
    }
    if (names.len) qsort(names.data, (size_t)names.len, sizeof *names.data, name_order);
    for (ptrdiff_t i = 0; i < names.len; i++)
        look_at(look, fd, names.data[i].data, str_format(arena, "%s/%.*s", path, FMT(names.data[i])).data, depth + 1);
    (void)closedir(entries);
}

/* The names that str_format gives end in NUL. */
static void look_at(struct look *look, int dir, const char *name, const char *path, int depth) {
    struct arena *arena = look->exact.arena;
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    must(fd >= 0 || errno == ELOOP, path);
    must((fd >= 0 ? fstat(fd, &st) : fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) == 0, path);
    add_all(look, str_format(arena, "%s %o %u:%u", path, st.st_mode, st.st_uid, st.st_gid));
    times_add(look, path, &st);
    if (fd >= 0) xattrs_add(look, fd);
    struct str bytes = bytes_of(arena, dir, name, fd, &st);
    add_all(look, str_format(arena, " %td:%.*s\n", bytes.len, FMT(bytes)));
    /* A staging directory or a probe is in the way of nobody. */
    if (!strstr(path, "/.unpin-")) {
        struct str bare = str_format(arena, "%s %o %td:%.*s\n", path, st.st_mode & S_IFMT, bytes.len, FMT(bytes));
        buf_add(&look->content, bare);
        if (!S_ISDIR(st.st_mode) && strcmp(path, look->world->lock) != 0) buf_add(&look->files, bare);
    }
    if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) look_inside(look, fd, path, depth);
    else if (fd >= 0) (void)close(fd);
}

void world_look(struct arena *arena, const struct world *world, struct world_texts *ret) {
    struct buf empty = {.arena = arena};
    struct look look = {world, empty, empty, empty, empty, empty};
    char path[WORLD_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/site", world->dir);
    look_at(&look, AT_FDCWD, path, path, 0);
    look_at(&look, AT_FDCWD, world->bin, world->bin, 0);
    (void)snprintf(path, sizeof path, "%s", world->lock);
    *strrchr(path, '/') = '\0';
    look_at(&look, AT_FDCWD, path, path, 0);
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
