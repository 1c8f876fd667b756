#include "stage/vcs.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/http.h"
#include "os/term.h"
#include "pypa/requirement_file.h"

#include <unistd.h>

enum {
    WORDS_MAX = 40,
    VARIABLES_MAX = 10000,
    COMMIT_LEN = 40,
    COMMIT_LEN_SHA256 = 64,
    ABBREVIATION_MIN = 4,
    SAID_MAX = 500, /* bytes of what git says that a message shows */
};

bool vcs_is_url(struct str url) {
    return str_starts(url, S("git+")) || str_starts(url, S("hg+")) || str_starts(url, S("svn+")) ||
           str_starts(url, S("bzr+"));
}

ERR_MUST_CHECK static struct err *refuse(struct arena *arena, struct str url, const char *why) {
    struct str quoted = term_quote(arena, http_mask(arena, url));
    return err_make(arena, ERR_REQUEST, "%.*s: %s", FMT(quoted), why);
}

/* No control characters and blanks, and no dash at the start, where git would take it for an option. */
static bool is_harmless(struct str text) {
    for (ptrdiff_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7F) return false;
    return !str_starts(text, S("-"));
}

/* A path within the checkout. */
static bool stays_inside(struct str path) {
    if (str_starts(path, S("/"))) return false;
    for (struct str rest = path; rest.data;)
        if (str_eq(str_cut(&rest, '/'), S(".."))) return false;
    return true;
}

static void fragment_parse(struct arena *arena, struct str fragment, struct vcs_url *url) {
    for (struct str rest = fragment; rest.len;) {
        struct str value = str_cut(&rest, '&'), key = str_cut(&value, '=');
        if (str_eq(key, S("subdirectory"))) url->subdirectory = percent_decode(arena, value);
        if (str_eq(key, S("egg")))
            url->name = str_slice(value, 0, str_find_char(value, '[') < 0 ? value.len : str_find_char(value, '['));
    }
}

static bool is_scheme(struct str url) {
    static const struct str schemes[] = {S_INIT("https://"), S_INIT("http://"), S_INIT("ssh://"), S_INIT("git://"),
                                         S_INIT("file:///")};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (str_starts(url, schemes[i])) return true;
    return false;
}

struct err *vcs_url_parse(struct arena *arena, struct str url, struct vcs_url *ret) {
    struct vcs_url found = {0};
    if (!str_starts(url, S("git+")))
        return refuse(arena, url, "of version control only Git is understood (git+https://…)");
    struct str rest = str_from(url, 4), repository = str_cut(&rest, '#');
    fragment_parse(arena, rest, &found);
    if (!is_scheme(repository)) {
        struct err *err = refuse(arena, url, "a repository is named by https, http, ssh, git or file");
        return err_hint(arena, err, "git@host:path is written git+ssh://git@host/path");
    }
    ptrdiff_t host = str_find(repository, S("://")) + 3;
    ptrdiff_t slash = str_find_char(str_from(repository, host), '/');
    struct str path = slash < 0 ? (struct str){0} : str_from(repository, host + slash);
    ptrdiff_t at = str_find_last(path, '@');
    if (at >= 0) {
        found.revision = percent_decode(arena, str_from(path, at + 1));
        repository = str_slice(repository, 0, host + slash + at);
    }
    found.repository = repository;
    bool harmless = is_harmless(str_from(repository, host)) && is_harmless(found.revision) &&
                    (at < 0 || found.revision.len > 0) && path.len > 1;
    /* What `git fetch` would take for a pair of references, a range or a pattern. */
    for (ptrdiff_t i = 0; i < found.revision.len; i++)
        harmless = harmless && str_find_char(S(":+^~?*[\\"), found.revision.data[i]) < 0;
    if (!harmless || str_find(found.revision, S("..")) >= 0 || str_find(found.revision, S("@{")) >= 0)
        return refuse(arena, url, "neither repository nor revision may look like that");
    if (!stays_inside(found.subdirectory)) return refuse(arena, url, "the subdirectory is outside of the repository");
    *ret = found;
    return NULL;
}

struct str vcs_url_format(struct arena *arena, const struct vcs_url *url, struct str commit, bool secrets) {
    struct str repository = secrets ? url->repository : http_strip(arena, url->repository);
    struct buf text = {.arena = arena};
    buf_addf(&text, "git+%.*s@%.*s", FMT(repository), FMT(commit));
    if (url->subdirectory.len) buf_add(&text, S("#subdirectory="));
    for (ptrdiff_t i = 0; i < url->subdirectory.len; i++) {
        char c = url->subdirectory.data[i];
        if (char_is_alnum(c) || str_find_char(S("/._-~"), c) >= 0) buf_add_char(&text, c);
        else buf_addf(&text, "%%%02X", (unsigned)(unsigned char)c);
    }
    return buf_str(&text);
}

/* Variables that would lead git into another repository. */
static bool is_misleading(struct str name) {
    static const struct str dropped[] = {S_INIT("GIT_DIR"),          S_INIT("GIT_WORK_TREE"),
                                         S_INIT("GIT_INDEX_FILE"),   S_INIT("GIT_OBJECT_DIRECTORY"),
                                         S_INIT("GIT_NAMESPACE"),    S_INIT("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
                                         S_INIT("GIT_COMMON_DIR"),   S_INIT("GIT_TERMINAL_PROMPT"),
                                         S_INIT("GIT_ASKPASS"),      S_INIT("SSH_ASKPASS"),
                                         S_INIT("LC_ALL"),           S_INIT("LANGUAGE"),
                                         S_INIT("GIT_SHALLOW_FILE"), S_INIT("GIT_ALLOW_PROTOCOL"),
                                         S_INIT("GIT_TEMPLATE_DIR"), S_INIT("GIT_EXTERNAL_DIFF")};
    return str_among(dropped, (int32_t)(sizeof dropped / sizeof *dropped), name);
}

/* Settings for git, told by its environment: a command line is for everybody to read. */
struct settings {
    struct arena *arena;
    VEC(struct str) variables;
    int64_t count;
};

static void set(struct settings *settings, struct str key, struct str value) {
    struct arena *arena = settings->arena;
    long long n = (long long)settings->count++;
    *vec_push(arena, &settings->variables) = str_format(arena, "GIT_CONFIG_KEY_%lld=%.*s", n, FMT(key));
    *vec_push(arena, &settings->variables) = str_format(arena, "GIT_CONFIG_VALUE_%lld=%.*s", n, FMT(value));
}

/* The repository as git is told of it: over http without credentials. */
static struct str place_of(struct arena *arena, const struct vcs_url *url) {
    bool web = str_starts(url->repository, S("http://")) || str_starts(url->repository, S("https://"));
    return web ? http_strip(arena, url->repository) : url->repository;
}

/* Where relative URLs of submodules start, and the credentials for what lies beside the repository. Git puts them in
 * when it connects: they stand in no file of the checkout, which the code that is built may read. */
static void set_place(struct settings *settings, const struct vcs_url *url) {
    struct arena *arena = settings->arena;
    struct str place = place_of(arena, url);
    set(settings, S("remote.origin.url"), place);
    if (place.len == url->repository.len) return;
    struct str rest = place;
    while (str_ends(rest, S("/"))) rest.len--;
    rest = str_slice(rest, 0, str_find_last(rest, '/') + 1);
    struct str secret = str_slice(url->repository, 0, url->repository.len - (place.len - rest.len));
    set(settings, str_format(arena, "url.%.*s.insteadOf", FMT(secret)), rest);
}

static void environment_make(struct arena *arena, const struct vcs_url *url, struct proc_call *call) {
    struct settings settings = {.arena = arena};
    VEC(struct str) kept = {0};
    bool has_ssh = false;
    for (char **variable = environ; variable && *variable && kept.len < VARIABLES_MAX; variable++) {
        struct str rest = str_of(*variable), name = str_cut(&rest, '=');
        has_ssh = has_ssh || str_eq(name, S("GIT_SSH_COMMAND")) || str_eq(name, S("GIT_SSH"));
        bool counts = str_eq(name, S("GIT_CONFIG_COUNT"));
        if (counts && (!str_to_int(rest, &settings.count) || settings.count > VARIABLES_MAX)) settings.count = 0;
        if (!counts && !is_misleading(name)) *vec_push(arena, &kept) = str_of(*variable);
    }
    set_place(&settings, url);
    for (ptrdiff_t i = 0; i < settings.variables.len; i++) *vec_push(arena, &kept) = settings.variables.data[i];
    *vec_push(arena, &kept) = str_format(arena, "GIT_CONFIG_COUNT=%lld", (long long)settings.count);
    *vec_push(arena, &kept) = S("GIT_TERMINAL_PROMPT=0");
    *vec_push(arena, &kept) = S("GIT_ASKPASS=true");
    /* A repository elsewhere must not name one of this machine as its submodule. */
    *vec_push(arena, &kept) = str_starts(url->repository, S("file:")) ? S("GIT_ALLOW_PROTOCOL=https:http:ssh:git:file")
                                                                      : S("GIT_ALLOW_PROTOCOL=https:http:ssh:git");
    *vec_push(arena, &kept) = S("LC_ALL=C.UTF-8");
    if (!has_ssh) *vec_push(arena, &kept) = S("GIT_SSH_COMMAND=ssh -oBatchMode=yes");
    call->env = kept.data;
    call->env_len = (int32_t)kept.len;
}

/* The first line that tells what is wrong, without credentials. */
static struct str said_by(struct arena *arena, struct str text) {
    struct str rest = text, line, found = str_cut(&rest, '\n');
    for (rest = text; str_line(&rest, &line);) {
        if (!str_starts(line, S("fatal:")) && !str_starts(line, S("error:"))) continue;
        found = line;
        break;
    }
    struct buf clean = {.arena = arena};
    for (ptrdiff_t at; (at = str_find(found, S("://"))) >= 0;) {
        buf_add(&clean, str_slice(found, 0, at + 3));
        found = str_from(found, at + 3);
        ptrdiff_t secret = http_credentials(found);
        if (secret >= 0) found = str_from(found, secret + 1);
    }
    buf_add(&clean, found);
    found = buf_str(&clean);
    return term_quote(arena, str_slice(found, 0, SAID_MAX));
}

/* Runs git in `dir` with `words`, which end with an empty one. *done tells how it went. */
ERR_MUST_CHECK static struct err *git(struct arena *arena, const struct proc *proc, const struct vcs_url *url,
                                      struct str dir, const struct str *words, struct proc_result *done) {
    static const struct str always[] = {S_INIT("git"),
                                        S_INIT("-c"),
                                        S_INIT("core.hooksPath=/dev/null"),
                                        S_INIT("-c"),
                                        S_INIT("core.fsmonitor=false"),
                                        S_INIT("-c"),
                                        S_INIT("advice.detachedHead=false"),
                                        S_INIT("-c"),
                                        S_INIT("gc.auto=0"),
                                        S_INIT("-c"),
                                        S_INIT("init.defaultBranch=main")};
    VEC(struct str) argv = {0};
    struct str found;
    if (!proc_find(arena, S("git"), &found)) {
        struct err *err = err_make(arena, ERR_IO, "there is no program `git`, which a request for a repository needs");
        return err_hint(arena, err, "install it (apt-get install git), or ask for a release of an index");
    }
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) *vec_push(arena, &argv) = always[i];
    for (int32_t i = 0; i < WORDS_MAX && words[i].len; i++) *vec_push(arena, &argv) = words[i];
    struct proc_call call = {.argv = argv.data,
                             .argv_len = (int32_t)argv.len,
                             .directory = dir,
                             .output_max = VCS_OUTPUT_MAX,
                             .timeout_ms = VCS_TIMEOUT_MS};
    environment_make(arena, url, &call);
    return proc_run(proc, arena, &call, done);
}

static bool succeeded(const struct proc_result *done) {
    return done->status == 0 && !done->timed_out && !done->too_much;
}

/* As `git`, and an err where it does not end well. */
ERR_MUST_CHECK static struct err *git_well(struct arena *arena, const struct proc *proc, const struct vcs_url *url,
                                           struct str dir, const struct str *words, struct str *ret) {
    struct proc_result done;
    TRY(git(arena, proc, url, dir, words, &done));
    struct str repository = term_quote(arena, http_strip(arena, url->repository));
    if (done.timed_out) return err_make(arena, ERR_NETWORK, "%.*s: git took too long", FMT(repository));
    if (!succeeded(&done))
        return err_make(arena, ERR_NETWORK, "%.*s: git %.*s: %.*s", FMT(repository), FMT(words[0]),
                        FMT(said_by(arena, done.error)));
    if (ret) *ret = str_trim(done.output);
    return NULL;
}

static bool is_hex(struct str text) {
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (char_hex(text.data[i]) < 0) return false;
    return true;
}

/* Fetches the revision alone; without its history, but from servers that give files and no more. *found is false where
 * the server does not give it by that name. */
ERR_MUST_CHECK static struct err *fetch_one(struct arena *arena, const struct proc *proc, const struct vcs_url *url,
                                            struct str dir, bool *found) {
    struct proc_result done = {0};
    for (int shallow = 1; shallow >= 0; shallow--) {
        const struct str words[] = {S("fetch"),
                                    S("--quiet"),
                                    shallow ? S("--depth=1") : S("--no-auto-gc"),
                                    S("--no-tags"),
                                    S("--no-recurse-submodules"),
                                    S("--"),
                                    place_of(arena, url),
                                    url->revision.len ? url->revision : S("HEAD"),
                                    S("")};
        TRY(git(arena, proc, url, dir, words, &done));
        if (str_find(done.error, S("dumb http transport does not support")) < 0) break;
    }
    *found = succeeded(&done);
    bool missing = str_find(done.error, S("couldn't find remote ref")) >= 0 ||
                   str_find(done.error, S("not our ref")) >= 0 || str_find(done.error, S("unadvertised object")) >= 0;
    if (*found || missing) return NULL;
    struct str repository = term_quote(arena, http_strip(arena, url->repository));
    struct err *err = err_make(arena, ERR_NETWORK, "the repository %.*s cannot be fetched: %.*s", FMT(repository),
                               FMT(done.timed_out ? S("it took too long") : said_by(arena, done.error)));
    return err_hint(arena, err, "`git ls-remote` shows what git says; it may not ask for a password here");
}

/* All branches and tags with their history; files come when they are checked out. */
ERR_MUST_CHECK static struct err *fetch_all(struct arena *arena, const struct proc *proc, const struct vcs_url *url,
                                            struct str dir, bool deepen) {
    struct str branches = S("+refs/heads/*:refs/remotes/origin/*"), tags = S("+refs/tags/*:refs/tags/*");
    const struct str plain[] = {
        S("fetch"), S("--quiet"), S("--no-recurse-submodules"), S("--"), place_of(arena, url), branches, tags, S("")};
    const struct str deep[] = {S("fetch"),       S("--quiet"), S("--no-recurse-submodules"),
                               S("--unshallow"), S("--"),      place_of(arena, url),
                               branches,         tags,         S("")};
    return git_well(arena, proc, url, dir, deepen ? deep : plain, NULL);
}

/* The full name of the commit. */
ERR_MUST_CHECK static struct err *resolve(struct arena *arena, const struct proc *proc, const struct vcs_url *url,
                                          struct str dir, bool alone, struct str *ret) {
    struct proc_result done = {.status = 1};
    const struct str remote = str_format(arena, "refs/remotes/origin/%.*s^{commit}", FMT(url->revision));
    const struct str names[] = {alone ? S("FETCH_HEAD^{commit}") : remote,
                                str_format(arena, "%.*s^{commit}", FMT(url->revision))};
    for (int32_t i = 0; i < (alone ? 1 : 2) && !succeeded(&done); i++) {
        const struct str words[] = {S("rev-parse"),        S("--verify"), S("--quiet"),
                                    S("--end-of-options"), names[i],      S("")};
        TRY(git(arena, proc, url, dir, words, &done));
    }
    struct str commit = str_trim(done.output);
    if (succeeded(&done) && is_hex(commit) && (commit.len == COMMIT_LEN || commit.len == COMMIT_LEN_SHA256)) {
        *ret = commit;
        return NULL;
    }
    struct str repository = term_quote(arena, http_strip(arena, url->repository));
    return err_make(arena, ERR_REQUEST, "the repository %.*s has no revision '%.*s'", FMT(repository),
                    FMT(term_quote(arena, url->revision.len ? url->revision : S("HEAD"))));
}

ERR_MUST_CHECK static struct err *submodules(struct arena *arena, const struct proc *proc, const struct vcs_url *url,
                                             struct str dir) {
    if (access(str_copy_z(arena, str_format(arena, "%.*s/.gitmodules", FMT(dir))), F_OK) != 0) return NULL;
    const struct str words[] = {S("submodule"), S("--quiet"), S("update"), S("--init"), S("--recursive"), S("")};
    return git_well(arena, proc, url, dir, words, NULL);
}

struct err *vcs_checkout(struct arena *arena, const struct proc *proc, const struct vcs_url *url, struct str dir,
                         struct str *ret) {
    struct str commit;
    bool alone = false;
    const struct str init[] = {S("init"), S("--quiet"), S("--template="), S("")};
    TRY(git_well(arena, proc, url, dir, init, NULL));
    TRY(fetch_one(arena, proc, url, dir, &alone));
    bool abbreviated = url->revision.len >= ABBREVIATION_MIN && is_hex(url->revision);
    if (!alone && (abbreviated || url->revision.len == 0)) TRY(fetch_all(arena, proc, url, dir, false));
    TRY(resolve(arena, proc, url, dir, alone, &commit));
    const struct str checkout[] = {S("checkout"), S("--quiet"), S("--detach"), commit, S("")};
    TRY(git_well(arena, proc, url, dir, checkout, NULL));
    TRY(submodules(arena, proc, url, dir));
    *ret = commit;
    return NULL;
}

struct err *vcs_deepen(struct arena *arena, const struct proc *proc, const struct vcs_url *url, struct str dir) {
    struct str answer;
    const struct str ask[] = {S("rev-parse"), S("--is-shallow-repository"), S("")};
    TRY(git_well(arena, proc, url, dir, ask, &answer));
    if (!str_eq(answer, S("true"))) return NULL;
    return fetch_all(arena, proc, url, dir, true);
}
