#include "os/mapping.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AROUND = 64 << 10 /* bytes beside one that is touched which the kernel maps with it */ };

struct err *mapping_open(struct arena *arena, struct str path, struct mapping *ret) {
    int fd = open(str_copy_z(arena, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return err_errno(arena, errno, "cannot open %.*s", FMT(path));
    struct stat st;
    int status = fstat(fd, &st) < 0 ? errno : 0;
    if (status == 0 && !S_ISREG(st.st_mode)) status = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    struct mapping mapping = {.fd = fd, .size = st.st_size};
    if (status == 0 && st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) status = errno;
        else mapping.data = data;
    }
    if (status) {
        (void)close(fd);
        return err_errno(arena, status, "cannot read %.*s", FMT(path));
    }
    *ret = mapping;
    return NULL;
}

struct err *mapping_create(struct arena *arena, struct str path, int64_t size, struct mapping *ret) {
    const struct sys *sys = sys_real();
    struct mapping mapping = {.size = size, .fd = -1};
    int status = sys_create(sys, str_copy_z(arena, path), 0600, &mapping.fd);
    if (status) return err_errno(arena, status, "cannot create %.*s", FMT(path));
    /* Space set aside beforehand: a full disk shows here, not as a SIGBUS while the mapping is filled. */
    status = sys_allocate(sys, mapping.fd, size);
    if (status == 0) {
        void *data = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, mapping.fd, 0);
        if (data == MAP_FAILED) status = errno;
        else mapping.data = data;
    }
    if (status) {
        (void)sys_close(sys, mapping.fd);
        return err_errno(arena, status, "cannot write %.*s", FMT(path));
    }
    *ret = mapping;
    return NULL;
}

void mapping_close(struct mapping *mapping) {
    if (mapping->data) (void)munmap(mapping->data, (size_t)mapping->size);
    (void)close(mapping->fd);
    *mapping = (struct mapping){.fd = -1};
}

void mapping_forget(const struct mapping *mapping, struct str bytes) {
    int64_t first = bytes.data - mapping->data - AROUND, last = first + bytes.len + 2 * AROUND;
    if (bytes.len == 0) return;
    first = first < 0 ? 0 : first - first % AROUND;
    if (last > mapping->size) last = mapping->size;
    (void)madvise(mapping->data + first, (size_t)(last - first), MADV_DONTNEED);
}

struct err *path_resolve(struct arena *arena, struct str path, struct str *ret) {
    char resolved[PATH_MAX];
    if (!realpath(str_copy_z(arena, path), resolved)) return err_errno(arena, errno, "cannot resolve %.*s", FMT(path));
    *ret = str_copy(arena, str_of(resolved));
    return NULL;
}
