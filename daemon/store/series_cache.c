/* A hash table with linear probing; entries are never removed one by one. */
#include "daemon/store/series_cache.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SERIES_CACHE_FIRST_SIZE 1024

static uint64_t series_hash(const struct series *key)
{
    const uint64_t numbers[3] = {(uint64_t)key->run, (uint64_t)key->layer, key->attempt};
    return XXH3_64bits_withSeed(
        key->metric, strlen(key->metric), XXH3_64bits(numbers, sizeof numbers));
}

static bool series_equal(const struct series *a, const struct series *b)
{
    return a->run == b->run && a->layer == b->layer && a->attempt == b->attempt &&
           strcmp(a->metric, b->metric) == 0;
}

/* Where `key` is, or the free slot in which it belongs. The table has at least one free slot. */
static size_t slot_of(struct series *const *slots, size_t size, const struct series *key)
{
    size_t at = (size_t)series_hash(key) & (size - 1);
    while (slots[at] && !series_equal(slots[at], key))
        at = (at + 1) & (size - 1);
    return at;
}

const struct series *series_cache_find(const struct series_cache *cache, const struct series *key)
{
    return cache->size ? cache->slots[slot_of(cache->slots, cache->size, key)] : NULL;
}

static int cache_grow(struct series_cache *cache)
{
    size_t size = cache->size ? cache->size * 2 : SERIES_CACHE_FIRST_SIZE;
    struct series **slots = calloc(size, sizeof(struct series *));
    if (!slots)
        return -1;
    for (size_t i = 0; i < cache->size; i++) {
        if (cache->slots[i])
            slots[slot_of(slots, size, cache->slots[i])] = cache->slots[i];
    }
    free(cache->slots);
    cache->slots = slots;
    cache->size = size;
    return 0;
}

/* One piece of memory for an entry and its three strings. */
static struct series *series_copy(const struct series *series)
{
    size_t metric = strlen(series->metric) + 1, run = strlen(series->run_key) + 1;
    size_t layer = strlen(series->layer_name) + 1;
    struct series *copy = malloc(sizeof *copy + metric + run + layer);
    if (!copy)
        return NULL;
    *copy = *series;
    char *text = (char *)(copy + 1);
    copy->metric = memcpy(text, series->metric, metric);
    copy->run_key = memcpy(text + metric, series->run_key, run);
    copy->layer_name = memcpy(text + metric + run, series->layer_name, layer);
    return copy;
}

const struct series *series_cache_add(struct series_cache *cache, const struct series *series)
{
    if ((cache->used + 1) * 2 > cache->size && cache_grow(cache))
        return NULL;
    struct series *copy = series_copy(series);
    if (!copy)
        return NULL;
    cache->slots[slot_of(cache->slots, cache->size, copy)] = copy;
    cache->used++;
    return copy;
}

void series_cache_clear(struct series_cache *cache)
{
    for (size_t i = 0; i < cache->size; i++)
        free(cache->slots[i]);
    free(cache->slots);
    *cache = (struct series_cache){0};
}
