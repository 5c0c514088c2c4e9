/* A loss well above its minimum: the median of the last losses against the lowest mean of losses so
 * far.
 *
 * The median passes over a single bad batch; the mean makes the minimum one that the training had,
 * not a lucky batch. */
#include "daemon/alerts/detector.h"

#include <math.h>
#include <string.h>

#define MEDIAN_SAMPLES 5
#define MEAN_SAMPLES   8
#define NOISE_MEMORY   50.0 /* samples over which the noise is averaged */
#define NOISE_CLIP                                                                                 \
    3.0 /* a step from one loss to the next counts at most so many times the noise \
                            */

struct loss_state {
    size_t samples;              /* up to MEAN_SAMPLES */
    double recent[MEAN_SAMPLES]; /* the newest last */
    bool has_minimum;
    double minimum;
    double noise; /* mean step from one loss to the next, in magnitude */
    double steps; /* that it is the mean of, up to NOISE_MEMORY */
};

static void recent_put(struct loss_state *state, double loss)
{
    if (state->samples == MEAN_SAMPLES) {
        memmove(state->recent, state->recent + 1, (MEAN_SAMPLES - 1) * sizeof state->recent[0]);
        state->samples--;
    }
    state->recent[state->samples++] = loss;
}

/* The mean step at first, then one that forgets and that a jump can't spoil. */
static void noise_put(struct loss_state *state, double loss)
{
    if (state->samples == 0)
        return;
    double step = fabs(loss - state->recent[state->samples - 1]);
    if (!isfinite(step))
        return;
    if (state->steps >= MEAN_SAMPLES && state->noise > 0)
        step = fmin(step, NOISE_CLIP * state->noise);
    state->steps = fmin(state->steps + 1, NOISE_MEMORY);
    state->noise += (step - state->noise) / state->steps;
}

static double median(const struct loss_state *state)
{
    double sorted[MEDIAN_SAMPLES];
    memcpy(sorted, state->recent + MEAN_SAMPLES - MEDIAN_SAMPLES, sizeof sorted);
    for (size_t i = 1; i < MEDIAN_SAMPLES; i++) {
        double value = sorted[i];
        size_t j = i;
        for (; j > 0 && sorted[j - 1] > value; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = value;
    }
    return sorted[MEDIAN_SAMPLES / 2];
}

static void minimum_put(struct loss_state *state)
{
    double mean = 0;
    for (size_t i = 0; i < MEAN_SAMPLES; i++)
        mean += state->recent[i] / MEAN_SAMPLES;
    if (!state->has_minimum || mean < state->minimum)
        state->minimum = mean;
    state->has_minimum = true;
}

static void compare(const struct loss_state *state, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    double noise = settings->loss_high.noise * state->noise;
    double margin = fmax(settings->loss_high.rise * fabs(state->minimum), noise);
    double margin_good = fmax(settings->loss_high.rise_resolve * fabs(state->minimum), noise);
    double value = median(state);
    double rise = value - state->minimum;
    judgement->verdict = rise > margin        ? VERDICT_BAD
                         : rise < margin_good ? VERDICT_GOOD
                                              : VERDICT_UNCLEAR;
    judgement->score = rise;
    judgement->evidence[0] = (struct alert_evidence){.metric = "loss",
        .value = value,
        .threshold = state->minimum + margin,
        .baseline = state->minimum,
        .window = (double)(sample->step - sample->begin),
        .step = sample->step};
    judgement->evidence_count = 1;
}

static bool judge(void *opaque, const struct rule_settings *settings, const struct sample *sample,
    struct judgement *judgement)
{
    struct loss_state *state = opaque;
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    noise_put(state, sample->value);
    recent_put(state, sample->value);
    if (state->samples < MEAN_SAMPLES)
        return true;
    if (state->has_minimum &&
        (double)(sample->step - sample->begin) >= settings->loss_high.arm_steps)
        compare(state, settings, sample, judgement);
    minimum_put(state);
    return true;
}

const struct detector loss_high_detector = {
    .rule = RULE_LOSS_HIGH,
    .metrics = 1u << METRIC_LOSS,
    .state_size = sizeof(struct loss_state),
    .judge = judge,
};
