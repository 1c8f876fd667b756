#include "stage/apply_parts.h"

#include "base/json.h"
#include "base/map.h"
#include "os/digest.h"
#include "os/http.h"
#include "os/signals.h"
#include "os/workers.h"
#include "pypa/name.h"
#include "pypa/simple.h"
#include "stage/check.h"
#include "stage/history.h"
#include "stage/integrity.h"
#include "stage/scan.h"

#include <stdatomic.h>
#include <string.h>

enum {
    SIGNALS_MAX = 100,
    VERIFY_HASH_MAX = 1 << 20,
    SYNC_EVERY = 64 << 20, /* bytes unpacked ahead that are worth a sync */
};

/* A sync beside the downloads: what the commit waits for is little then. */
struct early_sync {
    const char *dir;
    struct beside beside;
    _Atomic int64_t unpacked; /* bytes, by the crew */
    int64_t begun_at;         /* so many were when it last began */
    _Atomic bool runs;
    int status; /* of those that ended: an error of the disk is told once, and counts */
};

/* Modules to import, each once. */
struct import_checks {
    struct import_check *data;
    ptrdiff_t len, cap;
};

/* One run of apply. */
struct run {
    struct arena *arena;
    const struct apply_input *input;
    const struct plan *plan;
    struct transaction_store *store;
    struct transaction *transaction; /* NULL before begin and after commit */
    struct scheme scheme;
    struct str *locks;        /* resolved paths of the edited lock files */
    struct opening *openings; /* of the wheels */
    struct wheel *wheels;     /* of the changes that install something, in their order */
    struct wheel_layout *layouts;
    struct wheel_change *changes;
    int32_t wheels_len, changes_len;
    VEC(struct transaction_op) ops;
    const struct transaction_file *files; /* what the transaction put in place */
    int32_t files_len;
    struct import_checks imports;
    VEC(struct str) notes;
    const struct plan_break *breaks; /* of the environment before, once they are known */
    int32_t breaks_len;
    bool breaks_known;
    struct depot depot; /* while files are staged */
    struct early_sync sync;
    struct signals signals; /* held back from the opening of the store to the end */
};

static void tell(const struct run *run, struct str what) {
    const struct apply_options *options = run->input->options;
    if (options->progress) options->progress(options->progress_self, what);
}

static const struct plan_change *change_find(const struct plan *plan, struct str name) {
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (str_eq(plan->changes[i].name, name)) return &plan->changes[i];
    return NULL;
}

static bool installs(const struct plan_change *change) {
    return change->action != PLAN_REMOVE;
}

/* A wheel that was downloaded, or built before. */
struct fetched {
    struct str path, filename;
};

static struct err *make_dir(struct run *run, struct str path) {
    int status = sys_mkdir(sys_real(), str_copy_z(run->arena, path), 0700);
    return status ? err_errno(run->arena, status, "cannot make '%.*s'", FMT(path)) : NULL;
}

/* Where the wheels of the plan will be, each in a directory of its own; what was built is there already. */
static struct err *places_make(struct run *run, struct fetched *ret) {
    const struct plan *plan = run->plan;
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct plan_change *change = &plan->changes[i];
        struct str filename = change->artifact.filename;
        if (!installs(change)) continue;
        if (change->artifact.sdist) {
            struct str built = change->artifact.built;
            if (!built.len) return err_make(run->arena, ERR_INTERNAL, "%.*s was not built", FMT(change->name));
            ret[i] = (struct fetched){.path = built, .filename = str_from(built, str_find_last(built, '/') + 1)};
            continue;
        }
        if (filename.len == 0 || filename.data[0] == '.' || str_find_char(filename, '/') >= 0)
            return err_make(run->arena, ERR_INDEX, "'%.*s' is no file name of a release", FMT(filename));
        struct str dir = str_format(run->arena, "%.*s/%d", FMT(transaction_scratch(run->transaction)), i);
        TRY(make_dir(run, dir));
        ret[i] = (struct fetched){path_join(run->arena, dir, filename), filename};
    }
    return NULL;
}

static struct err *of_change(struct arena *arena, const struct plan_change *change, struct err *err) {
    if (!err || err->kind == ERR_INTERRUPTED) return err;
    struct err *outer = err_make(arena, err->kind, "cannot install %.*s %.*s", FMT(change->raw_name), FMT(change->to));
    outer->hint = err->hint;
    return err_because(outer, err);
}

static void add_tree_info(struct json_writer *w, const struct artifact_tree *tree) {
    json_key(w, tree->commit.len ? S("vcs_info") : S("dir_info"));
    json_begin_object(w);
    if (tree->commit.len) {
        json_key_string(w, S("vcs"), S("git"));
        if (tree->revision.len) json_key_string(w, S("requested_revision"), tree->revision);
        json_key_string(w, S("commit_id"), tree->commit);
    } else if (tree->editable) {
        json_key_bool(w, S("editable"), true);
    }
    json_end_object(w);
    if (tree->subdirectory.len) json_key_string(w, S("subdirectory"), tree->subdirectory);
}

static void add_archive_info(struct json_writer *w, const struct artifact *artifact) {
    json_key(w, S("archive_info"));
    json_begin_object(w);
    if (artifact->sha256.len || artifact->strong.len) {
        json_key(w, S("hashes"));
        json_begin_object(w);
        if (artifact->sha256.len) json_key_string(w, S("sha256"), artifact->sha256);
        if (artifact->strong.len) json_key_string(w, simple_hash_name(artifact->strong), artifact->strong);
        json_end_object(w);
    }
    json_end_object(w);
}

/* direct_url.json of PEP 610: where the artifact came from, without credentials. */
static struct str direct_url_format(struct arena *arena, const struct artifact *artifact) {
    struct buf buf = {.arena = arena};
    struct json_writer writer = {.buf = &buf};
    json_begin_object(&writer);
    json_key_string(&writer, S("url"), http_strip(arena, artifact->tree ? artifact->tree->url : artifact->url));
    if (artifact->tree) add_tree_info(&writer, artifact->tree);
    else add_archive_info(&writer, artifact);
    json_end_object(&writer);
    return buf_str(&buf);
}

/* The plan was made by the metadata file beside the wheel (PEP 658): what is in the wheel has to be the same. */
static struct err *check_metadata(struct arena *arena, const struct artifact *artifact, const struct wheel *wheel) {
    if (artifact->sdist || !artifact->metadata_sha256.len) return NULL;
    struct str inside = digest_hex(arena, digest_make(arena, wheel->metadata_text, DIGEST_SHA256));
    if (str_eq_nocase(inside, artifact->metadata_sha256)) return NULL;
    struct err *err =
        err_make(arena, ERR_HASH, "METADATA in %.*s is not the metadata file that the index has beside it",
                 FMT(artifact->filename));
    return err_hint(arena, err, "the plan was made by that file; ask those who run the index");
}

/* One wheel to be opened, by one of several threads, in memory of its own. */
struct opening {
    struct run *run;
    const struct plan_change *change;
    struct fetched fetched;
    struct arena *arena;
    struct wheel *wheel;
    struct wheel_layout *layout;
    bool opened;
};

static void opening_close(struct opening *opening) {
    if (opening->wheel->mapping.fd >= 0) wheel_close(opening->wheel);
    arena_close(opening->arena);
    opening->arena = NULL;
}

static struct err *wheel_open_one(void *self, struct arena *arena, int32_t i) {
    struct opening *opening = &((struct opening *)self)[i];
    const struct run *run = opening->run;
    const struct plan_change *change = opening->change;
    const struct apply_options *o = run->input->options;
    (void)arena;
    if (opening->opened) return NULL;
    opening->arena = arena_open();
    /* Its hash was checked when it was fetched, or found in the cache; nobody else can write where it is since. */
    const struct wheel_terms terms = {
        .known = change->artifact.sdist ? (struct str){0} : change->artifact.sha256,
        .rebuild_record = str_among(o->rebuild_record, o->rebuild_record_len, change->name),
    };
    struct wheel wheel;
    struct err *err = wheel_open(opening->arena, opening->fetched.path, opening->fetched.filename, &terms, &wheel);
    if (err) return of_change(opening->arena, change, err);
    *opening->wheel = wheel;
    err = check_metadata(opening->arena, &change->artifact, opening->wheel);
    struct wheel_options options = {.requested = change->requested};
    if (change->direct) options.direct_url = direct_url_format(opening->arena, &change->artifact);
    const struct dist *old = environment_find(run->plan->env, change->name);
    if (old && old->requested) options.requested = true;
    if (!err) err = wheel_layout_make(opening->arena, opening->wheel, &run->scheme, &options, opening->layout);
    opening->opened = !err;
    return of_change(opening->arena, change, err);
}

/* What every wheel is opened into. */
static void openings_make(struct run *run, const struct fetched *fetched) {
    const struct plan *plan = run->plan;
    struct opening *openings = arena_new(run->arena, struct opening, plan->changes_len);
    run->openings = openings;
    run->wheels = arena_new(run->arena, struct wheel, plan->changes_len);
    run->layouts = arena_new(run->arena, struct wheel_layout, plan->changes_len);
    run->changes = arena_new(run->arena, struct wheel_change, plan->changes_len);
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct plan_change *change = &plan->changes[i];
        struct wheel_change *out = &run->changes[run->changes_len++];
        *out = (struct wheel_change){.name = change->name};
        out->allow_startup = change->artifact.tree && change->artifact.tree->editable;
        if (!installs(change)) continue;
        int32_t at = run->wheels_len++;
        run->wheels[at].mapping.fd = -1;
        openings[at] = (struct opening){.run = run,
                                        .change = change,
                                        .fetched = fetched[i],
                                        .wheel = &run->wheels[at],
                                        .layout = &run->layouts[at]};
        out->layout = &run->layouts[at];
    }
}

/* Where unpacked files are kept; empty: nowhere. */
static struct str depot_dir(struct arena *arena, const struct run *run) {
    struct str cache = run->input->options->cache_dir;
    return cache.len ? path_join(arena, cache, S("files")) : (struct str){0};
}

/* What is done with a wheel while others are still to come. One that is refused is so in its turn, by wheels_open. */
struct ahead {
    struct run *run;
    struct crew *crew;
    int32_t *openings; /* per file that is downloaded */
};

static struct err *ahead_one(void *self, struct arena *arena, int32_t i) {
    const struct ahead *ahead = self;
    struct run *run = ahead->run;
    struct opening *opening = &run->openings[ahead->openings[i]];
    struct err *refused = wheel_open_one(run->openings, arena, ahead->openings[i]);
    if (refused) opening_close(opening);
    else atomic_fetch_add(&run->sync.unpacked, wheel_unpack_ahead(arena, &run->depot, opening->layout, ahead->crew));
    return NULL;
}

static int sync_run(const void *self) {
    struct early_sync *const *sync = self;
    int status = sys_syncfs(sys_real(), (*sync)->dir);
    atomic_store(&(*sync)->runs, false);
    return status;
}

static void sync_end(struct early_sync *sync) {
    int status = beside_end(&sync->beside);
    if (sync->status == 0) sync->status = status;
}

static void sync_begin(struct run *run) {
    struct early_sync *sync = &run->sync;
    int64_t unpacked = atomic_load(&sync->unpacked);
    if (unpacked - sync->begun_at < SYNC_EVERY || atomic_load(&sync->runs)) return;
    sync_end(sync);
    sync->begun_at = unpacked;
    struct early_sync **self = arena_new(run->arena, struct early_sync *, 1);
    *self = sync;
    sync->beside = (struct beside){.run = sync_run, .self = self};
    atomic_store(&sync->runs, true);
    beside_begin(run->arena, &sync->beside);
}

static void ahead_add(void *self, int32_t i) {
    const struct ahead *ahead = self;
    crew_add(ahead->crew, i);
    sync_begin(ahead->run);
}

/* Downloads what the plan installs into the staging area. What has come is opened and unpacked beside. */
static struct err *download(struct run *run) {
    const struct artifact **artifacts = arena_new(run->arena, const struct artifact *, run->wheels_len);
    struct str *paths = arena_new(run->arena, struct str, run->wheels_len);
    struct ahead ahead = {.run = run, .openings = arena_new(run->arena, int32_t, run->wheels_len)};
    int32_t len = 0;
    for (int32_t i = 0; i < run->wheels_len; i++) {
        const struct opening *opening = &run->openings[i];
        if (opening->change->artifact.sdist) continue;
        artifacts[len] = &opening->change->artifact;
        paths[len] = opening->fetched.path;
        ahead.openings[len++] = i;
    }
    if (len == 0) return NULL;
    if (!run->input->index) return err_make(run->arena, ERR_INTERNAL, "there is no index to download from");
    tell(run, str_format(run->arena, "downloading %d file%s", len, len == 1 ? "" : "s"));
    const struct workers_step step = {.self = &ahead, .run = ahead_one};
    const struct index_arrivals arrivals = {&ahead, ahead_add};
    ahead.crew = crew_open(run->arena, &step, len);
    struct err *err = index_download_all(run->input->index, artifacts, paths, len, &arrivals);
    crew_close(ahead.crew);
    return err;
}

/* Opens and verifies every wheel before anything of them is staged. */
static struct err *wheels_open(struct run *run) {
    const struct workers_step step = {.self = run->openings, .run = wheel_open_one};
    TRY(workers_run(run->arena, &step, run->wheels_len));
    for (int32_t i = 0; i < run->wheels_len; i++)
        for (int32_t j = 0; j < run->wheels[i].warnings_len; j++)
            *vec_push(run->arena, &run->notes) = str_format(
                run->arena, "%.*s: %.*s", FMT(run->openings[i].change->raw_name), FMT(run->wheels[i].warnings[j]));
    return NULL;
}

static void wheels_close(struct run *run) {
    for (int32_t i = 0; i < run->wheels_len; i++) opening_close(&run->openings[i]);
}

static bool break_known(const struct plan_break *found, const struct plan_break *known, int32_t len) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(found->name, known[i].name) && str_eq(found->requires_text, known[i].requires_text)) return true;
    return false;
}

/* What is broken in the environment that the plan was made for. Looked at where something is found that the plan does
 * not tell, which is seldom. */
static bool break_was_there(struct run *run, const struct plan_break *found) {
    const struct plan *plan = run->plan;
    const struct check_dist *dists = NULL;
    const struct plan_allowance *uses = NULL;
    int32_t dists_len = 0, uses_len = 0;
    if (!run->breaks_known) {
        check_dists_of(run->arena, plan->env, &dists, &dists_len);
        check_breaks(run->arena, &plan->env->markers, dists, dists_len, true, &run->breaks, &run->breaks_len, &uses,
                     &uses_len);
    }
    run->breaks_known = true;
    return break_known(found, run->breaks, run->breaks_len);
}

/* True for what is broken before, and what the plan tells. */
static bool break_told(struct run *run, const struct plan_break *found) {
    const struct plan *plan = run->plan;
    return break_known(found, plan->breaks_before, plan->breaks_before_len) ||
           break_known(found, plan->breaks_new, plan->breaks_new_len) || break_was_there(run, found);
}

static const struct wheel *wheel_find(const struct run *run, struct str name) {
    for (int32_t i = 0; i < run->wheels_len; i++)
        if (str_eq(run->wheels[i].filename.name, name)) return &run->wheels[i];
    return NULL;
}

static struct check_dist dist_of_wheel(const struct wheel *wheel) {
    return (struct check_dist){.name = wheel->filename.name,
                               .version = wheel->filename.version,
                               .version_valid = true,
                               .metadata = &wheel->metadata};
}

/* The environment as it will be, with the requirements that the wheels themselves state. */
static void dists_after(struct run *run, const struct check_dist **ret, int32_t *ret_len) {
    const struct check_dist *old = NULL;
    int32_t old_len = 0, len = 0;
    check_dists_of(run->arena, run->plan->env, &old, &old_len);
    struct check_dist *dists = arena_new(run->arena, struct check_dist, old_len + run->wheels_len);
    for (int32_t i = 0; i < old_len; i++)
        if (!change_find(run->plan, old[i].name)) dists[len++] = old[i];
    for (int32_t i = 0; i < run->wheels_len; i++) dists[len++] = dist_of_wheel(&run->wheels[i]);
    *ret = dists;
    *ret_len = len;
}

/* The plan was made with what the index said of the wheels. What they say themselves must be met as well: better known
 * before anything is changed. */
static struct err *promises_check(struct run *run) {
    const struct marker_env *markers = &run->plan->env->markers;
    const struct check_dist *dists = NULL;
    const struct plan_break *breaks = NULL;
    const struct plan_allowance *uses = NULL;
    int32_t dists_len = 0, len = 0, uses_len = 0;
    if (run->input->options->no_undo) return NULL;
    dists_after(run, &dists, &dists_len);
    check_breaks(run->arena, markers, dists, dists_len, true, &breaks, &len, &uses, &uses_len);
    for (int32_t i = 0; i < len; i++) {
        if (!wheel_find(run, breaks[i].name) || break_told(run, &breaks[i])) continue;
        struct err *err =
            err_make(run->arena, ERR_INDEX, "the file of %.*s %.*s requires %.*s, which the index did not tell",
                     FMT(breaks[i].name), FMT(breaks[i].version), FMT(breaks[i].requires_text));
        return err_hint(run->arena, err, "nothing was changed; ask for what it requires too, or for another version");
    }
    return NULL;
}

static struct err *files_stage(struct run *run) {
    struct wheel_operations operations;
    struct wheel_change_options options = {
        .env = run->plan->env,
        .scheme = &run->scheme,
        .modified = run->input->options->modified,
        .allow_startup = run->input->options->allow_startup,
        .depot = &run->depot,
    };
    tell(run, S("unpacking"));
    TRY(wheel_change_make(run->arena, &options, run->changes, run->changes_len, run->transaction, &operations));
    run->ops.data = operations.ops;
    run->ops.len = operations.len;
    run->ops.cap = operations.room;
    for (int32_t i = 0; i < operations.notes_len; i++) *vec_push(run->arena, &run->notes) = operations.notes[i];
    return NULL;
}

/* The text of every lock file that changes; what is there must be what was planned with. */
static struct err *locks_stage(struct run *run) {
    const struct plan *plan = run->plan;
    VEC(struct lock_edit) edits = {0};
    for (int32_t i = 0; i < plan->lifts_len; i++) {
        const struct plan_change *change = change_find(plan, plan->lifts[i].name);
        if (plan->lifts[i].file_number < 0) continue;
        struct lock_edit edit = {.name = plan->lifts[i].name, .to = plan->lifts[i].to};
        if (change) edit.hash = artifact_hash(run->arena, &change->artifact);
        *vec_push(run->arena, &edits) = edit;
    }
    for (int32_t i = 0; edits.len && i < plan->locks->files_len; i++) {
        struct str now;
        if (!run->locks[i].len) continue;
        TRY(fs_read(run->input->fs, run->arena, run->locks[i], LOCK_FILE_MAX, &now));
        if (!str_eq(now, plan->locks->files[i].text))
            return err_make(run->arena, ERR_CHANGED, "'%.*s' was changed since the plan was made", FMT(run->locks[i]));
        struct str text = lock_edit_format(run->arena, plan->locks, i, edits.data, (int32_t)edits.len);
        if (str_eq(text, now)) continue;
        *vec_push(run->arena, &run->ops) =
            (struct transaction_op){.kind = TRANSACTION_EDIT, .path = run->locks[i], .text = text};
    }
    return NULL;
}

static struct err *environment_again(struct run *run, struct environment *ret) {
    struct scan_options options = {.python = run->plan->env->python,
                                   .cache_dir = run->input->options->cache_dir,
                                   .no_state = true,
                                   .known = run->plan->env};
    return scan_environment(run->arena, run->input->fs, run->input->proc, &options, ret);
}

/* The environment must still be the one that the plan was made for. */
static struct err *environment_check(struct run *run) {
    struct environment now;
    TRY(environment_again(run, &now));
    if (environment_is_still(&now, run->plan->env)) return NULL;
    struct err *err = err_make(run->arena, ERR_CHANGED, "the environment was changed since the plan was made");
    return err_hint(run->arena, err, "make the plan again; nothing was touched");
}

/* A package that two wheels share is imported once. */
static void import_add(struct run *run, struct import_checks *checks, const struct import_check *check) {
    for (ptrdiff_t i = 0; i < checks->len; i++)
        if (str_eq(checks->data[i].module, check->module)) return;
    *vec_push(run->arena, checks) = *check;
}

/* The modules of what is installed, with how those that are there import now. A module that fails already does not
 * count. */
static struct err *imports_before(struct run *run) {
    struct import_checks there = {0};
    if (run->input->options->no_imports) return NULL;
    int32_t *groups = arena_new(run->arena, int32_t, run->wheels_len);
    imports_group(run->arena, run->wheels, run->wheels_len, groups);
    for (int32_t i = 0; i < run->wheels_len; i++) {
        const struct str *names = NULL, *old = NULL;
        int32_t len = 0, old_len = 0;
        const struct dist *dist = environment_find(run->plan->env, run->wheels[i].filename.name);
        wheel_top_level(run->arena, &run->wheels[i], &names, &len);
        if (dist) scan_top_level(run->arena, run->input->fs, run->plan->env, dist, &old, &old_len);
        for (int32_t j = 0; j < len && run->imports.len < APPLY_IMPORTS_MAX; j++) {
            /* The wheels are closed before it is imported. */
            const struct import_check check = {.module = str_copy(run->arena, names[j]), .group = groups[i]};
            if (!import_wanted(names[j])) continue;
            import_add(run, &run->imports, &check);
            for (int32_t k = 0; k < old_len; k++)
                if (str_eq(old[k], names[j])) import_add(run, &there, &check);
        }
    }
    if (there.len == 0) return NULL;
    tell(run, S("importing what will change"));
    TRY(imports_try(run->arena, run->input, there.data, (int32_t)there.len));
    for (ptrdiff_t i = 0; i < there.len; i++)
        for (ptrdiff_t j = 0; j < run->imports.len; j++) {
            if (!str_eq(run->imports.data[j].module, there.data[i].module)) continue;
            if (there.data[i].outcome == IMPORT_OK) run->imports.data[j].before = true;
            else run->imports.data[j--] = run->imports.data[--run->imports.len];
        }
    return NULL;
}

static struct str describe(struct run *run) {
    const struct plan *plan = run->plan;
    struct history_change *changes = arena_new(run->arena, struct history_change, plan->changes_len);
    struct history_change *lifts = arena_new(run->arena, struct history_change, plan->lifts_len);
    for (int32_t i = 0; i < plan->changes_len; i++)
        changes[i] = (struct history_change){plan->changes[i].name, plan->changes[i].from, plan->changes[i].to,
                                             artifact_verified(run->arena, &plan->changes[i].artifact)};
    for (int32_t i = 0; i < plan->lifts_len; i++)
        lifts[i] =
            (struct history_change){.name = plan->lifts[i].name, .from = plan->lifts[i].from, .to = plan->lifts[i].to};
    return history_format(run->arena, run->input->options->argv, run->input->options->argv_len, changes,
                          plan->changes_len, lifts, plan->lifts_len);
}

static struct err *stage_files(struct run *run) {
    TRY(download(run));
    TRY(wheels_open(run));
    TRY(promises_check(run));
    TRY(environment_check(run));
    TRY(imports_before(run));
    TRY(files_stage(run));
    return locks_stage(run);
}

static struct err *stage(struct run *run) {
    struct fetched *fetched = arena_new(run->arena, struct fetched, run->plan->changes_len);
    TRY(places_make(run, fetched));
    openings_make(run, fetched);
    run->depot = depot_open(run->arena, depot_dir(run->arena, run), transaction_scratch(run->transaction));
    run->sync.dir = str_copy_z(run->arena, transaction_scratch(run->transaction));
    struct err *err = stage_files(run);
    sync_end(&run->sync);
    depot_close(&run->depot);
    if (err || run->sync.status == 0) return err;
    return err_errno(run->arena, run->sync.status, "cannot make '%s' durable", run->sync.dir);
}

static struct err *verify_failed(struct run *run, const char *what, struct str detail) {
    return err_make(run->arena, ERR_VERIFY, "%s: %.*s", what, FMT(detail));
}

/* Every change is what Python finds now. */
static struct err *verify_changes(struct run *run, const struct environment *now) {
    for (int32_t i = 0; i < run->plan->changes_len; i++) {
        const struct plan_change *change = &run->plan->changes[i];
        const struct dist *dist = environment_find(now, change->name);
        if (!installs(change)) continue; /* a shadowed one may have come to light: that is no failure */
        struct version wanted;
        bool same = dist && (version_try_parse(run->arena, change->to, &wanted) && dist->version_valid
                                 ? version_cmp(&dist->version, &wanted) == 0
                                 : str_eq(dist->version.text, change->to));
        if (!same)
            return verify_failed(run, "what Python finds is not what was installed",
                                 dist ? str_format(run->arena, "%.*s %.*s instead of %.*s", FMT(change->name),
                                                   FMT(dist->version.text), FMT(change->to))
                                      : change->name);
    }
    return NULL;
}

/* What the new RECORDs list is there. The bytes were hashed when they were unpacked: files that are still those which
 * the transaction saw in place are not read again, nor are large ones. */
static struct err *verify_records(struct run *run, const struct environment *now) {
    bool *wanted = arena_new(run->arena, bool, now->dists_len);
    struct integrity found = {0};
    for (int32_t i = 0; i < run->plan->changes_len; i++) {
        const struct plan_change *change = &run->plan->changes[i];
        const struct dist *dist = installs(change) ? environment_find(now, change->name) : NULL;
        if (dist) wanted[dist - now->dists] = true;
    }
    const struct integrity_limits limits = {wanted, VERIFY_HASH_MAX, run->files, run->files_len};
    TRY(integrity_check_some(run->arena, run->input->fs, now, &limits, &found));
    if (found.len == 0) return NULL;
    struct str first = str_format(run->arena, "%.*s (%.*s)", FMT(found.items[0].path), FMT(found.items[0].what));
    if (run->input->options->modified != WHEEL_KEEP)
        return verify_failed(run, "an installed file is not what RECORD says", first);
    /* Files that were kept differ from the new RECORD, as was asked for. */
    *vec_push(run->arena, &run->notes) =
        str_format(run->arena, "%d files are not what RECORD says, such as %.*s", found.len, FMT(first));
    return NULL;
}

static struct err *verify_breaks(struct run *run, const struct environment *now) {
    const struct check_dist *dists = NULL;
    const struct plan_break *breaks = NULL;
    const struct plan_allowance *uses = NULL;
    int32_t dists_len = 0, len = 0, uses_len = 0;
    check_dists_of(run->arena, now, &dists, &dists_len);
    check_breaks(run->arena, &now->markers, dists, dists_len, true, &breaks, &len, &uses, &uses_len);
    for (int32_t i = 0; i < len; i++) {
        if (break_told(run, &breaks[i])) continue;
        return verify_failed(run, "a requirement is broken",
                             str_format(run->arena, "%.*s %.*s requires %.*s", FMT(breaks[i].name),
                                        FMT(breaks[i].version), FMT(breaks[i].requires_text)));
    }
    return NULL;
}

/* True if a new module wants another that nothing brings and that no distribution is named for: its metadata require
 * what it needs, and that is there, so this is for those who have the other one too (matplotlib_inline). */
static bool import_is_optional(const struct run *run, const struct environment *now, const struct import_check *check) {
    if (check->outcome != IMPORT_FAILED || check->before || !check->lacks.len) return false;
    for (ptrdiff_t i = 0; i < run->imports.len; i++)
        if (str_eq(run->imports.data[i].module, check->lacks)) return false;
    return !environment_find(now, name_normalize(run->arena, check->lacks));
}

static struct err *verify_imports(struct run *run, const struct environment *now) {
    if (run->imports.len == 0) return NULL;
    tell(run, str_format(run->arena, "importing %td modules", run->imports.len));
    TRY(imports_try(run->arena, run->input, run->imports.data, (int32_t)run->imports.len));
    for (ptrdiff_t i = 0; i < run->imports.len; i++) {
        const struct import_check *check = &run->imports.data[i];
        struct str said = str_format(run->arena, "`import %.*s`: %.*s", FMT(check->module), FMT(check->message));
        bool bad = check->outcome == IMPORT_FAILED || check->outcome == IMPORT_CRASHED;
        if (bad && !import_is_optional(run, now, check)) {
            struct err *err = verify_failed(run, "a module does not import", said);
            return err_hint(run->arena, err, "the change was undone; --no-imports keeps it all the same");
        }
        if (check->outcome != IMPORT_OK) *vec_push(run->arena, &run->notes) = said;
    }
    return NULL;
}

static struct err *verify(struct run *run) {
    struct environment now;
    TRY(environment_again(run, &now));
    TRY(verify_changes(run, &now));
    TRY(verify_records(run, &now));
    TRY(verify_breaks(run, &now));
    return verify_imports(run, &now);
}

/* Back to the old state because of `err`; the two transactions leave no trace in the history. */
static struct err *undo(struct run *run, struct str id, struct err *err) {
    struct transaction_result result;
    struct err *failed = NULL;
    for (int i = 0; i < SIGNALS_MAX; i++) {
        (void)signals_take(); /* the way back is gone to its end */
        failed = history_undo_in(run->arena, run->store, id, true, S("{}"), &result);
        if (!failed || failed->kind != ERR_INTERRUPTED) break;
    }
    if (failed) {
        /* Whatever kept us from going back: the old state is not there, and nobody may take it for that. */
        struct err *outer = err_make(run->arena, ERR_RECOVER,
                                     "the verification failed, and undoing the change failed too: it is in place");
        if (failed->kind != ERR_RECOVER)
            outer = err_hint(run->arena, outer, "`unpin undo` takes it back when the cause is gone");
        return err_because(outer, err_because(failed, err));
    }
    transaction_forget_undone(run->store, result.id, id);
    if (err->kind == ERR_VERIFY || err->kind == ERR_INTERRUPTED) return err;
    return err_because(err_make(run->arena, ERR_VERIFY, "the change could not be verified and was undone"), err);
}

/* What was committed is durable: the cache may rely on what it has in common with it. The wheels lay in the
 * transaction's own directory, and are the cache's files where they have the same inode. */
static void cache_note(struct run *run) {
    wheel_unpack_note(run->arena, depot_dir(run->arena, run), run->layouts, run->wheels_len);
    for (int32_t i = 0; i < run->wheels_len && run->input->index; i++) {
        const struct artifact *artifact = &run->openings[i].change->artifact;
        if (!artifact->sdist) index_download_note(run->input->index, artifact, run->wheels[i].mapping.fd);
    }
}

static struct err *carry_out(struct run *run, struct apply_result *ret) {
    struct transaction_result result;
    TRY(transaction_begin(run->store, &run->transaction));
    struct err *err = stage(run);
    struct transaction *transaction = run->transaction;
    if (err) {
        transaction_abort(transaction);
        return err;
    }
    tell(run, S("changing files"));
    TRY(transaction_commit(transaction, run->ops.data, (int32_t)run->ops.len, describe(run), &result));
    for (int32_t i = 0; i < result.warnings_len; i++) *vec_push(run->arena, &run->notes) = result.warnings[i];
    cache_note(run);
    run->files = result.files;
    run->files_len = result.files_len;
    if (!run->input->options->compile) wheels_close(run); /* what verifies takes their memory */
    tell(run, S("verifying"));
    err = verify(run);
    if (err && !run->input->options->no_undo) return undo(run, result.id, err);
    if (err) return err;
    if (run->input->options->compile) {
        tell(run, S("compiling"));
        compile_try(run->arena, run->input, run->ops.data, (int32_t)run->ops.len);
    }
    ret->id = result.id;
    ret->imported = (int32_t)run->imports.len;
    return NULL;
}

static struct err *apply_locked(struct run *run, struct apply_result *ret) {
    const struct plan *plan = run->plan;
    VEC(struct str) files = {0};
    struct transaction_options options;
    TRY(scheme_make(run->arena, plan->env, &run->scheme));
    TRY(lock_paths(run->arena, plan, &run->locks));
    for (int32_t i = 0; plan->locks && i < plan->locks->files_len; i++)
        if (run->locks[i].len) *vec_push(run->arena, &files) = run->locks[i];
    TRY(history_options(run->arena, plan->env, files.data, (int32_t)files.len, &options));
    options.no_undo = run->input->options->no_undo;
    signals_hold(&run->signals);
    struct err *err = transaction_open(run->arena, &options, &ret->recovered, &run->store);
    if (!err) err = carry_out(run, ret);
    transaction_close(run->store);
    ret->signal = signals_release(&run->signals);
    wheels_close(run);
    return err;
}

struct err *apply_plan(struct arena *arena, const struct apply_input *input, struct apply_result *ret) {
    struct run run = {.arena = arena, .input = input, .plan = input->plan};
    struct apply_result result = {0};
    if (run.plan->status == PLAN_INFEASIBLE) return err_make(arena, ERR_INFEASIBLE, "there is no plan to carry out");
    if (run.plan->status == PLAN_FEASIBLE && (run.plan->changes_len || run.plan->lifts_len)) {
        TRY(apply_allowed(arena, input));
        TRY(apply_locked(&run, &result));
    }
    result.notes = run.notes.data;
    result.notes_len = (int32_t)run.notes.len;
    *ret = result;
    return NULL;
}
