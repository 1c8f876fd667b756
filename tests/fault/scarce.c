/*
 * scarce - a library to load before a program (LD_PRELOAD): its allocation number $SCARCE_AT fails, with $SCARCE_ON
 * those after it too. $SCARCE_COUNT names a file that gets the number of allocations.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static _Atomic long done;

/* getenv allocates nothing. */
static int fails(void) {
    const char *at = getenv("SCARCE_AT");
    long n = atomic_fetch_add(&done, 1) + 1, wanted = at ? atol(at) : 0;
    if (wanted == 0 || n < wanted || (n > wanted && !getenv("SCARCE_ON"))) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    return fails() ? NULL : __libc_realloc(old, size);
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("SCARCE_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    (void)fprintf(file, "%ld\n", atomic_load(&done));
    (void)fclose(file);
}
