#include "base/arena.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n) ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

enum {
    ALIGN = 16,
    BLOCK_MIN = 64 << 10,
    BLOCK_MAX = 4 << 20,
    KEEP = 1 << 30,
    HEAP = 32 << 20,
    LARGE_PAGE = 2 << 20,
    LARGE_PAGES = 4
};

struct block {
    struct block *prev;
    ptrdiff_t size; /* bytes of data[] */
    ptrdiff_t used;
    _Alignas(ALIGN) unsigned char data[];
};

struct arena {
    struct block *top;
    ptrdiff_t next_size;
};

/* Not by exit: it cleans up libraries (libcrypto) that other threads still work with, and one that does so then
 * crashes. */
_Noreturn void arena_out_of_memory(void) {
    static const char text[] = "unpin: out of memory\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(EXIT_FAILURE);
}

void *arena_library_malloc(size_t size) {
    void *memory = malloc(size);
    if (!memory && size) arena_out_of_memory();
    return memory;
}

void *arena_library_realloc(void *old, size_t size) {
    void *memory = realloc(old, size);
    if (!memory && size) arena_out_of_memory();
    return memory;
}

struct arena *arena_open(void) {
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena) arena_out_of_memory();
    arena->next_size = BLOCK_MIN;
    return arena;
}

void arena_keep_memory(void) {
#if defined(__GLIBC__) && !defined(ARENA_ASAN)
    (void)mallopt(M_MMAP_THRESHOLD, KEEP);
    (void)mallopt(M_TRIM_THRESHOLD, KEEP);
    (void)mallopt(M_TOP_PAD, HEAP);
    /* What a thread's arena frees serves the others too. */
    (void)mallopt(M_ARENA_MAX, 1);
    /* Room for HEAP is made with the first allocation. The first LARGE_PAGES of it in large pages, where the system has
     * them: touching the memory page by page takes a sixth of the time of a short command. Not all: an install touches
     * the rest here and there, and the system would clear every large page as a whole. */
    char *from = malloc(BLOCK_MAX), *to = sbrk(0);
    uintptr_t start = ((uintptr_t)from + LARGE_PAGE - 1) & ~((uintptr_t)LARGE_PAGE - 1), end = (uintptr_t)to;
    if (end > start + LARGE_PAGES * (uintptr_t)LARGE_PAGE) end = start + LARGE_PAGES * (uintptr_t)LARGE_PAGE;
    if (from && start < end) (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
    free(from);
#endif
}

static void block_free(struct block *block) {
    UNPOISON(block->data, (size_t)block->size);
    free(block);
}

void arena_close(struct arena *arena) {
    if (!arena) return;
    while (arena->top) {
        struct block *prev = arena->top->prev;
        block_free(arena->top);
        arena->top = prev;
    }
    free(arena);
}

static void block_push(struct arena *arena, ptrdiff_t need) {
    ptrdiff_t size = arena->next_size;
    if (arena->next_size < BLOCK_MAX) arena->next_size *= 2;
    if (size < need) size = need;
    struct block *block = malloc(sizeof *block + (size_t)size);
    if (!block) arena_out_of_memory();
    block->prev = arena->top;
    block->size = size;
    block->used = 0;
    POISON(block->data, (size_t)size);
    arena->top = block;
}

static void *take(struct arena *arena, ptrdiff_t size) {
    if (size < 0 || size > PTRDIFF_MAX - ALIGN - (ptrdiff_t)sizeof(struct block)) arena_out_of_memory();
    ptrdiff_t need = (size + ALIGN - 1) & ~(ptrdiff_t)(ALIGN - 1);
    if (need == 0) need = ALIGN;
    if (!arena->top || arena->top->size - arena->top->used < need) block_push(arena, need);
    unsigned char *data = arena->top->data + arena->top->used;
    arena->top->used += need;
    UNPOISON(data, (size_t)size);
    return data;
}

void *arena_alloc(struct arena *arena, ptrdiff_t size) {
    return memset(take(arena, size), 0, (size_t)size);
}

char *arena_bytes(struct arena *arena, ptrdiff_t size) {
    return take(arena, size);
}

void *arena_array(struct arena *arena, ptrdiff_t size, ptrdiff_t count) {
    if (count < 0 || (size > 0 && count > PTRDIFF_MAX / size)) arena_out_of_memory();
    return arena_alloc(arena, size * count);
}

/* Extends the last allocation where it stands, if it is `old` and there is room. */
static bool grow_in_place(struct arena *arena, void *old, ptrdiff_t old_size, ptrdiff_t new_size) {
    struct block *top = arena->top;
    if (!top || old_size <= 0 || new_size > PTRDIFF_MAX - ALIGN) return false;
    ptrdiff_t had = (old_size + ALIGN - 1) & ~(ptrdiff_t)(ALIGN - 1);
    ptrdiff_t need = (new_size + ALIGN - 1) & ~(ptrdiff_t)(ALIGN - 1);
    if (had > top->used || (unsigned char *)old != top->data + top->used - had || top->size - top->used < need - had)
        return false;
    top->used += need - had;
    UNPOISON(old, (size_t)new_size);
    memset((unsigned char *)old + old_size, 0, (size_t)(new_size - old_size));
    return true;
}

void *arena_grow(struct arena *arena, void *old, ptrdiff_t old_size, ptrdiff_t new_size) {
    if (new_size <= old_size) return old;
    if (grow_in_place(arena, old, old_size, new_size)) return old;
    char *data = take(arena, new_size);
    if (old_size > 0) memcpy(data, old, (size_t)old_size);
    memset(data + old_size, 0, (size_t)(new_size - old_size));
    return data;
}

struct arena_mark arena_mark(const struct arena *arena) {
    return (struct arena_mark){arena->top, arena->top ? arena->top->used : 0};
}

void arena_rewind(struct arena *arena, struct arena_mark mark) {
    while (arena->top && (void *)arena->top != mark.block) {
        struct block *prev = arena->top->prev;
        block_free(arena->top);
        arena->top = prev;
    }
    if (!arena->top) return;
    POISON(arena->top->data + mark.used, (size_t)(arena->top->used - mark.used));
    arena->top->used = mark.used;
}

void *vec_room(struct arena *arena, void *data, ptrdiff_t len, ptrdiff_t *cap, ptrdiff_t size) {
    ptrdiff_t grown = *cap ? *cap : 4;
    if (grown > PTRDIFF_MAX / 2 / size) arena_out_of_memory();
    grown *= 2;
    void *moved = arena_grow(arena, data, len * size, grown * size);
    *cap = grown;
    return moved;
}
