/*
 * signals - SIGINT, SIGTERM and SIGHUP held back while something runs that has to end in order.
 *
 * Between signals_hold and signals_release a signal does not end the process: it waits, and whatever takes long
 * (downloads, other programs, unpacking) asks signals_check now and then, ends with ERR_INTERRUPTED and is cleaned up
 * after. Holds may be nested; the outermost release takes the signal that waits. SIGPIPE and SIGXFSZ are ignored
 * meanwhile: a closed pipe or `ulimit -f` is an error to handle, not a death. A signal that the process ignores (nohup)
 * is not held and never waits.
 */
#ifndef UNPIN_OS_SIGNALS_H
#define UNPIN_OS_SIGNALS_H

#include "base/err.h"

#include <signal.h>

struct signals {
    bool holds;
    sigset_t old_mask;
    struct sigaction old_pipe, old_fsize;
};

void signals_hold(struct signals *signals);
/* Takes a waiting signal away, so that the caller ends by its own exit status, and lets new ones through. Gives the
 * signal or 0; 0 as well where nothing is held or an outer hold goes on. */
int signals_release(struct signals *signals);
/* Takes a waiting signal away, but goes on holding. Gives it or 0. */
int signals_take(void);

/* True if one of the signals is held back and waits. */
bool signals_waiting(void);
/* ERR_INTERRUPTED, with the signal in it, if one waits. */
ERR_MUST_CHECK struct err *signals_check(struct arena *arena);

#endif
