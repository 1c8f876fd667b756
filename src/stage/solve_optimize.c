/*
 * The objective levels, one after the other, each to its proven optimum: core-guided search (OLL, Andres, Kaufmann,
 * Matheis and Schaub 2012) with unit weights. Ordered cost literals (chains) serve as ready-made counters: only the
 * first that may still be false is assumed, and the next joins when a core has taken it.
 */
#include "stage/solve_model.h"

#include "base/arena.h"

#include <assert.h>

enum { TRIM_ROUNDS = 3, MINIMIZE_MAX = 12, MINIMIZE_CONFLICTS = 200 };

/* A cost that is assumed to be false, and where its successors are. */
struct assumed {
    int literal;
    struct chain *chain;
    int32_t at; /* position in the chain */
};

struct search {
    struct model *model;
    VEC(struct assumed) active;
};

/* The literal at `at`, made if the chain is one of those that grow; 0: the chain ends before it. */
static int chain_literal(struct model *model, struct chain *chain, int32_t at) {
    if (at == chain->costs.len && chain->node) model_grow_age(model, chain);
    return at < chain->costs.len ? chain->costs.data[at] : 0;
}

static void activate(struct search *search, struct chain *chain, int32_t at) {
    if (!chain_literal(search->model, chain, at)) return;
    *vec_push(search->model->arena, &search->active) = (struct assumed){chain->costs.data[at], chain, at};
}

/* Outputs of a counter over the costs of `a` and `b`: the j-th (from 0) is true where more than j inputs are. */
static struct chain merge(struct model *model, const struct chain *a, const struct chain *b) {
    struct chain sum = {0};
    for (ptrdiff_t i = 0; i < a->costs.len + b->costs.len; i++)
        *vec_push(model->arena, &sum.costs) = sat_variable(model->sat);
    for (ptrdiff_t i = 0; i <= a->costs.len; i++) {
        for (ptrdiff_t j = 0; j <= b->costs.len; j++) {
            int literals[3];
            int32_t n = 0;
            if (i + j == 0) continue;
            if (i) literals[n++] = -a->costs.data[i - 1];
            if (j) literals[n++] = -b->costs.data[j - 1];
            assert(sum.costs.data); /* one of them has costs */
            literals[n++] = sum.costs.data[i + j - 1];
            sat_clause(model->sat, literals, n);
        }
    }
    return sum;
}

/* Bailleux and Boufkhad's totalizer over literals, built by halves. */
static struct chain totalizer(struct model *model, const int *literals, int32_t len) {
    struct chain one = {0};
    if (len == 1) {
        *vec_push(model->arena, &one.costs) = literals[0];
        return one;
    }
    struct chain left = totalizer(model, literals, len / 2);
    struct chain right = totalizer(model, literals + len / 2, len - len / 2);
    return merge(model, &left, &right);
}

static enum sat_result solve_under(struct search *search, const int32_t *subset, int32_t len, int32_t skip,
                                   int32_t conflicts) {
    for (int32_t i = 0; i < len; i++)
        if (i != skip) sat_assume(search->model->sat, -search->active.data[subset[i]].literal);
    return sat_solve(search->model->sat, conflicts);
}

/* Keeps of `core` what the last answer failed on. */
static int32_t keep_failed(struct search *search, int32_t *core, int32_t len) {
    int32_t kept = 0;
    for (int32_t i = 0; i < len; i++)
        if (sat_failed(search->model->sat, -search->active.data[core[i]].literal)) core[kept++] = core[i];
    return kept;
}

/* A smaller core makes a stronger counter: first by solving again under the core alone, then by leaving out. */
static int32_t shrink_core(struct search *search, int32_t *core, int32_t len) {
    for (int round = 0; round < TRIM_ROUNDS && len > 1; round++) {
        if (solve_under(search, core, len, -1, 0) != SAT_UNSATISFIABLE) break;
        int32_t kept = keep_failed(search, core, len);
        if (kept == len) break;
        len = kept;
    }
    for (int32_t i = 0; i < len && len > 1 && len <= MINIMIZE_MAX; i++) {
        if (solve_under(search, core, len, i, MINIMIZE_CONFLICTS) != SAT_UNSATISFIABLE) continue;
        len = keep_failed(search, core, len);
        i--;
    }
    return len;
}

/* Pays one for the core: its costs leave, their successors and a counter join. */
static void relax_core(struct search *search, const int32_t *core, int32_t len) {
    struct model *model = search->model;
    int *literals = arena_new(model->arena, int, len);
    for (int32_t i = 0; i < len; i++) literals[i] = search->active.data[core[i]].literal;
    sat_clause(model->sat, literals, len);
    for (int32_t i = 0; i < len; i++) {
        struct assumed active = search->active.data[core[i]];
        activate(search, active.chain, active.at + 1);
        search->active.data[core[i]].literal = 0;
    }
    if (len > 1) {
        struct chain *counter = arena_new(model->arena, struct chain, 1);
        *counter = totalizer(model, literals, len);
        activate(search, counter, 1);
    }
    ptrdiff_t kept = 0;
    for (ptrdiff_t i = 0; i < search->active.len; i++)
        if (search->active.data[i].literal) search->active.data[kept++] = search->active.data[i];
    search->active.len = kept;
}

/* Pays for costs that every plan has, and leaves out those that none has, without asking for each: a bound on a project
 * with many releases makes dozens of them. */
static int64_t settle_fixed(struct search *search) {
    struct sat *sat = search->model->sat;
    int64_t paid = 0;
    ptrdiff_t kept = 0;
    for (ptrdiff_t i = 0; i < search->active.len; i++) {
        struct assumed active = search->active.data[i];
        int fixed = sat_fixed(sat, active.literal);
        while (fixed > 0) {
            paid++;
            active.literal = chain_literal(search->model, active.chain, ++active.at);
            fixed = active.literal ? sat_fixed(sat, active.literal) : -1;
        }
        if (fixed == 0) search->active.data[kept++] = active;
    }
    search->active.len = kept;
    return paid;
}

/* Whether the answer under all active costs may as well be one that the guesses allow. Where it may not, they bind from
 * now on, and the level is not proven: without them it might cost less. */
static bool settle_guess(struct search *search, const int32_t *core, int32_t len) {
    struct model *model = search->model;
    if (model->guesses != GUESSES_OPEN || !sat_value(model->sat, model->guess)) return true;
    sat_assume(model->sat, -model->guess);
    if (solve_under(search, core, len, -1, 0) == SAT_SATISFIABLE) return true;
    sat_clause(model->sat, &(int){-model->guess}, 1);
    model->guesses = GUESSES_BIND;
    return false;
}

/* The optimum of one level, which then binds the next ones. False: no plan at all. */
static bool optimize_level(struct model *model, enum level level, int64_t *ret) {
    struct search search = {.model = model};
    for (ptrdiff_t i = 0; i < model->levels[level].len; i++) activate(&search, &model->levels[level].data[i], 0);
    int64_t cost = 0;
    for (;;) {
        cost += settle_fixed(&search);
        int32_t len = (int32_t)search.active.len;
        int32_t *core = arena_new(model->arena, int32_t, len);
        for (int32_t i = 0; i < len; i++) core[i] = i;
        if (solve_under(&search, core, len, -1, 0) == SAT_SATISFIABLE) {
            if (settle_guess(&search, core, len)) break;
            continue;
        }
        len = keep_failed(&search, core, len);
        if (len == 0) return false;
        len = shrink_core(&search, core, len);
        relax_core(&search, core, len);
        cost++;
    }
    for (ptrdiff_t i = 0; i < search.active.len; i++) sat_clause(model->sat, &(int){-search.active.data[i].literal}, 1);
    *ret = cost;
    return true;
}

/* Decides whether there is a plan that the guesses allow: only then they count, as long as they do not cost anything.
 */
static bool open_guess(struct model *model, int64_t *ret) {
    sat_assume(model->sat, -model->guess);
    *ret = sat_solve(model->sat, 0) != SAT_SATISFIABLE;
    model->guesses = *ret || !model->input->guess ? GUESSES_VOID : GUESSES_OPEN;
    return true;
}

bool model_optimize(struct model *model, int64_t *ret) {
    static const enum level usual[LEVEL_COUNT] = {
        LEVEL_AGE,    LEVEL_ALLOWANCES, LEVEL_LIFTS,  LEVEL_CHANGES,    LEVEL_DOWNGRADES, LEVEL_GUESS, LEVEL_SOFT,
        LEVEL_BUILDS, LEVEL_UNSEEN,     LEVEL_NEWEST, LEVEL_COLLATERAL, LEVEL_ADDED_AGE,  LEVEL_ADDED,
    };
    static const enum level upgrade[LEVEL_COUNT] = {
        LEVEL_AGE,  LEVEL_ALLOWANCES, LEVEL_NEWEST,     LEVEL_LIFTS,     LEVEL_CHANGES, LEVEL_DOWNGRADES, LEVEL_GUESS,
        LEVEL_SOFT, LEVEL_BUILDS,     LEVEL_COLLATERAL, LEVEL_ADDED_AGE, LEVEL_ADDED,   LEVEL_UNSEEN,
    };
    for (enum level level = LEVEL_REPLACED; model->input->relax && level < LEVEL_ALL; level++) {
        int64_t given_up;
        if (!optimize_level(model, level, &given_up)) return false;
        if (level == LEVEL_REPLACED && given_up > model_replaced_max(model)) return false;
    }
    const enum level *order = model->input->want->upgrade ? upgrade : usual;
    for (int i = 0; i < LEVEL_COUNT; i++) {
        bool found = order[i] == LEVEL_GUESS ? open_guess(model, &ret[LEVEL_GUESS])
                                             : optimize_level(model, order[i], &ret[order[i]]);
        if (!found) return false;
        model->proven[order[i]] = model->guesses != GUESSES_BIND;
    }
    if (model->guesses == GUESSES_OPEN) sat_clause(model->sat, &(int){-model->guess}, 1);
    /* The last answer may be that of an attempt to shrink a core: ask once more, everything being bound by now. */
    return sat_solve(model->sat, 0) == SAT_SATISFIABLE;
}
