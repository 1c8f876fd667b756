#include "base/map.h"

#include "base/arena.h"

#include <sys/auxv.h>

__extension__ typedef unsigned __int128 wide;

/* A product of 128 bits folded: unlike one of 64, it carries the highest bits of what differs to all others. */
static uint64_t mix(uint64_t a, uint64_t b) {
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Fewer than eight bytes as a number, another one for each text of one length: by two loads that may overlap. */
static uint64_t tail(struct str s) {
    uint32_t low, high;
    if (s.len >= 4) {
        memcpy(&low, s.data, 4);
        memcpy(&high, s.data + s.len - 4, 4);
        return (uint64_t)high << 32 | low;
    }
    if (s.len == 0) return 0;
    uint32_t first = (unsigned char)s.data[0], middle = (unsigned char)s.data[s.len / 2];
    return first << 16 | middle << 8 | (unsigned char)s.data[s.len - 1];
}

/* Eight bytes at a time, in the manner of wyhash. */
static uint64_t hash_keyed(struct str s, uint64_t secret) {
    uint64_t hash = mix(secret ^ (uint64_t)s.len, 0x9e3779b97f4a7c15u), word;
    for (; s.len >= 8; s = (struct str){s.data + 8, s.len - 8}) {
        memcpy(&word, s.data, 8);
        hash = mix(hash ^ word, secret ^ 0xa0761d6478bd642fu);
    }
    return mix(hash ^ tail(s), secret ^ 0xe7037ed1a0b428dbu);
}

/* The kernel gives each program sixteen random bytes; without them texts could only be chosen to be slow. */
static uint64_t secret_make(void) {
    uint64_t secret = 0;
    const void *random = (const void *)getauxval(AT_RANDOM); /* NULL where there are none */
    if (random) memcpy(&secret, random, sizeof secret);
    return secret;
}

/* The slot where `key` is or would be. The table has at least one empty slot. */
static int32_t slot_find(const struct map *map, struct str key) {
    uint32_t mask = (uint32_t)map->slot_count - 1;
    uint32_t at = (uint32_t)hash_keyed(key, map->secret) & mask;
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
    if (map->cap == 0) map->secret = secret_make();
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
