/*
 * map - text to a small number, in order of insertion.
 *
 * An open-addressing table in an arena. Walk it through `keys`: that order never depends on the hash, whose key is the
 * process's own: whoever chooses the texts cannot choose ones that collide.
 */
#ifndef UNPIN_BASE_MAP_H
#define UNPIN_BASE_MAP_H

#include "base/str.h"

struct map {
    struct str *keys; /* len of them, in order of insertion; borrowed */
    int32_t *values;  /* the value of each */
    int32_t *slots;   /* table: position in keys + 1, 0 for empty */
    int32_t len, cap, slot_count;
    uint64_t secret; /* what the hash is keyed with */
};

/* The value of `key`, or -1. */
int32_t map_find(const struct map *map, struct str key);
/* Sets `key` (whose bytes must outlive the map) to `value` (>= 0). */
void map_add(struct arena *arena, struct map *map, struct str key, int32_t value);

#endif
