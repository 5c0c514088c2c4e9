/* Quantiles, histograms and the random cosine against figures of NumPy and SciPy. */
#include "daemon/analysis/chance.h"
#include "daemon/analysis/histogram.h"
#include "daemon/analysis/quantile.h"
#include "daemon/analysis/undefined.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void check_near(double got, double expected, double relative)
{
    assert_true(fabs(got - expected) <= relative * fabs(expected));
}

/* numpy.quantile(x, [.05, .25, .5, .75, .95]), x.mean(), x.std() */
static void distributions_are_those_of_numpy(void **state)
{
    const double x[] = {3.5, -1.25, 0.1, 7.0, 2.2, 2.2, -9.0};
    static const struct {
        size_t n;
        double expected[7];
    } cases[] = {
        {7, {-6.675, -0.5750000000000001, 2.2, 2.85, 5.9499999999999975, 0.6785714285714286,
                4.633407966902451}},
        {2, {-1.0125, -0.0625, 1.125, 2.3125, 3.2624999999999997, 1.125, 2.375}},
        {1, {3.5, 3.5, 3.5, 3.5, 3.5, 3.5, 0}},
    };
    for (size_t i = 0; i < 3; i++) {
        double values[7];
        memcpy(values, x, sizeof(x));
        struct distribution got = quantile_distribution(values, cases[i].n);
        const double figures[7] = {got.p05, got.p25, got.p50, got.p75, got.p95, got.mean, got.std};
        for (size_t j = 0; j < 7; j++)
            check_near(figures[j], cases[i].expected[j], 1e-15);
        assert_true(quantile_linear(values, cases[i].n, 0) == values[0]);
        assert_true(quantile_linear(values, cases[i].n, 1) == values[cases[i].n - 1]);
    }
    struct distribution none = quantile_distribution(NULL, 0);
    assert_false(analysis_is_defined(none.mean) || analysis_is_defined(none.std) ||
                 analysis_is_defined(none.p95));
}

/* numpy.bins(numpy.clip(x, -1, 1), bins=64, range=(-1, 1)) */
static void bins_are_those_of_numpy(void **state)
{
    const double x[] = {
        -1, -1 + 1 / 32.0, -1e-17, 0, 1e-17, 1 / 32.0, 0.999, 1, 0.5, -0.5 - 1e-16, 1 - 1 / 32.0};
    struct bins got = {{0}}, expected = {{0}};
    static const struct {
        int bin;
        uint64_t count;
    } filled[] = {{0, 2}, {1, 1}, {15, 1}, {31, 1}, {32, 2}, {33, 1}, {48, 1}, {63, 4}};
    for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
        histogram_add(&got, x[i]);
    histogram_add(&got, -1.5); /* clamped */
    histogram_add(&got, 1e300);
    for (size_t i = 0; i < sizeof(filled) / sizeof(filled[0]); i++)
        expected.count[filled[i].bin] = filled[i].count;
    assert_memory_equal(&got, &expected, sizeof(got));
}

/* 2 * scipy.stats.beta.ppf(.975, (d - 1) / 2, (d - 1) / 2) - 1 */
static void the_random_cosine_is_that_of_scipy(void **state)
{
    static const struct {
        size_t dimensions;
        double cosine;
    } cases[] = {
        {2, 0.9969173337331279},
        {3, 0.95},
        {4, 0.8783394481598052},
        {10, 0.6020687774370082},
        {96, 0.19958449075376405},
        {768, 0.07070465320687691},
        {4096, 0.030622863169457393},
        {100000, 0.006197937284317501},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_near(chance_cosine(cases[i].dimensions, 0.95), cases[i].cosine, 1e-9);
    assert_true(chance_incomplete_beta(2, 3, 0) == 0 && chance_incomplete_beta(2, 3, 1) == 1);
    check_near(chance_incomplete_beta(2, 3, 0.4), 0.5248, 1e-13); /* 6x^2 - 8x^3 + 3x^4 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions_are_those_of_numpy),
        cmocka_unit_test(bins_are_those_of_numpy),
        cmocka_unit_test(the_random_cosine_is_that_of_scipy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
