/* The gradient norm against its own past: a level that keeps rising while the loss does, and bursts
 * that come again and again where they were rare.
 *
 * Level: the median of the last steps, as logarithm, over the median of such levels from 0.4 to 0.8
 * of the steps. A level rises in healthy trainings too (smaller batches, harder data, overfitting),
 * and then the loss falls or stands; both rising is a backward pass that does harm. Bursts are
 * counted with forgetting, over two memories: what is frequent by nature is frequent in both. */
#include "daemon/alerts/detector.h"

#include <math.h>

#include "daemon/alerts/history.h"
#include "daemon/alerts/level.h"

#define LEVEL_STEPS  40.0
#define LEVEL_LEAST  4 /* values */
#define PAST_FROM    0.4
#define PAST_TO      0.8
#define PAST_LEAST   3
#define BURST_MEMORY 100.0 /* steps */
#define PAST_MEMORY  1000.0

/* The figures of one step, put together. NaN: not there. */
struct scalars {
    int64_t step;
    double time, loss, gradient;
};

struct growth_state {
    bool begun, judged; /* there is a row; it was judged */
    struct scalars row;
    struct level gradient, loss;
    struct history gradients;
    double lowest; /* level of the loss; only while has_lowest */
    double start;  /* the first level of the loss */
    bool has_lowest;
};

static void take_loss(struct growth_state *state, double t, double loss)
{
    if (!isfinite(loss) || !level_put(&state->loss, t, loss, LEVEL_STEPS))
        return;
    double mean = level_mean(&state->loss, LEVEL_STEPS, LEVEL_LEAST);
    if (isnan(mean))
        return;
    if (!state->has_lowest)
        state->start = state->lowest = mean;
    state->has_lowest = true;
    state->lowest = fmin(state->lowest, mean);
}

/* How far the loss is above its lowest level, in shares of what it came down. */
static double loss_rise(const struct growth_state *state)
{
    double mean = level_mean(&state->loss, LEVEL_STEPS, LEVEL_LEAST);
    if (!state->has_lowest || isnan(mean))
        return 0;
    double scale = fmax(state->start - state->lowest, fabs(state->lowest));
    return scale > 0 ? (mean - state->lowest) / scale : 0;
}

static void compare(const struct growth_state *state, const struct rule_settings *settings,
    double level, double past, struct judgement *judgement)
{
    double rise = loss_rise(state), ratio = exp(level - past);
    judgement->verdict =
        ratio > settings->gradient.ratio && rise > settings->gradient.loss_rise ? VERDICT_BAD
        : ratio < settings->gradient.ratio_resolve                              ? VERDICT_GOOD
                                                                                : VERDICT_UNCLEAR;
    judgement_read(judgement, READING_GRADIENT, level - past);
    judgement->score = ratio;
    judgement->evidence[0] = (struct alert_evidence){.metric = "grad_norm",
        .value = exp(level),
        .threshold = settings->gradient.ratio * exp(past),
        .baseline = exp(past),
        .window = LEVEL_STEPS,
        .step = state->row.step};
    judgement->evidence[1] = (struct alert_evidence){.metric = "loss",
        .value = level_mean(&state->loss, LEVEL_STEPS, 1),
        .threshold = NAN,
        .baseline = state->has_lowest ? state->lowest : NAN,
        .window = LEVEL_STEPS,
        .step = state->row.step};
    judgement->evidence_count = 2;
}

static void judge_row(struct growth_state *state, const struct rule_settings *settings, double t,
    struct judgement *judgement)
{
    const struct scalars *row = &state->row;
    judgement->step = row->step;
    judgement->time = row->time;
    state->judged = true;
    take_loss(state, t, row->loss);
    if (!isfinite(row->gradient) || row->gradient <= 0 ||
        !level_put(&state->gradient, t, log(row->gradient), LEVEL_STEPS))
        return;
    double level = level_median(&state->gradient, LEVEL_STEPS, LEVEL_LEAST);
    if (isnan(level))
        return;
    double past = history_median(&state->gradients, PAST_FROM * t, PAST_TO * t, PAST_LEAST);
    history_put(&state->gradients, t, level);
    if (!isnan(past) && t >= settings->gradient.arm_steps)
        compare(state, settings, level, past, judgement);
}

/* A step is judged when both figures are there, else when the next step begins. */
static bool judge_growth(void *opaque, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    struct growth_state *state = opaque;
    bool decided = false;
    if (!state->begun || sample->step > state->row.step) {
        if (state->begun && !state->judged) {
            judge_row(state, settings, steps_taken(state->row.step, sample->begin), judgement);
            decided = true;
        }
        state->begun = true;
        state->judged = false;
        state->row = (struct scalars){sample->step, sample->time, NAN, NAN};
    } else if (sample->step < state->row.step) {
        return false;
    }
    state->row.time = fmax(state->row.time, sample->time);
    *(sample->metric == METRIC_LOSS ? &state->row.loss : &state->row.gradient) = sample->value;
    if (!decided && !state->judged && !isnan(state->row.loss) && !isnan(state->row.gradient)) {
        judge_row(state, settings, steps_taken(state->row.step, sample->begin), judgement);
        decided = true;
    }
    return decided;
}

struct burst_state {
    struct level gradient;
    double t;
    double recent, past; /* bursts, with forgetting */
};

static bool judge_bursts(void *opaque, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    struct burst_state *state = opaque;
    double t = steps_taken(sample->step, sample->begin), steps = t - state->t;
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (isnan(sample->value) || sample->value <= 0)
        return true;
    double usual = level_median(&state->gradient, LEVEL_STEPS, LEVEL_LEAST);
    bool burst = log(sample->value) > usual + log(settings->gradient.burst);
    state->t = t;
    state->recent = state->recent * exp(-steps / BURST_MEMORY) + burst;
    state->past = state->past * exp(-steps / PAST_MEMORY) + burst;
    if (isfinite(sample->value))
        level_put(&state->gradient, t, log(sample->value), LEVEL_STEPS);
    if (isnan(usual) || t < settings->gradient.arm_steps)
        return true;
    /* The share of the long memory that a steady rate would put into the short one, and as much
     * again for chance. */
    double steady = 2 * state->past * BURST_MEMORY / fmin(PAST_MEMORY, t);
    judgement->verdict =
        state->recent > settings->gradient.bursts && state->recent > steady ? VERDICT_BAD
        : state->recent < 1                                                 ? VERDICT_GOOD
                                                                            : VERDICT_UNCLEAR;
    judgement->score = state->recent;
    judgement->evidence[0] = (struct alert_evidence){.metric = "gradient.bursts",
        .value = state->recent,
        .threshold = settings->gradient.bursts,
        .baseline = steady / 2,
        .window = BURST_MEMORY,
        .step = sample->step};
    judgement->evidence_count = 1;
    return true;
}

const struct detector gradient_growth_detector = {
    .rule = RULE_GRADIENT,
    .metrics = 1u << METRIC_GRAD_NORM | 1u << METRIC_LOSS,
    .state_size = sizeof(struct growth_state),
    .judge = judge_growth,
};

const struct detector gradient_bursts_detector = {
    .rule = RULE_GRADIENT,
    .metrics = 1u << METRIC_GRAD_NORM,
    .state_size = sizeof(struct burst_state),
    .judge = judge_bursts,
};
