#include "os/signals.h"

#include <time.h>

static const int held[] = {SIGINT, SIGTERM, SIGHUP};
enum { HELD = sizeof held / sizeof *held };

static sigset_t held_set(void) {
    sigset_t set;
    (void)sigemptyset(&set);
    for (int i = 0; i < HELD; i++) {
        struct sigaction now;
        bool ignored = sigaction(held[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN;
        if (!ignored) (void)sigaddset(&set, held[i]);
    }
    return set;
}

void signals_hold(struct signals *signals) {
    sigset_t set = held_set();
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)pthread_sigmask(SIG_BLOCK, &set, &signals->old_mask);
    (void)sigaction(SIGPIPE, &ignore, &signals->old_pipe);
    (void)sigaction(SIGXFSZ, &ignore, &signals->old_fsize);
    signals->holds = true;
}

static int take(const sigset_t *set) {
    static const struct timespec now = {0};
    int signal = 0;
    for (int got = sigtimedwait(set, NULL, &now); got > 0; got = sigtimedwait(set, NULL, &now)) signal = got;
    return signal;
}

int signals_release(struct signals *signals) {
    sigset_t set;
    if (!signals->holds) return 0;
    signals->holds = false;
    (void)sigemptyset(&set);
    for (int i = 0; i < HELD; i++)
        if (!sigismember(&signals->old_mask, held[i])) (void)sigaddset(&set, held[i]);
    int signal = take(&set);
    (void)sigaction(SIGPIPE, &signals->old_pipe, NULL);
    (void)sigaction(SIGXFSZ, &signals->old_fsize, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &signals->old_mask, NULL);
    return signal;
}

int signals_take(void) {
    sigset_t set = held_set();
    return take(&set);
}

static int waiting(void) {
    sigset_t set;
    if (sigpending(&set) < 0) return 0;
    for (int i = 0; i < HELD; i++)
        if (sigismember(&set, held[i]) == 1) return held[i];
    return 0;
}

bool signals_waiting(void) {
    return waiting() != 0;
}

struct err *signals_check(struct arena *arena) {
    int signal = waiting();
    if (signal == 0) return NULL;
    struct err *err = err_make(arena, ERR_INTERRUPTED, "interrupted by %s",
                               signal == SIGINT    ? "SIGINT"
                               : signal == SIGTERM ? "SIGTERM"
                                                   : "SIGHUP");
    err->signal = signal;
    return err_hint(arena, err, "nothing was changed: the old state is in place");
}
