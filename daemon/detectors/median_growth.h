/* Growth of all layers at once, out of proportion to the training done: the median over the layers of
 * their elasticities (growth_elasticity.h), by the training clock, above its own past. A detector of
 * the run. */
#ifndef FORESHOCK_DETECTORS_MEDIAN_GROWTH_H
#define FORESHOCK_DETECTORS_MEDIAN_GROWTH_H

#include "daemon/detectors/detector.h"

extern const struct detector median_growth_detector;

#endif
