/* A loss that falls faster than any training explains: see descent.h. A loader that is stuck on one batch, a shard of
 * one repeated token, a label in the input, a lost causal mask, an objective without a floor. */
#ifndef FORESHOCK_DETECTORS_LOSS_LOW_H
#define FORESHOCK_DETECTORS_LOSS_LOW_H

#include "daemon/detectors/detector.h"

extern const struct detector loss_low_detector;

#endif
