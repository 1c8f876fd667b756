/*
 * cdcl - conflict-driven clause learning (Marques-Silva and Sakallah 1996) for problems of thousands of clauses that
 * take tens of conflicts: what one round of a search is, and of which a command makes dozens.
 *
 * Two watched literals (Moskewicz et al. 2001), the first unique implication point, decisions by who took part in a
 * conflict last (VMTF, Biere and Froehlich 2015), else the newest variable first, restarts after Luby. Nothing that is
 * learned is forgotten, and nothing is simplified: who has hard problems asks CaDiCaL (see `sat`). Its reason to be is
 * what a clause costs until the first question: a tenth of the instructions.
 *
 * Literals are non-zero ints as in DIMACS. Variables are false until a conflict says otherwise. Deterministic.
 */
#ifndef UNPIN_STAGE_CDCL_H
#define UNPIN_STAGE_CDCL_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct cdcl;

enum cdcl_result { CDCL_OPEN, CDCL_SATISFIABLE, CDCL_UNSATISFIABLE };

struct cdcl *cdcl_open(struct arena *arena);

/* Adds clauses over the variables 1 to `variables`, each ended by 0; `len` counts the zeros. */
void cdcl_add(struct cdcl *cdcl, int32_t variables, const int *literals, int64_t len);

/* Solves under the assumptions, in this order, whose variables were told by cdcl_add. OPEN after so many conflicts. */
enum cdcl_result cdcl_solve(struct cdcl *cdcl, const int *assumptions, int32_t len, int32_t conflicts);
/* Conflicts of all questions so far. */
int32_t cdcl_conflicts(const struct cdcl *cdcl);

/* After SATISFIABLE: whether the literal is true in the answer. */
bool cdcl_value(const struct cdcl *cdcl, int literal);
/* After UNSATISFIABLE: whether the assumed literal is part of the reason. */
bool cdcl_failed(const struct cdcl *cdcl, int literal);
/* 1 where the clauses are known to imply the literal, -1 its opposite, 0 where neither is known. */
int cdcl_fixed(const struct cdcl *cdcl, int literal);

#endif
