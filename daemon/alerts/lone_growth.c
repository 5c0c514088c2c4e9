/* Growth of one layer's spectral norm out of proportion to the training done, by the training clock:
 * of the layers that grow faster than they ever did the one that is largest in shares of its limit
 * (sigma_growth.c). It asks for more than the half of all layers must show (layers_growth.c), as one
 * may grow by chance or by nature, and for still more where no low alignment diversity is its witness. */
#include "daemon/alerts/detector.h"

#include <math.h>

#include "daemon/alerts/clock.h"

static bool run_clock(void *opaque, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    training_clock_put(opaque, steps_taken(sample->step, sample->begin), sample->value);
    return false;
}

static void tell(const struct rule_settings *settings, const struct panel *panel, double growth,
    struct judgement *judgement)
{
    /* By its threshold, so that what all layers do is told first where both are found. */
    judgement->score = growth / panel->alone.limit;
    judgement->evidence[0] = (struct alert_evidence){.layer = panel->alone.layer,
        .metric = "sigma_growth.elasticity",
        .value = growth,
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

static void judge_panel(void *opaque, const struct rule_settings *settings,
    const struct panel *panel, int64_t begin, struct judgement *judgement)
{
    double t = steps_taken(panel->step, begin), before = t - panel->window;
    if (before <= 0 || t < settings->sigma_growth.arm_steps)
        return;
    if (panel->alone.layer != 0 && !panel->alone.fresh)
        return; /* nothing new of it: neither one more bad sample nor a good one */
    judgement->verdict = VERDICT_GOOD;
    if (panel->alone.layer == 0)
        return;
    /* The clock explains growth; where it hardly moves it does not magnify what is left. */
    double growth =
        panel->alone.value * fmin(1, log(t / before) / training_clock_moved(opaque, before, t));
    if (growth > panel->alone.limit)
        judgement->verdict = VERDICT_BAD;
    else if (growth / panel->alone.limit >=
             settings->sigma_growth.elasticity_resolve / settings->sigma_growth.elasticity)
        judgement->verdict = VERDICT_UNCLEAR; /* in shares, as the layer was chosen by them */
    tell(settings, panel, growth, judgement);
}

const struct detector lone_growth_detector = {
    .rule = RULE_SIGMA_GROWTH,
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct training_clock),
    .judge = run_clock,
    .shared_by = &sigma_growth_detector,
    .judge_panel = judge_panel,
};
