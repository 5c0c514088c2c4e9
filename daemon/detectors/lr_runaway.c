/* A learning rate that leaves its plateau upwards; see lr_runaway.h.
 *
 * A rise begins where the learning rate exceeds its plateau, and is a runaway when it has come far in
 * small steps: one step up, or a stair, is somebody's decision, unless it is so high that it must be
 * a slip. A rise that stops for long enough is the new plateau. */
#include "daemon/detectors/lr_runaway.h"

#include <math.h>

#include "daemon/detectors/lr_plateau.h"

#define RISES      5   /* since the plateau: fewer are somebody's decision */
#define LEAP_SHARE 0.5 /* of the whole rise: a largest single step above it makes it a leap */

struct lr_runaway {
    struct lr_plateau plateau;
    double rise_t; /* when it left the plateau */
    double leap;   /* the largest increase since then, as a logarithm; 0: it did not */
    double rises;  /* increases since then */
};

static void note_lr(struct lr_runaway *state, double t, double lr)
{
    double plateau = state->plateau.rate, highest = state->plateau.highest;
    lr_plateau_put(&state->plateau, t, lr);
    if (state->plateau.rate > plateau)
        state->leap = state->rises = 0;
    if (!(plateau > 0) || !(lr > highest))
        return;
    if (state->leap <= 0)
        state->rise_t = t;
    state->leap = fmax(state->leap, log(lr / highest));
    state->rises++;
}

static bool lr_runaway_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct lr_runaway *state = opaque;
    double lr = sample->value, t = detector_steps_taken(sample->step, sample->begin);
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(lr) || lr <= 0)
        return true;
    note_lr(state, t, lr);
    double plateau = state->plateau.rate;
    if (!(plateau > 0))
        return true;
    double ratio = lr / plateau;
    bool small_steps = state->rises >= RISES && state->leap < LEAP_SHARE * log(ratio);
    double limit = small_steps ? settings->lr_runaway.ratio : settings->lr_runaway.leap;
    judgement->verdict = ratio > limit ? VERDICT_BAD : VERDICT_GOOD;
    judgement_read(judgement, READING_LR, fmax(0, log(ratio)));
    judgement->score = ratio;
    judgement->evidence[0] = (struct evidence){.metric = "lr",
        .value = lr,
        .threshold = limit * plateau,
        .baseline = plateau,
        .window = state->leap > 0 ? t - state->rise_t : NAN,
        .step = sample->step};
    judgement->evidence_count = 1;
    return true;
}

const struct detector lr_runaway_detector = {
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct lr_runaway),
    .judge = lr_runaway_judge,
};
