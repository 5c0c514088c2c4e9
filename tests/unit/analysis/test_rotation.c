/* Rotation, drift and rounding noise through the fused pass, against plain loops. */
#include "daemon/analysis/rotation.h"
#include "daemon/analysis/undefined.h"
#include "tests/unit/analysis/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROWS = 130, COLS = 70, N = ROWS * COLS };

static struct rotation measure(
    const struct sample *w, const struct sample *w0, const struct sample *prev)
{
    struct spectrum_options options = {.seed = 1};
    struct spectrum *spectrum = spectrum_new(w->rows, w->cols, &options);
    struct spectrum_result result;
    assert_int_equal(spectrum_update_views(spectrum, &w->view, w0 ? &w0->view : NULL,
                         prev ? &prev->view : NULL, &result),
        0);
    spectrum_free(spectrum);
    return rotation_of(&result.sums);
}

static double square_of(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (a[i] - (b ? b[i] : 0)) * (a[i] - (b ? b[i] : 0));
    return sum;
}

static void changed(struct random_source *random, const double *from, double relative, double *to)
{
    double step = relative * sqrt(square_of(from, NULL, N) / N);
    for (size_t i = 0; i < N; i++)
        to[i] = from[i] + step * random_normal(random);
}

static void small_and_large_turns(void **state)
{
    static const enum dtype dtypes[] = {
        DTYPE_F64, DTYPE_F32, DTYPE_BF16, DTYPE_F16, DTYPE_F8_E4M3FN, DTYPE_F8_E5M2};
    static const double changes[] = {1e-4, 1e-3, 1e-2, 0.3, 3};
    static const double scales[] = {1, 1e-30, 1e30};
    struct random_source random = {11};
    double start[N], now[N], before[N];
    for (size_t i = 0; i < 6 * 5 * 3; i++) {
        enum dtype dtype = dtypes[i % 6];
        double scale =
            dtype == DTYPE_F64 || dtype == DTYPE_F32 || dtype == DTYPE_BF16 ? scales[i / 30] : 1;
        random_fill(&random, start, N);
        for (size_t j = 0; j < N; j++)
            start[j] *= scale;
        changed(&random, start, changes[i / 6 % 5], now);
        changed(&random, now, 1e-2, before);
        struct sample w0 = sample_of(start, ROWS, COLS, dtype, 0),
                      w = sample_of(now, ROWS, COLS, dtype, 1);
        struct sample prev = sample_of(before, ROWS, COLS, dtype, 0);
        struct rotation got = measure(&w, &w0, &prev);
        double expected = exact_rotation(w.values, w0.values, N);
        if (expected > 1e-10) {
            note_error("relative error of rotation", fabs(got.from_init / expected - 1));
            assert_true(fabs(got.from_init / expected - 1) < 1e-4);
        }
        double step = exact_rotation(w.values, prev.values, N);
        if (step > 1e-10)
            assert_true(fabs(got.step / step - 1) < 1e-4);
        double norm = sqrt(square_of(w.values, NULL, N));
        double drift = sqrt(square_of(w.values, w0.values, N) / square_of(w0.values, NULL, N));
        note_error("relative error of norm", fabs(got.norm / norm - 1));
        assert_true(fabs(got.norm / norm - 1) < 1e-9);
        assert_true(fabs(got.drift - drift) <= 1e-6 * drift);
        sample_free(&w0);
        sample_free(&w);
        sample_free(&prev);
    }
}

/* Above a million elements the kernels work in float. */
static void a_large_matrix_turns_as_exactly(void **state)
{
    enum { SIDE = 1030, LARGE = SIDE * SIDE };
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
    struct random_source random = {17};
    double *start = must_alloc(LARGE, sizeof(double)), *now = must_alloc(LARGE, sizeof(double));
    random_fill(&random, start, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        now[i] = start[i] + 1e-4 * random_normal(&random);
    for (size_t d = 0; d < 3; d++) {
        struct sample w0 = sample_of(start, SIDE, SIDE, dtypes[d], 0);
        struct sample w = sample_of(now, SIDE, SIDE, dtypes[d], 1);
        struct rotation got = measure(&w, &w0, &w);
        double expected = exact_rotation(w.values, w0.values, LARGE);
        note_error("relative error of a large rotation", fabs(got.from_init / expected - 1));
        assert_true(expected > 0 && fabs(got.from_init / expected - 1) < 1e-4);
        assert_true(got.step <= 1e-12);
        double norm = sqrt(square_of(w.values, NULL, LARGE));
        assert_true(fabs(got.norm / norm - 1) < 1e-7);
        assert_int_equal(analysis_is_defined(got.noise), dtypes[d] != DTYPE_F32);
        sample_free(&w);
        sample_free(&w0);
    }
    free(start);
    free(now);
}

static void equal_weights_do_not_turn(void **state)
{
    struct random_source random = {12};
    double values[N], longer[N];
    random_fill(&random, values, N);
    for (size_t i = 0; i < N; i++)
        longer[i] = 3 * values[i];
    for (unsigned dtype = 0; dtype < DTYPE_F8_E4M3FN; dtype++) {
        struct sample w0 = sample_of(values, ROWS, COLS, (enum dtype)dtype, 0);
        struct sample w = sample_of(values, ROWS, COLS, (enum dtype)dtype, 1);
        struct rotation got = measure(&w, &w0, &w0);
        assert_true(got.from_init <= 1e-12 && got.step <= 1e-12 && got.drift <= 1e-12);
        sample_free(&w);
        sample_free(&w0);
    }
    struct sample w0 = sample_of(values, ROWS, COLS, DTYPE_F64, 0),
                  w = sample_of(longer, ROWS, COLS, DTYPE_F64, 0);
    struct rotation got = measure(&w, &w0, NULL);
    assert_true(got.from_init <= 1e-12 && fabs(got.drift - 2) < 1e-12);
    sample_free(&w);
    sample_free(&w0);
}

static void no_reference_or_a_zero_one_is_undefined(void **state)
{
    struct random_source random = {13};
    double values[N], zeros[N] = {0};
    random_fill(&random, values, N);
    struct sample w = sample_of(values, ROWS, COLS, DTYPE_BF16, 0),
                  zero = sample_of(zeros, ROWS, COLS, DTYPE_BF16, 0);
    struct rotation alone = measure(&w, NULL, NULL), from_zero = measure(&w, &zero, &w),
                    gone = measure(&zero, &w, &w);
    assert_false(analysis_is_defined(alone.from_init) || analysis_is_defined(alone.step) ||
                 analysis_is_defined(alone.drift) || analysis_is_defined(alone.noise) ||
                 analysis_is_defined(alone.noise_step));
    assert_true(alone.norm > 0);
    assert_false(analysis_is_defined(from_zero.from_init) || analysis_is_defined(from_zero.drift) ||
                 analysis_is_defined(from_zero.noise));
    assert_true(from_zero.step <= 1e-12);
    assert_true(
        gone.norm == 0 && fabs(gone.drift - 1) < 1e-12 && !analysis_is_defined(gone.from_init));
    sample_free(&w);
    sample_free(&zero);
}

static void a_reference_that_is_not_finite_is_undefined(void **state)
{
    struct random_source random = {16};
    double values[N], spoilt[N];
    random_fill(&random, values, N);
    for (size_t i = 0; i < N; i++)
        spoilt[i] = i == N / 2 ? NAN : values[i];
    struct sample w = sample_of(values, ROWS, COLS, DTYPE_F32, 0);
    struct sample bad = sample_of(spoilt, ROWS, COLS, DTYPE_F32, 0);
    struct rotation got = measure(&w, &bad, &w);
    assert_false(analysis_is_defined(got.from_init) || analysis_is_defined(got.drift));
    assert_true(got.step <= 1e-12 && got.norm > 0);
    sample_free(&w);
    sample_free(&bad);
}

/* The spacing of a format at x. */
static double spacing(double x, int mantissa, int least)
{
    int exponent = x == 0 ? least : ilogb(x);
    return ldexp(1, (exponent < least ? least : exponent) - mantissa);
}

static void noise_is_that_of_the_formats_spacing(void **state)
{
    static const struct {
        enum dtype dtype;
        int mantissa, least;
    } formats[] = {{DTYPE_BF16, 7, -126}, {DTYPE_F16, 10, -14}, {DTYPE_F8_E4M3FN, 3, -6},
        {DTYPE_F8_E5M2, 2, -14}};
    struct random_source random = {14};
    double start[N], now[N];
    for (size_t f = 0; f < 4; f++) {
        for (size_t i = 0; i < N; i++) /* many of float16 and float8 are subnormal or 0 */
            start[i] = random_normal(&random) * ldexp(1, -(int)(i % 20));
        changed(&random, start, 1e-2, now);
        struct sample w0 = sample_of(start, ROWS, COLS, formats[f].dtype, 0);
        struct sample w = sample_of(now, ROWS, COLS, formats[f].dtype, 0),
                      exact = sample_of(now, ROWS, COLS, DTYPE_F64, 0);
        double ulps_w = 0, ulps_w0 = 0;
        for (size_t i = 0; i < N; i++) {
            double ulp = spacing(w.values[i], formats[f].mantissa, formats[f].least);
            double ulp0 = spacing(w0.values[i], formats[f].mantissa, formats[f].least);
            ulps_w += ulp * ulp / 12;
            ulps_w0 += ulp0 * ulp0 / 12;
        }
        struct rotation got = measure(&w, &w0, NULL), mixed = measure(&exact, &w0, NULL);
        double norms = 2 * sqrt(square_of(w.values, NULL, N) * square_of(w0.values, NULL, N));
        assert_true(fabs(got.noise / ((ulps_w + ulps_w0) / norms) - 1) < 1e-6);
        assert_true(mixed.noise > 0.4 * ulps_w0 / norms && mixed.noise < got.noise);
        assert_false(analysis_is_defined(got.noise_step));
        struct rotation wide = measure(&exact, &exact, NULL);
        assert_false(analysis_is_defined(wide.noise));
        sample_free(&w0);
        sample_free(&w);
        sample_free(&exact);
    }
}

/* What the noise figure is for: a matrix rounded to bfloat16 seems to turn from itself by about
 * that much. */
static void noise_foretells_the_turn_by_rounding(void **state)
{
    struct random_source random = {15};
    double values[N];
    random_fill(&random, values, N);
    struct sample exact = sample_of(values, ROWS, COLS, DTYPE_F64, 0);
    struct sample rounded = sample_of(values, ROWS, COLS, DTYPE_BF16, 0);
    struct rotation got = measure(&rounded, &exact, NULL);
    assert_true(got.from_init < 1.5 * got.noise && got.from_init > 0.5 * got.noise);
    sample_free(&exact);
    sample_free(&rounded);
}

int main(void)
{
    if (!kernels_as_asked())
        return TEST_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_and_large_turns),
        cmocka_unit_test(a_large_matrix_turns_as_exactly),
        cmocka_unit_test(equal_weights_do_not_turn),
        cmocka_unit_test(no_reference_or_a_zero_one_is_undefined),
        cmocka_unit_test(a_reference_that_is_not_finite_is_undefined),
        cmocka_unit_test(noise_is_that_of_the_formats_spacing),
        cmocka_unit_test(noise_foretells_the_turn_by_rounding),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_errors();
    return failed;
}
