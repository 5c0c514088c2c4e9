/* How far a weight vector has turned from a reference: 1 - cos, from sums of squares.
 *
 * The cosine comes from |w - r|^2, so that small angles do not drown in cancellation. Pure. */
#ifndef FORESHOCK_ANALYSIS_ROTATION_H
#define FORESHOCK_ANALYSIS_ROTATION_H

#include "daemon/analysis/spectrum.h"

/* Undefined figures (figure.h): drift where the reference is zero, absent or not finite; the angles and
 * their noise there too, where w is zero, and where one vector is more than 1e5 times as long as the
 * other, for rounding hides the shorter one; noise unless one of the two has a 16- or 8-bit dtype. */
struct rotation {
    double from_init;  /* against w(0) */
    double step;       /* against the previous snapshot */
    double norm;       /* |w| */
    double drift;      /* |w - w(0)| / |w(0)| */
    double noise;      /* what rounding alone would give against w(0) */
    double noise_step; /* the same against the previous snapshot */
};

/* noise = (sum ulp(a_i)^2 / 12 + sum ulp(b_i)^2 / 12) / (2 |a| |b|), where ulp(x) is the spacing of
 * the dtype at x, 2^(max(floor(log2 |x|), e_min) - m): bfloat16 m = 7, e_min = -126; float16 10,
 * -14; e4m3fn 3, -6; e5m2 2, -14. A vector of a wider dtype adds nothing. */
struct rotation rotation_of(const struct weight_sums *sums);

/* (|a - b|^2 - (|a| - |b|)^2) / (2 |a| |b|), at least 0, from the squares; undefined where a norm
 * is 0 or beyond 1e5 times the other. */
double rotation_angle(double a_square, double b_square, double difference_square);

#endif
