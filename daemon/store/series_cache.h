/* Remembers the database id of each series, with the names of its run and layer. Belongs to the
 * writer thread. */
#ifndef FORESHOCK_STORE_SERIES_CACHE_H
#define FORESHOCK_STORE_SERIES_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct series {
    int64_t id;
    int64_t run, layer;
    uint32_t attempt;
    const char *metric;
    const char *run_key, *layer_name; /* layer_name "" for the run itself */
};

struct series_cache {
    struct series **slots;
    size_t size, used; /* size is a power of two, or 0 */
};

/* Looks for the series with the run, layer, attempt and metric of `key`. NULL: not known here. */
const struct series *series_cache_find(const struct series_cache *cache, const struct series *key);

/* Keeps a copy of `series`, strings included; it must not be there yet. The result lives until
 * the cache is cleared. NULL: memory was short. */
const struct series *series_cache_add(struct series_cache *cache, const struct series *series);

void series_cache_clear(struct series_cache *cache);

#endif
