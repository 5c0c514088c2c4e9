/* Rotation that runs away or stands still, of all layers together.
 *
 * 1 - cos to the initialization grows like the steps where the weights diffuse and like their
 * square where they go straight on; faster than that, by the training clock, is an acceleration.
 * Standing still is exact: no layer's weights change any more, though they did and the training goes
 * on (an optimizer that skips every step, a detached model), for more than twice as long as they ever
 * stood still before. Where the learning rate has come down to nothing, or the loss to exactly 0, that
 * is why: a schedule that has ended, a task that is done. Source of the curve: Carbonnelle and De
 * Vleeschouwer, arXiv 1806.01603; of the limits: measured (lab/RESULTS.md). */
#include <math.h>

#include "daemon/detectors/elasticity.h"
#include "daemon/detectors/median_growth.h"

#define LOOKBACK         0.8
#define LOOKBACK_SAMPLES 2
#define IDLE             0.02 /* of the highest learning rate: nothing is trained */

static bool judge_layer(void *opaque, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    struct elasticity *elasticity = opaque;
    struct growth growth;
    judgement->step = sample->step;
    judgement->time = sample->time;
    double t = steps_taken(sample->step, sample->begin);
    if (!isfinite(sample->value) || sample->value <= 0 ||
        !elasticity_put(elasticity, t, sample->value, LOOKBACK, LOOKBACK_SAMPLES, &growth))
        return true;
    judgement->share.given = true;
    judgement->share.value = growth.elasticity;
    judgement->share.window = t - growth.from_t;
    return true;
}

static void judge_runaway(void *opaque, const struct rule_settings *settings,
    const struct panel *panel, int64_t begin, struct judgement *judgement)
{
    const struct layers_growth_limits limits = {
        .level = settings->rotation.elasticity,
        .rise = settings->rotation.rise,
        .pair = settings->rotation.elasticity,
        .exponential = INFINITY,
        .resolve = settings->rotation.elasticity_resolve,
        .critical = INFINITY,
        .critical_loss = INFINITY,
        .arm_steps = settings->rotation.arm_steps,
        .metric = "rotation.together",
        .layer_metric = "rotation.elasticity",
    };
    layers_growth_judge(opaque, &limits, panel, begin, judgement);
}

struct still_state {
    bool begun;
    double rotation;
};

static bool judge_change(void *opaque, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    struct still_state *state = opaque;
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    judgement->share.given = state->begun;
    judgement->share.value = fabs(sample->value - state->rotation);
    state->begun = true;
    state->rotation = sample->value;
    return true;
}

/* When a scalar gave a reason to stand still: since the newest time that it began to, until it ended.
 * It may be ahead of the layers. */
struct idle {
    double from, to;
    bool lasts;
};

/* Stretches without a change. */
struct stretches {
    double highest_lr;
    struct idle by_lr, by_loss;
    bool changed;   /* the weights have, once */
    double since;   /* the step of the newest change */
    double longest; /* stretch that ended: gradients may be accumulated over many steps */
};

static void idle_put(struct idle *idle, double t, bool rests)
{
    if (rests && !idle->lasts)
        idle->from = t;
    if (!rests && idle->lasts)
        idle->to = t;
    idle->lasts = rests;
}

static bool note_idle(void *opaque, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    struct stretches *state = opaque;
    double t = steps_taken(sample->step, sample->begin), value = sample->value;
    if (sample->metric == METRIC_LOSS) {
        idle_put(&state->by_loss, t, value == 0);
        return false;
    }
    if (!isfinite(value) || value < 0)
        return false;
    state->highest_lr = fmax(state->highest_lr, value);
    idle_put(&state->by_lr, t, value <= IDLE * state->highest_lr);
    return false;
}

static bool is_idle(const struct idle *idle, double t)
{
    return idle->lasts ? t >= idle->from : t >= idle->from && t < idle->to;
}

static void judge_still(void *opaque, const struct rule_settings *settings,
    const struct panel *panel, int64_t begin, struct judgement *judgement)
{
    struct stretches *state = opaque;
    double t = steps_taken(panel->step, begin), stretch = t - state->since;
    bool changes = panel->top[0].value > 0;
    if (changes) {
        if (state->changed)
            state->longest = fmax(state->longest, stretch);
        state->changed = true;
        state->since = t;
    }
    if (!state->changed || t < settings->rotation.arm_steps)
        return;
    bool unusual =
        stretch > 2 * state->longest && !is_idle(&state->by_lr, t) && !is_idle(&state->by_loss, t);
    judgement->verdict = changes ? VERDICT_GOOD : unusual ? VERDICT_BAD : VERDICT_UNCLEAR;
    judgement->score = stretch;
    judgement->evidence[0] = (struct alert_evidence){.metric = "rotation.change",
        .value = panel->top[0].value,
        .threshold = 0,
        .baseline = NAN,
        .window = stretch,
        .step = panel->step};
    judgement->evidence_count = 1;
}

const struct detector rotation_elasticity_detector = {
    .rule = RULE_ROTATION_RUNAWAY,
    .metrics = 1u << METRIC_ROTATION,
    .state_size = sizeof(struct elasticity),
    .judge = judge_layer,
};

const struct detector rotation_runaway_detector = {
    .rule = RULE_ROTATION_RUNAWAY,
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct layers_growth),
    .judge = layers_growth_clock,
    .shared_by = &rotation_elasticity_detector,
    .judge_panel = judge_runaway,
};

const struct detector rotation_change_detector = {
    .rule = RULE_ROTATION_STILL,
    .metrics = 1u << METRIC_ROTATION,
    .state_size = sizeof(struct still_state),
    .judge = judge_change,
};

const struct detector rotation_still_detector = {
    .rule = RULE_ROTATION_STILL,
    .metrics = 1u << METRIC_LR | 1u << METRIC_LOSS,
    .state_size = sizeof(struct stretches),
    .judge = note_idle,
    .shared_by = &rotation_change_detector,
    .judge_panel = judge_still,
};
