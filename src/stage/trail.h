/*
 * trail - which documents a search asked for, kept from one command to the next.
 *
 * What the solver needs next follows from what it was given: the inputs, and all that was supplied so far. A trail
 * holds, for each such state, what was needed in it; a search that comes to the same state again need not solve to find
 * out, and asks for the same documents in the same order. Its answer is solved for and checked as ever: a trail that is
 * wrong, or about other pages than those of today, costs time and nothing else.
 */
#ifndef UNPIN_STAGE_TRAIL_H
#define UNPIN_STAGE_TRAIL_H

#include "stage/solve.h"

enum { TRAIL_BYTES_MAX = 4 << 20, TRAIL_STEPS_MAX = 4096 };

struct trail;

/* The trail of searches that begin with `input` and `pool`: with the steps that `source` kept, or none. NULL where it
 * keeps nothing, and for requests by URL, whose artifacts change without a sign. */
struct trail *trail_open(struct arena *arena, const struct solve_input *input, const struct pool *pool,
                         const struct source *source);

/* The state of a search for `input`: of the steps of trail_supplied so far. */
uint64_t trail_state(const struct trail *trail, const struct solve_input *input);
/* What was needed in this state; projects that solving made known are put into `pool`, as it would have. False where
 * that is not known, or does not fit `pool`. */
bool trail_find(const struct trail *trail, uint64_t state, struct pool *pool, struct needs *ret);
/* Remembers what is needed in this state, and the projects of `pool` from the position `before` on, which solving
 * added.
 */
void trail_add(struct trail *trail, uint64_t state, const struct pool *pool, ptrdiff_t before,
               const struct needs *needs);

/* `needs` were supplied: the state is another one, by what came. */
void trail_supplied(struct trail *trail, const struct pool *pool, const struct needs *needs);

/* Gives the steps to the source if there are new ones. NULL is allowed. */
void trail_close(struct trail *trail);

#endif
