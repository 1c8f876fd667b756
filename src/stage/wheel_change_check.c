#include "stage/wheel_change_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"
#include "os/term.h"
#include "os/workers.h"
#include "stage/layer.h"

#include <stdlib.h>

enum { LISTED_MAX = 20 /* files that one message names */ };

/* Notes which other distributions list the items. */
static void find_owners(struct work *work) {
    const struct environment *env = work->options->env;
    struct arena *scratch = arena_open();
    for (int32_t i = 0; i < env->dists_len; i++) {
        if (work->removed[i]) continue;
        struct arena_mark mark = arena_mark(scratch);
        const struct record_row *rows;
        struct str site;
        int32_t len;
        owned_rows(scratch, fs_real(), env, i, &site, &rows, &len);
        for (int32_t k = 0; k < len; k++) {
            struct item *item = work_find(work, path_normalize(scratch, site, rows[k].path));
            if (item && item->other_dist < 0) item->other_dist = i;
        }
        arena_rewind(scratch, mark);
    }
    arena_close(scratch);
}

/* Files of the dist-info directory are rewritten by tools and are of no interest when changed. */
static bool wants_comparison(const struct item *item) {
    bool old = item->old && item->old->row && item->old->row->hash >= RECORD_SHA256 && !item->old->is_info;
    return old || item->put;
}

/* The items whose directories are there. */
struct inspecting {
    struct item *items;
    const int32_t *there;
};

static struct err *inspect(void *self, struct arena *arena, int32_t i) {
    const struct inspecting *inspecting = self;
    struct item *item = &inspecting->items[inspecting->there[i]];
    struct sys_stat stat;
    int status = sys_stat(sys_real(), str_copy_z(arena, item->path), &stat);
    if (status) return err_errno(arena, status, "cannot look at %.*s", FMT(item->path));
    item->exists = stat.type != SYS_NONE;
    item->is_dir = stat.type == SYS_DIR;
    bool listed = item->old || item->other_dist >= 0;
    if (stat.type == SYS_LINK || stat.type == SYS_OTHER) item->modified = !listed;
    if (stat.type != SYS_FILE || !wants_comparison(item)) return NULL;
    struct mapping mapping;
    TRY(mapping_open(arena, item->path, &mapping));
    struct str bytes = {mapping.data, (ptrdiff_t)mapping.size};
    int64_t put_size = !item->put ? -1 : item->put->entry ? item->put->entry->size : item->put->text.len;
    if (item->put && put_size == bytes.len && item->put->sha256.len)
        item->same =
            (stat.mode & 0100) == (item->put->mode & 0100) && str_eq(digest_make(arena, bytes, 32), item->put->sha256);
    const struct record_row *row = item->old && !item->old->is_info ? item->old->row : NULL;
    if (!listed) item->modified = !item->same && !layer_is_pip(bytes);
    else if (row && row->hash >= RECORD_SHA256 && !item->same) item->modified = !record_row_matches(arena, row, bytes);
    mapping_close(&mapping);
    return NULL;
}

/* Notes what lies in directories that are not there: of a new distribution, nearly all. Items come sorted by path. */
static struct err *find_absent(struct work *work) {
    struct str missing = {0}, there = {0};
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        struct item *item = &work->items.data[i];
        struct str root = scheme_root(work->options->scheme, item->path);
        struct str dir = str_slice(item->path, 0, str_find_last(item->path, '/'));
        item->absent = missing.len && str_starts(item->path, missing) && item->path.data[missing.len] == '/';
        if (item->absent || root.len == 0 || dir.len <= root.len || str_eq(dir, there)) continue;
        struct sys_stat stat = {0};
        struct str rest = str_from(dir, root.len + 1), first = str_cut(&rest, '/');
        struct str top = str_slice(dir, 0, root.len + 1 + first.len);
        int status = sys_stat(sys_real(), str_copy_z(work->arena, top), &stat);
        if (status) return err_errno(work->arena, status, "cannot look at %.*s", FMT(top));
        there = stat.type == SYS_NONE ? (struct str){0} : dir;
        missing = stat.type == SYS_NONE ? top : (struct str){0};
        item->absent = stat.type == SYS_NONE;
    }
    return NULL;
}

/* True if anything is where an item is to be. If nothing is, nobody's file can be in the way, and the lists of all
 * distributions need not be read: so it is where new ones come. What cannot be looked at counts as there. */
static bool is_any_there(struct work *work, const int32_t *there, int32_t len) {
    for (int32_t i = 0; i < len; i++) {
        struct sys_stat stat;
        const char *path = str_copy_z(work->arena, work->items.data[there[i]].path);
        if (sys_stat(sys_real(), path, &stat) || stat.type != SYS_NONE) return true;
    }
    return false;
}

struct err *work_inspect(struct work *work) {
    TRY(find_absent(work));
    int32_t *there = arena_new(work->arena, int32_t, work->items.len), len = 0;
    for (int32_t i = 0; i < (int32_t)work->items.len; i++)
        if (!work->items.data[i].absent) there[len++] = i;
    if (is_any_there(work, there, len)) find_owners(work);
    struct inspecting inspecting = {work->items.data, there};
    const struct workers_step step = {.self = &inspecting, .run = inspect};
    return workers_run(work->arena, &step, len);
}

static struct err *check_other_owner(struct work *work, const struct item *item) {
    if (!item->put || item->other_dist < 0 || item->same || !item->exists) return NULL;
    const struct dist *other = &work->options->env->dists[item->other_dist];
    struct str path = term_quote(work->arena, item->path), name = term_quote(work->arena, other->raw_name);
    return err_make(work->arena, ERR_CONFLICT, "%.*s would overwrite %.*s, a file of %.*s",
                    FMT(work->changes[item->put_change].name), FMT(path), FMT(name));
}

/* setuptools ships a hook that every environment has; a hook that is there already is no news. */
static bool startup_is_known(const struct work *work, const struct item *item) {
    if ((item->same && item->old) || work->changes[item->put_change].allow_startup) return true;
    struct str path = item->path;
    return str_eq(work->changes[item->put_change].name, S("setuptools")) &&
           str_eq(str_from(path, str_find_last(path, '/') + 1), S("distutils-precedence.pth"));
}

static struct err *check_startup(struct work *work, const struct item *item) {
    if (!item->put || !item->put->is_startup || work->options->allow_startup || startup_is_known(work, item))
        return NULL;
    struct str path = term_quote(work->arena, item->path);
    struct err *err = err_make(work->arena, ERR_CONSENT, "%.*s brings a file that Python runs at every start: %.*s",
                               FMT(work->changes[item->put_change].name), FMT(path));
    return err_hint(work->arena, err, "look at it, then allow it by --allow-pth");
}

static struct err *check_modified(struct work *work) {
    if (work->options->modified != WHEEL_REFUSE) return NULL;
    struct buf list = {.arena = work->arena};
    int32_t count = 0;
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        const struct item *item = &work->items.data[i];
        if (!item->modified) continue;
        count++;
        if (count > LISTED_MAX) continue;
        struct str path = term_quote(work->arena, item->path);
        buf_addf(&list, "%s%.*s (%s)", count > 1 ? ", " : "", FMT(path),
                 item->old ? "changed since its installation" : "of no distribution");
    }
    if (count == 0) return NULL;
    if (count > LISTED_MAX) buf_addf(&list, " and %d more", (int)(count - LISTED_MAX));
    struct err *err = err_make(work->arena, ERR_CONFLICT, "files would be lost: %.*s", FMT(buf_str(&list)));
    return err_hint(work->arena, err,
                    "--modified=keep leaves them, --modified=replace replaces them (undo brings them back)");
}

static bool folds_case(struct work *work) {
    struct str path = work->options->scheme->purelib;
    char *swapped = str_copy_z(work->arena, path);
    for (ptrdiff_t i = str_find_last(path, '/') + 1; i < path.len; i++)
        if (char_is_alpha(swapped[i])) swapped[i] = (char)(swapped[i] ^ 0x20);
    struct sys_stat a = {0}, b = {0};
    if (sys_stat(sys_real(), str_copy_z(work->arena, path), &a) || sys_stat(sys_real(), swapped, &b)) return false;
    return a.type == SYS_DIR && b.type == SYS_DIR && a.inode == b.inode && a.device == b.device;
}

static int text_order(const void *a, const void *b) {
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

/* Two names that differ in case only are one file where the file system says so. */
static struct err *check_case(struct work *work) {
    if (!folds_case(work)) return NULL;
    str_vec names = {0};
    for (ptrdiff_t i = 0; i < work->items.len; i++)
        if (work->items.data[i].put) *vec_push(work->arena, &names) = str_lower(work->arena, work->items.data[i].path);
    if (names.len) qsort(names.data, (size_t)names.len, sizeof *names.data, text_order);
    for (ptrdiff_t i = 1; i < names.len; i++) {
        if (!str_eq(names.data[i - 1], names.data[i])) continue;
        struct str path = term_quote(work->arena, names.data[i]);
        return err_make(work->arena, ERR_CONFLICT,
                        "two new files are one on this file system, which ignores case: %.*s", FMT(path));
    }
    return NULL;
}

struct err *work_check(struct work *work) {
    for (ptrdiff_t i = 0; i < work->items.len; i++) {
        const struct item *item = &work->items.data[i];
        TRY(check_other_owner(work, item));
        TRY(check_startup(work, item));
        if (item->put && item->is_dir) {
            struct str path = term_quote(work->arena, item->path);
            return err_make(work->arena, ERR_CONFLICT, "a directory is in the way of the file %.*s", FMT(path));
        }
    }
    TRY(check_case(work));
    TRY(work_check_dpkg(work));
    TRY(work_check_layer(work));
    return check_modified(work);
}
