/* unpin plan - the plan and nothing else. */
#include "face/command.h"

#include "base/arena.h"

struct err *cmd_plan(struct session *session, int *ret_status) {
    const struct options *options = session->options;
    const struct session_request request = {session_words(session), options->files, options->remove, options->editable};
    if (request.words.len + request.files.len + request.remove.len + request.editable.len == 0)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "nothing to plan for"),
                        "for example: unpin plan 'numpy>=2'");
    struct plan plan;
    TRY(session_propose(session, &request, &plan));
    struct report_extra extra = session_extra(session, &plan);
    if (options->output.len) {
        extra.lock_after = true;
        TRY(session_write_file(session, options->output, report_plan_json(session->arena, &plan, &extra)));
        extra.lock_after = false;
    }
    session_print(session, options->json ? report_plan_json(session->arena, &plan, &extra)
                                         : report_plan_format(session->arena, &plan, &session->look, &extra));
    if (plan.status == PLAN_INFEASIBLE) *ret_status = err_exit_status(ERR_INFEASIBLE);
    return NULL;
}
