/*
 * unpin - the command line.
 *
 * main reads the options, finds the command, runs it, and turns an err into a message and an exit status.
 *
 *   options   the command line as data          command   the table of commands, and help
 *   session   environment, lock, index, output  explain   what each stable code means
 *   cmd_*     one command each
 */
#include "base/arena.h"
#include "os/signals.h"
#include "face/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_SIGNAL = 128 };

/* While a command runs, signals are held back (os/signals) and end it with an err; so this is the end before it and
 * after it. */
static void on_signal(int number) {
    static const char text[] = "\nunpin: interrupted, nothing was changed [U070]\n";
    (void)!write(2, text, sizeof text - 1);
    _exit(STATUS_SIGNAL + number);
}

/* A signal that is ignored stays so: nohup. */
static void catch_signal(int number, const struct sigaction *action) {
    struct sigaction now;
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN) (void)sigaction(number, action, NULL);
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    catch_signal(SIGINT, &action);
    catch_signal(SIGTERM, &action);
    catch_signal(SIGHUP, &action);
    /* A closed or limited output must never stop a transaction: writes fail instead. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

/* A stream that the caller closed is held by a descriptor that fails: else the first file that is opened, such as the
 * lock of the cache or the journal, would take its number and get what is printed. */
static void hold_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return; /* lower numbers are taken, so the next one would not be `fd` either */
}

/* What users of pip and uv type, and which command does here what they mean. */
static const struct {
    struct str word;
    const char *hint;
} FOREIGN[] = {
    {S_INIT("list"), "unpin check reads what is installed; unpin snapshot writes it down; unpin locks shows the locks"},
    {S_INIT("freeze"), "unpin snapshot writes down what is installed; unpin locks shows the locks"},
    {S_INIT("upgrade"), "unpin install -U NAME upgrades"},
    {S_INIT("update"), "unpin install -U NAME upgrades"},
    {S_INIT("sync"), "unpin install -r FILE installs what the file asks for, and removes nothing"},
    {S_INIT("show"), "unpin why NAME says why it is at its version; unpin options NAME which others are possible"},
    {S_INIT("info"), "unpin why NAME says why it is at its version; unpin options NAME which others are possible"},
    {S_INIT("index"), "unpin options NAME says which versions are possible"},
    {S_INIT("tree"), "unpin why NAME says who requires it"},
    {S_INIT("rollback"), "unpin undo takes the last transaction back; unpin recover ends one that was interrupted"},
    {S_INIT("revert"), "unpin undo takes the last transaction back"},
    {S_INIT("pip"), "unpin stands for `pip`: unpin install NAME"},
    {S_INIT("doctor"), "unpin check finds what is broken"},
    {S_INIT("unpin"), "the name of the program stands once: unpin install NAME"},
};

static struct err *unknown_command(struct arena *arena, struct str word) {
    int32_t len = 0;
    const struct command *table = commands(&len);
    struct str *names = arena_new(arena, struct str, len);
    for (int32_t i = 0; i < len; i++) names[i] = table[i].name;
    struct err *err = err_make(arena, ERR_USAGE, "unknown command: %.*s", FMT(word));
    struct str nearest = options_nearest(word, names, len);
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++)
        if (str_eq(word, FOREIGN[i].word)) return err_hint(arena, err, "%s", FOREIGN[i].hint);
    if (nearest.len) return err_hint(arena, err, "did you mean: unpin %.*s?", FMT(nearest));
    return err_hint(arena, err, "unpin --help lists the commands");
}

static struct err *run(struct session *session, int *ret_status) {
    const struct options *options = session->options;
    if (options->version) {
        session_print(session, S("unpin " UNPIN_VERSION "\n"));
        return NULL;
    }
    bool asks_help = options->words.len > 0 && str_eq(options->words.items[0], S("help"));
    struct str word = options->words.len > (asks_help ? 1 : 0) ? options->words.items[asks_help ? 1 : 0] : S("");
    if (word.len == 0) {
        session_print(session, command_overview(session->arena));
        if (!options->help && !asks_help) *ret_status = err_exit_status(ERR_USAGE);
        return NULL;
    }
    const struct command *command = command_find(word);
    session->command = command ? command->name : word;
    if (!command) return unknown_command(session->arena, word);
    if (options->help || asks_help) {
        session_print(session, command_help(session->arena, command));
        return NULL;
    }
    TRY(options_allow(session->arena, options, command->name, command->groups));
    return command->run(session, ret_status);
}

/* True if --json stands among the arguments: for errors in the arguments themselves. */
static bool wants_json(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (str_eq(str_of(argv[i]), S("--json"))) return true;
    return false;
}

static const struct str *words_of(struct arena *arena, int argc, char **argv) {
    struct str *words = arena_new(arena, struct str, argc);
    for (int i = 0; i < argc; i++) words[i] = i == 0 ? S("unpin") : str_of(argv[i]);
    return words;
}

int main(int argc, char **argv) {
    hold_streams();
    arena_keep_memory();
    struct arena *arena = arena_open();
    struct options options = {0};
    catch_signals();
    const struct str *words = words_of(arena, argc, argv); /* getopt sorts argv */
    struct err *err = options_parse(arena, argc, argv, &options);
    if (err) options.json = wants_json(argc, argv);
    struct session session = session_make(arena, &options);
    session.argv = words;
    session.argv_len = argc;
    int status = 0;
    struct signals signals = {0};
    signals_hold(&signals);
    if (!err) err = run(&session, &status);
    session_progress(&session, S(""));
    session_close(&session);
    if (err) {
        status = err->signal ? STATUS_SIGNAL + err->signal : err_exit_status(err->kind);
        if (options.json && !session.printed) session_print(&session, report_err_json(arena, err, session.command));
        if (!options.json) (void)term_write(&session.err, report_err_format(arena, err, &session.err_look));
    }
    if (session.output_failed && status == 0 && !session.changed) status = err_exit_status(ERR_IO);
    if (session.output_failed && session.output_errno != EPIPE)
        (void)term_write(&session.err, str_format(arena, "unpin: cannot write to standard output: %s\n",
                                                  strerror(session.output_errno)));
    if (signals_release(&signals) && !err)
        session_note(&session, S("note: the interruption came too late, all is done"));
    arena_close(arena);
    return status;
}
