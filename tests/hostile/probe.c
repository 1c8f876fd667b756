/*
 * probe - what unpin makes of one wheel: verifies it, stages it in an environment, and with --commit installs it.
 *
 *     probe [--commit | --check] [--allow-pth] [--modified=keep|replace] [--rebuild-record] [--requested] PYTHON
 *           FILE.whl ...
 *     probe [--commit] --remove NAME PYTHON
 *
 * --check stages nothing. Of several wheels each is tried alone, in the environment as it was found. Prints a line of
 * JSON for each: the result "accepted" or "refused", the kind and text of the
 * refusal, warnings and notes, the numbers of operations, the time of its steps and the largest memory used. Exit
 * status 0 for both results.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "os/proc.h"
#include "os/transaction.h"
#include "pypa/name.h"
#include "stage/scan.h"
#include "stage/wheel_change.h"

#include <stdio.h>
#include <time.h>

struct probe {
    struct arena *arena;
    struct str python, remove;
    struct str wheel; /* the one that is tried */
    char **wheels;    /* all of them */
    int wheels_len;
    bool commit, check, requested;
    struct environment env;
    struct scheme scheme;
    struct wheel_change_options options;
    struct wheel_terms terms;
    struct wheel opened;
    struct wheel_operations operations;
    int64_t verify_us, stage_us, commit_us;
};

static int64_t now_us(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool parse(struct probe *probe, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        struct str word = str_of(argv[i]);
        if (str_eq(word, S("--commit"))) probe->commit = true;
        else if (str_eq(word, S("--check"))) probe->check = true;
        else if (str_eq(word, S("--requested"))) probe->requested = true;
        else if (str_eq(word, S("--allow-pth"))) probe->options.allow_startup = true;
        else if (str_eq(word, S("--rebuild-record"))) probe->terms.rebuild_record = true;
        else if (str_eq(word, S("--modified=keep"))) probe->options.modified = WHEEL_KEEP;
        else if (str_eq(word, S("--modified=replace"))) probe->options.modified = WHEEL_REPLACE;
        else if (str_eq(word, S("--remove")) && i + 1 < argc) probe->remove = str_of(argv[++i]);
        else if (probe->python.len == 0) probe->python = word;
        else if (probe->wheels_len++ == 0) probe->wheels = argv + i;
    }
    return probe->python.len && (probe->wheels_len != 0) != (probe->remove.len != 0);
}

static struct err *change(struct probe *probe, const struct scheme *scheme, const struct wheel_change *item) {
    if (probe->check) return wheel_change_make(probe->arena, &probe->options, item, 1, NULL, &probe->operations);
    struct transaction_options options = {.site = item->layout ? item->layout->site : scheme->purelib};
    wheel_change_roots(probe->arena, scheme, &options.roots, &options.roots_len);
    struct transaction_store *store = NULL;
    struct transaction *transaction = NULL;
    struct transaction_result result;
    enum transaction_recovery recovery;
    TRY(transaction_open(probe->arena, &options, &recovery, &store));
    struct err *err = transaction_begin(store, &transaction);
    int64_t start = now_us();
    if (!err) err = wheel_change_make(probe->arena, &probe->options, item, 1, transaction, &probe->operations);
    probe->stage_us = now_us() - start;
    start = now_us();
    if (err || !probe->commit) transaction_abort(transaction);
    else err = transaction_commit(transaction, probe->operations.ops, probe->operations.len, S("{}"), &result);
    probe->commit_us = now_us() - start;
    transaction_close(store);
    return err;
}

static struct err *scan(struct probe *probe) {
    const struct scan_options options = {.python = probe->python};
    TRY(scan_environment(probe->arena, fs_real(), proc_real(), &options, &probe->env));
    TRY(scheme_make(probe->arena, &probe->env, &probe->scheme));
    probe->options.env = &probe->env;
    probe->options.scheme = &probe->scheme;
    return NULL;
}

static struct err *run(struct probe *probe) {
    struct wheel_change item = {.name = name_normalize(probe->arena, probe->remove)};
    struct wheel_layout layout;
    if (probe->wheel.len) {
        int64_t start = now_us();
        struct str name = str_from(probe->wheel, str_find_last(probe->wheel, '/') + 1);
        TRY(wheel_open(probe->arena, probe->wheel, name, &probe->terms, &probe->opened));
        const struct wheel_options options = {.requested = probe->requested};
        TRY(wheel_layout_make(probe->arena, &probe->opened, &probe->scheme, &options, &layout));
        probe->verify_us = now_us() - start;
        item = (struct wheel_change){.name = probe->opened.filename.name, .layout = &layout};
    }
    return change(probe, &probe->scheme, &item);
}

/* The most memory this program used. getrusage would count what the parent used before it started this one. */
static int64_t memory_kib(struct arena *arena) {
    struct str text, line;
    if (fs_read(fs_real(), arena, S("/proc/self/status"), 1 << 16, &text)) return -1;
    int64_t kib = -1;
    while (str_line(&text, &line)) {
        struct str number = str_trim(str_from(line, 6));
        if (str_starts(line, S("VmHWM:")) && str_to_int(str_trim(str_slice(number, 0, number.len - 3)), &kib))
            return kib;
    }
    return kib;
}

static void print(struct probe *probe, const struct err *err) {
    struct buf buf = {.arena = probe->arena};
    struct json_writer out = {.buf = &buf};
    json_begin_object(&out);
    json_key_string(&out, S("result"), err ? S("refused") : S("accepted"));
    if (err) {
        json_key_string(&out, S("kind"), err_name(err->kind));
        json_key_string(&out, S("text"), err_format(probe->arena, err));
        json_key_string(&out, S("hint"), err->hint);
    }
    json_key_strings(&out, S("warnings"), probe->opened.warnings, probe->opened.warnings_len);
    json_key_strings(&out, S("notes"), probe->operations.notes, probe->operations.notes_len);
    json_key_int(&out, S("operations"), probe->operations.len);
    json_key_int(&out, S("verify_us"), probe->verify_us);
    json_key_int(&out, S("stage_us"), probe->stage_us);
    json_key_int(&out, S("commit_us"), probe->commit_us);
    json_key_int(&out, S("maxrss_kib"), memory_kib(probe->arena));
    json_end_object(&out);
    printf("%.*s\n", FMT(buf_str(&buf)));
}

int main(int argc, char **argv) {
    struct probe probe = {.arena = arena_open()};
    if (!parse(&probe, argc, argv)) {
        fprintf(stderr, "usage: probe [OPTION...] PYTHON FILE.whl | probe [OPTION...] --remove NAME PYTHON\n");
        return 2;
    }
    struct err *err = scan(&probe);
    const struct probe blank = probe;
    for (int i = 0; i == 0 || i < probe.wheels_len; i++) {
        struct arena_mark mark = arena_mark(probe.arena);
        probe = blank;
        if (probe.wheels_len) probe.wheel = str_of(probe.wheels[i]);
        print(&probe, err ? err : run(&probe));
        if (probe.opened.path.len) wheel_close(&probe.opened);
        arena_rewind(probe.arena, mark);
    }
    arena_close(probe.arena);
    return 0;
}
