/*
 * brute - the best plan of a small world by trying all of them, straight from the words of the design: no clauses, no
 * order encoding, no laziness, no code shared with the solver or the checker but the reading of versions and markers.
 *
 * Costs stand in the order of the levels: below their floor or lax, allowances, lifts, changes, downgrades, soft
 * bounds, builds, distance of what was asked for from its newest, distance of collateral changes, distance of what is
 * added from its newest, number of added.
 */
#ifndef UNPIN_TESTS_ORACLE_BRUTE_H
#define UNPIN_TESTS_ORACLE_BRUTE_H

#include "world.h"

enum { BRUTE_LEVELS = 11, BRUTE_OPTIONS_MAX = 32, BRUTE_PROJECTS_MAX = 32 };

struct brute;

/* The tables of a world. `pool` is the pool after planning: releases whose metadata were found unreadable there are no
 * candidates and have no rank; the others have one, unreadable or not, as nobody has looked at them. NULL where the
 * world is too large. */
struct brute *brute_make(struct arena *arena, const struct world *world, const struct pool *pool);

/* The costs of the best plan; false: there is no plan. */
bool brute_best(struct brute *brute, int64_t *ret);

/* The costs of the plan that gives each project of `plan->changes` its new version; false: it is no plan by the design.
 */
bool brute_judge(struct brute *brute, const struct plan *plan, int64_t *ret);

/* How many results there are to try, at most. */
int64_t brute_tries(const struct brute *brute);

/* Draws a result near the best plan (after brute_best) or near what is installed; true if it is a plan. `*state`
 * decides and moves on. */
bool brute_draw(struct brute *brute, uint64_t *state);

/* The version that the last draw gives a project; NULL: not in the result. */
const struct version *brute_drawn(const struct brute *brute, struct str name);
struct str brute_drawn_format(struct arena *arena, const struct brute *brute);

/* Lines that tell the last best plan, for people. */
struct str brute_format(struct arena *arena, const struct brute *brute);

#endif
