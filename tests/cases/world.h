/*
 * world - a made-up environment, lock, index and request, read from a case file (grammar: tests/cases/README.md), and
 * the source that supplies its pages and metadata to the solver one by one. In-process, no machine, no network.
 */
#ifndef UNPIN_TESTS_CASES_WORLD_H
#define UNPIN_TESTS_CASES_WORLD_H

#include "stage/propose.h"

/* A release of the world's index. */
struct world_release {
    struct release release; /* as the page gives it, metadata not known */
    struct metadata metadata;
    bool unreadable; /* its metadata cannot be had */
    bool unrecorded; /* the case does not know them: asking is a mistake of the case */
};

/* A page of the world's index. */
struct world_page {
    struct str name; /* normalized */
    bool unrecorded; /* the case does not know it: asking is a mistake of the case */
    VEC(struct world_release) releases;
};

/* A line of the case that says what must come out. */
struct world_line {
    struct str text; /* trimmed */
    int32_t line;    /* from 1 */
};

struct world {
    struct arena *arena;
    struct str title; /* the first comment line */
    struct environment env;
    struct lock_set locks;
    struct want want;
    struct advisories advisories;
    bool guess;               /* for solve_input; false unless set */
    struct solve_input input; /* the five above; set by world_input */
    VEC(struct world_page) pages;
    struct map page_by_name;
    struct str expect;              /* "plan", "satisfied", "infeasible"; empty: the case expects nothing */
    VEC(struct world_line) expects; /* the lines below it */
    ptrdiff_t expect_from;          /* byte of the text at which the expectation begins; the text's length: none */
    int32_t documents;              /* pages and metadata supplied so far */
    int32_t rounds;                 /* times the source was asked */
    VEC(struct str) misuses;        /* sentences: what was asked for and should not have been */
};

/* Parses a case. ERR_MALFORMED with `file` and line. `text` and `arena` must outlive the world. */
ERR_MUST_CHECK struct err *world_parse(struct arena *arena, struct str text, struct str file, struct world *ret);

/* What the solver is given; points into `world`, which must not move any more. */
const struct solve_input *world_input(struct world *world);

/* The world's index as a source; counts what is asked for and notes what should not have been. */
struct source world_source(struct world *world);

#endif
