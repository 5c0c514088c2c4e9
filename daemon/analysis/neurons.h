/* The neurons of an MLP block by the cosines of their input, gate and output weights.
 *
 * The definitions are those of the section on enrichment and depletion of METRICS. Pure: one call,
 * no state. */
#ifndef FORESHOCK_ANALYSIS_NEURONS_H
#define FORESHOCK_ANALYSIS_NEURONS_H

#include "daemon/analysis/error.h"
#include "daemon/analysis/histogram.h"
#include "daemon/analysis/matrix.h"
#include "daemon/analysis/quantile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum neuron_class {
    NEURON_ENRICHMENT,
    NEURON_CONDITIONAL_ENRICHMENT,
    NEURON_PROPORTIONAL_CHANGE,
    NEURON_ORTHOGONAL,
    NEURON_CONDITIONAL_DEPLETION,
    NEURON_DEPLETION,
    NEURON_ATYPICAL_ENRICHMENT,
    NEURON_ATYPICAL_CONDITIONAL_ENRICHMENT,
    NEURON_ATYPICAL_PROPORTIONAL_CHANGE,
    NEURON_ATYPICAL_CONDITIONAL_DEPLETION,
    NEURON_ATYPICAL_DEPLETION,
    NEURON_CLASS_COUNT
};

/* One kind of cosine over the block's neurons; undefined (figure.h) where no neuron has one. */
struct neuron_cosines {
    struct distribution cosine;
    struct bins bins;
};

struct neurons_result {
    bool gated;
    uint64_t count[NEURON_CLASS_COUNT];
    /* Neurons with a zero (or not finite) vector; with the counts: all neurons. */
    uint64_t undefined;
    double beyond_chance; /* undefined for d = 1 */
    struct neuron_cosines in_out;
    /* As read: turned where cos(gate, in) < 0; empty without a gate. */
    struct neuron_cosines gate_out;
    struct neuron_cosines gate_in; /* as read: never negative; empty without a gate */
};

/* "enrichment", "atypical_depletion" and so on. */
const char *neuron_class_name(enum neuron_class class);

/* False for the classes that only a gated block has. */
bool neuron_class_applies(enum neuron_class class, bool gated);

/* The class of cosines as read, against the threshold 0.5; for a block without a gate only in_out
 * counts. */
enum neuron_class neuron_classify(bool gated, double in_out, double gate_out, double gate_in);

/* gate (or NULL) and in are [ff, d], out is [d, ff], each of a dtype and in parts of its own; each byte
 * is read from memory once. Cosines are right to 1e-12 for blocks of at most 2^20 elements and in
 * float64, else to 5e-6, whatever the scale of the vectors. Returns 0, ANALYSIS_SHAPE or
 * ANALYSIS_MEMORY. */
int neurons_measure(const struct matrix *gate, const struct matrix *in, const struct matrix *out,
    struct neurons_result *result);

#endif
