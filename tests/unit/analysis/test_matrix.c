/* Element types against arithmetic on their fields, and views against plain indexing. */
#include "daemon/analysis/kernels.h"
#include "tests/unit/analysis/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The value of a bit pattern by the definition of its format. */
static double decode(
    unsigned bits, int exponent_bits, int mantissa_bits, int bias, int has_infinity)
{
    unsigned mantissa = bits & ((1u << mantissa_bits) - 1);
    unsigned exponent = (bits >> mantissa_bits) & ((1u << exponent_bits) - 1);
    double sign = (bits >> (mantissa_bits + exponent_bits)) & 1 ? -1 : 1;
    unsigned top = (1u << exponent_bits) - 1;
    if (exponent == top && has_infinity)
        return mantissa ? NAN : sign * INFINITY;
    if (exponent == top && mantissa == (1u << mantissa_bits) - 1)
        return NAN;
    if (exponent == 0)
        return sign * ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * ldexp(mantissa + (1u << mantissa_bits), (int)exponent - bias - mantissa_bits);
}

static void check_value(double got, double expected)
{
    if (isnan(expected))
        assert_true(isnan(got));
    else
        assert_true(got == expected && signbit(got) == signbit(expected));
}

static void every_pattern_decodes(void **state)
{
    static const struct {
        enum dtype dtype;
        int exponent_bits, mantissa_bits, bias, has_infinity;
    } formats[] = {
        {DTYPE_BF16, 8, 7, 127, 1},
        {DTYPE_F16, 5, 10, 15, 1},
        {DTYPE_F8_E4M3FN, 4, 3, 7, 0},
        {DTYPE_F8_E5M2, 5, 2, 15, 1},
    };
    for (size_t f = 0; f < 4; f++) {
        size_t size = dtype_size(formats[f].dtype), count = (size_t)1 << (8 * size);
        unsigned char *bytes = must_alloc(count * size + 1, 1);
        float *floats = must_alloc(count, sizeof(float));
        double *doubles = must_alloc(count, sizeof(double));
        for (size_t i = 0; i < count; i++)
            memcpy(bytes + 1 + i * size, &(uint16_t){(uint16_t)i}, size);
        struct matrix_view view = matrix_view_rows(bytes + 1, formats[f].dtype, 1, count);
        kernels_in_use()->load_f32(&view, 0, 1, floats);
        kernels_in_use()->load_f64(&view, 0, 1, doubles);
        for (unsigned i = 0; i < count; i++) {
            double expected = decode(i, formats[f].exponent_bits, formats[f].mantissa_bits,
                formats[f].bias, formats[f].has_infinity);
            check_value((double)floats[i], expected);
            check_value(doubles[i], expected);
        }
        free(bytes);
        free(floats);
        free(doubles);
    }
}

static void names_are_parsed_back(void **state)
{
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        enum dtype dtype = DTYPE_COUNT;
        assert_int_equal(dtype_parse(dtype_name((enum dtype)i), &dtype), 0);
        assert_int_equal(dtype, i);
    }
    enum dtype dtype = DTYPE_F32;
    assert_int_equal(dtype_parse("float33", &dtype), -1);
    assert_int_equal(dtype_parse("", &dtype), -1);
    assert_int_equal(dtype, DTYPE_F32);
}

/* Every element of `view` by its strides is that of expected[r * cols + c], loaded in uneven
 * pieces. */
static void check_view(const struct matrix_view *view, const double *expected)
{
    double *tile = must_alloc(view->rows * view->cols, sizeof(double));
    float *narrow = must_alloc(view->rows * view->cols, sizeof(float));
    size_t begin = 0;
    for (size_t piece = 1; begin < view->rows; piece = piece * 3 + 1) {
        size_t count = view->rows - begin < piece ? view->rows - begin : piece;
        kernels_in_use()->load_f64(view, begin, count, tile + begin * view->cols);
        kernels_in_use()->load_f32(view, begin, count, narrow + begin * view->cols);
        begin += count;
    }
    for (size_t i = 0; i < view->rows * view->cols; i++) {
        assert_true(tile[i] == expected[i]);
        assert_true(narrow[i] == (float)expected[i]);
    }
    free(tile);
    free(narrow);
}

static void views_read_what_their_strides_say(void **state)
{
    static const size_t shapes[][2] = {{1, 1}, {1, 37}, {37, 1}, {33, 17}, {300, 40}, {40, 700}};
    struct random_source random = {1};
    for (size_t s = 0; s < 6; s++) {
        for (unsigned d = 0; d < DTYPE_COUNT; d++) {
            size_t rows = shapes[s][0], cols = shapes[s][1];
            double *values = must_alloc(rows * cols, sizeof(double));
            random_fill(&random, values, rows * cols);
            for (int transposed = 0; transposed < 2; transposed++) {
                struct sample sample = sample_of(values, rows, cols, (enum dtype)d, transposed);
                check_view(&sample.view, sample.values);
                sample_free(&sample);
            }
            free(values);
        }
    }
}

static void slices_and_turned_views(void **state)
{
    enum { ROWS = 20, COLS = 11 };
    double values[ROWS * COLS], turned[ROWS * COLS], thinned[ROWS / 2 * 4];
    for (int i = 0; i < ROWS * COLS; i++)
        values[i] = i;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++)
            turned[c * ROWS + r] = values[r * COLS + c];
    struct matrix_view view = matrix_view_rows(values, DTYPE_F64, ROWS, COLS);
    struct matrix_view slice = matrix_view_slice(&view, 5, 12);
    assert_int_equal(slice.rows, 7);
    check_view(&slice, values + 5 * COLS);
    struct matrix_view flipped = matrix_view_turned(&view);
    check_view(&flipped, turned);
    struct matrix_view flipped_slice = matrix_view_slice(&flipped, 3, 9);
    check_view(&flipped_slice, turned + 3 * ROWS);
    struct matrix_view sparse = {values, DTYPE_F64, ROWS / 2, 4, 2 * COLS, 3};
    for (int r = 0; r < ROWS / 2; r++)
        for (int c = 0; c < 4; c++)
            thinned[r * 4 + c] = values[2 * r * COLS + 3 * c];
    check_view(&sparse, thinned);
}

int main(void)
{
    if (!kernels_as_asked())
        return TEST_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_decodes),
        cmocka_unit_test(names_are_parsed_back),
        cmocka_unit_test(views_read_what_their_strides_say),
        cmocka_unit_test(slices_and_turned_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
