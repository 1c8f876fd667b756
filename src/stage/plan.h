/*
 * plan - the changes, the lock edits and the reasons: what `solve` found, told as data. `report` finds the words,
 * `apply` carries it out. Const once made.
 */
#ifndef UNPIN_STAGE_PLAN_H
#define UNPIN_STAGE_PLAN_H

#include "stage/environment.h"
#include "stage/lock.h"
#include "stage/pool.h"
#include "stage/want.h"

enum plan_status { PLAN_FEASIBLE, PLAN_SATISFIED, PLAN_INFEASIBLE };
enum plan_action { PLAN_UPGRADE, PLAN_DOWNGRADE, PLAN_ADD, PLAN_REMOVE, PLAN_REPLACE };

/* One lock line that changes. */
struct plan_lift {
    struct str name;     /* normalized */
    struct str from, to; /* versions; `from` is the specifier text for a line that is no pin */
    struct str file;
    int32_t file_number; /* position in lock_set.files; -1: the lock is implied (empty file) */
    int32_t line;
};

/* One distribution that changes. */
struct plan_change {
    struct str name;     /* normalized */
    struct str raw_name; /* for people */
    enum plan_action action;
    struct str from, to; /* versions, empty for none */
    bool requested;
    const struct str *because; /* a chain from this change down to a request, each a sentence without a full stop */
    int32_t because_len;
    struct artifact artifact; /* what is installed; empty url for a removal */
    bool direct;              /* a request named the artifact itself, by URL or path (PEP 610) */
    bool below_floor, lax;    /* level 1 of the objective counts it */
};

struct plan_allowance {
    struct str name, version, taken_as;
    struct str for_text; /* "accelerate 1.6.0: torch>=2.7.0" */
};

enum plan_advisory_effect { PLAN_ADVISORY_AVOIDED, PLAN_ADVISORY_PRESENT, PLAN_ADVISORY_IGNORED, PLAN_ADVISORY_WARNED };

struct plan_advisory {
    struct str id, text, source;
    enum plan_advisory_effect effect;
};

/* A requirement that is not met. */
struct plan_break {
    struct str name, version; /* whose requirement */
    struct str requires_text; /* the requirement as its metadata have it */
    struct str found;         /* version found, empty: not installed */
};

enum plan_fact_kind {
    FACT_REQUEST,     /* the user said so */
    FACT_REQUIREMENT, /* a distribution requires it */
    FACT_HELD,        /* a vendor build stays */
    FACT_LOCK,        /* a lock that may not be lifted (--no-lift) */
    FACT_KEEP,        /* --keep, or not removable */
    FACT_REMOVE,      /* --remove */
    FACT_STALE,       /* older releases merely lack a bound that the installed one states */
    FACT_ADVISORY,
    FACT_VERSIONS, /* the index has only these versions */
    FACT_ABSENT,   /* no index has the project or the version */
};

/* One of the facts that contradict each other. */
struct plan_fact {
    enum plan_fact_kind kind;
    struct str name, version; /* the distribution that states it; may be empty */
    struct str text;          /* the requirement, specifier or advisory */
    struct str file;          /* lock or requirements file, may be empty */
    int32_t line;
    struct str sentence; /* the whole, in words */
};

/* A relaxation that makes the request possible, verified by planning it. */
struct plan_suggestion {
    struct str text;
    const struct str *argv; /* "unpin", "plan", … */
    int32_t argv_len;
    int32_t lifts, changes; /* its price */
    bool newer;             /* it is without --exclude-newer */
};

enum { PLAN_LEVELS = 12 };

struct plan_proof {
    bool optimal; /* every level is proven */
    int32_t lower_bound_lifts;
    int32_t levels_len;
    struct str level_names[PLAN_LEVELS];
    int64_t level_costs[PLAN_LEVELS];
    bool level_proven[PLAN_LEVELS]; /* no plan costs less in this level, the levels before it being as they are */
    int32_t metadata_fetched;       /* documents: pages and metadata */
    int32_t rounds, variables, clauses;
};

struct plan {
    enum plan_status status;
    const struct environment *env;
    const struct lock_set *locks;
    const struct want *want;
    const struct plan_lift *lifts;
    int32_t lifts_len;
    const struct plan_change *changes; /* requested ones first, then by name */
    int32_t changes_len;
    const struct plan_allowance *allowances;
    int32_t allowances_len;
    const struct plan_advisory *advisories;
    int32_t advisories_len;
    const struct plan_break *breaks_before, *breaks_fixed, *breaks_new; /* breaks_new is empty unless there is a bug */
    int32_t breaks_before_len, breaks_fixed_len, breaks_new_len;
    const struct str *warnings; /* sentences: soft bounds left, unknown metadata, sdists that run code, floors missed */
    int32_t warnings_len;
    const struct plan_fact *reason; /* infeasible: a minimal set of facts in contradiction */
    int32_t reason_len;
    const struct plan_suggestion *suggestions;
    int32_t suggestions_len;
    struct plan_proof proof;
    int64_t index_us, solve_us; /* time spent, microseconds */
};

#endif
