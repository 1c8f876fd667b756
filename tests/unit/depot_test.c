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
#include <sys/xattr.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { MODE = 0644 };
#define FORTY "0123456789abcdef0123456789abcdef01234567"
#define NOTES "ab" FORTY "0123456789abcdef012345"
#define NOTES_AT "ab/" FORTY "0123456789abcdef012345"
#define OTHER "ba" FORTY "0123456789abcdef012345"

/* A depot, a directory for installed files, and one kept file. */
struct rig {
    struct arena *arena;
    struct str dir, text, sha256;
    struct depot depot;
    struct depot_file file; /* what was put in */
    struct depot_mark mark;
};

static struct str in(const struct rig *rig, const char *name) {
    return path_join(rig->arena, rig->dir, str_of(name));
}

static struct stat look(const struct rig *rig, struct str path) {
    struct stat st;
    assert_int_equal(lstat(str_copy_z(rig->arena, path), &st), 0);
    return st;
}

/* The directory of installed files, open. */
static int folder(const struct rig *rig) {
    int fd = -1;
    assert_int_equal(sys_dir(sys_real(), str_copy_z(rig->arena, rig->dir), &fd), 0);
    return fd;
}

static bool take_file(const struct rig *rig, const struct depot_notes *notes, const struct depot_file *file,
                      const char *name) {
    struct sys_stat made = {0};
    struct depot_mark mark = {0};
    int fd = folder(rig);
    bool done = depot_take(&rig->depot, rig->arena, notes, file, fd, name, &made, &mark);
    assert_int_equal(close(fd), 0);
    struct stat st;
    if (!done) return false;
    assert_int_equal(lstat(str_copy_z(rig->arena, in(rig, name)), &st), 0);
    assert_int_equal(made.inode, st.st_ino);
    assert_int_equal(made.nlink, rig->depot.clones ? 1 : 2);
    assert_int_equal(made.ctime_ns, (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
    assert_int_not_equal(mark.inode, 0);
    return true;
}

static bool take(const struct rig *rig, const char *name) {
    return take_file(rig, NULL, &rig->file, name);
}

static struct depot_mark give(const struct rig *rig, const char *name) {
    int dir = folder(rig), fd = open(str_copy_z(rig->arena, in(rig, name)), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    struct sys_stat now = {0};
    struct depot_mark mark = depot_give(&rig->depot, rig->sha256, MODE, dir, name, fd, &now);
    assert_int_equal(now.nlink, mark.inode && !rig->depot.clones ? 2 : 0);
    if (now.nlink) assert_int_equal(now.inode, mark.inode);
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(dir), 0);
    return mark;
}

static void end(struct rig *rig) {
    depot_close(&rig->depot);
    arena_close(rig->arena);
}

static void make_file(const struct rig *rig, struct str path) {
    int fd = open(str_copy_z(rig->arena, path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, rig->text.data, (size_t)rig->text.len), rig->text.len);
    assert_int_equal(fchmod(fd, MODE), 0);
    assert_int_equal(close(fd), 0);
}

static struct rig rig_make(void) {
    struct rig rig = {.arena = arena_open(), .text = S("print('kept')\n")};
    char *dir = str_copy_z(rig.arena, S("/tmp/unpin-depot-XXXXXX"));
    assert_non_null(mkdtemp(dir));
    rig.dir = str_of(dir);
    rig.sha256 = digest_make(rig.arena, rig.text, DIGEST_SHA256);
    uint32_t crc = libdeflate_crc32(0, rig.text.data, (size_t)rig.text.len);
    rig.file = (struct depot_file){rig.sha256, rig.text.len, crc, MODE, false};
    rig.depot = depot_open(rig.arena, in(&rig, "depot"), rig.dir);
    if (!rig.depot.dir.len) skip(); /* /tmp is an overlay */
    make_file(&rig, in(&rig, "first"));
    rig.mark = give(&rig, "first");
    assert_int_not_equal(rig.mark.inode, 0);
    /* One that was empty when it was opened is not looked into. */
    assert_true(rig.depot.is_new);
    depot_close(&rig.depot);
    rig.depot = depot_open(rig.arena, in(&rig, "depot"), rig.dir);
    assert_false(rig.depot.is_new);
    return rig;
}

static int64_t mtime_of(const struct rig *rig, const char *name) {
    struct stat st = look(rig, in(rig, name));
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
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
    for (int i = 0; i < 4; i++) assert_false(take_file(&rig, NULL, &others[i], "x"));
    end(&rig);
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
        make_file(&rig, in(&rig, "again"));
        assert_int_not_equal(give(&rig, "again").inode, 0);
        assert_int_equal(unlink(str_copy_z(rig.arena, in(&rig, "again"))), 0);
        assert_true(take(&rig, "second"));
        end(&rig);
    }
}

static struct depot_notes note(const struct rig *rig, const struct depot_mark *mark) {
    struct depot_note note = {
        .size = rig->file.size, .inode = mark->inode, .mtime_ns = mark->mtime_ns, .mode = rig->file.mode};
    memcpy(note.sha256, rig->sha256.data, sizeof note.sha256);
    depot_notes_write(rig->arena, rig->depot.dir, S(NOTES), &note, 1);
    return depot_notes_read(rig->arena, &rig->depot, S(NOTES));
}

/* What was noted is not read again, but only as long as nobody wrote into it. Where the time was set back the bytes of
 * the note are believed: that is the price, and this shows that it is the time which decides. */
static void test_notes(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct rig rig = rig_make();
        if (rig.depot.clones) skip();
        const char *first = str_copy_z(rig.arena, in(&rig, "first"));
        struct timespec times[2] = {look(&rig, in(&rig, "first")).st_atim, look(&rig, in(&rig, "first")).st_mtim};
        struct depot_mark mark = rig.mark;
        if (kind == 3) mark.inode++;
        struct depot_notes notes = note(&rig, &mark);
        assert_int_equal(notes.len, 1);
        times[1].tv_nsec ^= kind == 0 ? 1 : 0; /* another time, as any other writer leaves one */
        int fd = open(first, O_WRONLY | O_CLOEXEC);
        assert_int_equal(write(fd, "P", 1), 1);
        if (kind == 2) assert_int_equal(ftruncate(fd, 3), 0);
        assert_int_equal(futimens(fd, times), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(unlink(first), 0);
        assert_int_equal(take_file(&rig, &notes, &rig.file, "second"), kind == 1);
        end(&rig);
    }
}

/* What may keep its time is given away by its note alone, as it is; it has to be as it was noted all the same. */
static void test_aged(void **state) {
    (void)state;
    enum { WHOLE, WRITTEN, MODE_CHANGED, ATTRIBUTE, THIRD_NAME, YESTERDAY, KINDS };
    for (int kind = 0; kind < KINDS; kind++) {
        struct rig rig = rig_make();
        if (rig.depot.clones) skip();
        const char *first = str_copy_z(rig.arena, in(&rig, "first")), *other = str_copy_z(rig.arena, in(&rig, "other"));
        struct depot_notes notes = note(&rig, &rig.mark);
        rig.file.aged = true;
        int fd = open(first, O_WRONLY | O_CLOEXEC);
        if (kind == WRITTEN) assert_int_equal(write(fd, "P", 1), 1);
        if (kind == MODE_CHANGED) assert_int_equal(fchmod(fd, 0600), 0);
        bool has_attribute = kind == ATTRIBUTE && fsetxattr(fd, "user.unpin", "x", 1, 0) == 0;
        assert_int_equal(close(fd), 0);
        if (kind == THIRD_NAME) assert_int_equal(link(first, other), 0);
        rig.depot.now_ns = rig.mark.mtime_ns + (kind == YESTERDAY ? INT64_C(86401) * 1000000000 : 1);
        assert_int_equal(unlink(first), 0);
        bool given = kind == WHOLE || kind == YESTERDAY || (kind == ATTRIBUTE && !has_attribute);
        assert_int_equal(take_file(&rig, &notes, &rig.file, "second"), given);
        assert_int_equal(access(str_copy_z(rig.arena, in(&rig, "second")), F_OK), given ? 0 : -1);
        if (kind == WHOLE) assert_int_equal(mtime_of(&rig, "second"), rig.mark.mtime_ns);
        if (kind == YESTERDAY) assert_int_not_equal(mtime_of(&rig, "second"), rig.mark.mtime_ns);
        if (kind == THIRD_NAME) assert_int_equal(look(&rig, in(&rig, "other")).st_nlink, 2);
        end(&rig);
    }
}

/* Notes that are damaged, of another artifact, or with a name that is none, are no notes. */
static void test_notes_damaged(void **state) {
    (void)state;
    struct rig rig = rig_make();
    assert_int_equal(note(&rig, &rig.mark).len, 1);
    assert_int_equal(depot_notes_read(rig.arena, &rig.depot, S(OTHER)).len, 0);
    assert_int_equal(depot_notes_read(rig.arena, &rig.depot, S("../" FORTY "0123456789abcdef01234")).len, 0);
    assert_int_equal(depot_notes_read(rig.arena, &rig.depot, (struct str){0}).len, 0);
    const char *path = str_copy_z(rig.arena, in(&rig, "depot-notes/" NOTES_AT));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "?", 1, lseek(fd, 0, SEEK_END) - 20), 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(depot_notes_read(rig.arena, &rig.depot, S(NOTES)).len, 0);
    end(&rig);
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
    depot_close(&rig.depot);
    assert_false(take(&rig, "x"));
    assert_int_equal(give(&rig, "first").inode, 0);
    end(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_owner), cmocka_unit_test(test_changed),       cmocka_unit_test(test_notes),
        cmocka_unit_test(test_aged),      cmocka_unit_test(test_notes_damaged), cmocka_unit_test(test_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
