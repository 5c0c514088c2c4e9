/* A learning rate that leaves its plateau upwards and goes on rising: a decay of the wrong sign, a
 * warm-up that does not stop, a schedule in the wrong units.
 *
 * The plateau is the highest learning rate that has stood for a quarter of the steps (100 at least),
 * or been fallen from for most of them; the first rate of a resumed attempt, which may be anywhere
 * in a cycle, is only a guess of it unless it stood exactly. A rise begins where the learning rate
 * exceeds it, and is a runaway when it has come far, in many small steps: one step up, or a stair,
 * is somebody's decision, unless it is so high that it must be a slip. A rise that stops for long
 * enough is the new plateau. */
#include "daemon/detectors/lr_runaway.h"

#include <math.h>

#include "daemon/detectors/training_clock.h"

#define PLATEAU_STEPS 100.0
#define LEAP_SHARE    0.5 /* of the whole rise: a largest single step above it makes it a leap */

struct lr_state {
    bool begun, has_plateau;
    bool unknown;   /* how it came to the highest: that is the first of a resumed attempt */
    bool guessed;   /* the plateau is: that highest has fallen at once */
    double plateau; /* the highest before the rise in hand */
    double lr, highest, highest_t;
    double lowest; /* since the highest */
    double rises;  /* increases since it left the plateau */
    double rise_t; /* when it left it */
    double leap;   /* the largest of them, as a logarithm */
};

static bool is_at_rest(const struct lr_state *state, double t)
{
    return t - state->highest_t >=
           training_clock_plateau_steps(t, state->lowest, state->highest, PLATEAU_STEPS);
}

/* The rise in hand, if there is one, ends at a new plateau. */
static void rest(struct lr_state *state)
{
    state->has_plateau = true;
    state->guessed = state->unknown && state->lowest < state->highest;
    state->plateau = state->highest;
    state->rises = 0;
    state->leap = 0;
}

static void take(struct lr_state *state, const struct detector_sample *sample, double t)
{
    double lr = sample->value;
    if (state->begun && !(lr > state->highest)) {
        state->lowest = fmin(state->lowest, lr);
        if (is_at_rest(state, t))
            rest(state);
        return;
    }
    if (state->has_plateau) {
        if (state->rises++ < 1)
            state->rise_t = t;
        state->leap = fmax(state->leap, log(lr / state->highest));
    }
    state->unknown = !state->begun && detector_is_resumed(sample->begin);
    state->begun = true;
    state->highest = state->lowest = lr;
    state->highest_t = t;
}

static bool came_in_small_steps(
    const struct lr_state *state, const struct detector_settings *settings, double t)
{
    return state->rises >= settings->lr_runaway.rises &&
           t - state->rise_t >= settings->lr_runaway.rise_steps &&
           state->leap < LEAP_SHARE * log(state->lr / state->plateau);
}

/* Times the plateau; what was guessed may lie deep in a cycle, so that only a slip exceeds it. */
static double limit_of(
    const struct lr_state *state, const struct detector_settings *settings, double t)
{
    double leap = settings->lr_runaway.leap;
    if (state->guessed)
        return leap * leap;
    return came_in_small_steps(state, settings, t) ? settings->lr_runaway.ratio : leap;
}

static bool lr_runaway_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct lr_state *state = opaque;
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value) || sample->value <= 0)
        return true;
    double t = detector_steps_taken(sample->step, sample->begin);
    state->lr = sample->value;
    take(state, sample, t);
    if (!state->has_plateau)
        return true;
    double ratio = state->lr / state->plateau;
    double limit = limit_of(state, settings, t);
    judgement->verdict = ratio > limit                                ? VERDICT_BAD
                         : ratio < settings->lr_runaway.ratio_resolve ? VERDICT_GOOD
                                                                      : VERDICT_UNCLEAR;
    judgement_read(judgement, READING_LR, state->guessed ? 0 : fmax(0, log(ratio)));
    judgement->score = ratio;
    judgement->evidence[0] = (struct evidence){.metric = "lr",
        .value = state->lr,
        .threshold = limit * state->plateau,
        .baseline = state->plateau,
        .window = state->rises > 0 ? t - state->rise_t : NAN,
        .step = sample->step};
    judgement->evidence_count = 1;
    return true;
}

const struct detector lr_runaway_detector = {
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct lr_state),
    .judge = lr_runaway_judge,
};
