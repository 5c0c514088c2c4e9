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

#define ROW_STEPS 1000.0 /* steps of a row: so many are enough where gradient norms are rare */
#define ROW_LEAST 3      /* and so many of them */
#define SEARCH    5.0 /* times as many until the first finite one: loss scaling begins far too high */

struct grad_norm_state {
    bool was_finite;
    double in_row, since; /* steps, of the first of the row */
};

/* Loss scaling lets single steps overflow and skips them, so one alone says nothing. */
static bool row_is_too_long(
    const struct grad_norm_state *state, const struct detector_settings *settings, double t)
{
    double samples = settings->nonfinite.grad_norm_samples * (state->was_finite ? 1 : SEARCH);
    return state->in_row >= samples ||
           (state->in_row >= fmin(ROW_LEAST, samples) && t - state->since >= ROW_STEPS);
}

static bool nonfinite_judge_grad_norm(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct grad_norm_state *state = opaque;
    double t = detector_steps_taken(sample->step, sample->begin);
    nonfinite_judge_loss(NULL, settings, sample, judgement);
    if (judgement->verdict != VERDICT_BAD) {
        *state = (struct grad_norm_state){.was_finite = true};
        return true;
    }
    if (state->in_row++ == 0)
        state->since = t;
    if (!row_is_too_long(state, settings, t))
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
