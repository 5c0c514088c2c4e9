/* The elasticity of a layer's spectral norm; see growth_elasticity.h.
 *
 * t counts from the beginning of the attempt: where a training resumes at a high step, growth is
 * then compared with the steps that were seen, which asks for more growth than the true count
 * would. */
#include "daemon/detectors/growth_elasticity.h"

#include <math.h>

#include "daemon/detectors/elasticity.h"
#include "daemon/detectors/step_row.h"

enum { SIGMA1, RESIDUAL, FIGURES }; /* of a row */

struct growth_elasticity {
    struct step_row row;
    struct elasticity elasticity;
};

static bool is_usable(const struct step_row *row, const struct detector_settings *settings)
{
    double sigma1 = row->figures[SIGMA1], residual = row->figures[RESIDUAL];
    return isfinite(sigma1) && sigma1 > 0 &&
           (isnan(residual) || residual <= settings->sigma_growth.residual);
}

static bool growth_elasticity_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct growth_elasticity *state = opaque;
    size_t which = sample->metric == METRIC_SIGMA1 ? SIGMA1 : RESIDUAL;
    struct step_row ready;
    struct elasticity_growth growth;
    if (!step_row_put(
            &state->row, FIGURES, which, sample->step, sample->time, sample->value, &ready))
        return false;
    double t = detector_steps_taken(ready.step, sample->begin);
    judgement->step = ready.step;
    judgement->time = ready.time;
    if (!is_usable(&ready, settings) ||
        !elasticity_put(&state->elasticity, t, ready.figures[SIGMA1], &growth))
        return true;
    judgement->share.given = true;
    judgement->share.value = growth.elasticity;
    judgement->share.window = t - growth.from_t;
    return true;
}

const struct detector growth_elasticity_detector = {
    .metrics = 1u << METRIC_SIGMA1 | 1u << METRIC_RESIDUAL,
    .state_size = sizeof(struct growth_elasticity),
    .judge = growth_elasticity_judge,
};
