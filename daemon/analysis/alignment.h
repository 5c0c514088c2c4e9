/* Spectral alignment: how the inputs of a layer lie along its principal direction, over the tokens
 * of one step.
 *
 * An accumulator that takes one batch or several (data-parallel processes) as one distribution. The
 * definitions are those of the alignment section of METRICS. One object, one thread at a time. */
#ifndef FORESHOCK_ANALYSIS_ALIGNMENT_H
#define FORESHOCK_ANALYSIS_ALIGNMENT_H

#include "daemon/analysis/error.h"
#include "daemon/analysis/histogram.h"
#include "daemon/analysis/matrix.h"
#include "daemon/analysis/quantile.h"

#include <stddef.h>
#include <stdint.h>

/* Figures are undefined (figure.h) where no token is left to rest on. */
struct alignment_result {
    struct distribution s;
    double positive;
    double diversity;
    double input_mean;
    double input_mean_cos; /* undefined too where the mean unit input is 0 */
    uint64_t tokens;       /* that the figures above rest on */
    uint64_t skipped;      /* tokens of zero norm or with a NaN or an infinity */
    struct bins bins;
    double activation_rms; /* over the finite elements of all tokens, skipped ones too */
    double activation_max_abs;
    uint64_t activation_nonfinite;
};

struct alignment;

/* v1 of length cols is copied and need not be of unit length. NULL stands for a layer without a
 * direction: only the activation figures are taken then, tokens and skipped stay 0. Returns NULL
 * out of memory. */
struct alignment *alignment_begin(size_t cols, const float *v1);

/* Adds inputs x, [tokens, cols], of any dtype and strides; each byte is read from memory once. A token's
 * s is right to 1e-12 in float64 and for x of at most 2^20 elements, else to 2e-6, whatever its scale.
 * Returns 0, ANALYSIS_SHAPE (wrong number of columns) or ANALYSIS_MEMORY. */
int alignment_add(struct alignment *alignment, const struct matrix_view *x);

/* The figures of all tokens so far; more may be added after it. */
void alignment_finish(struct alignment *alignment, struct alignment_result *result);

void alignment_free(struct alignment *alignment);

#endif
