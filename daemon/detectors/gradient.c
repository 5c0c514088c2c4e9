/* The gradient norm against its own past: a level that keeps rising, or bursts that come again and
 * again where they were rare, while the loss rises too.
 *
 * Level: the median of the last steps over the median of such levels from 0.4 to 0.8 of the steps,
 * beyond what the loss itself rose. Levels and bursts rise in healthy trainings as well (smaller
 * batches, harder data, a task that is nearly learned by heart, where a few hard samples decide),
 * and then the loss falls or stands, or loss and gradient rise in proportion; a gradient that
 * outgrows a rising loss is a backward pass that does harm. What rises after the learning rate came
 * up again (cycles, warm restarts) is explained. Bursts are counted with forgetting, over
 * two memories: what is frequent by nature is frequent in both. */
#include "daemon/detectors/gradient.h"

#include <math.h>

#include "daemon/detectors/descent.h"
#include "daemon/detectors/history.h"
#include "daemon/detectors/level.h"
#include "daemon/detectors/step_row.h"

#define LEVEL_STEPS  40.0
#define LEVEL_LEAST  4     /* values */
#define BURST_MEMORY 100.0 /* steps */
#define LONG_MEMORY  1000.0
#define RAISED       2.0   /* times the lowest learning rate of late: explains what rises */
#define RAISED_STEPS 300.0 /* of late */

enum { LOSS, GRADIENT, FIGURES }; /* of a row */

struct gradient_state {
    struct step_row row;
    struct level gradient; /* of logarithms */
    struct history gradients;
    struct history negated_lr; /* its largest is the lowest learning rate */
    double lr;                 /* the newest; 0: none came */
    struct descent loss;
    double t;                   /* of the newest gradient */
    double bursts, past_bursts; /* with forgetting */
};

/* What a step says, in the terms of the settings. */
struct gradient_finding {
    double level, past, ratio; /* of the gradient: logarithms; beyond what the loss rose */
    double loss_rise;
    double bursts, steady; /* as many as a steady rate would leave */
    bool explained;        /* by the learning rate */
};

/* In shares of its way down, beyond its noise and the single losses of its past; 0: it did not. */
static double loss_rise(
    const struct descent *loss, const struct detector_settings *settings, bool resumed, double t)
{
    double rise = descent_rise(loss), way = descent_way(loss, 0, resumed);
    double usual = fmax(settings->gradient.loss_noise * loss->noise,
        settings->gradient.loss_peaks * descent_peak(loss, t));
    return loss->begun && way > 0 && rise > usual ? rise / way : 0;
}

/* A burst is counted against the level before it. */
static void count_burst(struct gradient_state *state, const struct detector_settings *settings,
    double t, double gradient)
{
    double usual = level_median(&state->gradient, LEVEL_STEPS, LEVEL_LEAST);
    double steps = t - state->t;
    bool burst = log(gradient) > usual + log(settings->gradient.burst);
    state->t = t;
    state->bursts = state->bursts * exp(-steps / BURST_MEMORY) + burst;
    state->past_bursts = state->past_bursts * exp(-steps / LONG_MEMORY) + burst;
}

static void note_lr(struct gradient_state *state, double t, double lr)
{
    if (!isfinite(lr) || lr <= 0)
        return;
    state->lr = lr;
    history_put(&state->negated_lr, t, -lr);
}

/* The learning rate came up again of late, as schedules with cycles and people let it. */
static bool was_raised(const struct gradient_state *state, double t)
{
    double lowest =
        -history_largest(&state->negated_lr, fmax(PAST_TO * t, t - RAISED_STEPS), INFINITY, 1);
    return state->lr > RAISED * lowest;
}

static enum detector_verdict verdict_of(
    const struct detector_settings *settings, const struct gradient_finding *finding)
{
    bool grown = finding->ratio > settings->gradient.ratio;
    bool bursting =
        finding->bursts > settings->gradient.bursts && finding->bursts > 2 * finding->steady;
    if ((grown && finding->loss_rise > settings->gradient.loss_rise) ||
        (bursting && finding->loss_rise > settings->gradient.burst_loss_rise))
        return finding->explained ? VERDICT_UNCLEAR : VERDICT_BAD;
    return finding->ratio < settings->gradient.ratio_resolve && !bursting ? VERDICT_GOOD
                                                                          : VERDICT_UNCLEAR;
}

static void gradient_describe(const struct gradient_state *state,
    const struct detector_settings *settings, const struct gradient_finding *finding,
    struct judgement *judgement)
{
    bool grown = finding->ratio > settings->gradient.ratio;
    judgement->score = grown ? finding->ratio / settings->gradient.ratio
                             : finding->bursts / settings->gradient.bursts;
    judgement->evidence[0] =
        grown ? (struct evidence){.metric = "grad_norm",
                    .value = exp(finding->level),
                    .threshold = exp(finding->level) / finding->ratio * settings->gradient.ratio,
                    .baseline = exp(finding->past),
                    .window = LEVEL_STEPS,
                    .step = judgement->step}
              : (struct evidence){.metric = "gradient.bursts",
                    .value = finding->bursts,
                    .threshold = settings->gradient.bursts,
                    .baseline = finding->steady,
                    .window = BURST_MEMORY,
                    .step = judgement->step};
    judgement->evidence[1] = (struct evidence){.metric = "loss",
        .value = state->loss.now,
        .threshold = NAN,
        .baseline = state->loss.begun ? state->loss.lowest : NAN,
        .window = LEVEL_STEPS,
        .step = judgement->step};
    judgement->evidence_count = 2;
}

/* False where there is nothing to compare yet. */
static bool gradient_compare(struct gradient_state *state, const struct detector_settings *settings,
    double t, bool resumed, struct gradient_finding *finding)
{
    const struct descent *loss = &state->loss;
    double level = level_median(&state->gradient, LEVEL_STEPS, LEVEL_LEAST);
    if (isnan(level))
        return false;
    double past = history_median(&state->gradients, PAST_FROM * t, PAST_TO * t, PAST_LEAST);
    history_put(&state->gradients, t, level);
    if (isnan(past) || t < settings->gradient.arm_steps)
        return false;
    double rise = loss_rise(loss, settings, resumed, t);
    double risen = rise > 0 && loss->lowest > 0 ? loss->now / loss->lowest : 1;
    *finding = (struct gradient_finding){
        .level = level,
        .past = past,
        .ratio = exp(level - past) / risen,
        .loss_rise = rise,
        .bursts = state->bursts,
        .steady = state->past_bursts * BURST_MEMORY / fmin(LONG_MEMORY, t),
        .explained = was_raised(state, t),
    };
    return true;
}

static void judge_row(struct gradient_state *state, const struct detector_settings *settings,
    const struct step_row *row, int64_t begin, struct judgement *judgement)
{
    double t = detector_steps_taken(row->step, begin), gradient = row->figures[GRADIENT];
    struct gradient_finding finding;
    judgement->step = row->step;
    judgement->time = row->time;
    if (isfinite(row->figures[LOSS]))
        descent_put(&state->loss, t, row->figures[LOSS]);
    if (isnan(gradient) || gradient <= 0)
        return;
    count_burst(state, settings, t, gradient);
    if (!isfinite(gradient) || !level_put(&state->gradient, t, log(gradient), LEVEL_STEPS) ||
        !gradient_compare(state, settings, t, detector_is_resumed(begin), &finding))
        return;
    judgement->verdict = verdict_of(settings, &finding);
    judgement_read(judgement, READING_GRADIENT, finding.level - finding.past);
    gradient_describe(state, settings, &finding, judgement);
}

static bool gradient_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct gradient_state *state = opaque;
    size_t which = sample->metric == METRIC_LOSS ? LOSS : GRADIENT;
    struct step_row ready;
    if (sample->metric == METRIC_LR) {
        note_lr(state, detector_steps_taken(sample->step, sample->begin), sample->value);
        return false;
    }
    if (!step_row_put(
            &state->row, FIGURES, which, sample->step, sample->time, sample->value, &ready))
        return false;
    judge_row(state, settings, &ready, sample->begin, judgement);
    return true;
}

const struct detector gradient_detector = {
    .metrics = 1u << METRIC_GRAD_NORM | 1u << METRIC_LOSS | 1u << METRIC_LR,
    .state_size = sizeof(struct gradient_state),
    .judge = gradient_judge,
};
