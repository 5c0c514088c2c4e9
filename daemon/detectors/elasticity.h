/* How fast a positive figure of one layer grows, in the measure of the steps taken:
 *
 *     e(t) = ln(x(t) / x') / ln(t / t'),  t' about 0.8 t, x' = x(t') or half of the largest before
 *
 * e = 1 is growth in proportion to the steps, whatever the sampling interval. What only makes good
 * an earlier loss does not count: layers fade under weight decay and come back without going
 * anywhere. A plain value: all zero is one that has seen nothing. */
#ifndef FORESHOCK_DETECTORS_ELASTICITY_H
#define FORESHOCK_DETECTORS_ELASTICITY_H

#include <stdbool.h>
#include <stddef.h>

/* Older samples are kept thinned, each at least 2 % of the steps after the one before: 12 of them
 * reach back to 0.8 t. */
#define ELASTICITY_ANCHORS 16

struct elasticity {
    size_t taken;
    double peak; /* the largest so far */
    struct anchor {
        double t; /* steps since the attempt began */
        double value, peak;
    } ring[ELASTICITY_ANCHORS];
};

struct elasticity_growth {
    double elasticity;
    double from_t; /* t' */
};

/* Takes x(t) > 0 and compares it with the past. False: there is none yet, *growth is not set. */
bool elasticity_put(
    struct elasticity *elasticity, double t, double value, struct elasticity_growth *growth);

#endif
