/*
 * A process between us and a program, so that nothing of the program outlives us, not even where we are killed.
 *
 * The supervisor is a fork of ours that does nothing but wait: for the program's end, which it tells, and for the end
 * of the leash, a pipe whose other end is ours alone. The kernel closes that when we die. Then the supervisor kills the
 * program's process group, and as the reaper of all orphans below it also what left the group. The program itself is
 * killed by the kernel if the supervisor dies.
 */
#include "os/proc_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FDS_MAX = 65536,       /* descriptors that are closed one by one where the kernel cannot close all */
    KILL_ROUNDS_MAX = 500, /* each a little time after the other */
    KILL_STEP_NS = 2000000,
    CHILDREN_MAX = 4096, /* bytes of the list of children */
    EXIT_EXEC = 127,
};

/* What the supervisor tells. */
enum word { STARTED, NOT_STARTED /* value: errno */, ENDED /* value: wait status */ };
struct report {
    int word, value;
};

/* What the supervisor knows. */
struct watch {
    int leash, report, signals;
    pid_t program;
};

static void tell(int fd, enum word word, int value) {
    const struct report report = {(int)word, value};
    while (write(fd, &report, sizeof report) < 0 && errno == EINTR) {
    }
}

static bool hear(int fd, struct report *ret) {
    ssize_t n;
    while ((n = read(fd, ret, sizeof *ret)) < 0 && errno == EINTR) {
    }
    return n == (ssize_t)sizeof *ret;
}

/* Closes all from `from` on but two. Locks and pipes of ours must end with us. */
static void close_others(int from, int a, int b) {
    int low = a < b ? a : b, high = a < b ? b : a;
    const int spans[][2] = {{from, low - 1}, {low + 1, high - 1}, {high + 1, -1}};
    for (int i = 0; i < 3; i++) {
        unsigned first = (unsigned)spans[i][0], last = (unsigned)spans[i][1];
        if (first > last) continue;
        if (syscall(SYS_close_range, first, last, 0u) == 0) continue;
        for (unsigned fd = first; fd <= last && fd < FDS_MAX; fd++) (void)close((int)fd);
    }
}

/* In the program's process, up to its exec. */
static void become(const struct proc_start *start, pid_t supervisor, int fail) {
    sigset_t none;
    int status = 0;
    (void)setpgid(0, 0);
    /* Where the supervisor died before this call, nobody would send the signal. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) status = errno;
    if (!status && getppid() != supervisor) status = ESRCH;
    for (int i = 0; i < 3 && !status; i++)
        if (dup2(start->ends[i], i) < 0) status = errno;
    if (!status && start->directory && chdir(start->directory) < 0) status = errno;
    for (int number = 1; number < NSIG; number++) (void)signal(number, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (!status) {
        (void)execve(start->path, start->argv, start->env);
        status = errno;
    }
    while (write(fail, &status, sizeof status) < 0 && errno == EINTR) {
    }
    _exit(EXIT_EXEC);
}

/* Forks the program; 0 once it is another program than ours, else why not. */
static int launch(const struct proc_start *start, pid_t *ret) {
    int fail[2], status = 0;
    if (pipe2(fail, O_CLOEXEC) < 0) return errno;
    pid_t supervisor = getpid(), pid = fork();
    if (pid < 0) status = errno;
    if (pid == 0) become(start, supervisor, fail[1]);
    (void)close(fail[1]);
    ssize_t n = 0;
    while (pid > 0 && (n = read(fail[0], &status, sizeof status)) < 0 && errno == EINTR) {
    }
    if (n <= 0 && pid > 0) status = 0;
    (void)close(fail[0]);
    /* Both do it, for neither knows who comes first. */
    if (pid > 0) (void)setpgid(pid, pid);
    *ret = pid;
    return status;
}

/* Takes all who ended, and tells of the program. False: nobody is left. */
static bool reap(const struct watch *watch) {
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0) return true;
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) return false;
        if (pid == watch->program) tell(watch->report, ENDED, status);
    }
}

/* Kills our children: the program, and whatever lost its parent. */
static void kill_children(void) {
    char list[CHILDREN_MAX];
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = read(fd, list, sizeof list - 1);
    (void)close(fd);
    list[n > 0 ? n : 0] = '\0';
    char *at = list;
    for (;;) {
        char *end;
        long pid = strtol(at, &end, 10);
        /* A number that the buffer cut off is followed by nothing: the next round has it. */
        if (end == at || *end == '\0' || pid <= 0) return;
        (void)kill((pid_t)pid, SIGKILL);
        at = end;
    }
}

static void kill_all(const struct watch *watch) {
    const struct timespec pause = {.tv_nsec = KILL_STEP_NS};
    for (int i = 0; i < KILL_ROUNDS_MAX; i++) {
        (void)kill(-watch->program, SIGKILL);
        kill_children();
        if (!reap(watch)) return;
        (void)nanosleep(&pause, NULL);
    }
}

/* Until the leash ends. A word on it: what the program started may go on. */
static void wait_for_both(const struct watch *watch) {
    for (;;) {
        char word;
        struct signalfd_siginfo info;
        struct pollfd polled[2] = {{.fd = watch->leash, .events = POLLIN}, {.fd = watch->signals, .events = POLLIN}};
        if (poll(polled, 2, -1) < 0 && errno != EINTR) break;
        if (polled[1].revents) (void)!read(watch->signals, &info, sizeof info);
        (void)reap(watch);
        if (!polled[0].revents) continue;
        ssize_t n = read(watch->leash, &word, sizeof word);
        if (n > 0) return;
        if (n == 0 || (errno != EINTR && errno != EAGAIN)) break;
    }
    kill_all(watch);
}

/* The supervisor's life. */
static void supervise(const struct proc_start *start, int leash, int report) {
    sigset_t child;
    struct watch watch = {.leash = leash, .report = report, .program = -1};
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN);
    int status = launch(start, &watch.program);
    if (status) {
        tell(report, NOT_STARTED, status);
        _exit(EXIT_EXEC);
    }
    /* What the program writes ends when the program and its children end: we must not hold it open. */
    close_others(0, leash, report);
    watch.signals = signalfd(-1, &child, SFD_CLOEXEC);
    tell(report, STARTED, 0);
    if (watch.signals < 0) kill_all(&watch);
    else wait_for_both(&watch);
    _exit(0);
}

int proc_start(const struct proc_start *start, struct proc_running *ret) {
    int leash[2], report[2];
    sigset_t all, old;
    struct report first;
    if (pipe2(leash, O_CLOEXEC) < 0) return errno;
    if (pipe2(report, O_CLOEXEC) < 0) {
        int failed = errno;
        (void)close(leash[0]);
        (void)close(leash[1]);
        return failed;
    }
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &old);
    pid_t pid = fork();
    int status = pid < 0 ? errno : 0;
    if (pid == 0) {
        (void)close(leash[1]);
        (void)close(report[0]);
        supervise(start, leash[0], report[1]);
    }
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    (void)close(leash[0]);
    (void)close(report[1]);
    struct proc_running running = {pid, leash[1], report[0]};
    if (!status && !hear(running.report, &first)) status = ECHILD;
    else if (!status && first.word == NOT_STARTED) status = first.value;
    if (status) {
        int ignored = 0;
        proc_let_go(&running, true, &ignored);
        return status;
    }
    *ret = running;
    return 0;
}

bool proc_ended(const struct proc_running *running, int wait_ms, int *status) {
    struct pollfd polled = {.fd = running->report, .events = POLLIN};
    struct report report;
    if (poll(&polled, 1, wait_ms) <= 0) return false;
    /* A supervisor that was killed tells nothing, and the program is killed with it. */
    *status = hear(running->report, &report) && report.word == ENDED ? report.value : SIGKILL;
    return true;
}

void proc_let_go(struct proc_running *running, bool kill, int *status) {
    struct report report;
    if (!kill) (void)!write(running->leash, "", 1);
    (void)close(running->leash);
    while (kill && hear(running->report, &report))
        if (report.word == ENDED) *status = report.value;
    (void)close(running->report);
    while (running->supervisor > 0 && waitpid(running->supervisor, NULL, 0) < 0 && errno == EINTR) {
    }
}
