/* One fused pass over a weight matrix, the only way in which the spectrum tracker reads one.
 *
 * For a block of vectors V it forms Y = W V and Z = W^T Y, and on the way, when asked, the squared
 * lengths that layer rotation is made of: each byte of W and of the references is read from memory
 * once, as long as eight rows fit into the second-level cache. Sums run in lanes of float (or double) within at
 * most PANEL columns and some 190 rows, and in double across them. The relative error of a sum of squares is below 1e-6, and of Z below 2e-6
 * ||W||^2 ||v||, at worst, where all elements are equal and every rounding goes the same way; among
 * random ones it is a fifth of that. In double it is 1e-15 + 1e-16 for each row and panel, and 1e-14.
 * (float64 read by lanes of float is narrowed first: then a difference is right to 1e-6 ||w|| ||r||.)
 *
 * The functions are members of a variant (kernels.h). They allocate nothing and keep nothing:
 * thread-safe as long as calls do not share `out`, `sums` or `work`. */
#ifndef FORESHOCK_ANALYSIS_GRAM_H
#define FORESHOCK_ANALYSIS_GRAM_H

#include "daemon/analysis/matrix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAM_WIDTH      8 /* vectors that one pass multiplies at most */
#define GRAM_REFERENCES 2

/* What a pass measures beside the product. All sums are those of scale * W and scale * reference.
 * They overflow to infinity, underflow to 0 or turn NaN where the numbers ask for it. */
struct gram_sums {
    double square;     /* sum of w^2 */
    double ulp_square; /* sum of the squared spacing of W's dtype at w; 0 unless it is narrow */
    struct {
        double square;
        double difference; /* sum of (w - reference)^2 */
        double ulp_square;
    } reference[GRAM_REFERENCES];
};

/* out[i] = (scale W)^T (scale W) in[i] for `width` vectors. */
struct gram_pass {
    const struct matrix *w; /* [rows, cols] */
    /* Of W's shape, or NULL; read only when sums is set. */
    const struct matrix *reference[GRAM_REFERENCES];
    bool reference_known[GRAM_REFERENCES]; /* its own sums are not needed: they stay 0 */
    double scale;           /* a power of two; at 1 most matrices are read where they lie,
                                        at another their tiles are copied */
    const double *in;       /* [width][cols] */
    double *out;            /* [width][cols] */
    size_t width;           /* 1..GRAM_WIDTH; 1, 2, 4 and 8 waste nothing */
    struct gram_sums *sums; /* NULL: not measured */
    void *work;             /* gram_work_f32 or _f64 bytes, 64-byte aligned */
};

#endif
