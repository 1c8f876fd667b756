#include "brute.h"

#include "base/buf.h"

#include <string.h>

enum { EXTRAS_MAX = 32, EDGES_MAX = 64, LEVEL_LIFTS = 2, LEVEL_NEWEST = 7, FLOOR_GRACE_DAYS = 90, ABSENT = -1 };

/* A requirement of one release. Sets of options are bit masks. */
struct edge {
    const struct requirement *requirement;
    int32_t target;
    uint32_t met;     /* options of the target that meet it */
    uint32_t allowed; /* the held option that meets it only by an allowance, or 0 */
    bool base;        /* active without extras */
    uint32_t extras;  /* extras of the owner under which it is active */
    uint32_t asks;    /* extras that it asks of the target */
    bool broken_before;
    bool allowed_before; /* an installed release's, met by an allowance all along: costs nothing */
    bool soft;           /* only an extra states it, with a specifier */
    bool upper;          /* states an upper bound, by its operators */
    uint32_t above;      /* options of the target above all that it allows */
};

/* A release that a project may have. */
struct option {
    struct version version;
    const struct metadata *metadata; /* NULL: not known */
    struct edge *edges;
    int32_t edges_len;
    bool installed, on_index, choosable, ranked, needs_pin, sdist, final;
    bool mentioned;
    bool known; /* the solver has seen its metadata */
    int64_t uploaded;
    bool lift; /* choosing it lifts a lock */
};

struct subject {
    struct str name;
    struct option options[BRUTE_OPTIONS_MAX];
    int32_t len;
    int32_t installed; /* -1 */
    bool held, fixed, removed, requested, version_given, has_dates;
    int32_t floor;
    struct str extras[EXTRAS_MAX];
    int32_t extras_len;
    uint32_t asked_extras; /* by requests */
};

struct brute {
    struct arena *arena;
    const struct world *world;
    const struct pool *pool;
    struct subject subjects[BRUTE_PROJECTS_MAX];
    int32_t len;
    struct map by_name;
    bool overflow;
    int32_t chosen[BRUTE_PROJECTS_MAX];
    int32_t best[BRUTE_PROJECTS_MAX];
    int64_t best_costs[BRUTE_LEVELS];
    bool found;
};

static int32_t subject_of(struct brute *brute, struct str name) {
    int32_t at = map_find(&brute->by_name, name);
    if (at >= 0) return at;
    if (brute->len == BRUTE_PROJECTS_MAX) {
        brute->overflow = true;
        return 0;
    }
    at = brute->len++;
    brute->subjects[at] = (struct subject){.name = name, .installed = -1, .floor = -1};
    map_add(brute->arena, &brute->by_name, name, at);
    return at;
}

static uint32_t extra_bit(struct brute *brute, struct subject *subject, struct str extra) {
    for (int32_t i = 0; i < subject->extras_len; i++)
        if (str_eq(subject->extras[i], extra)) return 1u << i;
    if (subject->extras_len == EXTRAS_MAX) {
        brute->overflow = true;
        return 0;
    }
    subject->extras[subject->extras_len] = extra;
    return 1u << subject->extras_len++;
}

static bool in_names(const struct str *names, int32_t len, struct str name) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(names[i], name)) return true;
    return false;
}

static bool python_fits(struct brute *brute, const struct metadata *metadata) {
    struct version python;
    if (!metadata || !version_try_parse(brute->arena, brute->world->env.markers.python_full_version, &python))
        return true;
    return specifier_set_match(&metadata->requires_python, &python);
}

/* What the user's own words make of pre-releases and yanked releases. */
static bool user_names_prerelease(const struct brute *brute, struct str name) {
    const struct want *want = &brute->world->want;
    for (int32_t i = 0; i < want->requests_len; i++)
        if (str_eq(want->requests[i].requirement.name, name) &&
            specifier_set_names_prerelease(&want->requests[i].requirement.specifiers))
            return true;
    return want->pre;
}

static bool user_pins(const struct brute *brute, struct str name, const struct version *version) {
    const struct want *want = &brute->world->want;
    for (int32_t i = 0; i < want->requests_len; i++)
        if (str_eq(want->requests[i].requirement.name, name) &&
            specifier_set_pins(&want->requests[i].requirement.specifiers, version))
            return true;
    return false;
}

static bool lock_pins(const struct brute *brute, struct str name, const struct version *version) {
    const struct lock_set *locks = &brute->world->locks;
    for (int32_t i = 0; i < locks->lines_len; i++)
        if (locks->lines[i].active && str_eq(locks->lines[i].requirement.name, name) &&
            specifier_set_pins(&locks->lines[i].requirement.specifiers, version))
            return true;
    return false;
}

/* Bars but --only-binary, from the words of the options. */
static bool barred_anyhow(struct brute *brute, const struct world_release *item) {
    const struct want *want = &brute->world->want;
    const struct release *release = &item->release;
    if (release->bars) return true;
    if (release->uploaded != INT64_MIN && release->uploaded > want->exclude_newer) return true;
    return !python_fits(brute, &item->metadata);
}

static bool barred(struct brute *brute, const struct world_release *item) {
    return barred_anyhow(brute, item) || (item->release.artifact.sdist && brute->world->want.only_binary.all);
}

static enum meta_state known_state(const struct brute *brute, struct str name, const struct version *version) {
    const struct project *project = pool_find(brute->pool, name);
    int32_t at = project ? project_find(project, version) : -1;
    return at < 0 ? META_UNKNOWN : project->releases[at].meta_state;
}

static bool only_prereleases(struct brute *brute, const struct world_page *page) {
    const struct dist *dist = environment_find(&brute->world->env, page->name);
    for (ptrdiff_t i = 0; i < page->releases.len; i++) {
        const struct world_release *item = &page->releases.data[i];
        bool installed = dist && version_cmp(&item->release.version, &dist->version) == 0;
        if (installed && !item->release.prerelease && !item->release.yanked) return false;
        if (!item->release.prerelease && !item->release.yanked && !barred_anyhow(brute, item)) return false;
    }
    return true;
}

static bool requests_hold(const struct brute *brute, struct str name, const struct version *version) {
    const struct want *want = &brute->world->want;
    for (int32_t i = 0; i < want->requests_len; i++)
        if (str_eq(want->requests[i].requirement.name, name) &&
            !specifier_set_match(&want->requests[i].requirement.specifiers, version))
            return false;
    return true;
}

/* What is installed moves to a release that has to be built only where no wheel can meet the requests. */
static bool builds_admissible(struct brute *brute, struct str name, const struct world_page *page) {
    const struct dist *dist = environment_find(&brute->world->env, name);
    if (brute->world->want.builds || !dist) return true;
    for (ptrdiff_t i = 0; i < page->releases.len; i++) {
        const struct world_release *item = &page->releases.data[i];
        const struct version *version = &item->release.version;
        bool installed = version_cmp(version, &dist->version) == 0;
        if (barred(brute, item) || item->release.yanked || item->release.artifact.sdist) continue;
        if (known_state(brute, name, version) == META_UNREADABLE && !installed) continue;
        if (requests_hold(brute, name, version)) return false;
    }
    return true;
}

static void add_page_options(struct brute *brute, struct subject *subject, const struct world_page *page) {
    bool builds = builds_admissible(brute, subject->name, page);
    bool all_pre = only_prereleases(brute, page), pre = user_names_prerelease(brute, subject->name);
    subject->has_dates = page->releases.len > 0;
    for (ptrdiff_t i = 0; i < page->releases.len; i++) {
        const struct world_release *item = &page->releases.data[i];
        const struct version *version = &item->release.version;
        if (item->release.uploaded == INT64_MIN) subject->has_dates = false;
        if (subject->len + 2 > BRUTE_OPTIONS_MAX) {
            brute->overflow = true;
            return;
        }
        bool usable = !barred(brute, item) && (!item->release.yanked || user_pins(brute, subject->name, version));
        if (known_state(brute, subject->name, version) == META_UNREADABLE) usable = false;
        if (item->release.artifact.sdist && !builds) usable = false;
        bool free_pre = !item->release.prerelease || all_pre || pre || lock_pins(brute, subject->name, version);
        subject->options[subject->len++] = (struct option){
            .version = *version,
            .metadata = &item->metadata,
            .on_index = true,
            .choosable = usable && !item->unreadable,
            .ranked = usable,
            .needs_pin = !free_pre,
            .sdist = item->release.artifact.sdist,
            .known = known_state(brute, subject->name, version) == META_KNOWN,
            .final = !item->release.prerelease && !item->release.yanked,
            .uploaded = item->release.uploaded,
        };
    }
}

/* The installed release takes its place among those of the page. */
static void add_installed_option(struct subject *subject, const struct dist *dist) {
    int32_t at = 0;
    while (at < subject->len && version_cmp(&subject->options[at].version, &dist->version) < 0) at++;
    bool same = at < subject->len && version_cmp(&subject->options[at].version, &dist->version) == 0;
    bool page = subject->len > 0;
    struct option option = same ? subject->options[at] : (struct option){.uploaded = INT64_MIN};
    if (!same) {
        memmove(&subject->options[at + 1], &subject->options[at],
                (size_t)(subject->len - at) * sizeof subject->options[0]);
        subject->len++;
        option.final = !version_is_prerelease(&dist->version);
    }
    option.version = dist->version;
    option.metadata = dist->metadata_known ? &dist->metadata : NULL;
    option.installed = option.choosable = option.ranked = option.known = true;
    option.needs_pin = option.sdist = false;
    subject->options[at] = option;
    subject->installed = at;
    subject->held = dist->vendor || (page && !option.on_index);
}

static void set_wishes(struct brute *brute, struct subject *subject) {
    const struct want *want = &brute->world->want;
    subject->removed = in_names(want->remove, want->remove_len, subject->name);
    bool kept = in_names(want->keep, want->keep_len, subject->name);
    bool replaced = in_names(want->replace, want->replace_len, subject->name);
    subject->fixed = subject->installed >= 0 && !subject->removed && ((subject->held && !replaced) || kept);
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct request *request = &want->requests[i];
        if (!str_eq(request->requirement.name, subject->name)) continue;
        if (request->requirement.specifiers.len > 0) subject->version_given = true;
        if (request->constraint) continue;
        subject->requested = true;
        for (int32_t e = 0; e < request->requirement.extras_len; e++)
            subject->asked_extras |= extra_bit(brute, subject, request->requirement.extras[e]);
    }
}

/* True if the lock has active lines on a project and they hold for the version. `ret_pinned`: one of them pins it. */
static bool is_locked_at(const struct brute *brute, struct str name, const struct version *version, bool *ret_pinned) {
    const struct lock_set *locks = &brute->world->locks;
    bool named = false;
    *ret_pinned = false;
    for (int32_t i = 0; i < locks->lines_len; i++) {
        const struct requirement *requirement = &locks->lines[i].requirement;
        if (!locks->lines[i].active || !str_eq(requirement->name, name)) continue;
        if (requirement->url.len || !specifier_set_match(&requirement->specifiers, version)) return false;
        named = true;
        for (int32_t j = 0; j < requirement->specifiers.len; j++) {
            const struct specifier *specifier = &requirement->specifiers.items[j];
            *ret_pinned = *ret_pinned || specifier->op == SPECIFIER_ARBITRARY ||
                          (specifier->op == SPECIFIER_EQ && !specifier->wildcard);
        }
    }
    return named;
}

static void set_floor(struct brute *brute, struct subject *subject) {
    int64_t date = brute->world->env.image_date;
    if (date != INT64_MIN) date -= (int64_t)FLOOR_GRACE_DAYS * 86400;
    if (date == INT64_MIN || !subject->has_dates || subject->installed >= 0 || subject->version_given) return;
    for (int32_t i = 0; i < subject->len; i++) {
        const struct option *option = &subject->options[i];
        if (option->ranked && option->final && option->uploaded <= date) subject->floor = i;
    }
    /* What the lock allows is part of the image: a pin's release, else the newest one. */
    int32_t newest = -1;
    for (int32_t i = 0; i <= subject->floor; i++) {
        const struct option *option = &subject->options[i];
        bool pinned;
        if (!option->ranked || !is_locked_at(brute, subject->name, &option->version, &pinned)) continue;
        if (pinned) {
            subject->floor = i;
            return;
        }
        if (option->final && option->uploaded <= date) newest = i;
    }
    if (newest >= 0) subject->floor = newest;
}

static void set_lifts(struct brute *brute, struct subject *subject) {
    const struct lock_set *locks = &brute->world->locks;
    for (int32_t o = 0; o < subject->len; o++) {
        struct option *option = &subject->options[o];
        if (o == subject->installed) continue;
        bool named = false, holds = true;
        for (int32_t i = 0; i < locks->lines_len; i++) {
            if (!locks->lines[i].active || !str_eq(locks->lines[i].requirement.name, subject->name)) continue;
            named = true;
            holds = holds && locks->lines[i].requirement.url.len == 0 &&
                    specifier_set_match(&locks->lines[i].requirement.specifiers, &option->version);
        }
        option->lift = named ? !holds : locks->implied && subject->installed >= 0;
    }
}

static bool is_upper(const struct specifier_set *set) {
    for (int32_t i = 0; i < set->len; i++) switch (set->items[i].op) {
        case SPECIFIER_LT:
        case SPECIFIER_LE:
        case SPECIFIER_EQ:
        case SPECIFIER_COMPATIBLE:
        case SPECIFIER_ARBITRARY: return true;
        case SPECIFIER_NE:
        case SPECIFIER_GE:
        case SPECIFIER_GT: break;
        }
    return false;
}

/* True if the version is above one of the upper bounds, not below a lower one. */
static bool exceeds(const struct specifier_set *set, const struct version *version) {
    for (int32_t i = 0; i < set->len; i++) {
        struct specifier_set one = {&set->items[i], 1};
        if (is_upper(&one) && !specifier_set_match(&one, version) && version_cmp(version, &set->items[i].version) >= 0)
            return true;
    }
    return false;
}

static void set_masks(const struct brute *brute, struct edge *edge) {
    const struct subject *target = &brute->subjects[edge->target];
    const struct specifier_set *set = &edge->requirement->specifiers;
    edge->upper = is_upper(set);
    for (int32_t o = 0; o < target->len; o++)
        if (specifier_set_match(set, &target->options[o].version)) edge->met |= 1u << o;
    for (int32_t o = target->len - 1; o >= 0 && !(edge->met & 1u << o); o--)
        if (exceeds(set, &target->options[o].version)) edge->above |= 1u << o;
    if (!target->held || brute->world->want.no_allowances) return;
    if (specifier_set_allowance(set, &target->options[target->installed].version))
        edge->allowed = 1u << target->installed;
}

static void make_edge(struct brute *brute, struct subject *subject, const struct requirement *requirement,
                      struct edge *edge) {
    const struct marker_env *markers = &brute->world->env.markers;
    edge->requirement = requirement;
    edge->target = subject_of(brute, requirement->name);
    edge->base = marker_eval(brute->arena, requirement->marker, markers, (struct str){NULL, 0});
    for (int32_t e = 0; e < subject->extras_len; e++)
        if (marker_eval(brute->arena, requirement->marker, markers, subject->extras[e])) edge->extras |= 1u << e;
    edge->soft = !edge->base && edge->extras && requirement->specifiers.len > 0;
    for (int32_t e = 0; e < requirement->extras_len; e++)
        edge->asks |= extra_bit(brute, &brute->subjects[edge->target], requirement->extras[e]);
}

static void add_edges(struct brute *brute, struct subject *subject, struct option *option) {
    const struct metadata *metadata = option->metadata;
    option->edges = arena_new(brute->arena, struct edge, metadata ? metadata->requires_len : 0);
    for (int32_t i = 0; metadata && i < metadata->requires_len; i++) {
        bool twice = false;
        for (int32_t j = 0; j < i; j++)
            twice = twice || str_eq(metadata->requires_dist[i].text, metadata->requires_dist[j].text);
        if (!twice) make_edge(brute, subject, &metadata->requires_dist[i], &option->edges[option->edges_len++]);
    }
}

/* Extras that the chosen releases and the requests ask for, until nothing is new. */
static void close_extras(const struct brute *brute, const int32_t *chosen, bool requests, uint32_t *ret) {
    for (int32_t p = 0; p < brute->len; p++) ret[p] = requests ? brute->subjects[p].asked_extras : 0;
    for (bool grown = true; grown;) {
        grown = false;
        for (int32_t p = 0; p < brute->len; p++) {
            const struct option *option = chosen[p] < 0 ? NULL : &brute->subjects[p].options[chosen[p]];
            for (int32_t i = 0; option && i < option->edges_len; i++) {
                const struct edge *edge = &option->edges[i];
                if (!edge->base && !(edge->extras & ret[p])) continue;
                if ((ret[edge->target] | edge->asks) != ret[edge->target]) grown = true;
                ret[edge->target] |= edge->asks;
            }
        }
    }
}

static bool edge_met(const struct edge *edge, int32_t target, bool *allowance) {
    *allowance = false;
    if (target < 0) return false;
    if (edge->met & 1u << target) return true;
    *allowance = (edge->allowed & 1u << target) != 0;
    return *allowance;
}

/* A pre-release that some known metadata name exactly has its place in the ranks, whether it may be chosen or not. */
static void note_mentions(struct brute *brute) {
    for (int32_t p = 0; p < brute->len; p++)
        for (int32_t o = 0; o < brute->subjects[p].len; o++) {
            const struct option *option = &brute->subjects[p].options[o];
            for (int32_t i = 0; option->known && i < option->edges_len; i++) {
                struct subject *target = &brute->subjects[option->edges[i].target];
                for (int32_t t = 0; t < target->len; t++)
                    if (specifier_set_pins(&option->edges[i].requirement->specifiers, &target->options[t].version))
                        target->options[t].mentioned = true;
            }
        }
}

static void note_broken(struct brute *brute) {
    int32_t before[BRUTE_PROJECTS_MAX];
    uint32_t extras[BRUTE_PROJECTS_MAX];
    for (int32_t p = 0; p < brute->len; p++) before[p] = brute->subjects[p].installed;
    close_extras(brute, before, false, extras);
    for (int32_t p = 0; p < brute->len; p++) {
        if (before[p] < 0) continue;
        struct option *option = &brute->subjects[p].options[before[p]];
        for (int32_t i = 0; i < option->edges_len; i++) {
            struct edge *edge = &option->edges[i];
            bool allowance, active = edge->base || (edge->extras & extras[p]);
            edge->broken_before = active && !edge_met(edge, before[edge->target], &allowance);
            edge->allowed_before = active && !edge->broken_before && allowance;
        }
    }
}

static void add_subjects(struct brute *brute) {
    const struct world *world = brute->world;
    for (int32_t i = 0; i < world->env.dists_len; i++) (void)subject_of(brute, world->env.dists[i].name);
    for (ptrdiff_t i = 0; i < world->pages.len; i++) (void)subject_of(brute, world->pages.data[i].name);
    for (int32_t i = 0; i < world->want.requests_len; i++)
        (void)subject_of(brute, world->want.requests[i].requirement.name);
    for (int32_t p = 0; p < brute->len; p++) {
        struct subject *subject = &brute->subjects[p];
        int32_t page = map_find(&world->page_by_name, subject->name);
        if (page >= 0) add_page_options(brute, subject, &world->pages.data[page]);
        const struct dist *dist = environment_find(&world->env, subject->name);
        if (dist) add_installed_option(subject, dist);
        set_wishes(brute, subject);
        set_floor(brute, subject);
        set_lifts(brute, subject);
    }
}

/* Every extra that any release of a project mentions gets its bit before edges are made. */
static void add_extras(struct brute *brute) {
    for (int32_t p = 0; p < brute->len; p++)
        for (int32_t o = 0; o < brute->subjects[p].len; o++) {
            const struct metadata *metadata = brute->subjects[p].options[o].metadata;
            for (int32_t e = 0; metadata && e < metadata->extras_len; e++)
                (void)extra_bit(brute, &brute->subjects[p], metadata->extras[e]);
        }
}

struct brute *brute_make(struct arena *arena, const struct world *world, const struct pool *pool) {
    struct brute *brute = arena_new(arena, struct brute, 1);
    brute->arena = arena;
    brute->world = world;
    brute->pool = pool;
    add_subjects(brute);
    add_extras(brute);
    for (int32_t p = 0; p < brute->len && !brute->overflow; p++)
        for (int32_t o = 0; o < brute->subjects[p].len; o++)
            add_edges(brute, &brute->subjects[p], &brute->subjects[p].options[o]);
    for (int32_t p = 0; p < brute->len && !brute->overflow; p++)
        for (int32_t o = 0; o < brute->subjects[p].len; o++)
            for (int32_t i = 0; i < brute->subjects[p].options[o].edges_len; i++)
                set_masks(brute, &brute->subjects[p].options[o].edges[i]);
    if (brute->overflow) return NULL;
    note_broken(brute);
    note_mentions(brute);
    return brute;
}

static const struct option *option_of(const struct brute *brute, int32_t p) {
    return brute->chosen[p] < 0 ? NULL : &brute->subjects[p].options[brute->chosen[p]];
}

/* What one project alone allows. */
static bool choice_possible(const struct brute *brute, int32_t p, int32_t o) {
    const struct subject *subject = &brute->subjects[p];
    const struct want *want = &brute->world->want;
    if (o < 0) return subject->removed || (subject->installed < 0 && !subject->requested);
    if (subject->removed || !subject->options[o].choosable) return false;
    if (subject->fixed && o != subject->installed) return false;
    bool stay = want->no_lifts || in_names(want->no_lift, want->no_lift_len, subject->name);
    return !stay || !subject->options[o].lift;
}

static bool requests_met(const struct brute *brute, int64_t *costs) {
    const struct want *want = &brute->world->want;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *asked = &want->requests[i].requirement;
        int32_t p = map_find(&brute->by_name, asked->name);
        const struct option *option = option_of(brute, p);
        /* A constraint bounds what the plan brings in and what is asked for, not what was there. */
        bool there = option && option->installed && !brute->subjects[p].requested;
        if (want->requests[i].constraint && (!option || there)) continue;
        if (!option) return false;
        if (specifier_set_match(&asked->specifiers, &option->version)) continue;
        if (!option->installed || !brute->subjects[p].held || want->no_allowances) return false;
        if (!specifier_set_allowance(&asked->specifiers, &option->version)) return false;
        costs[1]++;
    }
    return true;
}

static bool edges_met(const struct brute *brute, const uint32_t *extras, int64_t *costs) {
    for (int32_t p = 0; p < brute->len; p++) {
        const struct option *option = option_of(brute, p);
        for (int32_t i = 0; option && i < option->edges_len; i++) {
            const struct edge *edge = &option->edges[i];
            bool allowance;
            if (!edge->base && !(edge->extras & extras[p])) continue;
            if (edge_met(edge, brute->chosen[edge->target], &allowance)) costs[1] += allowance && !edge->allowed_before;
            else if (!edge->broken_before) return false;
        }
    }
    return true;
}

/* A pre-release that only a requirement can make a candidate needs one in the result that names it exactly. */
static bool prereleases_pinned(const struct brute *brute, const uint32_t *extras) {
    for (int32_t q = 0; q < brute->len; q++) {
        const struct option *wanted = option_of(brute, q);
        if (!wanted || !wanted->needs_pin) continue;
        bool pinned = false;
        for (int32_t p = 0; p < brute->len && !pinned; p++) {
            const struct option *option = p == q ? NULL : option_of(brute, p); /* nobody vouches for himself */
            for (int32_t i = 0; option && option->known && i < option->edges_len && !pinned; i++) {
                const struct edge *edge = &option->edges[i];
                bool active = edge->base || (edge->extras & extras[p]);
                pinned =
                    active && edge->target == q && specifier_set_pins(&edge->requirement->specifiers, &wanted->version);
            }
        }
        if (!pinned) return false;
    }
    return true;
}

static bool when_holds(const struct brute *brute, const struct advisory *advisory, bool before) {
    for (int32_t i = 0; i < advisory->when_len; i++) {
        int32_t p = map_find(&brute->by_name, advisory->when[i].name);
        if (p < 0) return false;
        int32_t o = before ? brute->subjects[p].installed : brute->chosen[p];
        if (o < 0 || !specifier_set_match(&advisory->when[i].specifiers, &brute->subjects[p].options[o].version))
            return false;
    }
    return advisory->when_len > 0;
}

static bool moved(const struct brute *brute, struct str name) {
    int32_t p = map_find(&brute->by_name, name);
    return p >= 0 && brute->subjects[p].installed >= 0 && brute->chosen[p] >= 0 &&
           brute->chosen[p] != brute->subjects[p].installed;
}

static bool concerns(const struct brute *brute, const struct advisory *advisory) {
    for (int32_t i = 0; i < advisory->on_change_len; i++) {
        bool alone = moved(brute, advisory->on_change[i]);
        for (int32_t w = 0; w < advisory->when_len && alone; w++)
            alone = str_eq(advisory->when[w].name, advisory->on_change[i]) || !moved(brute, advisory->when[w].name);
        if (alone) return true;
    }
    return advisory->on_change_len == 0;
}

static bool advisories_hold(const struct brute *brute, int64_t *costs) {
    const struct want *want = &brute->world->want;
    for (int32_t i = 0; i < brute->world->advisories.len; i++) {
        const struct advisory *advisory = &brute->world->advisories.items[i];
        if (advisory->severity == ADVISORY_INFO) continue;
        if (in_names(want->ignore_advisories, want->ignore_advisories_len, advisory->id)) continue;
        if (!when_holds(brute, advisory, false) || !concerns(brute, advisory)) continue;
        if (advisory->on_change_len == 0 && when_holds(brute, advisory, true)) continue;
        if (advisory->severity != ADVISORY_WARN) return false;
        costs[5]++;
    }
    return true;
}

static int64_t ranked_between(const struct subject *subject, int32_t from, int32_t to) {
    int64_t n = 0;
    for (int32_t o = from + 1; o <= to; o++)
        n += subject->options[o].ranked && (!subject->options[o].needs_pin || subject->options[o].mentioned);
    return n;
}

/* True if some base requirement of the option on `target` states an upper bound. */
static bool states_bound(const struct option *option, int32_t target) {
    for (int32_t i = 0; i < option->edges_len; i++)
        if (option->edges[i].target == target && option->edges[i].base && option->edges[i].upper) return true;
    return false;
}

/* True if `is` lies above an upper bound of the option on `target`, above which it was not before. */
static bool leaves_bound(const struct option *option, int32_t target, int32_t was, int32_t is) {
    for (int32_t i = 0; i < option->edges_len; i++) {
        const struct edge *edge = &option->edges[i];
        bool left = was >= 0 && (edge->above & 1u << was);
        if (edge->target == target && edge->base && edge->upper && !left && (edge->above & 1u << is)) return true;
    }
    return false;
}

static int64_t lax_count(const struct brute *brute, int32_t p) {
    const struct subject *subject = &brute->subjects[p];
    int32_t reference = subject->installed >= 0 ? subject->installed : subject->floor;
    int64_t n = 0;
    if (brute->chosen[p] < 0 || brute->chosen[p] >= reference) return 0;
    if (brute->world->want.stale) return 0;
    for (int32_t q = 0; q < brute->len; q++) {
        if (q == p || brute->chosen[q] < 0) continue;
        int32_t was = subject->installed >= 0 ? brute->subjects[q].installed : -1;
        n += leaves_bound(&subject->options[reference], q, was, brute->chosen[q]) &&
             !states_bound(option_of(brute, p), q);
    }
    return n;
}

static bool same_bound(const struct brute *brute, const struct edge *a, const struct edge *b) {
    return str_eq(specifier_set_format(brute->arena, &a->requirement->specifiers),
                  specifier_set_format(brute->arena, &b->requirement->specifiers));
}

/* Bounds of extras that are met before (or whose target is new) and not any more. */
static int64_t soft_count(const struct brute *brute, int32_t p) {
    const struct option *option = option_of(brute, p);
    int64_t n = 0;
    if (!option || brute->subjects[p].installed < 0) return 0;
    for (int32_t i = 0; i < option->edges_len; i++) {
        const struct edge *edge = &option->edges[i];
        int32_t was = brute->subjects[edge->target].installed, is = brute->chosen[edge->target];
        if (!edge->soft || is < 0 || (edge->met & 1u << is) || is == was) continue;
        if (was >= 0 && !(edge->met & 1u << was)) continue;
        bool told = false; /* extras that state the same bound share it */
        for (int32_t j = 0; j < i; j++)
            told = told || (option->edges[j].soft && option->edges[j].target == edge->target &&
                            same_bound(brute, &option->edges[j], edge));
        n += !told;
    }
    return n;
}

/* The edge holds wherever its owner is: no extra states it, or one that a request asks for. */
static bool is_unconditional(const struct subject *owner, const struct edge *edge) {
    return edge->base || (edge->extras & owner->asked_extras);
}

/* What is in the result for a reason: it stays as installed, was asked for, or comes in because such a one requires it.
 */
static uint32_t supported(const struct brute *brute) {
    uint32_t found = 0;
    for (int32_t p = 0; p < brute->len; p++)
        if (brute->chosen[p] >= 0 && (brute->subjects[p].requested || brute->chosen[p] == brute->subjects[p].installed))
            found |= 1u << p;
    for (uint32_t before = 0; before != found;) {
        before = found;
        for (int32_t p = 0; p < brute->len; p++) {
            const struct option *option = found & 1u << p ? option_of(brute, p) : NULL;
            for (int32_t i = 0; option && i < option->edges_len; i++) {
                int32_t target = option->edges[i].target;
                if (brute->chosen[target] >= 0 && brute->subjects[target].installed < 0 &&
                    is_unconditional(&brute->subjects[p], &option->edges[i]) && !option->edges[i].broken_before)
                    found |= 1u << target;
            }
        }
    }
    return found;
}

static bool is_pin(const struct specifier_set *set) {
    for (int32_t i = 0; i < set->len; i++)
        if (set->items[i].op == SPECIFIER_ARBITRARY || (set->items[i].op == SPECIFIER_EQ && !set->items[i].wildcard))
            return true;
    return false;
}

/* Below its floor, and no current distribution of the result states a bound that keeps it there, none at all a pin. */
static bool below_floor(const struct brute *brute, int32_t p) {
    const struct subject *subject = &brute->subjects[p];
    uint32_t current = 0; /* releases at or above the floor */
    if (brute->chosen[p] >= subject->floor || brute->world->want.stale) return false;
    for (int32_t o = subject->floor; o < subject->len; o++)
        if (subject->options[o].ranked && !subject->options[o].needs_pin) current |= 1u << o;
    uint32_t reasons = supported(brute);
    for (int32_t d = 0; d < brute->len; d++) {
        const struct option *option = reasons & 1u << d ? option_of(brute, d) : NULL;
        if (!option || !option->known) continue;
        bool stale = brute->chosen[d] < brute->subjects[d].floor;
        for (int32_t i = 0; i < option->edges_len; i++) {
            const struct edge *edge = &option->edges[i];
            if (stale && !is_pin(&edge->requirement->specifiers)) continue;
            if (edge->target == p && is_unconditional(&brute->subjects[d], edge) && !edge->broken_before &&
                !(edge->met & current))
                return false;
        }
    }
    return true;
}

static bool option_has_extra(const struct brute *brute, const struct option *option, struct str extra) {
    const struct metadata *metadata = option->metadata;
    if (in_names(metadata->extras, metadata->extras_len, extra)) return true;
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        const struct marker *marker = metadata->requires_dist[i].marker;
        if (marker_eval(brute->arena, marker, &brute->world->env.markers, extra) &&
            !marker_eval(brute->arena, marker, &brute->world->env.markers, (struct str){NULL, 0}))
            return true;
    }
    return false;
}

/* Extras that were asked for and that the choice does not have yet, though the newest that the requests allow has them.
 */
static int64_t lacking_extras(const struct brute *brute, int32_t p) {
    const struct subject *subject = &brute->subjects[p];
    const struct option *chosen = option_of(brute, p);
    int32_t newest = subject->len - 1;
    int64_t n = 0;
    while (newest >= 0 && (!subject->options[newest].choosable || subject->options[newest].needs_pin ||
                           !requests_hold(brute, subject->name, &subject->options[newest].version)))
        newest--;
    if (!chosen->metadata || newest < 0 || newest <= brute->chosen[p]) return 0;
    if (!subject->options[newest].metadata) return 0;
    for (int32_t e = 0; e < subject->extras_len; e++)
        n += (subject->asked_extras >> e & 1u) &&
             option_has_extra(brute, &subject->options[newest], subject->extras[e]) &&
             !option_has_extra(brute, chosen, subject->extras[e]);
    return n;
}

static void add_costs(const struct brute *brute, int32_t p, int64_t *costs) {
    const struct subject *subject = &brute->subjects[p];
    const struct option *option = option_of(brute, p);
    if (!option || subject->fixed) return;
    bool changed = brute->chosen[p] != subject->installed;
    int64_t lax = lax_count(brute, p);
    bool stale = below_floor(brute, p) || lax > 0;
    costs[0] += subject->installed < 0 ? stale : lax; /* what is added counts once */
    costs[0] += subject->requested ? lacking_extras(brute, p) : 0;
    costs[2] += option->lift;
    costs[3] += changed && subject->installed >= 0;
    costs[4] += brute->chosen[p] < subject->installed;
    costs[6] += changed && option->sdist;
    costs[10] += subject->installed < 0;
    int64_t from_newest = ranked_between(subject, brute->chosen[p], subject->len - 1);
    if (subject->requested) costs[7] += from_newest;
    else if (subject->installed < 0) costs[9] += from_newest;
    else if (brute->chosen[p] > subject->installed)
        costs[8] += ranked_between(subject, subject->installed, brute->chosen[p]);
    else costs[8] += ranked_between(subject, brute->chosen[p] - 1, subject->installed - 1);
}

/* True if requests name the installed subject and do not let it stay. */
static bool is_asked_away(const struct brute *brute, const struct subject *subject) {
    const struct option *there = &subject->options[subject->installed];
    return subject->requested && !requests_hold(brute, subject->name, &there->version);
}

/* What is installed and may stay does not become lax. */
static bool lax_refused(const struct brute *brute) {
    for (int32_t p = 0; p < brute->len; p++) {
        const struct subject *subject = &brute->subjects[p];
        if (subject->installed >= 0 && !is_asked_away(brute, subject) && !subject->fixed && lax_count(brute, p))
            return true;
    }
    return false;
}

/* True if the choice is a plan; its costs. */
static bool evaluate(const struct brute *brute, int64_t *costs) {
    uint32_t extras[BRUTE_PROJECTS_MAX];
    memset(costs, 0, BRUTE_LEVELS * sizeof *costs);
    close_extras(brute, brute->chosen, true, extras);
    if (!requests_met(brute, costs) || !edges_met(brute, extras, costs)) return false;
    if (!prereleases_pinned(brute, extras) || !advisories_hold(brute, costs)) return false;
    for (int32_t p = 0; p < brute->len; p++) {
        add_costs(brute, p, costs);
        costs[5] += soft_count(brute, p);
    }
    return true;
}

/* The order in which levels are compared. */
static int32_t level_at(const struct brute *brute, int32_t place) {
    if (!brute->world->want.upgrade || place < LEVEL_LIFTS || place > LEVEL_NEWEST) return place;
    return place == LEVEL_LIFTS ? LEVEL_NEWEST : place - 1;
}

static bool better(const struct brute *brute, const int64_t *a, const int64_t *b) {
    for (int32_t i = 0; i < BRUTE_LEVELS; i++) {
        int32_t level = level_at(brute, i);
        if (a[level] != b[level]) return a[level] < b[level];
    }
    return false;
}

/* An edge between projects that are both decided and that nothing can save: the branch is dead. */
static bool dead(const struct brute *brute, int32_t p) {
    for (int32_t o = 0; o <= p; o++) {
        const struct option *option = option_of(brute, o);
        for (int32_t i = 0; option && i < option->edges_len; i++) {
            const struct edge *edge = &option->edges[i];
            bool allowance;
            if (!edge->base || edge->broken_before || edge->target > p || (o < p && edge->target < p)) continue;
            if (!edge_met(edge, brute->chosen[edge->target], &allowance)) return true;
        }
    }
    return false;
}

static void search(struct brute *brute, int32_t p) {
    if (p == brute->len) {
        int64_t costs[BRUTE_LEVELS];
        if (!evaluate(brute, costs) || lax_refused(brute)) return;
        if (brute->found && !better(brute, costs, brute->best_costs)) return;
        brute->found = true;
        memcpy(brute->best_costs, costs, sizeof costs);
        memcpy(brute->best, brute->chosen, sizeof brute->best);
        return;
    }
    for (int32_t o = ABSENT; o < brute->subjects[p].len; o++) {
        if (!choice_possible(brute, p, o)) continue;
        brute->chosen[p] = o;
        if (!dead(brute, p)) search(brute, p + 1);
    }
}

bool brute_best(struct brute *brute, int64_t *ret) {
    brute->found = false;
    search(brute, 0);
    if (brute->found) memcpy(ret, brute->best_costs, sizeof brute->best_costs);
    return brute->found;
}

bool brute_judge(struct brute *brute, const struct plan *plan, int64_t *ret) {
    for (int32_t p = 0; p < brute->len; p++) brute->chosen[p] = brute->subjects[p].installed;
    for (int32_t i = 0; i < plan->changes_len; i++) {
        int32_t p = map_find(&brute->by_name, plan->changes[i].name);
        struct version to;
        if (p < 0) return false;
        brute->chosen[p] = ABSENT;
        if (plan->changes[i].to.len == 0) continue;
        if (!version_try_parse(brute->arena, plan->changes[i].to, &to)) return false;
        for (int32_t o = 0; o < brute->subjects[p].len; o++)
            if (version_cmp(&brute->subjects[p].options[o].version, &to) == 0) brute->chosen[p] = o;
        if (brute->chosen[p] < 0) return false;
    }
    for (int32_t p = 0; p < brute->len; p++)
        if (!choice_possible(brute, p, brute->chosen[p])) return false;
    return evaluate(brute, ret) && !lax_refused(brute);
}

int64_t brute_tries(const struct brute *brute) {
    int64_t tries = 1;
    for (int32_t p = 0; p < brute->len && tries < INT32_MAX; p++) {
        int64_t choices = 0;
        for (int32_t o = ABSENT; o < brute->subjects[p].len; o++) choices += choice_possible(brute, p, o);
        tries *= choices > 0 ? choices : 1;
    }
    return tries;
}

static uint32_t next_number(uint64_t *state, uint32_t below) {
    *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 33) % below;
}

bool brute_draw(struct brute *brute, uint64_t *state) {
    bool near_best = brute->found && next_number(state, 3) > 0;
    bool possible = true;
    int64_t costs[BRUTE_LEVELS];
    for (int32_t p = 0; p < brute->len; p++) {
        const struct subject *subject = &brute->subjects[p];
        brute->chosen[p] = near_best ? brute->best[p] : subject->installed;
        if (next_number(state, 4) == 0) brute->chosen[p] = (int32_t)next_number(state, (uint32_t)subject->len + 1) - 1;
        possible = possible && choice_possible(brute, p, brute->chosen[p]);
    }
    return possible && evaluate(brute, costs);
}

const struct version *brute_drawn(const struct brute *brute, struct str name) {
    int32_t p = map_find(&brute->by_name, name);
    const struct option *option = p < 0 ? NULL : option_of(brute, p);
    return option ? &option->version : NULL;
}

/* The changes that a choice is. */
static struct str choice_format(struct arena *arena, const struct brute *brute, const int32_t *choice) {
    struct buf buf = {.arena = arena};
    for (int32_t p = 0; p < brute->len; p++) {
        const struct subject *subject = &brute->subjects[p];
        if (choice[p] == subject->installed) continue;
        struct str from = subject->installed < 0 ? S("-") : subject->options[subject->installed].version.text;
        struct str to = choice[p] < 0 ? S("-") : subject->options[choice[p]].version.text;
        buf_addf(&buf, "  %.*s %.*s -> %.*s\n", FMT(subject->name), FMT(from), FMT(to));
    }
    return buf_str(&buf);
}

struct str brute_drawn_format(struct arena *arena, const struct brute *brute) {
    return choice_format(arena, brute, brute->chosen);
}

struct str brute_format(struct arena *arena, const struct brute *brute) {
    return brute->found ? choice_format(arena, brute, brute->best) : S("  no plan\n");
}
