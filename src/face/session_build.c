/* Requests that name files, source trees and repositories; and builds, with the user's consent. */
#include "face/session.h"

#include "base/arena.h"
#include "os/http.h"
#include "os/scratch.h"
#include "pypa/name.h"
#include "pypa/requirement_file.h"
#include "stage/build.h"
#include "stage/tree.h"
#include "stage/vcs.h"

enum { MINUTE_MS = 60 * 1000, TIMEOUT_MINUTES_MAX = 7 * 24 * 60 };

/* A directory of its own within the session's scratch directory, which is there from now on; a signal waits so that it
 * is removed. */
ERR_MUST_CHECK static struct err *make_dir(struct session *session, const char *what, struct str *ret) {
    struct session_builds *builds = &session->builds;
    if (builds->scratch.len == 0) {
        signals_hold(&builds->signals);
        struct err *err = scratch_open(session->arena, &builds->scratch);
        if (err) {
            (void)signals_release(&builds->signals);
            return err;
        }
    }
    return scratch_make(session->arena, builds->scratch, str_format(session->arena, "%d-%s", builds->dirs++, what),
                        ret);
}

static bool is_allowed(const struct session *session, struct str name) {
    return want_names_build(&session->want, name);
}

static bool changes_something(const struct session *session) {
    return !str_eq(session->command, S("plan"));
}

/* Consent to a build before there is a plan: `what` was named by the user, and only its build tells what it is. */
ERR_MUST_CHECK static struct err *consent_to_know(struct session *session, struct str name, struct str what) {
    struct arena *arena = session->arena;
    if (is_allowed(session, name) || session->builds.consent) return NULL;
    if (changes_something(session) && session->options->yes) return NULL;
    struct str quoted = term_quote(arena, what);
    if (!session->options->json && !session->options->yes && term_can_ask()) {
        struct str question = str_format(
            arena, "%.*s has to be built to know what it requires, which runs its code. Build it? [y/N] ", FMT(quoted));
        session->builds.consent = term_ask(&session->err, question);
        TRY(signals_check(arena));
        if (session->builds.consent) return NULL;
        return err_make(arena, ERR_CONSENT, "nothing was changed, as you decided");
    }
    struct err *err =
        err_make(arena, ERR_CONSENT, "%.*s has to be built to know what it requires, which runs its code", FMT(quoted));
    return err_hint(arena, err, "--build %.*s allows it", FMT(name.len ? name : S(":all:")));
}

ERR_MUST_CHECK static struct err *timeout_of(const struct session *session, int32_t *ret) {
    int64_t minutes = 0;
    struct str text = session->options->build_timeout;
    *ret = 0;
    if (text.len == 0) return NULL;
    if (!str_to_int(text, &minutes) || minutes < 1 || minutes > TIMEOUT_MINUTES_MAX)
        return err_make(session->arena, ERR_USAGE, "--build-timeout %.*s is no number of minutes", FMT(text));
    *ret = (int32_t)minutes * MINUTE_MS;
    return NULL;
}

ERR_MUST_CHECK static struct err *place_make(struct session *session, struct build_place *ret) {
    struct arena *arena = session->arena;
    struct str cache = session_cache_dir(session);
    if (!session->live)
        return err_hint(arena, err_make(arena, ERR_USAGE, "a build needs the environment that it is for"),
                        "--image and --snapshot have none on this machine");
    struct build_place place = {.fs = session->fs,
                                .proc = proc_real(),
                                .python = environment_runs(&session->env),
                                .logs = cache.len ? path_join(arena, cache, S("builds")) : S(""),
                                .no_isolation = session->options->no_build_isolation};
    TRY(timeout_of(session, &place.timeout_ms));
    TRY(make_dir(session, "build", &place.scratch));
    index_pip_settings(arena, session->index, &place.settings, &place.settings_len, &place.config);
    *ret = place;
    return NULL;
}

/* The path of what is built: a downloaded sdist, a tree, or the wrapper of an editable one. */
ERR_MUST_CHECK static struct err *source_of(struct session *session, const struct artifact *artifact, struct str dir,
                                            struct str *ret) {
    struct arena *arena = session->arena;
    const struct artifact_tree *from = artifact->tree;
    if (!from) {
        if (artifact->filename.len == 0 || artifact->filename.data[0] == '.' ||
            str_find_char(artifact->filename, '/') >= 0)
            return err_make(arena, ERR_INDEX, "'%.*s' is no file name of a release", FMT(artifact->filename));
        *ret = path_join(arena, dir, artifact->filename);
        return index_download(session->index, artifact, *ret);
    }
    *ret = from->path;
    if (!from->editable) return NULL;
    struct tree tree;
    TRY(tree_read(arena, session->fs, from->path, &tree));
    TRY(make_dir(session, "editable", ret));
    return tree_wrap(arena, session->fs, &tree, *ret);
}

/* Builds what `artifact` names. */
ERR_MUST_CHECK static struct err *build(struct session *session, const struct artifact *artifact, struct str name,
                                        const struct version *version, const struct metadata *promised,
                                        struct build_result *ret) {
    struct arena *arena = session->arena;
    struct build_place place;
    struct build_item item = {.name = name, .version = version, .promised = promised};
    TRY(place_make(session, &place));
    TRY(source_of(session, artifact, place.scratch, &item.source));
    if (!session->err.terminal && !session->options->json)
        session_note(session, str_format(arena, "building %.*s", FMT(artifact->filename)));
    session_progress(session, str_format(arena, "building %.*s", FMT(artifact->filename)));
    TRY(build_wheel(arena, &place, &item, ret));
    if (session->options->verbose && ret->log.len)
        session_note(session, str_format(arena, "note: the log of building %.*s is %.*s", FMT(artifact->filename),
                                         FMT(ret->log)));
    return NULL;
}

/* Builds a release of the pool and puts what that told into it. *differs: its requirements are not those that were
 * known. */
ERR_MUST_CHECK static struct err *build_release(struct session *session, struct pool *pool, struct str name,
                                                struct release *release, bool *differs) {
    struct build_result result;
    bool unsure = release->unsure;
    const struct metadata *promised = release->meta_state == META_KNOWN ? release->metadata : NULL;
    const struct artifact artifact = release->artifact;
    TRY(build(session, &artifact, name, &release->version, promised, &result));
    for (int32_t i = 0; i < result.surprises_len && !unsure; i++)
        session_note(session, str_format(session->arena, "note: %.*s", FMT(result.surprises[i])));
    bool python = promised && !str_eq(specifier_set_format(session->arena, &promised->requires_python),
                                      specifier_set_format(session->arena, &result.metadata.requires_python));
    *differs = result.surprises_len > 0 || python;
    pool_learn(pool, release, &result.metadata, result.wheel);
    return NULL;
}

struct release *session_release(struct session *session, const struct plan_change *change) {
    struct project *project = pool_find(&session->pool, change->name);
    struct version version;
    if (!project || !version_try_parse(session->arena, change->to, &version)) return NULL;
    int32_t at = project_find(project, &version);
    return at < 0 ? NULL : &project->releases[at];
}

static bool is_unbuilt(const struct plan_change *change) {
    return change->action != PLAN_REMOVE && change->artifact.sdist && change->artifact.built.len == 0;
}

int32_t session_unbuilt(const struct plan *plan) {
    int32_t count = 0;
    for (int32_t i = 0; i < plan->changes_len; i++) count += is_unbuilt(&plan->changes[i]);
    return count;
}

struct err *session_build_unsure(struct session *session, const struct plan *plan, bool *learned) {
    *learned = false;
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct plan_change *change = &plan->changes[i];
        struct release *release = is_unbuilt(change) ? session_release(session, change) : NULL;
        bool differs = false;
        if (!release || !release->unsure || !session->live || !is_allowed(session, change->name)) continue;
        TRY(build_release(session, &session->pool, change->name, release, &differs));
        *learned = true;
    }
    return NULL;
}

/* Whether a change may be built now that the plan was agreed to: what the user named by URL or path needs no more. */
ERR_MUST_CHECK static struct err *consent_to_build(struct session *session, const struct plan_change *change) {
    if (change->direct || session->builds.consent || is_allowed(session, change->name)) return NULL;
    struct arena *arena = session->arena;
    struct err *err =
        err_make(arena, ERR_CONSENT, "nothing was changed: %.*s %.*s has to be built, which runs its code",
                 FMT(change->raw_name), FMT(change->to));
    return err_hint(arena, err, "--build %.*s allows it, --no-build looks for a plan without", FMT(change->name));
}

struct err *session_build_all(struct session *session, const struct plan *plan, bool *differs) {
    *differs = false;
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (is_unbuilt(&plan->changes[i])) TRY(consent_to_build(session, &plan->changes[i]));
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct plan_change *change = &plan->changes[i];
        struct release *release = is_unbuilt(change) ? session_release(session, change) : NULL;
        bool other = false;
        if (!is_unbuilt(change)) continue;
        if (!release) return err_make(session->arena, ERR_INTERNAL, "no release to build: %.*s", FMT(change->name));
        /* Of a --hash. */
        if (!release->artifact.sha256.len) release->artifact.sha256 = change->artifact.sha256;
        if (!release->artifact.strong.len) release->artifact.strong = change->artifact.strong;
        release->artifact.demanded = change->artifact.demanded;
        release->artifact.demanded_len = change->artifact.demanded_len;
        TRY(build_release(session, &session->pool, change->name, release, &other));
        *differs = *differs || other;
    }
    return NULL;
}

/* Where a request's tree comes from. */
struct origin {
    struct artifact artifact;
    struct artifact_tree *tree;
    struct vcs_url vcs;
    struct str checkout; /* empty: a tree of this machine */
};

/* A file name of a tree for people: the last part of its path. */
static struct str label_of(struct str path) {
    while (path.len > 1 && str_ends(path, S("/"))) path.len--;
    return str_from(path, str_find_last(path, '/') + 1);
}

ERR_MUST_CHECK static struct err *origin_of_repository(struct session *session, const struct request *request,
                                                       struct origin *origin) {
    struct arena *arena = session->arena;
    struct artifact_tree *tree = origin->tree;
    struct str url = request->requirement.url;
    TRY(vcs_url_parse(arena, url, &origin->vcs));
    if (request->editable)
        return err_hint(arena,
                        err_make(arena, ERR_REQUEST, "an editable install needs a tree that stays, not a repository"),
                        "clone it, and ask for -e DIR");
    if (session->index && session->options->offline)
        return err_make(arena, ERR_NETWORK, "a repository cannot be fetched with --offline");
    TRY(make_dir(session, "checkout", &origin->checkout));
    session_progress(session, S("fetching the repository"));
    TRY(vcs_checkout(arena, proc_real(), &origin->vcs, origin->checkout, &tree->commit));
    tree->path = origin->checkout;
    if (origin->vcs.subdirectory.len) tree->path = path_join(arena, origin->checkout, origin->vcs.subdirectory);
    tree->url = http_strip(arena, origin->vcs.repository);
    tree->revision = origin->vcs.revision;
    tree->subdirectory = origin->vcs.subdirectory;
    origin->artifact.url = vcs_url_format(arena, &origin->vcs, tree->commit, true);
    origin->artifact.filename = label_of(origin->vcs.repository);
    return NULL;
}

static void origin_of_tree(struct str path, const struct request *request, struct origin *origin) {
    origin->tree->path = path;
    origin->tree->editable = request->editable;
    origin->tree->url = request->requirement.url;
    origin->artifact.url = request->requirement.url;
    origin->artifact.filename = label_of(path);
}

/* Builds a tree of which nothing is certain, and gives the release that it is. */
ERR_MUST_CHECK static struct err *release_by_build(struct session *session, struct origin *origin, struct str name,
                                                   struct release *release, struct str *ret_name) {
    struct build_result result;
    struct arena *arena = session->pool.arena;
    TRY(consent_to_know(session, name, origin->artifact.filename));
    TRY(build(session, &origin->artifact, name, NULL, NULL, &result));
    struct metadata *metadata = arena_new(arena, struct metadata, 1);
    *metadata = result.metadata;
    release->version = result.version;
    release->metadata = metadata;
    release->artifact.built = result.wheel;
    *ret_name = result.name;
    return NULL;
}

/* Whether the installed distribution is this commit of this repository. */
static bool is_installed_commit(const struct dist *dist, const struct artifact_tree *tree) {
    return dist && tree->commit.len && str_eq(dist->direct_url, tree->url) && str_eq(dist->direct_commit, tree->commit);
}

ERR_MUST_CHECK static struct err *add_release(struct session *session, struct pool *pool, struct str name,
                                              struct release *release, struct project_id *ret, int32_t *ret_release) {
    const struct artifact_tree *tree = release->artifact.tree;
    const struct dist *dist = environment_find(&session->env, name);
    struct project_id id = pool_project(pool, name);
    release->prerelease = version_is_prerelease(&release->version);
    release->meta_state = META_KNOWN;
    /* What came from the same place before is no vendor's, however its version looks. */
    if (dist && str_eq(dist->direct_url, tree->url)) pool->projects.data[id.n].held = false;
    int32_t at = pool_add_named(pool, id, release, !is_installed_commit(dist, tree));
    if (at < 0) return err_make(session->arena, ERR_REQUEST, "the version of %.*s cannot be compared", FMT(name));
    *ret = id;
    *ret_release = at;
    return NULL;
}

ERR_MUST_CHECK static struct err *supply_tree(struct session *session, struct pool *pool, struct str path,
                                              const struct request *request, struct project_id *ret,
                                              int32_t *ret_release) {
    struct arena *arena = session->arena;
    struct origin origin = {.tree = arena_new(arena, struct artifact_tree, 1)};
    struct tree tree;
    struct str name = request->requirement.name;
    if (path.len) origin_of_tree(path, request, &origin);
    else TRY(origin_of_repository(session, request, &origin));
    origin.artifact.tree = origin.tree;
    origin.artifact.sdist = true;
    origin.artifact.size = -1;
    struct err *unread = tree_read(arena, session->fs, origin.tree->path, &tree);
    if (unread && origin.checkout.len && unread->kind == ERR_REQUEST)
        return err_because(err_make(arena, ERR_REQUEST, "%.*s cannot be installed",
                                    FMT(term_quote(arena, http_mask(arena, request->requirement.url)))),
                           unread);
    if (unread) return unread;
    struct str known = tree.name.len ? tree.name : origin.vcs.name.len ? origin.vcs.name : S("");
    if (name.len && known.len && !str_eq(name_normalize(arena, known), name))
        return err_make(arena, ERR_REQUEST, "%.*s is of another project, %.*s",
                        FMT(term_quote(arena, origin.artifact.filename)), FMT(term_quote(arena, known)));
    if (name.len == 0) name = tree.name;
    struct release release = {.on_index = true, .uploaded = INT64_MIN, .artifact = origin.artifact};
    bool may_build = want_takes_sdists(&session->want, name_normalize(arena, name));
    if (!may_build) release.bars = BAR_SDIST;
    if (tree.known) {
        struct metadata *metadata = arena_new(arena, struct metadata, 1);
        *metadata = tree.metadata;
        release.metadata = metadata;
        TRY(version_parse(arena, metadata->version, &release.version));
    } else {
        if (!may_build)
            return err_make(arena, ERR_REQUEST, "%.*s has to be built, and --no-build is set",
                            FMT(term_quote(arena, origin.artifact.filename)));
        /* The version may come from the history. */
        if (origin.checkout.len) TRY(vcs_deepen(arena, proc_real(), &origin.vcs, origin.checkout));
        TRY(release_by_build(session, &origin, name, &release, &name));
    }
    return add_release(session, pool, name, &release, ret, ret_release);
}

/* A file: what it lacks of metadata is built. */
ERR_MUST_CHECK static struct err *supply_file(struct session *session, struct pool *pool, const struct request *request,
                                              struct project_id *ret, int32_t *ret_release) {
    TRY(index_supply_url(session->index, pool, request->requirement.url, request->requirement.name, ret, ret_release));
    struct project *project = &pool->projects.data[ret->n];
    struct release *release = &project->releases[*ret_release];
    bool differs = false;
    bool lacks = release->unsure || (release->artifact.sdist && release->meta_state == META_UNREADABLE);
    if (!lacks || release->bars || release->installed || !session->live) return NULL;
    if (str_eq(session->command, S("plan")) && !is_allowed(session, project->name)) return NULL;
    TRY(consent_to_know(session, project->name, release->artifact.filename));
    return build_release(session, pool, project->name, release, &differs);
}

static bool find_named(const struct session *session, const struct pool *pool, const struct request *request,
                       struct project_id *ret, int32_t *ret_release) {
    const struct session_builds *builds = &session->builds;
    for (ptrdiff_t i = 0; pool == &session->pool && i < builds->named.len; i++) {
        const struct session_named *named = &builds->named.data[i];
        if (!str_eq(named->url, request->requirement.url) || named->editable != request->editable) continue;
        *ret = named->id;
        *ret_release = project_find(&pool->projects.data[named->id.n], &named->version);
        return *ret_release >= 0;
    }
    return false;
}

struct err *session_supply_named(struct session *session, struct pool *pool, const struct request *request,
                                 struct project_id *ret, int32_t *ret_release) {
    struct str url = request->requirement.url, path = S("");
    struct fs_stat st = {0};
    if (find_named(session, pool, request, ret, ret_release)) return NULL;
    if (str_starts(url, S("file:"))) {
        path = file_url_path(session->arena, url);
        TRY(fs_stat(session->fs, session->arena, path, true, &st));
    }
    if (vcs_is_url(url)) TRY(supply_tree(session, pool, S(""), request, ret, ret_release));
    else if (st.is_dir) TRY(supply_tree(session, pool, path, request, ret, ret_release));
    else if (request->editable)
        return err_make(session->arena, ERR_REQUEST, "'-e %.*s' is no source tree",
                        FMT(term_quote(session->arena, url)));
    else TRY(supply_file(session, pool, request, ret, ret_release));
    *vec_push(session->arena, &session->builds.named) = (struct session_named){
        url, request->editable, *ret, pool->projects.data[ret->n].releases[*ret_release].version};
    return NULL;
}
