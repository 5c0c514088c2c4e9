/* Mean, deviation and quantiles of a sample kept in full. */
#ifndef FORESHOCK_ANALYSIS_QUANTILE_H
#define FORESHOCK_ANALYSIS_QUANTILE_H

#include <stddef.h>

/* All undefined (figure.h) for an empty sample. */
struct distribution {
    double mean;
    double std; /* of the population */
    double p05;
    double p25;
    double p50;
    double p75;
    double p95;
};

/* Of n finite values, which it sorts. */
struct distribution quantile_distribution(double *values, size_t n);

/* NumPy's "linear" quantile, 0 <= q <= 1, of n > 0 ascending values. */
double quantile_linear(const double *sorted, size_t n, double q);

#endif
