#include "os/transaction_parts.h"

#include "base/buf.h"
#include "base/map.h"
#include "os/workers.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BALLAST_BASE = 1 << 20,
    BALLAST_PER_STEP = 4096,
    SPARE_MIN = 64,
    SPARE_MAX = 200000,
    SPARE_PLENTY = 65536, /* inodes that nobody else takes while files change */
    MOUNTS_MAX = 100000,
    SYNC_EARLY_MIN = 256
};

/* The mount of a directory, and which side serves it. */
struct mounts {
    struct transaction *transaction;
    struct journal *journal;
    struct map by_dir; /* directory to side */
};

static struct err *side_add(struct mounts *mounts, const char *dir, int64_t mount, int32_t *ret) {
    struct transaction_store *store = mounts->transaction->store;
    struct journal *journal = mounts->journal;
    if (journal->sides_len == TRANSACTION_SIDES_MAX)
        return err_make(store->arena, ERR_LIMIT, "the files lie on more than %d mounts", TRANSACTION_SIDES_MAX);
    int status = 0;
    /* The root itself where it is on the same mount: its owner expects us there, and it is not removed. */
    for (int32_t i = 0; i < store->roots_len; i++) {
        struct sys_stat st;
        const char *root = store->roots_real[i].data;
        if (!str_starts(str_of(dir), store->roots_real[i])) continue;
        status = sys_stat(store->sys, root, &st);
        if (status) return err_errno(store->arena, status, "cannot look at '%s'", root);
        if (st.mount == mount) dir = root;
    }
    struct sys_space space;
    status = sys_space(store->sys, dir, &space);
    if (status) return err_errno(store->arena, status, "cannot look at the file system of '%s'", dir);
    *ret = journal->sides_len++;
    journal->sides[*ret] = (struct side){
        .dir = str_format(store->arena, "%s/.unpin-%.*s", dir, FMT(mounts->transaction->id)).data,
        .mount = mount,
        .overlay = space.overlay,
    };
    return NULL;
}

/* The side for entries of `dir`, which may be a directory that is still to be made. */
static struct err *side_find(struct mounts *mounts, const char *dir, int32_t *ret, int64_t *ret_mount) {
    struct transaction_store *store = mounts->transaction->store;
    int32_t known = map_find(&mounts->by_dir, str_of(dir));
    if (known >= 0) {
        *ret = known;
        *ret_mount = mounts->journal->sides[known].mount;
        return NULL;
    }
    const char *there = dir;
    struct sys_stat st;
    for (;; there = path_parent(store->arena, there)) {
        int status = sys_stat(store->sys, there, &st);
        if (status) return err_errno(store->arena, status, "cannot look at '%s'", there);
        if (st.type == SYS_DIR) break;
    }
    int32_t side = -1;
    for (int32_t i = 0; i < mounts->journal->sides_len; i++)
        if (mounts->journal->sides[i].mount == st.mount) side = i;
    if (side < 0) TRY(side_add(mounts, there, st.mount, &side));
    map_add(store->arena, &mounts->by_dir, str_of(dir), side);
    *ret = side;
    *ret_mount = st.mount;
    return NULL;
}

/* A staged directory whose place is on another mount cannot be renamed there: its directories are made, and its files
 * come one by one. It comes before what it carries, in the order of steps. */
static void tree_dissolve(struct step *step, bool *dissolved) {
    if (step->tree < 0) return;
    if (!step_carried(step)) dissolved[step->tree] = step->side != 0;
    if (!dissolved[step->tree]) return;
    step->tree = -1;
    step->inner = 0;
}

static struct err *sides_choose(struct mounts *mounts) {
    struct transaction_store *store = mounts->transaction->store;
    struct journal *journal = mounts->journal;
    journal->sides = arena_new(store->arena, struct side, TRANSACTION_SIDES_MAX);
    journal->sides[0] = (struct side){mounts->transaction->dir, store->mount, store->overlay};
    journal->sides_len = 1;
    bool *dissolved = arena_new(store->arena, bool, mounts->transaction->next);
    for (int32_t i = 0; i < journal->steps_len; i++) {
        struct step *step = &journal->steps[i];
        int64_t mount = 0;
        if (step_carried(step)) tree_dissolve(step, dissolved);
        if (step_carried(step)) continue;
        TRY(side_find(mounts, path_parent(store->arena, step->path), &step->side, &mount));
        tree_dissolve(step, dissolved);
        if (step->edit && step->before.mount == mount) {
            step->kind = TRANSACTION_PUT;
        } else if (step->edit) {
            TRY(tree_file_read(store, step->path, TRANSACTION_EDIT_MAX, &step->old_bytes));
        } else if (step->before.type != SYS_NONE && step->before.mount != mount) {
            return err_make(store->arena, ERR_CONFLICT, "'%s' is a mount point", step->path);
        }
    }
    return NULL;
}

/* True if a line of mountinfo is that of an overlay that drops every sync ("Volatile mount" in the kernel's manual;
 * newer kernels call it fsync=volatile). The last field is the options. */
static bool line_is_volatile(char *line) {
    char *options = strrchr(line, ' '), *rest = NULL;
    if (!options || !strstr(line, " - overlay ")) return false;
    for (const char *word = strtok_r(options, " ,\n", &rest); word; word = strtok_r(NULL, " ,\n", &rest))
        if (strcmp(word, "volatile") == 0 || strcmp(word, "fsync=volatile") == 0) return true;
    return false;
}

/* Told by the kernel's own list, whose lines begin with the mount's id; what cannot be read is not known. */
static bool is_volatile(int64_t mount) {
    FILE *list = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    for (int i = 0; list && !found && i < MOUNTS_MAX && getline(&line, &size, list) > 0; i++)
        found = strtoll(line, NULL, 10) == mount && line_is_volatile(line);
    free(line);
    if (list) (void)fclose(list);
    return found;
}

static void volatile_tell(struct transaction_store *store, const struct journal *journal, str_vec *warnings) {
    for (int32_t i = 0; i < journal->sides_len; i++)
        if (journal->sides[i].overlay && is_volatile(journal->sides[i].mount))
            *vec_push(store->arena, warnings) = str_format(
                store->arena, "'%s' lies on an overlay that is mounted volatile: a power cut may leave a part of this",
                i ? path_parent(store->arena, journal->sides[i].dir) : store->site);
}

struct err *intent_write(struct transaction_store *store, struct str id, const struct journal *journal) {
    struct buf buf = {.arena = store->arena};
    bool named = false;
    /* NUL ends each text, for no path holds one. A torn intent cannot be: it is renamed into place when it is durable.
     */
    buf_addf(&buf, "%.*s", FMT(id));
    buf_add_char(&buf, '\0');
    for (int32_t i = 1; journal && i < journal->sides_len; i++) {
        buf_addf(&buf, "side %s", journal->sides[i].dir);
        buf_add_char(&buf, '\0');
    }
    for (int32_t i = 0; journal && i < journal->touched_len; i++) {
        if (journal->touched[i].before == NO_TIME) continue;
        buf_addf(&buf, "probe %lld %s", (long long)journal->touched[i].before, journal->touched[i].path);
        buf_add_char(&buf, '\0');
    }
    return journal_write(store, "intent", buf_str(&buf), &named);
}

static struct err *make_dir(struct transaction_store *store, const char *path) {
    int status = sys_mkdir(store->sys, path, 0700);
    return status ? err_errno(store->arena, status, "cannot make '%s'", path) : NULL;
}

static struct err *sides_make(struct transaction_store *store, const struct journal *journal) {
    for (int32_t i = 0; i < journal->sides_len; i++) {
        const char *dir = journal->sides[i].dir;
        if (i > 0) TRY(make_dir(store, dir));
        if (i > 0) TRY(make_dir(store, str_format(store->arena, "%s/new", dir).data));
        TRY(make_dir(store, str_format(store->arena, "%s/old", dir).data));
        TRY(make_dir(store, str_format(store->arena, "%s/spare", dir).data));
    }
    return NULL;
}

static bool xattr_kept(const struct step *step, struct str name) {
    return step->edit || str_starts(name, S("security.")) || str_eq(name, S("system.posix_acl_access"));
}

/* Gives the staged file `fd` what the replaced one has and the new one takes over. */
static int adopt_xattrs(struct transaction_store *store, const struct step *step, int fd) {
    struct sys_xattr *list = NULL;
    int32_t len = 0;
    int old;
    int status = sys_open(store->sys, step->path, false, &old);
    if (status) return status;
    status = sys_xattr_list(store->sys, store->arena, old, &list, &len);
    for (int32_t i = 0; status == 0 && i < len; i++) {
        /* IMA and EVM signatures and capabilities belong to the old bytes. */
        bool of_bytes = str_eq(list[i].name, S("security.ima")) || str_eq(list[i].name, S("security.evm")) ||
                        str_eq(list[i].name, S("security.capability"));
        if (!xattr_kept(step, list[i].name) || of_bytes) continue;
        status = sys_xattr_set(store->sys, fd, list[i].name, list[i].value);
        if (status == EPERM || status == ENOTSUP || status == EINVAL) status = 0;
    }
    int closed = sys_close(store->sys, old);
    return status ? status : closed;
}

/* Final mode, owner and xattrs of a staged file. */
static struct err *adopt(struct transaction_store *store, const struct step *step, const char *staged, uint32_t mode,
                         str_vec *warnings) {
    int fd;
    uint32_t executable = mode & 0111;
    int status = sys_open(store->sys, staged, true, &fd);
    if (status) return err_errno(store->arena, status, "cannot open '%s'", staged);
    mode &= 0777;
    if (step->before.type == SYS_FILE) {
        status = sys_chown(store->sys, staged, step->before.uid, step->before.gid);
        if (status == EPERM || status == EINVAL) {
            *vec_push(store->arena, warnings) =
                str_format(store->arena, "the owner of '%s' could not be kept", step->path);
            status = 0;
        }
        mode = step->before.mode & 0666;
        if (step->edit) mode = step->before.mode;
        else if (executable) mode |= (mode & 0444) >> 2;
        if (status == 0) status = adopt_xattrs(store, step, fd);
    }
    if (status == 0) status = sys_chmod(store->sys, fd, mode);
    int closed = sys_close(store->sys, fd);
    if (status == 0) status = closed;
    return status ? err_errno(store->arena, status, "cannot give '%s' its attributes", staged) : NULL;
}

/* From hex, or as it is. */
static bool hash_parse(struct str hex, unsigned char *ret) {
    if (hex.len == HASH_SIZE) memcpy(ret, hex.data, HASH_SIZE);
    if (hex.len == HASH_SIZE) return true;
    if (hex.len != 2 * HASH_SIZE || !str_is_hex(hex)) return false;
    for (int i = 0; i < HASH_SIZE; i++)
        ret[i] = (unsigned char)(char_hex(hex.data[2 * i]) << 4 | char_hex(hex.data[2 * i + 1]));
    return true;
}

/* As file_state, for what lies in our own directory. */
static struct err *staged_state(struct transaction_store *store, const char *path, struct state *ret) {
    struct sys_stat st;
    int status = sys_stat_known(store->sys, path, &st);
    if (status) return err_errno(store->arena, status, "cannot look at '%s'", path);
    *ret = state_make(&st);
    return NULL;
}

/* Brings the new file of a step to its side, final in everything, and notes its state. */
static struct err *new_file(struct transaction *transaction, const struct transaction_op *op, struct journal *journal,
                            struct step *step, str_vec *warnings) {
    struct transaction_store *store = transaction->store;
    assert(op); /* only directories and what moves with them come of no operation */
    const char *staged = step->edit ? side_path(store->arena, &journal->sides[0], "new", step->number)
                                    : str_copy_z(store->arena, op->source);
    const char *final = step_staged(store->arena, journal, step);
    unsigned char hash[HASH_SIZE];
    bool known = hash_parse(op->sha256, hash), settled = false;
    if (step->edit) {
        TRY(tree_file_write(store, staged, step->new_bytes, 0600, false));
        TRY(adopt(store, step, staged, 0, warnings));
    } else if (!(step->flags & TRANSACTION_EXACT)) {
        /* A new file that was staged with its mode is as it is to be. */
        if (step->before.type == SYS_NONE && known && op->staged) step->after = state_make(op->staged);
        else if (step->before.type == SYS_NONE && known) TRY(staged_state(store, staged, &step->after));
        settled = step->after.type == SYS_FILE && step->after.mode == (op->mode & 0777);
        if (!settled) TRY(adopt(store, step, staged, op->mode, warnings));
    }
    if (strcmp(staged, final) != 0) {
        settled = false;
        TRY(file_copy(store, staged, final));
        int status = sys_unlink(store->sys, staged);
        if (status) return err_errno(store->arena, status, "cannot remove '%s'", staged);
    }
    if (!settled) TRY(file_state(store, final, !known, &step->after));
    if (known) memcpy(step->after.hash, hash, HASH_SIZE);
    if (step->after.type == SYS_FILE || (step->flags & TRANSACTION_EXACT && step->after.type == SYS_LINK)) return NULL;
    return err_make(store->arena, ERR_INTERNAL, "the staged file for '%s' is missing or no regular file", step->path);
}

static struct err *new_link(struct transaction_store *store, struct journal *journal, struct step *step) {
    const char *path = side_path(store->arena, &journal->sides[step->side], "new", step->number);
    int status = sys_symlink(store->sys, str_copy_z(store->arena, step->new_bytes), path);
    if (status) return err_errno(store->arena, status, "cannot make the link '%s'", path);
    step->new_bytes = (struct str){0};
    return file_state(store, path, true, &step->after);
}

/* A directory that is to come as a whole must be one; it is known by its inode. */
static struct err *new_tree(struct transaction_store *store, const struct journal *journal, struct step *step) {
    struct state staged;
    const char *path = step_staged(store->arena, journal, step);
    TRY(file_state(store, path, false, &staged));
    step->after.inode = staged.inode;
    if (staged.type == SYS_DIR) return NULL;
    return err_make(store->arena, ERR_INTERNAL, "the staged directory for '%s' is missing", step->path);
}

static struct err *new_step(struct transaction *transaction, const struct transaction_op *op, struct journal *journal,
                            struct step *step, str_vec *warnings) {
    struct transaction_store *store = transaction->store;
    if (step->kind == TRANSACTION_LINK) return new_link(store, journal, step);
    if (step->kind == TRANSACTION_MKDIR && step->tree >= 0 && !step_carried(step))
        return new_tree(store, journal, step);
    if (step->kind == TRANSACTION_PUT) {
        TRY(new_file(transaction, op, journal, step, warnings));
        if (!step->edit) step->new_bytes = (struct str){0}; /* an edit may be taken back line by line */
    }
    if (step->kind == TRANSACTION_EDIT) {
        /* A copy beside the journal: its hash, and a witness for whoever looks after a crash. */
        const char *copy = side_path(store->arena, &journal->sides[0], "new", step->number);
        TRY(tree_file_write(store, copy, step->new_bytes, 0600, false));
        step->after = step->before;
        step->after.size = step->new_bytes.len;
        TRY(file_hash(store, copy, step->after.hash));
    }
    return NULL;
}

static bool backed_up(const struct step *step) {
    return !(step->flags & TRANSACTION_DISPOSABLE) && step->kind != TRANSACTION_EDIT &&
           (step->before.type == SYS_FILE || step->before.type == SYS_LINK);
}

static struct err *backup(struct transaction_store *store, struct journal *journal) {
    for (int32_t i = 0; i < journal->steps_len; i++) {
        const struct step *step = &journal->steps[i];
        const struct side *side = &journal->sides[step->side];
        if (!backed_up(step)) continue;
        TRY(transaction_interrupted(store));
        const char *old = side_path(store->arena, side, "old", step->number);
        TRY(file_clone(store, step->path, old, side->overlay));
        /* What another mount keeps goes with its side directory in the end; undo needs it in the store. */
        if (step->side && !journal->no_undo)
            TRY(file_copy(store, old, side_path(store->arena, &journal->sides[0], "old", step->number)));
    }
    return NULL;
}

static bool same_file(const struct state *a, const struct state *b) {
    return a->type == b->type && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->inode == b->inode;
}

static struct err *changed(struct transaction_store *store, const char *path) {
    struct err *err = err_make(store->arena, ERR_CHANGED, "'%s' was changed by another process meanwhile", path);
    return err_hint(store->arena, err, "try again; nothing was touched");
}

/* A link changes the ctime of its file: read it when all links are made. */
static struct err *ctimes_read(struct transaction_store *store, struct journal *journal) {
    for (int32_t i = 0; i < journal->steps_len; i++) {
        struct step *step = &journal->steps[i];
        struct state now;
        if (step->before.type != SYS_FILE && step->before.type != SYS_LINK) continue;
        if (step->flags & TRANSACTION_DISPOSABLE) continue;
        TRY(file_state(store, step->path, step->before.type == SYS_LINK, &now));
        /* fuse-overlayfs gives a link that it copies up another inode. */
        if (now.type == SYS_LINK && str_eq(now.link, step->before.link)) step->before.inode = now.inode;
        if (!same_file(&now, &step->before)) return changed(store, step->path);
        step->before.ctime_ns = now.ctime_ns;
    }
    return NULL;
}

struct err *prepare_revalidate(struct transaction_store *store, const struct journal *journal) {
    for (int32_t i = 0; i < journal->steps_len; i++) {
        const struct step *step = &journal->steps[i];
        struct state now;
        if (step->flags & TRANSACTION_DISPOSABLE || step->kind == TRANSACTION_RMDIR) continue;
        if (step->vanishes && step->before.type == SYS_NONE) continue; /* its place is still to be made */
        if (step_carried(step)) continue;
        TRY(file_state(store, step->path, false, &now));
        bool same = now.type == step->before.type;
        if (same && now.type != SYS_NONE)
            same = same_file(&now, &step->before) && now.ctime_ns == step->before.ctime_ns;
        if (!same) return changed(store, step->path);
    }
    return NULL;
}

/* How many inodes are set aside: none where the file system counts them and has plenty, for on an overlay each costs as
 * much as a file that is installed. */
static int32_t spare_of(struct transaction_store *store, const struct side *side, int32_t spare) {
    struct sys_space space;
    bool counted = sys_space(store->sys, side->dir, &space) == 0 && space.inodes_free < INT64_MAX;
    if (counted && space.inodes_free >= SPARE_PLENTY + (int64_t)spare) return 0;
    return spare < SPARE_MAX ? spare : SPARE_MAX;
}

/* Blocks and inodes that the renames may need on a full disk: overlayfs needs both for every whiteout. */
static struct err *ballast_make(struct transaction_store *store, const struct journal *journal) {
    for (int32_t i = 0; i < journal->sides_len; i++) {
        const struct side *side = &journal->sides[i];
        int32_t steps = 0, spare = 1;
        for (int32_t j = 0; j < journal->steps_len; j++) {
            if (journal->steps[j].side != i || step_carried(&journal->steps[j])) continue;
            steps++;
            spare += journal->steps[j].kind == TRANSACTION_MKDIR || journal->steps[j].kind == TRANSACTION_RMDIR;
        }
        /* A whiteout is an inode, and so is a directory that is copied up. */
        if (side->overlay) spare += SPARE_MIN + steps;
        spare = spare_of(store, side, spare);
        const char *path = str_format(store->arena, "%s/ballast", side->dir).data;
        int fd, status = sys_create(store->sys, path, 0600, &fd);
        if (status == 0) {
            status = sys_allocate(store->sys, fd, BALLAST_BASE + (int64_t)BALLAST_PER_STEP * steps);
            int closed = sys_close(store->sys, fd);
            if (status == 0) status = closed;
        }
        for (int32_t j = 0; status == 0 && j < spare; j++) {
            int empty = -1;
            status = sys_create(store->sys, side_path(store->arena, side, "spare", j), 0600, &empty);
            if (status == 0) status = sys_close(store->sys, empty);
        }
        if (status) return err_errno(store->arena, status, "cannot reserve space in '%s'", side->dir);
    }
    return NULL;
}

void ballast_remove(struct transaction_store *store, const struct journal *journal) {
    for (int32_t i = 0; i < journal->sides_len; i++) {
        (void)sys_unlink(store->sys, str_format(store->arena, "%s/ballast", journal->sides[i].dir).data);
        (void)tree_remove(store, str_format(store->arena, "%s/spare", journal->sides[i].dir).data);
        (void)sys_syncfs(store->sys, journal->sides[i].dir);
    }
}

/* Proves that the directories can be written now, and makes overlayfs copy them up while there is space. */
static struct err *probe(struct transaction_store *store, struct str id, const struct journal *journal) {
    for (int32_t i = 0; i < journal->touched_len; i++) {
        const struct touched *touched = &journal->touched[i];
        if (touched->before == NO_TIME) continue;
        const char *path = str_format(store->arena, "%s/.unpin-%.*s.probe", touched->path, FMT(id)).data;
        int fd = -1;
        int status = sys_create(store->sys, path, 0600, &fd);
        if (status == 0) status = sys_close(store->sys, fd);
        if (status == 0) status = sys_unlink(store->sys, path);
        else if (fd >= 0) (void)sys_unlink(store->sys, path);
        if (status) return err_errno(store->arena, status, "cannot change the directory '%s'", touched->path);
        (void)sys_utime(store->sys, touched->path, touched->before); /* only its owner may: no matter */
    }
    return NULL;
}

static struct err *new_steps(struct transaction *transaction, const struct transaction_op *ops, struct journal *journal,
                             str_vec *warnings) {
    struct transaction_store *store = transaction->store;
    for (int32_t i = 0; i < journal->steps_len; i++) {
        struct step *step = &journal->steps[i];
        struct arena_mark mark = arena_mark(store->arena);
        ptrdiff_t warned = warnings->len;
        if (!step_carried(step) || i % INTERRUPTED_EVERY == 0) TRY(transaction_interrupted(store));
        TRY(new_step(transaction, step->op < 0 ? NULL : &ops[step->op], journal, step, warnings));
        /* Only links (a link may come back by an undo) and warnings leave something behind. */
        bool spent = step->kind == TRANSACTION_PUT && step->after.type == SYS_FILE && warnings->len == warned;
        if (spent) arena_rewind(store->arena, mark);
    }
    return NULL;
}

static struct err *prepare(struct transaction *transaction, const struct transaction_op *ops, int32_t len,
                           struct journal *journal, str_vec *warnings) {
    struct transaction_store *store = transaction->store;
    struct mounts mounts = {.transaction = transaction, .journal = journal};
    TRY(steps_make(transaction, ops, len, journal, warnings));
    if (transaction->undoing) undo_journal(transaction->undoing, journal);
    TRY(sides_choose(&mounts));
    volatile_tell(store, journal, warnings);
    TRY(intent_write(store, transaction->id, journal));
    TRY(sides_make(store, journal));
    TRY(new_steps(transaction, ops, journal, warnings));
    TRY(backup(store, journal));
    TRY(ctimes_read(store, journal));
    TRY(ballast_make(store, journal));
    return probe(store, transaction->id, journal);
}

static int sync_beside(const void *self) {
    const struct transaction *transaction = self;
    return sys_syncfs(transaction->store->sys, transaction->dir);
}

struct err *transaction_prepare(struct transaction *transaction, const struct transaction_op *ops, int32_t len,
                                struct journal *journal, str_vec *warnings) {
    struct transaction_store *store = transaction->store;
    struct beside sync = {.run = sync_beside, .self = transaction};
    /* What was staged goes to the disk while the journal is made; the sync that counts comes after it, and has little
     * left to do. What this one says counts too: an error of the disk is told once. */
    if (len >= SYNC_EARLY_MIN && !store->sys->before) beside_begin(store->arena, &sync);
    struct err *err = prepare(transaction, ops, len, journal, warnings);
    int status = beside_end(&sync);
    if (err) return err;
    if (status) return err_errno(store->arena, status, "cannot make '%s' durable", transaction->dir);
    return sides_sync(store, journal);
}
