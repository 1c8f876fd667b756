/* unpin install and unpin remove - plan, show, ask, apply, verify. */
#include "face/command.h"

#include "base/arena.h"

struct err *cmd_install(struct session *session, int *ret_status) {
    const struct options *options = session->options;
    const struct session_request request = {session_words(session), options->files, options->remove};
    if (request.words.len + request.files.len + request.remove.len == 0)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "nothing to install"),
                        "for example: unpin install 'numpy>=2'");
    struct plan plan;
    TRY(session_open_environment(session));
    TRY(session_need_live(session));
    TRY(session_propose(session, &request, &plan));
    return session_offer(session, &plan, ret_status);
}

struct err *cmd_remove(struct session *session, int *ret_status) {
    const struct session_request request = {.remove = session_words(session)};
    if (request.remove.len == 0)
        return err_hint(session->arena, err_make(session->arena, ERR_USAGE, "nothing to remove"),
                        "for example: unpin remove tensorboard");
    struct plan plan;
    TRY(session_open_environment(session));
    TRY(session_need_live(session));
    TRY(session_propose(session, &request, &plan));
    return session_offer(session, &plan, ret_status);
}
