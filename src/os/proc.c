#include "os/proc_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 64 << 10, POLL_STEP_MS = 100 };

/* The three ends that a program is started with, and our ends of its output. */
struct ends {
    int input;
    int output[2], error[2];
};

static void close_end(int *fd) {
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

static void close_ends(struct ends *ends) {
    close_end(&ends->input);
    for (int i = 0; i < 2; i++) {
        close_end(&ends->output[i]);
        close_end(&ends->error[i]);
    }
}

/* The input lies in memory as a file: no pipe to fill while output is read, and no SIGPIPE. */
static int input_open(struct str input, int *ret) {
    int fd = memfd_create("unpin-input", MFD_CLOEXEC);
    if (fd < 0) return errno;
    for (ptrdiff_t at = 0; at < input.len;) {
        ssize_t n = write(fd, input.data + at, (size_t)(input.len - at));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            int status = errno;
            (void)close(fd);
            return status;
        }
        at += n;
    }
    (void)lseek(fd, 0, SEEK_SET);
    *ret = fd;
    return 0;
}

static int ends_open(struct str input, struct ends *ends) {
    *ends = (struct ends){-1, {-1, -1}, {-1, -1}};
    int status = input_open(input, &ends->input);
    if (status == 0 && pipe2(ends->output, O_CLOEXEC) < 0) status = errno;
    if (status == 0 && pipe2(ends->error, O_CLOEXEC) < 0) status = errno;
    if (status) close_ends(ends);
    return status;
}

static char **words_of(struct arena *arena, const struct str *items, int32_t len) {
    char **words = arena_new(arena, char *, len + 1);
    for (int32_t i = 0; i < len; i++) words[i] = str_copy_z(arena, items[i]);
    return words;
}

/* Away from 0, 1 and 2, where the program's ends go: they may be free in a process that was started without them. */
static int move_up(int *fd) {
    if (*fd < 0 || *fd > 2) return 0;
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    if (moved < 0) return errno;
    (void)close(*fd);
    *fd = moved;
    return 0;
}

static int spawn(struct arena *arena, const char *path, const struct proc_call *call, struct ends *ends,
                 struct proc_running *ret) {
    int *theirs[] = {&ends->input, &ends->output[1], &ends->error[1]};
    struct proc_start start = {.path = path,
                               .directory = call->directory.len ? str_copy_z(arena, call->directory) : NULL,
                               .argv = words_of(arena, call->argv, call->argv_len),
                               .env = words_of(arena, call->env, call->env_len)};
    for (int i = 0; i < 3; i++) {
        int status = move_up(theirs[i]);
        if (status) return status;
        start.ends[i] = *theirs[i];
    }
    return proc_start(&start, ret);
}

static int64_t now_ms(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Takes what is there; closes `*fd` at the end of it. */
static void drain(int *fd, struct buf *into) {
    ssize_t n = read(*fd, buf_reserve(into, CHUNK), CHUNK);
    if (n > 0) into->len += n;
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) close_end(fd);
}

/* Reads both outputs to their ends, or until the time or the limit is over. */
static void collect(const struct proc_call *call, int64_t deadline, struct ends *ends, struct buf *output,
                    struct buf *error, struct proc_result *ret) {
    while (ends->output[0] >= 0 || ends->error[0] >= 0) {
        int64_t left = deadline - now_ms();
        ret->timed_out = left <= 0;
        ret->too_much = output->len > call->output_max || error->len > call->output_max;
        if (ret->timed_out || ret->too_much || signals_waiting()) return;
        struct pollfd polled[2] = {{.fd = ends->output[0], .events = POLLIN}, {.fd = ends->error[0], .events = POLLIN}};
        if (poll(polled, 2, left < POLL_STEP_MS ? (int)left : POLL_STEP_MS) < 0 && errno != EINTR) return;
        if (polled[0].revents) drain(&ends->output[0], output);
        if (polled[1].revents) drain(&ends->error[0], error);
    }
}

/* Waits for the end of a program whose outputs have ended. False: its time is over before. */
static bool wait_end(const struct proc_running *running, int64_t deadline, int *status) {
    for (;;) {
        int64_t left = deadline - now_ms();
        if (proc_ended(running, left < 0 ? 0 : left < POLL_STEP_MS ? (int)left : POLL_STEP_MS, status)) return true;
        if (left <= 0 || signals_waiting()) return false;
    }
}

static struct err *real_run(void *self, struct arena *arena, const struct proc_call *call, struct proc_result *ret) {
    (void)self;
    struct str path;
    if (call->argv_len < 1 || call->argv_len > PROC_WORDS_MAX || call->env_len > PROC_WORDS_MAX)
        return err_make(arena, ERR_INTERNAL, "a program with %d words", call->argv_len);
    if (!proc_find(arena, call->argv[0], &path))
        return err_make(arena, ERR_IO, "there is no program '%.*s'", FMT(call->argv[0]));
    struct ends ends;
    struct proc_running running;
    int status = ends_open(call->input, &ends);
    if (!status) status = spawn(arena, str_copy_z(arena, path), call, &ends, &running);
    if (status) {
        close_ends(&ends);
        return err_errno(arena, status, "cannot run '%.*s'", FMT(path));
    }
    close_end(&ends.output[1]);
    close_end(&ends.error[1]);
    struct buf output = {.arena = arena}, error = {.arena = arena};
    struct proc_result result = {0};
    int64_t deadline = now_ms() + call->timeout_ms;
    int wait_status = SIGKILL;
    collect(call, deadline, &ends, &output, &error, &result);
    bool cut = result.timed_out || result.too_much || signals_waiting();
    if (!cut) close_ends(&ends);
    bool ended = !cut && wait_end(&running, deadline, &wait_status);
    proc_let_go(&running, !ended, &wait_status);
    close_ends(&ends); /* not before: it would end by SIGPIPE, and might do something about that */
    result.timed_out = result.timed_out || (!cut && !ended);
    TRY(signals_check(arena));
    result.status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    result.output = buf_str(&output);
    result.error = buf_str(&error);
    *ret = result;
    return NULL;
}

const struct proc *proc_real(void) {
    static const struct proc real = {NULL, real_run};
    return &real;
}

struct err *proc_run(const struct proc *proc, struct arena *arena, const struct proc_call *call,
                     struct proc_result *ret) {
    return proc->run(proc->self, arena, call, ret);
}

bool proc_variable(struct arena *arena, const char *name, struct str *ret) {
    const char *value = getenv(name);
    if (value) *ret = str_format(arena, "%s=%s", name, value);
    return value != NULL;
}

static bool is_program(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool proc_find(struct arena *arena, struct str name, struct str *ret) {
    if (name.len == 0 || str_find_char(name, '\0') >= 0) return false;
    if (str_find_char(name, '/') >= 0) {
        if (!is_program(str_copy_z(arena, name))) return false;
        *ret = name;
        return true;
    }
    struct str rest = str_of(getenv("PATH"));
    while (rest.len) {
        struct str folder = str_cut(&rest, ':');
        char *path = str_copy_z(arena, str_format(arena, "%.*s/%.*s", FMT(folder.len ? folder : S(".")), FMT(name)));
        if (!is_program(path)) continue;
        *ret = str_of(path);
        return true;
    }
    return false;
}
