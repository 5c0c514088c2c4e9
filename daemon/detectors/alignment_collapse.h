/* Collapse of the alignment's sign diversity against the layers' own past: one detector for each layer,
 * which shares how far its diversity has fallen, and one of the run. */
#ifndef FORESHOCK_DETECTORS_ALIGNMENT_COLLAPSE_H
#define FORESHOCK_DETECTORS_ALIGNMENT_COLLAPSE_H

#include "daemon/detectors/detector.h"

extern const struct detector alignment_collapse_layer_detector;
extern const struct detector alignment_collapse_detector;

#endif
