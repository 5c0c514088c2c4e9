/* The table of detectors, and the names of the metrics that they read. */
#include "daemon/alerts/detector.h"

const char *const alert_metric_table[METRIC_COUNT + 1] = {
    [METRIC_LOSS] = "loss",
    [METRIC_GRAD_NORM] = "grad_norm",
    [METRIC_WEIGHTS_NONFINITE] = "weights.nonfinite",
    [METRIC_ACTIVATION_NONFINITE] = "activation.nonfinite",
    [METRIC_SIGMA1] = "spectral.sigma1",
    [METRIC_RESIDUAL] = "spectral.residual",
    [METRIC_DIVERSITY] = "sa.diversity",
};

const struct detector *const detector_table[DETECTOR_COUNT] = {
    &nonfinite_weights_detector,
    &nonfinite_activations_detector,
    &nonfinite_loss_detector,
    &nonfinite_grad_norm_detector,
    &sigma_growth_detector,
    &alignment_collapse_detector,
    &loss_high_detector,
};
