/* One pass over the weights of an MLP block: the products that the cosines of its neurons are made of.
 *
 * Each byte is read from memory once; the matrix that is read by columns in runs of at least 256 bytes
 * where the types have two bytes or more.
 *
 * In float lanes (over at most 8192 columns, double across them) a cosine made of these sums is right to
 * 5e-6 where both vectors' mean squares lie between 2^-70 and 2^70; in double to 1e-14, between 2^-600
 * and 2^600. Those are bounds: random numbers stay below 1e-6. Beyond that range, or with a NaN or an
 * infinity, the sums say nothing.
 *
 * The functions are members of a variant (kernels.h). They allocate nothing and keep nothing:
 * thread-safe as long as calls do not share what they write. */
#ifndef FORESHOCK_ANALYSIS_NEURON_SUMS_H
#define FORESHOCK_ANALYSIS_NEURON_SUMS_H

#include "daemon/analysis/matrix.h"

#include <stddef.h>

#define NEURON_BLOCK 128 /* neurons that a pass takes at most */

/* Exponents of two between which, negative and positive, mean squares are sound. */
#define NEURON_EXPONENT_F32 70
#define NEURON_EXPONENT_F64 600

enum { NEURON_GATE, NEURON_IN, NEURON_OUT, NEURON_SIDES };

struct neuron_sums {
    double square[NEURON_SIDES];
    double in_out, gate_out, gate_in; /* products */
};

struct neuron_pass {
    const struct matrix_view *gate; /* [neurons, d], or NULL: its sums are 0 then */
    const struct matrix_view *in;   /* [neurons, d], at most NEURON_BLOCK rows */
    const struct matrix *out;       /* [d, ff] */
    size_t begin;                   /* the column of out that belongs to row 0 */
    struct neuron_sums *sums;       /* [neurons] */
    void *work;                     /* neuron_work_f32 or _f64 bytes, 64-byte aligned */
};

#endif
