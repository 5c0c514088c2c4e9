/* Weights that stand still; see rotation_still.h. No layer's rotation changes any more, though it
 * did: an optimizer that skips every step, a detached model, a learning rate of 0. */
#include "daemon/detectors/rotation_still.h"

#include <math.h>

struct layer_rotation {
    bool begun;
    double rotation;
};

static bool rotation_still_judge_layer(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct layer_rotation *state = opaque;
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    judgement->share.given = state->begun;
    judgement->share.value = fabs(sample->value - state->rotation);
    state->begun = true;
    state->rotation = sample->value;
    return true;
}

struct last_change {
    bool changed;
    double t;
};

static void rotation_still_judge_section(void *opaque, const struct detector_settings *settings,
    const struct cross_section *section, int64_t begin, struct judgement *judgement)
{
    struct last_change *last = opaque;
    double t = detector_steps_taken(section->step, begin);
    bool changes = section->top[0].value > 0;
    if (changes)
        *last = (struct last_change){true, t};
    if (!last->changed)
        return;
    judgement->verdict = changes ? VERDICT_GOOD : VERDICT_BAD;
    judgement->score = t - last->t;
    judgement->evidence[0] = (struct evidence){.metric = "rotation.change",
        .value = section->top[0].value,
        .threshold = 0,
        .baseline = NAN,
        .window = t - last->t,
        .step = section->step};
    judgement->evidence_count = 1;
}

const struct detector rotation_still_layer_detector = {
    .metrics = 1u << METRIC_ROTATION,
    .state_size = sizeof(struct layer_rotation),
    .judge = rotation_still_judge_layer,
};

const struct detector rotation_still_detector = {
    .state_size = sizeof(struct last_change),
    .shared_by = &rotation_still_layer_detector,
    .judge_cross_section = rotation_still_judge_section,
};
