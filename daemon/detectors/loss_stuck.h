/* A loss that no longer changes at all, to the last bit: zero or another number, forever. */
#ifndef FORESHOCK_DETECTORS_LOSS_STUCK_H
#define FORESHOCK_DETECTORS_LOSS_STUCK_H

#include "daemon/detectors/detector.h"

extern const struct detector loss_stuck_detector;

#endif
