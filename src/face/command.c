#include "face/command.h"

#include "base/arena.h"
#include "base/buf.h"

static const struct command table[] = {
    {S_INIT("explain"), "[CODE]", "what an error code means",
     "Describes a stable code such as U030, its exit status and what to do; without a code, lists all of them.",
     "  unpin explain U030\n", 0, cmd_explain},
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
    buf_addf(&buf, "usage: unpin %.*s %s\n\n%s\n\nExamples\n%s", FMT(command->name), command->arguments, command->text,
             command->examples);
    buf_add(&buf, options_help(arena, command->groups));
    return buf_str(&buf);
}
