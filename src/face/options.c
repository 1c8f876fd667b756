#include "face/options.h"

#include "base/arena.h"
#include "base/buf.h"

#include <getopt.h>

enum option_kind { FLAG, TEXT, LIST, NAMED /* a list of NAME=VALUE, several options in one */ };

struct option_row {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    uint32_t group;
    size_t offset; /* of the field in struct options */
    const char *value, *help;
};

#define AT(field) offsetof(struct options, field)

static const struct option_row rows[] = {
    {"image", 0, TEXT, OPTION_ENVIRONMENT, AT(image), "NAME", "an image of the catalog (see: unpin images)"},
    {"snapshot", 0, TEXT, OPTION_ENVIRONMENT, AT(snapshot), "FILE", "a snapshot, or a list of name==version lines"},
    {"python", 0, TEXT, OPTION_PYTHON, AT(python), "PATH", "an interpreter, or its environment; 3.12 finds python3.12"},
    {"into", 0, TEXT, OPTION_INTO, AT(into), "DIR", "change a layer over it in DIR (made if need be), not itself"},
    {"platform", 0, TEXT, OPTION_ENVIRONMENT, AT(platform), "TAG", "platform of a list, e.g. linux_x86_64"},
    {"lock", 0, LIST, OPTION_LOCK, AT(locks), "FILE", "a constraint file (repeatable)"},
    {"index-url", 'i', TEXT, OPTION_INDEX, AT(index_url), "URL", "the package index"},
    {"extra-index-url", 0, LIST, OPTION_INDEX, AT(extra_index_urls), "URL", "a further index (repeatable)"},
    {"find-links", 'f', LIST, OPTION_INDEX, AT(find_links), "PATH", "a directory or page of files (repeatable)"},
    {"no-index", 0, FLAG, OPTION_INDEX, AT(no_index), NULL, "only --find-links"},
    {"offline", 0, FLAG, OPTION_INDEX | OPTION_OFFLINE, AT(offline), NULL,
     "no network: only what is cached or recorded"},
    {"refresh", 0, FLAG, OPTION_INDEX, AT(refresh), NULL, "ask the index again, whatever is cached"},
    {"index-strategy", 0, TEXT, OPTION_INDEX, AT(index_strategy), "NAME", "first-index (default) or unsafe-best-match"},
    {"proxy", 0, TEXT, OPTION_INDEX, AT(proxy), "URL", "http://user:password@host:port"},
    {"cert", 0, TEXT, OPTION_INDEX, AT(cert), "PATH", "certificates that are trusted (PEM file or directory)"},
    {"client-cert", 0, TEXT, OPTION_INDEX, AT(client_cert), "PATH", "own certificate and key (PEM file)"},
    {"trusted-host", 0, LIST, OPTION_INDEX, AT(trusted_hosts), "HOST", "trusted without TLS (repeatable)"},
    {"keyring-provider", 0, TEXT, OPTION_INDEX, AT(keyring_provider), "NAME",
     "auto, subprocess or disabled: whether `keyring` is asked for passwords"},
    {"timeout", 0, TEXT, OPTION_INDEX, AT(timeout), "SECONDS", "how long a server may be silent"},
    {"retries", 0, TEXT, OPTION_INDEX, AT(retries), "N", "how often is tried again"},
    {"cache-dir", 0, TEXT, OPTION_INDEX | OPTION_CACHE, AT(cache_dir), "DIR", "where answers of the index are kept"},
    {"no-cache-dir", 0, FLAG, OPTION_INDEX, AT(no_cache_dir), NULL,
     "keep nothing for the next time, take nothing kept"},
    {"recorded", 0, TEXT, OPTION_INDEX, AT(recorded), "DIR", "recorded answers to use where there is no network"},
    {"record", 0, TEXT, OPTION_INDEX, AT(record), "DIR", "write the index's answers there, for --recorded"},
    {"requirement", 'r', LIST, OPTION_FILES, AT(files), "FILE", "a requirements file (repeatable)"},
    {"constraint", 'c', LIST, OPTION_FILES, AT(constraint_files), "FILE",
     "bounds that hold for this plan (repeatable)"},
    {"editable", 'e', LIST, OPTION_FILES, AT(editable), "DIR",
     "a source tree, installed as pointers to it (repeatable)"},
    {"upgrade", 'U', FLAG, OPTION_UPGRADE, AT(upgrade), NULL, "newest versions of what is asked for, before few lifts"},
    {"remove", 0, LIST, OPTION_FILES, AT(remove), "NAME", "remove it in the same plan (repeatable)"},
    {"keep", 0, LIST, OPTION_WANT, AT(keep), "NAME", "must not change (repeatable)"},
    {"no-lift", 0, LIST, OPTION_WANT, AT(no_lift), "NAME", "its lock stays (repeatable)"},
    {"no-lifts", 0, FLAG, OPTION_WANT, AT(no_lifts), NULL, "no lock may be lifted at all"},
    {"replace", 0, LIST, OPTION_WANT, AT(replace), "NAME", "a vendor build that may change (repeatable)"},
    {"pre", 0, FLAG, OPTION_WANT, AT(pre), NULL, "pre-releases are candidates"},
    {"only-binary", 0, NAMED, OPTION_WANT, AT(formats), "NAME", "only wheels of it, no sdist; :all: (repeatable)"},
    {"no-binary", 0, NAMED, OPTION_WANT, AT(formats), "NAME", "no wheel of it, build its sdist; :all: (repeatable)"},
    {"no-build", 0, FLAG, OPTION_WANT, AT(no_build), NULL, "build nothing: --only-binary :all:, over all else"},
    {"no-allowances", 0, FLAG, OPTION_WANT, AT(no_allowances), NULL, "never take a vendor pre-release as its release"},
    {"allow-stale", 0, FLAG, OPTION_WANT, AT(allow_stale), NULL,
     "take releases that are long overtaken, or merely lack a bound"},
    {"prove-newest", 0, FLAG, OPTION_WANT, AT(prove_newest), NULL,
     "look at every release that might be newer: many more documents"},
    {"ignore-advisory", 0, LIST, OPTION_WANT, AT(ignore_advisories), "ID", "an advisory to disregard (repeatable)"},
    {"exclude-newer", 0, TEXT, OPTION_WANT, AT(exclude_newer), "DATE", "nothing uploaded after 2025-04-30[T12:00:00Z]"},
    {"build", 0, LIST, OPTION_BUILD, AT(build), "NAME",
     "may be built from source, which runs its code; :all: (repeatable)"},
    {"no-build-isolation", 0, FLAG, OPTION_BUILD, AT(no_build_isolation), NULL,
     "build with what is installed (torch, setuptools), nothing fetched for it"},
    {"build-timeout", 0, TEXT, OPTION_BUILD, AT(build_timeout), "MINUTES", "for one build (60)"},
    {"yes", 'y', FLAG, OPTION_CONSENT, AT(yes), NULL, "go ahead without asking"},
    {"break-system-packages", 0, FLAG, OPTION_APPLY, AT(break_system_packages), NULL,
     "change an environment that the system's package manager owns (PEP 668)"},
    {"modified", 0, TEXT, OPTION_APPLY, AT(modified), "keep|replace",
     "what to do with installed files that were changed by hand"},
    {"allow-pth", 0, FLAG, OPTION_APPLY, AT(allow_pth), NULL,
     "wheels may bring code that runs at every start of Python"},
    {"rebuild-record", 0, LIST, OPTION_APPLY, AT(rebuild_record), "NAME",
     "its wheel's RECORD is wrong: take what the archive holds (repeatable)"},
    {"no-imports", 0, FLAG, OPTION_APPLY, AT(no_imports), NULL, "verify without importing what changed"},
    {"compile", 0, FLAG, OPTION_APPLY, AT(compile), NULL, "write bytecode for what was installed"},
    {"no-compile", 0, FLAG, OPTION_APPLY, AT(no_compile), NULL,
     "leave bytecode to Python, whatever is configured (default)"},
    {"no-undo", 0, FLAG, OPTION_APPLY, AT(no_undo), NULL, "keep nothing for undo"},
    {"save-case", 0, TEXT, OPTION_CASE, AT(save_case), "FILE", "write the problem as a regression test of unpin"},
    {"output", 'o', TEXT, OPTION_OUTPUT, AT(output), "FILE", "write the document there as well"},
    {"files", 0, FLAG, OPTION_CHECK, AT(check_files), NULL, "verify the hashes of all installed files (RECORD)"},
    {"all", 0, FLAG, OPTION_OPTIONS, AT(all), NULL, "the newest versions one by one, the impossible included"},
    {"dockerfile", 0, FLAG, OPTION_EXPORT, AT(dockerfile), NULL, "as lines for a Dockerfile"},
    {"constraints", 0, FLAG, OPTION_EXPORT, AT(constraints), NULL, "as a pip constraint file"},
    {"script", 0, FLAG, OPTION_EXPORT, AT(script), NULL, "as a shell script"},
    {"forward", 0, FLAG, OPTION_RECOVER, AT(forward), NULL, "finish the interrupted transaction"},
    {"back", 0, FLAG, OPTION_RECOVER, AT(back), NULL, "take the interrupted transaction back"},
    {"only", 0, TEXT, OPTION_UNDO, AT(only), "ID", "that transaction alone; later ones stay"},
    {"max-size", 0, TEXT, OPTION_CACHE, AT(max_size), "SIZE", "so much may stay (500M, 1.5G, 0)"},
    {"older-than", 0, TEXT, OPTION_CACHE, AT(older_than), "AGE", "what was not used for so long goes (30d, 12h, 2w)"},
    {"force", 0, FLAG, OPTION_UNDO, AT(force), NULL, "also where files were changed since"},
    {"json", 0, FLAG, OPTION_GENERAL, AT(json), NULL, "one JSON document on standard output"},
    {"quiet", 'q', FLAG, OPTION_GENERAL, AT(quiet), NULL, "no progress, no notes"},
    {"verbose", 'v', FLAG, OPTION_GENERAL, AT(verbose), NULL, "everything that is known, with times and proof"},
    {"help", 'h', FLAG, OPTION_GENERAL, AT(help), NULL, "this text"},
    {"version", 'V', FLAG, OPTION_GENERAL, AT(version), NULL, "the version of unpin"},
};

enum { ROWS = sizeof rows / sizeof *rows, LETTERS_MAX = 2 * ROWS + 2, DISTANCE_MAX_LEN = 40, CODE_BASE = 256 };

static const struct {
    uint32_t group;
    const char *title;
} titles[] = {
    {OPTION_UPGRADE | OPTION_FILES, "Request"},
    {OPTION_ENVIRONMENT | OPTION_PYTHON | OPTION_INTO, "Environment (default: $VIRTUAL_ENV, else python3 on PATH)"},
    {OPTION_BUILD, "Builds (of what has no wheel; the plan says so)"},
    {OPTION_LOCK, "Lock (default: PIP_CONSTRAINT, pip's configuration, UV_CONSTRAINT, /etc/pip/constraint.txt)"},
    {OPTION_WANT, "Limits"},
    {OPTION_CHECK | OPTION_OPTIONS | OPTION_EXPORT | OPTION_RECOVER | OPTION_UNDO | OPTION_CONSENT | OPTION_OUTPUT |
         OPTION_CACHE | OPTION_APPLY | OPTION_CASE,
     "Options"},
    {OPTION_INDEX, "Index (default: what pip and uv are configured to use)"},
    {OPTION_GENERAL, "General"},
};

static struct err *store(struct arena *arena, const struct option_row *row, const char *value, int argc,
                         struct options *options) {
    char *field = (char *)options + row->offset;
    struct str text = str_of(value);
    if (row->kind == FLAG) *(bool *)(void *)field = true;
    if (row->kind != FLAG && text.len == 0) return err_make(arena, ERR_USAGE, "--%s is empty", row->name);
    if (row->kind == TEXT) *(struct str *)(void *)field = text;
    if (row->kind == NAMED) text = str_format(arena, "%s=%s", row->name, value);
    if (row->kind == LIST || row->kind == NAMED) {
        struct option_list *list = (struct option_list *)(void *)field;
        if (!list->items) list->items = arena_new(arena, struct str, argc);
        list->items[list->len++] = text;
    }
    const int32_t seen_max = (int32_t)(sizeof options->seen / sizeof *options->seen);
    if (options->groups_seen & row->group && row->group == OPTION_GENERAL) return NULL;
    options->groups_seen |= row->group;
    if (options->seen_len < seen_max) {
        options->seen[options->seen_len] = row->name;
        options->seen_groups[options->seen_len++] = row->group;
    }
    return NULL;
}

/* Options of pip and uv that people bring along, and what stands for them here. */
static const struct {
    struct str name;
    const char *hint;
} FOREIGN[] = {
    {S_INIT("--dry-run"), "unpin plan shows what unpin install would do, and changes nothing"},
    {S_INIT("--user"), "--into DIR installs into a layer over an environment that is not to be written"},
    {S_INIT("--target"), "--into DIR installs into a layer over the environment"},
    {S_INIT("--prefix"), "--python DIR names the environment; --into DIR makes a layer over it"},
    {S_INIT("--no-deps"), "leave it out: what has to come along is part of the plan, and nothing else is touched"},
    {S_INIT("--force-reinstall"), "unpin check --files finds damaged files; unpin remove and install replaces them"},
    {S_INIT("--break-system-packages"), "leave it out: it is not needed"},
    {S_INIT("--system"), "leave it out, or name the environment with --python PATH"},
    {S_INIT("--root-user-action"), "leave it out: it is not needed"},
    {S_INIT("--prerelease"), "--pre takes pre-releases"},
    {S_INIT("--resolution"), "leave it out: fewest lifted locks is what is looked for"},
    {S_INIT("--constraints"), "--lock FILE names the lock; -c FILE adds bounds for this plan"},
};

/* The option as it was typed, without its value: for messages. */
static struct err *unknown_option(struct arena *arena, char **argv) {
    if (optopt && optopt < CODE_BASE)
        return err_hint(arena, err_make(arena, ERR_USAGE, "unknown option -%c", optopt),
                        "unpin COMMAND --help lists the options");
    if (optopt) return err_make(arena, ERR_USAGE, "--%s takes no value", rows[optopt - CODE_BASE].name);
    struct str word = str_of(argv[optind - 1]);
    struct str name = str_cut(&word, '=');
    struct err *err = err_make(arena, ERR_USAGE, "unknown option %.*s", FMT(name));
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++)
        if (str_eq(name, FOREIGN[i].name)) return err_hint(arena, err, "%s", FOREIGN[i].hint);
    struct str names[ROWS];
    for (int32_t i = 0; i < (int32_t)ROWS; i++) names[i] = str_of(rows[i].name);
    struct str nearest = options_nearest(str_from(name, 2), names, (int32_t)ROWS);
    return nearest.len ? err_hint(arena, err, "did you mean --%.*s?", FMT(nearest))
                       : err_hint(arena, err, "unpin COMMAND --help lists the options");
}

static struct err *missing_value(struct arena *arena) {
    if (optopt >= CODE_BASE)
        return err_make(arena, ERR_USAGE, "--%s wants a value: --%s %s", rows[optopt - CODE_BASE].name,
                        rows[optopt - CODE_BASE].name, rows[optopt - CODE_BASE].value);
    return err_make(arena, ERR_USAGE, "-%c wants a value", optopt);
}

static const struct option_row *row_of(int code) {
    if (code >= CODE_BASE) return &rows[code - CODE_BASE];
    for (int32_t i = 0; i < (int32_t)ROWS; i++)
        if (rows[i].letter == code) return &rows[i];
    return NULL;
}

struct err *options_parse(struct arena *arena, int argc, char **argv, struct options *ret) {
    struct option longs[ROWS + 1] = {0};
    char letters[LETTERS_MAX + 1] = ":";
    int at = 1;
    for (int i = 0; i < (int)ROWS; i++) {
        bool valued = rows[i].kind != FLAG;
        longs[i] = (struct option){rows[i].name, valued ? required_argument : no_argument, NULL, CODE_BASE + i};
        if (!rows[i].letter) continue;
        letters[at++] = rows[i].letter;
        if (valued) letters[at++] = ':';
    }
    struct options options = {0};
    optind = 0;
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        if (code == '?') return unknown_option(arena, argv);
        if (code == ':') return missing_value(arena);
        TRY(store(arena, row_of(code), optarg, argc, &options));
    }
    options.words.items = arena_new(arena, struct str, argc);
    for (int i = optind; i < argc; i++) options.words.items[options.words.len++] = str_of(argv[i]);
    *ret = options;
    return NULL;
}

struct err *options_allow(struct arena *arena, const struct options *options, struct str command, uint32_t groups) {
    for (int32_t i = 0; i < options->seen_len; i++) {
        if (options->seen_groups[i] & (groups | OPTION_GENERAL)) continue;
        struct err *err = err_make(arena, ERR_USAGE, "unpin %.*s does not take --%s", FMT(command), options->seen[i]);
        if (options->seen_groups[i] == OPTION_ENVIRONMENT)
            return err_hint(arena, err,
                            "it is about an environment on this machine (--python); `unpin plan` takes --%s",
                            options->seen[i]);
        return err_hint(arena, err, "see: unpin %.*s --help", FMT(command));
    }
    return NULL;
}

static void add_row(struct buf *buf, const struct option_row *row) {
    ptrdiff_t from = buf->len;
    if (row->letter) buf_addf(buf, "  -%c, --%s", row->letter, row->name);
    else buf_addf(buf, "      --%s", row->name);
    if (row->value) buf_addf(buf, " %s", row->value);
    while (buf->len - from < 30) buf_add_char(buf, ' ');
    buf_addf(buf, " %s\n", row->help);
}

struct str options_help(struct arena *arena, uint32_t groups) {
    struct buf buf = {.arena = arena};
    groups |= OPTION_GENERAL;
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        if (!(titles[i].group & groups)) continue;
        buf_addf(&buf, "\n%s\n", titles[i].title);
        for (int32_t k = 0; k < (int32_t)ROWS; k++)
            if (rows[k].group & titles[i].group & groups) add_row(&buf, &rows[k]);
    }
    return buf_str(&buf);
}

int32_t options_distance(struct str a, struct str b) {
    int32_t row[DISTANCE_MAX_LEN + 1] = {0};
    if (a.len > DISTANCE_MAX_LEN || b.len > DISTANCE_MAX_LEN) return INT32_MAX;
    for (int32_t k = 0; k <= (int32_t)b.len; k++) row[k] = k;
    for (int32_t i = 1; i <= (int32_t)a.len; i++) {
        int32_t diagonal = row[0];
        row[0] = i;
        for (int32_t k = 1; k <= (int32_t)b.len; k++) {
            int32_t cost = diagonal + (a.data[i - 1] != b.data[k - 1]);
            diagonal = row[k];
            if (row[k] + 1 < cost) cost = row[k] + 1;
            if (row[k - 1] + 1 < cost) cost = row[k - 1] + 1;
            row[k] = cost;
        }
    }
    return row[b.len];
}

struct str options_nearest(struct str word, const struct str *candidates, int32_t len) {
    struct str best = S("");
    int32_t best_distance = word.len <= 3 ? 2 : word.len <= 6 ? 3 : 4; /* this far is no longer near */
    if (word.len == 0 || word.len > DISTANCE_MAX_LEN) return best;
    for (int32_t i = 0; i < len; i++) {
        int32_t d = str_starts(candidates[i], word) ? 1 : options_distance(word, candidates[i]);
        if (d >= best_distance) continue;
        best_distance = d;
        best = candidates[i];
    }
    return best;
}
