/*
 * gen - random small worlds as case text: every feature of the grammar of tests/cases/README.md that decides a plan,
 * thrown together. The same numbers give the same world.
 */
#ifndef UNPIN_TESTS_ORACLE_GEN_H
#define UNPIN_TESTS_ORACLE_GEN_H

#include "base/buf.h"

/* Where the choices come from: a seed, or bytes of a fuzzer (then, when they are used up, zeros). */
struct gen {
    uint64_t state;
    struct str bytes; /* used instead of the state where `from_bytes` */
    ptrdiff_t at;
    bool from_bytes;
    int32_t projects_max; /* 2 to 26 */
    int32_t versions_max; /* 1 to 9 */
};

/* The text of the next world. */
struct str gen_case(struct arena *arena, struct gen *gen);

#endif
