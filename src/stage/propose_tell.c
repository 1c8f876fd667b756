/* A solution told as a plan. */
#include "base/arena.h"
#include "base/buf.h"
#include "stage/check.h"
#include "stage/propose_parts.h"

#include <stdlib.h>
#include <string.h>

enum { FACTS_ALIKE = 3 /* requirements of one project that a warning tells, those of the newest releases */ };

static const struct release *chosen_release(const struct pool *pool, const struct solution *solution, int32_t p) {
    if (p >= solution->chosen_len || solution->chosen[p] < 0) return NULL;
    return &pool->projects.data[p].releases[solution->chosen[p]];
}

static bool is_requested(const struct want *want, struct str name) {
    for (int32_t i = 0; i < want->requests_len; i++)
        if (!want->requests[i].constraint && str_eq(want->requests[i].requirement.name, name)) return true;
    return false;
}

/* True if the user gave a version, or a bound, of it: it has no floor. */
static bool is_bounded(const struct want *want, struct str name) {
    for (int32_t i = 0; i < want->requests_len; i++)
        if (want->requests[i].requirement.specifiers.len && str_eq(want->requests[i].requirement.name, name))
            return true;
    return false;
}

static bool by_url(const struct want *want, struct str name) {
    for (int32_t i = 0; i < want->requests_len; i++)
        if (want->requests[i].requirement.url.len && str_eq(want->requests[i].requirement.name, name)) return true;
    return false;
}

static bool has_mark(const struct solution_marks *marks, int32_t project) {
    for (int32_t i = 0; i < marks->len; i++)
        if (marks->items[i].project == project) return true;
    return false;
}

static enum plan_action action_of(const struct project *project, int32_t chosen) {
    if (project->installed < 0) return PLAN_ADD;
    if (chosen < 0) return PLAN_REMOVE;
    if (project->held) return PLAN_REPLACE;
    return chosen > project->installed ? PLAN_UPGRADE : PLAN_DOWNGRADE;
}

static int change_order(const void *a, const void *b) {
    const struct plan_change *x = a, *y = b;
    if (x->requested != y->requested) return x->requested ? -1 : 1;
    return str_cmp(x->name, y->name);
}

static void make_changes(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                         const struct solution *solution, struct plan *plan) {
    VEC(struct plan_change) changes = {0};
    for (int32_t p = 0; p < solution->chosen_len; p++) {
        const struct project *project = &pool->projects.data[p];
        if (solution->chosen[p] == project->installed) continue;
        const struct release *release = chosen_release(pool, solution, p);
        const struct dist *dist = environment_find(input->env, project->name);
        struct plan_change *change = vec_push(arena, &changes);
        *change = (struct plan_change){
            .name = project->name,
            .raw_name = dist                ? dist->raw_name
                        : release->metadata ? release->metadata->name
                                            : project->name,
            .action = dist && project->installed < 0 ? PLAN_REPLACE : action_of(project, solution->chosen[p]),
            .from = dist ? dist->version.text : (struct str){0},
            .to = release ? release->version.text : (struct str){0},
            .requested = is_requested(input->want, project->name),
            .artifact = release ? release->artifact : (struct artifact){.size = -1},
            .direct = release && by_url(input->want, project->name),
            .below_floor = has_mark(&solution->below, p),
            .lax = has_mark(&solution->lax, p),
        };
        if (change->action == PLAN_REMOVE) change->requested = true;
    }
    if (changes.len) qsort(changes.data, (size_t)changes.len, sizeof *changes.data, change_order);
    plan_explain_changes(arena, input, pool, solution, changes.data, (int32_t)changes.len);
    plan->changes = changes.data;
    plan->changes_len = (int32_t)changes.len;
}

static struct str lock_from(struct arena *arena, const struct lock_set *locks, const struct lock_line *line) {
    if (line->version_from >= 0) return str_slice(locks->files[line->file].text, line->version_from, line->version_to);
    if (line->requirement.url.len) return line->requirement.url;
    return specifier_set_format(arena, &line->requirement.specifiers);
}

static void make_lifts(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                       const struct solution *solution, struct plan *plan) {
    VEC(struct plan_lift) lifts = {0};
    const struct lock_set *locks = input->locks;
    for (int32_t i = 0; i < solution->lifted_len; i++) {
        const struct project *project = &pool->projects.data[solution->lifted[i]];
        const struct release *release = chosen_release(pool, solution, solution->lifted[i]);
        struct str to = release ? release->version.text : (struct str){0};
        bool named = false;
        for (int32_t l = 0; l < locks->lines_len; l++) {
            const struct lock_line *line = &locks->lines[l];
            if (!line->active || line->shadowed || !str_eq(line->requirement.name, project->name)) continue;
            *vec_push(arena, &lifts) = (struct plan_lift){
                project->name, lock_from(arena, locks, line), to, locks->files[line->file].path, line->file,
                line->line};
            named = true;
            break;
        }
        if (named) continue;
        const struct dist *dist = environment_find(input->env, project->name);
        struct str file = locks->files_len ? locks->files[0].path : (struct str){0};
        *vec_push(arena, &lifts) =
            (struct plan_lift){project->name, dist ? dist->version.text : (struct str){0}, to, file, -1, 0};
    }
    plan->lifts = lifts.data;
    plan->lifts_len = (int32_t)lifts.len;
}

static void make_allowances(struct arena *arena, const struct pool *pool, const struct solution *solution,
                            struct plan *plan) {
    VEC(struct plan_allowance) allowances = {0};
    for (int32_t i = 0; i < solution->allowances.len; i++) {
        const struct solution_mark *mark = &solution->allowances.items[i];
        const struct project *target = &pool->projects.data[mark->target];
        const struct version *version = &target->releases[target->installed].version;
        struct version base = version_base(version);
        struct str who = S("the request");
        if (mark->project >= 0) {
            const struct release *release = chosen_release(pool, solution, mark->project);
            who = str_format(arena, "%.*s %.*s", FMT(pool->projects.data[mark->project].name),
                             FMT(release ? release->version.text : (struct str){0}));
        }
        *vec_push(arena, &allowances) = (struct plan_allowance){
            .name = target->name,
            .version = version->text,
            .taken_as = version_format(arena, &base),
            .for_text = str_format(arena, "%.*s: %.*s", FMT(who), FMT(mark->requirement->text)),
        };
    }
    plan->allowances = allowances.data;
    plan->allowances_len = (int32_t)allowances.len;
}

/* The distributions of the result, for the checker. */
static const struct check_dist *result_dists(struct arena *arena, const struct pool *pool,
                                             const struct solution *solution, const struct want *want,
                                             int32_t *ret_len) {
    VEC(struct check_dist) dists = {0};
    for (int32_t p = 0; p < solution->chosen_len; p++) {
        const struct release *release = chosen_release(pool, solution, p);
        if (!release) continue;
        struct check_dist *dist = vec_push(arena, &dists);
        *dist = (struct check_dist){
            .name = pool->projects.data[p].name,
            .version = release->version,
            .version_valid = release->version.release_len > 0,
            .metadata = release->metadata,
            .held = release->installed && pool->projects.data[p].held,
        };
        for (int32_t i = 0; i < want->requests_len; i++) {
            const struct requirement *requirement = &want->requests[i].requirement;
            if (!str_eq(requirement->name, dist->name) || !requirement->extras_len) continue;
            dist->extras = requirement->extras;
            dist->extras_len = requirement->extras_len;
        }
    }
    *ret_len = (int32_t)dists.len;
    return dists.data;
}

static bool breaks_include(const struct plan_break *breaks, int32_t len, const struct plan_break *wanted) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(breaks[i].name, wanted->name) && str_eq(breaks[i].requires_text, wanted->requires_text)) return true;
    return false;
}

static const struct plan_break *breaks_without(struct arena *arena, const struct plan_break *breaks, int32_t len,
                                               const struct plan_break *other, int32_t other_len, int32_t *ret_len) {
    VEC(struct plan_break) rest = {0};
    for (int32_t i = 0; i < len; i++)
        if (!breaks_include(other, other_len, &breaks[i])) *vec_push(arena, &rest) = breaks[i];
    *ret_len = (int32_t)rest.len;
    return rest.data;
}

static void make_breaks(struct arena *arena, const struct check_verdict *verdict, struct plan *plan) {
    const struct plan_break *was = verdict->before, *is = verdict->after;
    int32_t was_len = verdict->before_len, is_len = verdict->after_len;
    plan->breaks_before = was;
    plan->breaks_before_len = was_len;
    plan->breaks_fixed = breaks_without(arena, was, was_len, is, is_len, &plan->breaks_fixed_len);
    plan->breaks_new = breaks_without(arena, is, is_len, was, was_len, &plan->breaks_new_len);
}

static bool entry_holds(const struct requirement *entry, const struct check_dist *dists, int32_t len) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(dists[i].name, entry->name)) return specifier_set_match(&entry->specifiers, &dists[i].version);
    return false;
}

static bool advisory_holds(const struct advisory *advisory, const struct check_dist *dists, int32_t len) {
    for (int32_t i = 0; i < advisory->when_len; i++)
        if (!entry_holds(&advisory->when[i], dists, len)) return false;
    return advisory->when_len > 0;
}

/* True if the advisory is about the project. */
static bool advisory_names(const struct advisory *advisory, struct str name) {
    for (int32_t i = 0; i < advisory->when_len; i++)
        if (str_eq(advisory->when[i].name, name)) return true;
    return false;
}

/* True if the advisory would hold with this version in the place of the one that `dists` have. */
static bool advisory_holds_with(const struct advisory *advisory, struct check_dist *dists, int32_t len, int32_t at,
                                const struct version *version) {
    struct version own = dists[at].version;
    dists[at].version = *version;
    bool holds = advisory_holds(advisory, dists, len);
    dists[at].version = own;
    return holds;
}

/* True if the advisory would hold had one change that nobody asked for not been made. `after` is as it was when this
 * is done. */
static bool advisory_avoided(const struct advisory *advisory, const struct plan *plan, struct check_dist *after,
                             int32_t len) {
    for (int32_t c = 0; c < plan->changes_len; c++) {
        const struct plan_change *change = &plan->changes[c];
        const struct dist *dist = environment_find(plan->env, change->name);
        if (change->requested || !dist || !advisory_names(advisory, change->name)) continue;
        for (int32_t i = 0; i < len; i++)
            if (str_eq(after[i].name, change->name) && advisory_holds_with(advisory, after, len, i, &dist->version))
                return true;
    }
    return false;
}

/* True if a newer release of what was asked for would have triggered it. `after` is as it was when this is done. */
static bool advisory_kept_older(const struct advisory *advisory, const struct pool *pool, const struct plan *plan,
                                struct check_dist *after, int32_t len) {
    for (int32_t c = 0; c < plan->changes_len; c++) {
        const struct plan_change *change = &plan->changes[c];
        const struct project *project = pool_find(pool, change->name);
        if (!change->requested || !project || !advisory_names(advisory, change->name)) continue;
        int32_t at = len - 1;
        while (at >= 0 && !str_eq(after[at].name, change->name)) at--;
        for (int32_t r = 0; at >= 0 && r < project->releases_len; r++) {
            const struct release *release = &project->releases[r];
            if (release->bars || version_cmp(&release->version, &after[at].version) <= 0) continue;
            if (advisory_holds_with(advisory, after, len, at, &release->version)) return true;
        }
    }
    return false;
}

static void make_advisories(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                            const struct solution *solution, const struct check_dist *result, int32_t len,
                            struct plan *plan) {
    struct check_dist *after = arena_new(arena, struct check_dist, len);
    if (len) memcpy(after, result, (size_t)len * sizeof *after);
    VEC(struct plan_advisory) told = {0};
    const struct check_dist *before;
    int32_t before_len;
    check_dists_of(arena, input->env, &before, &before_len);
    for (int32_t i = 0; input->advisories && i < input->advisories->len; i++) {
        const struct advisory *advisory = &input->advisories->items[i];
        enum plan_advisory_effect effect;
        bool holds = advisory_holds(advisory, after, len);
        bool ignored = str_among(input->want->ignore_advisories, input->want->ignore_advisories_len, advisory->id);
        bool warned = false;
        for (int32_t s = 0; s < solution->soft.len; s++)
            if (solution->soft.items[s].advisory == i) warned = true;
        if (warned) effect = PLAN_ADVISORY_WARNED;
        else if (holds && ignored) effect = PLAN_ADVISORY_IGNORED;
        else if (holds && !advisory->on_change_len && advisory_holds(advisory, before, before_len))
            effect = PLAN_ADVISORY_PRESENT;
        else if (!holds && !advisory->on_change_len && advisory->severity >= ADVISORY_WARN &&
                 (advisory_avoided(advisory, plan, after, len) ||
                  advisory_kept_older(advisory, pool, plan, after, len)))
            effect = PLAN_ADVISORY_AVOIDED;
        else continue;
        *vec_push(arena, &told) = (struct plan_advisory){advisory->id, advisory->text, advisory->source, effect};
    }
    plan->advisories = told.data;
    plan->advisories_len = (int32_t)told.len;
}

struct warnings {
    struct arena *arena;
    struct sentences list;
};

static void warn_unknown(struct warnings *warnings, const struct environment *env) {
    int32_t unknown = 0;
    for (int32_t i = 0; i < env->dists_len; i++)
        if (!env->dists[i].shadowed && !env->dists[i].metadata_known) unknown++;
    if (!unknown) return;
    *vec_push(warnings->arena, &warnings->list) = str_format(
        warnings->arena, "the requirements of %d distribution%s are not known; what they need cannot be checked",
        unknown, unknown == 1 ? "" : "s");
}

static void warn_marks(struct warnings *warnings, const struct pool *pool, const struct solution *solution) {
    struct arena *arena = warnings->arena;
    for (int32_t i = 0; i < solution->soft.len; i++) {
        const struct solution_mark *mark = &solution->soft.items[i];
        if (!mark->requirement) continue;
        const struct release *from = chosen_release(pool, solution, mark->project);
        const struct release *on = chosen_release(pool, solution, mark->target);
        if (!from || !on) continue;
        *vec_push(arena, &warnings->list) = str_format(
            arena, "%.*s %.*s states '%.*s' for an extra that nobody asked for; the plan has %.*s %.*s",
            FMT(pool->projects.data[mark->project].name), FMT(from->version.text), FMT(mark->requirement->text),
            FMT(pool->projects.data[mark->target].name), FMT(on->version.text));
    }
    for (int32_t i = 0; i < solution->lax.len; i++) {
        const struct solution_mark *mark = &solution->lax.items[i];
        *vec_push(arena, &warnings->list) = str_format(
            arena, "%.*s goes back to a release that merely states no bound on %.*s; it may not work with it",
            FMT(pool->projects.data[mark->project].name), FMT(pool->projects.data[mark->target].name));
    }
    for (int32_t i = 0; i < solution->below.len; i++) {
        int32_t p = solution->below.items[i].project;
        const struct release *release = chosen_release(pool, solution, p);
        if (!release) continue;
        *vec_push(arena, &warnings->list) =
            str_format(arena, "%.*s %.*s was long overtaken when the image was made; newer ones do not fit",
                       FMT(pool->projects.data[p].name), FMT(release->version.text));
    }
}

/* That a change is built, of what, and what is known of it before. */
static struct str tell_build(struct arena *arena, const struct want *want, const struct plan_change *change,
                             const struct release *release) {
    const struct artifact_tree *tree = change->artifact.tree;
    struct str what = str_format(arena, "%.*s %.*s", FMT(change->raw_name), FMT(change->to));
    if (change->artifact.built.len)
        return str_format(arena, "%.*s was built from source here, for this plan", FMT(what));
    if (tree && tree->commit.len)
        return str_format(arena, "%.*s is built from commit %.*s, which runs its code", FMT(what), FMT(tree->commit));
    if (tree)
        return str_format(arena, "%.*s is built from the tree %.*s, which runs its code", FMT(what), FMT(tree->path));
    return str_format(arena, "%.*s %s: installing it builds it, which runs its code%s", FMT(what),
                      change->direct                          ? "is a source distribution"
                      : want_takes_wheels(want, change->name) ? "has no wheel that fits"
                                                              : "is wanted without a wheel (--no-binary)",
                      release && release->unsure ? "; what it requires is known only then (--build tells)" : "");
}

/* The first of the names, and how many more there are. */
static struct str some_of(struct arena *arena, const struct sentences *names) {
    enum { NAMES_MAX = 6 };
    struct buf buf = {.arena = arena};
    ptrdiff_t shown = names->len > NAMES_MAX + 1 ? NAMES_MAX : names->len;
    for (ptrdiff_t i = 0; i < shown; i++) buf_addf(&buf, "%s%.*s", i ? ", " : "", FMT(names->data[i]));
    if (shown < names->len) buf_addf(&buf, " and %td more", names->len - shown);
    return buf_str(&buf);
}

/* Files that are compared with less than a hash. */
static void warn_unverified(struct warnings *warnings, const struct plan *plan, struct str by, const char *told) {
    struct arena *arena = warnings->arena;
    struct sentences files = {0};
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct artifact *artifact = &plan->changes[i].artifact;
        if (plan->changes[i].action == PLAN_REMOVE || !str_eq(artifact_verified(arena, artifact), by)) continue;
        *vec_push(arena, &files) = artifact->filename;
    }
    if (files.len)
        *vec_push(arena, &warnings->list) =
            str_format(arena, "the index gives no SHA-256 of %.*s: %s verified by %s", FMT(some_of(arena, &files)),
                       files.len == 1 ? "it is" : "they are", told);
}

static void warn_changes(struct warnings *warnings, const struct solve_input *input, const struct pool *pool,
                         const struct solution *solution, const struct plan *plan) {
    struct arena *arena = warnings->arena;
    bool dateless = false, ageless = false;
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct plan_change *change = &plan->changes[i];
        const struct project *project = pool_find(pool, change->name);
        if (change->action == PLAN_REMOVE || !project) continue;
        const struct release *release = chosen_release(pool, solution, (int32_t)(project - pool->projects.data));
        if (change->artifact.sdist) *vec_push(arena, &warnings->list) = tell_build(arena, input->want, change, release);
        if (release && release->yanked)
            *vec_push(arena, &warnings->list) =
                str_format(arena, "%.*s %.*s was yanked: %.*s", FMT(change->raw_name), FMT(change->to),
                           FMT(release->yanked_reason.len ? release->yanked_reason : S("no reason given")));
        if (project->status.len)
            *vec_push(arena, &warnings->list) =
                str_format(arena, "%.*s is %.*s, says the index%s%.*s", FMT(change->raw_name), FMT(project->status),
                           project->status_reason.len ? ": " : "", FMT(project->status_reason));
        bool added = change->action == PLAN_ADD && !by_url(input->want, change->name);
        dateless = dateless || (added && !project->has_dates);
        ageless = ageless || (added && project->has_dates && input->env->image_date == INT64_MIN);
    }
    if (dateless)
        *vec_push(arena, &warnings->list) =
            S("the index gives no upload dates: whether what is added is too old for this image was not judged");
    else if (ageless && input->env->dists_len > 0) /* what is empty is of no age */
        *vec_push(arena, &warnings->list) =
            S("the age of this image is not known: whether what is added is too old for it was not judged");
}

/* True if `name` is required by a distribution of `dists` other than itself. */
static bool is_required(struct arena *arena, const struct marker_env *markers, const struct check_dist *dists,
                        int32_t len, struct str name) {
    for (int32_t i = 0; i < len; i++) {
        if (!dists[i].metadata || str_eq(dists[i].name, name)) continue;
        for (int32_t r = 0; r < dists[i].metadata->requires_len; r++) {
            const struct requirement *requirement = &dists[i].metadata->requires_dist[r];
            if (!str_eq(requirement->name, name)) continue;
            if (marker_eval(arena, requirement->marker, markers, (struct str){0})) return true;
        }
    }
    return false;
}

static bool pins_one_version(const struct requirement *requirement) {
    for (int32_t i = 0; i < requirement->specifiers.len; i++)
        if (requirement->specifiers.items[i].op == SPECIFIER_EQ && !requirement->specifiers.items[i].wildcard)
            return true;
    return false;
}

/* What moved in lockstep with a changed distribution, and now nobody requires. */
static void warn_orphans(struct warnings *warnings, const struct solve_input *input, const struct check_dist *after,
                         int32_t len, const struct plan *plan) {
    struct arena *arena = warnings->arena;
    struct map told = {0};
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct dist *dist = environment_find(input->env, plan->changes[i].name);
        for (int32_t r = 0; dist && r < dist->metadata.requires_len; r++) {
            const struct requirement *requirement = &dist->metadata.requires_dist[r];
            const struct dist *orphan = environment_find(input->env, requirement->name);
            if (!orphan || !pins_one_version(requirement) || map_find(&told, requirement->name) >= 0) continue;
            if (!marker_eval(arena, requirement->marker, &input->env->markers, (struct str){0})) continue;
            map_add(arena, &told, requirement->name, 1);
            if (str_among(input->want->remove, input->want->remove_len, requirement->name)) continue;
            if (is_required(arena, &input->env->markers, after, len, requirement->name)) continue;
            *vec_push(arena, &warnings->list) =
                str_format(arena, "%.*s %.*s is no longer required by anything: 'unpin remove %.*s' removes it",
                           FMT(orphan->raw_name), FMT(orphan->version.text), FMT(orphan->name));
        }
    }
}

static struct str extras_text(struct arena *arena, const struct metadata *metadata) {
    enum { NAMES_MAX = 12 };
    struct buf buf = {.arena = arena};
    if (!metadata->extras_len) return S("it has none");
    for (int32_t i = 0; i < metadata->extras_len && i < NAMES_MAX; i++)
        buf_addf(&buf, "%s%.*s", i ? ", " : "it has ", FMT(metadata->extras[i]));
    if (metadata->extras_len > NAMES_MAX) buf_addf(&buf, " and %d more", metadata->extras_len - NAMES_MAX);
    return buf_str(&buf);
}

static void warn_extras(struct warnings *warnings, const struct solve_input *input, const struct check_dist *after,
                        int32_t len) {
    for (int32_t i = 0; i < input->want->requests_len; i++) {
        const struct requirement *asked = &input->want->requests[i].requirement;
        for (int32_t d = 0; d < len; d++) {
            if (!str_eq(after[d].name, asked->name) || !after[d].metadata) continue;
            for (int32_t e = 0; e < asked->extras_len; e++) {
                if (solve_has_extra(warnings->arena, after[d].metadata, &input->env->markers, asked->extras[e]))
                    continue;
                *vec_push(warnings->arena, &warnings->list) =
                    str_format(warnings->arena, "%.*s %.*s has no extra '%.*s'; %.*s", FMT(asked->name),
                               FMT(after[d].version.text), FMT(asked->extras[e]),
                               FMT(extras_text(warnings->arena, after[d].metadata)));
            }
        }
    }
}

/* Options that name what is not there have no effect, which is not what was meant. */
static void warn_options(struct warnings *warnings, const struct solve_input *input, const struct plan *plan) {
    const struct want *want = input->want;
    const struct {
        const char *option;
        const struct str *names;
        int32_t len;
    } lists[] = {{"--keep", want->keep, want->keep_len},
                 {"--no-lift", want->no_lift, want->no_lift_len},
                 {"--replace", want->replace, want->replace_len},
                 {"--remove", want->remove, want->remove_len}};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        for (int32_t i = 0; i < lists[l].len; i++) {
            struct str name = lists[l].names[i];
            bool changes = false;
            for (int32_t c = 0; c < plan->changes_len; c++) changes = changes || str_eq(plan->changes[c].name, name);
            if (changes || environment_find(input->env, name)) continue;
            *vec_push(warnings->arena, &warnings->list) =
                str_format(warnings->arena, "%s %.*s has no effect: it is not installed", lists[l].option, FMT(name));
        }
    }
    for (int32_t i = 0; i < want->ignore_advisories_len; i++) {
        bool known = false;
        for (int32_t a = 0; input->advisories && a < input->advisories->len; a++)
            known = known || str_eq(input->advisories->items[a].id, want->ignore_advisories[i]);
        if (known) continue;
        *vec_push(warnings->arena, &warnings->list) =
            str_format(warnings->arena, "--ignore-advisory %.*s has no effect: no advisory of that name applies here",
                       FMT(want->ignore_advisories[i]));
    }
}

static void add_warning(struct arena *arena, struct plan *plan, struct str sentence) {
    struct str *warnings = arena_new(arena, struct str, plan->warnings_len + 1);
    for (int32_t i = 0; i < plan->warnings_len; i++) warnings[i] = plan->warnings[i];
    warnings[plan->warnings_len++] = sentence;
    plan->warnings = warnings;
}

/* True if the plan might have the release were its metadata known: a newer one of what changes; with no plan, any. */
static bool is_missed(const struct pool *pool, const struct solution *solution, int32_t p, int32_t r) {
    const struct project *project = &pool->projects.data[p];
    const struct release *release = &project->releases[r];
    if (release->meta_state != META_UNREADABLE || release->installed || release->bars || release->yanked) return false;
    if (!solution) return true;
    int32_t chosen = p < solution->chosen_len ? solution->chosen[p] : -1;
    return chosen >= 0 && chosen != project->installed && r > chosen && !release->prerelease;
}

void plan_tell_unreadable(struct arena *arena, const struct pool *pool, const struct solution *solution,
                          struct plan *plan) {
    struct sentences which = {0};
    for (int32_t p = 0; p < (int32_t)pool->projects.len; p++) {
        const struct project *project = &pool->projects.data[p];
        for (int32_t r = project->releases_len - 1; r >= 0; r--)
            if (is_missed(pool, solution, p, r))
                *vec_push(arena, &which) =
                    str_format(arena, "%.*s %.*s", FMT(project->name), FMT(project->releases[r].version.text));
    }
    if (which.len == 0) return;
    bool one = which.len == 1;
    add_warning(arena, plan,
                str_format(arena,
                           "the metadata of %.*s cannot be had: %s left out, and what is proven is so for the other "
                           "releases (-v says more)",
                           FMT(some_of(arena, &which)), one ? "it was" : "they were"));
}

/* True if the request and what the plan installs allow the version of a project. */
static bool would_go(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                     const struct solution *solution, struct str name, const struct version *version) {
    for (int32_t i = 0; i < input->want->requests_len; i++) {
        const struct requirement *asked = &input->want->requests[i].requirement;
        if (str_eq(asked->name, name) && (asked->url.len || !specifier_set_match(&asked->specifiers, version)))
            return false;
    }
    for (int32_t p = 0; p < solution->chosen_len; p++) {
        const struct release *release = chosen_release(pool, solution, p);
        for (int32_t i = 0; release && release->metadata && i < release->metadata->requires_len; i++) {
            const struct requirement *requirement = &release->metadata->requires_dist[i];
            if (!str_eq(requirement->name, name) || specifier_set_match(&requirement->specifiers, version)) continue;
            if (marker_eval(arena, requirement->marker, &input->env->markers, (struct str){0})) return false;
        }
    }
    return true;
}

void plan_tell_lost_locks(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                          const struct solution *solution, struct plan *plan) {
    for (int32_t l = 0; l < plan->lifts_len; l++) {
        const struct plan_lift *lift = &plan->lifts[l];
        const struct project *project = pool_find(pool, lift->name);
        int32_t at = map_find(&input->locks->by_name, lift->name);
        if (!project || !lift->to.len || lift->line < 1 || at < 0) continue;
        const struct requirement *lock = &input->locks->lines[at].requirement;
        struct sentences lost = {0};
        bool had = lock->url.len > 0 || lock->specifiers.len == 0;
        for (int32_t r = project->releases_len - 1; !had && r >= 0; r--) {
            const struct release *release = &project->releases[r];
            if (!specifier_set_match(&lock->specifiers, &release->version)) continue;
            bool barred = solve_bars(input->want, project, release) || release->yanked || release->prerelease ||
                          release->meta_state == META_UNREADABLE;
            had = release->installed || !release->on_index || !barred ||
                  !would_go(arena, input, pool, solution, lift->name, &release->version);
            struct str why = solve_bars_text(arena, input->want, release);
            *vec_push(arena, &lost) = str_format(arena, "%.*s: %.*s", FMT(release->version.text), FMT(why));
        }
        if (had || project->page != PAGE_KNOWN) continue;
        struct str what = specifier_set_format(arena, &lock->specifiers);
        struct str why =
            lost.len ? str_format(arena, "can be taken (%.*s)", FMT(some_of(arena, &lost))) : S("is on the index");
        add_warning(arena, plan,
                    str_format(arena, "the lock on %.*s is lifted because no release that it allows (%.*s) %.*s",
                               FMT(lift->name), FMT(what), FMT(why)));
    }
}

void plan_tell_floor(struct arena *arena, const struct pool *pool, struct plan *plan) {
    struct sentences who = {0};
    bool collateral = false;
    for (int32_t i = 0; i < plan->lifts_len; i++)
        collateral = collateral || !is_requested(plan->want, plan->lifts[i].name);
    if (!collateral) return;
    for (int32_t i = 0; i < plan->changes_len; i++) {
        const struct plan_change *change = &plan->changes[i];
        const struct project *project = pool_find(pool, change->name);
        if (change->action != PLAN_ADD || !project || !project->has_dates) continue;
        if (!is_bounded(plan->want, change->name)) *vec_push(arena, &who) = change->raw_name;
    }
    if (who.len)
        add_warning(
            arena, plan,
            str_format(
                arena,
                "releases that were overtaken months before the image were not considered for what is added (%.*s); "
                "with --allow-stale they are, and may need fewer locks lifted",
                FMT(some_of(arena, &who))));
}

/* How many facts behind this one tell of requirements of the same project: of newer releases. */
static int32_t newer_alike(const struct plan *plan, int32_t at) {
    int32_t n = 0;
    for (int32_t i = at + 1; i < plan->reason_len; i++)
        n += plan->reason[i].kind == FACT_REQUIREMENT && plan->reason[at].kind == FACT_REQUIREMENT &&
             str_eq(plan->reason[i].name, plan->reason[at].name);
    return n;
}

void plan_tell_stale(struct arena *arena, struct str name, const struct plan *other, struct plan *plan) {
    struct buf why = {.arena = arena};
    for (int32_t i = 0; i < other->reason_len; i++) {
        const struct plan_fact *fact = &other->reason[i];
        if (fact->kind == FACT_REQUEST || newer_alike(other, i) >= FACTS_ALIKE) continue;
        struct str sentence = fact->sentence;
        if (fact->kind == FACT_REQUIREMENT) sentence = str_trim(str_cut(&sentence, ';')); /* its marker holds */
        buf_addf(&why, "%s%.*s", why.len ? "; " : "", FMT(sentence));
    }
    add_warning(arena, plan, str_format(arena, "no current release of %.*s fits: %.*s", FMT(name), FMT(buf_str(&why))));
    if (plan->suggestions_len) return;
    plan->suggestions = other->suggestions;
    plan->suggestions_len = other->suggestions_len;
}

void plan_tell_freshness(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                         const struct solution *stale, struct plan *plan) {
    struct plan other;
    struct buf who = {.arena = arena};
    plan_make(arena, input, pool, stale, &(struct check_verdict){0}, &other);
    for (int32_t i = 0; i < other.changes_len; i++) {
        const struct plan_change *change = &other.changes[i];
        const struct project *project = pool_find(pool, change->name);
        bool planned = false;
        for (int32_t j = 0; j < plan->changes_len; j++)
            planned =
                planned || (str_eq(plan->changes[j].name, change->name) && str_eq(plan->changes[j].to, change->to));
        if (planned || !project || change->action == PLAN_UPGRADE) continue;
        buf_addf(&who, "%s%.*s %.*s", who.len ? ", " : "", FMT(change->raw_name), FMT(change->to));
    }
    if (!who.len) return;
    int32_t more = plan->lifts_len - other.lifts_len;
    add_warning(arena, plan,
                str_format(arena,
                           "staying current costs %d more lock%s: with old releases (%.*s) %d would do, but "
                           "they are only old, not known to fit",
                           more, more == 1 ? "" : "s", FMT(buf_str(&who)), other.lifts_len));
    struct want want = *plan->want;
    want.stale = true;
    struct plan_argv argv = plan_argv_of(arena, input->want, &want);
    struct plan_suggestion *suggestion = arena_new(arena, struct plan_suggestion, 1);
    *suggestion = (struct plan_suggestion){.text = S("take the old releases"),
                                           .argv = argv.data,
                                           .argv_len = (int32_t)argv.len,
                                           .lifts = other.lifts_len,
                                           .changes = other.changes_len};
    plan->suggestions = suggestion;
    plan->suggestions_len = 1;
}

void plan_make(struct arena *arena, const struct solve_input *input, const struct pool *pool,
               const struct solution *solution, const struct check_verdict *verdict, struct plan *ret) {
    struct plan plan = {.env = input->env, .locks = input->locks, .want = input->want, .proof = solution->proof};
    int32_t len;
    const struct check_dist *after = result_dists(arena, pool, solution, input->want, &len);
    make_changes(arena, input, pool, solution, &plan);
    make_lifts(arena, input, pool, solution, &plan);
    make_allowances(arena, pool, solution, &plan);
    make_breaks(arena, verdict, &plan);
    make_advisories(arena, input, pool, solution, after, len, &plan);
    struct warnings warnings = {.arena = arena};
    warn_unknown(&warnings, input->env);
    warn_marks(&warnings, pool, solution);
    warn_changes(&warnings, input, pool, solution, &plan);
    warn_unverified(&warnings, &plan, S("size"), "size alone");
    warn_unverified(&warnings, &plan, S("nothing"), "nothing");
    plan_tell_open(arena, input, pool, solution, &warnings.list);
    warn_orphans(&warnings, input, after, len, &plan);
    warn_extras(&warnings, input, after, len);
    warn_options(&warnings, input, &plan);
    plan.warnings = warnings.list.data;
    plan.warnings_len = (int32_t)warnings.list.len;
    plan.status = plan.changes_len ? PLAN_FEASIBLE : PLAN_SATISFIED;
    *ret = plan;
}
