#include "order.h"

#include <stdio.h>
#include <string.h>

static bool ends(const char *path, const char *tail) {
    size_t a = path ? strlen(path) : 0, b = strlen(tail);
    return a >= b && strcmp(path + a - b, tail) == 0;
}

/* Ours: the store, side directories, probes. */
static bool own(const char *path) {
    return path && strstr(path, "/.unpin");
}

static void require(struct order *order, bool ok, const char *violation) {
    if (!ok && !order->violation) order->violation = violation;
}

static int mount_of(const struct order *order, const char *path) {
    return order->other && strncmp(path, order->other, strlen(order->other)) == 0;
}

static bool any(const bool *dirty) {
    return dirty[0] || dirty[1];
}

static void see_live(struct order *order) {
    require(order, order->committed, "a live change before the commit");
    require(order, !order->journal_dirty, "a live change before the journal's name is durable");
}

static void see_change(struct order *order, const char *path) {
    if (own(path)) {
        require(order, !order->intent_dirty, "staging before the intent is durable");
        if (!order->committed) order->staged_dirty[mount_of(order, path)] = true;
        return;
    }
    see_live(order);
    order->live_dirty[mount_of(order, path)] = true;
}

static void see_write(struct order *order, const struct sys_event *event) {
    if (order->writing) order->written_dirty = true;
    if (order->edit_path[0] == '\0' || event->fd != order->edit_fd) return;
    see_live(order);
    order->edit_dirty = true;
}

static void see_rename(struct order *order, const char *from, const char *to) {
    if (ends(to, "/.unpin/intent")) {
        require(order, !order->written_dirty, "the intent is named before its bytes are durable");
        order->intent_dirty = true;
    } else if (ends(to, "/.unpin/journal")) {
        require(order, !order->written_dirty, "the journal is named before its bytes are durable");
        require(order, !any(order->staged_dirty), "commit before what is staged is durable");
        order->journal_dirty = order->committed = true;
    } else if (ends(to, "/done")) {
        require(order, !any(order->live_dirty), "done before the live files are durable");
        require(order, !order->edit_dirty, "done before a file edited in place is durable");
        order->done_dirty = 2;
    } else {
        (void)from;
        see_change(order, to);
    }
}

static void see_sync(struct order *order, const struct sys_event *event) {
    if (event->call == SYS_SYNCFS) {
        int mount = mount_of(order, event->path);
        order->staged_dirty[mount] = order->live_dirty[mount] = false;
    } else if (!event->path) {
        order->written_dirty = false;
    } else if (ends(event->path, "/.unpin")) {
        order->intent_dirty = order->journal_dirty = false;
        if (order->done_dirty) order->done_dirty--;
    } else if (order->edit_dirty && strcmp(event->path, order->edit_path) == 0) {
        order->edit_dirty = false;
    } else if (order->done_dirty) {
        order->done_dirty--;
    }
}

void order_see(struct order *order, const struct sys_event *event) {
    bool temporary = ends(event->path, "/journal.tmp") || ends(event->path, "/intent.tmp");
    switch ((int)event->call) {
    case SYS_CREATE:
        if (temporary) order->writing = true;
        else if (!ends(event->path, "/lock")) see_change(order, event->path);
        break;
    case SYS_OPEN:
        if (order->edit_dirty || own(event->path)) break;
        (void)snprintf(order->edit_path, sizeof order->edit_path, "%s", event->path);
        order->edit_fd = event->fd;
        break;
    case SYS_WRITE:
    case SYS_TRUNCATE: see_write(order, event); break;
    case SYS_CLOSE:
        order->writing = false;
        if (!order->edit_dirty) order->edit_path[0] = '\0';
        break;
    case SYS_MKDIR:
        if (!ends(event->path, "/.unpin")) see_change(order, event->path);
        break;
    case SYS_HARDLINK: see_change(order, event->other); break;
    case SYS_SYMLINK:
    case SYS_RMDIR:
    case SYS_UNLINK:
        /* Removing what is ours needs no order but after the commit, when the intent is still there to name it. */
        if (event->call == SYS_SYMLINK || !own(event->path)) see_change(order, event->path);
        break;
    case SYS_RENAME: see_rename(order, event->path, event->other); break;
    case SYS_FSYNC:
    case SYS_SYNCFS: see_sync(order, event); break;
    default: break;
    }
}

void order_end(struct order *order) {
    require(order, order->done_dirty == 0, "success before the end is durable");
    require(order, !any(order->live_dirty) && !order->edit_dirty, "success before the live files are durable");
}
