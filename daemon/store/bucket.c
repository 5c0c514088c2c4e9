/* Bucketing of points. */
#include "daemon/store/bucket.h"

#include <math.h>

struct bucket_grid bucket_grid(int64_t first, int64_t last, size_t cells)
{
    uint64_t span =
        (uint64_t)last - (uint64_t)first; /* one less than the number of steps, which may not fit */
    uint64_t width = span / cells;
    return (struct bucket_grid){.first = first, .width = width < UINT64_MAX ? width + 1 : width};
}

uint64_t bucket_cell(const struct bucket_grid *grid, int64_t step)
{
    return ((uint64_t)step - (uint64_t)grid->first) / grid->width;
}

void bucket_begin(struct reader_bucket *bucket, struct bucket_sum *sum)
{
    *bucket = (struct reader_bucket){.min = NAN, .mean = NAN, .max = NAN, .last = NAN};
    *sum = (struct bucket_sum){0};
}

void bucket_add(
    struct reader_bucket *bucket, struct bucket_sum *sum, int64_t step, double time, double value)
{
    bucket->step = step;
    bucket->time = time;
    bucket->count++;
    if (!isfinite(value)) {
        bucket->nonfinite++;
        return;
    }
    sum->finite++;
    sum->sum += value;
    bucket->min = fmin(bucket->min, value); /* of NaN and a number: the number */
    bucket->max = fmax(bucket->max, value);
    bucket->mean = (double)(sum->sum / sum->finite);
    bucket->last = value;
}
