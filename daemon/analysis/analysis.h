/* The numerics of foreshock, on plain buffers: a library without I/O, threads or a clock.
 *
 * What there is, each in a header of its own that can be read alone:
 *
 *   matrix.h     element types; strided views of matrices; matrices in several parts
 *   figure.h     how an undefined figure is marked
 *   error.h      error codes
 *   spectrum.h   sigma1, sigma2 and v1 of a weight matrix, followed from snapshot to snapshot
 *   rotation.h   the angle and the distance between a weight vector and its initialization
 *   alignment.h  the cosines between a layer's inputs and v1
 *   neurons.h    enrichment and depletion of MLP neurons
 *   quantile.h, histogram.h, chance.h   what these rest on
 *   kernels.h    the loops over elements, in the variant that suits the processor; gram.h: the pass
 *
 * Shapes: a layer computes y = W x; W is [out, in], called rows and cols. Inputs are X [tokens, in].
 * Element types: float64, float32, bfloat16, float16, float8 e4m3fn and e5m2 (IEEE 754 and OCP OFP8
 * formats, little-endian); buffers need no alignment. Strides are in elements and may be negative or 0.
 * Units: weights and inputs have none; angles are given as 1 - cos, or as cosines; counts are exact.
 *
 * Ownership: a view borrows its buffer, a matrix its views; no function keeps either after it returns,
 * and none writes to them. Objects made by *_new or *_begin are freed by their *_free, which takes NULL.
 *
 * Threads: functions without an object are thread-safe. An object is used by one thread at a time;
 * different objects are independent. The only state of the process is the choice of the kernels
 * (kernels.h), made once.
 *
 * Accuracy: every figure is held against float64 by the tests, within the bounds that its header
 * states. Work is in double for matrices of up to 2^20 elements, else in float lanes that double collects.
 *
 * Sources: spectral alignment: Qiu et al., arXiv 2510.04202; layer rotation: Carbonnelle and De
 * Vleeschouwer, arXiv 1806.01603; neurons: Gerstner and Schuetze, arXiv 2505.17936; the tracker:
 * lab/TRACKER.md. */
#ifndef FORESHOCK_ANALYSIS_ANALYSIS_H
#define FORESHOCK_ANALYSIS_ANALYSIS_H

#include "daemon/analysis/alignment.h"
#include "daemon/analysis/chance.h"
#include "daemon/analysis/error.h"
#include "daemon/analysis/histogram.h"
#include "daemon/analysis/kernels.h"
#include "daemon/analysis/matrix.h"
#include "daemon/analysis/neurons.h"
#include "daemon/analysis/quantile.h"
#include "daemon/analysis/rotation.h"
#include "daemon/analysis/spectrum.h"
#include "daemon/analysis/spectrum_export.h"
#include "daemon/analysis/undefined.h"

#endif
