/*
 * reason - the reason of an infeasible plan held against its own words: the facts alone make the request impossible,
 * and without any one of them the rest is possible.
 *
 * A world is made of the facts only: requirements, requests, limits, advisories and vendor builds that the reason does
 * not name are taken out of it; what the index offers stays.
 */
#ifndef UNPIN_TESTS_ORACLE_REASON_H
#define UNPIN_TESTS_ORACLE_REASON_H

#include "world.h"

/* `text` is the case that `plan`, which is infeasible, was made for. What is wrong with the reason, NULL: nothing. */
const char *reason_check(struct arena *arena, struct str text, const struct plan *plan);

#endif
