/* A loss well above its lowest level; see loss_high.h.
 *
 * It is high when all losses of the last HIGH_STEPS are, so that a bad batch passes, and low again
 * when its level is. Both are measured in shares of the way that the loss came down, and against how
 * high single losses went in the past, which says what the task and its batches do by nature. */
#include "daemon/detectors/loss_high.h"

#include <math.h>

#include "daemon/detectors/descent.h"
#include "daemon/detectors/history.h"

#define HIGH_STEPS  6.0
#define HIGH_VALUES 6 /* at most */
#define HIGH_LEAST  3
#define PEAKS       2.0 /* times as high as single losses of the past */

struct loss_high {
    struct descent descent;
    struct history peaks; /* of single losses, above the level of then */
    struct recent_loss {
        double t, loss;
        double peak;       /* above the level of then; NaN: there was none */
    } recent[HIGH_VALUES]; /* a ring */
    size_t taken;
    bool high; /* it was, of the newest loss */
};

/* The one that it replaces was a single loss, unless those after it are high too. */
static void recent_put(struct loss_high *state, double t, double loss, bool high)
{
    struct recent_loss *oldest = &state->recent[state->taken++ % HIGH_VALUES];
    if (state->taken > HIGH_VALUES && isfinite(oldest->peak) && !high)
        history_put(&state->peaks, oldest->t, oldest->peak);
    *oldest = (struct recent_loss){t, loss, loss - state->descent.now};
}

/* The lowest of the last losses. */
static double recent_lowest(const struct loss_high *state, double t)
{
    double lowest = INFINITY;
    for (size_t back = 1; back <= state->taken && back <= HIGH_VALUES; back++) {
        const struct recent_loss *recent = &state->recent[(state->taken - back) % HIGH_VALUES];
        if (back > HIGH_LEAST && t - recent->t >= HIGH_STEPS)
            break;
        lowest = fmin(lowest, recent->loss);
    }
    return lowest;
}

/* The least rise that is high, in shares of the way: more than what the task and its batches do by
 * nature. */
static double least_rise(const struct loss_high *state, double share, double way, double t)
{
    double peak = history_second_largest(&state->peaks, PAST_FROM * t, PAST_TO * t);
    return fmax(share, PEAKS * peak / way);
}

static void loss_high_compare(struct loss_high *state, const struct detector_settings *settings,
    double t, struct judgement *judgement)
{
    double lowest = state->descent.lowest, way = descent_way(&state->descent);
    if (!(way > 0) || !isfinite(way)) /* a loss that is always 0 */
        return;
    double level = descent_rise(&state->descent) / way;
    double high = (recent_lowest(state, t) - lowest) / way;
    judgement_read(judgement, READING_LOSS_LEVEL, level);
    judgement_read(judgement, READING_LOSS_JUMP, high);
    double least = least_rise(state, settings->loss_high.rise, way, t);
    state->high = high > least;
    if (t < settings->loss_high.arm_steps)
        return;
    judgement->verdict = high > least    ? VERDICT_BAD
                         : level < least ? VERDICT_GOOD
                                         : VERDICT_UNCLEAR;
    judgement->critical = high > settings->loss_high.critical;
    judgement->score = high;
    judgement->evidence[0] = (struct evidence){.metric = "loss",
        .value = lowest + high * way,
        .threshold = lowest + least * way,
        .baseline = lowest,
        .window = HIGH_STEPS,
        .step = judgement->step};
    judgement->evidence_count = 1;
}

static bool loss_high_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct loss_high *state = opaque;
    double t = detector_steps_taken(sample->step, sample->begin);
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    bool known = descent_put(&state->descent, t, sample->value);
    recent_put(state, t, sample->value, state->high);
    if (known)
        loss_high_compare(state, settings, t, judgement);
    return true;
}

const struct detector loss_high_detector = {
    .metrics = 1u << METRIC_LOSS,
    .state_size = sizeof(struct loss_high),
    .judge = loss_high_judge,
};
