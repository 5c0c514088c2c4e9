/* See baselines.h. */
#include "daemon/runs/baselines.h"

static int write_baseline(void *ctx, struct baseline_row *row, const struct baseline_part *parts,
    size_t count, struct error *error)
{
    return store_baseline_write(ctx, row, parts, count, error);
}

static const void *map_baseline(void *ctx, const struct baseline_row *row, struct error *error)
{
    return store_baseline_map(ctx, row, error);
}

struct baseline_files baselines_of(struct store *store)
{
    return (struct baseline_files){write_baseline, map_baseline, store_baseline_unmap, store};
}
