/* The basis of the spectrum tracker on diagonal matrices A, whose eigenvalues are known. */
#include "daemon/analysis/krylov.h"
#include "tests/unit/analysis/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOISE 1e-15

enum { COLS = 60 };

static void multiply_waiting(struct krylov *krylov, const double *diagonal)
{
    const double *in = krylov_block(krylov);
    double *out = krylov_products(krylov);
    for (size_t i = 0; i < krylov->waiting * COLS; i++)
        out[i] = diagonal[i % COLS] * in[i];
    assert_int_equal(krylov_absorb(krylov), 0);
}

static void start_random(struct krylov *krylov, size_t width, const double *diagonal)
{
    struct random_source random = {21};
    double *vectors = must_alloc(width * COLS, sizeof(double));
    random_fill(&random, vectors, width * COLS);
    assert_int_equal(krylov_init(krylov, COLS, width, NOISE), 0);
    assert_int_equal(krylov_append(krylov, vectors, width), width);
    multiply_waiting(krylov, diagonal);
    free(vectors);
}

static void decaying(double *diagonal)
{
    for (size_t i = 0; i < COLS; i++)
        diagonal[i] = pow(0.9, (double)i);
}

/* An eigenvector of 1 looks converged; a second vector that holds a tenth of the direction of 1.69
 * proves that it is not the first one, and its residual is what the basis takes next. */
static void a_floor_proves_that_a_direction_is_missed(void **state)
{
    double diagonal[COLS], vectors[2 * COLS] = {0};
    for (size_t i = 0; i < COLS; i++)
        diagonal[i] = i == 0 ? 1 : i == COLS - 1 ? 1.69 : 0.05;
    vectors[0] = 1;
    vectors[COLS + 5] = sqrt(0.9);
    vectors[COLS + COLS - 1] = sqrt(0.1);
    struct krylov krylov;
    assert_int_equal(krylov_init(&krylov, COLS, 2, NOISE), 0);
    assert_int_equal(krylov_append(&krylov, vectors, 2), 2);
    multiply_waiting(&krylov, diagonal);
    assert_true(fabs(krylov.theta[0] - 1) < 1e-12 && krylov_residual(&krylov, 0) < 1e-12);
    double floor = (0.1 * 1.69 * 1.69 + 0.9 * 0.05 * 0.05) / (0.1 * 1.69 + 0.9 * 0.05);
    assert_true(fabs(krylov_error(&krylov) - (floor - 1) / 2) < 1e-9);
    assert_int_equal(krylov_expand(&krylov, 1), 1);
    multiply_waiting(&krylov, diagonal);
    assert_true(fabs(krylov.theta[0] - 1.69) < 1e-12);
    krylov_free(&krylov);
}

/* Before the first pair has settled it is an estimate; from there on it bounds. */
static void the_error_of_a_settled_pair_is_a_bound(void **state)
{
    double diagonal[COLS];
    int settled = 0;
    decaying(diagonal);
    struct krylov krylov;
    start_random(&krylov, 4, diagonal);
    for (int pass = 0; pass < 20; pass++) {
        if (krylov_residual(&krylov, 0) <= 1e-2) {
            assert_true(1 - sqrt(krylov.theta[0]) <= krylov_error(&krylov) + 1e-14);
            settled++;
        }
        assert_int_equal(krylov_expand(&krylov, 2), 2);
        multiply_waiting(&krylov, diagonal);
    }
    assert_true(settled >= 5 && krylov_error(&krylov) < 1e-6);
    krylov_free(&krylov);
}

static void a_full_basis_goes_on_with_its_best(void **state)
{
    double diagonal[COLS];
    decaying(diagonal);
    struct krylov krylov;
    start_random(&krylov, 2, diagonal);
    double before = 0;
    for (int pass = 0; pass < 40 && krylov_expand(&krylov, 2) > 0; pass++) {
        multiply_waiting(&krylov, diagonal);
        assert_true(krylov.size <= krylov.capacity && krylov.theta[0] >= before - 1e-14);
        before = krylov.theta[0];
    }
    for (size_t i = 0; i < 2; i++)
        assert_true(fabs(krylov.theta[i] - diagonal[i]) < 1e-12);
    krylov_free(&krylov);
}

static void polished_vectors_are_better_and_of_unit_length(void **state)
{
    double diagonal[COLS];
    decaying(diagonal);
    struct krylov krylov;
    start_random(&krylov, 4, diagonal);
    for (int pass = 0; pass < 3; pass++) {
        krylov_expand(&krylov, 4);
        multiply_waiting(&krylov, diagonal);
    }
    krylov_polish(&krylov);
    for (size_t i = 0; i < krylov.pairs; i++) {
        double length = 0, quotient = 0;
        for (size_t c = 0; c < COLS; c++) {
            double square = krylov.ritz[i * COLS + c] * krylov.ritz[i * COLS + c];
            length += square;
            quotient += diagonal[c] * square;
        }
        assert_true(fabs(length - 1) < 1e-12);
        assert_true(i > 0 || (quotient > krylov.theta[0] && quotient <= 1));
    }
    krylov_free(&krylov);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_floor_proves_that_a_direction_is_missed),
        cmocka_unit_test(the_error_of_a_settled_pair_is_a_bound),
        cmocka_unit_test(a_full_basis_goes_on_with_its_best),
        cmocka_unit_test(polished_vectors_are_better_and_of_unit_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
