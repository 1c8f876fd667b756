#include "os/transaction_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { INTENT_MAX = 256 << 20, LOCK_TEXT_MAX = 128, TIME_TEXT_MAX = 32 };

static struct err *resolve(struct arena *arena, struct str path, struct str *ret) {
    char real[PATH_MAX];
    struct str rest = {0};
    if (!str_starts(path, S("/"))) return err_make(arena, ERR_INTERNAL, "'%.*s' is no absolute path", FMT(path));
    /* A directory that is not there yet: what is there of it gets resolved. */
    for (struct str there = path;; there = str_slice(there, 0, str_find_last(there, '/'))) {
        if (there.len == 0) there = S("/");
        if (realpath(str_copy_z(arena, there), real)) {
            rest = str_from(path, there.len == 1 ? 0 : there.len);
            break;
        }
        if (errno != ENOENT || there.len == 1) return err_errno(arena, errno, "cannot resolve '%.*s'", FMT(path));
    }
    struct str head = strcmp(real, "/") == 0 ? (struct str){0} : str_of(real);
    struct str whole = str_format(arena, "%.*s%.*s", FMT(head), FMT(rest));
    while (whole.len > 1 && str_ends(whole, S("/"))) whole.len--;
    *ret = (struct str){str_copy_z(arena, whole), whole.len};
    return NULL;
}

static struct str without_slash(struct arena *arena, struct str path) {
    while (path.len > 1 && str_ends(path, S("/"))) path.len--;
    return (struct str){str_copy_z(arena, path), path.len};
}

static struct err *roots_resolve(struct transaction_store *store, const struct transaction_options *options) {
    store->roots_len = options->roots_len + 1;
    store->roots = arena_new(store->arena, struct str, store->roots_len);
    store->roots_real = arena_new(store->arena, struct str, store->roots_len);
    for (int32_t i = 0; i < store->roots_len; i++) {
        store->roots[i] = without_slash(store->arena, i ? options->roots[i - 1] : options->site);
        TRY(resolve(store->arena, store->roots[i], &store->roots_real[i]));
    }
    store->site = store->roots_real[0].data;
    store->dir = str_format(store->arena, "%s/.unpin", store->site).data;
    return NULL;
}

static struct err *busy(struct transaction_store *store, const char *path, int fd) {
    char text[LOCK_TEXT_MAX] = "";
    int64_t len = 0;
    (void)sys_read(store->sys, fd, text, LOCK_TEXT_MAX - 1, &len);
    (void)sys_close(store->sys, fd);
    struct str who = str_trim((struct str){text, len});
    struct err *err =
        err_make(store->arena, ERR_BUSY, "'%s' is held by another process%s%.*s", path, who.len ? ": " : "", FMT(who));
    return err_hint(store->arena, err, "try again when it is done");
}

/* "2026-11-21 12:30:05Z", as the history has it. */
static struct str now_text(struct arena *arena) {
    time_t now = time(NULL);
    struct tm parts;
    char text[TIME_TEXT_MAX];
    if (!gmtime_r(&now, &parts) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts) == 0) return S("");
    return str_copy(arena, str_of(text));
}

static struct err *lock_take(struct transaction_store *store, const char *path, bool own) {
    int fd;
    int status = sys_open(store->sys, path, true, &fd);
    if (status == ENOENT && own) status = sys_create(store->sys, path, 0600, &fd);
    if (status == EEXIST && own) status = sys_open(store->sys, path, true, &fd);
    if (status && !own) return NULL; /* another program's lock that is not there or not ours to open */
    if (status) return err_errno(store->arena, status, "cannot open '%s'", path);
    status = sys_flock(store->sys, fd);
    if (status == EWOULDBLOCK) return busy(store, path, fd);
    if (status) {
        (void)sys_close(store->sys, fd);
        return err_errno(store->arena, status, "cannot lock '%s'", path);
    }
    store->lock_fds[store->lock_fds_len++] = fd;
    if (!own) return NULL;
    struct str who = str_format(store->arena, "process %ld since %.*s\n", (long)getpid(), FMT(now_text(store->arena)));
    /* Who holds it is told as a kindness; a full disk must not keep us from recovering. */
    if (sys_write(store->sys, fd, who.data, who.len, 0) == 0) (void)sys_truncate(store->sys, fd, who.len);
    return NULL;
}

static struct err *locks_take(struct transaction_store *store, const struct transaction_options *options) {
    store->lock_fds = arena_new(store->arena, int, options->locks_len + 1);
    TRY(lock_take(store, transaction_path(store, "lock"), true));
    for (int32_t i = 0; i < options->locks_len; i++) {
        struct str path;
        TRY(resolve(store->arena, options->locks[i], &path));
        TRY(lock_take(store, path.data, false));
    }
    return NULL;
}

static bool is_number(struct str s) {
    int64_t n;
    return s.len > 0 && s.len < 10 && str_to_int(s, &n) && n > 0;
}

/* Removes what one line of the intent names. */
static int discard_line(struct transaction_store *store, struct str id, struct str line) {
    struct str word = str_cut(&line, ' ');
    if (str_eq(word, S("side"))) {
        struct str tail = str_format(store->arena, "/.unpin-%.*s", FMT(id));
        return str_ends(line, tail) && str_starts(line, S("/")) ? tree_remove(store, str_copy_z(store->arena, line))
                                                                : 0;
    }
    if (!str_eq(word, S("probe"))) return 0;
    int64_t mtime;
    struct str number = str_cut(&line, ' ');
    struct sys_stat st;
    const char *dir = str_copy_z(store->arena, line);
    const char *path = str_format(store->arena, "%s/.unpin-%.*s.probe", dir, FMT(id)).data;
    int status = line.len ? sys_stat(store->sys, path, &st) : 0;
    if (status || line.len == 0 || st.type == SYS_NONE) return status;
    status = sys_unlink(store->sys, path);
    if (status == 0 && str_to_int(number, &mtime)) (void)sys_utime(store->sys, dir, mtime);
    return status;
}

static int discard_own(struct transaction_store *store, struct str id) {
    const char *dir = transaction_path(store, str_copy_z(store->arena, id));
    struct sys_stat st;
    int status = sys_stat(store->sys, str_format(store->arena, "%s/done", dir).data, &st);
    if (status || st.type == SYS_NONE) return status ? status : tree_remove(store, dir);
    static const char *const parts[] = {"new", "spare", "ballast", "scratch"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == 0; i++)
        status = tree_remove(store, str_format(store->arena, "%s/%s", dir, parts[i]).data);
    return status;
}

struct err *transaction_discard(struct transaction_store *store, bool *ret_found) {
    const char *path = transaction_path(store, "intent");
    struct sys_stat st;
    struct str rest;
    int status = sys_stat(store->sys, path, &st);
    *ret_found = false;
    if (status == 0 && st.type == SYS_NONE) return NULL;
    struct err *unread = status ? err_errno(store->arena, status, "cannot look at '%s'", path)
                                : tree_file_read(store, path, INTENT_MAX, &rest);
    /* What it names may lie among other people's files. */
    if (unread) return err_because(err_make(store->arena, ERR_RECOVER, "staging files may be left behind"), unread);
    struct str id = str_cut(&rest, '\0');
    if (!is_number(id)) return err_make(store->arena, ERR_RECOVER, "'%s' is damaged", path);
    while (status == 0 && rest.len) status = discard_line(store, id, str_cut(&rest, '\0'));
    if (status) {
        /* This lies among other people's files, and is to be told of. */
        struct err *left = err_make(store->arena, ERR_RECOVER, "staging files are left behind: %s", strerror(status));
        return err_hint(store->arena, left, "the old state is untouched; `unpin recover` removes them");
    }
    status = discard_own(store, id);
    if (status == 0) status = sys_unlink(store->sys, path);
    if (status) return err_errno(store->arena, status, "cannot discard what an interrupted transaction staged");
    *ret_found = true;
    return NULL;
}

static struct err *need_decision(struct transaction_store *store, const str_vec *strangers) {
    struct str first = strangers->data[0];
    struct err *err = err_make(store->arena, ERR_RECOVER,
                               "a transaction was interrupted, and since then %td of its files changed: '%.*s'%s",
                               strangers->len, FMT(first), strangers->len > 1 ? ", …" : "");
    return err_hint(store->arena, err,
                    "finish it with `unpin recover --forward` or go back with `unpin recover --back`");
}

static struct err *journal_load(struct transaction_store *store, const char *name, struct journal *ret) {
    struct str bytes;
    const char *path = transaction_path(store, name);
    TRY(tree_file_read(store, path, JOURNAL_MAX, &bytes));
    if (journal_parse(store->arena, bytes, ret)) return NULL;
    struct err *err = err_make(store->arena, ERR_RECOVER, "the journal '%s' is damaged", path);
    return err_hint(store->arena, err, "the old files are kept beside it in '%s'; nothing was touched", store->dir);
}

/* From a journal that is committed (or just finished) to the old state. */
static struct err *go_back(struct transaction_store *store, const struct journal *journal) {
    const char *from = transaction_path(store, "journal"), *to = transaction_path(store, "abort");
    struct sys_stat st = {0};
    int status = sys_stat(store->sys, from, &st);
    if (status == 0 && st.type == SYS_NONE) from = str_format(store->arena, "%s/done", journal->sides[0].dir).data;
    if (status == 0) status = sys_rename(store->sys, from, to);
    if (status == ENOSPC || status == EDQUOT) {
        ballast_remove(store, journal);
        status = sys_rename(store->sys, from, to);
    }
    if (status == 0) status = sys_fsync_path(store->sys, store->dir);
    if (status) return err_errno(store->arena, status, "cannot begin to roll back");
    return transaction_rollback(store, journal);
}

static struct err *recover_journal(struct transaction_store *store, const char *name, enum transaction_way way,
                                   enum transaction_recovery *ret) {
    struct journal journal;
    str_vec strangers = {0}, warnings = {0};
    bool back = strcmp(name, "abort") == 0;
    TRY(journal_load(store, name, &journal));
    if (way == TRANSACTION_AUTO) TRY(transaction_strangers(store, &journal, &strangers));
    if (strangers.len) return need_decision(store, &strangers);
    if (back) {
        *ret = TRANSACTION_ROLLED_BACK;
        return transaction_rollback(store, &journal);
    }
    struct err *err = NULL;
    if (way != TRANSACTION_BACK) {
        err = transaction_apply(store, &journal);
        if (!err) err = transaction_finish(store, &journal, &warnings);
        *ret = TRANSACTION_FORWARDED;
        if (!err) return NULL;
    }
    *ret = TRANSACTION_ROLLED_BACK;
    struct err *failed = go_back(store, &journal);
    if (!failed) return NULL;
    return err ? err_because(failed, err) : failed;
}

static struct err *recover(struct transaction_store *store, enum transaction_way way, enum transaction_recovery *ret) {
    static const char *const names[] = {"abort", "journal"};
    bool found;
    for (int i = 0; i < 2; i++) {
        struct sys_stat st;
        const char *path = transaction_path(store, names[i]);
        int status = sys_stat(store->sys, path, &st);
        if (status) return err_errno(store->arena, status, "cannot look at '%s'", path);
        if (st.type == SYS_NONE) continue;
        struct err *err = recover_journal(store, names[i], way, ret);
        if (!err || err->kind == ERR_RECOVER) return err;
        struct err *outer = err_make(store->arena, ERR_RECOVER, "an interrupted transaction could not be ended");
        return err_because(outer, err);
    }
    TRY(transaction_discard(store, &found));
    if (found) *ret = TRANSACTION_DISCARDED;
    return NULL;
}

bool transaction_pending(struct arena *arena, const struct sys *sys, struct str site) {
    static const char *const names[] = {"abort", "journal", "intent"};
    struct sys_stat st;
    struct str real;
    if (resolve(arena, site, &real)) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sys_stat(sys ? sys : sys_real(), str_format(arena, "%s/.unpin/%s", real.data, names[i]).data, &st) == 0 &&
            st.type != SYS_NONE)
            return true;
    return false;
}

static struct err *store_make(struct transaction_store *store, const struct transaction_options *options,
                              enum transaction_recovery *ret) {
    struct sys_stat st;
    struct sys_space space;
    TRY(roots_resolve(store, options));
    int status = sys_stat(store->sys, store->site, &st);
    if (status) return err_errno(store->arena, status, "cannot look at '%s'", store->site);
    status = sys_mkdir(store->sys, store->dir, 0700);
    /* The store is no change of the environment: undo gives back all times, the site's own too. */
    if (status == 0) (void)sys_utime(store->sys, store->site, st.mtime_ns);
    if (status == EEXIST) status = 0;
    if (status) return err_errno(store->arena, status, "cannot make '%s'", store->dir);
    TRY(locks_take(store, options));
    status = sys_stat(store->sys, store->dir, &st);
    if (status == 0) status = sys_space(store->sys, store->dir, &space);
    if (status) return err_errno(store->arena, status, "cannot look at '%s'", store->dir);
    store->mount = st.mount;
    store->overlay = space.overlay;
    return recover(store, options->way, ret);
}

struct err *transaction_open(struct arena *arena, const struct transaction_options *options,
                             enum transaction_recovery *ret_recovery, struct transaction_store **ret) {
    struct transaction_store *store = arena_new(arena, struct transaction_store, 1);
    enum transaction_recovery recovery = TRANSACTION_CLEAN;
    *store = (struct transaction_store){.arena = arena, .sys = options->sys ? options->sys : sys_real()};
    store->no_undo = options->no_undo;
    struct err *err = store_make(store, options, &recovery);
    if (err) {
        transaction_close(store);
        return err;
    }
    if (ret_recovery) *ret_recovery = recovery;
    *ret = store;
    return NULL;
}

void transaction_close(struct transaction_store *store) {
    if (!store) return;
    for (int32_t i = 0; i < store->lock_fds_len; i++) (void)sys_close(store->sys, store->lock_fds[i]);
    store->lock_fds_len = 0;
}

struct err *transaction_interrupted(struct transaction_store *store) {
    return signals_check(store->arena);
}

static struct err *id_next(struct transaction_store *store, struct str *ret) {
    struct str *names;
    int32_t len;
    int64_t last = 0, n = 0;
    int status = sys_list(store->sys, store->arena, store->dir, &names, &len);
    if (status) return err_errno(store->arena, status, "cannot list '%s'", store->dir);
    for (int32_t i = 0; i < len; i++)
        if (is_number(names[i]) && str_to_int(names[i], &n) && n > last) last = n;
    *ret = str_format(store->arena, "%lld", (long long)last + 1);
    return NULL;
}

static struct err *begin(struct transaction *transaction) {
    struct transaction_store *store = transaction->store;
    static const char *const parts[] = {"", "/new", "/scratch"};
    TRY(id_next(store, &transaction->id));
    transaction->dir = transaction_path(store, transaction->id.data);
    TRY(intent_write(store, transaction->id, NULL));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *path = str_format(store->arena, "%s%s", transaction->dir, parts[i]).data;
        int status = sys_mkdir(store->sys, path, 0700);
        if (status) return err_errno(store->arena, status, "cannot make '%s'", path);
    }
    return NULL;
}

struct err *transaction_begin(struct transaction_store *store, struct transaction **ret) {
    struct transaction *transaction = arena_new(store->arena, struct transaction, 1);
    transaction->store = store;
    struct err *err = begin(transaction);
    if (!err) {
        *ret = transaction;
        return NULL;
    }
    transaction_abort(transaction);
    return err;
}

/* Ends a transaction that changed nothing because of `err`, and gives `err`, unless something is left among the
 * targets. */
static struct err *give_up(struct transaction *transaction, struct err *err) {
    bool found;
    struct err *litter = transaction_discard(transaction->store, &found);
    (void)signals_release(&transaction->signals);
    /* What cannot be removed from the store now goes at the next opening. */
    return litter && litter->kind == ERR_RECOVER ? err_because(litter, err) : err;
}

void transaction_abort(struct transaction *transaction) {
    struct err *nothing = transaction ? give_up(transaction, NULL) : NULL;
    (void)nothing;
}

struct str transaction_scratch(const struct transaction *transaction) {
    return str_format(transaction->store->arena, "%s/scratch", transaction->dir);
}

struct str transaction_next(struct transaction *transaction) {
    return str_format(transaction->store->arena, "%s/new/%d", transaction->dir, transaction->next++);
}

struct err *transaction_stage(struct transaction *transaction, struct str bytes, uint32_t mode,
                              struct transaction_op *op) {
    struct str path = transaction_next(transaction);
    TRY(tree_file_write(transaction->store, path.data, bytes, mode & 0777, false));
    op->source = path;
    op->mode = mode;
    return NULL;
}

/* From a prepared journal to the new state; `*ret_committed` tells whether there is something to roll back. */
static struct err *go_forward(struct transaction_store *store, const struct journal *journal, bool *ret_committed,
                              str_vec *warnings) {
    TRY(prepare_revalidate(store, journal));
    TRY(transaction_interrupted(store));
    struct arena_mark mark = arena_mark(store->arena);
    TRY(journal_write(store, "journal", journal_format(store->arena, journal), ret_committed));
    arena_rewind(store->arena, mark); /* half a KiB for each file */
    TRY(transaction_apply(store, journal));
    return transaction_finish(store, journal, warnings);
}

static int file_order(const void *a, const void *b) {
    const struct transaction_file *x = a, *y = b;
    return str_cmp(x->path, y->path);
}

static void files_tell(struct arena *arena, const struct journal *journal, struct transaction_result *ret) {
    struct transaction_file *files = arena_new(arena, struct transaction_file, journal->steps_len);
    int32_t len = 0;
    for (int32_t i = 0; i < journal->steps_len; i++) {
        const struct step *step = &journal->steps[i];
        const struct state *after = &step->after;
        if (step->kind != TRANSACTION_PUT || after->type != SYS_FILE || after->inode == 0) continue;
        files[len++] =
            (struct transaction_file){str_of(step->path), after->inode, after->size, after->mtime_ns, after->ctime_ns};
    }
    if (len) qsort(files, (size_t)len, sizeof *files, file_order);
    ret->files = files;
    ret->files_len = len;
}

struct err *transaction_carry_out(struct transaction *transaction, const struct transaction_op *ops, int32_t len,
                                  struct journal *journal, struct transaction_result *ret) {
    struct transaction_store *store = transaction->store;
    str_vec warnings = {0};
    bool committed = false;
    if (!transaction->signals.holds) signals_hold(&transaction->signals);
    journal->id = transaction->id;
    journal->time = (int64_t)time(NULL);
    journal->no_undo = store->no_undo;
    struct err *err = transaction_prepare(transaction, ops, len, journal, &warnings);
    if (!err) err = go_forward(store, journal, &committed, &warnings);
    if (err && !committed) return give_up(transaction, err);
    struct err *failed = err ? go_back(store, journal) : NULL;
    int signal = signals_release(&transaction->signals);
    if (failed) {
        struct err *outer = err_make(store->arena, ERR_RECOVER, "the transaction could be neither finished nor undone");
        outer = err_hint(store->arena, outer, "the journal is kept; run `unpin recover` when the cause is gone");
        return err_because(outer, err_because(err, failed));
    }
    if (err) return err;
    struct transaction_result result = {
        .id = transaction->id, .warnings = warnings.data, .warnings_len = (int32_t)warnings.len, .signal = signal};
    files_tell(store->arena, journal, &result);
    *ret = result;
    return NULL;
}

struct err *transaction_commit(struct transaction *transaction, const struct transaction_op *ops, int32_t len,
                               struct str description, struct transaction_result *ret) {
    struct journal journal = {.description = description};
    return transaction_carry_out(transaction, ops, len, &journal, ret);
}
