#include "base/map.h"

#include "base/arena.h"

/* The slot where `key` is or would be. The table has at least one empty slot. */
static int32_t slot_find(const struct map *map, struct str key) {
    uint32_t mask = (uint32_t)map->slot_count - 1;
    uint32_t at = (uint32_t)str_hash(key) & mask;
    while (map->slots[at] && !str_eq(map->keys[map->slots[at] - 1], key)) at = (at + 1) & mask;
    return (int32_t)at;
}

int32_t map_find(const struct map *map, struct str key) {
    if (map->len == 0) return -1;
    int32_t entry = map->slots[slot_find(map, key)];
    return entry ? map->values[entry - 1] : -1;
}

static void map_grow(struct arena *arena, struct map *map) {
    int32_t cap = map->cap ? map->cap * 2 : 16;
    map->keys =
        arena_grow(arena, map->keys, map->len * (ptrdiff_t)sizeof *map->keys, cap * (ptrdiff_t)sizeof *map->keys);
    map->values =
        arena_grow(arena, map->values, map->len * (ptrdiff_t)sizeof *map->values, cap * (ptrdiff_t)sizeof *map->values);
    map->slots = arena_new(arena, int32_t, cap * 2);
    map->slot_count = cap * 2;
    map->cap = cap;
    for (int32_t i = 0; i < map->len; i++) map->slots[slot_find(map, map->keys[i])] = i + 1;
}

void map_add(struct arena *arena, struct map *map, struct str key, int32_t value) {
    if (map->len == map->cap) map_grow(arena, map);
    int32_t slot = slot_find(map, key);
    if (map->slots[slot]) {
        map->values[map->slots[slot] - 1] = value;
        return;
    }
    map->keys[map->len] = key;
    map->values[map->len] = value;
    map->slots[slot] = ++map->len;
}
