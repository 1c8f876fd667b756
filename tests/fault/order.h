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

enum { ORDER_MOUNTS = 2, ORDER_PATH_MAX = 4096 };

struct order {
    const char *other;                /* where the second mount begins; NULL: there is one */
    bool staged_dirty[ORDER_MOUNTS];  /* staged files, backups, side directories */
    bool writing;                     /* intent.tmp or journal.tmp is open */
    bool written_dirty;               /* its bytes */
    bool intent_dirty, journal_dirty; /* their names */
    bool committed;
    bool live_dirty[ORDER_MOUNTS]; /* files that people see: their names */
    int edit_fd;                   /* a live file that is open, if edit_path is not empty */
    char edit_path[ORDER_PATH_MAX];
    bool edit_dirty; /* bytes written to a live file in place; only a sync of that file counts, it may be a mount */
    int done_dirty;  /* directories to sync after `done` got its name */
    const char *violation; /* the first; NULL: none */
};

/* `event` happened without an error. */
void order_see(struct order *order, const struct sys_event *event);
/* The transaction says that it is done. */
void order_end(struct order *order);

#endif
