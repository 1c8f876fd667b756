#include "face/command.h"

#include "base/arena.h"
#include "base/buf.h"

enum {
    HERE = OPTION_PYTHON | OPTION_LOCK | OPTION_OFFLINE,
    WHERE = HERE | OPTION_ENVIRONMENT,
    PLANNING = OPTION_INDEX | OPTION_WANT,
    REQUESTING = PLANNING | OPTION_FILES | OPTION_UPGRADE,
    CHANGING = HERE | OPTION_INTO | OPTION_CONSENT | OPTION_APPLY,
};

static const struct command table[] = {
    {S_INIT("install"), "REQ… [-r FILE] [-U] [-y]", "plan, show, ask, apply, verify",
     "Installs what is asked for: lifts as few locks as possible, breaks nothing that is installed, touches no vendor\n"
     "build. Shows the plan and asks first (unless -y). It is one transaction: all of it or nothing; `unpin undo` "
     "goes\n"
     "back. REQ is a requirement (name, name==1.0, 'name>=2,<3', name[extra]), a path of a wheel, an sdist or a "
     "source\n"
     "tree (./dir), a URL, or a revision of a repository (git+https://host/repo@rev). What has no wheel is built, "
     "with\n"
     "your consent.",
     "  unpin install nvidia-modelopt==0.27.0\n"
     "  unpin install -r requirements.txt -y\n"
     "  unpin install 'transformers>=4.51' --keep numpy\n"
     "  unpin install 'transformers>=4.51' --into ~/layer\n"
     "  unpin install -e ./mytool\n",
     REQUESTING | CHANGING | OPTION_BUILD, cmd_install},
    {S_INIT("plan"), "REQ… [-r FILE] [-U] [-o plan.json]", "the same without changing anything",
     "Prints the plan that `install` would carry out, with its reasons, the lock's difference and the proof that no "
     "plan\n"
     "lifts fewer locks. Changes nothing. Works for images and snapshots of other machines as well.",
     "  unpin plan nvidia-modelopt==0.27.0\n"
     "  unpin plan nvidia-modelopt==0.27.0 --image ngc-pytorch:25.04\n"
     "  unpin plan -r requirements.txt -o plan.json\n",
     WHERE | OPTION_INTO | REQUESTING | OPTION_BUILD | OPTION_OUTPUT | OPTION_CASE, cmd_plan},
    {S_INIT("apply"), "plan.json [-y]", "apply a saved plan",
     "Carries out a plan that `unpin plan -o` saved. Refused if the environment is no longer the one it was made for.",
     "  unpin apply plan.json\n", CHANGING | OPTION_INDEX | OPTION_BUILD, cmd_apply},
    {S_INIT("options"), "REQ [--all]", "which versions are possible, and what each costs",
     "Shows which versions of REQ are worth having: from the newest one at the fewest lifted locks up to the newest "
     "one that is\n"
     "possible at all, with what each costs. Versions between the rows cost no less than a newer one. --all plans the\n"
     "newest versions one by one instead.",
     "  unpin options transformers\n"
     "  unpin options 'numpy>=2' --image ngc-pytorch:25.04\n",
     WHERE | PLANNING | OPTION_OPTIONS, cmd_options},
    {S_INIT("why"), "NAME", "why NAME is at its version",
     "Shows who requires NAME and in which versions, which lock names it and where, whether it is a vendor build, and\n"
     "which transaction brought it. Exit status 1 if it is not installed.",
     "  unpin why numpy\n", WHERE, cmd_why},
    {S_INIT("remove"), "NAME… [-y]", "a plan without NAME",
     "Removes distributions, if nothing that stays needs them; refused with the reasons otherwise.",
     "  unpin remove tensorboard\n", CHANGING | PLANNING, cmd_remove},
    {S_INIT("locks"), "[diff]", "the locks: kept, lifted, drifted, stale",
     "Lists the locks. kept: installed as locked. drifted: installed at another version than the lock says. lifted: by "
     "a\n"
     "transaction of unpin. stale: names nothing that is installed. `locks diff` shows what transactions changed in "
     "the\n"
     "lock files.",
     "  unpin locks\n"
     "  unpin locks diff\n",
     WHERE, cmd_locks},
    {S_INIT("check"), "[--files]", "what is broken in the environment",
     "Lists requirements that are not met, advisories that apply, and drifted locks; with --files also every "
     "installed\n"
     "file whose hash is not the one in RECORD. Exit status 5 if something is broken.",
     "  unpin check\n"
     "  unpin check --files --json\n",
     WHERE | OPTION_CHECK, cmd_check},
    {S_INIT("history"), "[prune SIZE]", "the transactions, newest first",
     "Lists the transactions that unpin carried out in this environment: when, by whom, what each changed, and how "
     "much is\n"
     "kept to take it back. `history prune SIZE` keeps at most that much (500M, 0) by dropping what the oldest ones "
     "keep;\n"
     "UNPIN_UNDO_MAX=SIZE does that after every change.",
     "  unpin history\n"
     "  unpin history prune 500M\n",
     HERE | OPTION_CONSENT, cmd_history},
    {S_INIT("undo"), "[N | --only ID] [-y]", "take the last transaction back, or the last N",
     "Gives back the files, the lock and everything else as they were, byte for byte. It is a transaction itself. "
     "Refused\n"
     "where files were changed since (unless --force). --only ID takes back one that later ones do not depend on.",
     "  unpin undo\n"
     "  unpin undo --only 3\n"
     "  unpin undo 2 -y\n",
     HERE | OPTION_CONSENT | OPTION_UNDO, cmd_undo},
    {S_INIT("recover"), "[--forward | --back]", "finish or take back an interrupted transaction",
     "After a crash or a power cut: brings the environment to the state before or after the interrupted transaction.\n"
     "Every command that changes something does this first by itself.",
     "  unpin recover\n", HERE | OPTION_RECOVER, cmd_recover},
    {S_INIT("snapshot"), "[-o FILE]", "the environment as a file",
     "Writes what is installed, its requirements, the locks and the interpreter's properties as JSON, so that plans "
     "can be\n"
     "made elsewhere (--snapshot FILE).",
     "  unpin snapshot -o image.json\n"
     "  unpin plan vllm --snapshot image.json\n",
     WHERE | OPTION_OUTPUT, cmd_snapshot},
    {S_INIT("images"), "[REQ…]", "the known images; with requests, what each would lift",
     "Lists the catalog of vendor images. With requests, plans them for every image, so that the one that fits best "
     "can be\n"
     "chosen.",
     "  unpin images\n"
     "  unpin images 'transformers>=4.51'\n",
     OPTION_INDEX | OPTION_WANT | OPTION_FILES | OPTION_UPGRADE, cmd_images},
    {S_INIT("export"), "--dockerfile|--constraints|--script plan.json", "the plan for those who build images",
     "Prints a saved plan as lines for a Dockerfile, as the lock after the plan, or as a shell script for pip.",
     "  unpin export --dockerfile plan.json\n", OPTION_EXPORT | OPTION_OUTPUT, cmd_export},
    {S_INIT("explain"), "[CODE]", "what an error code means",
     "Describes a stable code such as U030, its exit status and what to do; without a code, lists all of them.",
     "  unpin explain U030\n", 0, cmd_explain},
    {S_INIT("config"), "", "which index, lock and environment are in force, and why",
     "Shows the index configuration with the source of each value (credentials masked), the locks and the environment.",
     "  unpin config\n", WHERE | OPTION_INDEX, cmd_config},
    {S_INIT("cache"), "[info | prune | clear [NAME]]", "what is kept to be quick or offline, and making it less",
     "Shows what the cache holds: pages, metadata, wheels, unpacked files, logs of builds, how plans were found. "
     "`prune` "
     "removes\n"
     "what was used least recently until at most --max-size stays (default: cache-max-size in [unpin] of pip.conf, or\n"
     "UNPIN_CACHE_MAX_SIZE; else 20G), and with --older-than what was not used for so long. `clear` removes all, or "
     "all "
     "of one\n"
     "project. Nothing goes while another unpin uses it. What `undo` needs is not in the cache.",
     "  unpin cache\n"
     "  unpin cache prune --max-size 5G\n"
     "  unpin cache prune --older-than 30d\n"
     "  unpin cache clear numpy\n",
     OPTION_CACHE, cmd_cache},
};

/* What users of pip and uv type. */
static const struct {
    struct str alias, name;
} aliases[] = {
    {S_INIT("uninstall"), S_INIT("remove")},
    {S_INIT("add"), S_INIT("install")},
    {S_INIT("log"), S_INIT("history")},
};

const struct command *commands(int32_t *ret_len) {
    *ret_len = (int32_t)(sizeof table / sizeof *table);
    return table;
}

const struct command *command_find(struct str name) {
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (str_eq(name, aliases[i].alias)) name = aliases[i].name;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (str_eq(name, table[i].name)) return &table[i];
    return NULL;
}

struct str command_overview(struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, S("unpin " UNPIN_VERSION " - install in locked Python environments: lifts the fewest locks, breaks "
                    "nothing, can be undone\n\nusage: unpin COMMAND [options]\n\n"));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        buf_addf(&buf, "  %-10.*s %s\n", FMT(table[i].name), table[i].summary);
    buf_add(&buf, S("\nunpin COMMAND --help says more. Start with: unpin plan NAME (changes nothing).\n"));
    return buf_str(&buf);
}

struct str command_help(struct arena *arena, const struct command *command) {
    struct buf buf = {.arena = arena};
    buf_addf(&buf, "usage: unpin %.*s%s%s\n\n%s\n\nExamples\n%s", FMT(command->name), *command->arguments ? " " : "",
             command->arguments, command->text, command->examples);
    buf_add(&buf, options_help(arena, command->groups));
    return buf_str(&buf);
}
