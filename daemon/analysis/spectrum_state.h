/* What a spectrum tracker remembers between snapshots. Shared by spectrum.c and spectrum_export.c
 * only. */
#ifndef FORESHOCK_ANALYSIS_SPECTRUM_STATE_H
#define FORESHOCK_ANALYSIS_SPECTRUM_STATE_H

#include "daemon/analysis/spectrum.h"

struct spectrum {
    struct spectrum_options options;
    size_t rows;
    size_t cols;
    size_t width;  /* vectors of the block */
    bool warm;     /* the block holds the leading Ritz vectors of a snapshot */
    bool stale;    /* ... but not of the one before the next update */
    int exponent;  /* the largest element of the last snapshot lies below 2^exponent */
    uint64_t rng;  /* xorshift64*, never 0 */
    float block[]; /* [width][cols], unit vectors, v1 first */
};

#endif
