/* A loss that is well above the lowest level it had, and most of its way down again when that is
 * critical. A detector of the run. */
#ifndef FORESHOCK_DETECTORS_LOSS_HIGH_H
#define FORESHOCK_DETECTORS_LOSS_HIGH_H

#include "daemon/detectors/detector.h"

extern const struct detector loss_high_detector;

#endif
