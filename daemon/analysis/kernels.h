/* The loops that read every element, in the variant that suits the processor.
 *
 * One source (kernels_variant.h) is compiled several times: portable C in 16-byte vectors, AVX2,
 * AVX-512, AVX-512 with BF16 products, NEON. The best that the processor has is taken at first use;
 * the environment variable FORESHOCK_KERNELS forces one by its name. Variants differ in the order of
 * their sums alone, within the bounds that each function states. */
#ifndef FORESHOCK_ANALYSIS_KERNELS_H
#define FORESHOCK_ANALYSIS_KERNELS_H

#include "daemon/analysis/align.h"
#include "daemon/analysis/gram.h"
#include "daemon/analysis/matrix.h"
#include "daemon/analysis/neuron_sums.h"
#include "daemon/core/error.h"

#include <stddef.h>
#include <stdint.h>

/* Finite elements' largest magnitude, and how many are NaN or infinite. */
struct kernels_scan {
    double max_abs;
    uint64_t nonfinite;
};

struct kernels {
    const char *name; /* "portable", "avx2", "avx512", "avx512_bf16", "neon" */

    /* The fused pass (gram.h), in float and in double lanes. */
    void (*gram_f32)(const struct gram_pass *pass);
    void (*gram_f64)(const struct gram_pass *pass);
    size_t (*gram_work_f32)(size_t rows, size_t cols); /* bytes of gram_pass.work */
    size_t (*gram_work_f64)(size_t rows, size_t cols);

    /* Rows [begin, begin + count) of a view as dense row-major [count][cols]. float64 narrowed to
     * float may become infinite. */
    void (*load_f32)(const struct matrix_view *view, size_t begin, size_t count, float *tile);
    void (*load_f64)(const struct matrix_view *view, size_t begin, size_t count, double *tile);

    struct kernels_scan (*scan)(const struct matrix_view *view);

    /* The pass over inputs (align.h), in float and in double lanes. */
    void (*align_f32)(struct align_pass *pass);
    void (*align_f64)(struct align_pass *pass);
    size_t (*align_work_f32)(size_t cols); /* bytes of align_pass.work */
    size_t (*align_work_f64)(size_t cols);

    /* The pass over neurons (neuron_sums.h), in float and in double lanes. */
    void (*neurons_f32)(const struct neuron_pass *pass);
    void (*neurons_f64)(const struct neuron_pass *pass);
    size_t (*neuron_work_f32)(void); /* bytes of neuron_pass.work */
    size_t (*neuron_work_f64)(void);
};

/* The variant in use: the one that FORESHOCK_KERNELS names, else the best. Thread-safe; never NULL,
 * and the same one at every call. A name that cannot be had is passed over: programs that let a
 * person set it ask kernels_check_environment first. */
const struct kernels *kernels_in_use(void);

/* 0 if FORESHOCK_KERNELS is unset or names a variant that this processor runs; else -1, and `error`
 * says which ones it runs. */
int kernels_check_environment(struct error *error);

/* The variants of this build that this processor runs, best first. Returns how many; *list is static.
 */
size_t kernels_available(const struct kernels *const **list);

#endif
