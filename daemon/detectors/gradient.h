/* The gradient norm against its own past, while the loss rises too. A detector of the run. */
#ifndef FORESHOCK_DETECTORS_GRADIENT_H
#define FORESHOCK_DETECTORS_GRADIENT_H

#include "daemon/detectors/detector.h"

extern const struct detector gradient_detector;

#endif
