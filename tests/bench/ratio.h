/* Median and quartiles of a few measurements. Pure. */
#ifndef FORESHOCK_TESTS_BENCH_RATIO_H
#define FORESHOCK_TESTS_BENCH_RATIO_H

#include <stddef.h>

struct spread {
    double low, median, high; /* 25, 50 and 75 % */
};

/* Sorts `values`; count > 0. */
struct spread spread_of(double *values, size_t count);

#endif
