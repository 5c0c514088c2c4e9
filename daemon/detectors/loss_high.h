/* A loss that is well above the lowest level it had: at once when it jumps, later when it climbs. A
 * detector of the run. */
#ifndef FORESHOCK_DETECTORS_LOSS_HIGH_H
#define FORESHOCK_DETECTORS_LOSS_HIGH_H

#include "daemon/detectors/detector.h"

extern const struct detector loss_high_detector;

#endif
