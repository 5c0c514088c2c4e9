/* The table of detectors, and the names of the metrics that they read. */
#include "daemon/detectors/detector.h"

const char *const alert_metric_table[METRIC_COUNT + 1] = {
    [METRIC_LOSS] = "loss",
    [METRIC_GRAD_NORM] = "grad_norm",
    [METRIC_LR] = "lr",
    [METRIC_WEIGHTS_NONFINITE] = "weights.nonfinite",
    [METRIC_ACTIVATION_NONFINITE] = "activation.nonfinite",
    [METRIC_SIGMA1] = "spectral.sigma1",
    [METRIC_RESIDUAL] = "spectral.residual",
    [METRIC_DIVERSITY] = "sa.diversity",
    [METRIC_ROTATION] = "rotation.from_init",
    [METRIC_COS_IN_OUT] = "gate.in_out.p50",
};

const struct detector *const detector_table[DETECTOR_COUNT] = {
    &nonfinite_weights_detector,
    &nonfinite_activations_detector,
    &nonfinite_loss_detector,
    &nonfinite_grad_norm_detector,
    &sigma_growth_detector,
    &layers_growth_detector,
    &lone_growth_detector,
    &lr_runaway_detector,
    &gradient_detector,
    &alignment_fall_detector,
    &alignment_collapse_detector,
    &cosine_shift_detector,
    &rotation_elasticity_detector,
    &rotation_runaway_detector,
    &rotation_change_detector,
    &rotation_still_detector,
    &loss_high_detector,
};
