/*
 * proc - running another program, as a table that is passed in like `struct fs`.
 *
 * No shell takes part: the program gets exactly the words, the environment and the input it is given, its own process
 * group, and default signal dispositions. What it writes is collected up to a limit; past the limit or the time it is
 * killed with all that it started. So it is where this process ends before it, even by SIGKILL.
 */
#ifndef UNPIN_OS_PROC_H
#define UNPIN_OS_PROC_H

#include "base/err.h"

enum { PROC_WORDS_MAX = 10000 };

struct proc_call {
    const struct str *argv; /* the program first: a path, or a name that is looked for in PATH of *this* process */
    int32_t argv_len;
    const struct str *env; /* "NAME=value"; the whole environment of the program */
    int32_t env_len;
    struct str input;     /* its standard input */
    struct str directory; /* its working directory; empty: ours */
    int64_t output_max;   /* bytes of standard output, and of standard error, before it is killed */
    int32_t timeout_ms;
};

struct proc_result {
    int32_t status; /* exit status; 128 + signal where a signal ended it */
    bool timed_out;
    bool too_much; /* it wrote more than output_max */
    struct str output, error;
};

struct proc {
    void *self;
    struct err *(*run)(void *self, struct arena *arena, const struct proc_call *call, struct proc_result *ret);
};

/* Real programs. */
const struct proc *proc_real(void);

/* Runs it and waits for its end. ERR_IO, ERR_PERMISSION where it cannot be started; that it fails is in the result. */
ERR_MUST_CHECK struct err *proc_run(const struct proc *proc, struct arena *arena, const struct proc_call *call,
                                    struct proc_result *ret);

/* "NAME=value" of this process's variable, for proc_call.env; false where it is not set. */
bool proc_variable(struct arena *arena, const char *name, struct str *ret);
/* The path of an executable file named `name`: as it is if it has a slash, else the first in PATH. */
bool proc_find(struct arena *arena, struct str name, struct str *ret);

#endif
