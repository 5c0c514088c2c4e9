/* Queries for the points and histograms of a series; see reader.h for what all have in common. */
#ifndef FORESHOCK_STORE_READER_SERIES_H
#define FORESHOCK_STORE_READER_SERIES_H

#include "daemon/store/reader.h"

/* One series, bucketed: buckets of equal width in steps over [from, to] ∩ the data, on one grid
 * of at most `points` for all attempts. With `attempt` 0 the newest attempt that has a point
 * answers at each step (an earlier attempt's points end where a later one's begin); a result is
 * then cut into one per attempt, oldest first, and the bucket in which one ends and the next
 * begins is in both. `count` is of all points, `nonfinite` of the NaN and infinities among them;
 * min, mean, max, last are of the finite ones and NaN where there is none. Empty buckets are
 * left out. `step` and `time` are of the bucket's last point. READER_NONE when the run has no
 * such series; no call when it has no point in the range. */
struct reader_bucket {
    int64_t step;
    double time, min, mean, max, last;
    uint64_t nonfinite, count;
};
struct reader_series_query {
    int64_t run, layer; /* layer id; 0: the run */
    const char *metric;
    int64_t from, to; /* inclusive */
    uint32_t attempt; /* 0: newest at each step */
    size_t points;    /* >= 1 */
};
int reader_series(struct reader *, const struct reader_series_query *,
    void (*series)(void *ctx, uint32_t attempt, const struct reader_bucket *buckets, size_t count),
    void *ctx);

/* Histograms summed into at most `points` columns. Same rules. */
struct reader_column {
    int64_t first_step, last_step;
    double time;
    uint64_t counts[HISTOGRAM_BINS];
};
int reader_histogram(struct reader *, const struct reader_series_query *,
    void (*columns)(void *ctx, uint32_t attempt, const struct reader_column *columns, size_t count),
    void *ctx);

#endif
