/*
 * solve_model - the clauses of one round, for the parts of `solve` only (encode, optimize, explain, needs).
 *
 * A *node* is a project in the model. Its *slots* are its admissible releases, ascending. Order encoding (Crawford and
 * Baker 1994; Tamura et al. 2009): the literal ge[k] says "the chosen slot is k or newer", ge[0] "the project is in the
 * result", ge[n] is false. Variables are chosen so that the installed state is all false.
 *
 * A node whose page is not known yet has an *escape*: a literal that says "in the result at a release that is not
 * known", which meets every requirement and requires nothing. That makes the model a relaxation.
 *
 * What is installed and cannot be affected by what others do is no node: it stays, and costs nothing. Only explanations
 * have all of it.
 *
 * A *rule* is one distinct requirement text of one project, with the runs of slots that state it.
 */
#ifndef UNPIN_STAGE_SOLVE_MODEL_H
#define UNPIN_STAGE_SOLVE_MODEL_H

#include "stage/sat.h"
#include "stage/solve.h"

enum {
    SOLVE_NODES_MAX = 50000,
    SOLVE_RULES_MAX = 4000000,
};

/* Slots from `from` (inclusive) to `to` (exclusive). */
struct run {
    int32_t from, to;
};

struct runs {
    VEC(struct run) list;
};

/* An extra of a node that somebody asks for. */
struct node_extra {
    struct str name;
    int literal; /* true: the extra is asked for */
};

struct node {
    int32_t project; /* position in the pool; the same as the node's own position */
    bool in_scope;
    const struct dist *dist; /* installed one; NULL: none */
    int32_t slots_len;
    int32_t *slots;     /* release of each slot */
    bool *named_only;   /* per slot: a pre-release that is admissible only where a requirement names it */
    int32_t installed;  /* slot, -1 */
    int *ge;            /* slots_len + 1 literals */
    int escape;         /* literal; never true where the page is known */
    int changed;        /* literal: the result differs from what is installed; 0: not installed */
    int lifted;         /* literal: its lock is lifted; 0: no lock */
    bool requested;     /* a request names it */
    bool version_given; /* a request gives it a version, or it came by URL */
    bool removed;       /* the user removes it */
    bool fixed;         /* held or kept: stays as installed */
    int32_t scope_at;   /* position in model.scope */
    int support;        /* literal: there is a reason for it in the result; 0: not made yet */
    int32_t floor;      /* slot of its floor, -1: none known */
    int below;          /* literal: below its floor or lax, and that counts; 0: no floor, or installed */
    VEC(struct node_extra) extras;
    VEC(int32_t) locks; /* lines of the locks about it, positions in lock_set.lines */
};

/* A requirement on a node: which of its slots do not meet it. */
struct rule {
    const struct requirement *requirement;
    int32_t node;         /* who states it; -1: a request */
    int32_t target;       /* node that it is on */
    struct str extra;     /* stated only under this extra of `node`; empty: always */
    struct runs runs;     /* slots of `node` that state it */
    bool exempt;          /* the installed slot states it too, but it was broken before */
    struct runs bad;      /* slots of `target` that do not meet it, maximal and ascending */
    int32_t allowed_slot; /* slot of target that meets it by an allowance only, -1: none */
    int32_t request;      /* position in want.requests where node is -1 */
    int32_t fact;         /* position + 1 in model.facts, 0: none yet */
};

/* The rules that one slot of a node states. */
struct stated {
    int32_t slot;
    VEC(int32_t) rules; /* positions in model.rules */
};

/* What slots that are not known are taken to require: what both of the known ones around them do. */
struct guess {
    int32_t below;   /* rule of the slot below */
    struct run run;  /* slots of its node that are not known */
    struct runs bad; /* slots of its target that neither this rule nor that of the slot above lets */
};

/* What a clause rests on, for explanations. */
struct fact {
    enum plan_fact_kind kind;
    int32_t node; /* whom it is about, -1 */
    int32_t rule; /* for REQUEST and REQUIREMENT, -1 */
    int32_t advisory;
    int32_t target; /* of STALE: on whom the bound is */
    int selector;   /* literal; 0 unless explaining */
    int given_up;   /* literal: this limit is given up; 0: it cannot be */
};

/* An ordered group of cost literals: costs[j+1] implies costs[j]. */
struct chain {
    VEC(int) costs;
    int32_t
        node; /* position + 1 of the node whose age it counts, where model_grow_age makes the costs; 0: all are there */
};

/* What is minimized, in the order of problem.md; 4 and 7 have two parts, and two levels stand between 4 and 5. */
enum level {
    LEVEL_AGE, /* releases below their floor, and lax ones */
    LEVEL_ALLOWANCES,
    LEVEL_LIFTS,
    LEVEL_CHANGES,
    LEVEL_DOWNGRADES,
    LEVEL_GUESS,  /* an answer that needs what is not known to be unlike its neighbours: where guesses begin to count */
    LEVEL_SOFT,   /* soft bounds left, warnings triggered */
    LEVEL_BUILDS, /* releases that have to be built */
    LEVEL_UNSEEN, /* what was asked for stays as installed, and nobody has seen its page: moving it instead is looked at
                     where it costs no more so far */
    LEVEL_NEWEST, /* distance of what was asked for from its newest */
    LEVEL_COLLATERAL, /* distance of other changes from the installed release */
    LEVEL_ADDED_AGE,  /* distance of what is added from its newest */
    LEVEL_ADDED,
    LEVEL_COUNT,
    LEVEL_REPLACED = LEVEL_COUNT, /* limits given up: vendor builds; these levels come before all others */
    LEVEL_ACCEPTED,               /* advisories */
    LEVEL_STALE,                  /* old releases that merely lack a bound */
    LEVEL_WISHES,                 /* what the user set himself */
    LEVEL_ALL,
};

/* A cost literal with what it stands for, so that a solution can tell it. */
struct mark {
    int literal;
    int32_t node, target; /* target: -1 */
    int32_t rule;         /* -1 */
    int32_t advisory;     /* -1 */
};

/* What guesses have to say. */
enum guesses {
    GUESSES_VOID, /* nothing: the literal `guess` is free, or true */
    GUESSES_OPEN, /* an answer must allow for them, a lower bound need not */
    GUESSES_BIND, /* all: what is better without them is not looked at any more */
};

struct model {
    struct arena *arena;
    const struct solve_input *input;
    struct pool *pool;
    struct sat *sat;
    bool explaining;
    int yes;   /* a literal that is true; -yes is false */
    int guess; /* a literal: true where guesses do not bind */
    enum guesses guesses;
    bool proven[LEVEL_COUNT]; /* by model_optimize: the level's cost is a lower bound whatever is not known */
    struct node *nodes;
    int32_t nodes_len, nodes_cap;
    VEC(int32_t) scope; /* nodes in scope, in the order in which they came */
    VEC(struct rule) rules;
    VEC(struct guess) between;
    VEC(struct fact) facts;
    VEC(struct chain) levels[LEVEL_ALL];
    VEC(struct mark) lax, below, allowances, soft;
    struct map mentioned;       /* "name version" of pre-releases that a requirement (1) or a lock (2) names exactly */
    struct map mentioned_names; /* the projects of these */
    struct map bad_cache;       /* who and which set, as bytes, to a position in `bads` */
    VEC(struct runs) bads;
};

/* Builds the model of everything that is known. ERR_LIMIT. */
ERR_MUST_CHECK struct err *model_build(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                       bool explaining, struct model *ret);

/* A clause that rests on `fact` (position in facts, -1: nothing that could be taken back). Literals 0 are skipped. */
void model_clause(struct model *model, int32_t fact, const int *literals, int32_t len);
/* A fact, for model_clause. */
int32_t model_fact(struct model *model, enum plan_fact_kind kind, int32_t node, int32_t rule, int32_t advisory);
/* A fresh cost of the level: true costs one. */
int model_cost(struct model *model, enum level level);
/* Adds the next cost to a chain that counts the age of a node, unless it has all. */
void model_grow_age(struct model *model, struct chain *chain);
/* The node of a project name, brought into scope. */
int32_t model_node(struct model *model, struct str name);
/* Slots of `node` outside `specifiers`, absence not among them. */
struct runs model_bad(struct model *model, int32_t node, const struct specifier_set *specifiers);

/* solve_scope.c: nodes and slots. */
ERR_MUST_CHECK struct err *model_add_nodes(struct model *model);
void model_open_node(struct model *model, int32_t node);
/* The release of a slot. */
struct release *model_release(const struct model *model, const struct node *node, int32_t slot);
/* How many slots have known metadata, `without` (a slot, -1) aside. */
int32_t model_known_slots(const struct model *model, const struct node *node, int32_t without);
/* The newest slot that all requests on the node hold for, -1: none. Pre-releases that only a name admits do not count.
 */
int32_t model_newest_wanted(const struct model *model, const struct node *node);
/* True if every request on the node holds for the slot. */
bool model_wanted(const struct model *model, const struct node *node, int32_t slot);
/* solve_rules.c: what distributions require. */
ERR_MUST_CHECK struct err *model_add_rules(struct model *model);
/* solve_guess.c: what the slots of a node between two known ones are taken to require. */
void model_guess_between(struct model *model, int32_t node, const struct stated *below, const struct stated *above);
/* solve_levels.c: what costs. */
void model_add_levels(struct model *model);

/* solve_relax.c: makes the limits of the model cost, and every other fact hold. */
void model_relax(struct model *model);
/* How many vendor builds an answer may give up: no more than the first did. */
int64_t model_replaced_max(const struct model *model);
/* What the model's answer gave up, as facts. */
void model_tell_relaxed(struct model *model, struct solution *ret);
/* The fact in words. */
struct plan_fact model_tell(struct model *model, const struct fact *fact);

/* solve_optimize.c: all levels, one after the other, the costs of each in ret. False: no plan at all. */
bool model_optimize(struct model *model, int64_t *ret);

/* The slot that the model's answer gives `node`, -1: not in the result or not known. */
int32_t model_slot(const struct model *model, const struct node *node);

/* solve_needs.c: what the answer used without knowing it. */
struct needs model_needs(struct model *model);

/* solve_explain.c: a minimal set of facts without which there would be a plan, and the pages that may show a smaller
 * one: sets `reason` and `needs`. */
ERR_MUST_CHECK struct err *model_explain(struct arena *arena, const struct solve_input *input, struct pool *pool,
                                         struct solution *ret);

#endif
