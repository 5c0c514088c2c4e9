/* Growth of one layer's spectral norm out of proportion to the training done, by the training clock:
 * of the layers that grow faster than they ever did the one that is largest in shares of its limit
 * (sigma_growth.c). It asks for more than the half of all layers must show (median_growth.c), as one
 * may grow by chance or by nature, and for still more where no low alignment diversity is its confirmation. */
#include "daemon/detectors/layer_growth.h"

#include <math.h>

#include "daemon/detectors/growth_elasticity.h"
#include "daemon/detectors/training_clock.h"

struct layer_growth {
    struct training_clock clock;
    int64_t layer; /* that was found bad last; 0: none */
};

static bool layer_growth_run_clock(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct layer_growth *state = opaque;
    training_clock_put(
        &state->clock, detector_steps_taken(sample->step, sample->begin), sample->value);
    return false;
}

static void layer_growth_describe(const struct detector_settings *settings,
    const struct cross_section *section, double share, struct judgement *judgement)
{
    judgement->score = share; /* so that what all layers do is told first where both are found */
    judgement->evidence[0] = (struct evidence){.layer = section->alone.layer,
        .metric = "sigma_growth.layer",
        .value = share * section->alone.limit,
        .threshold = section->alone.limit,
        .baseline = section->count >= CROSS_SECTION_QUORUM ? section->median : NAN,
        .window = section->window,
        .step = section->step};
    judgement->evidence_count = isnan(section->alone.confirmation) ? 1 : 2;
    judgement->evidence[1] = (struct evidence){.layer = section->alone.layer,
        .metric = "sa.diversity",
        .value = section->alone.confirmation,
        .threshold = settings->sigma_growth.confirmation_diversity,
        .baseline = NAN,
        .window = NAN,
        .step = section->step};
}

/* In shares of its limit. Where the clock hardly moves it does not magnify what is left. */
static double growth_of(
    const struct layer_growth *state, const struct cross_section *section, double before, double t)
{
    if (section->alone.layer == 0)
        return 0;
    double moved = training_clock_moved(&state->clock, before, t);
    return section->alone.value * fmin(1, log(t / before) / moved) / section->alone.limit;
}

/* Nothing new of the layer that was found, which came in the last turn: others cannot make it well, and
 * one sample of another is no second one. */
static bool is_awaited(const struct layer_growth *state, const struct cross_section *section)
{
    double age = cross_section_age(section, state->layer);
    return age > 0 && age <= 1;
}

static void layer_growth_judge_section(void *opaque, const struct detector_settings *settings,
    const struct cross_section *section, int64_t begin, struct judgement *judgement)
{
    struct layer_growth *state = opaque;
    double t = detector_steps_taken(section->step, begin), before = t - section->window;
    if (before <= 0 || t < settings->sigma_growth.layer_arm_steps)
        return;
    double share = growth_of(state, section, before, t);
    double resolve = settings->sigma_growth.layer_resolve / settings->sigma_growth.layer;
    bool awaited = is_awaited(state, section), bad = share > 1;
    if (awaited && !(bad && section->alone.share_before > 1))
        return;
    if (bad)
        state->layer = section->alone.layer;
    judgement->verdict = bad ? VERDICT_BAD : share >= resolve ? VERDICT_UNCLEAR : VERDICT_GOOD;
    if (section->alone.layer != 0)
        layer_growth_describe(settings, section, share, judgement);
}

const struct detector layer_growth_detector = {
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct layer_growth),
    .judge = layer_growth_run_clock,
    .shared_by = &growth_elasticity_detector,
    .judge_cross_section = layer_growth_judge_section,
};
