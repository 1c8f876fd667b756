#include "stage/cache.h"

#include "base/arena.h"
#include "os/mapping.h"
#include "stage/index.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define HEX30 "0123456789abcdef0123456789abcd"
#define HEX62 HEX30 HEX30 "ef"

enum { BYTES = 5000, DAY_S = 86400, NOW_S = 1700000000 };

struct rig {
    struct arena *arena;
    struct str top, dir; /* dir: the cache, in top */
};

static struct str in(const struct rig *rig, const char *path) {
    return path_join(rig->arena, rig->dir, str_of(path));
}

static bool is_there(const struct rig *rig, const char *path) {
    struct stat st;
    return lstat(str_copy_z(rig->arena, in(rig, path)), &st) == 0;
}

/* A file of BYTES bytes that was used `days` days before NOW_S. */
static void put(const struct rig *rig, const char *path, int days) {
    char *bytes = arena_alloc(rig->arena, BYTES);
    memset(bytes, 'x', BYTES);
    assert_true(store_write(rig->arena, in(rig, path), (struct str){bytes, BYTES}));
    const struct timespec at = {.tv_sec = NOW_S - (time_t)days * DAY_S}, times[2] = {at, at};
    assert_int_equal(utimensat(AT_FDCWD, str_copy_z(rig->arena, in(rig, path)), times, 0), 0);
}

static struct rig rig_make(void) {
    struct rig rig = {.arena = arena_open()};
    char *top = str_copy_z(rig.arena, S("/tmp/unpin-cache-XXXXXX"));
    assert_non_null(mkdtemp(top));
    rig.top = str_of(top);
    rig.dir = path_join(rig.arena, rig.top, S("cache"));
    return rig;
}

static void rig_drop(struct rig *rig) {
    char command[64];
    (void)snprintf(command, sizeof command, "rm -r %.*s", FMT(rig->top));
    assert_int_equal(system(command), 0);
    arena_close(rig->arena);
}

static const struct {
    const char *path;
    enum cache_kind kind;
    int days;
} files[] = {
    {INDEX_CACHE "/pages/ab/" HEX30, CACHE_PAGES, 9},
    {INDEX_CACHE "/views/ab/" HEX30, CACHE_PAGES, 8},
    {INDEX_CACHE "/links/ab/" HEX30, CACHE_PAGES, 7},
    {INDEX_CACHE "/hosts/ab/" HEX30, CACHE_PAGES, 6},
    {INDEX_CACHE "/metadata/ab/" HEX30, CACHE_METADATA, 5},
    {INDEX_CACHE "/wheels/cd/" HEX62, CACHE_WHEELS, 4},
    {INDEX_CACHE "/wheels-notes/00/" HEX62, CACHE_FILES, 3},
    {"files/00/" HEX62, CACHE_FILES, 3},
    {"files/00/" HEX62 "x", CACHE_FILES, 3},
    {"files-notes/00/" HEX62, CACHE_FILES, 3},
    {"builds/ant-1.0.log", CACHE_BUILDS, 2},
    {"trails/0ff", CACHE_TRAILS, 1},
    {"python-0123456789abcdef.facts", CACHE_SCAN, 1},
    {"site-0123456789abcdef.dists", CACHE_SCAN, 1},
    {"state-0123456789abcdef0123456789abcdef.sha256", CACHE_SCAN, 1},
    {"lock-0123456789abcdef0123456789abcdef.sha256", CACHE_SCAN, 1},
    {"index-1/pages/ab/whatever", CACHE_OLD, 0},
    {INDEX_CACHE "/wheels/cd/" HEX62 ".12-345-6", CACHE_OLD, 0},
    {"builds/ant-1.0.log.12-345-6", CACHE_OLD, 0},
    {"site-0123456789abcdef.dists.AbC012", CACHE_OLD, 0},
};
enum { FILES = sizeof files / sizeof *files };

/* Names that are not ours, some of them nearly. */
static const char *const others[] = {
    "notes.txt",
    "lock",
    "index-x/pages/ab/" HEX30,
    "pictures/ab/" HEX30,
    INDEX_CACHE "/pages/ab/short",
    INDEX_CACHE "/pages/abc/" HEX30,
    INDEX_CACHE "/pages/ab/x/" HEX30,
    INDEX_CACHE "/pages/" HEX30,
    INDEX_CACHE "/wheels/cd/" HEX62 ".12-34",
    "builds/ant.txt",
    "trails/FFF",
    "site-0123456789abcdeg.dists",
    "index-1/loose",
};
enum { OTHERS = sizeof others / sizeof *others };

static void put_all(const struct rig *rig) {
    for (int i = 0; i < FILES; i++) put(rig, files[i].path, files[i].days);
    for (int i = 0; i < OTHERS; i++) put(rig, others[i], 100);
}

static void assert_others(const struct rig *rig) {
    for (int i = 0; i < OTHERS; i++) assert_true(is_there(rig, others[i]));
}

static struct cache look(const struct rig *rig) {
    struct cache cache;
    assert_null(cache_read(rig->arena, rig->dir, &cache));
    return cache;
}

static void test_read(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct cache cache = look(&rig);
    int64_t expected[CACHE_KINDS] = {0};
    assert_int_equal(cache.len, 0);
    put_all(&rig);
    assert_int_equal(link(str_copy_z(rig.arena, in(&rig, files[6].path)), str_copy_z(rig.arena, in(&rig, "second"))),
                     0);
    cache = look(&rig);
    assert_int_equal(cache.len, FILES);
    for (int i = 0; i < FILES; i++) expected[files[i].kind]++;
    for (int i = 0; i < CACHE_KINDS; i++) assert_int_equal(cache.kinds[i].files, expected[i]);
    assert_int_equal(cache.sum.files, FILES);
    assert_int_equal(cache.sum.shared, 1);
    /* On disk, at least what was written; of the one that has another name nothing. */
    assert_true(cache.sum.bytes >= (int64_t)(FILES - 1) * BYTES);
    assert_true(cache.sum.bytes < (int64_t)FILES * 4 * BYTES);
    assert_int_equal(cache.kinds[CACHE_PAGES].oldest_ns / 1000000000, NOW_S - 9 * DAY_S);
    assert_int_equal(cache.kinds[CACHE_PAGES].newest_ns / 1000000000, NOW_S - 6 * DAY_S);
    assert_true(cache.strange > 0);
    rig_drop(&rig);
}

static void test_clear(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct cache_sum freed[CACHE_KINDS];
    put_all(&rig);
    struct cache cache = look(&rig);
    assert_null(cache_clear(rig.arena, fs_real(), &cache, S(""), freed));
    assert_int_equal(cache_sum(freed).files, FILES);
    assert_int_equal(cache_sum(freed).bytes, cache.sum.bytes);
    for (int i = 0; i < FILES; i++) assert_false(is_there(&rig, files[i].path));
    assert_others(&rig);
    assert_false(is_there(&rig, "files"));
    assert_int_equal(look(&rig).len, 0);
    rig_drop(&rig);
}

/* The logs of one project, whose names begin like those of another. */
static void test_clear_one(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct cache_sum freed[CACHE_KINDS];
    put(&rig, "builds/Ant_Hill-1.0.log", 0);
    put(&rig, "builds/ant-hill.log", 0);
    put(&rig, "builds/ant-1.0.log", 0);
    put(&rig, "builds/ant-hill-top-1.0.log", 0);
    struct cache cache = look(&rig);
    assert_null(cache_clear(rig.arena, fs_real(), &cache, S("ant-hill"), freed));
    assert_int_equal(cache_sum(freed).files, 2);
    assert_true(is_there(&rig, "builds/ant-1.0.log"));
    assert_true(is_there(&rig, "builds/ant-hill-top-1.0.log"));
    rig_drop(&rig);
}

/* For every bound: what stays fits, nothing goes that is used later than what stays, and no more goes than must. */
static void test_prune_size(void **state) {
    (void)state;
    for (int keep = 0; keep <= 11; keep++) {
        struct rig rig = rig_make();
        struct cache_sum freed[CACHE_KINDS];
        put_all(&rig);
        struct cache cache = look(&rig);
        int64_t each = cache.kinds[CACHE_METADATA].bytes;
        assert_null(cache_prune(rig.arena, &cache, &(struct cache_terms){each * keep, INT64_MIN}, freed));
        struct cache left = look(&rig);
        assert_int_equal(left.sum.bytes, each * keep);
        assert_int_equal(left.kinds[CACHE_OLD].files, 0);
        assert_int_equal(left.sum.bytes + cache_sum(freed).bytes, cache.sum.bytes);
        if (keep >= 5) assert_int_equal(left.kinds[CACHE_SCAN].files, 4);
        if (keep == 10) {
            assert_true(is_there(&rig, "files/00/" HEX62));
            assert_true(is_there(&rig, "files-notes/00/" HEX62));
            assert_true(is_there(&rig, "files/00/" HEX62 "x"));
            assert_false(is_there(&rig, INDEX_CACHE "/wheels/cd/" HEX62));
        }
        assert_others(&rig);
        rig_drop(&rig);
    }
}

static void test_prune_age(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct cache_sum freed[CACHE_KINDS];
    put_all(&rig);
    struct cache cache = look(&rig);
    const struct cache_terms terms = {INT64_MAX, (NOW_S - INT64_C(4) * DAY_S) * 1000000000};
    assert_null(cache_prune(rig.arena, &cache, &terms, freed));
    for (int i = 0; i < FILES; i++)
        assert_int_equal(is_there(&rig, files[i].path), files[i].kind != CACHE_OLD && files[i].days <= 4);
    assert_others(&rig);
    rig_drop(&rig);
}

/* A file that an environment has too frees nothing: it stays, however much is too much. */
static void test_prune_shared(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct cache_sum freed[CACHE_KINDS];
    put(&rig, "files/00/" HEX62, 50);
    put(&rig, "trails/000", 1);
    assert_int_equal(link(str_copy_z(rig.arena, in(&rig, "files/00/" HEX62)), str_copy_z(rig.arena, in(&rig, "b"))), 0);
    struct cache cache = look(&rig);
    assert_null(cache_prune(rig.arena, &cache, &(struct cache_terms){0, INT64_MIN}, freed));
    assert_true(is_there(&rig, "files/00/" HEX62));
    assert_false(is_there(&rig, "trails/000"));
    rig_drop(&rig);
}

/* Links that lead out, pipes, directories where files should be: nothing of them goes, and nothing behind them. */
static void test_hostile(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct cache_sum freed[CACHE_KINDS];
    struct arena *arena = rig.arena;
    struct rig outside = rig;
    outside.dir = path_join(arena, rig.top, S("outside"));
    put(&outside, "wheels/cd/" HEX62, 50);
    put(&outside, "ab/" HEX30, 50);
    put(&outside, HEX62, 50);
    put(&rig, "trails/000", 50);
    assert_int_equal(symlink("../outside", str_copy_z(arena, in(&rig, INDEX_CACHE))), 0);
    assert_int_equal(mkdir(str_copy_z(arena, in(&rig, "files")), 0700), 0);
    assert_int_equal(symlink("../../outside", str_copy_z(arena, in(&rig, "files/ab"))), 0);
    assert_int_equal(mkdir(str_copy_z(arena, in(&rig, "files/00")), 0700), 0);
    assert_int_equal(symlink("../../../outside/" HEX62, str_copy_z(arena, in(&rig, "files/00/" HEX62))), 0);
    assert_int_equal(mkfifo(str_copy_z(arena, in(&rig, "files/00/" HEX62 "x")), 0600), 0);
    assert_int_equal(mkdir(str_copy_z(arena, in(&rig, "trails/111")), 0700), 0);
    assert_int_equal(mkdir(str_copy_z(arena, in(&rig, "files/00/\n\033[31m")), 0700), 0);
    struct cache cache = look(&rig);
    assert_int_equal(cache.len, 1);
    assert_true(cache.strange >= 4);
    assert_null(cache_prune(arena, &cache, &(struct cache_terms){0, INT64_MAX}, freed));
    assert_int_equal(cache_sum(freed).files, 1);
    cache = look(&rig);
    assert_null(cache_clear(arena, fs_real(), &cache, S(""), freed));
    assert_int_equal(cache_sum(freed).files, 0);
    assert_true(is_there(&outside, "wheels/cd/" HEX62));
    assert_true(is_there(&outside, "ab/" HEX30));
    assert_true(is_there(&outside, HEX62));
    assert_true(is_there(&rig, "files/00/" HEX62));
    assert_true(is_there(&rig, "files/00/" HEX62 "x"));
    rig_drop(&rig);
}

/* Entries that are about a project are told by what is in them: damaged ones are about none, and go. */
static void test_damaged(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct cache_sum freed[CACHE_KINDS];
    put_all(&rig);
    assert_true(store_seal(rig.arena, in(&rig, INDEX_CACHE "/pages/cd/" HEX30), S("about"), S("no page")));
    struct cache cache = look(&rig);
    assert_null(cache_clear(rig.arena, fs_real(), &cache, S("bee"), freed));
    assert_int_equal(cache_sum(freed).files, 0);
    assert_false(is_there(&rig, files[0].path));
    assert_false(is_there(&rig, files[4].path));
    assert_true(is_there(&rig, INDEX_CACHE "/pages/cd/" HEX30));
    assert_true(is_there(&rig, files[5].path));
    rig_drop(&rig);
}

static void test_use(void **state) {
    (void)state;
    struct rig rig = rig_make();
    int own = -2;
    assert_null(cache_own(rig.arena, rig.dir, &own));
    assert_int_equal(own, -1); /* there is no cache */
    int first = cache_use(rig.arena, rig.dir), second = cache_use(rig.arena, rig.dir);
    assert_true(first >= 0 && second >= 0);
    struct err *err = cache_own(rig.arena, rig.dir, &own);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_BUSY);
    cache_leave(first);
    cache_leave(second);
    assert_null(cache_own(rig.arena, rig.dir, &own));
    assert_true(own >= 0);
    cache_leave(own);
    cache_leave(-1);
    rig_drop(&rig);
}

/* What is in the cache is summed up when nothing is known of it, when what came makes it too much, and once a week. */
static void test_bound(void **state) {
    (void)state;
    struct rig rig = rig_make();
    struct cache_sum freed[CACHE_KINDS];
    bool removed = true;
    put_all(&rig);
    struct cache cache = look(&rig);
    int64_t most = cache.sum.bytes + BYTES;
    const struct fs *fs = fs_real();
    cache_bound(rig.arena, fs, rig.dir, most, 0, NOW_S, freed, &removed);
    assert_false(removed);
    /* Believed: what came since is not looked at. */
    put(&rig, INDEX_CACHE "/wheels/ef/" HEX62, 0);
    put(&rig, INDEX_CACHE "/wheels/00/" HEX62, 0);
    cache_bound(rig.arena, fs, rig.dir, most, BYTES / 2, NOW_S + 1, freed, &removed);
    assert_false(removed);
    /* Somebody uses it: not now. */
    int use = cache_use(rig.arena, rig.dir);
    cache_bound(rig.arena, fs, rig.dir, most, BYTES, NOW_S + 2, freed, &removed);
    assert_false(removed);
    cache_leave(use);
    cache_bound(rig.arena, fs, rig.dir, most, BYTES, NOW_S + 3, freed, &removed);
    assert_true(removed);
    assert_int_equal(freed[CACHE_OLD].files, 4);
    assert_true(look(&rig).sum.bytes <= most - most / CACHE_SPARE);
    assert_true(is_there(&rig, INDEX_CACHE "/wheels/ef/" HEX62));
    /* A week later it is looked at, though nothing came; and so is one whose sum is damaged, or of the future. */
    for (int i = 0; i < 6; i++) put(&rig, i % 2 ? "trails/001" : "trails/002", 0);
    most = look(&rig).sum.bytes - 1;
    cache_bound(rig.arena, fs, rig.dir, most + BYTES, 0, NOW_S + 4 + CACHE_LOOK_S, freed, &removed);
    cache_bound(rig.arena, fs, rig.dir, INT64_MAX - 1, 0, NOW_S, freed, &removed); /* the clock went back */
    assert_false(removed);
    assert_true(store_write(rig.arena, in(&rig, "size"), S("damaged")));
    cache_bound(rig.arena, fs, rig.dir, 1, 0, NOW_S, freed, &removed);
    assert_true(removed);
    rig_drop(&rig);
}

/* Several processes use, fill and bound one cache at once: none fails, and the bound holds in the end. */
static void test_many(void **state) {
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 15 };
    struct rig rig = rig_make();
    for (int p = 0; p < PROCESSES; p++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid) continue;
        int failed = 0;
        for (int i = 0; i < ROUNDS; i++) {
            struct cache_sum freed[CACHE_KINDS];
            struct str got, about = S("about"), path = in(&rig, "");
            bool removed;
            int use = cache_use(rig.arena, rig.dir);
            path = str_format(rig.arena, "%.*s/" INDEX_CACHE "/pages/%02x/" HEX30, FMT(rig.dir),
                              (unsigned)(p * ROUNDS + i));
            failed |= !store_seal(rig.arena, path, about, S("bytes"));
            /* While it is used nobody takes it away. */
            failed |= use < 0 || !store_unseal(fs_real(), rig.arena, path, about, 100, &got);
            cache_leave(use);
            cache_bound(rig.arena, fs_real(), rig.dir, 40000, 4096, NOW_S, freed, &removed);
        }
        _exit(failed);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct cache_sum freed[CACHE_KINDS];
    bool removed;
    store_remove(rig.arena, in(&rig, "size"));
    cache_bound(rig.arena, fs_real(), rig.dir, 40000, 0, NOW_S, freed, &removed);
    assert_true(look(&rig).sum.bytes <= 40000);
    rig_drop(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),       cmocka_unit_test(test_clear),     cmocka_unit_test(test_clear_one),
        cmocka_unit_test(test_prune_size), cmocka_unit_test(test_prune_age), cmocka_unit_test(test_prune_shared),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_damaged),   cmocka_unit_test(test_use),
        cmocka_unit_test(test_bound),      cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
