/*
 * mapping - the bytes of a file in memory, without reading them all: a file to read, or a new file to fill.
 */
#ifndef UNPIN_OS_MAPPING_H
#define UNPIN_OS_MAPPING_H

#include "os/sys.h"

struct mapping {
    char *data; /* NULL for an empty file */
    int64_t size;
    int fd;
};

/* Maps the regular file at `path` (links on the way are followed) for reading. Close with mapping_close. */
ERR_MUST_CHECK struct err *mapping_open(struct arena *arena, struct str path, struct mapping *ret);
/* Creates `path` (which must not exist) with `size` > 0 bytes of disk space set aside, to be filled through `data`. */
ERR_MUST_CHECK struct err *mapping_create(struct arena *arena, struct str path, int64_t size, struct mapping *ret);
void mapping_close(struct mapping *mapping);
/* Lets the memory for `bytes`, a part of a mapping that is read, go: what is looked at again comes from the file again.
 */
void mapping_forget(const struct mapping *mapping, struct str bytes);

/* The path of an existing directory or file with all links resolved. */
ERR_MUST_CHECK struct err *path_resolve(struct arena *arena, struct str path, struct str *ret);

#endif
