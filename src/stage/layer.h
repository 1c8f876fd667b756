/*
 * layer - a virtual environment over another environment, which it sees and which stays as it is, byte for byte.
 *
 * For environments that may not or should not be written: an image's, a squashfs, another user's. What is installed
 * goes to the layer, whose site directory comes first on sys.path, and hides what is below. A layer is an ordinary
 * virtual environment (PEP 405) of the interpreter below with, beside what `python -m venv` makes:
 *
 *   pyvenv.cfg       `unpin-layer-of`: the interpreter below; `extends-environment` (as uv has it): its prefix, where
 *                    it is a virtual environment itself; `unpin-lock-source`: where the lock came from
 *   ~unpin-base.pth  in the site directory, for a virtual environment below: adds its site directories, with their own
 *                    .pth files, after everything of the layer's
 *   constraint.txt   the layer's own copy of the lock: what unpin lifts from then on
 *   pip.conf         pip's configuration of the environment below, with that lock
 *   bin/pip          runs the pip of the environment below for the layer, under the layer's lock whatever
 * PIP_CONSTRAINT says
 *
 * It is made in `.unpin-new` within its directory and moved out of there, pyvenv.cfg last of all: a directory without
 * pyvenv.cfg and with `.unpin-new` is an attempt that a crash ended, and the next one clears it away.
 */
#ifndef UNPIN_STAGE_LAYER_H
#define UNPIN_STAGE_LAYER_H

#include "os/fs.h"
#include "os/proc.h"
#include "os/sys.h"
#include "stage/environment.h"
#include "stage/lock.h"

enum { LAYER_DEPTH_MAX = 64, LAYER_TIMEOUT_MS = 120000, LAYER_FILE_MAX = 1 << 20 };

/* A directory that --into names. */
struct layer {
    struct str dir; /* absolute, links resolved as far as it exists */
    bool made;      /* a layer is there; else it has to be made */
    struct str of;  /* made: the interpreter below, as its pyvenv.cfg has it */
};

/* What is at `path`. ERR_CONFLICT where something else is: another virtual environment, files. ERR_USAGE for a path
 * that cannot be meant. */
ERR_MUST_CHECK struct err *layer_find(struct arena *arena, const struct fs *fs, struct str path, struct layer *ret);

/* Path of the lock of the layer with that prefix. */
struct str layer_lock_path(struct arena *arena, struct str prefix);
/*
 * Turns the lock of the environment below into that of the coming layer `env`: one file with every line of it, a single
 * file byte for byte. Sets env->layer.lock_source from `choice`, and `choice`. Does nothing where there is no lock.
 */
ERR_MUST_CHECK struct err *layer_lock(struct arena *arena, struct environment *env, struct lock_choice *choice,
                                      struct lock_set *set);

struct layer_input {
    const struct fs *fs;
    const struct proc *proc;
    const struct sys *sys;         /* NULL: the machine */
    const struct environment *env; /* the coming layer */
    const struct lock_set *locks;  /* its lock, as layer_lock made it */
};

/* Makes the layer, durably; `ret_dir` says whether its directory was made too. ERR_CONFLICT, ERR_BUSY
 * (another process makes it), ERR_ENVIRONMENT (the interpreter has no venv module), ERR_IO, ERR_PERMISSION,
 * ERR_SPACE, ERR_INTERRUPTED: there is no layer. */
ERR_MUST_CHECK struct err *layer_make(struct arena *arena, const struct layer_input *input, bool *ret_dir);
/* Takes a layer away that layer_make made, with all that is in it; its directory too with `dir`. What cannot be removed
 * stays as an unfinished attempt. */
void layer_drop(struct arena *arena, const struct layer_input *input, bool dir);

/* True for bin/pip as a layer comes with it: no loss where it is replaced. */
bool layer_is_pip(struct str text);

#endif
