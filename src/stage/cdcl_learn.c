/* What follows from a conflict: a clause that forbids its cause, and the order of the decisions to come. */
#include "stage/cdcl_parts.h"

#include <stdlib.h>

static void see(struct cdcl *cdcl, int32_t variable) {
    cdcl->vars[variable].seen = true;
    *vec_push(cdcl->arena, &cdcl->touched) = variable;
}

static void forget_seen(struct cdcl *cdcl) {
    for (ptrdiff_t i = 0; i < cdcl->touched.len; i++) cdcl->vars[cdcl->touched.data[i]].seen = false;
    cdcl->touched.len = 0;
}

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void move_to_end(struct cdcl *cdcl, int32_t variable) {
    struct variable *vars = cdcl->vars, *var = &vars[variable];
    if (cdcl->newest == variable) return;
    if (cdcl->next == variable) cdcl->next = var->older ? var->older : var->newer;
    if (var->older) vars[var->older].newer = var->newer;
    vars[var->newer].older = var->older;
    var->older = cdcl->newest;
    var->newer = 0;
    vars[cdcl->newest].newer = variable;
    cdcl->newest = variable;
    var->stamp = ++cdcl->stamps;
    if (cdcl->values[2 * variable] == 0) cdcl->next = variable;
}

/* Who took part in a conflict is decided first from now on, those of the last conflict before others. */
static void move_touched(struct cdcl *cdcl) {
    cdcl->order.len = 0;
    for (ptrdiff_t i = 0; i < cdcl->touched.len; i++) {
        int32_t variable = cdcl->touched.data[i];
        *vec_push(cdcl->arena, &cdcl->order) = cdcl->vars[variable].stamp << 31 | variable;
    }
    if (cdcl->order.len > 1) qsort(cdcl->order.data, (size_t)cdcl->order.len, sizeof *cdcl->order.data, by_number);
    for (ptrdiff_t i = 0; i < cdcl->order.len; i++) move_to_end(cdcl, (int32_t)(cdcl->order.data[i] & 0x7fffffff));
}

/* Puts the literals of a clause but for `known` into what is learned; gives how many are of the level at hand. */
static int32_t resolve(struct cdcl *cdcl, int32_t clause, int32_t known) {
    const int32_t *literals = cdcl->store.data + clause + 1;
    int32_t level = (int32_t)cdcl->levels.len, open = 0;
    for (int32_t i = 0; i < literals[-1]; i++) {
        int32_t variable = literals[i] / 2;
        const struct variable *var = &cdcl->vars[variable];
        if (literals[i] == known || var->seen || var->level == 0) continue;
        see(cdcl, variable);
        if (var->level == level) open++;
        else *vec_push(cdcl->arena, &cdcl->learned) = literals[i];
    }
    return open;
}

/* True if the other literals of what is learned imply this one's opposite. */
static bool is_implied(const struct cdcl *cdcl, int32_t literal) {
    int32_t reason = cdcl->vars[literal / 2].reason;
    if (!reason) return false;
    const int32_t *literals = cdcl->store.data + reason + 1;
    for (int32_t i = 0; i < literals[-1]; i++) {
        const struct variable *var = &cdcl->vars[literals[i] / 2];
        if (literals[i] / 2 != literal / 2 && !var->seen && var->level > 0) return false;
    }
    return true;
}

/* The first unique implication point: resolves until one literal of the level at hand is left, which comes first. */
static void analyze(struct cdcl *cdcl, int32_t violated) {
    int32_t at = cdcl->trail_len, literal;
    cdcl->learned.len = 0;
    *vec_push(cdcl->arena, &cdcl->learned) = 0;
    int32_t open = resolve(cdcl, violated, -1);
    for (;;) {
        do literal = cdcl->trail[--at];
        while (!cdcl->vars[literal / 2].seen);
        if (--open == 0) break;
        open += resolve(cdcl, cdcl->vars[literal / 2].reason, literal);
    }
    cdcl->learned.data[0] = literal ^ 1;
    ptrdiff_t kept = 1;
    for (ptrdiff_t i = 1; i < cdcl->learned.len; i++)
        if (!is_implied(cdcl, cdcl->learned.data[i])) cdcl->learned.data[kept++] = cdcl->learned.data[i];
    cdcl->learned.len = kept;
}

/* Brings the literal of the highest level but the first's to the second place; gives that level. */
static int32_t second_level(struct cdcl *cdcl) {
    int32_t *literals = cdcl->learned.data, level = 0;
    for (ptrdiff_t i = 1; i < cdcl->learned.len; i++) {
        if (cdcl->vars[literals[i] / 2].level <= level) continue;
        level = cdcl->vars[literals[i] / 2].level;
        int32_t literal = literals[i];
        literals[i] = literals[1];
        literals[1] = literal;
    }
    return level;
}

void cdcl_learn(struct cdcl *cdcl, int32_t violated) {
    analyze(cdcl, violated);
    int32_t level = second_level(cdcl), len = (int32_t)cdcl->learned.len, clause = 0;
    move_touched(cdcl);
    forget_seen(cdcl);
    cdcl_backtrack(cdcl, level);
    if (len > 1) {
        clause = (int32_t)cdcl->store.len;
        *vec_push(cdcl->arena, &cdcl->store) = len;
        for (int32_t i = 0; i < len; i++) *vec_push(cdcl->arena, &cdcl->store) = cdcl->learned.data[i];
        cdcl_watch(cdcl, clause);
    }
    cdcl_assign(cdcl, cdcl->learned.data[0], clause);
}

static void see_clause(struct cdcl *cdcl, int32_t clause) {
    const int32_t *literals = cdcl->store.data + clause + 1;
    for (int32_t i = 0; i < literals[-1]; i++) {
        const struct variable *var = &cdcl->vars[literals[i] / 2];
        if (!var->seen && var->level > 0) see(cdcl, literals[i] / 2);
    }
}

void cdcl_blame(struct cdcl *cdcl, int32_t assumption) {
    cdcl->vars[assumption / 2].assumed_false = true;
    see(cdcl, assumption / 2);
    int32_t root = cdcl->levels.len ? cdcl->levels.data[0] : cdcl->trail_len;
    for (int32_t at = cdcl->trail_len - 1; at >= root; at--) {
        struct variable *var = &cdcl->vars[cdcl->trail[at] / 2];
        if (!var->seen) continue;
        if (!var->reason) var->assumed_false = true;
        else see_clause(cdcl, var->reason);
    }
    forget_seen(cdcl);
}
