/*
 * apply_parts - what the files of `apply` share; nobody else includes it. apply.c: the order of it all.
 * apply_allowed.c: what is asked before anything is fetched. apply_imports.c: imports in a process of the target
 * Python. apply_compile.c: bytecode.
 */
#ifndef UNPIN_STAGE_APPLY_PARTS_H
#define UNPIN_STAGE_APPLY_PARTS_H

#include "base/arena.h"
#include "stage/apply.h"

/* How an import went. */
enum import_outcome {
    IMPORT_OK,
    IMPORT_FAILED,  /* ImportError, SyntaxError, AttributeError, …: what a wrong combination looks like */
    IMPORT_RAISED,  /* something else: settings, devices, servers that are not there */
    IMPORT_CRASHED, /* the process died */
    IMPORT_UNKNOWN, /* it took too long */
};

struct import_check {
    struct str module;
    int32_t group; /* those of one are imported in one process, in their order */
    enum import_outcome outcome;
    struct str message; /* what Python says; empty where it imports */
    struct str lacks;   /* FAILED: the module that is nowhere, where that is why; else empty */
    bool before;        /* it imported before the change */
};

enum { IMPORT_GROUPS_MAX = 4 };

/* The group of each wheel's modules. What requires each other, by whatever way, is in one, so that no interpreter loads
 * what another has loaded; the groups take about equally long, and depend on nothing but the wheels. Few modules are
 * one group. */
void imports_group(struct arena *arena, const struct wheel *wheels, int32_t len, int32_t *ret_groups);
/* Imports every module of `checks`, the groups side by side, and sets its outcome and message. ERR_ENVIRONMENT where
 * Python cannot be started. */
ERR_MUST_CHECK struct err *imports_try(struct arena *arena, const struct apply_input *input,
                                       struct import_check *checks, int32_t len);
/* Has the target Python compile the `.py` files that `ops` put. Best effort: nothing depends on it. */
void compile_try(struct arena *arena, const struct apply_input *input, const struct transaction_op *ops, int32_t len);
/* True for names that are worth an import: identifiers, not private, no tests. */
bool import_wanted(struct str module);

/* The resolved paths of the lock files that the plan edits, in the order of lock_set.files; empty where not edited. */
ERR_MUST_CHECK struct err *lock_paths(struct arena *arena, const struct plan *plan, struct str **ret);

#endif
