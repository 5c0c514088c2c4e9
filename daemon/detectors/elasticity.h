/* How fast a positive figure of one layer grows, in the measure of the steps taken:
 *
 *     e(t) = ln(x(t) / x') / ln(t / t'),  t' about 0.8 t, x' the largest x from 0.4 t to t', or half
 *                                         of the largest before
 *
 * e = 1 is growth in proportion to the steps, whatever the sampling interval. What only makes good
 * an earlier loss does not count: under weight decay norms swing (Adam's slingshots, warm restarts)
 * or fade and come back, without going anywhere. A plain value: all zero is one that has seen nothing. */
#ifndef FORESHOCK_DETECTORS_ELASTICITY_H
#define FORESHOCK_DETECTORS_ELASTICITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Older samples are kept thinned, each at least 2 % of the steps after the one before, so that 64
 * of them reach back to 0.4 t (47 of them) or, when samples are rarer than that, 32 samples. */
#define ELASTICITY_ANCHORS 64

struct elasticity {
    int64_t samples;
    size_t anchors, next;
    double peak; /* the largest that the ring holds no more */
    struct anchor {
        double t; /* steps since the attempt began */
        double value;
        double elasticity; /* then; NaN: there was none yet */
        int64_t ordinal;   /* of the sample in its series */
    } ring[ELASTICITY_ANCHORS];
};

struct elasticity_growth {
    double elasticity;
    double past;   /* the largest elasticity from 0.4 t to t'; NaN: there was none yet */
    double from_t; /* t' */
};

/* Takes x(t) > 0 and compares it with the past; t' is the newest sample at or before `lookback` t
 * that is at least `samples_back` samples old. False: there is none yet, *growth is not set. */
bool elasticity_put(struct elasticity *elasticity, double t, double value, double lookback,
    double samples_back, struct elasticity_growth *growth);

#endif
