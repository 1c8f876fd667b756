#include "os/store.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

enum { BLOCK = 256 << 10, TRIES_MAX = 8, PATH_PARTS_MAX = 64, SHA256_SIZE = 32 };

static struct str hex_of(struct arena *arena, const unsigned char *digest, unsigned len) {
    char *hex = arena_alloc(arena, (ptrdiff_t)len * 2 + 1);
    for (unsigned i = 0; i < len; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    return (struct str){hex, (ptrdiff_t)len * 2};
}

struct str store_key(struct arena *arena, struct str text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(text.data, (size_t)text.len, digest, &len, EVP_sha256(), NULL) != 1) return (struct str){0};
    return hex_of(arena, digest, len);
}

/* Four lanes of multiplying and rotating: finds damage, not malice; as fast as memory. */
static uint64_t checksum(struct str bytes) {
    uint64_t lanes[4] = {0x9E3779B97F4A7C15u, 0xC2B2AE3D27D4EB4Fu, 0x165667B19E3779F9u, (uint64_t)bytes.len};
    ptrdiff_t at = 0;
    for (; at + 32 <= bytes.len; at += 32)
        for (int i = 0; i < 4; i++) {
            uint64_t word;
            memcpy(&word, bytes.data + at + 8 * i, 8);
            lanes[i] = (lanes[i] ^ word) * 0x9FB21C651E98DF25u;
            lanes[i] = (lanes[i] << 31) | (lanes[i] >> 33);
        }
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) sum = (sum ^ lanes[i]) * 0x9FB21C651E98DF25u + (sum >> 29);
    for (; at < bytes.len; at++) sum = (sum ^ (unsigned char)bytes.data[at]) * 0x100000001B3u;
    return sum ^ (sum >> 32);
}

static void make_parents(const char *path) {
    char part[4096];
    size_t len = strlen(path);
    if (len >= sizeof part) return;
    memcpy(part, path, len + 1);
    int parts = 0;
    for (char *slash = strchr(part + 1, '/'); slash && parts < PATH_PARTS_MAX;
         slash = strchr(slash + 1, '/'), parts++) {
        *slash = '\0';
        (void)mkdir(part, 0700);
        *slash = '/';
    }
}

static bool write_all(int fd, struct str bytes) {
    while (bytes.len) {
        ssize_t n = write(fd, bytes.data, (size_t)bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes = str_from(bytes, n);
    }
    return true;
}

/* A new file beside `path`, -1 if there can be none. */
static int create_beside(struct arena *arena, struct str path, const char **ret) {
    bool made = false;
    for (int i = 0; i < TRIES_MAX; i++) {
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        struct str name = str_format(arena, "%.*s.%ld-%ld-%d", FMT(path), (long)getpid(), now.tv_nsec, i);
        *ret = str_copy_z(arena, name);
        int fd = open(*ret, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) return fd;
        if (errno == ENOENT && !made) make_parents(*ret);
        else if (errno != EEXIST) return -1;
        made = true;
    }
    return -1;
}

/* `head` and `bytes`, one after the other. */
static bool write_file(struct arena *arena, struct str path, struct str head, struct str bytes) {
    const char *beside;
    int fd = create_beside(arena, path, &beside);
    if (fd < 0) return false;
    bool done = write_all(fd, head) && write_all(fd, bytes);
    if (close(fd) != 0) done = false;
    if (done && rename(beside, str_copy_z(arena, path)) == 0) return true;
    (void)unlink(beside);
    return false;
}

bool store_write(struct arena *arena, struct str path, struct str bytes) {
    return write_file(arena, path, (struct str){0}, bytes);
}

bool store_seal(struct arena *arena, struct str path, struct str bytes) {
    uint64_t sum = checksum(bytes);
    char head[STORE_SUM];
    memcpy(head, &sum, sizeof sum);
    return write_file(arena, path, (struct str){head, STORE_SUM}, bytes);
}

bool store_unseal(const struct fs *fs, struct arena *arena, struct str path, int64_t limit, struct str *ret) {
    struct str all;
    if (fs->read_file(fs->self, arena, str_copy_z(arena, path), limit + STORE_SUM, &all)) return false;
    uint64_t sum = 0;
    struct str bytes = str_from(all, STORE_SUM);
    if (all.len >= STORE_SUM) memcpy(&sum, all.data, sizeof sum);
    if (all.len < STORE_SUM || sum != checksum(bytes)) {
        store_remove(arena, path);
        return false;
    }
    *ret = bytes;
    return true;
}

static bool copy_file(struct arena *arena, const char *from, struct str to, int64_t copy_max) {
    struct str bytes;
    struct stat st;
    if (stat(from, &st) != 0 || st.st_size > copy_max) return false;
    struct arena_mark mark = arena_mark(arena);
    const struct fs *fs = fs_real();
    bool done = fs->read_file(fs->self, arena, from, copy_max, &bytes) == 0 &&
                access(str_copy_z(arena, to), F_OK) != 0 && store_write(arena, to, bytes);
    arena_rewind(arena, mark);
    return done;
}

bool store_link(struct arena *arena, struct str from, struct str to, int64_t copy_max) {
    const char *source = str_copy_z(arena, from), *target = str_copy_z(arena, to);
    if (link(source, target) == 0) return true;
    if (errno == ENOENT) {
        make_parents(target);
        if (link(source, target) == 0) return true;
    }
    if (errno == EEXIST || errno == ENOENT) return false;
    return copy_file(arena, source, to, copy_max);
}

struct str store_file_sha256(struct arena *arena, struct str path) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    struct stat st;
    /* A pipe must neither be waited for nor be read without end. */
    int fd = open(str_copy_z(arena, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool regular = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    bool done = context && regular && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    char *block = arena_alloc(arena, BLOCK);
    while (done) {
        ssize_t n = read(fd, block, BLOCK);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            done = n == 0;
            break;
        }
        done = EVP_DigestUpdate(context, block, (size_t)n) == 1;
    }
    done = done && EVP_DigestFinal_ex(context, digest, &len) == 1 && len == SHA256_SIZE;
    if (fd >= 0) (void)close(fd);
    EVP_MD_CTX_free(context);
    return done ? hex_of(arena, digest, len) : (struct str){0};
}

void store_remove(struct arena *arena, struct str path) {
    (void)unlink(str_copy_z(arena, path));
}
