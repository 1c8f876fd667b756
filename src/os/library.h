/*
 * library - shared libraries that are opened when they are needed first.
 *
 * libcurl brings thirty libraries along and libarchive twelve, and libcrypto has ten thousand relocations; to map and
 * relocate them takes longer than most commands of unpin, which need none of them. What is opened stays open until the
 * process ends. Built with the option `libraries=linked` (for static libraries) nothing is opened: the tables hold what
 * was linked.
 */
#ifndef UNPIN_OS_LIBRARY_H
#define UNPIN_OS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A function of the library, and where its address goes. */
struct library_symbol {
    const char *name;
    size_t offset; /* of a pointer to function in the table */
};

/* Opens `file` (such as "libcurl.so.4") by the search path of the system, and puts the addresses of all `symbols` into
 * `table`. False where the library or one of them is not there. */
bool library_open(const char *file, const struct library_symbol *symbols, int32_t len, void *table);

/* Where libcrypto is there: its memory ends the process where it lacks. It checks what it allocates for itself, and
 * then works with locks that it could not make. To be called before it is used first; no harm where it comes too late.
 */
void library_guard_crypto(void);

#endif
