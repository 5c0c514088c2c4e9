/* The currency of the daemon: one figure or one histogram of one run, layer, metric and step. Plain values; a record owns
 * nothing but its histogram's counts, which lie inside it. */
#ifndef FORESHOCK_CORE_FIGURE_H
#define FORESHOCK_CORE_FIGURE_H

#include <stdint.h>

/* Bytes of a metric's name, the NUL included: WIRE_SCALAR_NAME_MAX + 1. */
#define FIGURE_METRIC_MAX 65
#define HISTOGRAM_BINS    64

/* One figure. `value` may be NaN or infinite only for scalars that the training logged so. */
struct figure {
    int64_t run;   /* database id */
    int64_t layer; /* database id, also of an MLP block; 0: the run itself */
    int64_t step;
    double time; /* the daemon's clock at arrival, seconds since 1970 */
    double value;
    uint32_t attempt;
    char metric[FIGURE_METRIC_MAX];
};

/* One histogram over [-1, 1]: 64 equal bins, NumPy's edge rule. */
struct histogram {
    int64_t run, layer, step;
    double time;
    uint32_t attempt;
    char metric[FIGURE_METRIC_MAX];
    uint32_t counts[HISTOGRAM_BINS];
};

#endif
