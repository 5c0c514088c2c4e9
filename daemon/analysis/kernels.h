/* The loops over matrix elements: tiles converted to float or double, and the fused Gram pass of
 * the spectrum tracker.
 *
 * Every function exists for float (_f32: float lanes within a tile, double across tiles) and for
 * double (_f64). No allocation, no state: the caller owns every buffer. Portable C; faster variants
 * replace this file alone. */
#ifndef FORESHOCK_ANALYSIS_KERNELS_H
#define FORESHOCK_ANALYSIS_KERNELS_H

#include "daemon/analysis/matrix.h"

#include <stddef.h>
#include <stdint.h>

#define GRAM_WIDTH      8 /* vectors that one pass multiplies */
#define GRAM_REFERENCES 2

/* What the first pass measures beside the product. Sums are those of scale * W and scale *
 * reference. */
struct gram_sums {
    double max_abs;     /* of the finite elements of W, not scaled */
    uint64_t nonfinite; /* elements of W that are NaN or infinite */
    double square;      /* sum of w^2 */
    double
        ulp_square; /* sum of the squared spacing of W's dtype at w; 0 unless the dtype is narrow */
    struct {
        double square;
        double difference; /* sum of (w - reference)^2 */
        double ulp_square;
    } reference[GRAM_REFERENCES];
};

/* One pass over W, [rows, cols]: out[i] = (scale W)^T (scale W) in[i] for `width` vectors of length
 * cols. */
struct gram_pass {
    const struct matrix_view *w;
    const struct matrix_view
        *reference[GRAM_REFERENCES]; /* of W's shape, or NULL; read only when sums is set */
    double scale;                    /* a power of two that brings W near 1 */
    const double *in;                /* [width][cols] */
    double *out;                     /* [width][cols] */
    size_t width;                    /* 1..GRAM_WIDTH */
    struct gram_sums *sums;          /* NULL: not measured */
    void *work;                      /* gram_work_size_*(rows, cols) bytes, 64-byte aligned */
};

size_t gram_work_size_f32(size_t rows, size_t cols);
size_t gram_work_size_f64(size_t rows, size_t cols);
void gram_pass_f32(const struct gram_pass *pass);
void gram_pass_f64(const struct gram_pass *pass);

/* Rows [begin, begin + count) of a view as dense row-major [count][cols]. */
void tile_load_f32(const struct matrix_view *view, size_t begin, size_t count, float *tile);
void tile_load_f64(const struct matrix_view *view, size_t begin, size_t count, double *tile);

#endif
