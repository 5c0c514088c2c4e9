/* A histogram of 64 equal bins on [-1, 1]: values are clamped to the range, a bin holds its lower
 * edge and not its upper one, but for the last, which holds both (NumPy's rule). */
#ifndef FORESHOCK_ANALYSIS_HISTOGRAM_H
#define FORESHOCK_ANALYSIS_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BINS 64

struct bins {
    uint64_t count[HISTOGRAM_BINS];
};

/* `value` is finite. */
void histogram_add(struct bins *bins, double value);

#endif
