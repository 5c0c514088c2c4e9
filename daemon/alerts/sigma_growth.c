/* Growth of the spectral norm out of proportion to the steps taken, with low alignment diversity as
 * its witness.
 *
 * The elasticity is e(t) = ln(sigma1(t) / sigma1(t')) / ln(t / t') with t' about 0.8 t: e = 1 is a
 * norm that grows like the number of steps. A healthy norm grows more slowly, whatever the sampling
 * interval. t counts from the beginning of the attempt: where a training resumes at a high step,
 * growth is then compared with the steps that were seen, which asks for more growth than the true
 * count would. */
#include "daemon/alerts/detector.h"

#include <math.h>

/* Older samples are kept thinned, each at least 2 % of the steps after the one before, so that 64
 * of them reach back to any lookback that may be set (0.5: 36 of them) or, when samples are rarer
 * than that, 32 samples (lookback_samples). */
#define ANCHORS        64
#define ANCHOR_SPACING 1.02

struct anchor {
    int64_t step;
    int64_t ordinal; /* of the sample in its series */
    double sigma1;
};

/* The figures of one step, put together. NaN: not there. */
struct row {
    int64_t step;
    double time, sigma1, residual, diversity;
};

struct sigma_growth_state {
    bool begun, judged; /* there is a row; it was judged */
    struct row row;
    double diversity; /* of a step since the last sigma1; NaN: none */
    int64_t samples;
    size_t anchors, next;
    struct anchor ring[ANCHORS];
};

static const struct anchor *anchor_back(const struct sigma_growth_state *state, size_t back)
{
    return &state->ring[(state->next + ANCHORS - 1 - back) % ANCHORS];
}

static void anchor_keep(struct sigma_growth_state *state, int64_t begin)
{
    if (state->anchors > 0) {
        double last = (double)(anchor_back(state, 0)->step - begin);
        if ((double)(state->row.step - begin) < ANCHOR_SPACING * last)
            return;
    }
    state->ring[state->next] = (struct anchor){state->row.step, state->samples, state->row.sigma1};
    state->next = (state->next + 1) % ANCHORS;
    if (state->anchors < ANCHORS)
        state->anchors++;
}

/* The newest kept sample that is far enough back, in steps and in samples; NULL if none. */
static const struct anchor *anchor_find(
    const struct sigma_growth_state *state, const struct rule_settings *settings, int64_t begin)
{
    double latest = settings->sigma_growth.lookback * (double)(state->row.step - begin);
    for (size_t back = 0; back < state->anchors; back++) {
        const struct anchor *anchor = anchor_back(state, back);
        double t = (double)(anchor->step - begin);
        if (t < 1)
            return NULL;
        if (t <= latest &&
            (double)(state->samples - anchor->ordinal) >= settings->sigma_growth.lookback_samples)
            return anchor;
    }
    return NULL;
}

static enum verdict verdict_of(
    const struct rule_settings *settings, double elasticity, double diversity)
{
    if (elasticity > settings->sigma_growth.elasticity &&
        diversity < settings->sigma_growth.diversity)
        return VERDICT_BAD;
    if (elasticity < settings->sigma_growth.elasticity_resolve ||
        diversity > settings->sigma_growth.diversity_resolve)
        return VERDICT_GOOD;
    return VERDICT_UNCLEAR;
}

static void compare(const struct sigma_growth_state *state, const struct rule_settings *settings,
    int64_t begin, struct judgement *judgement)
{
    const struct row *row = &state->row;
    const struct anchor *anchor = anchor_find(state, settings, begin);
    if (anchor == NULL || isnan(state->diversity) ||
        (double)(row->step - begin) < settings->sigma_growth.arm_steps)
        return;
    double steps = (double)(row->step - begin) / (double)(anchor->step - begin);
    double elasticity = log(row->sigma1 / anchor->sigma1) / log(steps);
    judgement->verdict = verdict_of(settings, elasticity, state->diversity);
    judgement->score = elasticity;
    judgement->evidence[0] = (struct alert_evidence){.metric = "spectral.sigma1",
        .value = row->sigma1,
        .threshold = anchor->sigma1 * pow(steps, settings->sigma_growth.elasticity),
        .baseline = anchor->sigma1,
        .window = (double)(row->step - anchor->step),
        .step = row->step};
    judgement->evidence[1] = (struct alert_evidence){.metric = "sa.diversity",
        .value = state->diversity,
        .threshold = settings->sigma_growth.diversity,
        .baseline = NAN,
        .window = NAN,
        .step = row->step};
    judgement->evidence_count = 2;
}

static bool row_usable(const struct row *row, const struct rule_settings *settings)
{
    return isfinite(row->sigma1) && row->sigma1 > 0 &&
           (isnan(row->residual) || row->residual <= settings->sigma_growth.residual);
}

static void row_judge(struct sigma_growth_state *state, const struct rule_settings *settings,
    int64_t begin, struct judgement *judgement)
{
    const struct row *row = &state->row;
    judgement->step = row->step;
    judgement->time = row->time;
    if (isfinite(row->diversity))
        state->diversity = row->diversity;
    state->judged = true;
    if (!row_usable(row, settings))
        return;
    compare(state, settings, begin, judgement);
    anchor_keep(state, begin);
    state->samples++;
    state->diversity = NAN;
}

static void row_put(struct row *row, const struct sample *sample)
{
    if (sample->time > row->time)
        row->time = sample->time;
    if (sample->metric == METRIC_SIGMA1)
        row->sigma1 = sample->value;
    else if (sample->metric == METRIC_RESIDUAL)
        row->residual = sample->value;
    else
        row->diversity = sample->value;
}

static bool row_complete(const struct row *row)
{
    return !isnan(row->sigma1) && !isnan(row->residual) && !isnan(row->diversity);
}

/* A step is judged as soon as its three figures are there, else when the layer's next step begins.
 */
static bool judge(void *opaque, const struct rule_settings *settings, const struct sample *sample,
    struct judgement *judgement)
{
    struct sigma_growth_state *state = opaque;
    bool decided = false;
    if (state->begun && sample->step < state->row.step)
        return false;
    if (!state->begun || sample->step > state->row.step) {
        if (!state->begun)
            state->diversity = NAN;
        else if (!state->judged) {
            row_judge(state, settings, sample->begin, judgement);
            decided = true;
        }
        state->begun = true;
        state->judged = false;
        state->row = (struct row){sample->step, sample->time, NAN, NAN, NAN};
    }
    row_put(&state->row, sample);
    if (!decided && !state->judged && row_complete(&state->row)) {
        row_judge(state, settings, sample->begin, judgement);
        decided = true;
    }
    return decided;
}

const struct detector sigma_growth_detector = {
    .rule = RULE_SIGMA_GROWTH,
    .metrics = 1u << METRIC_SIGMA1 | 1u << METRIC_RESIDUAL | 1u << METRIC_DIVERSITY,
    .state_size = sizeof(struct sigma_growth_state),
    .judge = judge,
};
