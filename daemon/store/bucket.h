/* The grid on which points are put together for a plot, and what one bucket says of its points.
 * Pure. */
#ifndef FORESHOCK_STORE_BUCKET_H
#define FORESHOCK_STORE_BUCKET_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/store/reader_series.h"

/* Cells of `width` steps from `first` on. */
struct bucket_grid {
    int64_t first;
    uint64_t width;
};

/* The finest grid that covers first..last (inclusive, first <= last) with at most `cells` cells
 * (>= 1); all 2^64 steps need two at least. */
struct bucket_grid bucket_grid(int64_t first, int64_t last, size_t cells);
uint64_t bucket_cell(const struct bucket_grid *grid, int64_t step); /* step >= first */

/* Sums of the bucket that is being filled. */
struct bucket_sum {
    uint64_t finite;
    long double sum; /* of doubles up to the largest: their sum must not overflow */
};

/* Begins a bucket, and puts a point into it. Points come in order of step. `mean` is right after
 * every point. */
void bucket_begin(struct reader_bucket *bucket, struct bucket_sum *sum);
void bucket_add(
    struct reader_bucket *bucket, struct bucket_sum *sum, int64_t step, double time, double value);

#endif
