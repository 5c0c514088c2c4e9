/* Shards of a layer's matrix of one step, as they come.
 *
 * Plain data that belongs to one thread at a time. A shard is a span of W [out, in], its tensor row-major, or stored
 * [in, out] where the layer is transposed. */
#ifndef FORESHOCK_BLOCK_SHARDS_H
#define FORESHOCK_BLOCK_SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/block/span.h"
#include "daemon/core/tensor.h"

struct shard {
    uint64_t begin, end;
    struct tensor *tensor;
};

/* Disjoint shards of one matrix, which owns their tensors. */
struct shards {
    bool cols;
    struct shard *shard; /* by begin */
    size_t count, capacity;
    uint64_t covered; /* rows or columns in all of them */
};

struct shards *shards_new(bool cols); /* NULL: memory is short */

/* Whether a shard that begins there has come; of one partition, it is the same. */
bool shards_have(const struct shards *shards, uint64_t begin);

/* Takes one more that is not there yet. 0, or -1: memory is short, the tensor stays the caller's. */
int shards_put(struct shards *shards, const struct span *span, struct tensor *tensor);

/* The first rows or columns of `size` that have not come. begin == end: all have. */
struct span shards_missing(const struct shards *shards, uint64_t size);

void shards_move(struct shards *shards, _Atomic uint64_t *account);
uint64_t shards_bytes(const struct shards *shards);

/* Column shards of a whole matrix of `rows` x `covered` elements of `size` bytes become one of all rows, charged to `account`; each
 * goes back as soon as it is copied. Row shards stay as they are. 0, or -1: memory is short, they are good for nothing but
 * shards_free. */
int shards_merge(
    struct shards *shards, uint64_t rows, size_t size, bool transposed, _Atomic uint64_t *account);

void shards_free(struct shards *shards); /* safe on NULL */

#endif
