/* The names of the metrics that detectors read. */
#include "daemon/detectors/detector.h"

const char *const detector_metric_names[METRIC_COUNT + 1] = {
    [METRIC_LOSS] = "loss",
    [METRIC_GRAD_NORM] = "grad_norm",
    [METRIC_LR] = "lr",
    [METRIC_WEIGHTS_NONFINITE] = "weights.nonfinite",
    [METRIC_ACTIVATION_NONFINITE] = "activation.nonfinite",
    [METRIC_SIGMA1] = "spectral.sigma1",
    [METRIC_RESIDUAL] = "spectral.residual",
    [METRIC_DIVERSITY] = "sa.diversity",
    [METRIC_ROTATION] = "rotation.from_init",
};
