/* What a spectrum tracker remembers between snapshots. Shared by spectrum.c and spectrum_export.c
 * only. */
#ifndef FORESHOCK_ANALYSIS_SPECTRUM_STATE_H
#define FORESHOCK_ANALYSIS_SPECTRUM_STATE_H

#include "daemon/analysis/spectrum.h"

struct spectrum {
    struct spectrum_options options;
    size_t rows;
    size_t cols;
    size_t width;    /* vectors of the block: GRAM_WIDTH, or cols if that is less */
    bool warm;       /* the vectors are of a snapshot */
    bool stale;      /* ... but not of the one before the next update */
    bool in_double;  /* the numbers left the range of float once */
    int exponent;    /* of the scale that work in double uses */
    uint64_t rng;    /* xorshift64*, never 0 */
    float vectors[]; /* [1 + width][cols], unit vectors: v1 as published, then the block that the
                        next update starts from (keep_block in spectrum.c) */
};

#endif
