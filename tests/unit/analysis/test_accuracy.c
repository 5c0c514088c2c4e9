/* The tracker and layer rotation against LAPACK and long double, over thousands of updates: random
 * shapes, dtypes, layouts, spectra, gaps and drifts. */
#include "daemon/analysis/rotation.h"
#include "daemon/analysis/spectrum.h"
#include "daemon/analysis/undefined.h"
#include "tests/unit/analysis/reference.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COURSES = SANITIZED ? 100 : 1500, SNAPSHOTS = 8, LARGE_SNAPSHOTS = 3 };

/* What remains of the second pair and the bulk when the first singular value is 1. */
enum spectrum_kind { POWER_LAW, FLAT, SPIKED, SPECTRUM_KINDS };

/* How the matrix moves: by noise, or along one direction of rank one as momentum drives it. */
enum drift_kind { NOISE, MOMENTUM, DRIFT_KINDS };

struct course {
    size_t rows, cols;
    enum dtype dtype;
    int transposed;
    enum spectrum_kind kind;
    double gap;
    enum drift_kind drift_kind;
    double drift; /* ||dW|| / ||W|| a snapshot */
    unsigned snapshots;
    double target; /* of the residual */
};

/* What LAPACK says of the stored numbers. */
struct truth {
    size_t count;
    double *lambda; /* squared singular values, descending */
    double *v1;
    double square; /* sum of w^2 */
};

static double uniform(struct random_source *random, double low, double high)
{
    return low + (high - low) * random_uniform(random);
}

static size_t below(struct random_source *random, size_t n)
{
    return (size_t)(random_uniform(random) * (double)n);
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Eigenvalues and vectors of the smaller one of W W^T and W^T W. */
static struct truth truth_of(const struct sample *w)
{
    size_t rows = w->rows, cols = w->cols, n = rows < cols ? rows : cols;
    struct truth truth = {.count = n,
        .lambda = must_alloc(n, sizeof(double)),
        .v1 = must_alloc(cols, sizeof(double)),
        .square = dot(w->values, w->values, rows * cols)};
    double *gram = must_alloc(n * n, sizeof(double));
    cblas_dsyrk(CblasRowMajor, CblasUpper, n == rows ? CblasNoTrans : CblasTrans, (blasint)n,
        (blasint)(n == rows ? cols : rows), 1, w->values, (blasint)cols, 0, gram, (blasint)n);
    assert_int_equal(LAPACKE_dsyevd(LAPACK_ROW_MAJOR, 'V', 'U', (lapack_int)n, gram, (lapack_int)n,
                         truth.lambda),
        0);
    double *top = must_alloc(n, sizeof(double));
    for (size_t i = 0; i < n; i++)
        top[i] = gram[i * n + n - 1];
    if (n == rows)
        cblas_dgemv(CblasRowMajor, CblasTrans, (blasint)rows, (blasint)cols,
            1 / sqrt(truth.lambda[n - 1]), w->values, (blasint)cols, top, 1, 0, truth.v1, 1);
    else
        memcpy(truth.v1, top, n * sizeof(double));
    for (size_t i = 0; i < n / 2; i++) {
        double value = truth.lambda[i];
        truth.lambda[i] = truth.lambda[n - 1 - i];
        truth.lambda[n - 1 - i] = value;
    }
    free(gram);
    free(top);
    return truth;
}

static void truth_free(struct truth *truth)
{
    free(truth->lambda);
    free(truth->v1);
}

static void check(const char *what, double error, double bound)
{
    note_error(what, error / bound);
    if (!(error <= bound))
        fail_msg("%s: %g, expected at most %g", what, error, bound);
}

/* Sums and products of float lanes, or of double ones. */
static double rounding(const struct course *course)
{
    bool in_double = course->dtype == DTYPE_F64 || course->rows * course->cols <= 1u << 20;
    return in_double ? 1e-12 : 1e-6;
}

static void check_values(
    const struct course *course, const struct truth *truth, const struct spectrum_result *got)
{
    double lambda1 = truth->lambda[0], theta1 = got->sigma1 * got->sigma1, slack = rounding(course);
    check("sigma1 too large", got->sigma1 / sqrt(lambda1) - 1, slack);
    /* Where all the others are equal and the first is next to them, any vector is nearly a singular
     * one: a residual of 1e-3 cannot tell it from the first. */
    double gap = truth->count > 1 ? 1 - sqrt(truth->lambda[1] / lambda1) : 1;
    bool blind = course->kind == FLAT && gap < 3e-3;
    check(blind ? "sigma1 among equals" : "sigma1", fabs(got->sigma1 / sqrt(lambda1) - 1),
        got->residual * got->residual + (blind ? 2e-3 : 1e-4) + slack);
    check("stable rank", fabs(got->stable_rank * theta1 / truth->square - 1), slack);
    assert_int_equal(analysis_is_defined(got->sigma2), truth->count > 1);
    if (truth->count == 1)
        return;
    /* A Ritz value lies within its residual of an eigenvalue. */
    double theta2 = got->sigma2 * got->sigma2, nearest = INFINITY;
    for (size_t i = 0; i < truth->count; i++)
        nearest = fmin(nearest, fabs(truth->lambda[i] - theta2));
    check("residual2", nearest, got->residual2 * theta2 + slack * lambda1);
    check("sigma2 too large", theta2 - truth->lambda[1], slack * lambda1);
    check("gap", fabs(got->gap - (1 - got->sigma2 / got->sigma1)), 1e-12);
}

/* `v`: as published. */
static void check_direction(const struct course *course, const struct sample *w,
    const struct truth *truth, const struct spectrum_result *got, const double *v)
{
    double residual = exact_residual(w->values, w->rows, w->cols, v);
    if (residual > 1e-6 || got->residual > 1e-6)
        check("ratio of residuals", fmax(residual / got->residual, got->residual / residual), 2);
    double cosine = dot(v, truth->v1, w->cols), theta = got->sigma1 * got->sigma1;
    double apart = 0, sign = cosine < 0 ? -1 : 1;
    for (size_t c = 0; c < w->cols; c++)
        apart += (v[c] - sign * truth->v1[c]) * (v[c] - sign * truth->v1[c]);
    double sine = sqrt(apart * (1 - apart / 4)), rest = truth->count > 1 ? truth->lambda[1] : 0;
    if (theta > rest)
        check("angle of v1", sine,
            (got->residual + rounding(course)) * theta / (theta - rest) + 1e-6);
    check("length of v1", fabs(dot(v, v, w->cols) - 1), 1e-6);
}

static void check_continuity(
    const struct spectrum_result *got, const double *v, const double *previous, size_t n)
{
    assert_int_equal(analysis_is_defined(got->turn), previous != NULL);
    double cosine = previous ? dot(v, previous, n) : 0, apart = 0;
    double highest = 0, lowest = 0;
    for (size_t i = 0; i < n; i++) {
        highest = fmax(highest, v[i]);
        lowest = fmin(lowest, v[i]);
    }
    if (got->broke)
        assert_true(fabs(cosine) < 0.5 + 1e-6 && highest >= -lowest * (1 - 1e-6));
    else
        assert_true(cosine > 0.5 - 1e-6);
    for (size_t i = 0; previous && i < n; i++) {
        double turned = v[i] - (cosine < 0 ? -1 : 1) * previous[i];
        apart += turned * turned;
    }
    if (previous)
        check("turn", fabs(got->turn - apart / 2), 1e-12 * (1 + apart));
}

/* The target is met unless the budget, which is kept, was too small. */
static void check_passes(const struct course *course, const struct spectrum_result *got, bool warm)
{
    bool cached = course->rows * course->cols * dtype_size(course->dtype) <= (size_t)4 << 20;
    unsigned budget = warm ? (cached ? 16 : 8) : (cached ? 32 : 16);
    assert_true(got->passes >= 1 && got->passes <= budget);
    assert_true(got->residual <= course->target || got->passes == budget);
}

static void check_rotation(const struct course *course, const struct sample *w,
    const struct sample *w0, const struct sample *previous, const struct weight_sums *sums)
{
    struct rotation got = rotation_of(sums);
    size_t n = w->rows * w->cols;
    double exact = exact_rotation(w->values, w0->values, n), apart = 0, slack = rounding(course);
    for (size_t i = 0; i < n; i++)
        apart += (w->values[i] - w0->values[i]) * (w->values[i] - w0->values[i]);
    double drift = sqrt(apart / dot(w0->values, w0->values, n));
    check("norm", fabs(got.norm / sqrt(dot(w->values, w->values, n)) - 1), slack);
    check("drift", fabs(got.drift - drift), slack * drift);
    check("rotation from the start", fabs(got.from_init - exact), 1e-4 * exact + 1e-12);
    assert_int_equal(analysis_is_defined(got.step), previous != NULL);
    if (!previous)
        return;
    exact = exact_rotation(w->values, previous->values, n);
    check("rotation of a step", fabs(got.step - exact), 1e-4 * exact + 1e-12);
}

/* Singular values below 1, in elements whose mean square is 1/16: in the range of every dtype. */
static double *start(struct random_source *random, const struct course *course)
{
    size_t rows = course->rows, cols = course->cols, n = rows * cols;
    size_t least = rows < cols ? rows : cols, count = n > 1u << 20 && least > 40 ? 40 : least;
    double *sigma = must_alloc(count, sizeof(double)), *values = must_alloc(n, sizeof(double));
    double exponent = uniform(random, 0.2, 1.5);
    for (size_t i = 1; i < count; i++) {
        double spike = i < 4 ? pow(0.9, (double)i - 1) : uniform(random, 0.1, 0.2);
        double others = course->kind == POWER_LAW ? pow((double)i, -exponent)
                        : course->kind == FLAT    ? 1
                                                  : spike;
        sigma[i] = (1 - course->gap) * others;
    }
    sigma[0] = 1;
    matrix_with_spectrum(random, rows, cols, sigma, count, values);
    cblas_dscal((blasint)n, sqrt((double)n) / 4 / cblas_dnrm2((blasint)count, sigma, 1), values, 1);
    free(sigma);
    return values;
}

/* A random step of rank one or of full rank. */
static double *heading(struct random_source *random, const struct course *course)
{
    size_t rows = course->rows, cols = course->cols;
    double *step = must_alloc(rows * cols, sizeof(double)), *row = must_alloc(cols, sizeof(double));
    random_fill(random, row, cols);
    for (size_t r = 0; r < rows; r++) {
        if (course->drift_kind == NOISE)
            random_fill(random, row, cols);
        double height = course->drift_kind == NOISE ? 1 : random_normal(random);
        for (size_t c = 0; c < cols; c++)
            step[r * cols + c] = height * row[c];
    }
    free(row);
    return step;
}

static void drift_along(const struct course *course, const double *step, double *values)
{
    blasint n = (blasint)(course->rows * course->cols);
    double length = course->drift * cblas_dnrm2(n, values, 1) / cblas_dnrm2(n, step, 1);
    cblas_daxpy(n, length, step, 1, values, 1);
}

static unsigned updates;

static void follow(const struct course *course, uint64_t seed)
{
    struct random_source random = {seed};
    size_t cols = course->cols;
    double *values = start(&random, course), *step = heading(&random, course);
    struct spectrum_options options = {.seed = seed, .target_residual = course->target};
    struct spectrum *spectrum = spectrum_new(course->rows, cols, &options);
    struct sample snapshot[SNAPSHOTS];
    struct matrix matrix[SNAPSHOTS];
    struct baseline_sums baseline = {.known = false};
    double *previous = NULL;
    for (unsigned i = 0; i < course->snapshots; i++) {
        snapshot[i] = sample_of(values, course->rows, cols, course->dtype, course->transposed);
        matrix[i] = matrix_of(&snapshot[i].view);
        struct spectrum_result got;
        assert_int_equal(spectrum_update(spectrum, &matrix[i], &matrix[0], &baseline,
                             i > 0 ? &matrix[i - 1] : NULL, &got),
            0);
        assert_true(baseline.known);
        double *v = must_alloc(cols, sizeof(double));
        for (size_t c = 0; c < cols; c++)
            v[c] = (double)spectrum_v1(spectrum)[c];
        struct truth truth = truth_of(&snapshot[i]);
        check_values(course, &truth, &got);
        check_direction(course, &snapshot[i], &truth, &got, v);
        check_continuity(&got, v, previous, cols);
        check_passes(course, &got, i > 0);
        check_rotation(
            course, &snapshot[i], &snapshot[0], i > 0 ? &snapshot[i - 1] : NULL, &got.sums);
        truth_free(&truth);
        free(previous);
        previous = v;
        drift_along(course, step, values);
        updates++;
    }
    for (unsigned i = 0; i < course->snapshots; i++)
        sample_free(&snapshot[i]);
    free(previous);
    free(values);
    free(step);
    spectrum_free(spectrum);
}

/* Gaps from 1e-4 to 0.5, drifts of 0 and from 1e-5 to 5e-2. */
static struct course random_course(struct random_source *random, size_t rows, size_t cols)
{
    return (struct course){.rows = rows,
        .cols = cols,
        .dtype = (enum dtype)below(random, DTYPE_COUNT),
        .transposed = below(random, 2) == 0,
        .kind = (enum spectrum_kind)below(random, SPECTRUM_KINDS),
        .gap = pow(10, uniform(random, -4, log10(0.5))),
        .drift_kind = (enum drift_kind)below(random, DRIFT_KINDS),
        .drift = below(random, 6) == 0 ? 0 : pow(10, uniform(random, -5, log10(5e-2))),
        .snapshots = SNAPSHOTS,
        .target = below(random, 4) == 0 ? pow(10, uniform(random, -6, -3)) : 1e-3};
}

static void follows_random_matrices(void **state)
{
    struct random_source random = {201};
    for (uint64_t i = 0; i < COURSES; i++) {
        size_t rows = (size_t)pow(300.9, random_uniform(&random));
        size_t cols = (size_t)pow(300.9, random_uniform(&random));
        struct course course = random_course(&random, rows, cols);
        follow(&course, 1000 + i);
    }
}

/* Above a million elements the kernels work in float. */
static void follows_large_matrices(void **state)
{
    static const size_t shapes[][2] = {{300, 3600}, {3600, 300}, {130, 8200}};
    struct random_source random = {202};
    for (size_t i = 0; i < (SANITIZED ? 1 : 3) * DTYPE_COUNT; i++) {
        const size_t *shape = shapes[(i + i / DTYPE_COUNT) % 3];
        struct course course = random_course(&random, shape[0], shape[1]);
        course.dtype = (enum dtype)(i % DTYPE_COUNT);
        course.snapshots = LARGE_SNAPSHOTS;
        follow(&course, 2000 + i);
    }
}

static void check_scale_apart(
    size_t rows, size_t cols, const double *x, const double *y, double scale)
{
    size_t n = rows * cols;
    double *scaled = must_alloc(n, sizeof(double));
    for (size_t i = 0; i < n; i++)
        scaled[i] = scale * x[i];
    struct sample w = sample_of(scaled, rows, cols, DTYPE_F32, 0);
    struct sample w0 = sample_of(y, rows, cols, DTYPE_F32, 0);
    struct spectrum_options options = {.seed = 3};
    struct spectrum *spectrum = spectrum_new(rows, cols, &options);
    struct spectrum_result got;
    assert_int_equal(spectrum_update_views(spectrum, &w.view, &w0.view, NULL, &got), 0);
    struct rotation rotation = rotation_of(&got.sums);
    assert_int_equal(analysis_is_defined(got.sigma1), scale > 0);
    assert_true(fabs(rotation.norm - sqrt(dot(w.values, w.values, n))) <= 1e-6 * rotation.norm);
    for (size_t i = 0; i < n; i++)
        scaled[i] = w.values[i] - w0.values[i];
    double drift = sqrt(dot(scaled, scaled, n) / dot(w0.values, w0.values, n));
    assert_true(fabs(rotation.drift - drift) <= 1e-6 * drift);
    double exact = exact_rotation(w.values, w0.values, n);
    assert_int_equal(analysis_is_defined(rotation.from_init), scale > 1e-5 && scale < 1e5);
    if (analysis_is_defined(rotation.from_init))
        check("rotation across scales", fabs(rotation.from_init - exact), 1e-3);
    spectrum_free(spectrum);
    sample_free(&w);
    sample_free(&w0);
    free(scaled);
}

/* Weights that are nothing beside their baseline, or the other way round: right, or undefined beyond 1e5. */
static void a_baseline_of_another_scale(void **state)
{
    static const size_t shapes[][2] = {{40, 30}, {300, 3600}};
    static const double scales[] = {0, 1e-30, 1e-9, 1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6, 1e9, 1e30};
    struct random_source random = {203};
    for (size_t s = 0; s < 2; s++) {
        size_t rows = shapes[s][0], cols = shapes[s][1];
        double *x = must_alloc(rows * cols, sizeof(double));
        double *y = must_alloc(rows * cols, sizeof(double));
        random_fill(&random, x, rows * cols);
        random_fill(&random, y, rows * cols);
        for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++) {
            check_scale_apart(rows, cols, x, x, scales[i]);
            check_scale_apart(rows, cols, x, y, scales[i]);
        }
        free(x);
        free(y);
    }
}

int main(void)
{
    if (!kernels_as_asked())
        return TEST_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_random_matrices),
        cmocka_unit_test(follows_large_matrices),
        cmocka_unit_test(a_baseline_of_another_scale),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("updates: %u; errors as shares of their bounds:\n", updates);
    print_errors();
    return failed;
}
