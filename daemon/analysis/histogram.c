/* A histogram on [-1, 1]. */
#include "daemon/analysis/histogram.h"

/* Exact: the edges are multiples of 1/32. */
static double edge(int bin)
{
    return (double)(bin - HISTOGRAM_BINS / 2) * (2.0 / HISTOGRAM_BINS);
}

void histogram_add(struct bins *bins, double value)
{
    double clamped = value < -1 ? -1 : value > 1 ? 1 : value;
    int bin = (int)((clamped + 1) * (HISTOGRAM_BINS / 2));
    bin = bin > HISTOGRAM_BINS - 1 ? HISTOGRAM_BINS - 1 : bin;
    if (clamped < edge(bin)) /* a tiny negative value rounds up in clamped + 1 */
        bin--;
    bins->count[bin]++;
}
