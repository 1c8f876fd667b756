/*
 * sys - the calls to the file system that a transaction is made of, one function each, with a seam for fault injection.
 *
 * Paths are absolute. No call follows a symbolic link, neither in the last component nor on the way (openat2 with
 * RESOLVE_NO_SYMLINKS, a walk with O_NOFOLLOW where the kernel lacks it): a path with a link in it gives ELOOP.
 * Interrupted calls are repeated. Everything returns 0 or an errno value; results go to the last parameter, untouched
 * on failure.
 */
#ifndef UNPIN_OS_SYS_H
#define UNPIN_OS_SYS_H

#include "base/err.h"

enum sys_call {
    SYS_STAT,
    SYS_OPEN, /* for reading, or an existing file for writing */
    SYS_CREATE,
    SYS_READ,
    SYS_WRITE,
    SYS_TRUNCATE,
    SYS_ALLOCATE,
    SYS_FSYNC,
    SYS_SYNCFS,
    SYS_CLOSE,
    SYS_RENAME,
    SYS_UNLINK,
    SYS_MKDIR,
    SYS_RMDIR,
    SYS_HARDLINK,
    SYS_SYMLINK,
    SYS_READLINK,
    SYS_LIST,
    SYS_CHMOD,
    SYS_CHOWN,
    SYS_UTIME,
    SYS_XATTR_LIST,
    SYS_XATTR_SET,
    SYS_STATFS,
    SYS_FLOCK
};

/* A call that is about to happen, for the seam. */
struct sys_event {
    enum sys_call call;
    const char *path;  /* what it acts on; the path a descriptor was opened with is not known here: NULL */
    const char *other; /* second path of rename and hardlink, target of symlink; else NULL */
    int fd;            /* -1: none */
    const void *data;  /* SYS_WRITE: the bytes */
    int64_t size;      /* SYS_WRITE: their number; SYS_TRUNCATE, SYS_ALLOCATE: the size */
    int64_t offset;    /* SYS_WRITE: where; -1: at the descriptor's position */
};

enum { SYS_PRETEND = -1, SYS_SHORT = -2 };

/* The seam. NULL functions: none, as in every production use. */
struct sys {
    void *self;
    /* Before each call: 0 goes on, an errno value makes the call fail with it, SYS_PRETEND skips it as if it had
     * succeeded (not for calls with a result), SYS_SHORT makes a write write one byte only. */
    int (*before)(void *self, const struct sys_event *event);
    /* After each call, with its status; `fd` is the new descriptor for SYS_OPEN and SYS_CREATE. */
    void (*after)(void *self, const struct sys_event *event, int status);
};

/* The machine itself, without a seam. */
const struct sys *sys_real(void);

/* Nanoseconds since 1970, by the clock that the times of files are of, which somebody may set back. */
int64_t sys_now_ns(void);

enum sys_type { SYS_NONE, SYS_FILE, SYS_DIR, SYS_LINK, SYS_OTHER };

struct sys_stat {
    enum sys_type type; /* SYS_NONE: nothing there */
    uint32_t mode;      /* permission, set-id and sticky bits */
    uint32_t uid, gid, nlink;
    int64_t size, inode, device;
    int64_t mount; /* mount id; the device where the kernel gives none */
    int64_t mtime_ns, ctime_ns;
};

/* Nothing there (ENOENT, ENOTDIR, ELOOP on the way) is no error: SYS_NONE. */
int sys_stat(const struct sys *sys, const char *path, struct sys_stat *ret);
/* As sys_stat, for a third of its cost, but links on the way are followed: for comparing with a file that is known. */
int sys_stat_known(const struct sys *sys, const char *path, struct sys_stat *ret);
/* What lies in the open directory `dir` by this name; an empty name: what is open as `dir`. */
int sys_stat_at(const struct sys *sys, int dir, const char *name, struct sys_stat *ret);
int sys_open(const struct sys *sys, const char *path, bool writable, int *ret);   /* close with sys_close */
int sys_create(const struct sys *sys, const char *path, uint32_t mode, int *ret); /* O_EXCL, for reading and writing */
/* A directory held open (sys_close), for what is done in it by name: the way to a file can cost more than the file.
 * Names hold no slash; the directory itself may be moved meanwhile. */
int sys_dir(const struct sys *sys, const char *path, int *ret);
/* As sys_create, but the umask applies: compare with sys_stat_at. */
int sys_create_at(const struct sys *sys, int dir, const char *name, uint32_t mode, int *ret);
/* For reading. */
int sys_open_at(const struct sys *sys, int dir, const char *name, int *ret);
int sys_rename_at(const struct sys *sys, int from, const char *name, int to, const char *new_name);
/* As sys_mkdir; `mask` is what sys_umask gave. */
int sys_mkdir_at(const struct sys *sys, int dir, const char *name, uint32_t mode, uint32_t mask);
/* The process's umask. Only while no other thread makes files: it is changed for a moment to be read. */
uint32_t sys_umask(void);
/* Up to `size` bytes; *ret 0 at the end. */
int sys_read(const struct sys *sys, int fd, void *data, int64_t size, int64_t *ret);
int sys_read_at(const struct sys *sys, int fd, void *data, int64_t size, int64_t offset, int64_t *ret);
/* All of them, at `offset` or (-1) at the position. */
int sys_write(const struct sys *sys, int fd, const void *data, int64_t size, int64_t offset);
int sys_truncate(const struct sys *sys, int fd, int64_t size);
/* Blocks for `size` bytes; falls back to writing zeros. */
int sys_allocate(const struct sys *sys, int fd, int64_t size);
/* Has the bytes of a file begin their way to the disk, and waits for nothing: a hint, which cannot fail. */
void sys_flush_begin(int fd);
int sys_fsync(const struct sys *sys, int fd);
int sys_fsync_path(const struct sys *sys, const char *path); /* of a file or directory */
int sys_syncfs(const struct sys *sys, const char *path);     /* of the file system of a directory */
int sys_close(const struct sys *sys, int fd);
int sys_rename(const struct sys *sys, const char *from, const char *to);
int sys_unlink(const struct sys *sys, const char *path);
int sys_mkdir(const struct sys *sys, const char *path, uint32_t mode); /* the umask does not apply */
int sys_rmdir(const struct sys *sys, const char *path);
int sys_hardlink(const struct sys *sys, const char *from, const char *to);
int sys_symlink(const struct sys *sys, const char *target, const char *path);
int sys_readlink(const struct sys *sys, struct arena *arena, const char *path, struct str *ret);
/* Names in a directory, sorted, without `.` and `..`. */
int sys_list(const struct sys *sys, struct arena *arena, const char *path, struct str **ret, int32_t *ret_len);
int sys_chmod(const struct sys *sys, int fd, uint32_t mode);
int sys_chown(const struct sys *sys, const char *path, uint32_t uid, uint32_t gid);
int sys_utime(const struct sys *sys, const char *path, int64_t mtime_ns); /* atime stays */

struct sys_xattr {
    struct str name, value;
};

/* Extended attributes, ACLs among them, sorted by name; none where the file system has none. Those that may not be read
 * are left out. */
int sys_xattr_list(const struct sys *sys, struct arena *arena, int fd, struct sys_xattr **ret, int32_t *ret_len);
/* True if the file `name` in the open directory `dir`, which is no link, is known to have none at all. */
bool sys_xattr_none_at(const struct sys *sys, int dir, const char *name);
int sys_xattr_set(const struct sys *sys, int fd, struct str name, struct str value);

struct sys_space {
    bool overlay; /* overlayfs: a link there copies the file; or FUSE, where names of one file may have two inodes */
    int64_t bytes_free, inodes_free; /* for us; INT64_MAX where the file system does not count */
};

int sys_space(const struct sys *sys, const char *path, struct sys_space *ret);
/* An exclusive lock without waiting: EWOULDBLOCK. */
int sys_flock(const struct sys *sys, int fd);

#endif
