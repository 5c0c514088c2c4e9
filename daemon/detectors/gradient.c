/* The gradient norm against its own past; see gradient.h.
 *
 * The median of the last steps over the median of such levels from 0.4 to 0.8 of the steps, beyond
 * what the loss itself rose. Gradient norms rise in healthy trainings as well (smaller batches,
 * harder data, a task that is nearly learned by heart, where a few hard samples decide), and then
 * the loss falls or stands, or loss and gradient rise in proportion; a gradient that outgrows a
 * rising loss is a backward pass that does harm. */
#include "daemon/detectors/gradient.h"

#include <math.h>

#include "daemon/detectors/descent.h"
#include "daemon/detectors/history.h"
#include "daemon/detectors/level.h"
#include "daemon/detectors/step_row.h"

#define LEVEL_STEPS 40.0
#define LEVEL_LEAST 4   /* values */
#define LOSS_NOISE  2.0 /* times the noise of the loss: a rise below is none (fa080) */

enum { LOSS, GRADIENT, FIGURES }; /* of a row */

struct gradient {
    struct step_row row;
    struct level level;    /* of logarithms */
    struct history levels; /* likewise */
    struct descent loss;
};

static void gradient_compare(struct gradient *state, const struct detector_settings *settings,
    double level, double past, struct judgement *judgement)
{
    const struct descent *loss = &state->loss;
    double way = descent_way(loss);
    bool rises = loss->begun && way > 0 && descent_rise(loss) > LOSS_NOISE * loss->noise;
    double loss_rise = rises ? descent_rise(loss) / way : 0;
    double risen = loss_rise > 0 && loss->lowest > 0 ? loss->now / loss->lowest : 1;
    double ratio = exp(level - past) / risen;
    bool bad = ratio > settings->gradient.ratio && loss_rise > settings->gradient.loss_rise;
    judgement->verdict = bad ? VERDICT_BAD : VERDICT_GOOD;
    judgement->score = ratio / settings->gradient.ratio;
    judgement->evidence[0] = (struct evidence){.metric = "grad_norm",
        .value = exp(level),
        .threshold = exp(level) / ratio * settings->gradient.ratio,
        .baseline = exp(past),
        .window = LEVEL_STEPS,
        .step = judgement->step};
    judgement->evidence[1] = (struct evidence){.metric = "loss",
        .value = loss->now,
        .threshold = NAN,
        .baseline = loss->begun ? loss->lowest : NAN,
        .window = LEVEL_STEPS,
        .step = judgement->step};
    judgement->evidence_count = 2;
}

static void gradient_judge_row(struct gradient *state, const struct detector_settings *settings,
    const struct step_row *row, double t, struct judgement *judgement)
{
    double norm = row->figures[GRADIENT];
    judgement->step = row->step;
    judgement->time = row->time;
    if (isfinite(row->figures[LOSS]))
        descent_put(&state->loss, t, row->figures[LOSS]);
    if (!isfinite(norm) || norm <= 0 || !level_put(&state->level, t, log(norm), LEVEL_STEPS))
        return;
    double level = level_median(&state->level, LEVEL_STEPS, LEVEL_LEAST);
    if (isnan(level))
        return;
    double past = history_median(&state->levels, PAST_FROM * t, PAST_TO * t, PAST_LEAST);
    history_put(&state->levels, t, level);
    if (isnan(past))
        return;
    judgement_read(judgement, READING_GRADIENT, level - past);
    gradient_compare(state, settings, level, past, judgement);
}

static bool gradient_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct gradient *state = opaque;
    size_t which = sample->metric == METRIC_LOSS ? LOSS : GRADIENT;
    struct step_row ready;
    if (!step_row_put(
            &state->row, FIGURES, which, sample->step, sample->time, sample->value, &ready))
        return false;
    gradient_judge_row(
        state, settings, &ready, detector_steps_taken(ready.step, sample->begin), judgement);
    return true;
}

const struct detector gradient_detector = {
    .metrics = 1u << METRIC_GRAD_NORM | 1u << METRIC_LOSS,
    .state_size = sizeof(struct gradient),
    .judge = gradient_judge,
};
