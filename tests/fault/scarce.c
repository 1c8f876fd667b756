/*
 * scarce - a library to load before a program (LD_PRELOAD): what it asks of the system fails.
 *
 *   SCARCE_OF     what is counted: memory (malloc and its kin; the default), workers (the same, in threads other than
 * the first), mappings (mmap), threads (pthread_create) SCARCE_AT     the number of the one that fails, from 1; 0: none
 *   SCARCE_ON     if it is set, those after it fail too
 *   SCARCE_COUNT  a file that gets the number of them, where the program ends in order
 *   SCARCE_LINGER milliseconds that the program's end takes, between its exit handlers and its death: what its other
 * threads do meanwhile they do with libraries that were cleaned up
 *
 * A crash writes the calls that led to it to standard error.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAMES = 40 };

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static _Atomic long done;
static pthread_t first;
static bool begun;

/* getenv allocates nothing. */
static bool counts(const char *what) {
    const char *of = getenv("SCARCE_OF");
    if (!of) of = "memory";
    if (!begun) return false;
    if (strcmp(of, "workers") == 0) return strcmp(what, "memory") == 0 && !pthread_equal(pthread_self(), first);
    return strcmp(of, what) == 0;
}

static bool fails(const char *what) {
    if (!counts(what)) return false;
    const char *at = getenv("SCARCE_AT");
    long n = atomic_fetch_add(&done, 1) + 1, wanted = at ? atol(at) : 0;
    return wanted != 0 && n >= wanted && (n == wanted || getenv("SCARCE_ON"));
}

static void *none(void) {
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size) {
    return fails("memory") ? none() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails("memory") ? none() : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    return fails("memory") ? none() : __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    return fails("memory") ? none() : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size) {
    void *memory = memalign(alignment, size);
    if (memory) *ret = memory;
    return memory ? 0 : ENOMEM;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    if (fails("mappings")) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static create *real_create;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *self) {
    return fails("threads") ? EAGAIN : real_create(thread, attributes, run, self);
}

static void crashed(int signal) {
    void *frames[FRAMES];
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), 2);
    (void)raise(signal); /* the handler was for once */
}

__attribute__((constructor)) static void begin(void) {
    static const int deaths[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};
    struct sigaction action = {.sa_handler = crashed, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    void *frame;
    (void)backtrace(&frame, 1); /* loads what it needs while there is memory */
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) (void)sigaction(deaths[i], &action, NULL);
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real_create, &found, sizeof found);
    first = pthread_self();
    begun = true;
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("SCARCE_COUNT");
    const char *linger = getenv("SCARCE_LINGER");
    begun = false;
    if (linger) (void)usleep((useconds_t)(atol(linger) * 1000));
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    (void)fprintf(file, "%ld\n", atomic_load(&done));
    (void)fclose(file);
}
