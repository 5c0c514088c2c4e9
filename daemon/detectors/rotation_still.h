/* Weights that no longer change: one detector for each layer, which shares its change, and one of the
 * run. */
#ifndef FORESHOCK_DETECTORS_ROTATION_STILL_H
#define FORESHOCK_DETECTORS_ROTATION_STILL_H

#include "daemon/detectors/detector.h"

extern const struct detector rotation_still_layer_detector;
extern const struct detector rotation_still_detector;

#endif
