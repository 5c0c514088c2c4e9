/* Weights that stand still, of all layers together: no layer's rotation changes any more, though it
 * did and the training goes on (an optimizer that skips every step, a detached model), for more than
 * twice as long as it ever stood still before. Where the learning rate has come down to nothing, or
 * the loss to exactly 0, that is why: a schedule that has ended, a task that is done. */
#include "daemon/detectors/rotation_still.h"

#include <math.h>

#define IDLE 0.02 /* of the highest learning rate: nothing is trained */

struct still_state {
    bool begun;
    double rotation;
};

static bool rotation_still_judge_layer(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct still_state *state = opaque;
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

/* When a scalar gave a reason to stand still: since the newest time that it began to, until it ended.
 * It may be ahead of the layers. */
struct idle {
    double from, to;
    bool lasts;
};

/* Stretches without a change. */
struct stretches {
    double highest_lr;
    struct idle by_lr, by_loss;
    bool changed;   /* the weights have, once */
    double since;   /* the step of the newest change */
    double longest; /* stretch that ended: gradients may be accumulated over many steps */
};

static void idle_put(struct idle *idle, double t, bool rests)
{
    if (rests && !idle->lasts)
        idle->from = t;
    if (!rests && idle->lasts)
        idle->to = t;
    idle->lasts = rests;
}

static bool rotation_still_note_idle(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct stretches *state = opaque;
    double t = detector_steps_taken(sample->step, sample->begin), value = sample->value;
    if (sample->metric == METRIC_LOSS) {
        idle_put(&state->by_loss, t, value == 0);
        return false;
    }
    if (!isfinite(value) || value < 0)
        return false;
    state->highest_lr = fmax(state->highest_lr, value);
    idle_put(&state->by_lr, t, value <= IDLE * state->highest_lr);
    return false;
}

static bool is_idle(const struct idle *idle, double t)
{
    return idle->lasts ? t >= idle->from : t >= idle->from && t < idle->to;
}

static void rotation_still_judge_section(void *opaque, const struct detector_settings *settings,
    const struct cross_section *section, int64_t begin, struct judgement *judgement)
{
    struct stretches *state = opaque;
    double t = detector_steps_taken(section->step, begin), stretch = t - state->since;
    bool changes = section->top[0].value > 0;
    if (changes) {
        if (state->changed)
            state->longest = fmax(state->longest, stretch);
        state->changed = true;
        state->since = t;
    }
    if (!state->changed)
        return;
    bool unusual =
        stretch > 2 * state->longest && !is_idle(&state->by_lr, t) && !is_idle(&state->by_loss, t);
    judgement->verdict = changes ? VERDICT_GOOD : unusual ? VERDICT_BAD : VERDICT_UNCLEAR;
    judgement->score = stretch;
    judgement->evidence[0] = (struct evidence){.metric = "rotation.change",
        .value = section->top[0].value,
        .threshold = 0,
        .baseline = NAN,
        .window = stretch,
        .step = section->step};
    judgement->evidence_count = 1;
}

const struct detector rotation_still_layer_detector = {
    .metrics = 1u << METRIC_ROTATION,
    .state_size = sizeof(struct still_state),
    .judge = rotation_still_judge_layer,
};

const struct detector rotation_still_detector = {
    .metrics = 1u << METRIC_LR | 1u << METRIC_LOSS,
    .state_size = sizeof(struct stretches),
    .judge = rotation_still_note_idle,
    .shared_by = &rotation_still_layer_detector,
    .judge_cross_section = rotation_still_judge_section,
};
