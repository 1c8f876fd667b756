#include "face/session.h"

#include "base/arena.h"
#include "os/signals.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

int64_t session_clock_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct session session_make(struct arena *arena, const struct options *options) {
    struct session session = {
        .arena = arena,
        .options = options,
        .command = options->words.len > 0 ? options->words.items[0] : S(""),
        .fs = fs_real(),
        .out = term_open(1),
        .err = term_open(2),
        .started_us = session_clock_us(),
        .image = options->image,
        .cache_use = -1,
    };
    session.look = (struct report_look){session.out.color, options->verbose, options->quiet};
    session.err_look = (struct report_look){session.err.color, options->verbose, options->quiet};
    return session;
}

struct option_list session_words(const struct session *session) {
    struct option_list words = session->options->words;
    return words.len > 0 ? (struct option_list){words.items + 1, words.len - 1} : words;
}

void session_print(struct session *session, struct str text) {
    if (term_write(&session->out, text)) return;
    session->output_failed = true;
    session->output_errno = errno;
}

void session_note(struct session *session, struct str sentence) {
    if (session->options->quiet) return;
    session_progress(session, S(""));
    struct buf buf = {.arena = session->arena};
    term_escape(&buf, report_mask(session->arena, sentence));
    buf_add_char(&buf, '\n');
    (void)term_write(&session->err, buf_str(&buf));
}

void session_progress(struct session *session, struct str text) {
    if (session->options->quiet || session->options->json || !session->err.terminal) return;
    struct buf buf = {.arena = session->arena};
    term_escape(&buf, text);
    term_line(&session->err, buf_str(&buf));
}

struct err *session_ask(struct session *session, struct str question) {
    if (session->options->yes) return NULL;
    const char *hint = "run it again with -y (--yes) to go ahead";
    if (session->options->json || !term_can_ask())
        return err_hint(session->arena, err_make(session->arena, ERR_CONSENT, "nothing was changed: consent is needed"),
                        "%s", hint);
    bool agreed = term_ask(&session->err, question);
    TRY(signals_check(session->arena));
    if (agreed) return NULL;
    return err_make(session->arena, ERR_CONSENT, "nothing was changed, as you decided");
}

struct err *session_write_file(struct session *session, struct str path, struct str text) {
    struct arena *arena = session->arena;
    char *target = str_copy_z(arena, path);
    char *temporary = str_copy_z(arena, str_format(arena, "%.*s.%ld.tmp", FMT(path), (long)getpid()));
    struct stat stat_target;
    bool special = stat(target, &stat_target) == 0 && !S_ISREG(stat_target.st_mode); /* /dev/stdout, a pipe */
    const char *name = special ? target : temporary;
    int fd = open(name, O_WRONLY | O_CLOEXEC | (special ? 0 : O_CREAT | O_EXCL | O_NOFOLLOW), 0666);
    if (fd < 0) return err_errno(arena, errno, "cannot write %.*s", FMT(path));
    const struct term file = {.fd = fd};
    int failed = term_write(&file, text) ? 0 : errno;
    if (close(fd) != 0 && !failed) failed = errno;
    if (!failed && !special && rename(temporary, target) != 0) failed = errno;
    if (!failed) return NULL;
    if (!special) (void)unlink(temporary);
    return err_errno(arena, failed, "cannot write %.*s", FMT(path));
}
