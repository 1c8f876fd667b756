#include "face/explain.h"

static const struct str texts[] = {
    [ERR_USAGE] =
        S_INIT("The command line was not understood: an unknown option or command, or a value that is missing "
               "or of the wrong form. Nothing was done. `unpin --help` lists the commands, `unpin COMMAND "
               "--help` the options of one."),
    [ERR_REQUEST] =
        S_INIT("What was asked for is not a requirement as PEP 508 defines it, not a file, source tree or URL, or a "
               "line of a requirements file is not; or a source tree or repository is not what its URL says. File, "
               "line and column are in the message."),
    [ERR_LOCK] =
        S_INIT("A lock (pip constraint file) could not be read: it is not there, too large, or holds NUL bytes. "
               "PIP_CONSTRAINT may name a file that was deleted; pip itself fails then as well. Name another "
               "with --lock, or restore the file."),
    [ERR_SNAPSHOT] =
        S_INIT("The file given by --snapshot, or a saved plan, is neither a document of unpin nor a list of "
               "name==version lines. For a list, --python 3.12 and --platform linux_x86_64 say what it is a "
               "list of."),
    [ERR_CONFIG] = S_INIT("A configuration file of pip or uv, or an environment variable that stands for one of their "
                          "options, could not be understood. `unpin config` shows what is in force and where it comes "
                          "from."),
    [ERR_IO] =
        S_INIT("Reading or writing a file failed; the system's own message follows. A transaction that was under "
               "way was rolled back: the environment and the lock are as before."),
    [ERR_PERMISSION] =
        S_INIT("The system refused access to a file or directory, or it is on a read-only file system. "
               "Nothing was changed, nothing fetched. --into DIR makes a layer over the environment, which stays as "
               "it is, and changes that. Or run as its owner, or in Apptainer and enroot with a writable overlay."),
    [ERR_SPACE] =
        S_INIT("The disk or quota is full. Room for the whole transaction is reserved before anything changes, so "
               "the environment and the lock are as before. Free space and run the same command again."),
    [ERR_VERIFY] =
        S_INIT("After the change the environment was read again and was not what the plan says. Everything was "
               "rolled back. This points to another process writing at the same time, or to a fault of the "
               "disk."),
    [ERR_LIMIT] =
        S_INIT("Something was larger or deeper than unpin accepts: a page, a metadata file, an archive, nested "
               "includes. The limits guard against hostile input; the message names the thing and the limit."),
    [ERR_MALFORMED] =
        S_INIT("Something that came from outside does not follow its specification, and cannot be skipped "
               "safely. The message says what and where."),
    [ERR_WHEEL] =
        S_INIT("A wheel was refused: its archive, RECORD or names are not what the specification demands, or it "
               "would write outside of its place. Nothing of it was installed. Report it to the project that "
               "published it."),
    [ERR_BUILD] =
        S_INIT("A source could not be built: pip of the environment ended with an error, took too long "
               "(--build-timeout), or made a wheel that is not what was promised. The end of the log is in the message "
               "with the place of all of it. What needs the installed torch to be built wants --no-build-isolation. "
               "Or look for a version that has a wheel (`unpin options NAME`), or plan with --no-build."),
    [ERR_ENVIRONMENT] =
        S_INIT("The Python environment could not be found or read: no interpreter, no site directory, or an "
               "interpreter that does not start. Name one with --python PATH, or plan for an image or a "
               "snapshot with --image or --snapshot."),
    [ERR_CONFLICT] =
        S_INIT("unpin refused to act because the action would overwrite or lose something: files that were "
               "changed by hand, files of another distribution, or an environment that the system's package "
               "manager owns. The message names them and the option that permits it, where there is one."),
    [ERR_INFEASIBLE] =
        S_INIT("No plan exists: the requests cannot be met together with what is installed, whatever versions "
               "are chosen. This is proven. The facts that contradict each other are printed, and commands "
               "that would work."),
    [ERR_CONSENT] = S_INIT(
        "A change needs consent. There was no terminal to ask on, so nothing was changed. Read the plan, "
        "then run the command again with -y (--yes). What has no wheel is built, which runs its code: with --json "
        "only --build NAME allows that."),
    [ERR_BREAKS] =
        S_INIT("The environment has breaks: requirements of installed distributions that what is installed does "
               "not meet, advisories that apply, or files that differ from what was installed."),
    [ERR_RECOVER] =
        S_INIT("A transaction was interrupted and the environment was changed by something else since. Guessing "
               "could lose work, so nothing was touched. `unpin recover --forward` finishes it, `unpin recover "
               "--back` takes it back."),
    [ERR_INDEX] =
        S_INIT("The package index answered, but not with a page or file of the expected kind. `unpin config` shows "
               "which index is in force."),
    [ERR_NETWORK] =
        S_INIT("The package index could not be reached: name resolution, connection, TLS, proxy or time limit. "
               "With --offline only what is cached or recorded is used."),
    [ERR_HASH] = S_INIT(
        "A downloaded file has another hash or size than the index or the requirements file says. It was "
        "deleted; nothing was changed. A proxy that alters files, or an attack, looks like this. Or hashes are "
        "demanded (one --hash in a requirements file, or --require-hashes) and something that would be installed "
        "has none."),
    [ERR_CHANGED] = S_INIT("The environment is no longer the one the plan was made for: somebody installed or removed "
                           "something meanwhile. Nothing was changed. Make the plan again."),
    [ERR_BUSY] = S_INIT(
        "Another process (unpin, or uv) is changing this environment, or uses the cache that was to be pruned or "
        "cleared. Nothing was changed. Try again when it is done."),
    [ERR_INTERRUPTED] = S_INIT("Interrupted by a signal before anything was changed."),
    [ERR_INTERNAL] =
        S_INIT("A fault of unpin itself: the independent checker refused what the solver found, or a state was "
               "reached that should not exist. Nothing was changed. Please report it with the command line."),
};

#define X(kind, code, status, name) +1
_Static_assert(sizeof texts / sizeof *texts == 0 ERR_KINDS(X), "every kind has its text");
#undef X

struct str explain_text(enum err_kind kind) {
    return texts[kind];
}

int32_t explain_len(void) {
    return (int32_t)(sizeof texts / sizeof *texts);
}
