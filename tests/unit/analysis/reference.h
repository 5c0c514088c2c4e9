/* Slow and independent references for the tests of daemon/analysis: random matrices, element types,
 * full SVD. */
#ifndef FORESHOCK_TESTS_UNIT_ANALYSIS_REFERENCE_H
#define FORESHOCK_TESTS_UNIT_ANALYSIS_REFERENCE_H

#include "daemon/analysis/analysis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Random numbers of a fixed seed. */
struct random_source {
    uint64_t state;
};
double random_uniform(struct random_source *random); /* in (0, 1) */
double random_normal(struct random_source *random);
void random_fill(struct random_source *random, double *values, size_t n);

/* calloc that fails the test. */
void *must_alloc(size_t count, size_t size);

/* values[i] is rounded to the dtype in place, and written in it to bytes. */
void encode(double *values, size_t n, enum dtype dtype, unsigned char *bytes);

/* A row-major [rows, cols] matrix, rounded to a dtype, with the bytes that a view needs. */
struct sample {
    size_t rows;
    size_t cols;
    double *values;       /* as stored */
    unsigned char *bytes; /* unaligned on purpose */
    unsigned char *raw;
    struct matrix_view view;
};
struct sample sample_of(
    const double *values, size_t rows, size_t cols, enum dtype dtype, int transposed);
void sample_free(struct sample *sample);

/* A matrix with these singular values (count <= min(rows, cols), the rest 0) in random directions.
 */
void matrix_with_spectrum(struct random_source *random, size_t rows, size_t cols,
    const double *sigma, size_t count, double *out);

/* Singular values, descending, and the first right singular vector, by LAPACK in double. */
void exact_svd(const double *values, size_t rows, size_t cols, double *sigma, double *v1);

/* |W^T W v - s2 v| / s2, s2 = |W v|^2 / |v|^2. */
double exact_residual(const double *values, size_t rows, size_t cols, const double *v);

/* Whether a sanitizer slows the loops down: then tests draw fewer cases. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

#define TEST_SKIPPED 77 /* what Meson shows as a skipped test */

/* False, with a line that says why, where FORESHOCK_KERNELS asks for what this processor lacks. */
bool kernels_as_asked(void);

/* The variant that FORESHOCK_KERNELS asks for, or all that this processor runs. Returns how many;
 * *list is static. */
size_t kernels_under_test(const struct kernels *const **list);

/* The largest value seen of each named error, printed at the end. */
void note_error(const char *name, double error);
void print_errors(void);

/* spectrum_update with matrices of one part, nothing known of the baseline. */
int spectrum_update_views(struct spectrum *spectrum, const struct matrix_view *w,
    const struct matrix_view *w0, const struct matrix_view *prev, struct spectrum_result *out);

/* 1 - cos of two vectors by long double products. */
double exact_rotation(const double *a, const double *b, size_t n);

#endif
