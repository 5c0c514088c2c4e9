/* Weights that are kept: where their shards lie, and for how long they stay; see snapshot.h. */
#include "daemon/block/snapshot.h"

#include <stdlib.h>

#include "daemon/core/stats.h"

static struct matrix_view view_of(
    struct shard *shard, enum dtype dtype, uint64_t cols, bool transposed)
{
    const void *data = tensor_data(shard->tensor);
    uint64_t rows = shard->end - shard->begin;

    return transposed ? matrix_view_transposed(data, dtype, rows, cols)
                      : matrix_view_rows(data, dtype, rows, cols);
}

int snapshot_view(
    struct snapshot *snapshot, uint64_t rows, uint64_t cols, _Atomic uint64_t *account)
{
    struct shards *shards = snapshot->shards;
    bool transposed = snapshot->transposed;

    if (shards_merge(shards, rows, dtype_size(snapshot->dtype), transposed, account) != 0)
        return -1;
    snapshot->views = calloc(shards->count, sizeof *snapshot->views);
    if (!snapshot->views)
        return -1;
    for (size_t i = 0; i < shards->count; i++) {
        snapshot->views[i] = view_of(&shards->shard[i], snapshot->dtype, cols, transposed);
        if (!snapshot->views[i].data)
            return -1;
    }
    return matrix_stack(snapshot->views, shards->count, &snapshot->matrix);
}

struct baseline_part *snapshot_parts(const struct snapshot *snapshot, size_t *count)
{
    const struct shards *shards = snapshot->shards;
    /* Stored [in, out], a line of the whole takes its turn through all shards. */
    size_t lines = snapshot->transposed && shards->count > 1 ? snapshot->matrix.cols : 1;
    struct baseline_part *parts = calloc(lines * shards->count, sizeof *parts), *part = parts;

    *count = lines * shards->count;
    for (size_t line = 0; parts && line < lines; line++) {
        for (size_t i = 0; i < shards->count; i++) {
            size_t width = tensor_bytes(shards->shard[i].tensor) / lines;

            *part++ =
                (struct baseline_part){(const char *)snapshot->views[i].data + line * width, width};
        }
    }
    return parts;
}

void snapshot_drop(struct snapshot *snapshot)
{
    shards_free(snapshot->shards);
    free(snapshot->views);
    *snapshot = (struct snapshot){.step = -1};
}

void snapshot_settle(struct snapshot *snapshot, _Atomic uint64_t *kept, uint64_t kept_max)
{
    if (!snapshot->shards || snapshot->settled)
        return;
    if (stats_get(kept) + shards_bytes(snapshot->shards) > kept_max) {
        snapshot_drop(snapshot);
        return;
    }
    shards_move(snapshot->shards, kept);
    snapshot->settled = true;
}
