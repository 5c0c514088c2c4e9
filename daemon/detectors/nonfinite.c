/* Numbers that are not finite: in the weights, the inputs of a layer, the loss or the gradient
 * norm. */
#include "daemon/detectors/nonfinite.h"

#include <math.h>

/* The daemon counts non-finite numbers of a tensor: any is bad. */
static bool nonfinite_judge_count(void *state, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    bool bad = !isfinite(sample->value) || sample->value > 0;
    *judgement = (struct judgement){
        .verdict = bad ? VERDICT_BAD : VERDICT_GOOD,
        .step = sample->step,
        .time = sample->time,
        .score = isfinite(sample->value) ? sample->value : INFINITY,
        .evidence = {{.metric = detector_metric_names[sample->metric],
            .value = sample->value,
            .threshold = 0,
            .baseline = NAN,
            .window = NAN,
            .step = sample->step}},
        .evidence_count = 1,
    };
    return true;
}

static bool nonfinite_judge_loss(void *state, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    *judgement = (struct judgement){
        .verdict = isfinite(sample->value) ? VERDICT_GOOD : VERDICT_BAD,
        .step = sample->step,
        .time = sample->time,
        .score = INFINITY, /* nothing is worse */
        .evidence = {{.metric = detector_metric_names[sample->metric],
            .value = sample->value,
            .threshold = NAN,
            .baseline = NAN,
            .window = NAN,
            .step = sample->step}},
        .evidence_count = 1,
    };
    return true;
}

struct grad_norm_state {
    double in_row;
};

/* Loss scaling lets single steps overflow and skips them, so one alone says nothing. */
static bool nonfinite_judge_grad_norm(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct grad_norm_state *state = opaque;
    nonfinite_judge_loss(NULL, settings, sample, judgement);
    state->in_row = judgement->verdict == VERDICT_BAD ? state->in_row + 1 : 0;
    if (judgement->verdict == VERDICT_BAD && state->in_row < settings->nonfinite.grad_norm_samples)
        judgement->verdict = VERDICT_UNCLEAR;
    return true;
}

const struct detector nonfinite_weights_detector = {
    .metrics = 1u << METRIC_WEIGHTS_NONFINITE,
    .judge = nonfinite_judge_count,
};

const struct detector nonfinite_activations_detector = {
    .metrics = 1u << METRIC_ACTIVATION_NONFINITE,
    .judge = nonfinite_judge_count,
};

const struct detector nonfinite_loss_detector = {
    .metrics = 1u << METRIC_LOSS,
    .judge = nonfinite_judge_loss,
};

const struct detector nonfinite_grad_norm_detector = {
    .metrics = 1u << METRIC_GRAD_NORM,
    .state_size = sizeof(struct grad_norm_state),
    .judge = nonfinite_judge_grad_norm,
};
