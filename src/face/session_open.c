/* Which environment, which lock, which advisories. */
#include "face/session.h"

#include "base/arena.h"
#include "stage/scan.h"

#include <stdlib.h>
#include <unistd.h>

extern char **environ;

enum { LINK_MAX_LEN = 4096 };

/* The directory of the catalog: $UNPIN_CATALOG, else beside the program: share/unpin/catalog where it is installed,
 * catalog where it was built. Empty if there is none. */
static struct err *find_catalog(struct session *session, struct str *ret) {
    struct arena *arena = session->arena;
    struct str given = str_of(getenv("UNPIN_CATALOG"));
    if (given.len) {
        *ret = given;
        return NULL;
    }
    char link[LINK_MAX_LEN];
    ssize_t len = readlink("/proc/self/exe", link, sizeof link);
    if (len <= 0 || len == (ssize_t)sizeof link) return NULL;
    struct str program = {link, len};
    struct str folder = str_slice(program, 0, str_find_last(program, '/'));
    const struct str places[] = {S("../share/unpin/catalog"), S("../catalog")};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct str path = path_join(arena, folder, places[i]);
        struct fs_stat stat;
        TRY(fs_stat(session->fs, arena, path, true, &stat));
        if (!stat.is_dir) continue;
        *ret = path;
        return NULL;
    }
    return NULL;
}

static struct str cache_dir(const struct session *session) {
    return session->options->cache_dir.len ? session->options->cache_dir : session->config.cache_dir;
}

static struct err *read_config(struct session *session, struct str prefix) {
    struct config_variables variables = config_variables_make(session->arena, environ);
    return config_read(session->arena, session->fs, prefix, &variables, &session->config);
}

static struct err *scan(struct session *session) {
    struct scan_options options = {0};
    TRY(read_config(session, S("")));
    options.cache_dir = cache_dir(session);
    TRY(scan_find_python(session->arena, session->options->python, &options.python));
    session_progress(session, S("reading the environment"));
    TRY(scan_environment(session->arena, session->fs, proc_real(), &options, &session->env));
    session->live = true;
    return read_config(session, session->env.prefix);
}

/* The lock of an environment on this machine. */
static struct err *open_lock(struct session *session) {
    const struct options *options = session->options;
    TRY(lock_find(session->arena, session->fs, options->locks.items, options->locks.len, &session->config.constraint,
                  &session->lock_choice));
    TRY(lock_read(session->arena, session->fs, session->lock_choice.paths, session->lock_choice.len,
                  &session->env.markers, &session->locks));
    lock_imply(session->arena, session->fs, &session->env, &session->lock_choice, &session->locks);
    return NULL;
}

struct err *session_open_environment(struct session *session) {
    if (session->opened) return NULL;
    int64_t from = session_clock_us();
    TRY(find_catalog(session, &session->catalog));
    TRY(scan(session));
    TRY(open_lock(session));
    session->scan_us = session_clock_us() - from;
    session->opened = true;
    return NULL;
}
