/* One pass over the inputs of a layer: what their alignment with a direction is made of.
 *
 * Each byte of x is read from memory once, straight on. A token (row) whose mean square lies beyond the
 * range of the lanes, or is none because an element is NaN or infinite, is left out: its squares say
 * nothing, and the caller takes such rare tokens by other means.
 *
 * In float lanes (over at most 8192 columns and 64 tokens, double across them) a token's <x, v1> / |x|
 * is right to 2e-6, its sum of squares to 2e-6 of itself and the unit sum to 2e-6 a token; in double to
 * 1e-14. Those are bounds: random numbers stay below 1e-7.
 *
 * The functions are members of a variant (kernels.h). They allocate nothing and keep nothing:
 * thread-safe as long as calls do not share what they write. */
#ifndef FORESHOCK_ANALYSIS_ALIGN_H
#define FORESHOCK_ANALYSIS_ALIGN_H

#include "daemon/analysis/matrix.h"

#include <stddef.h>

/* Exponents of two between which the mean square of a token is taken. */
#define ALIGN_EXPONENT_F32 70
#define ALIGN_EXPONENT_F64 600

struct align_pass {
    const struct matrix_view *x; /* [tokens, cols] */
    const double *v1;            /* [cols]; all 0 where there is no direction */
    double *square;              /* [tokens]: |x|^2, or -1 for a token that was left out */
    double *dot;                 /* [tokens]: <x, v1>, nothing for a token that was left out */
    double *unit_sum;            /* [cols]: x / |x| of the tokens that were taken is added */
    double max_abs;              /* raised to the largest magnitude in those */
    void *work;                  /* align_work_f32 or _f64 bytes, 64-byte aligned */
};

#endif
