/*
 * arena - memory with one lifetime.
 *
 * A command owns one arena; everything it builds lives there and is freed together when the arena is closed.
 * Memory comes zeroed (but for arena_bytes). Running out of memory ends the process at once with exit status 1 and a
 * message on standard error, whatever its other threads do: a transaction survives that exactly as it survives `kill
 * -9`, and no caller could do better. An arena belongs to one thread at a time; workers open their own.
 *
 * This is the only module that calls malloc.
 */
#ifndef UNPIN_BASE_ARENA_H
#define UNPIN_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/* A point in an arena's history to which `arena_rewind` can go back. */
struct arena_mark {
    void *block;    /* the block that was current, NULL for an empty arena */
    ptrdiff_t used; /* bytes used of it */
};

/* Once, before the first arena: what arenas free stays with the process, so that the next arena does not fetch the same
 * memory from the system again, page by page. */
void arena_keep_memory(void);

/* Ends the process as lack of memory does; for libraries that ask what to do. */
_Noreturn void arena_out_of_memory(void);

/* malloc and realloc for a library that does not survive it when they fail: they end the process then. What they give
 * is freed by `free`. */
void *arena_library_malloc(size_t size);
void *arena_library_realloc(void *old, size_t size);

/* An empty arena. Close it with `arena_close`. */
struct arena *arena_open(void) __attribute__((returns_nonnull));

/* Frees all that was allocated from it. NULL is allowed. */
void arena_close(struct arena *arena);

/* `size` zeroed bytes (0 is allowed and gives a valid pointer), aligned for any type. */
void *arena_alloc(struct arena *arena, ptrdiff_t size) __attribute__((returns_nonnull));

/* As arena_alloc, but what the bytes are is not defined: for what is written over as a whole at once. */
char *arena_bytes(struct arena *arena, ptrdiff_t size) __attribute__((returns_nonnull));

/* The memory at `old` (of `old_size` bytes, NULL for none) moved to or grown into `new_size` bytes; the added bytes are
 * zero. */
void *arena_grow(struct arena *arena, void *old, ptrdiff_t old_size, ptrdiff_t new_size);

struct arena_mark arena_mark(const struct arena *arena);

/* Frees all that was allocated since `mark`. Debug builds poison it for AddressSanitizer. */
void arena_rewind(struct arena *arena, struct arena_mark mark);

/* `count` zeroed objects of `type`. The product may not overflow: that ends the process like any lack of memory. */
#define arena_new(arena, type, count) ((type *)arena_array((arena), (ptrdiff_t)sizeof(type), (count)))
void *arena_array(struct arena *arena, ptrdiff_t size, ptrdiff_t count) __attribute__((returns_nonnull));

/*
 * VEC(type): a growing array `{ type *data; ptrdiff_t len, cap; }` whose memory lives in an arena; zero is the empty
 * one. `vec_push(arena, &v)` adds a zeroed element and gives a pointer to it, valid until the next push.
 */
#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *data;                                                                                                    \
        ptrdiff_t len, cap;                                                                                            \
    }

#define vec_push(arena, vec)                                                                                           \
    ((vec)->len < (vec)->cap                                                                                           \
         ? &(vec)->data[(vec)->len++]                                                                                  \
         : ((vec)->data = vec_room((arena), (vec)->data, (vec)->len, &(vec)->cap, (ptrdiff_t)sizeof *(vec)->data),     \
            &(vec)->data[(vec)->len++]))

/* For vec_push alone: room for at least one element more. */
void *vec_room(struct arena *arena, void *data, ptrdiff_t len, ptrdiff_t *cap, ptrdiff_t size)
    __attribute__((returns_nonnull));

#endif
