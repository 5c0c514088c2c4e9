/* Median and quartiles; see ratio.h. */
#include "tests/bench/ratio.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Between the two nearest, as NumPy does it. */
static double quantile(const double *sorted, size_t count, double part)
{
    double at = part * (double)(count - 1);
    size_t below = (size_t)at, above = below + 1 < count ? below + 1 : below;

    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

struct spread spread_of(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return (struct spread){
        quantile(values, count, 0.25), quantile(values, count, 0.5), quantile(values, count, 0.75)};
}
