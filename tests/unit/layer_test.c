/* Layers: what --into may name, the texts of their files, and making one with a kill, and with an error, at every call.
 */
#include "stage/layer.h"

#include "base/arena.h"
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CALLS_MAX = 1000, KILLED = 77 };

struct world {
    struct arena *arena;
    char root[64];
    struct str dir;
    struct environment env;
    struct lock_set locks;
    struct lock_file file;
};

static int setup(void **state) {
    struct arena *arena = arena_open();
    struct world *world = arena_new(arena, struct world, 1);
    world->arena = arena;
    /* In memory where that can be: every layer is synced to its disk. */
    (void)snprintf(world->root, sizeof world->root, "%s/unpin-layer-XXXXXX",
                   access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    assert_non_null(mkdtemp(world->root));
    world->dir = str_format(arena, "%s/a/layer", world->root);
    world->file = (struct lock_file){.path = str_format(arena, "%.*s/constraint.txt", FMT(world->dir)),
                                     .text = S("click==8.1.7\n")};
    world->locks = (struct lock_set){.files = &world->file, .files_len = 1};
    static const struct str below = S_INIT("/base/lib/python3.11/site-packages");
    world->env.prefix = world->dir;
    world->env.purelib = path_join(arena, world->dir, S("lib/python3.11/site-packages"));
    world->env.python = path_join(arena, world->dir, S("bin/python"));
    world->env.markers.python_full_version = S("3.11.2");
    world->env.layer = (struct environment_layer){.of = S("/base/bin/python"),
                                                  .coming = true,
                                                  .base_python = S("/usr/bin/python3.11"),
                                                  .below_prefix = S("/base"),
                                                  .below = &below,
                                                  .below_len = 1,
                                                  .lock_source = S("PIP_CONSTRAINT")};
    struct dist *pip = arena_new(arena, struct dist, 1);
    *pip = (struct dist){.name = S("pip"), .site = -1};
    environment_seal(arena, &world->env, pip, 1);
    *state = world;
    return 0;
}

static void run(struct world *world, const char *format) {
    struct str command = str_format(world->arena, "cd %s && %s", world->root, format);
    assert_int_equal(system(command.data), 0);
}

static int teardown(void **state) {
    struct world *world = *state;
    run(world, "cd / && rm -rf \"$OLDPWD\"");
    arena_close(world->arena);
    return 0;
}

static void write_file(struct str path, const char *text) {
    FILE *f = fopen(path.data, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

/* In place of the interpreter: what its venv module leaves. */
static struct err *make_venv(void *self, struct arena *arena, const struct proc_call *call, struct proc_result *ret) {
    (void)self;
    struct str fresh = call->argv[call->argv_len - 2];
    static const char *const dirs[] = {"bin", "include", "lib", "lib/python3.11", "lib/python3.11/site-packages"};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (mkdir(path_join(arena, fresh, str_of(dirs[i])).data, 0755)) return err_errno(arena, errno, "mkdir");
    if (symlink("lib", path_join(arena, fresh, S("lib64")).data) ||
        symlink("/usr/bin/python3.11", path_join(arena, fresh, S("bin/python")).data))
        return err_errno(arena, errno, "symlink");
    write_file(path_join(arena, fresh, S("pyvenv.cfg")), "home = elsewhere\n");
    write_file(path_join(arena, fresh, S("bin/activate")), "# activate\n");
    *ret = (struct proc_result){0};
    return NULL;
}

static const struct proc fake_python = {NULL, make_venv};

/* The seam: at call number `at` the process is killed, or the call fails with `error`. */
struct fault {
    int32_t calls, at;
    int error;
};

static int before(void *self, const struct sys_event *event) {
    struct fault *fault = self;
    if (event->call == SYS_CLOSE) return 0;
    if (++fault->calls != fault->at) return 0;
    if (fault->error == 0) _exit(KILLED);
    return fault->error;
}

static struct err *make(struct world *world, struct fault *fault, bool *ret_dir) {
    const struct sys sys = {fault, before, NULL};
    const struct layer_input input = {fs_real(), &fake_python, &sys, &world->env, &world->locks};
    return layer_make(world->arena, &input, ret_dir);
}

static const char whole[] =
    "cd a/layer && { rmdir .unpin-new 2>/dev/null; true; } && find . | sort | tr '\\n' ' ' | grep -qx '. ./bin "
    "./bin/activate ./bin/pip ./bin/pip3 ./bin/python "
    "./constraint.txt ./include ./lib ./lib/python3.11 ./lib/python3.11/site-packages "
    "./lib/python3.11/site-packages/~unpin-base.pth ./lib64 ./pip.conf ./pyvenv.cfg ' && "
    "echo click==8.1.7 | cmp - constraint.txt && grep -qx 'unpin-layer-of = /base/bin/python' pyvenv.cfg && "
    "! grep -q elsewhere pyvenv.cfg";

static void test_made_whole(void **state) {
    struct world *world = *state;
    struct layer found;
    bool dir = false;
    assert_null(layer_find(world->arena, fs_real(), world->dir, &found));
    assert_false(found.made);
    assert_null(make(world, &(struct fault){0}, &dir));
    assert_true(dir);
    run(world, whole);
    assert_null(layer_find(world->arena, fs_real(), world->dir, &found));
    assert_true(found.made && str_eq(found.of, S("/base/bin/python")));
    struct err *err = make(world, &(struct fault){0}, &dir);
    assert_true(err && err->kind == ERR_CHANGED);
    run(world, whole);
}

/* After a kill at any call there is the layer, or nothing that keeps the next attempt from making it. */
static void test_killed_at_every_call(void **state) {
    struct world *world = *state;
    int32_t at = 1, layers = 0;
    for (; at < CALLS_MAX; at++) {
        struct fault fault = {.at = at};
        bool dir = false;
        pid_t child = fork();
        if (child == 0) _exit(make(world, &fault, &dir) ? 1 : 0);
        int status = 0;
        assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
        struct layer found;
        struct err *err = layer_find(world->arena, fs_real(), world->dir, &found);
        if (err) fail_msg("killed at call %d: %.*s", at, FMT(err_format(world->arena, err)));
        if (found.made) {
            layers++;
        } else {
            err = make(world, &(struct fault){0}, &dir);
            if (err) fail_msg("after a kill at call %d: %.*s", at, FMT(err_format(world->arena, err)));
        }
        run(world, whole);
        run(world, "rm -rf a");
        if (WEXITSTATUS(status) != KILLED) break;
    }
    assert_in_range(at, 20, CALLS_MAX - 1);
    assert_in_range(layers, 1, 5); /* only the last calls come when it is there */
}

/* After an error at any call there is nothing, or (the last calls) the layer. */
static void test_failing_at_every_call(void **state) {
    struct world *world = *state;
    static const int errors[] = {ENOSPC, EIO, EROFS};
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        for (int32_t at = 1; at < CALLS_MAX; at++) {
            struct fault fault = {.at = at, .error = errors[e]};
            bool dir = false;
            struct err *err = make(world, &fault, &dir);
            if (err) run(world, "! [ -e a/layer/pyvenv.cfg ] && ! [ -e a/layer ]");
            else run(world, whole);
            run(world, "rm -rf a");
            if (fault.calls < at) break;
        }
    }
}

static void test_dropped_whole_and_killed(void **state) {
    struct world *world = *state;
    const struct layer_input plain = {fs_real(), &fake_python, NULL, &world->env, &world->locks};
    for (int32_t at = 1; at < CALLS_MAX; at++) {
        struct fault fault = {.at = at};
        const struct sys sys = {&fault, before, NULL};
        const struct layer_input input = {fs_real(), &fake_python, &sys, &world->env, &world->locks};
        struct layer found;
        bool dir = false;
        assert_null(layer_make(world->arena, &plain, &dir));
        pid_t child = fork();
        if (child == 0) {
            layer_drop(world->arena, &input, true);
            _exit(0);
        }
        int status = 0;
        assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
        assert_null(layer_find(world->arena, fs_real(), world->dir, &found));
        if (WEXITSTATUS(status) == 0) {
            run(world, "! [ -e a/layer ]");
            return;
        }
        if (found.made) layer_drop(world->arena, &plain, true);
        else assert_null(layer_make(world->arena, &plain, &dir));
        run(world, "rm -rf a");
    }
    fail();
}

static void refuses(struct world *world, const char *name, enum err_kind kind) {
    struct layer found;
    struct err *err = layer_find(world->arena, fs_real(), str_format(world->arena, "%s/%s", world->root, name), &found);
    if (!err || err->kind != kind) fail_msg("%s", name);
}

static void test_what_is_refused(void **state) {
    struct world *world = *state;
    struct layer found;
    run(world,
        "mkdir full empty begun begun/.unpin-new begun/bin mixed mixed/.unpin-new && touch full/x file mixed/mine "
        "&& mkdir venv && echo 'home = /usr/bin' > venv/pyvenv.cfg && ln -s empty link");
    refuses(world, "full", ERR_CONFLICT);
    refuses(world, "file", ERR_CONFLICT);
    refuses(world, "venv", ERR_CONFLICT);
    refuses(world, "mixed", ERR_CONFLICT);
    refuses(world, "nowhere/../x", ERR_USAGE);
    refuses(world, "line\nfeed", ERR_USAGE);
    assert_null(layer_find(world->arena, fs_real(), str_format(world->arena, "%s/begun", world->root), &found));
    assert_null(layer_find(world->arena, fs_real(), str_format(world->arena, "%s/link", world->root), &found));
    assert_true(str_ends(found.dir, S("/empty")));
    assert_null(layer_find(world->arena, fs_real(), str_format(world->arena, "%s/x/./y/", world->root), &found));
    assert_true(str_ends(found.dir, S("/x/y")) && !found.made);
}

/* Several lock files become one that says the same, includes as comments. */
static void test_locks_are_joined(void **state) {
    struct world *world = *state;
    run(world,
        "mkdir l && printf 'a==1\\n-c more/b.txt\\nc==3  # why\\n' > l/a.txt && mkdir l/more && "
        "printf 'b==2 \\\\\\n  --hash=sha256:"
        "0000000000000000000000000000000000000000000000000000000000000000\\n-r \\\\\\n ../d.txt' > l/more/b.txt && "
        "printf 'd==4\\n' > l/d.txt");
    struct str path = str_format(world->arena, "%s/l/a.txt", world->root);
    struct lock_set set, again;
    struct lock_choice choice = {&path, 1, S("--lock")};
    struct environment env = world->env;
    env.layer.lock_source = S("");
    assert_null(lock_read(world->arena, fs_real(), &path, 1, &env.markers, &set));
    assert_int_equal(set.files_len, 3);
    struct lock_set old = set;
    assert_null(layer_lock(world->arena, &env, &choice, &set));
    assert_int_equal(set.files_len, 1);
    assert_int_equal(set.problems_len, 0);
    assert_true(str_eq(env.layer.lock_source, S("--lock")) && str_eq(choice.paths[0], set.files[0].path));
    assert_int_equal(set.by_name.len, 4);
    for (int32_t i = 0; i < old.by_name.len; i++) assert_true(map_find(&set.by_name, old.by_name.keys[i]) >= 0);
    struct str copy = str_format(world->arena, "%s/copy.txt", world->root);
    write_file(copy, str_copy_z(world->arena, set.files[0].text));
    assert_null(lock_read(world->arena, fs_real(), &copy, 1, &env.markers, &again));
    assert_int_equal(again.by_name.len, 4);
    assert_int_equal(again.files_len, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_every_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failing_at_every_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped_whole_and_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locks_are_joined, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
