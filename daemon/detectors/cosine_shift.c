/* A new direction that takes over an MLP: the median cosine between the input and output weights of
 * its neurons leaves its own past.
 *
 * Neurons learn their cosines one by one; a bias in the gradients or in the rounding turns all of
 * them the same way. Source of the cosines: Gerstner and Schuetze, arXiv 2505.17936; of this use:
 * measured (lab/RESULTS.md). */
#include "daemon/detectors/detector.h"

#include <math.h>

#include "daemon/detectors/history.h"

struct cosine_state {
    struct history cosines;
};

static bool judge(void *opaque, const struct rule_settings *settings, const struct sample *sample,
    struct judgement *judgement)
{
    struct cosine_state *state = opaque;
    double t = steps_taken(sample->step, sample->begin);
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    double past = history_median(&state->cosines, PAST_FROM * t, PAST_TO * t, PAST_LEAST);
    history_put(&state->cosines, t, sample->value);
    if (isnan(past) || t < settings->cosine_shift.arm_steps)
        return true;
    double shift = fabs(sample->value - past);
    judgement->verdict = shift > settings->cosine_shift.shift           ? VERDICT_BAD
                         : shift < settings->cosine_shift.shift_resolve ? VERDICT_GOOD
                                                                        : VERDICT_UNCLEAR;
    judgement->score = shift;
    judgement->evidence[0] = (struct alert_evidence){.metric = "gate.in_out.p50",
        .value = sample->value,
        .threshold = past + copysign(settings->cosine_shift.shift, sample->value - past),
        .baseline = past,
        .window = (PAST_TO - PAST_FROM) * t,
        .step = sample->step};
    judgement->evidence_count = 1;
    return true;
}

const struct detector cosine_shift_detector = {
    .rule = RULE_COSINE_SHIFT,
    .metrics = 1u << METRIC_COS_IN_OUT,
    .state_size = sizeof(struct cosine_state),
    .judge = judge,
};
