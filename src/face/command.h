/*
 * command - the commands: one table with what each does, which options it takes and the function that does it.
 *
 * A command's function is in face/cmd_<name>.c. It returns an err, or NULL after setting the exit status it wants (0 by
 * default): 3 for a request without a plan, 5 for an environment with breaks.
 */
#ifndef UNPIN_FACE_COMMAND_H
#define UNPIN_FACE_COMMAND_H

#include "face/session.h"

struct command {
    struct str name;
    const char *arguments; /* for the usage line */
    const char *summary;   /* for `unpin --help`, one line */
    const char *text;      /* for `unpin NAME --help`: what it does, in full */
    const char *examples;  /* lines of "  unpin …" */
    uint32_t groups;       /* bits of option_group it takes */
    struct err *(*run)(struct session *session, int *ret_status);
};

/* The table, in the order in which help shows it. */
const struct command *commands(int32_t *ret_len);
/* The command of a name or of an alias that users of pip and uv expect; NULL if there is none. */
const struct command *command_find(struct str name);

/* `unpin --help` and `unpin NAME --help`. */
struct str command_overview(struct arena *arena);
struct str command_help(struct arena *arena, const struct command *command);

ERR_MUST_CHECK struct err *cmd_plan(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_install(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_remove(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_apply(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_options(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_why(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_locks(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_check(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_history(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_undo(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_recover(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_snapshot(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_images(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_export(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_explain(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_cache(struct session *session, int *ret_status);
ERR_MUST_CHECK struct err *cmd_config(struct session *session, int *ret_status);

#endif
