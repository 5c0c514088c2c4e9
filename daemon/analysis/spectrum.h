/* The two largest singular values of a layer's W, [rows, cols] = [out, in], and v1, the direction in
 * input space of the first, followed from snapshot to snapshot.
 *
 * A warm-started block Krylov iteration with a Rayleigh-Ritz step: the matrix is read until the residual
 * meets its target or the budget is spent (lab/TRACKER.md; block Lanczos with Rayleigh-Ritz: Golub and Van
 * Loan, Matrix Computations, 10.3). The same reading yields the squared lengths of layer rotation
 * (rotation.h). One object a layer; calls on one object must not overlap, different ones are independent.
 */
#ifndef FORESHOCK_ANALYSIS_SPECTRUM_H
#define FORESHOCK_ANALYSIS_SPECTRUM_H

#include "daemon/analysis/error.h"
#include "daemon/analysis/matrix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields that are 0 take their default. */
struct spectrum_options {
    uint64_t seed;          /* of the random directions */
    double target_residual; /* of the first pair; default 1e-3 */
    /* Budget of a snapshot of up to 4 MiB, which stays in cache; default 16. */
    unsigned passes_small;
    unsigned passes_large; /* of a larger one; default 8 */
    unsigned passes_cold;  /* of the first snapshot; default 32, or 16 above 4 MiB */
};

/* Squared lengths for the rotation (rotation.h), of w and of a reference r; relative error below 1e-6,
 * below 1e-14 up to 2^20 elements. */
struct weight_sums {
    double square; /* sum of w^2 */
    struct reference_sums {
        double square;     /* sum of r^2 */
        double difference; /* sum of (w - r)^2 */
        double noise; /* sums of the squared spacing of the dtype at w and at r, narrow dtypes only;
                         else 0 */
    } init, prev;     /* zeroes where no such matrix was given */
    bool narrow_init; /* W or W0 has a 16- or 8-bit dtype */
    bool narrow_prev;
};

/* Figures are ANALYSIS_UNDEFINED (figure.h) where they have no value: all of them for a zero matrix and for
 * one that holds a NaN or an infinity, the second pair where min(rows, cols) is 1, turn without a
 * previous snapshot, a residual where its singular value is 0. */
struct spectrum_result {
    double sigma1;      /* the largest singular value: the square root of the largest Ritz value */
    double sigma2;      /* the second one; has no target, see residual2 */
    double gap;         /* 1 - sigma2 / sigma1, in [0, 1] */
    double stable_rank; /* |W|_F^2 / sigma1^2, in [1, min(rows, cols)] */
    double turn;        /* 1 - |cos(v1, previous v1)|, computed as |v - v'|^2 / 2, in [0, 1] */
    /* |W^T W v1 - sigma1^2 v1| / sigma1^2 of v1 before it is rounded to float (which is 6e-8 more), with the rounding
     * of the kernels in it: 1e-15, or 1e-7 above 2^20 elements. */
    double residual;
    double residual2;   /* the same of the second pair, relative to sigma2^2 */
    unsigned passes;    /* readings of the matrix, the measuring one included */
    bool broke;         /* the sign of v1 was chosen anew (its component of largest magnitude made
                           positive): at a cold start, and where |<v1, previous v1>| < 0.5 */
    uint64_t nonfinite; /* elements that are NaN or infinite; if any, the state stays as it was */
    struct weight_sums sums; /* meaningless if nonfinite */
};

struct spectrum;

/* A tracker for matrices of rows x cols, both 1..INT_MAX. Its state is 9 * cols floats; an update needs
 * work of some hundred times cols doubles while it lasts. Returns NULL out of memory. */
struct spectrum *spectrum_new(size_t rows, size_t cols, const struct spectrum_options *options);
void spectrum_free(struct spectrum *spectrum); /* takes NULL */

/* What is known of a baseline once it was read: filled by the first update against it. */
struct baseline_sums {
    bool known;        /* false: measure it */
    double square;     /* sum of r^2 */
    double ulp_square; /* sum of the squared spacing of its dtype, narrow dtypes only; else 0 */
};

/* Takes in the snapshot w. w0 is the baseline and prev the previous snapshot, for the rotation, or
 * NULL; w0_sums belongs to w0, or is NULL to measure it anew. All have the tracker's shape, may be of
 * different dtypes and strides, and may be in parts, cut at different rows; each is read in place,
 * passes times w, once the others. Returns 0 or an error of error.h. */
int spectrum_update(struct spectrum *spectrum, const struct matrix *w, const struct matrix *w0,
    struct baseline_sums *w0_sums, const struct matrix *prev, struct spectrum_result *out);

/* v1 of the last snapshot that had one, a unit vector [cols], its sign continued from snapshot to snapshot;
 * valid until the next call. NULL before the first. */
const float *spectrum_v1(const struct spectrum *spectrum);

#endif
