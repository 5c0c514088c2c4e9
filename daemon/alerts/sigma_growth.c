/* Growth of one layer's spectral norm out of proportion to the steps taken, with low alignment
 * diversity as its witness: the elasticity (elasticity.h) and the inputs on one side of v1.
 *
 * t counts from the beginning of the attempt: where a training resumes at a high step, growth is
 * then compared with the steps that were seen, which asks for more growth than the true count
 * would. What layers do together is judged in layers_growth.c, by the elasticities that they share
 * here. */
#include "daemon/alerts/detector.h"

#include <math.h>

#include "daemon/alerts/elasticity.h"

/* The figures of one step, put together. NaN: not there. */
struct row {
    int64_t step;
    double time, sigma1, residual, diversity;
};

struct sigma_growth_state {
    bool begun, judged; /* there is a row; it was judged */
    struct row row;
    double diversity; /* of a step since the last sigma1; NaN: none */
    struct elasticity elasticity;
};

static enum verdict verdict_of(
    const struct rule_settings *settings, const struct growth *growth, double diversity)
{
    if (growth->elasticity > settings->sigma_growth.elasticity &&
        growth->elasticity > growth->past + settings->sigma_growth.elasticity_rise &&
        diversity < settings->sigma_growth.diversity)
        return VERDICT_BAD;
    if (growth->elasticity < settings->sigma_growth.elasticity_resolve ||
        diversity > settings->sigma_growth.diversity_resolve)
        return VERDICT_GOOD;
    return VERDICT_UNCLEAR;
}

static void compare(const struct sigma_growth_state *state, const struct rule_settings *settings,
    double t, const struct growth *growth, struct judgement *judgement)
{
    const struct row *row = &state->row;
    judgement->share.given = true;
    judgement->share.value = growth->elasticity;
    judgement->share.window = t - growth->from_t;
    if (isnan(state->diversity) || t < settings->sigma_growth.arm_steps)
        return;
    judgement->verdict = verdict_of(settings, growth, state->diversity);
    judgement->score = growth->elasticity;
    judgement->evidence[0] = (struct alert_evidence){.metric = "spectral.sigma1",
        .value = row->sigma1,
        .threshold =
            growth->from_value * pow(t / growth->from_t, settings->sigma_growth.elasticity),
        .baseline = growth->from_value,
        .window = t - growth->from_t,
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
    double t = steps_taken(row->step, begin);
    struct growth growth;
    judgement->step = row->step;
    judgement->time = row->time;
    if (isfinite(row->diversity))
        state->diversity = row->diversity;
    state->judged = true;
    if (!row_usable(row, settings))
        return;
    if (elasticity_put(&state->elasticity, t, row->sigma1, settings->sigma_growth.lookback,
            settings->sigma_growth.lookback_samples, &growth))
        compare(state, settings, t, &growth, judgement);
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
