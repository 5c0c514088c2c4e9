/* Growth of one layer's spectral norm out of proportion to the training done, by the training clock:
 * of the layers that grow faster than they ever did the one that is largest in shares of its limit
 * (sigma_growth.c). It asks for more than the half of all layers must show (layers_growth.c), as one
 * may grow by chance or by nature, and for still more where no low alignment diversity is its witness. */
#include "daemon/detectors/detector.h"

#include <math.h>

#include "daemon/detectors/training_clock.h"

struct lone_growth {
    struct training_clock clock;
    int64_t layer; /* that was found bad last; 0: none */
};

static bool run_clock(void *opaque, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    struct lone_growth *state = opaque;
    training_clock_put(&state->clock, steps_taken(sample->step, sample->begin), sample->value);
    return false;
}

static void tell(const struct rule_settings *settings, const struct panel *panel, double share,
    struct judgement *judgement)
{
    judgement->score = share; /* so that what all layers do is told first where both are found */
    judgement->evidence[0] = (struct alert_evidence){.layer = panel->alone.layer,
        .metric = "sigma_growth.elasticity",
        .value = share * panel->alone.limit,
        .threshold = panel->alone.limit,
        .baseline = panel->count >= TOGETHER_COMPANY ? panel->median : NAN,
        .window = panel->window,
        .step = panel->step};
    judgement->evidence_count = isnan(panel->alone.witness) ? 1 : 2;
    judgement->evidence[1] = (struct alert_evidence){.layer = panel->alone.layer,
        .metric = "sa.diversity",
        .value = panel->alone.witness,
        .threshold = settings->sigma_growth.diversity,
        .baseline = NAN,
        .window = NAN,
        .step = panel->step};
}

/* In shares of its limit. Where the clock hardly moves it does not magnify what is left. */
static double growth_of(
    const struct lone_growth *state, const struct panel *panel, double before, double t)
{
    if (panel->alone.layer == 0)
        return 0;
    double moved = training_clock_moved(&state->clock, before, t);
    return panel->alone.value * fmin(1, log(t / before) / moved) / panel->alone.limit;
}

/* Nothing new of the layer that was found, which came in the last turn: others cannot make it well, and
 * one sample of another is no second one. */
static bool is_awaited(const struct lone_growth *state, const struct panel *panel)
{
    double age = panel_age(panel, state->layer);
    return age > 0 && age <= 1;
}

static void judge_panel(void *opaque, const struct rule_settings *settings,
    const struct panel *panel, int64_t begin, struct judgement *judgement)
{
    struct lone_growth *state = opaque;
    double t = steps_taken(panel->step, begin), before = t - panel->window;
    if (before <= 0 || t < settings->sigma_growth.arm_steps)
        return;
    double share = growth_of(state, panel, before, t);
    double resolve = settings->sigma_growth.elasticity_resolve / settings->sigma_growth.elasticity;
    bool awaited = is_awaited(state, panel), bad = share > 1;
    if (awaited && !(bad && panel->alone.share_before > 1))
        return;
    if (bad)
        state->layer = panel->alone.layer;
    judgement->verdict = bad ? VERDICT_BAD : share >= resolve ? VERDICT_UNCLEAR : VERDICT_GOOD;
    if (panel->alone.layer != 0)
        tell(settings, panel, share, judgement);
}

const struct detector lone_growth_detector = {
    .rule = RULE_SIGMA_GROWTH,
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct lone_growth),
    .judge = run_clock,
    .shared_by = &sigma_growth_detector,
    .judge_panel = judge_panel,
};
