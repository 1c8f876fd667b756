/*
 * order - is everything durable before what relies on it happens? A judge of the calls of one transaction, one at a
 * time.
 *
 * It stands in for a power cut: what is not synced when the power goes may be lost in any order, so a transaction
 * survives only if it never goes on before what it builds on is synced.
 */
#ifndef UNPIN_TESTS_FAULT_ORDER_H
#define UNPIN_TESTS_FAULT_ORDER_H

#include "os/sys.h"

struct order {
    bool staged_dirty;                /* staged files, backups, side directories */
    bool writing;                     /* intent.tmp or journal.tmp is open */
    bool written_dirty;               /* its bytes */
    bool intent_dirty, journal_dirty; /* their names */
    bool committed;
    bool live_dirty;       /* files that people see */
    int done_dirty;        /* directories to sync after `done` got its name */
    const char *violation; /* the first; NULL: none */
};

/* `event` happened without an error. */
void order_see(struct order *order, const struct sys_event *event);
/* The transaction says that it is done. */
void order_end(struct order *order);

#endif
