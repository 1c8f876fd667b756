/* What of the cache is hashed before it is used: the notes on wheels. */
#include "base/arena.h"
#include "os/digest.h"
#include "os/store.h"
#include "stage/index_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define DAY_NS (86400 * (int64_t)1000000000)

enum { NOTE_LEN = 32, NOTE_HASHED_AT = 24 /* inode, size, time of change, when it was hashed */ };

struct rig {
    struct arena *arena;
    struct index *index;
    struct str dir, text, wheel, note;
    struct artifact artifact;
    int32_t taken;
};

static void put(const struct rig *rig, struct str path, struct str text) {
    int fd = open(str_copy_z(rig->arena, path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.data, (size_t)text.len), text.len);
    assert_int_equal(close(fd), 0);
}

/* Takes the wheel out of the cache; false: it is not there, or not any more. There is no network. */
static bool take(struct rig *rig) {
    struct str to = str_format(rig->arena, "%.*s/out-%d", FMT(rig->dir), rig->taken++);
    struct err *err = index_download(rig->index, &rig->artifact, to);
    if (err) assert_int_equal(err->kind, ERR_NETWORK);
    return !err;
}

static void write_note(struct rig *rig) {
    int fd = open(str_copy_z(rig->arena, rig->wheel), O_RDONLY | O_CLOEXEC);
    index_download_note(rig->index, &rig->artifact, fd);
    assert_int_equal(close(fd), 0);
    assert_int_equal(access(str_copy_z(rig->arena, rig->note), F_OK), 0);
}

/* Other bytes in place, of the same length; the time of the change goes on by `ns`. */
static void damage(const struct rig *rig, int64_t ns) {
    const char *path = str_copy_z(rig->arena, rig->wheel);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    put(rig, rig->wheel, S("other"));
    st.st_mtim.tv_nsec += st.st_mtim.tv_nsec + ns < 1000000000 ? ns : -ns;
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
}

/* The note says that the wheel was hashed `ns` earlier. */
static void age(struct rig *rig, int64_t ns) {
    struct str identity, bytes;
    assert_true(store_unseal_any(fs_real(), rig->arena, rig->note, NOTE_LEN, &identity, &bytes));
    assert_int_equal(bytes.len, NOTE_LEN);
    char changed[NOTE_LEN];
    int64_t hashed;
    memcpy(changed, bytes.data, NOTE_LEN);
    memcpy(&hashed, changed + NOTE_HASHED_AT, sizeof hashed);
    hashed -= ns;
    memcpy(changed + NOTE_HASHED_AT, &hashed, sizeof hashed);
    assert_true(store_seal(rig->arena, rig->note, identity, (struct str){changed, NOTE_LEN}));
}

/* A cache with a wheel and a note on it. */
static struct rig rig_make(void) {
    struct rig rig = {.arena = arena_open(), .text = S("bytes that count as a wheel")};
    char *dir = str_copy_z(rig.arena, S("/tmp/unpin-download-XXXXXX"));
    assert_non_null(mkdtemp(dir));
    rig.dir = str_of(dir);
    struct config *config = arena_new(rig.arena, struct config, 1);
    const struct config_variables variables = {.directory = rig.dir};
    assert_null(config_read(rig.arena, fs_real(), (struct str){0}, &variables, config));
    struct want *want = arena_new(rig.arena, struct want, 1);
    want->exclude_newer = INT64_MAX;
    struct environment *env = arena_new(rig.arena, struct environment, 1);
    env->markers.python_full_version = S("3.12.3");
    const struct index_options options = {.env = env,
                                          .want = want,
                                          .no_index = true,
                                          .offline = true,
                                          .config = config,
                                          .cache_dir = path_join(rig.arena, rig.dir, S("cache"))};
    assert_null(index_open(rig.arena, fs_real(), &options, &rig.index));
    struct str sha256 = digest_hex(rig.arena, digest_make(rig.arena, rig.text, DIGEST_SHA256));
    rig.artifact = (struct artifact){.filename = S("a-1.0-py3-none-any.whl"),
                                     .url = S("http://127.0.0.1:1/a-1.0-py3-none-any.whl"),
                                     .sha256 = sha256,
                                     .size = rig.text.len};
    rig.wheel = index_cache_path(rig.index, rig.arena, "wheels", sha256);
    rig.note = index_cache_path(rig.index, rig.arena, "wheels-notes", sha256);
    assert_false(take(&rig));
    assert_true(store_write(rig.arena, rig.wheel, rig.text));
    assert_true(take(&rig));
    write_note(&rig);
    return rig;
}

static void end(struct rig *rig) {
    index_close(rig->index);
    arena_close(rig->arena);
}

/* One that is noted is not read: bytes that were changed in secret are found where it is unpacked, not here. */
static void test_noted(void **state) {
    (void)state;
    struct rig rig = rig_make();
    damage(&rig, 0);
    assert_true(take(&rig));
    end(&rig);
}

static void test_changed(void **state) {
    (void)state;
    struct rig rig = rig_make();
    damage(&rig, 1);
    assert_false(take(&rig));
    assert_int_not_equal(access(str_copy_z(rig.arena, rig.wheel), F_OK), 0); /* it makes room for a whole one */
    end(&rig);
}

static void test_longer(void **state) {
    (void)state;
    struct rig rig = rig_make();
    const char *path = str_copy_z(rig.arena, rig.wheel);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size + 1), 0);
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
    assert_false(take(&rig));
    end(&rig);
}

/* Another file in its place, with the same size and times. */
static void test_replaced(void **state) {
    (void)state;
    struct rig rig = rig_make();
    const char *path = str_copy_z(rig.arena, rig.wheel),
               *other = str_copy_z(rig.arena, path_join(rig.arena, rig.dir, S("other")));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    put(&rig, str_of(other), S("bytes that count as nothing"));
    assert_int_equal(utimensat(AT_FDCWD, other, (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
    assert_int_equal(rename(other, path), 0);
    assert_false(take(&rig));
    end(&rig);
}

static void test_note_gone(void **state) {
    (void)state;
    struct rig rig = rig_make();
    damage(&rig, 0);
    assert_int_equal(unlink(str_copy_z(rig.arena, rig.note)), 0);
    assert_false(take(&rig));
    end(&rig);
}

static void test_note_damaged(void **state) {
    (void)state;
    struct rig rig = rig_make();
    damage(&rig, 0);
    put(&rig, rig.note, S("?"));
    assert_false(take(&rig));
    end(&rig);
}

/* A note of another file says nothing. */
static void test_note_of_another(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct str identity, bytes;
    assert_true(store_unseal_any(fs_real(), rig.arena, rig.note, NOTE_LEN, &identity, &bytes));
    damage(&rig, 0);
    assert_true(store_seal(rig.arena, rig.note, str_format(rig.arena, "%.*s0", FMT(identity)), bytes));
    assert_false(take(&rig));
    end(&rig);
}

static void test_age(void **state) {
    (void)state;
    static const struct {
        int64_t ns;
        bool taken;
    } ages[] = {{DAY_NS - 3600 * (int64_t)1000000000, true}, {DAY_NS, false}, {30 * DAY_NS, false}, {-DAY_NS, false}};
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        struct rig rig = rig_make();
        damage(&rig, 0);
        age(&rig, ages[i].ns);
        assert_int_equal(take(&rig), ages[i].taken);
        end(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noted),           cmocka_unit_test(test_changed),   cmocka_unit_test(test_longer),
        cmocka_unit_test(test_replaced),        cmocka_unit_test(test_note_gone), cmocka_unit_test(test_note_damaged),
        cmocka_unit_test(test_note_of_another), cmocka_unit_test(test_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
