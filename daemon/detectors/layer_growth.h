/* Growth of one layer's spectral norm out of proportion to the training done. A detector of the run:
 * of the layers that grow faster than they ever did (growth_elasticity.h) it judges the one that is
 * largest in shares of its limit. */
#ifndef FORESHOCK_DETECTORS_LAYER_GROWTH_H
#define FORESHOCK_DETECTORS_LAYER_GROWTH_H

#include "daemon/detectors/detector.h"

extern const struct detector layer_growth_detector;

#endif
