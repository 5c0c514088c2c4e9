/* See baselines.h. */
#include "daemon/runs/baselines.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)BASELINE_NO_ROOM == (int)STORE_NO_ROOM, "the code is handed on as it is");
static struct store_baseline stored(const struct baseline_row *row)
{
    return (struct store_baseline){
        .layer = row->layer,
        .step = row->step,
        .attempt = row->attempt,
        .dtype = row->dtype,
        .bytes = row->bytes,
        .checksum = row->checksum,
    };
}

struct baseline_row baselines_row(const struct store_baseline *from)
{
    struct baseline_row row = {
        .layer = from->layer,
        .step = from->step,
        .attempt = from->attempt,
        .bytes = from->bytes,
        .checksum = from->checksum,
    };

    snprintf(row.dtype, sizeof row.dtype, "%s", from->dtype);
    return row;
}

void baselines_put(struct store_batch *batch, const struct baseline_row *row)
{
    struct store_baseline baseline = stored(row);

    store_put_baseline(batch, &baseline);
}

static struct store_part *parts_of(const struct baseline_part *parts, size_t count)
{
    struct store_part *copied = calloc(count, sizeof *copied);

    for (size_t i = 0; copied && i < count; i++)
        copied[i] = (struct store_part){parts[i].data, parts[i].size};
    return copied;
}

static int write_baseline(void *ctx, struct baseline_row *row, const struct baseline_part *parts,
    size_t count, struct error *error)
{
    struct store_baseline baseline = stored(row);
    struct store_part *copied = parts_of(parts, count);
    int rc = -1;

    if (copied)
        rc = store_baseline_write(ctx, &baseline, copied, count, error);
    else
        error_set(error, "memory is short");
    row->checksum = baseline.checksum;
    free(copied);
    return rc;
}

static const void *map_baseline(void *ctx, const struct baseline_row *row, struct error *error)
{
    struct store_baseline baseline = stored(row);

    return store_baseline_map(ctx, &baseline, error);
}

struct baseline_files baselines_of(struct store *store)
{
    return (struct baseline_files){write_baseline, map_baseline, store_baseline_unmap, store};
}
