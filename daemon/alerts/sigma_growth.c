/* How fast one layer's spectral norm grows: its elasticity (elasticity.h), for the detectors of all
 * layers. Those that grow faster than they ever did may be told of by themselves, most of all while
 * their inputs lie on one side of v1 (lone_growth.c); what layers do together is judged in
 * layers_growth.c.
 *
 * t counts from the beginning of the attempt: where a training resumes at a high step, growth is
 * then compared with the steps that were seen, which asks for more growth than the true count
 * would. */
#include "daemon/alerts/detector.h"

#include <math.h>

#include "daemon/alerts/elasticity.h"
#include "daemon/alerts/row.h"

enum { SIGMA1, RESIDUAL, DIVERSITY, FIGURES }; /* of a row */

struct sigma_growth_state {
    struct row row;
    double diversity, diversity_t; /* the newest; t 0: none came */
    struct elasticity elasticity;
};

/* Growth that is the layer's own; where it has its witness, less of it is enough. */
static void compare(const struct sigma_growth_state *state, const struct rule_settings *settings,
    double t, const struct growth *growth, struct judgement *judgement)
{
    judgement->share.given = true;
    judgement->share.value = growth->elasticity;
    judgement->share.window = t - growth->from_t;
    judgement->share.witness = NAN;
    if (!(growth->elasticity > growth->past + settings->sigma_growth.elasticity_rise))
        return;
    bool one_sided = state->diversity_t > 0 &&
                     TOGETHER_STANDS(t - state->diversity_t, judgement->share.window) &&
                     state->diversity < settings->sigma_growth.diversity;
    double witnessed = settings->sigma_growth.elasticity;
    judgement->share.limit =
        one_sided ? witnessed : fmax(witnessed, settings->sigma_growth.unwitnessed);
    judgement->share.witness = one_sided ? state->diversity : NAN;
}

static bool is_usable(const struct row *row, const struct rule_settings *settings)
{
    double sigma1 = row->figures[SIGMA1], residual = row->figures[RESIDUAL];
    return isfinite(sigma1) && sigma1 > 0 &&
           (isnan(residual) || residual <= settings->sigma_growth.residual);
}

static void judge_row(struct sigma_growth_state *state, const struct rule_settings *settings,
    const struct row *row, double t, struct judgement *judgement)
{
    struct growth growth;
    judgement->step = row->step;
    judgement->time = row->time;
    if (isfinite(row->figures[DIVERSITY])) {
        state->diversity_t = t;
        state->diversity = row->figures[DIVERSITY];
    }
    if (!is_usable(row, settings))
        return;
    if (elasticity_put(&state->elasticity, t, row->figures[SIGMA1], settings->sigma_growth.lookback,
            settings->sigma_growth.lookback_samples, &growth))
        compare(state, settings, t, &growth, judgement);
}

static bool judge(void *opaque, const struct rule_settings *settings, const struct sample *sample,
    struct judgement *judgement)
{
    struct sigma_growth_state *state = opaque;
    size_t which = sample->metric == METRIC_SIGMA1     ? SIGMA1
                   : sample->metric == METRIC_RESIDUAL ? RESIDUAL
                                                       : DIVERSITY;
    struct row ready;
    if (!row_put(&state->row, FIGURES, which, sample->step, sample->time, sample->value, &ready))
        return false;
    judge_row(state, settings, &ready, steps_taken(ready.step, sample->begin), judgement);
    return true;
}

const struct detector sigma_growth_detector = {
    .rule = RULE_SIGMA_GROWTH,
    .metrics = 1u << METRIC_SIGMA1 | 1u << METRIC_RESIDUAL | 1u << METRIC_DIVERSITY,
    .state_size = sizeof(struct sigma_growth_state),
    .judge = judge,
};
