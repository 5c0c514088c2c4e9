/* Spectral alignment against plain loops, and its signs under the tracker's v1 against those under
 * the exact one. */
#include "daemon/analysis/alignment.h"
#include "daemon/analysis/spectrum.h"
#include "daemon/analysis/undefined.h"
#include "tests/unit/analysis/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static float *random_direction(struct random_source *random, size_t n)
{
    double *wide = must_alloc(n, sizeof(double)), square = 0;
    float *v = must_alloc(n, sizeof(float));
    random_fill(random, wide, n);
    for (size_t i = 0; i < n; i++)
        square += wide[i] * wide[i];
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(wide[i] / sqrt(square));
    free(wide);
    return v;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double q)
{
    double place = q * (double)(n - 1), below = floor(place);
    size_t i = (size_t)below, j = i + 1 < n ? i + 1 : i;
    return sorted[i] * (1 - (place - below)) + sorted[j] * (place - below);
}

/* Every figure of tokens that are all finite and not zero, by the definition. */
static void check_figures(
    const struct sample *x, const float *v1, const struct alignment_result *got, double bound)
{
    size_t n = x->rows, d = x->cols;
    double *s = must_alloc(n, sizeof(double)), *mean = must_alloc(d, sizeof(double));
    double length_v = 0, total = 0, positive = 0, square = 0, largest = 0;
    for (size_t c = 0; c < d; c++)
        length_v += (double)v1[c] * (double)v1[c];
    for (size_t t = 0; t < n; t++) {
        long double dot = 0, norm = 0;
        for (size_t c = 0; c < d; c++) {
            long double element = (long double)x->values[t * d + c];
            dot += element * (long double)v1[c];
            norm += element * element;
            square += (double)(element * element);
            largest = fmax(largest, fabs((double)element));
        }
        s[t] = (double)(dot / sqrtl(norm)) / sqrt(length_v);
        total += s[t];
        positive += s[t] > 0;
        for (size_t c = 0; c < d; c++)
            mean[c] += (double)((long double)x->values[t * d + c] / sqrtl(norm)) / (double)n;
    }
    double variance = 0, mean_square = 0, mean_dot = 0;
    for (size_t t = 0; t < n; t++)
        variance += (s[t] - total / (double)n) * (s[t] - total / (double)n) / (double)n;
    for (size_t c = 0; c < d; c++) {
        mean_square += mean[c] * mean[c];
        mean_dot += mean[c] * (double)v1[c];
    }
    qsort(s, n, sizeof(double), ascending);
    const double pairs[][2] = {
        {got->s.mean, total / (double)n},
        {got->s.std, sqrt(variance)},
        {got->s.p05, quantile(s, n, 0.05)},
        {got->s.p25, quantile(s, n, 0.25)},
        {got->s.p50, quantile(s, n, 0.5)},
        {got->s.p75, quantile(s, n, 0.75)},
        {got->s.p95, quantile(s, n, 0.95)},
        {got->positive, positive / (double)n},
        {got->diversity, 1 - fabs(2 * positive / (double)n - 1)},
        {got->input_mean, sqrt(mean_square)},
        {got->input_mean_cos, fabs(mean_dot) / sqrt(mean_square * length_v)},
        {got->activation_rms / largest, sqrt(square / (double)(n * d)) / largest},
        {got->activation_max_abs / largest, 1},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        note_error(bound > 1e-12 ? "error of an alignment figure, float lanes"
                                 : "error of an alignment figure",
            fabs(pairs[i][0] - pairs[i][1]));
        assert_true(fabs(pairs[i][0] - pairs[i][1]) < bound);
    }
    uint64_t counted = 0;
    for (size_t bin = 0; bin < HISTOGRAM_BINS; bin++)
        counted += got->bins.count[bin];
    assert_int_equal(counted, n);
    assert_int_equal(got->tokens, n);
    free(s);
    free(mean);
}

static void every_figure_in_every_dtype_and_scale(void **state)
{
    static const double scales[] = {1, 1e-30, 1e30};
    struct random_source random = {21};
    enum { TOKENS = 203, COLS = 77 };
    double values[TOKENS * COLS];
    for (size_t i = 0; i < 6 * 3; i++) {
        enum dtype dtype = (enum dtype)(i % 6);
        double scale = dtype <= DTYPE_BF16 ? scales[i / 6] : 1;
        random_fill(&random, values, TOKENS * COLS);
        for (size_t j = 0; j < TOKENS * COLS; j++)
            values[j] = (values[j] + 0.3) * scale;
        float *v1 = random_direction(&random, COLS);
        struct sample x = sample_of(values, TOKENS, COLS, dtype, i % 2);
        struct matrix_view first = matrix_view_slice(&x.view, 0, 50),
                           rest = matrix_view_slice(&x.view, 50, TOKENS);
        struct alignment *alignment = alignment_begin(COLS, v1); /* two ranks, one distribution */
        struct alignment_result got;
        assert_int_equal(alignment_add(alignment, &first), 0);
        assert_int_equal(alignment_add(alignment, &rest), 0);
        alignment_finish(alignment, &got);
        check_figures(&x, v1, &got, 1e-12);
        assert_int_equal(got.skipped, 0);
        assert_int_equal(got.activation_nonfinite, 0);
        alignment_free(alignment);
        sample_free(&x);
        free(v1);
    }
}

/* Inputs that are large enough for float lanes, some tokens far from 1. */
static void large_inputs(void **state)
{
    enum { TOKENS = 131, COLS = 9001 };
    struct random_source random = {23};
    double *values = must_alloc(TOKENS * COLS, sizeof(double));
    for (unsigned i = 0; i < 2 * DTYPE_COUNT; i++) {
        enum dtype dtype = (enum dtype)(i / 2);
        random_fill(&random, values, TOKENS * COLS);
        for (size_t j = 0; j < TOKENS * COLS; j++) {
            size_t token = j / COLS;
            double scale = dtype > DTYPE_BF16 ? 1 : token == 7 ? 1e-30 : token == 99 ? 1e25 : 1;
            values[j] = token == 50 ? 0.1 : (values[j] + 0.02) * scale; /* equal ones round worst */
        }
        float *v1 = random_direction(&random, COLS);
        struct sample x = sample_of(values, TOKENS, COLS, dtype, i % 2);
        struct alignment *alignment = alignment_begin(COLS, v1);
        struct alignment_result got;
        assert_int_equal(alignment_add(alignment, &x.view), 0);
        alignment_finish(alignment, &got);
        check_figures(&x, v1, &got, dtype == DTYPE_F64 ? 1e-12 : 2e-6);
        assert_int_equal(got.skipped, 0);
        assert_int_equal(got.activation_nonfinite, 0);
        alignment_free(alignment);
        sample_free(&x);
        free(v1);
    }
    free(values);
}

static void spoilt_tokens_among_many(void **state)
{
    enum { TOKENS = 1100, COLS = 1000 };
    struct random_source random = {24};
    float *values = must_alloc(TOKENS * COLS, sizeof(float)), *v1 = random_direction(&random, COLS);
    for (size_t i = 0; i < TOKENS * COLS; i++)
        values[i] = (float)random_uniform(&random);
    values[5 * COLS] = NAN;
    values[700 * COLS + 999] = -INFINITY;
    values[701 * COLS + 3] = -100; /* beside spoilt ones in the same batch */
    memset(values + 1099 * COLS, 0, COLS * sizeof(float));
    struct matrix_view x = matrix_view_rows(values, DTYPE_F32, TOKENS, COLS);
    struct alignment *alignment = alignment_begin(COLS, v1);
    struct alignment_result got;
    assert_int_equal(alignment_add(alignment, &x), 0);
    alignment_finish(alignment, &got);
    assert_int_equal(got.tokens, TOKENS - 3);
    assert_int_equal(got.skipped, 3);
    assert_int_equal(got.activation_nonfinite, 2);
    assert_true(got.activation_max_abs == 100);
    assert_true(isfinite(got.input_mean) && got.input_mean > 0.8 && got.input_mean < 0.9);
    alignment_free(alignment);
    free(values);
    free(v1);
}

static void double_inputs_far_out_of_range(void **state)
{
    const double scales[] = {1e-300, 4e-324, 1e300};
    float v1[3] = {0.6f, 0, 0.8f};
    for (size_t i = 0; i < 3; i++) {
        double values[3] = {scales[i], 0, scales[i]};
        struct matrix_view x = matrix_view_rows(values, DTYPE_F64, 1, 3);
        struct alignment *alignment = alignment_begin(3, v1);
        struct alignment_result got;
        assert_int_equal(alignment_add(alignment, &x), 0);
        alignment_finish(alignment, &got);
        assert_true(fabs(got.s.mean - 1.4 / sqrt(2)) < 1e-7);
        assert_int_equal(got.skipped, 0);
        alignment_free(alignment);
    }
}

static void spoilt_tokens_are_skipped_and_counted(void **state)
{
    enum { COLS = 4 };
    const float v1[COLS] = {1, 0, 0, 0};
    const float values[5][COLS] = {
        {3, 4, 0, 0}, {NAN, 1, 0, 0}, {0, 0, 0, 0}, {INFINITY, -INFINITY, 0, 7}, {-1, 0, 0, 0}};
    struct matrix_view x = matrix_view_rows(values, DTYPE_F32, 5, COLS);
    struct alignment *alignment = alignment_begin(COLS, v1);
    struct alignment_result got;
    assert_int_equal(alignment_add(alignment, &x), 0);
    alignment_finish(alignment, &got);
    assert_int_equal(got.tokens, 2);
    assert_int_equal(got.skipped, 3);
    assert_int_equal(got.activation_nonfinite, 3);
    assert_true(got.activation_max_abs == 7);
    assert_true(fabs(got.activation_rms - sqrt((9 + 16 + 1 + 49 + 1) / 17.0)) < 1e-12);
    assert_true(
        fabs(got.s.mean - (0.6 - 1) / 2) < 1e-12 && got.positive == 0.5 && got.diversity == 1);
    alignment_free(alignment);
}

static void nothing_to_rest_on_is_undefined(void **state)
{
    const float v1[2] = {1, 0}, zeros[4] = {0}, spoilt[2] = {NAN, NAN},
                opposite[4] = {1, 2, -1, -2};
    struct matrix_view zero = matrix_view_rows(zeros, DTYPE_F32, 2, 2),
                       bad = matrix_view_rows(spoilt, DTYPE_F32, 1, 2);
    struct matrix_view pair = matrix_view_rows(opposite, DTYPE_F32, 2, 2),
                       wrong = matrix_view_rows(zeros, DTYPE_F32, 1, 3);
    struct alignment_result got;

    struct alignment *alignment = alignment_begin(2, v1);
    alignment_finish(alignment, &got);
    assert_false(analysis_is_defined(got.s.mean) || analysis_is_defined(got.positive) ||
                 analysis_is_defined(got.activation_rms) ||
                 analysis_is_defined(got.activation_max_abs));
    assert_int_equal(alignment_add(alignment, &bad), 0);
    alignment_finish(alignment, &got);
    assert_false(
        analysis_is_defined(got.activation_rms) || analysis_is_defined(got.activation_max_abs));
    assert_int_equal(alignment_add(alignment, &zero), 0);
    alignment_finish(alignment, &got);
    assert_false(analysis_is_defined(got.s.p50) || analysis_is_defined(got.input_mean) ||
                 analysis_is_defined(got.diversity));
    assert_true(got.activation_rms == 0 && got.skipped == 3);
    assert_int_equal(alignment_add(alignment, &wrong), ANALYSIS_SHAPE);
    alignment_free(alignment);

    alignment = alignment_begin(2, v1); /* unit inputs that cancel */
    assert_int_equal(alignment_add(alignment, &pair), 0);
    alignment_finish(alignment, &got);
    assert_true(got.input_mean == 0 && !analysis_is_defined(got.input_mean_cos));
    alignment_free(alignment);

    alignment = alignment_begin(2, NULL); /* no direction yet */
    assert_int_equal(alignment_add(alignment, &pair), 0);
    alignment_finish(alignment, &got);
    assert_true(got.tokens == 0 && got.skipped == 0 && !analysis_is_defined(got.s.mean) &&
                got.activation_max_abs == 2);
    alignment_free(alignment);
}

static void a_single_token_is_its_own_distribution(void **state)
{
    const float v1[2] = {1, 0}, values[2] = {-1, 0};
    struct matrix_view x = matrix_view_rows(values, DTYPE_F32, 1, 2);
    struct alignment *alignment = alignment_begin(2, v1);
    struct alignment_result got;
    assert_int_equal(alignment_add(alignment, &x), 0);
    alignment_finish(alignment, &got);
    assert_true(got.s.mean == -1 && got.s.std == 0 && got.s.p05 == -1 && got.s.p95 == -1 &&
                got.diversity == 0);
    assert_int_equal(got.bins.count[0], 1);
    alignment_free(alignment);
}

/* Tokens whose sign under the exact v1 the published one may miss: |s| < 1e-5 + residual / (1 - (s2
 * / s1)^2). */
static void the_tracked_direction_keeps_the_token_signs(void **state)
{
    enum { ROWS = 120, COLS = 90, TOKENS = 4000 };
    static const double gaps[] = {1e-3, 1e-2, 0.1, 0.5};
    struct spectrum_options options = {.seed = 1};
    struct random_source random = {22};
    double *values = must_alloc(ROWS * COLS, sizeof(double)),
           *tokens = must_alloc(TOKENS * COLS, sizeof(double));
    double sigma[COLS], exact_sigma[COLS], v1[COLS];
    for (size_t g = 0; g < 4; g++) {
        for (size_t i = 0; i < COLS; i++)
            sigma[i] = i == 0 ? 1 : (1 - gaps[g]) * pow(0.98, (double)i - 1);
        matrix_with_spectrum(&random, ROWS, COLS, sigma, COLS, values);
        struct spectrum *spectrum = spectrum_new(ROWS, COLS, &options);
        for (int snapshot = 0; snapshot < 6; snapshot++) {
            struct sample w = sample_of(values, ROWS, COLS, DTYPE_BF16, 0);
            struct spectrum_result result;
            assert_int_equal(spectrum_update_views(spectrum, &w.view, NULL, NULL, &result), 0);
            exact_svd(w.values, ROWS, COLS, exact_sigma, v1);
            double ratio = exact_sigma[1] / exact_sigma[0], cosine = 0;
            double bound = 1e-5 + result.residual / (1 - ratio * ratio);
            for (size_t c = 0; c < COLS; c++)
                cosine += v1[c] * (double)spectrum_v1(spectrum)[c];
            random_fill(&random, tokens, TOKENS * COLS);
            for (size_t t = 0; t < TOKENS; t++) {
                double dot = 0, norm = 0;
                for (size_t c = 0; c < COLS; c++) {
                    dot += tokens[t * COLS + c] * v1[c] * (cosine < 0 ? -1 : 1);
                    norm += tokens[t * COLS + c] * tokens[t * COLS + c];
                }
                double s = dot / sqrt(norm);
                struct matrix_view x = matrix_view_rows(tokens + t * COLS, DTYPE_F64, 1, COLS);
                struct alignment *alignment = alignment_begin(COLS, spectrum_v1(spectrum));
                struct alignment_result got;
                assert_int_equal(alignment_add(alignment, &x), 0);
                alignment_finish(alignment, &got);
                note_error("deviation of s over its bound", fabs(got.s.mean - s) / bound);
                assert_true((got.s.mean > 0) == (s > 0) || fabs(s) < bound);
                alignment_free(alignment);
            }
            sample_free(&w);
            for (size_t i = 0; i < ROWS * COLS; i++)
                values[i] += 1e-2 / sqrt(COLS) * random_normal(&random);
        }
        spectrum_free(spectrum);
    }
    free(values);
    free(tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_in_every_dtype_and_scale),
        cmocka_unit_test(large_inputs),
        cmocka_unit_test(spoilt_tokens_among_many),
        cmocka_unit_test(double_inputs_far_out_of_range),
        cmocka_unit_test(spoilt_tokens_are_skipped_and_counted),
        cmocka_unit_test(nothing_to_rest_on_is_undefined),
        cmocka_unit_test(a_single_token_is_its_own_distribution),
        cmocka_unit_test(the_tracked_direction_keeps_the_token_signs),
    };
    if (!kernels_as_asked())
        return TEST_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_errors();
    return failed;
}
