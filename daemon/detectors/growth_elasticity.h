/* How fast one layer's spectral norm grows: its elasticity (elasticity.h), shared for the detectors of
 * all layers (median_growth.h) and of the one that grows fastest (layer_growth.h). */
#ifndef FORESHOCK_DETECTORS_GROWTH_ELASTICITY_H
#define FORESHOCK_DETECTORS_GROWTH_ELASTICITY_H

#include "daemon/detectors/detector.h"

extern const struct detector growth_elasticity_detector;

#endif
