#include "os/proc.h"

#include "base/arena.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct proc_result run(struct arena *arena, const char *script, struct str input, int64_t output_max,
                              int32_t timeout_ms) {
    struct str argv[] = {S("/bin/sh"), S("-c"), str_of(script), S("sh"), S("a b"), S("$HOME;*")};
    struct str env[] = {S("PATH=/usr/bin:/bin"), S("ONE=1 2")};
    struct proc_call call = {.argv = argv,
                             .argv_len = 6,
                             .env = env,
                             .env_len = 2,
                             .input = input,
                             .output_max = output_max,
                             .timeout_ms = timeout_ms};
    struct proc_result result = {0};
    assert_null(proc_run(proc_real(), arena, &call, &result));
    return result;
}

static void test_words_environment_and_input(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct proc_result result = run(arena, "printf '%s|' \"$@\" \"$ONE\" \"${HOME-none}\"; cat; echo bad >&2; exit 3",
                                    S("from input"), 1 << 20, 10000);
    assert_int_equal(result.status, 3);
    assert_true(str_eq(result.output, S("a b|$HOME;*|1 2|none|from input")));
    assert_true(str_eq(result.error, S("bad\n")));
    assert_false(result.timed_out || result.too_much);
    arena_close(arena);
}

static void test_limits(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct proc_result result = run(arena, "while :; do echo 0123456789; done", S(""), 1000, 10000);
    assert_true(result.too_much);
    assert_int_equal(result.status, 128 + 9);
    /* The grandchild holds the pipe: without a kill of the whole group this would wait for it. */
    result = run(arena, "sleep 60 & sleep 60", S(""), 1000, 50);
    assert_true(result.timed_out);
    assert_int_equal(result.status, 128 + 9);
    arena_close(arena);
}

/* The number behind `word` in a file, once it is there. */
static long number_in(const char *path) {
    for (int i = 0; i < 2000; i++) {
        long number = 0;
        FILE *file = fopen(path, "r");
        bool found = file && fscanf(file, "%ld\n", &number) == 1;
        if (file) (void)fclose(file);
        if (found) return number;
        (void)usleep(5000);
    }
    return 0;
}

static bool ends_soon(long pid) {
    for (int i = 0; i < 1000; i++) {
        char path[64], state = 'Z';
        (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
        FILE *file = fopen(path, "r");
        bool there = file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
        if (file) (void)fclose(file);
        if (!there || state == 'Z') return true;
        (void)usleep(5000);
    }
    return false;
}

/* Of a program that runs, with a child, a grandchild whose parent ended, and one in a session of its own, nothing is
 * left: once this process is killed, and once its time is over. */
static void test_nothing_remains(void **state) {
    (void)state;
    static const char script[] = "(sleep 100 & echo $! >b); setsid sleep 100 & echo $! >c; echo $$ >a; exec sleep 100";
    struct arena *arena = arena_open();
    for (int killed = 0; killed < 2; killed++) {
        char dir[] = "/tmp/unpin-proc-XXXXXX", all[256];
        assert_non_null(mkdtemp(dir));
        (void)snprintf(all, sizeof all, "cd %s && %s", dir, script);
        pid_t ours = fork();
        if (ours == 0) {
            (void)run(arena, all, S(""), 1000, killed ? 100000 : 500);
            _exit(0);
        }
        long pids[3];
        for (int i = 0; i < 3; i++) {
            char path[64];
            (void)snprintf(path, sizeof path, "%s/%c", dir, 'a' + i);
            pids[i] = number_in(path);
            assert_true(pids[i] > 1);
        }
        if (killed) assert_int_equal(kill(ours, SIGKILL), 0);
        assert_int_equal(waitpid(ours, NULL, 0), ours);
        for (int i = 0; i < 3; i++) assert_true(ends_soon(pids[i]));
        (void)snprintf(all, sizeof all, "rm -r %s", dir);
        assert_int_equal(system(all), 0);
    }
    arena_close(arena);
}

/* What a program leaves running on purpose goes on after its end. */
static void test_daemon_stays(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct proc_result result = run(arena, "sleep 100 >/dev/null 2>&1 </dev/null & echo $!", S(""), 1000, 10000);
    long pid = atol(str_copy_z(arena, result.output));
    assert_int_equal(result.status, 0);
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    arena_close(arena);
}

static void test_closed_outputs(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    /* Nothing is left to read, but the program goes on. */
    struct proc_result result = run(arena, "exec >&- 2>&-; sleep 60", S(""), 1000, 50);
    assert_true(result.timed_out);
    assert_int_equal(result.status, 128 + 9);
    result = run(arena, "exec >&- 2>&-; exit 4", S(""), 1000, 10000);
    assert_false(result.timed_out);
    assert_int_equal(result.status, 4);
    arena_close(arena);
}

static void test_not_there(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str argv[] = {S("/nowhere/python")}, found;
    struct proc_call call = {.argv = argv, .argv_len = 1, .output_max = 1, .timeout_ms = 1};
    struct proc_result result = {0};
    struct err *err = proc_run(proc_real(), arena, &call, &result);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_IO);
    assert_true(proc_find(arena, S("sh"), &found) && str_ends(found, S("/sh")));
    assert_false(proc_find(arena, S("/bin"), &found));
    assert_false(proc_find(arena, S("no-program-has-this-name"), &found));
    arena_close(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_environment_and_input),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_nothing_remains),
        cmocka_unit_test(test_daemon_stays),
        cmocka_unit_test(test_closed_outputs),
        cmocka_unit_test(test_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
