/* A growing orthonormal basis Q of R^cols with A Q beside it, and its Rayleigh-Ritz pairs, for A =
 * W^T W.
 *
 * The numerical heart of the spectrum tracker. The caller multiplies: krylov_block shows the
 * vectors that wait for A, krylov_absorb takes the products in. When the basis is full it is
 * pressed into its leading Ritz vectors (thick restart), so memory is bounded. Lives for one
 * update; not thread-safe on one object. */
#ifndef FORESHOCK_ANALYSIS_KRYLOV_H
#define FORESHOCK_ANALYSIS_KRYLOV_H

#include <stdbool.h>
#include <stddef.h>

struct krylov {
    size_t cols;
    size_t width;    /* vectors of a full block, 1..GRAM_WIDTH */
    size_t capacity; /* columns that Q holds at most */
    double noise;    /* relative error of a product A q */

    size_t size;    /* columns of Q whose product is in */
    size_t waiting; /* columns behind them whose product is not */
    double *q;      /* [capacity][cols] */
    double *aq;     /* [capacity][cols] */
    double *h;      /* Q^T A Q, column-major with leading dimension capacity */

    size_t pairs;     /* Ritz pairs below: min(width, size) */
    double *theta;    /* [size] Ritz values, descending */
    double *coeff;    /* [size] columns of leading dimension size: Ritz vectors in Q, ascending as
                         LAPACK leaves them */
    double *ritz;     /* [pairs][cols] leading Ritz vectors */
    double *residual; /* [pairs][cols] A v - theta v */
    double *norm;     /* [pairs] lengths of the residuals */

    double *small; /* [capacity][capacity] scratch of the projections */
    double *swap;  /* scratch of the restart, allocated at the first one */
    double *eigen_work;
    int *eigen_iwork;
};

/* Returns 0, or ANALYSIS_MEMORY (error.h; then krylov_free is still due). `noise` is that of the kernels
 * used. */
int krylov_init(struct krylov *krylov, size_t cols, size_t width, double noise);
void krylov_free(struct krylov *krylov);

/* Appends up to `count` vectors ([count][cols], any length above 0) to the waiting block, made
 * orthonormal to Q and to each other; dependent ones are dropped. Returns how many wait now. */
size_t krylov_append(struct krylov *krylov, const double *vectors, size_t count);

/* The waiting vectors [waiting][cols], and where their products go. */
const double *krylov_block(const struct krylov *krylov);
double *krylov_products(const struct krylov *krylov);

/* Takes the products in and solves the Rayleigh-Ritz problem. Returns 0, or ANALYSIS_DIVERGED
 * if LAPACK did not converge. */
int krylov_absorb(struct krylov *krylov);

/* Appends the residuals of `count` pairs as the next block, restarting first where the basis is
 * full: the first pair's, then those that promise most. Returns the vectors that wait; 0 when the
 * basis spans an invariant subspace; or
 * ANALYSIS_MEMORY. */
int krylov_expand(struct krylov *krylov, size_t count);

/* The residual of a pair (0-based) relative to its Ritz value, with the noise of the products in
 * it; infinite for a Ritz value of 0. */
double krylov_residual(const struct krylov *krylov, size_t pair);

/* The relative error of sqrt(theta[0]): from the residuals of the leading pairs and their distance to
 * the first Ritz value outside, a bound once these pairs have settled (infinite where there is no
 * such distance); or more, where a pair proves that the basis misses a larger eigenvalue. */
double krylov_error(const struct krylov *krylov);

/* Takes the Ritz vectors one power step on, v + r / (theta - shift), which needs no product. They
 * are unit vectors still, but no longer those that theta and the residuals are of. */
void krylov_polish(struct krylov *krylov);

#endif
