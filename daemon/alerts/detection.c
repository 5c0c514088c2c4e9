/* The table of detections; see detection.h. */
#include "daemon/alerts/detection.h"

#include "daemon/detectors/alignment_collapse.h"
#include "daemon/detectors/gradient.h"
#include "daemon/detectors/growth_elasticity.h"
#include "daemon/detectors/layer_growth.h"
#include "daemon/detectors/loss_high.h"
#include "daemon/detectors/loss_low.h"
#include "daemon/detectors/loss_stuck.h"
#include "daemon/detectors/lr_runaway.h"
#include "daemon/detectors/median_growth.h"
#include "daemon/detectors/nonfinite.h"
#include "daemon/detectors/rotation_still.h"

const struct detection detection_table[DETECTION_COUNT] = {
    {RULE_NONFINITE, &nonfinite_weights_detector},
    {RULE_NONFINITE, &nonfinite_activations_detector},
    {RULE_NONFINITE, &nonfinite_loss_detector},
    {RULE_NONFINITE, &nonfinite_grad_norm_detector},
    {RULE_SIGMA_GROWTH, &growth_elasticity_detector},
    {RULE_SIGMA_GROWTH, &median_growth_detector},
    {RULE_SIGMA_GROWTH, &layer_growth_detector},
    {RULE_LR_RUNAWAY, &lr_runaway_detector},
    {RULE_GRADIENT, &gradient_detector},
    {RULE_ALIGNMENT_COLLAPSE, &alignment_collapse_layer_detector},
    {RULE_ALIGNMENT_COLLAPSE, &alignment_collapse_detector},
    {RULE_ROTATION_STILL, &rotation_still_layer_detector},
    {RULE_ROTATION_STILL, &rotation_still_detector},
    {RULE_LOSS_HIGH, &loss_high_detector},
    {RULE_LOSS_LOW, &loss_low_detector},
    {RULE_LOSS_STUCK, &loss_stuck_detector},
};
