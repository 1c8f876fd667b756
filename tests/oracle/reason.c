#include "reason.h"

#include "stage/propose_parts.h"

#include <string.h>

enum { NOBODY = -1 };

/* The facts that are left. */
struct facts {
    const struct plan_fact *items;
    int32_t len;
    int32_t skip; /* the one that is taken out, NOBODY: none */
};

static bool has_fact(const struct facts *facts, enum plan_fact_kind kind, struct str name, struct str text) {
    for (int32_t i = 0; i < facts->len; i++) {
        const struct plan_fact *fact = &facts->items[i];
        if (i == facts->skip || fact->kind != kind || !str_eq(fact->name, name)) continue;
        if (text.len == 0 || str_eq(fact->text, text)) return true;
    }
    return false;
}

/* What the index says, which cannot be taken out; it stands beside the requirement that it is about. */
static bool is_fixed(const struct plan_fact *fact) {
    return fact->kind == FACT_VERSIONS || fact->kind == FACT_ABSENT;
}

static bool has_stale(const struct facts *facts) {
    for (int32_t i = 0; i < facts->len; i++)
        if (facts->items[i].kind == FACT_STALE) return true;
    return false;
}

static bool names_version(const struct facts *facts, struct str name, struct str version) {
    for (int32_t i = 0; i < facts->len; i++)
        if (facts->items[i].kind == FACT_VERSIONS && str_eq(facts->items[i].name, name) &&
            str_eq(facts->items[i].version, version))
            return true;
    return false;
}

/* A pre-release may be a candidate because a requirement names it, which need be no fact. */
static bool names_prerelease(const struct world *world) {
    for (ptrdiff_t p = 0; p < world->pages.len; p++) {
        const struct world_page *page = &world->pages.data[p];
        for (ptrdiff_t r = 0; r < page->releases.len; r++) {
            const struct metadata *metadata = &page->releases.data[r].metadata;
            for (int32_t i = 0; i < metadata->requires_len; i++)
                if (specifier_set_names_prerelease(&metadata->requires_dist[i].specifiers)) return true;
        }
    }
    return false;
}

static bool speaks_of_prerelease(const struct facts *facts) {
    for (int32_t i = 0; i < facts->len; i++)
        if (str_find(facts->items[i].text, S("rc")) >= 0 || str_find(facts->items[i].version, S("rc")) >= 0)
            return true;
    return false;
}

/* True if what the installed release requires of `name` is the bound that a fact says older ones merely lack. */
static bool is_measure(const struct facts *facts, struct str owner, struct str name) {
    for (int32_t i = 0; i < facts->len && facts->skip == NOBODY; i++) {
        const struct plan_fact *fact = &facts->items[i];
        if (fact->kind == FACT_STALE && str_eq(fact->name, owner) && str_eq(fact->text, name)) return true;
    }
    return false;
}

/* True if a fact says that this version of `owner`, or a span of versions, requires it. */
static bool requires(const struct facts *facts, struct str owner, struct str version, struct str text) {
    for (int32_t i = 0; i < facts->len; i++) {
        const struct plan_fact *fact = &facts->items[i];
        if (i == facts->skip || fact->kind != FACT_REQUIREMENT || !str_eq(fact->name, owner)) continue;
        if (str_eq(fact->text, text) && (str_eq(fact->version, version) || str_find(fact->version, S(" to ")) >= 0))
            return true;
    }
    return false;
}

static void keep_requirements(struct arena *arena, const struct facts *facts, struct str owner, struct str version,
                              struct metadata *metadata) {
    struct requirement *kept = arena_new(arena, struct requirement, metadata->requires_len);
    int32_t n = 0;
    for (int32_t i = 0; i < metadata->requires_len; i++)
        if (requires(facts, owner, version, metadata->requires_dist[i].text) ||
            is_measure(facts, owner, metadata->requires_dist[i].name))
            kept[n++] = metadata->requires_dist[i];
    metadata->requires_dist = kept;
    metadata->requires_len = n;
}

static const struct str *keep_names(struct arena *arena, const struct facts *facts, enum plan_fact_kind kind,
                                    const struct str *names, int32_t *len) {
    struct str *kept = arena_new(arena, struct str, *len);
    int32_t n = 0;
    for (int32_t i = 0; i < *len; i++)
        if (has_fact(facts, kind, names[i], (struct str){NULL, 0})) kept[n++] = names[i];
    *len = n;
    return kept;
}

static void keep_requests(struct arena *arena, const struct facts *facts, struct want *want) {
    struct request *kept = arena_new(arena, struct request, want->requests_len);
    int32_t n = 0;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct requirement *asked = &want->requests[i].requirement;
        if (has_fact(facts, FACT_REQUEST, asked->name, asked->text)) kept[n++] = want->requests[i];
    }
    want->requests = kept;
    want->requests_len = n;
}

/* Everything installed may lose its lock, or its place as a vendor build, where no fact says otherwise. */
static void keep_limits(struct arena *arena, const struct facts *facts, struct world *world) {
    struct want *want = &world->want;
    struct str *names = arena_new(arena, struct str, world->env.dists_len + world->locks.lines_len);
    struct str *replace = arena_new(arena, struct str, world->env.dists_len);
    int32_t n = 0, replaced = 0;
    for (int32_t i = 0; i < world->env.dists_len; i++) {
        struct str name = world->env.dists[i].name;
        if (!has_fact(facts, FACT_HELD, name, (struct str){NULL, 0})) replace[replaced++] = name;
        names[n++] = name;
    }
    for (int32_t i = 0; i < world->locks.lines_len; i++) names[n++] = world->locks.lines[i].requirement.name;
    want->replace = replace;
    want->replace_len = replaced;
    want->keep = keep_names(arena, facts, FACT_KEEP, want->keep, &want->keep_len);
    if (want->no_lifts) {
        want->no_lift = names;
        want->no_lift_len = n;
    }
    want->no_lifts = false;
    want->no_lift = keep_names(arena, facts, FACT_LOCK, want->no_lift, &want->no_lift_len);
    want->remove = keep_names(arena, facts, FACT_REMOVE, want->remove, &want->remove_len);
}

static void keep_advisories(struct arena *arena, const struct facts *facts, struct advisories *advisories) {
    struct advisory *kept = arena_new(arena, struct advisory, advisories->len);
    int32_t n = 0;
    for (int32_t i = 0; i < advisories->len; i++)
        if (has_fact(facts, FACT_ADVISORY, advisories->items[i].id, (struct str){NULL, 0}))
            kept[n++] = advisories->items[i];
    advisories->items = kept;
    advisories->len = n;
}

static void keep_facts(struct arena *arena, const struct facts *facts, struct world *world) {
    struct dist *dists = arena_new(arena, struct dist, world->env.dists_len);
    for (int32_t i = 0; i < world->env.dists_len; i++) {
        dists[i] = world->env.dists[i];
        keep_requirements(arena, facts, dists[i].name, dists[i].version.text, &dists[i].metadata);
    }
    world->env.dists = dists;
    for (ptrdiff_t p = 0; p < world->pages.len; p++) {
        struct world_page *page = &world->pages.data[p];
        for (ptrdiff_t r = 0; r < page->releases.len; r++) {
            struct world_release *item = &page->releases.data[r];
            item->unrecorded = false;
            /* What nobody has looked at may as well be readable: only more is possible then. */
            if (facts->skip != NOBODY && !names_version(facts, page->name, item->release.version.text))
                item->unreadable = false;
            keep_requirements(arena, facts, page->name, item->release.version.text, &item->metadata);
        }
    }
    keep_requests(arena, facts, &world->want);
    /* What is stale shows by requirements that need be no facts, and taking others out makes more of it: it counts
     * where all facts are there, and where one is taken out it is given up as a whole. */
    world->want.stale = facts->skip != NOBODY || !has_stale(facts);
    keep_limits(arena, facts, world);
    keep_advisories(arena, facts, &world->advisories);
}

/* True if there is a plan in the world that the facts leave, builds included where they are the last resort. */
static struct err *is_possible(struct arena *arena, struct str text, const struct facts *facts, bool *ret) {
    struct world *world = arena_new(arena, struct world, 1);
    TRY(world_parse(arena, text, S("world"), world));
    bool named = names_prerelease(world);
    keep_facts(arena, facts, world);
    /* What was taken out may be what made a pre-release a candidate. */
    if (facts->skip != NOBODY && (named || speaks_of_prerelease(facts))) world->want.pre = true;
    struct source source = world_source(world);
    *ret = false;
    for (int builds = 0; builds < 2 && !*ret; builds++) {
        struct pool pool = pool_make(arena, &world->env);
        struct solution solution;
        int64_t index_us = 0, solve_us = 0;
        int32_t rounds = 0;
        if (builds && world->want.only_binary.all) break;
        world->want.builds = world->want.builds || builds;
        TRY(propose_search(arena, world_input(world), &pool, &source, &solution, &index_us, &solve_us, &rounds));
        *ret = solution.status == SOLVE_OPTIMAL;
    }
    return NULL;
}

const char *reason_check(struct arena *arena, struct str text, const struct plan *plan) {
    struct facts facts = {plan->reason, plan->reason_len, NOBODY};
    bool possible;
    struct err *err = is_possible(arena, text, &facts, &possible);
    if (!err && possible) return "the facts of the reason do not make it impossible";
    for (facts.skip = 0; !err && facts.skip < facts.len; facts.skip++) {
        const struct plan_fact *fact = &plan->reason[facts.skip];
        if (is_fixed(fact)) continue;
        err = is_possible(arena, text, &facts, &possible);
        if (err || possible) continue;
        return str_copy_z(arena, str_format(arena, "the reason does not need: %.*s", FMT(fact->sentence)));
    }
    return err ? str_copy_z(arena, err_format(arena, err)) : NULL;
}
