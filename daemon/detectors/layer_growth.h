/* Growth of one layer's spectral norm out of proportion to the training done: of the layer that grows
 * fastest, by the training clock. A detector of the run. */
#ifndef FORESHOCK_DETECTORS_LAYER_GROWTH_H
#define FORESHOCK_DETECTORS_LAYER_GROWTH_H

#include "daemon/detectors/detector.h"

extern const struct detector layer_growth_detector;

#endif
