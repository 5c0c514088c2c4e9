/* A learning rate that leaves its plateau upwards and goes on rising. A detector of the run. */
#ifndef FORESHOCK_DETECTORS_LR_RUNAWAY_H
#define FORESHOCK_DETECTORS_LR_RUNAWAY_H

#include "daemon/detectors/detector.h"

extern const struct detector lr_runaway_detector;

#endif
