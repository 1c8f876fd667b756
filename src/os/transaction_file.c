#include "os/transaction_parts.h"

#include "os/digest.h"

#include <errno.h>
#include <string.h>

enum { CHUNK = 1 << 18, TREE_DEPTH_MAX = 192 };

const char *path_parent(struct arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path) return "/";
    return str_copy_z(arena, (struct str){path, slash - path});
}

const char *transaction_path(const struct transaction_store *store, const char *name) {
    return str_format(store->arena, "%s/%s", store->dir, name).data;
}

const char *side_path(struct arena *arena, const struct side *side, const char *folder, int32_t number) {
    return str_format(arena, "%s/%s/%d", side->dir, folder, number).data;
}

const char *step_staged(struct arena *arena, const struct journal *journal, const struct step *step) {
    const struct side *side = &journal->sides[step->side];
    if (!step_carried(step)) return side_path(arena, side, "new", step->number);
    return str_format(arena, "%s/new/%d/%s", side->dir, step->tree, step->path + step->inner).data;
}

/* Reads a file in pieces into the digest and, where `to` is a descriptor, into a copy. */
static int stream(const struct sys *sys, struct arena *arena, int from, int to, struct digest *digest) {
    char *chunk = arena_alloc(arena, CHUNK);
    for (;;) {
        int64_t n = 0;
        int status = sys_read(sys, from, chunk, CHUNK, &n);
        if (status || n == 0) return status;
        if (digest) digest_add(digest, (struct str){chunk, (ptrdiff_t)n});
        if (to >= 0) status = sys_write(sys, to, chunk, n, -1);
        if (status) return status;
    }
}

struct err *file_hash(struct transaction_store *store, const char *path, unsigned char *ret) {
    int fd;
    int status = sys_open(store->sys, path, false, &fd);
    if (status) return err_errno(store->arena, status, "cannot read '%s'", path);
    struct arena_mark mark = arena_mark(store->arena);
    struct digest *digest = digest_open(store->arena);
    status = stream(store->sys, store->arena, fd, -1, digest);
    digest_close(digest, status ? NULL : ret);
    arena_rewind(store->arena, mark);
    int closed = sys_close(store->sys, fd);
    if (status == 0) status = closed;
    return status ? err_errno(store->arena, status, "cannot read '%s'", path) : NULL;
}

static struct err *dir_xattrs(struct transaction_store *store, const char *path, struct state *ret) {
    int fd;
    struct sys_xattr *list = NULL;
    int32_t len = 0;
    int status = sys_open(store->sys, path, false, &fd);
    if (status == EACCES) return NULL; /* a directory we may write but not read keeps its attributes to itself */
    if (status) return err_errno(store->arena, status, "cannot open '%s'", path);
    status = sys_xattr_list(store->sys, store->arena, fd, &list, &len);
    int closed = sys_close(store->sys, fd);
    if (status == 0) status = closed;
    if (status) return err_errno(store->arena, status, "cannot read the attributes of '%s'", path);
    if (len > XATTRS_MAX) return err_make(store->arena, ERR_LIMIT, "'%s' has %d extended attributes", path, len);
    ret->xattrs = list;
    ret->xattrs_len = len;
    return NULL;
}

struct state state_make(const struct sys_stat *st) {
    return (struct state){.type = st->type,
                          .mode = st->mode,
                          .uid = st->uid,
                          .gid = st->gid,
                          .size = st->type == SYS_DIR ? 0 : st->size,
                          .mtime_ns = st->mtime_ns,
                          .ctime_ns = st->ctime_ns,
                          .inode = st->inode,
                          .mount = st->mount};
}

struct err *file_state(struct transaction_store *store, const char *path, bool full, struct state *ret) {
    struct sys_stat st;
    int status = sys_stat(store->sys, path, &st);
    if (status) return err_errno(store->arena, status, "cannot look at '%s'", path);
    struct state state = state_make(&st);
    if (full && st.type == SYS_FILE) TRY(file_hash(store, path, state.hash));
    if (full && st.type == SYS_DIR) TRY(dir_xattrs(store, path, &state));
    if (full && st.type == SYS_LINK) {
        status = sys_readlink(store->sys, store->arena, path, &state.link);
        if (status) return err_errno(store->arena, status, "cannot read the link '%s'", path);
    }
    *ret = state;
    return NULL;
}

/* Owner, mode, xattrs and mtime of `from` for the copy `to`. What only root may give is let go where we are not root.
 */
static int attributes_copy(struct transaction_store *store, int from, int to, const char *path,
                           const struct sys_stat *st) {
    struct sys_xattr *list = NULL;
    int32_t len = 0;
    int status = sys_chown(store->sys, path, st->uid, st->gid);
    if (status == EPERM || status == EINVAL) status = 0;
    if (status == 0) status = sys_chmod(store->sys, to, st->mode);
    if (status == 0) status = sys_xattr_list(store->sys, store->arena, from, &list, &len);
    for (int32_t i = 0; status == 0 && i < len; i++) {
        status = sys_xattr_set(store->sys, to, list[i].name, list[i].value);
        if (status == EPERM || status == ENOTSUP || status == EINVAL) status = 0;
    }
    if (status == 0) status = sys_utime(store->sys, path, st->mtime_ns);
    return status;
}

static int regular_copy(struct transaction_store *store, const char *from, const char *to, const struct sys_stat *st) {
    int in, out;
    int status = sys_open(store->sys, from, false, &in);
    if (status) return status;
    status = sys_create(store->sys, to, 0600, &out);
    if (status == 0) {
        struct arena_mark mark = arena_mark(store->arena);
        status = stream(store->sys, store->arena, in, out, NULL);
        if (status == 0) status = attributes_copy(store, in, out, to, st);
        arena_rewind(store->arena, mark);
        int closed = sys_close(store->sys, out);
        if (status == 0) status = closed;
    }
    int closed = sys_close(store->sys, in);
    return status ? status : closed;
}

static int link_copy(struct transaction_store *store, const char *from, const char *to, const struct sys_stat *st) {
    struct str text = {0};
    int status = sys_readlink(store->sys, store->arena, from, &text);
    if (status == 0) status = sys_symlink(store->sys, str_copy_z(store->arena, text), to);
    if (status == 0) status = sys_chown(store->sys, to, st->uid, st->gid);
    if (status == EPERM || status == EINVAL) status = 0;
    if (status == 0) status = sys_utime(store->sys, to, st->mtime_ns);
    return status;
}

struct err *file_copy(struct transaction_store *store, const char *from, const char *to) {
    struct sys_stat st;
    int status = sys_stat(store->sys, from, &st);
    if (status == 0 && st.type != SYS_FILE && st.type != SYS_LINK) status = st.type == SYS_NONE ? ENOENT : EINVAL;
    if (status == 0)
        status = st.type == SYS_FILE ? regular_copy(store, from, to, &st) : link_copy(store, from, to, &st);
    return status ? err_errno(store->arena, status, "cannot copy '%s' to '%s'", from, to) : NULL;
}

struct err *file_clone(struct transaction_store *store, const char *from, const char *to, bool overlay) {
    int status = overlay ? EXDEV : sys_hardlink(store->sys, from, to);
    if (status == 0) return NULL;
    /* Refused links (other mount, too many links, protected_hardlinks, no support) are no reason to fail. */
    if (status == EXDEV || status == EMLINK || status == EPERM || status == EOPNOTSUPP || status == ENOSYS)
        return file_copy(store, from, to);
    return err_errno(store->arena, status, "cannot link '%s' to '%s'", from, to);
}

struct err *tree_file_read(struct transaction_store *store, const char *path, int64_t limit, struct str *ret) {
    int fd;
    struct sys_stat st;
    int status = sys_stat(store->sys, path, &st);
    if (status == 0 && st.type != SYS_FILE) status = st.type == SYS_NONE ? ENOENT : EINVAL;
    if (status) return err_errno(store->arena, status, "cannot read '%s'", path);
    if (st.size > limit)
        return err_make(store->arena, ERR_LIMIT, "'%s' is larger than %lld bytes", path, (long long)limit);
    status = sys_open(store->sys, path, false, &fd);
    if (status) return err_errno(store->arena, status, "cannot read '%s'", path);
    char *data = arena_alloc(store->arena, st.size + 1);
    int64_t len = 0, n = 1;
    while (status == 0 && n > 0 && len <= st.size) {
        status = sys_read(store->sys, fd, data + len, st.size + 1 - len, &n);
        if (status == 0) len += n;
        if (len > st.size) status = EAGAIN; /* it grew meanwhile */
    }
    int closed = sys_close(store->sys, fd);
    if (status == 0) status = closed;
    if (status) return err_errno(store->arena, status, "cannot read '%s'", path);
    *ret = (struct str){data, len};
    return NULL;
}

struct err *tree_file_write(struct transaction_store *store, const char *path, struct str bytes, uint32_t mode,
                            bool sync) {
    int fd;
    int status = sys_create(store->sys, path, mode, &fd);
    if (status == 0) {
        status = sys_write(store->sys, fd, bytes.data, bytes.len, -1);
        if (status == 0 && sync) status = sys_fsync(store->sys, fd);
        int closed = sys_close(store->sys, fd);
        if (status == 0) status = closed;
    }
    return status ? err_errno(store->arena, status, "cannot write '%s'", path) : NULL;
}

struct err *file_overwrite(struct transaction_store *store, const char *path, struct str bytes) {
    int fd;
    int status = sys_open(store->sys, path, true, &fd);
    if (status == 0) {
        status = sys_write(store->sys, fd, bytes.data, bytes.len, 0);
        if (status == 0) status = sys_truncate(store->sys, fd, bytes.len);
        int closed = sys_close(store->sys, fd);
        if (status == 0) status = closed;
    }
    return status ? err_errno(store->arena, status, "cannot write '%s' in place", path) : NULL;
}

static int tree_remove_at(struct transaction_store *store, const char *path, int depth) {
    struct str *names;
    int32_t len;
    struct sys_stat st;
    int first = sys_stat(store->sys, path, &st);
    if (first || st.type == SYS_NONE) return first;
    if (st.type != SYS_DIR) return sys_unlink(store->sys, path);
    if (depth == TREE_DEPTH_MAX) return ELOOP;
    first = sys_list(store->sys, store->arena, path, &names, &len);
    for (int32_t i = 0; first == 0 && i < len; i++) {
        const char *child = str_format(store->arena, "%s/%.*s", path, FMT(names[i])).data;
        first = tree_remove_at(store, child, depth + 1);
    }
    return first ? first : sys_rmdir(store->sys, path);
}

int tree_remove(struct transaction_store *store, const char *path) {
    return tree_remove_at(store, path, 0);
}

static int64_t tree_size_at(const struct sys *sys, struct arena *arena, const char *path, int depth) {
    struct sys_stat st;
    struct str *names;
    int32_t len;
    if (sys_stat(sys, path, &st) || st.type == SYS_NONE) return 0;
    int64_t size = st.type == SYS_FILE ? st.size : 0;
    if (st.type != SYS_DIR || depth == TREE_DEPTH_MAX || sys_list(sys, arena, path, &names, &len)) return size;
    for (int32_t i = 0; i < len; i++)
        size += tree_size_at(sys, arena, str_format(arena, "%s/%.*s", path, FMT(names[i])).data, depth + 1);
    return size;
}

int64_t tree_size(const struct sys *sys, struct arena *arena, const char *path) {
    return tree_size_at(sys, arena, path, 0);
}
