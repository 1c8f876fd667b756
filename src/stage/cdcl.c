#include "stage/cdcl_parts.h"

#include <string.h>

enum { RESTART_CONFLICTS = 32, VARIABLES_FIRST = 1024 };

static void *grown(const struct cdcl *cdcl, void *old, int32_t cap, size_t size) {
    return arena_grow(cdcl->arena, old, cdcl->cap * (ptrdiff_t)size, cap * (ptrdiff_t)size);
}

static void make_room(struct cdcl *cdcl, int32_t variables) {
    int32_t cap = cdcl->cap ? cdcl->cap : VARIABLES_FIRST;
    while (cap <= variables) cap *= 2;
    if (cap == cdcl->cap) return;
    cdcl->vars = grown(cdcl, cdcl->vars, cap, sizeof *cdcl->vars);
    cdcl->values = grown(cdcl, cdcl->values, cap, 2 * sizeof *cdcl->values);
    cdcl->answer = grown(cdcl, cdcl->answer, cap, 2 * sizeof *cdcl->answer);
    cdcl->marks = grown(cdcl, cdcl->marks, cap, 2 * sizeof *cdcl->marks);
    cdcl->watches = grown(cdcl, cdcl->watches, cap, 2 * sizeof *cdcl->watches);
    cdcl->trail = grown(cdcl, cdcl->trail, cap, sizeof *cdcl->trail);
    cdcl->cap = cap;
}

struct cdcl *cdcl_open(struct arena *arena) {
    struct cdcl *cdcl = arena_new(arena, struct cdcl, 1);
    cdcl->arena = arena;
    *vec_push(arena, &cdcl->store) = 0; /* so that no clause is at 0 */
    make_room(cdcl, 0);
    return cdcl;
}

/* New variables are the last in the order, so that they are decided first. */
static void add_variables(struct cdcl *cdcl, int32_t variables) {
    if (variables <= cdcl->variables) return;
    make_room(cdcl, variables);
    for (int32_t v = cdcl->variables + 1; v <= variables; v++) {
        cdcl->vars[v] = (struct variable){.older = cdcl->newest, .stamp = ++cdcl->stamps};
        if (cdcl->newest) cdcl->vars[cdcl->newest].newer = v;
        cdcl->newest = v;
        cdcl->answer[2 * v] = -1;
        cdcl->answer[2 * v + 1] = 1;
    }
    cdcl->next = cdcl->newest;
    cdcl->variables = variables;
}

void cdcl_assign(struct cdcl *cdcl, int32_t literal, int32_t reason) {
    struct variable *var = &cdcl->vars[literal / 2];
    cdcl->values[literal] = 1;
    cdcl->values[literal ^ 1] = -1;
    var->level = (int32_t)cdcl->levels.len;
    var->reason = reason;
    var->phase = !(literal & 1);
    cdcl->trail[cdcl->trail_len++] = literal;
}

void cdcl_backtrack(struct cdcl *cdcl, int32_t level) {
    if (level >= cdcl->levels.len) return;
    int32_t start = cdcl->levels.data[level];
    for (int32_t at = cdcl->trail_len - 1; at >= start; at--) {
        int32_t literal = cdcl->trail[at];
        cdcl->values[literal] = cdcl->values[literal ^ 1] = 0;
        if (cdcl->vars[literal / 2].stamp > cdcl->vars[cdcl->next].stamp) cdcl->next = literal / 2;
    }
    cdcl->trail_len = cdcl->head = start;
    cdcl->levels.len = level;
}

static void push_watch(struct cdcl *cdcl, int32_t literal, struct watch watch) {
    struct watches *list = &cdcl->watches[literal];
    if (list->len == list->cap) {
        int32_t cap = list->len + (list->wanted ? list->wanted : list->len + 2);
        list->data = arena_grow(cdcl->arena, list->data, list->cap * (ptrdiff_t)sizeof *list->data,
                                cap * (ptrdiff_t)sizeof *list->data);
        list->cap = cap;
    }
    if (list->wanted) list->wanted--;
    list->data[list->len++] = watch;
}

void cdcl_watch(struct cdcl *cdcl, int32_t clause) {
    const int32_t *literals = cdcl->store.data + clause + 1;
    int32_t named = literals[-1] == 2 ? ~clause : clause;
    push_watch(cdcl, literals[0], (struct watch){named, literals[1]});
    push_watch(cdcl, literals[1], (struct watch){named, literals[0]});
}

/* Looks for another literal to watch than `lost`, which has become false; gives the literal that is left, whose watch
 * stays, or -1 where the watch went elsewhere. */
static int32_t move_watch(struct cdcl *cdcl, int32_t clause, int32_t lost) {
    int32_t *literals = cdcl->store.data + clause + 1, len = literals[-1];
    int32_t left = literals[0] ^ literals[1] ^ lost;
    if (cdcl->values[left] > 0) return left;
    for (int32_t k = 2; k < len; k++) {
        int32_t literal = literals[k];
        if (cdcl->values[literal] < 0) continue;
        literals[0] = left;
        literals[1] = literal;
        literals[k] = lost;
        push_watch(cdcl, literal, (struct watch){clause, left});
        return -1;
    }
    return left;
}

/* Draws the consequences of a literal that has become false. Gives the clause that is violated, 0: none. */
static int32_t visit(struct cdcl *cdcl, int32_t lost) {
    struct watches *list = &cdcl->watches[lost];
    struct watch *from = list->data, *to = from, *end = from + list->len;
    int32_t violated = 0;
    while (from < end && !violated) {
        struct watch watch = *to++ = *from++;
        int32_t clause = watch.clause, left = watch.other;
        if (cdcl->values[left] > 0) continue;
        if (clause < 0) {
            clause = ~clause;
        } else {
            left = move_watch(cdcl, clause, lost);
            if (left < 0) {
                to--;
                continue;
            }
            to[-1].other = left;
        }
        if (cdcl->values[left] < 0) violated = clause;
        else if (cdcl->values[left] == 0) cdcl_assign(cdcl, left, clause);
    }
    if (to != from) {
        while (from < end) *to++ = *from++;
        list->len = (int32_t)(to - list->data);
    }
    return violated;
}

int32_t cdcl_propagate(struct cdcl *cdcl) {
    int32_t violated = 0;
    while (!violated && cdcl->head < cdcl->trail_len) violated = visit(cdcl, cdcl->trail[cdcl->head++] ^ 1);
    return violated;
}

/* True if the last answer, to which new variables are false, satisfies the clause. */
static bool is_answered(const struct cdcl *cdcl, const int *literals, int64_t len) {
    for (int64_t i = 0; i < len; i++)
        if (cdcl->answer[cdcl_inner(literals[i])] > 0) return true;
    return false;
}

/* Puts the clause into the store without what is false in any case; what says nothing (satisfied in any case, or with
 * both of a variable's literals) is left out, and what leaves no choice becomes a value. */
static void store_clause(struct cdcl *cdcl, const int *literals, int64_t len) {
    ptrdiff_t start = cdcl->store.len;
    bool says_nothing = false;
    *vec_push(cdcl->arena, &cdcl->store) = 0;
    for (int64_t i = 0; i < len && !says_nothing; i++) {
        int32_t literal = cdcl_inner(literals[i]);
        says_nothing = cdcl->values[literal] > 0 || cdcl->marks[literal ^ 1];
        if (cdcl->values[literal] != 0 || cdcl->marks[literal]) continue;
        cdcl->marks[literal] = 1;
        *vec_push(cdcl->arena, &cdcl->store) = literal;
    }
    const int32_t *kept = cdcl->store.data + start + 1;
    int32_t count = (int32_t)(cdcl->store.len - start - 1);
    for (int32_t i = 0; i < count; i++) cdcl->marks[kept[i]] = 0;
    if (!says_nothing && count > 1) {
        cdcl->store.data[start] = count;
        cdcl->watches[kept[0]].wanted++;
        cdcl->watches[kept[1]].wanted++;
        return;
    }
    cdcl->store.len = start;
    if (says_nothing) return;
    if (count == 1) cdcl_assign(cdcl, kept[0], 0);
    else cdcl->contradiction = true;
}

void cdcl_add(struct cdcl *cdcl, int32_t variables, const int *literals, int64_t len) {
    cdcl_backtrack(cdcl, 0);
    add_variables(cdcl, variables);
    int32_t clause = (int32_t)cdcl->store.len;
    for (int64_t start = 0, i = 0; i < len; i++) {
        if (literals[i] != 0) continue;
        cdcl->answers = cdcl->answers && is_answered(cdcl, literals + start, i - start);
        store_clause(cdcl, literals + start, i - start);
        start = i + 1;
    }
    for (; clause < cdcl->store.len; clause += cdcl->store.data[clause] + 1) cdcl_watch(cdcl, clause);
    if (cdcl_propagate(cdcl)) cdcl->contradiction = true;
}

/* The sequence of Luby, Sinclair and Zuckerman 1993, from 1: 1 1 2 1 1 2 4 … */
static int32_t luby(int32_t i) {
    int32_t size = 1;
    while (size < i) size = 2 * size + 1;
    while (size != i) {
        size /= 2;
        if (i > size) i -= size;
    }
    return (size + 1) / 2;
}

static void push_level(struct cdcl *cdcl) {
    *vec_push(cdcl->arena, &cdcl->levels) = cdcl->trail_len;
}

/* The next assumption becomes true, or else the next variable gets its last value; OPEN where there was one. */
static enum cdcl_result decide(struct cdcl *cdcl) {
    while (cdcl->levels.len < cdcl->assumed.len) {
        int32_t literal = cdcl->assumed.data[cdcl->levels.len];
        if (cdcl->values[literal] < 0) {
            cdcl_blame(cdcl, literal);
            return CDCL_UNSATISFIABLE;
        }
        push_level(cdcl);
        if (cdcl->values[literal] > 0) continue;
        cdcl_assign(cdcl, literal, 0);
        return CDCL_OPEN;
    }
    while (cdcl->next && cdcl->values[2 * cdcl->next]) cdcl->next = cdcl->vars[cdcl->next].older;
    if (!cdcl->next) return CDCL_SATISFIABLE;
    push_level(cdcl);
    cdcl_assign(cdcl, 2 * cdcl->next + !cdcl->vars[cdcl->next].phase, 0);
    return CDCL_OPEN;
}

/* Goes back to where the assumptions differ from those of the question before. */
static void begin(struct cdcl *cdcl, const int *assumptions, int32_t len) {
    int32_t same = 0;
    for (ptrdiff_t i = 0; i < cdcl->assumed.len; i++) cdcl->vars[cdcl->assumed.data[i] / 2].assumed_false = false;
    while (same < len && same < cdcl->assumed.len && cdcl->assumed.data[same] == cdcl_inner(assumptions[same])) same++;
    cdcl_backtrack(cdcl, same);
    cdcl->assumed.len = 0;
    for (int32_t i = 0; i < len; i++) *vec_push(cdcl->arena, &cdcl->assumed) = cdcl_inner(assumptions[i]);
}

/* Learns from a conflict, and now and then begins anew, with what was learned. False: there is no answer at all. */
static bool settle(struct cdcl *cdcl, int32_t violated) {
    cdcl->conflicts++;
    if (cdcl->levels.len == 0) {
        cdcl->contradiction = true;
        return false;
    }
    cdcl_learn(cdcl, violated);
    if (--cdcl->until_restart > 0) return true;
    cdcl->until_restart = RESTART_CONFLICTS * luby(++cdcl->restarts);
    cdcl_backtrack(cdcl, 0);
    return true;
}

/* True if the last answer is one to this question too. */
static bool is_known(const struct cdcl *cdcl) {
    for (ptrdiff_t i = 0; i < cdcl->assumed.len && cdcl->answers; i++)
        if (cdcl->answer[cdcl->assumed.data[i]] < 0) return false;
    return cdcl->answers;
}

enum cdcl_result cdcl_solve(struct cdcl *cdcl, const int *assumptions, int32_t len, int32_t conflicts) {
    int32_t limit = cdcl->conflicts + conflicts;
    begin(cdcl, assumptions, len);
    if (is_known(cdcl)) return CDCL_SATISFIABLE;
    enum cdcl_result result = CDCL_OPEN;
    while (result == CDCL_OPEN && !cdcl->contradiction) {
        int32_t violated = cdcl_propagate(cdcl);
        if (!violated) result = decide(cdcl);
        else if (settle(cdcl, violated) && cdcl->conflicts >= limit) return CDCL_OPEN;
    }
    if (cdcl->contradiction) return CDCL_UNSATISFIABLE;
    if (result != CDCL_SATISFIABLE) return result;
    memcpy(cdcl->answer, cdcl->values, 2 * (size_t)cdcl->variables + 2);
    cdcl->answers = true;
    return result;
}

int32_t cdcl_conflicts(const struct cdcl *cdcl) {
    return cdcl->conflicts;
}

bool cdcl_value(const struct cdcl *cdcl, int literal) {
    int variable = literal > 0 ? literal : -literal;
    return variable <= cdcl->variables ? cdcl->answer[cdcl_inner(literal)] > 0 : literal < 0;
}

bool cdcl_failed(const struct cdcl *cdcl, int literal) {
    int variable = literal > 0 ? literal : -literal;
    return variable <= cdcl->variables && cdcl->vars[variable].assumed_false;
}

int cdcl_fixed(const struct cdcl *cdcl, int literal) {
    int variable = literal > 0 ? literal : -literal;
    if (variable > cdcl->variables || cdcl->vars[variable].level > 0) return 0;
    return cdcl->values[cdcl_inner(literal)];
}
