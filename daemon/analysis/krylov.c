/* Block Rayleigh-Ritz with full reorthogonalisation and thick restart. */
#include "daemon/analysis/krylov.h"

#include "daemon/analysis/error.h"
#include "daemon/analysis/vector.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_BLOCKS 10
#define KEPT_BLOCKS     4 /* what a restart keeps */

/* A vector that keeps less than this of its length when made orthogonal is dependent. */
#define DEPENDENT 1e-8

/* Not cleared: most of a basis is never used. */
static double *doubles(size_t rows, size_t cols)
{
    return malloc(rows * cols * sizeof(double));
}

int krylov_init(struct krylov *krylov, size_t cols, size_t width, double noise)
{
    size_t wanted = CAPACITY_BLOCKS * width;
    size_t capacity = wanted < cols ? wanted : cols;
    *krylov = (struct krylov){.cols = cols, .width = width, .capacity = capacity, .noise = noise};
    krylov->q = doubles(capacity, cols);
    krylov->aq = doubles(capacity, cols);
    krylov->h = doubles(capacity, capacity);
    krylov->theta = doubles(capacity, 1);
    krylov->coeff = doubles(capacity, capacity);
    krylov->ritz = doubles(width, cols);
    krylov->residual = doubles(width, cols);
    krylov->norm = doubles(width, 1);
    krylov->small = doubles(capacity, capacity);
    krylov->eigen_work = doubles(1 + 6 * capacity + 2 * capacity * capacity, 1);
    krylov->eigen_iwork = calloc(3 + 5 * capacity, sizeof(int));
    bool complete = krylov->q && krylov->aq && krylov->h && krylov->theta && krylov->coeff &&
                    krylov->ritz && krylov->residual && krylov->norm && krylov->small &&
                    krylov->eigen_work && krylov->eigen_iwork;
    return complete ? 0 : ANALYSIS_MEMORY;
}

void krylov_free(struct krylov *krylov)
{
    free(krylov->q);
    free(krylov->aq);
    free(krylov->h);
    free(krylov->theta);
    free(krylov->coeff);
    free(krylov->ritz);
    free(krylov->residual);
    free(krylov->norm);
    free(krylov->small);
    free(krylov->swap);
    free(krylov->eigen_work);
    free(krylov->eigen_iwork);
    *krylov = (struct krylov){0};
}

/* C = alpha op(A) B + beta C on column-major matrices; op(A) is [m, k], B [k, n]. */
static void multiply(CBLAS_TRANSPOSE op, size_t m, size_t n, size_t k, double alpha,
    const double *a, size_t lda, const double *b, size_t ldb, double beta, double *c, size_t ldc)
{
    if (m == 0 || n == 0 || k == 0)
        return;
    if (n == 1) { /* gemm would copy A first */
        size_t rows = op == CblasTrans ? k : m, cols = op == CblasTrans ? m : k;
        cblas_dgemv(CblasColMajor, op, (blasint)rows, (blasint)cols, alpha, a, (blasint)lda, b, 1,
            beta, c, 1);
        return;
    }
    cblas_dgemm(CblasColMajor, op, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, alpha, a,
        (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

static double normalise(double *vector, size_t n)
{
    double norm = sqrt(vector_dot(vector, vector, n));
    if (norm > 0)
        cblas_dscal((blasint)n, 1 / norm, vector, 1);
    return norm;
}

/* Gram-Schmidt within a block of unit vectors; dependent ones are dropped. Returns how many are
 * left. */
static size_t orthonormalise(double *block, size_t count, size_t cols)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        double *vector = block + kept * cols;
        if (kept != i)
            memcpy(vector, block + i * cols, cols * sizeof(*vector));
        bool dependent = false;
        for (int round = 0; round < 2 && !dependent; round++) {
            for (size_t j = 0; j < kept; j++)
                cblas_daxpy((blasint)cols, -vector_dot(block + j * cols, vector, cols),
                    block + j * cols, 1, vector, 1);
            dependent = normalise(vector, cols) < DEPENDENT;
        }
        kept += !dependent;
    }
    return kept;
}

size_t krylov_append(struct krylov *krylov, const double *vectors, size_t count)
{
    size_t cols = krylov->cols;
    size_t before = krylov->size + krylov->waiting;
    size_t room = krylov->capacity - before;
    double *block = krylov->q + before * cols;
    count = count < room ? count : room;
    memcpy(block, vectors, count * cols * sizeof(*block));
    for (size_t i = 0; i < count; i++)
        normalise(block + i * cols, cols);
    for (int round = 0; round < 2; round++) {
        multiply(CblasTrans, before, count, cols, 1, krylov->q, cols, block, cols, 0, krylov->small,
            before);
        multiply(CblasNoTrans, cols, count, before, -1, krylov->q, cols, krylov->small, before, 1,
            block, cols);
        count = orthonormalise(block, count, cols);
    }
    krylov->waiting += count;
    return krylov->waiting;
}

const double *krylov_block(const struct krylov *krylov)
{
    return krylov->q + krylov->size * krylov->cols;
}

double *krylov_products(const struct krylov *krylov)
{
    return krylov->aq + krylov->size * krylov->cols;
}

/* The new columns of H = Q^T A Q, mirrored; where both of a pair of elements were computed, their
 * mean. */
static void extend_projection(struct krylov *krylov)
{
    size_t before = krylov->size, lead = krylov->capacity;
    size_t after = before + krylov->waiting;
    multiply(CblasTrans, after, krylov->waiting, krylov->cols, 1, krylov->q, krylov->cols,
        krylov_products(krylov), krylov->cols, 0, krylov->h + before * lead, lead);
    for (size_t col = before; col < after; col++) {
        for (size_t row = 0; row < col; row++) {
            double *upper = krylov->h + col * lead + row;
            double *lower = krylov->h + row * lead + col;
            if (row >= before)
                *upper = (*upper + *lower) / 2;
            *lower = *upper;
        }
    }
    krylov->size = after;
    krylov->waiting = 0;
}

static int solve_projection(struct krylov *krylov)
{
    size_t n = krylov->size;
    for (size_t col = 0; col < n; col++)
        memcpy(krylov->coeff + col * n, krylov->h + col * krylov->capacity, n * sizeof(double));
    lapack_int order = (lapack_int)n;
    lapack_int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', order, krylov->coeff, order,
        krylov->theta, krylov->eigen_work, 1 + 6 * order + 2 * order * order, krylov->eigen_iwork,
        3 + 5 * order);
    if (info != 0)
        return ANALYSIS_DIVERGED;
    for (size_t i = 0; i < n / 2; i++) {
        double value = krylov->theta[i];
        krylov->theta[i] = krylov->theta[n - 1 - i];
        krylov->theta[n - 1 - i] = value;
    }
    return 0;
}

/* out = columns * (the `count` leading Ritz vectors), leading one first. */
static void combine(const struct krylov *krylov, const double *columns, size_t count, double *out)
{
    size_t n = krylov->size;
    for (size_t i = 0; i < count; i++)
        memcpy(krylov->small + i * n, krylov->coeff + (n - 1 - i) * n, n * sizeof(double));
    multiply(CblasNoTrans, krylov->cols, count, n, 1, columns, krylov->cols, krylov->small, n, 0,
        out, krylov->cols);
}

int krylov_absorb(struct krylov *krylov)
{
    size_t cols = krylov->cols;
    extend_projection(krylov);
    if (solve_projection(krylov) != 0)
        return ANALYSIS_DIVERGED;
    krylov->pairs = krylov->width < krylov->size ? krylov->width : krylov->size;
    combine(krylov, krylov->q, krylov->pairs, krylov->ritz);
    combine(krylov, krylov->aq, krylov->pairs, krylov->residual);
    for (size_t i = 0; i < krylov->pairs; i++) {
        double *residual = krylov->residual + i * cols;
        cblas_daxpy((blasint)cols, -krylov->theta[i], krylov->ritz + i * cols, 1, residual, 1);
        krylov->norm[i] = sqrt(vector_dot(residual, residual, cols));
    }
    return 0;
}

/* Presses the basis into its leading Ritz vectors. Returns 0 or an error of error.h. */
static int restart(struct krylov *krylov)
{
    size_t kept = KEPT_BLOCKS * krylov->width, lead = krylov->capacity;
    size_t bytes = kept * krylov->cols * sizeof(double);
    if (!krylov->swap)
        krylov->swap = doubles(kept, krylov->cols);
    if (!krylov->swap)
        return ANALYSIS_MEMORY;
    combine(krylov, krylov->q, kept, krylov->swap);
    memcpy(krylov->q, krylov->swap, bytes);
    combine(krylov, krylov->aq, kept, krylov->swap);
    memcpy(krylov->aq, krylov->swap, bytes);
    memset(krylov->h, 0, lead * lead * sizeof(double));
    for (size_t i = 0; i < kept; i++)
        krylov->h[i * lead + i] = krylov->theta[i];
    krylov->size = kept;
    return 0;
}

/* theta + |r|^2 / theta of a pair: the Rayleigh quotient of A^(1/2) v, so the largest eigenvalue is
 * not below it. 0 where theta is rounding. */
static double floor_of(const struct krylov *krylov, size_t pair)
{
    double theta = krylov->theta[pair], norm = krylov->norm[pair];
    return theta > krylov->noise * krylov->theta[0] ? theta + norm * norm / theta : 0;
}

/* The pair whose residual promises most: the first one, then that of the largest floor. Returns
 * `pairs` when all that is left of the others is rounding. */
static size_t next_pair(const struct krylov *krylov, unsigned taken)
{
    size_t best = krylov->pairs;
    for (size_t i = 0; i < krylov->pairs; i++) {
        if ((taken >> i & 1) || krylov->norm[i] <= krylov->noise * krylov->theta[0])
            continue;
        if (i == 0)
            return 0;
        if (best == krylov->pairs || floor_of(krylov, i) > floor_of(krylov, best))
            best = i;
    }
    return best;
}

int krylov_expand(struct krylov *krylov, size_t count)
{
    if (krylov->size == krylov->cols)
        return 0;
    if (krylov->size == krylov->capacity && restart(krylov) != 0)
        return ANALYSIS_MEMORY;
    unsigned taken = 0;
    size_t pair;
    while (krylov->waiting < count && (pair = next_pair(krylov, taken)) < krylov->pairs) {
        krylov_append(krylov, krylov->residual + pair * krylov->cols, 1);
        taken |= 1u << pair;
    }
    return (int)krylov->waiting;
}

double krylov_residual(const struct krylov *krylov, size_t pair)
{
    double theta = krylov->theta[pair];
    if (!(theta > 0))
        return INFINITY;
    return hypot(krylov->norm[pair], krylov->noise * krylov->theta[0]) / theta;
}

double krylov_error(const struct krylov *krylov)
{
    double top = krylov->theta[0];
    double inside = 0, bound = INFINITY, proven = 0;
    for (size_t i = 0; i < krylov->pairs; i++) {
        inside += krylov->norm[i] * krylov->norm[i];
        double outside = i + 1 < krylov->size ? krylov->theta[i + 1] : 0;
        if (i + 1 < krylov->pairs)
            outside += krylov->norm[i + 1];
        if (outside < top)
            bound = fmin(bound, inside / (2 * top * (top - outside)));
        proven = fmax(proven, (floor_of(krylov, i) / top - 1) / 2);
    }
    return fmax(bound, proven);
}

void krylov_polish(struct krylov *krylov)
{
    size_t cols = krylov->cols;
    double shift = fmax(krylov->theta[krylov->pairs - 1], 0) / 2;
    for (size_t i = 0; i < krylov->pairs; i++) {
        double *vector = krylov->ritz + i * cols;
        if (krylov->theta[i] > krylov->noise * krylov->theta[0])
            cblas_daxpy((blasint)cols, 1 / (krylov->theta[i] - shift), krylov->residual + i * cols,
                1, vector, 1);
        normalise(vector, cols);
    }
}
