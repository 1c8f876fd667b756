#include "os/scratch.h"

#include "base/arena.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTORS = 32 /* directories that are open at the same time while a tree is removed */ };

struct err *scratch_open(struct arena *arena, struct str *ret) {
    struct str parent = str_of(getenv("TMPDIR"));
    if (!str_starts(parent, S("/"))) parent = S("/tmp");
    struct str pattern = str_format(arena, "%.*s/unpin-XXXXXX", FMT(parent));
    char *path = str_copy_z(arena, pattern);
    if (!mkdtemp(path)) return err_errno(arena, errno, "cannot make a directory in '%.*s'", FMT(parent));
    *ret = str_of(path);
    return NULL;
}

struct err *scratch_make(struct arena *arena, struct str dir, struct str name, struct str *ret) {
    struct str path = str_format(arena, "%.*s/%.*s", FMT(dir), FMT(name));
    if (mkdir(str_copy_z(arena, path), 0700) != 0) return err_errno(arena, errno, "cannot make '%.*s'", FMT(path));
    *ret = path;
    return NULL;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st, (void)place;
    (void)(type == FTW_DP ? rmdir(path) : unlink(path));
    return 0;
}

void scratch_close(struct arena *arena, struct str path) {
    if (path.len == 0) return;
    (void)nftw(str_copy_z(arena, path), drop, DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
