/* Growth of all layers together, out of proportion to the training done.
 *
 * The half of all layers that grows least fast is told apart from chance and from what one layer
 * does by nature. Two changes make the median elasticity the figure that is judged: the training
 * clock (clock.h) takes the steps' place, so that warm-ups and restarts explain themselves; and it
 * must have risen above all that it was from 0.4 to 0.8 of the steps, so that an optimizer under
 * which every norm grows steadily is not taken for a fault. Norms that grow like a power of the
 * steps have a constant elasticity, norms that grow exponentially (a wrong sign, a bias in one
 * direction) one that rises in proportion to the steps: by a fifth from 0.8 t to t, so that slow ones
 * never leave their past far behind. Those are known by that, once they are fast enough. */
#include "daemon/detectors/median_growth.h"

#include <math.h>

#define MOVED_LEAST 0.05 /* of the clock, for an elasticity that is worth keeping */
#define STEEPER     1.1  /* times its past: half of what that of an exponential gains since 0.8 t */

/* Above it growth is bad. While the learning rate still rises for the first time everything grows:
 * only the worst counts. What two layers do together is often chance. */
static double threshold_of(
    const struct layers_growth_limits *limits, bool warming_up, bool pair, double past, double t)
{
    double least = fmax(warming_up ? limits->critical : 0, pair ? limits->pair : 0);
    double sudden = fmax(fmax(limits->level, least), past + limits->rise);
    double lasting = fmax(fmax(limits->exponential, least), STEEPER * past);
    return t < limits->exponential_arm_steps ? sudden : fmin(sudden, lasting);
}

static enum verdict verdict_of(
    const struct layers_growth_limits *limits, double threshold, double growth, double past)
{
    if (growth > threshold)
        return VERDICT_BAD;
    bool usual = growth < limits->level && growth - past < limits->rise / 2;
    return growth < limits->resolve || usual ? VERDICT_GOOD : VERDICT_UNCLEAR;
}

static void tell(const struct layers_growth_limits *limits, const struct panel *panel,
    double growth, double threshold, double past, struct judgement *judgement)
{
    judgement->score = growth;
    judgement->critical = growth > limits->critical && panel->loss_level > limits->critical_loss;
    judgement->evidence[judgement->evidence_count++] =
        (struct alert_evidence){.metric = limits->metric,
            .value = growth,
            .threshold = threshold,
            .baseline = past,
            .window = panel->window,
            .step = panel->step};
    for (size_t i = 0; i < ALERT_TRACK_EVIDENCE_MAX - 1 && panel->top[i].layer != 0; i++)
        judgement->evidence[judgement->evidence_count++] =
            (struct alert_evidence){.layer = panel->top[i].layer,
                .metric = limits->layer_metric,
                .value = panel->top[i].value,
                .threshold = NAN,
                .baseline = panel->median,
                .window = panel->window,
                .step = panel->step};
}

/* The past by the clock, as far as the clock moved; in a long tail without learning rate, all of it. */
static double past_of(const struct layers_growth *state, double t)
{
    double past = history_largest(&state->growth, PAST_FROM * t, PAST_TO * t, PAST_LEAST);
    return isnan(past) ? history_largest(&state->growth, 0, PAST_TO * t, PAST_LEAST) : past;
}

void layers_growth_judge(struct layers_growth *state, const struct layers_growth_limits *limits,
    const struct panel *panel, int64_t begin, struct judgement *judgement)
{
    double t = steps_taken(panel->step, begin), before = t - panel->window;
    bool pair = panel->known == LAYERS_GROWTH_PAIR;
    if (panel->count < (pair ? LAYERS_GROWTH_PAIR : TOGETHER_COMPANY) ||
        2 * panel->count < panel->known || before <= 0)
        return;
    double moved = training_clock_moved(&state->clock, before, t);
    double by_clock = log(t / before) / moved;
    double past = past_of(state, t);
    if (moved >= MOVED_LEAST)
        history_put(&state->growth, t, panel->median * by_clock);
    /* The clock explains growth; where it hardly moves it does not magnify what is left. */
    double explained = fmin(1, by_clock);
    double growth = panel->median * explained;
    if (!isfinite(growth) || isnan(past))
        return;
    if (limits->tells_readings) {
        judgement_read(judgement, READING_GROWTH, growth);
        judgement_read(judgement, READING_GROWTH_RISE, growth - past);
        judgement_read(judgement, READING_LAYER_GROWTH, panel->top[0].value * explained);
    }
    if (t < limits->arm_steps)
        return;
    double threshold =
        threshold_of(limits, training_clock_warms_up(&state->clock, t), pair, past, t);
    judgement->verdict = verdict_of(limits, threshold, growth, past);
    tell(limits, panel, growth, threshold, past, judgement);
}

bool layers_growth_clock(void *opaque, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    struct layers_growth *state = opaque;
    training_clock_put(&state->clock, steps_taken(sample->step, sample->begin), sample->value);
    return false;
}

static void judge_panel(void *opaque, const struct rule_settings *settings,
    const struct panel *panel, int64_t begin, struct judgement *judgement)
{
    const struct layers_growth_limits limits = {
        .level = settings->sigma_growth.together,
        .rise = settings->sigma_growth.together_rise,
        .pair = settings->sigma_growth.pair,
        .exponential = settings->sigma_growth.exponential,
        .exponential_arm_steps = settings->sigma_growth.exponential_arm_steps,
        .resolve = settings->sigma_growth.together_resolve,
        .critical = settings->sigma_growth.together_critical,
        .critical_loss = settings->sigma_growth.together_critical_loss,
        .arm_steps = settings->sigma_growth.together_arm_steps,
        .metric = "sigma_growth.together",
        .layer_metric = "sigma_growth.elasticity",
        .tells_readings = true,
    };
    layers_growth_judge(opaque, &limits, panel, begin, judgement);
}

const struct detector layers_growth_detector = {
    .rule = RULE_SIGMA_GROWTH,
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct layers_growth),
    .judge = layers_growth_clock,
    .shared_by = &sigma_growth_detector,
    .judge_panel = judge_panel,
};
