/* The tracker against a full SVD in double, over drifting random matrices and degenerate ones. */
#include "daemon/analysis/rotation.h"
#include "daemon/analysis/spectrum.h"
#include "daemon/analysis/spectrum_export.h"
#include "daemon/analysis/undefined.h"
#include "tests/unit/analysis/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct spectrum_options defaults = {.seed = 7};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static double *widened(const float *v, size_t n)
{
    double *wide = must_alloc(n, sizeof(double));
    for (size_t i = 0; i < n; i++)
        wide[i] = (double)v[i];
    return wide;
}

/* Holds what was published against the exact decomposition of the stored numbers. */
static void check_against_svd(
    const struct spectrum *spectrum, const struct sample *w, const struct spectrum_result *got)
{
    size_t count = least(w->rows, w->cols);
    double *sigma = must_alloc(count, sizeof(double)), *v1 = must_alloc(w->cols, sizeof(double));
    double *published = widened(spectrum_v1(spectrum), w->cols);
    exact_svd(w->values, w->rows, w->cols, sigma, v1);

    double error1 = fabs(got->sigma1 - sigma[0]) / sigma[0];
    note_error("error of sigma1 beyond residual^2", error1 - got->residual * got->residual);
    assert_true(error1 <= got->residual * got->residual + 1e-6);
    double truth = exact_residual(w->values, w->rows, w->cols, published);
    note_error("residual", truth);
    if (truth > 1e-6 || got->residual > 1e-6) {
        note_error("ratio of residuals", fmax(truth / got->residual, got->residual / truth));
        assert_true(got->residual <= 2 * truth && truth <= 2 * got->residual);
    }
    if (count > 1) {
        double error2 = fabs(got->sigma2 - sigma[1]) / sigma[1];
        note_error("error of sigma2 beyond residual2", error2 - got->residual2);
        assert_true(error2 <= got->residual2 + 1e-6);
        assert_true(fabs(got->gap - (1 - got->sigma2 / got->sigma1)) < 1e-12);
    }
    double square = 0;
    for (size_t i = 0; i < w->rows * w->cols; i++)
        square += w->values[i] * w->values[i];
    assert_true(fabs(got->stable_rank / (square / (got->sigma1 * got->sigma1)) - 1) < 1e-6);
    free(sigma);
    free(v1);
    free(published);
}

/* Adds a random matrix of the relative length `drift`. */
static void drift_by(struct random_source *random, double *values, size_t n, double drift)
{
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += values[i] * values[i];
    double step = drift * sqrt(square / (double)n);
    for (size_t i = 0; i < n; i++)
        values[i] += step * random_normal(random);
}

struct course {
    size_t rows, cols;
    enum dtype dtype;
    int transposed;
    double gap, drift;
};

static unsigned met, samples;

static void follow(const struct course *course, uint64_t seed)
{
    struct random_source random = {seed};
    size_t n = course->rows * course->cols, count = least(course->rows, course->cols);
    double *sigma = must_alloc(count, sizeof(double)), *values = must_alloc(n, sizeof(double));
    double *previous = NULL;
    for (size_t i = 0; i < count; i++)
        sigma[i] = i == 0 ? 1 : (1 - course->gap) * pow(0.97, (double)i - 1);
    matrix_with_spectrum(&random, course->rows, course->cols, sigma, count, values);
    struct spectrum *spectrum = spectrum_new(course->rows, course->cols, &defaults);
    for (int snapshot = 0; snapshot < 5; snapshot++) {
        struct sample w =
            sample_of(values, course->rows, course->cols, course->dtype, course->transposed);
        struct spectrum_result got;
        assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &got), 0);
        check_against_svd(spectrum, &w, &got);
        double *v1 = widened(spectrum_v1(spectrum), course->cols);
        double apart = 0, cosine = 0;
        for (size_t i = 0; previous && i < course->cols; i++) {
            apart += (v1[i] - previous[i]) * (v1[i] - previous[i]);
            cosine += v1[i] * previous[i];
        }
        assert_int_equal(analysis_is_defined(got.turn), snapshot > 0);
        if (snapshot > 0 && !got.broke)
            assert_true(fabs(got.turn - apart / 2) <= 1e-12 * apart && cosine >= 0.5);
        samples++;
        met += got.residual <= 1e-3;
        free(previous);
        previous = v1;
        sample_free(&w);
        drift_by(&random, values, n, course->drift);
    }
    free(previous);
    free(sigma);
    free(values);
    spectrum_free(spectrum);
}

static void follows_drifting_matrices(void **state)
{
    static const size_t shapes[][2] = {
        {1, 50}, {50, 1}, {2, 90}, {96, 64}, {256, 96}, {64, 256}, {300, 300}};
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16, DTYPE_F64};
    static const double gaps[] = {1e-4, 1e-2, 0.1, 0.5}, drifts[] = {0, 1e-3, 1e-2, 5e-2};
    uint64_t seed = 0;
    for (size_t s = 0; s < 7; s++)
        for (size_t d = 0; d < 4; d++)
            for (size_t g = 0; g < 4; g++) {
                size_t drift = (g + d + s) % 4;
                struct course course = {
                    shapes[s][0], shapes[s][1], dtypes[d], (g + d) % 2, gaps[g], drifts[drift]};
                follow(&course, ++seed);
            }
    printf("residual 1e-3 met in %u of %u samples\n", met, samples);
    assert_true(met >= samples * 95 / 100);
}

/* Above a million elements the kernels work in float. */
static void follows_a_large_matrix(void **state)
{
    struct course narrow = {1100, 1000, DTYPE_BF16, 0, 0.05, 1e-2};
    struct course turned = {1000, 1100, DTYPE_F32, 1, 1e-3, 1e-3};
    follow(&narrow, 100);
    follow(&turned, 101);
}

/* Singular values given, any scale; checks them where they are defined. */
static void check_spectrum(
    size_t rows, size_t cols, enum dtype dtype, const double *sigma, size_t count, double scale)
{
    struct random_source random = {rows * 1000 + cols};
    double *values = must_alloc(rows * cols, sizeof(double));
    matrix_with_spectrum(&random, rows, cols, sigma, count, values);
    for (size_t i = 0; i < rows * cols; i++)
        values[i] *= scale;
    struct sample w = sample_of(values, rows, cols, dtype, 0);
    struct spectrum *spectrum = spectrum_new(rows, cols, &defaults);
    struct spectrum_result got;
    for (int snapshot = 0; snapshot < 2; snapshot++) {
        assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &got), 0);
        assert_true(fabs(got.sigma1 / (sigma[0] * scale) - 1) < 1e-6);
        assert_true(got.residual <= 1e-3);
        assert_true(fabs(got.gap - (1 - (count > 1 ? sigma[1] / sigma[0] : 0))) < 1e-6);
    }
    sample_free(&w);
    free(values);
    spectrum_free(spectrum);
}

static void equal_values_one_direction_and_extreme_scales(void **state)
{
    const double equal[] = {2, 2, 1, 0.5}, single[] = {3}, flat[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                 wide[] = {5, 4, 1};
    check_spectrum(60, 80, DTYPE_F64, equal, 4, 1);
    check_spectrum(60, 80, DTYPE_F64, single, 1, 1);
    check_spectrum(80, 60, DTYPE_F32, single, 1, 1);
    check_spectrum(10, 10, DTYPE_F64, flat, 10, 1);
    check_spectrum(12, 40, DTYPE_F64, flat, 10, 1);
    check_spectrum(40, 60, DTYPE_F32, wide, 3, 1e-30);
    check_spectrum(40, 60, DTYPE_F32, wide, 3, 1e30);
    check_spectrum(40, 60, DTYPE_F64, wide, 3, 1e-150);
    check_spectrum(40, 60, DTYPE_F64, wide, 3, 1e150);
    for (double exponent = -140; exponent <= 140; exponent += 7)
        check_spectrum(40, 60, DTYPE_F64, wide, 3, pow(10, exponent));
    check_spectrum(1100, 1000, DTYPE_F32, wide, 3, 1e30);
    check_spectrum(1100, 1000, DTYPE_F32, wide, 3, 1e-30);
}

static void a_zero_matrix_is_undefined_and_leaves_the_state(void **state)
{
    enum { ROWS = 12, COLS = 20 };
    double values[ROWS * COLS], zeros[ROWS * COLS] = {0};
    struct random_source random = {3};
    random_fill(&random, values, ROWS * COLS);
    struct matrix_view zero = matrix_view_rows(zeros, DTYPE_F64, ROWS, COLS);
    struct matrix_view w = matrix_view_rows(values, DTYPE_F64, ROWS, COLS);
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &defaults);
    struct spectrum_result got;
    assert_int_equal(spectrum_update_views(spectrum, &zero, NULL, NULL, &got), 0);
    assert_false(analysis_is_defined(got.sigma1) || analysis_is_defined(got.gap) ||
                 analysis_is_defined(got.stable_rank));
    assert_null(spectrum_v1(spectrum));
    assert_int_equal(spectrum_update_views(spectrum, &w, NULL, NULL, &got), 0);
    assert_true(analysis_is_defined(got.sigma1) && got.broke);
    assert_int_equal(spectrum_update_views(spectrum, &zero, NULL, NULL, &got), 0);
    assert_false(analysis_is_defined(got.sigma1) || analysis_is_defined(got.turn));
    assert_int_equal(spectrum_update_views(spectrum, &w, NULL, NULL, &got), 0);
    assert_true(got.turn < 1e-6 && !got.broke);
    spectrum_free(spectrum);
}

static void zero_columns_stay_zero_in_v1(void **state)
{
    enum { ROWS = 40, COLS = 30 };
    double values[ROWS * COLS];
    struct random_source random = {4};
    random_fill(&random, values, ROWS * COLS);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COLS; c += 3)
            values[r * COLS + c] = 0;
    struct sample w = sample_of(values, ROWS, COLS, DTYPE_F32, 0);
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &defaults);
    struct spectrum_result got;
    assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &got), 0);
    check_against_svd(spectrum, &w, &got);
    for (size_t c = 0; c < COLS; c += 3)
        assert_true(fabs((double)spectrum_v1(spectrum)[c]) <= got.residual);
    sample_free(&w);
    spectrum_free(spectrum);
}

static void non_finite_weights_are_counted_and_leave_the_state(void **state)
{
    enum { ROWS = 33, COLS = 21 };
    float values[ROWS * COLS], spoilt[ROWS * COLS];
    for (size_t i = 0; i < ROWS * COLS; i++)
        values[i] = (float)((i * 2654435761u) % 1000) - 500;
    memcpy(spoilt, values, sizeof(values));
    spoilt[5] = NAN;
    spoilt[100] = INFINITY;
    spoilt[ROWS * COLS - 1] = -INFINITY;
    struct matrix_view good = matrix_view_rows(values, DTYPE_F32, ROWS, COLS);
    struct matrix_view bad = matrix_view_rows(spoilt, DTYPE_F32, ROWS, COLS);
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &defaults),
                    *other = spectrum_new(ROWS, COLS, &defaults);
    struct spectrum_result got, expected;
    assert_int_equal(spectrum_update_views(spectrum, &good, NULL, NULL, &got), 0);
    assert_int_equal(spectrum_update_views(other, &good, NULL, NULL, &expected), 0);
    assert_int_equal(spectrum_update_views(spectrum, &bad, NULL, NULL, &got), 0);
    assert_int_equal(got.nonfinite, 3);
    assert_false(analysis_is_defined(got.sigma1) || analysis_is_defined(got.turn) ||
                 analysis_is_defined(got.residual));
    assert_int_equal(spectrum_update_views(spectrum, &good, NULL, NULL, &got), 0);
    assert_int_equal(spectrum_update_views(other, &good, NULL, NULL, &expected), 0);
    assert_int_equal(got.nonfinite, 0);
    assert_memory_equal(spectrum_v1(spectrum), spectrum_v1(other), COLS * sizeof(float));
    assert_true(got.sigma1 == expected.sigma1 && got.turn == expected.turn);
    spectrum_free(spectrum);
    spectrum_free(other);
}

/* A direction that the tracked block knows nothing of overtakes from one snapshot to the next: the
 * explorer finds it within a few, and its sign is a break. */
static void a_new_leading_direction_is_found(void **state)
{
    enum { ROWS = 200, COLS = 160, RANK = 12, PATIENCE = 8 };
    struct random_source random = {5};
    double sigma[RANK + 1], *values = must_alloc(ROWS * COLS, sizeof(double));
    double *after = must_alloc(ROWS * COLS, sizeof(double));
    for (size_t i = 0; i < RANK; i++)
        sigma[i] = pow(0.9, (double)i);
    sigma[RANK] = 0;
    random.state = 6;
    matrix_with_spectrum(&random, ROWS, COLS, sigma, RANK + 1, values);
    sigma[RANK] = 1.3; /* orthogonal on both sides to everything that was there */
    random.state = 6;
    matrix_with_spectrum(&random, ROWS, COLS, sigma, RANK + 1, after);
    struct sample w = sample_of(values, ROWS, COLS, DTYPE_F32, 0),
                  next = sample_of(after, ROWS, COLS, DTYPE_F32, 0);
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &defaults);
    struct spectrum_result got;
    for (int i = 0; i < 3; i++)
        assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &got), 0);
    got.broke = false;
    for (int i = 0; i < PATIENCE && !got.broke; i++)
        assert_int_equal(spectrum_update_views(spectrum, &next.view, NULL, NULL, &got), 0);
    check_against_svd(spectrum, &next, &got);
    assert_true(got.broke && got.turn > 0.5);
    size_t largest = 0;
    const float *v1 = spectrum_v1(spectrum);
    for (size_t c = 0; c < COLS; c++)
        largest = fabsf(v1[c]) > fabsf(v1[largest]) ? c : largest;
    assert_true(v1[largest] > 0);
    sample_free(&w);
    sample_free(&next);
    free(values);
    free(after);
    spectrum_free(spectrum);
}

/* The second singular value grows through the first one: followed at the snapshot where it does. */
static void the_second_direction_overtakes_at_once(void **state)
{
    enum { ROWS = 70, COLS = 60, RANK = 30 };
    double sigma[RANK], *values = must_alloc(ROWS * COLS, sizeof(double));
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &defaults);
    for (int i = 0; i < 20; i++) {
        for (int j = 0; j < RANK; j++)
            sigma[j] = j == 0 ? 1.1 : (0.91 + 0.02 * i) * pow(0.95, j - 1);
        struct random_source random = {11};
        matrix_with_spectrum(&random, ROWS, COLS, sigma, RANK, values);
        struct sample w = sample_of(values, ROWS, COLS, DTYPE_F64, 0);
        struct spectrum_result got;
        assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &got), 0);
        check_against_svd(spectrum, &w, &got);
        assert_int_equal(got.broke, i == 0 || i == 10);
        sample_free(&w);
    }
    free(values);
    spectrum_free(spectrum);
}

/* Matrices of rank one whose only direction turns by a right angle, so that the old one gives 0. */
static void a_single_direction_may_turn_by_a_right_angle(void **state)
{
    static const size_t shapes[][2] = {{1, 30}, {30, 1}, {1, 1}, {40, 30}, {2, 2}};
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        size_t rows = shapes[s][0], cols = shapes[s][1];
        struct spectrum *spectrum = spectrum_new(rows, cols, &defaults);
        for (size_t i = 0; i < 4; i++) {
            double *values = must_alloc(rows * cols, sizeof(double)), square = 0;
            size_t at = i % 2 * (cols - 1);
            for (size_t r = 0; r < rows; r++) {
                double value = (double)(r + 1) * (double)(i + 1);
                values[r * cols + at] = value;
                square += value * value;
            }
            struct matrix_view w = matrix_view_rows(values, DTYPE_F64, rows, cols);
            struct spectrum_result got;
            assert_int_equal(spectrum_update_views(spectrum, &w, NULL, NULL, &got), 0);
            assert_true(fabs(got.sigma1 / sqrt(square) - 1) < 1e-6);
            assert_true(fabs(fabs((double)spectrum_v1(spectrum)[at]) - 1) < 1e-6);
            assert_true(got.residual <= 1e-3 && fabs(got.stable_rank - 1) < 1e-6);
            assert_int_equal(got.broke, i == 0 || cols > 1);
            assert_int_equal(analysis_is_defined(got.sigma2), rows > 1 && cols > 1);
            free(values);
        }
        spectrum_free(spectrum);
    }
}

/* The stored block is as good as it was where nothing moved, or next to nothing. */
static void a_matrix_at_rest_takes_one_pass(void **state)
{
    enum { ROWS = 150, COLS = 200 };
    struct random_source random = {12};
    double *values = must_alloc(ROWS * COLS, sizeof(double));
    random_fill(&random, values, ROWS * COLS);
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &defaults);
    for (int i = 0; i < 6; i++) {
        struct sample w = sample_of(values, ROWS, COLS, DTYPE_F32, 0);
        struct spectrum_result got;
        assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &got), 0);
        check_against_svd(spectrum, &w, &got);
        assert_true(i == 0 || got.passes == 1);
        sample_free(&w);
        drift_by(&random, values, ROWS * COLS, 1e-4);
    }
    free(values);
    spectrum_free(spectrum);
}

static void the_sign_follows_a_matrix_that_turns_right_round(void **state)
{
    enum { COLS = 16 };
    struct spectrum *spectrum = spectrum_new(2, COLS, &defaults);
    double values[2 * COLS] = {0}, first = 0;
    for (int i = 0; i <= 20; i++) {
        double angle = M_PI * i / 20;
        values[0] = cos(angle);
        values[1] = sin(angle);
        values[COLS + 2] = 0.1;
        struct matrix_view w = matrix_view_rows(values, DTYPE_F64, 2, COLS);
        struct spectrum_result got;
        assert_int_equal(spectrum_update_views(spectrum, &w, NULL, NULL, &got), 0);
        assert_int_equal(got.broke, i == 0);
        if (i > 0)
            assert_true(fabs(got.turn - (1 - cos(M_PI / 20))) < 1e-6);
        first = i == 0 ? (double)spectrum_v1(spectrum)[0] : first;
    }
    assert_true(fabs(first - 1) < 1e-6);
    assert_true(fabs((double)spectrum_v1(spectrum)[0] + 1) < 1e-6);
    spectrum_free(spectrum);
}

static void fill_floats(struct random_source *random, float *values, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        values[i] += scale * (float)random_normal(random);
}

static void check_restart(size_t rows, size_t cols, float scale)
{
    struct random_source random = {8};
    float *values = must_alloc(rows * cols, sizeof(*values));
    memset(values, 0, rows * cols * sizeof(*values));
    fill_floats(&random, values, rows * cols, scale);
    struct matrix_view w = matrix_view_rows(values, DTYPE_F32, rows, cols);
    struct spectrum *steady = spectrum_new(rows, cols, &defaults),
                    *restarted = spectrum_new(rows, cols, &defaults);
    struct spectrum *late = spectrum_new(rows, cols, &defaults);
    struct spectrum_result a, b;
    struct error error = {""};
    assert_int_equal(spectrum_update_views(steady, &w, NULL, NULL, &a), 0);
    size_t size = spectrum_export_size(steady);
    unsigned char *bytes = must_alloc(size, 1);
    spectrum_export(steady, bytes);
    assert_int_equal(spectrum_import(restarted, bytes, size, false, &error), 0);
    assert_int_equal(spectrum_import(late, bytes, size, true, &error), 0);
    fill_floats(&random, values, rows * cols, 1e-2f * scale);
    assert_int_equal(spectrum_update_views(steady, &w, NULL, NULL, &a), 0);
    assert_int_equal(spectrum_update_views(restarted, &w, NULL, NULL, &b), 0);
    assert_memory_equal(spectrum_v1(steady), spectrum_v1(restarted), cols * sizeof(float));
    assert_true(a.turn == b.turn && a.sigma1 == b.sigma1 && a.sigma2 == b.sigma2 &&
                a.passes == b.passes && !b.broke);
    assert_int_equal(spectrum_update_views(late, &w, NULL, NULL, &b), 0);
    assert_false(analysis_is_defined(b.turn) || b.broke);
    assert_memory_equal(spectrum_v1(steady), spectrum_v1(late), cols * sizeof(float));
    assert_int_equal(spectrum_update_views(late, &w, NULL, NULL, &b), 0);
    assert_true(analysis_is_defined(b.turn));
    free(values);
    free(bytes);
    spectrum_free(steady);
    spectrum_free(restarted);
    spectrum_free(late);
}

static void a_restart_changes_nothing(void **state)
{
    check_restart(50, 70, 1);
    check_restart(1030, 1030, 1);
    check_restart(1030, 1030, 1e-13f); /* beyond what the kernels square in float */
}

static void a_damaged_export_is_refused(void **state)
{
    enum { ROWS = 9, COLS = 12 };
    double values[ROWS * COLS];
    struct random_source random = {9};
    random_fill(&random, values, ROWS * COLS);
    struct matrix_view w = matrix_view_rows(values, DTYPE_F64, ROWS, COLS);
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &defaults),
                    *other = spectrum_new(ROWS, COLS + 1, &defaults);
    struct spectrum_result got;
    assert_int_equal(spectrum_update_views(spectrum, &w, NULL, NULL, &got), 0);
    size_t size = spectrum_export_size(spectrum);
    unsigned char *bytes = must_alloc(size, 1), *damaged = must_alloc(size + 1, 1),
                  *kept = must_alloc(size, 1);
    struct error error;
    spectrum_export(spectrum, bytes);
    memcpy(damaged, bytes, size);
    for (size_t length = 0; length <= size + 1; length++)
        if (length != size)
            assert_int_equal(spectrum_import(spectrum, damaged, length, false, &error), -1);
    static const size_t header[] = {0, 4, 8, 15, 16, 32, 35, 36, 43, 44};
    for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++) {
        memcpy(damaged, bytes, size);
        damaged[header[i]] ^= 0x40;
        error.text[0] = '\0';
        assert_int_equal(spectrum_import(spectrum, damaged, size, false, &error), -1);
        assert_true(strlen(error.text) > 0);
    }
    memcpy(damaged, bytes, size);
    memset(damaged + size - 4, 0xff, 4); /* a NaN */
    assert_int_equal(spectrum_import(spectrum, damaged, size, false, &error), -1);
    assert_int_equal(spectrum_import(other, bytes, size, false, &error), -1);
    spectrum_export(spectrum, kept);
    assert_memory_equal(kept, bytes, size);
    free(bytes);
    free(damaged);
    free(kept);
    spectrum_free(spectrum);
    spectrum_free(other);
}

static void a_wrong_shape_is_refused(void **state)
{
    double values[12] = {1};
    struct matrix_view w = matrix_view_rows(values, DTYPE_F64, 3, 4),
                       turned = matrix_view_turned(&w);
    struct spectrum *spectrum = spectrum_new(3, 4, &defaults);
    struct spectrum_result got;
    assert_int_equal(spectrum_update_views(spectrum, &turned, NULL, NULL, &got), ANALYSIS_SHAPE);
    assert_int_equal(spectrum_update_views(spectrum, &w, &turned, NULL, &got), ANALYSIS_SHAPE);
    assert_int_equal(spectrum_update_views(spectrum, &w, NULL, &turned, &got), ANALYSIS_SHAPE);
    assert_int_equal(spectrum_update_views(spectrum, &w, NULL, NULL, &got), 0);
    spectrum_free(spectrum);
}

static void the_budget_is_kept(void **state)
{
    enum { ROWS = 120, COLS = 100 };
    struct spectrum_options tight = {
        .seed = 1, .target_residual = 1e-14, .passes_cold = 3, .passes_small = 2};
    double *values = must_alloc(ROWS * COLS, sizeof(double));
    struct random_source random = {10};
    random_fill(&random, values, ROWS * COLS);
    struct sample w = sample_of(values, ROWS, COLS, DTYPE_F32, 0);
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &tight);
    struct spectrum_result got;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &got), 0);
        assert_int_equal(got.passes, i == 0 ? 3 : 2);
        double *v1 = widened(spectrum_v1(spectrum), COLS);
        assert_true(fabs(got.residual / exact_residual(w.values, ROWS, COLS, v1) - 1) < 1e-3);
        free(v1);
    }
    spectrum_free(spectrum);
    struct spectrum_options patient = {.seed = 1, .target_residual = 1e-12, .passes_cold = 60};
    spectrum =
        spectrum_new(ROWS, COLS, &patient); /* many passes: the basis is restarted or complete */
    assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &got), 0);
    check_against_svd(spectrum, &w, &got);
    assert_true(got.residual <= 1e-12);
    spectrum_free(spectrum);
    sample_free(&w);
    free(values);
}

int main(void)
{
    if (!kernels_as_asked())
        return TEST_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_drifting_matrices),
        cmocka_unit_test(follows_a_large_matrix),
        cmocka_unit_test(equal_values_one_direction_and_extreme_scales),
        cmocka_unit_test(a_zero_matrix_is_undefined_and_leaves_the_state),
        cmocka_unit_test(zero_columns_stay_zero_in_v1),
        cmocka_unit_test(non_finite_weights_are_counted_and_leave_the_state),
        cmocka_unit_test(a_new_leading_direction_is_found),
        cmocka_unit_test(the_second_direction_overtakes_at_once),
        cmocka_unit_test(a_single_direction_may_turn_by_a_right_angle),
        cmocka_unit_test(a_matrix_at_rest_takes_one_pass),
        cmocka_unit_test(the_sign_follows_a_matrix_that_turns_right_round),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(a_damaged_export_is_refused),
        cmocka_unit_test(a_wrong_shape_is_refused),
        cmocka_unit_test(the_budget_is_kept),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_errors();
    return failed;
}
