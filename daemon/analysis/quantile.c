/* Quantiles by sorting. */
#include "daemon/analysis/quantile.h"

#include "daemon/analysis/undefined.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile_linear(const double *sorted, size_t n, double q)
{
    double place = q * (double)(n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= n)
        return sorted[n - 1];
    double t = place - (double)below, step = sorted[below + 1] - sorted[below];
    return t < 0.5 ? sorted[below] + step * t : sorted[below + 1] - step * (1 - t);
}

struct distribution quantile_distribution(double *values, size_t n)
{
    double none = ANALYSIS_UNDEFINED;
    if (n == 0)
        return (struct distribution){none, none, none, none, none, none, none};
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (values[i] - mean) * (values[i] - mean);
    qsort(values, n, sizeof(*values), ascending);
    return (struct distribution){
        .mean = mean,
        .std = sqrt(square / (double)n),
        .p05 = quantile_linear(values, n, 0.05),
        .p25 = quantile_linear(values, n, 0.25),
        .p50 = quantile_linear(values, n, 0.50),
        .p75 = quantile_linear(values, n, 0.75),
        .p95 = quantile_linear(values, n, 0.95),
    };
}
