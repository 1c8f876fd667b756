/* Which lock files apply in an environment, and whether an empty one stands for all that is installed. */
#include "stage/lock.h"

#include "base/arena.h"

#define VENDOR_LOCK S("/etc/pip/constraint.txt")
#define VENDOR_ORIGINAL_LOCK S("/etc/pip/original_constraint.txt")

/* A lock is next to nothing where it names fewer than one in this many of the installed distributions. */
enum { IMPLIED_SHARE = 4 };

/* pip reads its constraint files on every call, so a file it names and that is gone breaks pip altogether. */
ERR_MUST_CHECK static struct err *check_there(struct arena *arena, const struct fs *fs,
                                              const struct lock_choice *choice) {
    for (int32_t i = 0; i < choice->len; i++) {
        struct fs_stat st;
        if (requirement_file_is_remote(choice->paths[i])) continue;
        struct err *err = fs_stat(fs, arena, file_url_path(arena, choice->paths[i]), true, &st);
        if (err) {
            err->kind = ERR_LOCK;
            return err;
        }
        if (st.exists) continue;
        err = err_make(arena, ERR_LOCK, "%.*s names '%.*s', which is not there: every call of pip fails",
                       FMT(choice->source), FMT(choice->paths[i]));
        return err_hint(arena, err, "create it (an empty file will do): touch %.*s", FMT(choice->paths[i]));
    }
    return NULL;
}

struct err *lock_find(struct arena *arena, const struct fs *fs, const struct str *given, int32_t given_len,
                      const struct config_setting *configured, struct lock_choice *ret) {
    struct lock_choice choice = {given, given_len, S("--lock")};
    if (given_len == 0) {
        choice = (struct lock_choice){configured->items, configured->len, configured->source};
        TRY(check_there(arena, fs, &choice));
    }
    struct fs_stat st = {0};
    if (choice.len == 0) TRY(fs_stat(fs, arena, VENDOR_LOCK, true, &st));
    if (choice.len == 0) choice.source = (struct str){0};
    if (st.exists) {
        struct str *path = arena_new(arena, struct str, 1);
        *path = VENDOR_LOCK;
        choice = (struct lock_choice){path, 1, VENDOR_LOCK};
    }
    *ret = choice;
    return NULL;
}

/* True if a lock of the set is where a vendor's image has it. */
static bool is_vendors(const struct environment *env, const struct lock_choice *choice, const struct lock_set *set) {
    if (env->ngc.len || env->image.len || str_eq(choice->source, S("PIP_CONSTRAINT"))) return true;
    for (int32_t i = 0; i < set->files_len; i++)
        if (str_eq(set->files[i].path, VENDOR_LOCK)) return true;
    return false;
}

void lock_imply(struct arena *arena, const struct fs *fs, const struct environment *env,
                const struct lock_choice *choice, struct lock_set *set) {
    int32_t named = 0;
    for (int32_t i = 0; i < set->by_name.len; i++) named += map_find(&env->by_name, set->by_name.keys[i]) >= 0;
    if (set->files_len == 0 || !is_vendors(env, choice, set)) return;
    /* Outside of an image a lock that names other things is just that. */
    bool image = env->ngc.len || env->image.len;
    set->implied = named == 0 && (image || set->by_name.len == 0);
    set->implied = set->implied || (env->ngc.len && named < env->by_name.len / IMPLIED_SHARE);
    struct fs_stat st;
    if (!set->implied || fs_stat(fs, arena, VENDOR_ORIGINAL_LOCK, true, &st) || !st.exists) return;
    struct lock_set original = {0};
    struct str path = VENDOR_ORIGINAL_LOCK;
    if (lock_read(arena, fs, &path, 1, &env->markers, &original)) return; /* then all that is installed counts */
    for (int32_t i = 0; i < original.by_name.len; i++) map_add(arena, &set->implied_names, original.by_name.keys[i], 0);
}
