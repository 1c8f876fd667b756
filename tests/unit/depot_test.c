#include "os/depot.h"

#include "base/arena.h"
#include "os/digest.h"
#include "os/fs.h"
#include "os/mapping.h"

#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { MODE = 0644 };

/* A depot, a directory for installed files, and one kept file. */
struct rig {
    struct arena *arena;
    struct str dir, text, sha256;
    struct depot depot;
    struct depot_file file; /* what was put in */
};

static struct str in(const struct rig *rig, const char *name) {
    return path_join(rig->arena, rig->dir, str_of(name));
}

static struct stat look(const struct rig *rig, struct str path) {
    struct stat st;
    assert_int_equal(lstat(str_copy_z(rig->arena, path), &st), 0);
    return st;
}

static bool take(const struct rig *rig, const char *name) {
    return depot_take(&rig->depot, rig->arena, &rig->file, in(rig, name));
}

static struct rig rig_make(void) {
    struct rig rig = {.arena = arena_open(), .text = S("print('kept')\n")};
    char *dir = str_copy_z(rig.arena, S("/tmp/unpin-depot-XXXXXX"));
    assert_non_null(mkdtemp(dir));
    rig.dir = str_of(dir);
    rig.sha256 = digest_make(rig.arena, rig.text, DIGEST_SHA256);
    uint32_t crc = libdeflate_crc32(0, rig.text.data, (size_t)rig.text.len);
    rig.file = (struct depot_file){rig.sha256, rig.text.len, crc, MODE};
    rig.depot = depot_open(rig.arena, in(&rig, "depot"), rig.dir);
    if (!rig.depot.dir.len) skip(); /* /tmp is an overlay */
    assert_null(file_create(rig.arena, in(&rig, "first"), MODE, rig.text));
    depot_give(&rig.depot, rig.arena, rig.sha256, MODE, in(&rig, "first"));
    return rig;
}

static void test_one_owner(void **state) {
    (void)state;
    struct rig rig = rig_make();
    if (!rig.depot.clones) assert_false(take(&rig, "second")); /* the first is still there */
    assert_int_equal(unlink(str_copy_z(rig.arena, in(&rig, "first"))), 0);
    assert_true(take(&rig, "second"));
    struct stat st = look(&rig, in(&rig, "second"));
    assert_int_equal(st.st_size, rig.text.len);
    assert_int_equal(st.st_mode & 07777, MODE);
    if (!rig.depot.clones) assert_false(take(&rig, "third"));
    assert_false(take(&rig, "second")); /* what is there is left alone */
    assert_int_equal(look(&rig, in(&rig, "second")).st_ino, st.st_ino);
    /* Another mode, another digest, other bytes in the archive: another file. */
    struct depot_file others[] = {rig.file, rig.file, rig.file, rig.file};
    others[0].mode = 0755;
    others[1].sha256 = digest_make(rig.arena, S("?"), DIGEST_SHA256);
    others[2].sha256 = (struct str){0};
    others[3].crc ^= 1;
    assert_int_equal(unlink(str_copy_z(rig.arena, in(&rig, "second"))), 0);
    for (int i = 0; i < 4; i++) assert_false(depot_take(&rig.depot, rig.arena, &others[i], in(&rig, "x")));
    arena_close(rig.arena);
}

/* What was done to an installed file reaches the kept one by the common inode, and must not go any further. */
static void test_changed(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct rig rig = rig_make();
        if (rig.depot.clones) skip();
        const char *first = str_copy_z(rig.arena, in(&rig, "first"));
        if (kind == 0) {
            int fd = open(first, O_WRONLY | O_CLOEXEC);
            assert_int_equal(write(fd, "P", 1), 1);
            assert_int_equal(close(fd), 0);
        }
        if (kind == 1) assert_int_equal(chmod(first, 0666), 0);
        if (kind == 2) assert_int_equal(truncate(first, 3), 0);
        assert_int_equal(unlink(first), 0);
        assert_false(take(&rig, "second"));
        assert_int_equal(access(str_copy_z(rig.arena, in(&rig, "second")), F_OK), -1);
        /* It is gone from the depot: a whole one can take its place. */
        assert_null(file_create(rig.arena, in(&rig, "again"), MODE, rig.text));
        depot_give(&rig.depot, rig.arena, rig.sha256, MODE, in(&rig, "again"));
        assert_int_equal(unlink(str_copy_z(rig.arena, in(&rig, "again"))), 0);
        assert_true(take(&rig, "second"));
        arena_close(rig.arena);
    }
}

/* A directory that others can write in is no depot, nor is one that is none. */
static void test_place(void **state) {
    (void)state;
    struct rig rig = rig_make();
    assert_int_equal(chmod(str_copy_z(rig.arena, rig.depot.dir), 0777), 0);
    assert_int_equal(depot_open(rig.arena, in(&rig, "depot"), rig.dir).dir.len, 0);
    assert_int_equal(symlink("depot", str_copy_z(rig.arena, in(&rig, "link"))), 0);
    assert_int_equal(depot_open(rig.arena, in(&rig, "link"), rig.dir).dir.len, 0);
    assert_int_equal(depot_open(rig.arena, in(&rig, "first"), rig.dir).dir.len, 0);
    assert_int_equal(depot_open(rig.arena, in(&rig, "no/where"), rig.dir).dir.len, 0);
    assert_int_equal(depot_open(rig.arena, S("/dev/shm"), rig.dir).dir.len, 0);
    assert_int_equal(depot_open(rig.arena, (struct str){0}, rig.dir).dir.len, 0);
    assert_false(depot_take(&(struct depot){0}, rig.arena, &rig.file, in(&rig, "x")));
    depot_give(&(struct depot){0}, rig.arena, rig.sha256, MODE, in(&rig, "first"));
    arena_close(rig.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_owner),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
