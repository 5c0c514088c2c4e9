/* How fast one layer's spectral norm grows: its elasticity (elasticity.h), for the detectors of all
 * layers. Those that grow faster than they ever did may be told of by themselves, most of all while
 * their inputs lie on one side of v1 (layer_growth.c); what layers do together is judged in
 * median_growth.c.
 *
 * t counts from the beginning of the attempt: where a training resumes at a high step, growth is
 * then compared with the steps that were seen, which asks for more growth than the true count
 * would. */
#include "daemon/detectors/growth_elasticity.h"

#include <math.h>

#include "daemon/detectors/elasticity.h"
#include "daemon/detectors/step_row.h"

enum { SIGMA1, RESIDUAL, FIGURES }; /* of a row */

struct confirmation {
    double t, diversity;
};

struct growth_elasticity {
    struct step_row row;
    struct confirmation last[3]; /* the newest first; t 0: none */
    struct elasticity elasticity;
};

static void confirmation_put(struct growth_elasticity *state, double t, double diversity)
{
    if (!isfinite(diversity))
        return;
    state->last[2] = state->last[1];
    state->last[1] = state->last[0];
    state->last[0] = (struct confirmation){t, diversity};
}

/* The last one before t, as old as the steps that growth looks back at most: that of the step itself may
 * come after sigma1, or not at all where activations are sampled more seldom. Where a row was left
 * incomplete the next step has begun. NaN if there is none. */
static double diversity_before(const struct growth_elasticity *state, double t, double window)
{
    for (size_t i = 0; i < 3; i++)
        if (state->last[i].t > 0 && state->last[i].t < t)
            return t - state->last[i].t <= window ? state->last[i].diversity : NAN;
    return NAN;
}

/* Growth that is the layer's own; where it has its confirmation, less of it is enough. */
static void growth_elasticity_compare(const struct growth_elasticity *state,
    const struct detector_settings *settings, double t, const struct elasticity_growth *growth,
    struct judgement *judgement)
{
    judgement->share.given = true;
    judgement->share.value = growth->elasticity;
    judgement->share.window = t - growth->from_t;
    judgement->share.confirmation = NAN;
    if (!(growth->elasticity > growth->past + settings->sigma_growth.layer_rise))
        return;
    double diversity = diversity_before(state, t, judgement->share.window);
    bool one_sided = diversity < settings->sigma_growth.confirmation_diversity;
    double confirmed = settings->sigma_growth.layer;
    judgement->share.limit =
        one_sided ? confirmed : fmax(confirmed, settings->sigma_growth.layer_unconfirmed);
    judgement->share.confirmation = one_sided ? diversity : NAN;
}

static bool is_usable(const struct step_row *row, const struct detector_settings *settings)
{
    double sigma1 = row->figures[SIGMA1], residual = row->figures[RESIDUAL];
    return isfinite(sigma1) && sigma1 > 0 &&
           (isnan(residual) || residual <= settings->sigma_growth.residual);
}

static void judge_row(struct growth_elasticity *state, const struct detector_settings *settings,
    const struct step_row *row, double t, struct judgement *judgement)
{
    struct elasticity_growth growth;
    judgement->step = row->step;
    judgement->time = row->time;
    if (!is_usable(row, settings))
        return;
    if (elasticity_put(&state->elasticity, t, row->figures[SIGMA1], settings->sigma_growth.lookback,
            settings->sigma_growth.lookback_samples, &growth))
        growth_elasticity_compare(state, settings, t, &growth, judgement);
}

static bool growth_elasticity_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct growth_elasticity *state = opaque;
    size_t which = sample->metric == METRIC_SIGMA1 ? SIGMA1 : RESIDUAL;
    struct step_row ready;
    if (sample->metric == METRIC_DIVERSITY) {
        confirmation_put(state, detector_steps_taken(sample->step, sample->begin), sample->value);
        return false;
    }
    if (!step_row_put(
            &state->row, FIGURES, which, sample->step, sample->time, sample->value, &ready))
        return false;
    judge_row(state, settings, &ready, detector_steps_taken(ready.step, sample->begin), judgement);
    return true;
}

const struct detector growth_elasticity_detector = {
    .metrics = 1u << METRIC_SIGMA1 | 1u << METRIC_RESIDUAL | 1u << METRIC_DIVERSITY,
    .state_size = sizeof(struct growth_elasticity),
    .judge = growth_elasticity_judge,
};
