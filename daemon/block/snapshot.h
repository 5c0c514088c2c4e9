/* The weights of one layer at one step: shards that are seen as one matrix.
 *
 * A block keeps the newest of each layer as the one that the next is compared with, and until the other matrices of its MLP
 * block have come. Belongs to the block: one worker at a time. */
#ifndef FORESHOCK_BLOCK_SNAPSHOT_H
#define FORESHOCK_BLOCK_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/analysis/matrix.h"
#include "daemon/block/baseline_files.h"
#include "daemon/block/shards.h"

/* All zero but `step` -1: none. */
struct snapshot {
    struct shards *shards; /* NULL: none */
    enum dtype dtype;
    bool transposed;
    struct matrix_view *views; /* one for each shard */
    struct matrix matrix;      /* made of the views */
    int64_t step;
    uint32_t attempt;
    bool settled; /* charged to the kept bytes, no longer to those that wait for partners */
};

/* Fills `matrix`, of rows x cols, from `shards`, which are whole. What must be copied for it is charged to `account`. 0, or
 * -1: memory is short, it is good for nothing but snapshot_drop. */
int snapshot_view(
    struct snapshot *snapshot, uint64_t rows, uint64_t cols, _Atomic uint64_t *account);

/* The matrix as it would have been sent whole, in parts one after the other; the caller frees them. NULL: memory is short. */
struct baseline_part *snapshot_parts(const struct snapshot *snapshot, size_t *count);

/* Nobody waits for it any more: it stays as the previous snapshot if the account `kept` has room for it (`kept_max` bytes),
 * else it goes. */
void snapshot_settle(struct snapshot *snapshot, _Atomic uint64_t *kept, uint64_t kept_max);

void snapshot_drop(struct snapshot *snapshot); /* frees it: there is none then */

#endif
