#include "os/store.h"

#include "base/arena.h"
#include "os/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256 << 10, TRIES_MAX = 8, PATH_PARTS_MAX = 64 };

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

struct str store_key(struct arena *arena, struct str identity) {
    return str_format(arena, "%016llx%016llx", (unsigned long long)checksum(identity),
                      (unsigned long long)str_hash(identity));
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

void store_make(struct arena *arena, struct str dir) {
    make_parents(str_copy_z(arena, path_join(arena, dir, S("."))));
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

bool store_is_private(struct arena *arena, struct str dir, struct str *ret_why) {
    struct stat st;
    if (stat(str_copy_z(arena, dir), &st) != 0) return true;
    if (st.st_uid != geteuid()) *ret_why = str_format(arena, "it belongs to user %ld", (long)st.st_uid);
    else if (st.st_mode & S_IWOTH) *ret_why = S("everybody may write to it");
    else return true;
    return false;
}

bool store_write(struct arena *arena, struct str path, struct str bytes) {
    return write_file(arena, path, (struct str){0}, bytes);
}

/* What stands before the bytes of a sealed file: the checksum of all behind it, then the identity, filled up to 8. */
struct seal {
    uint64_t sum;
    uint64_t identity_len;
};

static ptrdiff_t padded(ptrdiff_t len) {
    return (len + 7) & ~(ptrdiff_t)7;
}

static uint64_t sum_of(struct str head, struct str bytes) {
    return checksum(str_from(head, (ptrdiff_t)sizeof(uint64_t))) * 0x9FB21C651E98DF25u ^ checksum(bytes);
}

bool store_seal(struct arena *arena, struct str path, struct str identity, struct str bytes) {
    if (identity.len > STORE_IDENTITY_MAX) return false;
    struct seal seal = {.identity_len = (uint64_t)identity.len};
    ptrdiff_t len = (ptrdiff_t)sizeof seal + padded(identity.len);
    char *head = arena_alloc(arena, len);
    memcpy(head, &seal, sizeof seal);
    if (identity.len) memcpy(head + sizeof seal, identity.data, (size_t)identity.len);
    seal.sum = sum_of((struct str){head, len}, bytes);
    memcpy(head, &seal.sum, sizeof seal.sum);
    return write_file(arena, path, (struct str){head, len}, bytes);
}

/* Length of the head of a sealed file that is whole, -1: it is damaged. */
static ptrdiff_t head_len(struct str all) {
    struct seal seal;
    if (all.len < (ptrdiff_t)sizeof seal) return -1;
    memcpy(&seal, all.data, sizeof seal);
    if (seal.identity_len > STORE_IDENTITY_MAX) return -1;
    ptrdiff_t len = (ptrdiff_t)sizeof seal + padded((ptrdiff_t)seal.identity_len);
    if (len > all.len) return -1;
    return seal.sum == sum_of(str_slice(all, 0, len), str_from(all, len)) ? len : -1;
}

/* The sealed file of at most `most` bytes. A link is none of ours: it may lead to a device without end. */
static bool unseal(const struct fs *fs, struct arena *arena, struct str path, int64_t most, struct str *ret_identity,
                   struct str *ret) {
    struct str all;
    struct fs_stat st;
    const char *name = str_copy_z(arena, path);
    if (fs->stat_path(fs->self, name, false, &st) || !st.is_file) return false;
    if (fs->read_file(fs->self, arena, name, most, &all)) return false;
    ptrdiff_t len = head_len(all);
    if (len < 0) {
        store_remove(arena, path);
        return false;
    }
    struct seal seal;
    memcpy(&seal, all.data, sizeof seal);
    *ret_identity = str_slice(all, (ptrdiff_t)sizeof seal, (ptrdiff_t)(sizeof seal + seal.identity_len));
    *ret = str_from(all, len);
    return true;
}

static int64_t most_of(int64_t limit, int64_t identity_len) {
    int64_t head = (int64_t)sizeof(struct seal) + padded(identity_len);
    return limit > INT64_MAX - head ? INT64_MAX : limit + head;
}

bool store_unseal(const struct fs *fs, struct arena *arena, struct str path, struct str identity, int64_t limit,
                  struct str *ret) {
    struct str found, bytes;
    if (!unseal(fs, arena, path, most_of(limit, identity.len), &found, &bytes) || !str_eq(found, identity))
        return false;
    *ret = bytes;
    return true;
}

bool store_unseal_any(const struct fs *fs, struct arena *arena, struct str path, int64_t limit,
                      struct str *ret_identity, struct str *ret) {
    return unseal(fs, arena, path, most_of(limit, STORE_IDENTITY_MAX), ret_identity, ret);
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

struct str store_sha256(const struct fs *fs, struct arena *arena, struct str path, struct str text) {
    struct str known, about = str_format(arena, "sha256 of %td %.*s", text.len, FMT(store_key(arena, text)));
    if (store_unseal(fs, arena, path, about, 2 * DIGEST_SHA256, &known) && known.len == 2 * DIGEST_SHA256) return known;
    struct str sha256 = digest_hex(arena, digest_make(arena, text, DIGEST_SHA256));
    (void)store_seal(arena, path, about, sha256);
    return sha256;
}

struct str store_file_sha256(struct arena *arena, struct str path) {
    return store_file_digest(arena, path, DIGEST_SHA256);
}

struct str store_file_digest(struct arena *arena, struct str path, int32_t size) {
    unsigned char bytes[DIGEST_MAX];
    struct stat st;
    /* A pipe must neither be waited for nor be read without end. */
    int fd = open(str_copy_z(arena, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool done = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    struct digest *digest = done ? digest_open_kind(arena, size) : NULL;
    char *block = done ? arena_alloc(arena, BLOCK) : NULL;
    while (done) {
        ssize_t n = read(fd, block, BLOCK);
        if (n < 0 && errno == EINTR) continue;
        done = n >= 0;
        if (n <= 0) break;
        digest_add(digest, (struct str){block, n});
    }
    if (fd >= 0) (void)close(fd);
    digest_close(digest, done ? bytes : NULL);
    return done ? digest_hex(arena, (struct str){(const char *)bytes, size}) : (struct str){0};
}

void store_remove(struct arena *arena, struct str path) {
    (void)unlink(str_copy_z(arena, path));
}
