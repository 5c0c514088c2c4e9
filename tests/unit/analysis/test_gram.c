/* The fused pass of every variant that the processor runs, in float and in double, against plain loops
 * in long double. What a view leaves out is NaN, what lies behind it forbidden. */
#include "daemon/analysis/kernels.h"
#include "tests/unit/analysis/guarded.h"
#include "tests/unit/analysis/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES = SANITIZED ? 300 : 1500 };

enum { PARTS = 5, OPERANDS = 1 + GRAM_REFERENCES };

/* How the elements of a part lie. */
enum layout { DENSE, PADDED, TURNED, SPREAD, LAYOUTS };

/* A matrix in parts. */
struct operand {
    double *values; /* row-major, as stored */
    enum dtype dtype;
    struct guarded buffer[PARTS];
    struct matrix_view view[PARTS];
    struct matrix matrix;
};

struct plan {
    size_t rows, cols, width;
    double scale;
    enum dtype dtype[OPERANDS]; /* of W and of the references */
    bool present[GRAM_REFERENCES];
    bool known[GRAM_REFERENCES];
    bool measured;
    bool double_only;
};

struct expected {
    double square[OPERANDS]; /* of W and of the references */
    double ulp_square[OPERANDS];
    double difference[GRAM_REFERENCES];
    double *z;
    double length[GRAM_WIDTH]; /* of the vectors */
};

/* What is under test: the variant and the type of its lanes. */
struct subject {
    const struct kernels *kernels;
    bool in_double;
};

static size_t below(struct random_source *random, size_t n)
{
    return (size_t)(random_uniform(random) * (double)n);
}

static bool one_in(struct random_source *random, size_t n)
{
    return below(random, n) == 0;
}

/* 1..most, small ones as often as large ones. */
static size_t some(struct random_source *random, size_t most)
{
    return one_in(random, 4) ? 1 + below(random, most)
                             : (size_t)pow((double)most + 0.99, random_uniform(random));
}

/* Stores rows of values, which are rounded to the dtype in place. */
static struct matrix_view lay_out(struct random_source *random, enum layout layout, double *values,
    size_t rows, size_t cols, enum dtype dtype, struct guarded *buffer)
{
    size_t size = dtype_size(dtype), pad = layout == DENSE ? 0 : below(random, 9);
    size_t apart = layout == TURNED ? rows + pad : layout == SPREAD ? 2 + below(random, 3) : 1;
    size_t row_stride = layout == TURNED ? 1 : cols * apart + pad;
    size_t slack = one_in(random, 3) ? 1 + 2 * below(random, 4) : 0;
    *buffer = guarded_new(((rows - 1) * row_stride + (cols - 1) * apart + 1) * size, slack);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            encode(&values[r * cols + c], 1, dtype,
                buffer->data + (r * row_stride + c * apart) * size);
    guarded_seal(buffer);
    return (struct matrix_view){
        buffer->data, dtype, rows, cols, (ptrdiff_t)row_stride, (ptrdiff_t)apart};
}

/* Takes values over. Half of the matrices have rows that lie together. */
static void operand_init(struct operand *operand, struct random_source *random, double *values,
    size_t rows, size_t cols, enum dtype dtype)
{
    size_t parts = one_in(random, 2) ? 1 : 1 + below(random, rows < PARTS ? rows : PARTS);
    size_t layouts = one_in(random, 2) ? TURNED : LAYOUTS, row = 0;
    *operand = (struct operand){.values = values, .dtype = dtype};
    for (size_t i = 0; i < parts; i++) {
        size_t left = parts - 1 - i;
        size_t taken = left ? 1 + below(random, rows - row - left) : rows - row;
        operand->view[i] = lay_out(random, (enum layout)below(random, layouts), values + row * cols,
            taken, cols, dtype, &operand->buffer[i]);
        row += taken;
    }
    assert_int_equal(matrix_stack(operand->view, parts, &operand->matrix), 0);
}

static void operand_free(struct operand *operand)
{
    for (size_t i = 0; i < operand->matrix.count; i++)
        guarded_free(&operand->buffer[i]);
    free(operand->values);
}

static double ulp_square(double x, enum dtype dtype)
{
    if (!dtype_is_narrow(dtype))
        return 0;
    int least = dtype_exponent_min(dtype), exponent = x == 0 ? least : ilogb(x);
    return ldexp(1, 2 * ((exponent < least ? least : exponent) - dtype_mantissa_bits(dtype)));
}

static void expect_sums(
    const struct plan *plan, const struct operand operand[OPERANDS], struct expected *expected)
{
    size_t n = plan->rows * plan->cols;
    long double scale = (long double)plan->scale * (long double)plan->scale;
    for (size_t o = 0; o < OPERANDS; o++) {
        const double *values = operand[o].values, *w = operand[0].values;
        long double square = 0, ulp = 0, difference = 0;
        for (size_t i = 0; values && i < n; i++) {
            long double x = (long double)values[i], apart = (long double)w[i] - x;
            square += x * x;
            ulp += (long double)ulp_square(values[i], operand[o].dtype);
            difference += apart * apart;
        }
        expected->square[o] = (double)(scale * square);
        expected->ulp_square[o] = (double)(scale * ulp);
        if (o > 0)
            expected->difference[o - 1] = (double)(scale * difference);
    }
}

static void expect_products(
    const struct plan *plan, const double *w, const double *in, struct expected *expected)
{
    size_t rows = plan->rows, cols = plan->cols;
    long double *z = must_alloc(cols, sizeof(*z));
    long double scale = (long double)plan->scale * (long double)plan->scale;
    for (size_t j = 0; j < plan->width; j++) {
        const double *v = in + j * cols;
        long double square = 0;
        memset(z, 0, cols * sizeof(*z));
        for (size_t r = 0; r < rows; r++) {
            long double y = 0;
            for (size_t c = 0; c < cols; c++)
                y += (long double)w[r * cols + c] * (long double)v[c];
            for (size_t c = 0; c < cols; c++)
                z[c] += (long double)w[r * cols + c] * y;
        }
        for (size_t c = 0; c < cols; c++) {
            expected->z[j * cols + c] = (double)(scale * z[c]);
            square += (long double)v[c] * (long double)v[c];
        }
        expected->length[j] = sqrt((double)square);
    }
    free(z);
}

static void check(const struct subject *subject, const char *what, double error, double bound)
{
    char name[64];
    snprintf(name, sizeof(name), "%s, %s: %s", subject->kernels->name,
        subject->in_double ? "double" : "float", what);
    note_error(name, error);
    if (!(error <= bound))
        fail_msg("%s: %g, expected at most %g", name, error, bound);
}

/* Of a sum of squares, as gram.h states it. */
static double sum_bound(const struct subject *subject, const struct plan *plan)
{
    double sums = (double)(plan->rows * (1 + plan->cols / 8192));
    return subject->in_double ? 1e-15 + 1e-16 * sums : 1e-6;
}

/* Both 0, or close to each other. What lies below the range of float is not seen by its lanes. */
static double relative_to(double size, double got, double expected)
{
    return fabs(got - expected) <= 0x1p-130 ? 0 : fabs(got - expected) / size;
}

static double relative(double got, double expected)
{
    return relative_to(expected, got, expected);
}

static void check_sums(const struct subject *subject, const struct plan *plan,
    const struct gram_sums *got, const struct expected *expected)
{
    double bound = sum_bound(subject, plan);
    check(subject, "square", relative(got->square, expected->square[0]), bound);
    check(subject, "spacing", relative(got->ulp_square, expected->ulp_square[0]), bound);
    for (size_t i = 0; i < GRAM_REFERENCES; i++) {
        bool own = plan->present[i] && !plan->known[i];
        double square = own ? expected->square[1 + i] : 0;
        double spacing = own ? expected->ulp_square[1 + i] : 0;
        double difference = plan->present[i] ? expected->difference[i] : 0;
        check(subject, "square", relative(got->reference[i].square, square), bound);
        check(subject, "spacing", relative(got->reference[i].ulp_square, spacing), bound);
        /* float64 is narrowed to float before it is subtracted. */
        bool narrowed =
            !subject->in_double && (plan->dtype[0] == DTYPE_F64 || plan->dtype[1 + i] == DTYPE_F64);
        double norms = sqrt(expected->square[0] * expected->square[1 + i]) + difference;
        check(subject, narrowed ? "difference to norms" : "difference",
            relative_to(narrowed ? norms : difference, got->reference[i].difference, difference),
            bound);
    }
}

static void check_products(const struct subject *subject, const struct plan *plan,
    const double *got, const struct expected *expected)
{
    double bound = subject->in_double ? 1e-14 : 2e-6;
    for (size_t j = 0; j < plan->width; j++) {
        double square = 0;
        for (size_t c = 0; c < plan->cols; c++) {
            double apart = got[j * plan->cols + c] - expected->z[j * plan->cols + c];
            square += apart * apart;
        }
        double size = expected->square[0] * expected->length[j];
        check(subject, "Z", size > 0 ? sqrt(square) / size : sqrt(square), bound);
    }
}

static void check_pass(const struct subject *subject, const struct plan *plan,
    const struct operand operand[OPERANDS], const struct guarded *in,
    const struct expected *expected)
{
    const struct kernels *kernels = subject->kernels;
    size_t work_size = subject->in_double ? kernels->gram_work_f64(plan->rows, plan->cols)
                                          : kernels->gram_work_f32(plan->rows, plan->cols);
    struct guarded work = guarded_new((work_size + 63) / 64 * 64, 0);
    struct guarded out = guarded_new(in->size, 0), sums = guarded_new(sizeof(struct gram_sums), 0);
    struct gram_pass pass = {.w = &operand[0].matrix,
        .scale = plan->scale,
        .in = (const double *)(const void *)in->data,
        .out = (double *)(void *)out.data,
        .width = plan->width,
        .sums = plan->measured ? (struct gram_sums *)(void *)sums.data : NULL,
        .work = work.data};
    for (size_t i = 0; i < GRAM_REFERENCES; i++) {
        pass.reference[i] = plan->present[i] ? &operand[1 + i].matrix : NULL;
        pass.reference_known[i] = plan->known[i];
    }
    if (subject->in_double)
        kernels->gram_f64(&pass);
    else
        kernels->gram_f32(&pass);
    if (plan->measured)
        check_sums(subject, plan, pass.sums, expected);
    check_products(subject, plan, pass.out, expected);
    guarded_free(&work);
    guarded_free(&out);
    guarded_free(&sums);
}

/* One pass in every variant and both types of lanes. */
static void check_everywhere(
    const struct plan *plan, const struct operand operand[OPERANDS], const struct guarded *in)
{
    struct expected expected = {.z = must_alloc(plan->width * plan->cols, sizeof(double))};
    expect_sums(plan, operand, &expected);
    expect_products(plan, operand[0].values, (const double *)(const void *)in->data, &expected);
    const struct kernels *const *variant;
    size_t count = kernels_under_test(&variant);
    for (size_t i = 0; i < 2 * count; i++) {
        struct subject subject = {variant[i / 2], i % 2};
        if (subject.in_double || !plan->double_only)
            check_pass(&subject, plan, operand, in, &expected);
    }
    free(expected.z);
}

/* A reference is what W drifted from, or has nothing to do with it. `size`: of the elements of W. */
static double *reference_values(
    struct random_source *random, const double *w, size_t n, double size)
{
    static const double drifts[] = {0, 1e-4, 1e-2, 1, 0};
    double *values = must_alloc(n, sizeof(double));
    size_t kind = below(random, 5);
    double kept = kind == 4 ? 0 : 1, drift = kind == 4 ? 1 : drifts[kind];
    for (size_t i = 0; i < n; i++)
        values[i] = kept * w[i] + drift * size * (2 * random_uniform(random) - 1);
    return values;
}

/* All elements the same: every rounding of a sum goes the same way. */
static void fill(struct random_source *random, double *values, size_t n, double size)
{
    bool equal = one_in(random, 6);
    for (size_t i = 0; i < n; i++)
        values[i] = equal && i > 0 ? values[0] : size * (2 * random_uniform(random) - 1);
}

/* `exponent`: of the size of W. */
static void follow(const struct plan *plan, struct random_source *random, int exponent)
{
    struct operand operand[OPERANDS] = {0};
    size_t n = plan->rows * plan->cols;
    double *w = must_alloc(n, sizeof(double)), size = ldexp(1, exponent);
    fill(random, w, n, size);
    for (size_t i = 0; i < GRAM_REFERENCES; i++)
        if (plan->present[i])
            operand_init(&operand[1 + i], random, reference_values(random, w, n, size), plan->rows,
                plan->cols, plan->dtype[1 + i]);
    operand_init(&operand[0], random, w, plan->rows, plan->cols, plan->dtype[0]);
    struct guarded in = guarded_new(plan->width * plan->cols * sizeof(double), 0);
    for (size_t j = 0; j < plan->width; j++)
        fill(random, (double *)(void *)in.data + j * plan->cols, plan->cols, 1);
    guarded_seal(&in);
    check_everywhere(plan, operand, &in);
    guarded_free(&in);
    for (size_t o = 0; o < OPERANDS; o++)
        operand_free(&operand[o]);
}

static struct plan random_plan(struct random_source *random, size_t rows, size_t cols)
{
    struct plan plan = {.rows = rows,
        .cols = cols,
        .width = 1 + below(random, GRAM_WIDTH),
        .scale = one_in(random, 4) ? ldexp(1, (int)below(random, 40) - 20) : 1,
        .measured = !one_in(random, 4)};
    for (size_t o = 0; o < OPERANDS; o++)
        plan.dtype[o] = (enum dtype)below(random, DTYPE_COUNT);
    for (size_t i = 0; i < GRAM_REFERENCES; i++) {
        plan.present[i] = one_in(random, 2);
        plan.known[i] = one_in(random, 3);
        if (one_in(random, 2)) /* the usual case */
            plan.dtype[1 + i] = plan.dtype[0];
    }
    return plan;
}

static void small_matrices_of_any_kind(void **state)
{
    struct random_source random = {101};
    for (size_t i = 0; i < CASES; i++) {
        struct plan plan = random_plan(&random, some(&random, 200), some(&random, 700));
        follow(&plan, &random, (int)below(&random, 5) - 3);
    }
}

/* Across the edges of panels, chunks, tiles and flushes, and more than a million elements. */
static void large_matrices(void **state)
{
    static const size_t shapes[][2] = {{1, 8192}, {1, 16421}, {3, 8193}, {130, 8200}, {5, 20000},
        {129, 512}, {513, 3}, {4000, 1}, {64, 1030}, {257, 1025}, {2100, 520}, {1030, 1030}};
    struct random_source random = {102};
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
        for (size_t dtype = 0; dtype < DTYPE_COUNT; dtype++) {
            struct plan plan = random_plan(&random, shapes[s][0], shapes[s][1]);
            plan.dtype[0] = (enum dtype)dtype;
            follow(&plan, &random, (int)below(&random, 5) - 3);
        }
}

/* NaN and infinities; e4m3fn has but two NaN. */
static const uint64_t bad_bits[DTYPE_COUNT][3] = {
    [DTYPE_F64] = {0x7ff8000000000000, 0x7ff0000000000000, 0xfff0000000000000},
    [DTYPE_F32] = {0x7fc00000, 0x7f800000, 0xff800000},
    [DTYPE_BF16] = {0x7fc0, 0x7f80, 0xff80},
    [DTYPE_F16] = {0x7e00, 0x7c00, 0xfc00},
    [DTYPE_F8_E4M3FN] = {0x7f, 0xff, 0xff},
    [DTYPE_F8_E5M2] = {0x7e, 0x7c, 0xfc},
};

/* The sums must tell that W or its reference, in turn, is spoilt. */
static void check_spoilt(
    const struct kernels *kernels, const struct matrix *good, const struct matrix *spoilt)
{
    struct guarded work = guarded_new(kernels->gram_work_f64(good->rows, good->cols), 0);
    double *in = must_alloc(2 * good->cols, sizeof(double));
    for (size_t i = 0; i < 4; i++) {
        bool in_double = i % 2, in_reference = i / 2;
        struct gram_sums sums;
        struct gram_pass pass = {.w = in_reference ? good : spoilt,
            .reference = {in_reference ? spoilt : good},
            .scale = 1,
            .in = in,
            .out = in + good->cols,
            .width = 1,
            .sums = &sums,
            .work = work.data};
        if (in_double)
            kernels->gram_f64(&pass);
        else
            kernels->gram_f32(&pass);
        assert_true(!isfinite(sums.reference[0].difference));
        assert_true(!isfinite(in_reference ? sums.reference[0].square : sums.square));
    }
    free(in);
    guarded_free(&work);
}

/* One element that is not finite, wherever it lies: the tracker relies on it. */
static void one_bad_element_shows(void **state)
{
    enum { ROWS = 5, COLS = 75, N = ROWS * COLS };
    struct random_source random = {103};
    const struct kernels *const *variant;
    size_t count = kernels_under_test(&variant);
    for (size_t i = 0; i < CASES; i++) {
        double values[N];
        unsigned char good[N * sizeof(double)], spoilt[N * sizeof(double)];
        enum dtype dtype = (enum dtype)below(&random, DTYPE_COUNT);
        size_t size = dtype_size(dtype);
        fill(&random, values, N, 1);
        encode(values, N, dtype, good);
        memcpy(spoilt, good, N * size);
        memcpy(spoilt + below(&random, N) * size, &bad_bits[dtype][below(&random, 3)], size);
        struct matrix_view good_view = matrix_view_rows(good, dtype, ROWS, COLS);
        struct matrix_view bad_view = matrix_view_rows(spoilt, dtype, ROWS, COLS);
        struct matrix good_matrix = matrix_of(&good_view), bad_matrix = matrix_of(&bad_view);
        for (size_t v = 0; v < count; v++)
            check_spoilt(variant[v], &good_matrix, &bad_matrix);
    }
}

/* What leaves the range of float64 when squared, brought back by the scale. */
static void the_scale_brings_extremes_back(void **state)
{
    static const int exponents[] = {-900, -500, 500, 900};
    struct random_source random = {104};
    for (size_t i = 0; i < 4; i++) {
        struct plan plan = {.rows = 30,
            .cols = 41,
            .width = 3,
            .scale = ldexp(1, -exponents[i]),
            .present = {true},
            .measured = true,
            .double_only = true};
        follow(&plan, &random, exponents[i]);
    }
}

static void the_forced_variant_is_in_use(void **state)
{
    const char *wanted = getenv("FORESHOCK_KERNELS");
    const struct kernels *const *variant;
    kernels_available(&variant);
    assert_string_equal(kernels_in_use()->name, wanted ? wanted : variant[0]->name);
}

int main(void)
{
    if (!kernels_as_asked())
        return TEST_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_matrices_of_any_kind),
        cmocka_unit_test(large_matrices),
        cmocka_unit_test(one_bad_element_shows),
        cmocka_unit_test(the_scale_brings_extremes_back),
        cmocka_unit_test(the_forced_variant_is_in_use),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_errors();
    return failed;
}
