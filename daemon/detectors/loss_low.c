/* A plunge of the loss, while it lasts; see loss_low.h. */
#include "daemon/detectors/loss_low.h"

#include <math.h>

#include "daemon/detectors/descent.h"

static bool loss_low_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct descent *descent = opaque;
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value) ||
        !descent_put(descent, detector_steps_taken(sample->step, sample->begin), sample->value))
        return true;
    judgement->verdict = descent->plunged ? VERDICT_BAD : VERDICT_GOOD;
    judgement->score = -descent_rise(descent) / fmax(fabs(descent->lowest), descent->noise);
    judgement->evidence[0] = (struct evidence){.metric = "loss",
        .value = descent->now,
        .threshold = NAN,
        .baseline = descent->lowest,
        .window = DESCENT_STEPS,
        .step = judgement->step};
    judgement->evidence_count = 1;
    return true;
}

const struct detector loss_low_detector = {
    .metrics = 1u << METRIC_LOSS,
    .state_size = sizeof(struct descent),
    .judge = loss_low_judge,
};
