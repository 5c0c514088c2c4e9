/* Numbers that are not finite: in the weights, the inputs of a layer, the loss or the gradient norm. */
#ifndef FORESHOCK_DETECTORS_NONFINITE_H
#define FORESHOCK_DETECTORS_NONFINITE_H

#include "daemon/detectors/detector.h"

extern const struct detector nonfinite_weights_detector;
extern const struct detector nonfinite_activations_detector;
extern const struct detector nonfinite_loss_detector;
extern const struct detector nonfinite_grad_norm_detector;

#endif
