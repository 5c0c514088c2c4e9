/* The source of every variant. A file that is one defines VARIANT (its name), VECTOR_BYTES (16, 32 or
 * 64) and GROUP_ROWS (rows that are multiplied at once: what the registers hold), then includes this.
 *
 * The loops are written on GCC's vector types, so that one text serves all instruction sets; the
 * functions are static, since each file is compiled for a processor of its own. */
#include "daemon/analysis/kernels_variants.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

/* A path through the loops for one constant dtype, width or number of rows is made by inlining. */
#define INLINE static inline __attribute__((always_inline))

#include "daemon/analysis/kernels_convert.h"

typedef uint32_t bit_f32;
typedef uint64_t bit_f64;

#define REAL       float
#define REAL_BYTES 4
#define REAL_DTYPE DTYPE_F32
#define NAME(name) name##_f32
#include "daemon/analysis/kernels_real.h"

#define REAL       double
#define REAL_BYTES 8
#define REAL_DTYPE DTYPE_F64
#define NAME(name) name##_f64
#include "daemon/analysis/kernels_real.h"

/* Row by row as they lie, through double: what happens only when sums were spoiled need not be the
 * fastest. */
static struct kernels_scan scan(const struct matrix_view *given)
{
    struct matrix_view turned = matrix_view_turned(given);
    const struct matrix_view *view = given->row_stride == 1 ? &turned : given;
    struct kernels_scan found = {0, 0};
    double run[CONVERT_RUN];
    for (size_t r = 0; r < view->rows; r++) {
        for (size_t c = 0; c < view->cols; c += CONVERT_RUN) {
            size_t n = view->cols - c < CONVERT_RUN ? view->cols - c : CONVERT_RUN;
            struct matrix_view part = *view;
            part.data = matrix_view_at(view, r, c);
            part.cols = n;
            tile_load_f64(&part, 0, 1, run);
            for (size_t i = 0; i < n; i++) {
                double magnitude = fabs(run[i]);
                bool finite = magnitude <= DBL_MAX;
                found.nonfinite += !finite;
                found.max_abs = finite && magnitude > found.max_abs ? magnitude : found.max_abs;
            }
        }
    }
    return found;
}

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define TEXT_(name) #name
#define TEXT(name)  TEXT_(name)

const struct kernels JOIN(kernels_, VARIANT) = {
    .name = TEXT(VARIANT),
    .gram_f32 = gram_pass_f32,
    .gram_f64 = gram_pass_f64,
    .gram_work_f32 = gram_work_f32,
    .gram_work_f64 = gram_work_f64,
    .load_f32 = tile_load_f32,
    .load_f64 = tile_load_f64,
    .scan = scan,
    .align_f32 = align_pass_f32,
    .align_f64 = align_pass_f64,
    .align_work_f32 = align_work_f32,
    .align_work_f64 = align_work_f64,
    .neurons_f32 = neuron_pass_f32,
    .neurons_f64 = neuron_pass_f64,
    .neuron_work_f32 = neuron_work_f32,
    .neuron_work_f64 = neuron_work_f64,
};
