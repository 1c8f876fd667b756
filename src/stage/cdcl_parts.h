/*
 * cdcl_parts - the state of the engine, for the files of `cdcl` alone: search, clauses, learning.
 *
 * A literal is the number 2 * variable, or 2 * variable + 1 where it is negated, so that `lit ^ 1` is its opposite. A
 * clause is a position in `store`: its length, then its literals.
 */
#ifndef UNPIN_STAGE_CDCL_PARTS_H
#define UNPIN_STAGE_CDCL_PARTS_H

#include "base/arena.h"
#include "stage/cdcl.h"

/* A clause that has to be looked at where a literal becomes false. */
struct watch {
    int32_t clause; /* ~position where `other` is all the rest */
    int32_t other;  /* another literal of it: true means that there is nothing to do */
};

struct watches {
    struct watch *data;
    int32_t len, cap;
    int32_t wanted; /* while clauses are added: how many more come */
};

/* What is known of a variable. */
struct variable {
    int32_t level;            /* of its value */
    int32_t reason;           /* clause that implied it, 0: a decision, or the root */
    int32_t older, newer;     /* neighbours in the order of decisions, 0: none */
    int64_t stamp;            /* its place there */
    bool phase;               /* its last value */
    bool seen, assumed_false; /* of the analysis at hand; part of the last reason */
};

struct cdcl {
    struct arena *arena;
    bool contradiction; /* whatever is assumed */
    int32_t variables, cap;
    struct variable *vars;   /* by variable */
    int8_t *values;          /* by literal: 1 true, -1 false, 0 neither */
    int8_t *answer;          /* the same of the last answer */
    bool answers;            /* it satisfies what was added since, too */
    struct watches *watches; /* by literal: clauses that watch it */
    int8_t *marks;           /* by literal: in the clause at hand */
    VEC(int32_t) store;
    int32_t *trail;          /* literals in the order in which they became true */
    int32_t trail_len, head; /* head: up to where consequences were drawn */
    VEC(int32_t) levels;     /* where each begins in the trail */
    VEC(int32_t) assumed;    /* those of the question at hand, one level each */
    VEC(int32_t) learned;    /* the clause that the analysis makes */
    VEC(int32_t) touched;    /* variables that are `seen` */
    VEC(int64_t) order;      /* they, to be sorted by their stamps */
    int32_t newest, next;    /* variables: end of the order of decisions; all after `next` have values */
    int64_t stamps;
    int32_t conflicts;
    int32_t until_restart, restarts;
};

static inline int32_t cdcl_inner(int literal) {
    return literal > 0 ? 2 * literal : 2 * -literal + 1;
}

/* Makes the literal true, for this reason (0: a decision). */
void cdcl_assign(struct cdcl *cdcl, int32_t literal, int32_t reason);
/* Takes back all values of the levels above. */
void cdcl_backtrack(struct cdcl *cdcl, int32_t level);
/* Draws all consequences. Gives the clause that is violated, 0: none. */
int32_t cdcl_propagate(struct cdcl *cdcl);
/* Puts a clause of at least two literals where its first two watch it. */
void cdcl_watch(struct cdcl *cdcl, int32_t clause);

/* cdcl_learn.c: learns from the violated clause, goes back and draws the consequence of what was learned. */
void cdcl_learn(struct cdcl *cdcl, int32_t violated);
/* Which assumptions make this one false. */
void cdcl_blame(struct cdcl *cdcl, int32_t assumption);

#endif
