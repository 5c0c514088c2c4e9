/* Slow and independent references. */
#include "tests/unit/analysis/reference.h"

#include <lapacke.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

double random_uniform(struct random_source *random)
{
    /* splitmix64 */
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return ((double)(z >> 11) + 0.5) * 0x1p-53;
}

double random_normal(struct random_source *random)
{
    double radius = sqrt(-2 * log(random_uniform(random)));
    return radius * cos(2 * M_PI * random_uniform(random));
}

void random_fill(struct random_source *random, double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = random_normal(random);
}

void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    assert_non_null(memory);
    return memory;
}

/* Rounds to nearest even in a format of `mantissa` bits with least exponent `least`; overflow is
 * not handled. */
static uint16_t encode_narrow(double *value, int mantissa, int least, int sign_bit)
{
    uint16_t sign = (uint16_t)((signbit(*value) ? 1u : 0u) << sign_bit);
    int exponent = *value != 0 ? ilogb(*value) : least;
    exponent = exponent < least ? least : exponent;
    double steps = nearbyint(ldexp(fabs(*value), mantissa - exponent));
    *value = copysign(ldexp(steps, exponent - mantissa), *value);
    long bits = (long)(exponent - least) * (1L << mantissa) + (long)steps;
    return (uint16_t)(sign | (uint16_t)bits);
}

static void encode_one(double *value, enum dtype dtype, unsigned char *bytes)
{
    float narrow = (float)*value;
    uint16_t bits = 0;
    switch (dtype) {
    case DTYPE_F64: memcpy(bytes, value, 8); return;
    case DTYPE_F32:
        *value = (double)narrow;
        memcpy(bytes, &narrow, 4);
        return;
    case DTYPE_BF16: bits = encode_narrow(value, 7, -126, 15); break;
    case DTYPE_F16: bits = encode_narrow(value, 10, -14, 15); break;
    case DTYPE_F8_E4M3FN: bits = encode_narrow(value, 3, -6, 7); break;
    case DTYPE_F8_E5M2: bits = encode_narrow(value, 2, -14, 7); break;
    case DTYPE_COUNT: fail();
    }
    memcpy(bytes, &bits, dtype_size(dtype));
}

void encode(double *values, size_t n, enum dtype dtype, unsigned char *bytes)
{
    for (size_t i = 0; i < n; i++)
        encode_one(&values[i], dtype, bytes + i * dtype_size(dtype));
}

struct sample sample_of(
    const double *values, size_t rows, size_t cols, enum dtype dtype, int transposed)
{
    struct sample sample = {.rows = rows, .cols = cols};
    size_t size = dtype_size(dtype);
    sample.values = must_alloc(rows * cols, sizeof(double));
    sample.raw = must_alloc(rows * cols * size + 1, 1);
    sample.bytes = sample.raw + 1;
    memcpy(sample.values, values, rows * cols * sizeof(double));
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            encode_one(&sample.values[r * cols + c], dtype,
                sample.bytes + size * (transposed ? c * rows + r : r * cols + c));
    sample.view = transposed ? matrix_view_transposed(sample.bytes, dtype, rows, cols)
                             : matrix_view_rows(sample.bytes, dtype, rows, cols);
    return sample;
}

void sample_free(struct sample *sample)
{
    free(sample->values);
    free(sample->raw);
}

/* `count` orthonormal columns of length n, row-major [n, count]. */
static double *random_directions(struct random_source *random, size_t n, size_t count)
{
    double *q = must_alloc(n * count, sizeof(double)), *tau = must_alloc(count, sizeof(double));
    random_fill(random, q, n * count);
    lapack_int rows = (lapack_int)n, cols = (lapack_int)count;
    assert_int_equal(LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, rows, cols, q, cols, tau), 0);
    assert_int_equal(LAPACKE_dorgqr(LAPACK_ROW_MAJOR, rows, cols, cols, q, cols, tau), 0);
    free(tau);
    return q;
}

void matrix_with_spectrum(struct random_source *random, size_t rows, size_t cols,
    const double *sigma, size_t count, double *out)
{
    double *u = random_directions(random, rows, count), *v = random_directions(random, cols, count);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < cols; c++) {
            double sum = 0;
            for (size_t i = 0; i < count; i++)
                sum += u[r * count + i] * sigma[i] * v[c * count + i];
            out[r * cols + c] = sum;
        }
    }
    free(u);
    free(v);
}

void exact_svd(const double *values, size_t rows, size_t cols, double *sigma, double *v1)
{
    size_t least = rows < cols ? rows : cols;
    double *a = must_alloc(rows * cols, sizeof(double));
    double *u = must_alloc(rows * least, sizeof(double)),
           *vt = must_alloc(least * cols, sizeof(double));
    memcpy(a, values, rows * cols * sizeof(double));
    lapack_int info = LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', (lapack_int)rows, (lapack_int)cols, a,
        (lapack_int)cols, sigma, u, (lapack_int)least, vt, (lapack_int)cols);
    assert_int_equal(info, 0);
    memcpy(v1, vt, cols * sizeof(double));
    free(a);
    free(u);
    free(vt);
}

double exact_residual(const double *values, size_t rows, size_t cols, const double *v)
{
    double *z = must_alloc(cols, sizeof(double));
    double square = 0, length = 0, residual = 0;
    for (size_t r = 0; r < rows; r++) {
        double y = 0;
        for (size_t c = 0; c < cols; c++)
            y += values[r * cols + c] * v[c];
        for (size_t c = 0; c < cols; c++)
            z[c] += values[r * cols + c] * y;
        square += y * y;
    }
    for (size_t c = 0; c < cols; c++)
        length += v[c] * v[c];
    square /= length;
    for (size_t c = 0; c < cols; c++)
        residual += (z[c] - square * v[c]) * (z[c] - square * v[c]);
    free(z);
    return sqrt(residual / length) / square;
}

bool kernels_as_asked(void)
{
    struct error error;
    if (kernels_check_environment(&error) == 0)
        return true;
    printf("skipped: %s\n", error.text);
    return false;
}

size_t kernels_under_test(const struct kernels *const **list)
{
    static const struct kernels *forced;
    size_t count = kernels_available(list);
    if (!getenv("FORESHOCK_KERNELS"))
        return count;
    forced = kernels_in_use();
    *list = &forced;
    return 1;
}

static struct {
    char name[64];
    double largest;
} errors[64];

void note_error(const char *name, double error)
{
    size_t i = 0;
    while (errors[i].name[0] && strcmp(errors[i].name, name) != 0)
        i++;
    assert_true(i < sizeof(errors) / sizeof(errors[0]) - 1);
    snprintf(errors[i].name, sizeof(errors[i].name), "%s", name);
    errors[i].largest = fmax(errors[i].largest, error);
}

void print_errors(void)
{
    for (size_t i = 0; errors[i].name[0]; i++)
        printf("largest %s: %.3g\n", errors[i].name, errors[i].largest);
}

int spectrum_update_views(struct spectrum *spectrum, const struct matrix_view *w,
    const struct matrix_view *w0, const struct matrix_view *prev, struct spectrum_result *out)
{
    struct matrix m = matrix_of(w), m0, before;
    if (w0)
        m0 = matrix_of(w0);
    if (prev)
        before = matrix_of(prev);
    return spectrum_update(spectrum, &m, w0 ? &m0 : NULL, NULL, prev ? &before : NULL, out);
}

double exact_rotation(const double *a, const double *b, size_t n)
{
    long double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (long double)a[i] * (long double)b[i];
        aa += (long double)a[i] * (long double)a[i];
        bb += (long double)b[i] * (long double)b[i];
    }
    return (double)(1 - ab / sqrtl(aa * bb));
}
