/* Growth of the layer that grows fastest; see layer_growth.h. It asks for more than the half of all
 * layers must show (median_growth.h), as one may grow by chance or by nature. */
#include "daemon/detectors/layer_growth.h"

#include <math.h>

#include "daemon/detectors/growth_elasticity.h"
#include "daemon/detectors/training_clock.h"

static bool layer_growth_run_clock(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    training_clock_put(opaque, detector_steps_taken(sample->step, sample->begin), sample->value);
    return false;
}

static void layer_growth_judge_section(void *opaque, const struct detector_settings *settings,
    const struct cross_section *section, int64_t begin, struct judgement *judgement)
{
    const struct training_clock *clock = opaque;
    double t = detector_steps_taken(section->step, begin), before = t - section->window;
    if (before <= 0)
        return;
    double growth = section->top[0].value * training_clock_left(clock, before, t);
    judgement->verdict = growth > settings->sigma_growth.layer ? VERDICT_BAD : VERDICT_GOOD;
    /* in shares, so that what all layers do comes first where both are found */
    judgement->score = growth / settings->sigma_growth.layer;
    judgement->evidence[0] = (struct evidence){.layer = section->top[0].layer,
        .metric = "sigma_growth.layer",
        .value = growth,
        .threshold = settings->sigma_growth.layer,
        .baseline = section->count >= CROSS_SECTION_QUORUM ? section->median : NAN,
        .window = section->window,
        .step = section->step};
    judgement->evidence_count = 1;
}

const struct detector layer_growth_detector = {
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct training_clock),
    .judge = layer_growth_run_clock,
    .shared_by = &growth_elasticity_detector,
    .judge_cross_section = layer_growth_judge_section,
};
