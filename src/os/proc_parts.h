/*
 * proc_parts - what the parts of proc share. Only proc*.c include it.
 *
 * proc.c collects what a program writes; proc_supervise.c sees to it that nothing of it outlives us.
 */
#ifndef UNPIN_OS_PROC_PARTS_H
#define UNPIN_OS_PROC_PARTS_H

#include "os/proc.h"

#include <sys/types.h>

/* A program that is to be started; all of it is there before, for nothing may be allocated after a fork. */
struct proc_start {
    const char *path, *directory; /* directory NULL: ours */
    char **argv, **env;
    int ends[3]; /* its standard input, output and error */
};

/* A program that runs, and its supervisor. */
struct proc_running {
    pid_t supervisor;
    int leash;  /* the supervisor kills the program, and all that it started, when this is closed without a word */
    int report; /* where the supervisor tells how it ended */
};

/* Starts it; 0 or an errno value, that of exec too. */
int proc_start(const struct proc_start *start, struct proc_running *ret);
/* Waits at most `wait_ms` for its end. True: it has ended, with this wait status. */
bool proc_ended(const struct proc_running *running, int wait_ms, int *status);
/* Lets go: with `kill` all that the program started ends, else what goes on does so. Waits for the supervisor, and
 * gives the program's wait status where that was not known. */
void proc_let_go(struct proc_running *running, bool kill, int *status);

#endif
