/* A loss that is well above the lowest level it had: at once when it jumps, later when it climbs.
 *
 * Both are measured in shares of the way that the loss came down, or of its level where it began
 * low. A jump is told when all but one of the losses of JUMP_STEPS are up there, so that a burst of
 * bad batches passes; a climb when the level of the last steps stays above and does not come down,
 * so that the dent of new data, which heals, passes too. A height from which the loss came back by
 * itself is known from then on (tasks in turn, games of two networks), also one of the first steps,
 * of which nothing is told: only what exceeds it by a quarter is told again. Critical is what stays
 * above where it began. */
#include "daemon/alerts/detector.h"

#include <math.h>

#include "daemon/alerts/descent.h"

#define JUMP_STEPS    6.0
#define JUMP_VALUES   6 /* at most; all but one of so many, all of fewer */
#define JUMP_LEAST    3
#define CLIMB_HEALING 0.9 /* of the highest level of this climb: below it comes down by itself */
#define KNOWN_MARGIN  1.25

struct loss_state {
    struct descent descent;
    double losses[JUMP_VALUES], times[JUMP_VALUES]; /* the newest last */
    size_t count;
    double crest; /* highest rise of the climb in hand; 0: none */
    double climb_t;
    bool up;       /* it was told of and has not come back */
    double top;    /* the highest rise since then */
    double known;  /* the highest rise from which it came back by itself */
    double lost_t; /* since when it is critically high */
    bool lost;
};

static void losses_put(struct loss_state *state, double t, double loss)
{
    if (state->count == JUMP_VALUES) {
        for (size_t i = 1; i < JUMP_VALUES; i++) {
            state->losses[i - 1] = state->losses[i];
            state->times[i - 1] = state->times[i];
        }
        state->count--;
    }
    state->losses[state->count] = loss;
    state->times[state->count++] = t;
}

/* What nearly all of the last losses exceed. */
static double floor_of(const struct loss_state *state)
{
    double lowest = INFINITY, next = INFINITY;
    size_t taken = 0;
    for (size_t i = state->count; i-- > 0; taken++) {
        if (taken >= JUMP_LEAST && state->times[state->count - 1] - state->times[i] >= JUMP_STEPS)
            break;
        double loss = state->losses[i];
        next = fmin(next, fmax(loss, lowest));
        lowest = fmin(lowest, loss);
    }
    return taken == JUMP_VALUES ? next : lowest;
}

/* The least rise that is told: a share of the way, or more than the loss is known to come back from. */
static double least(const struct loss_state *state, double share, double scale)
{
    return fmax(share * scale, KNOWN_MARGIN * state->known);
}

/* True once the level has stayed up for long enough without coming down. */
static bool has_climbed(struct loss_state *state, const struct rule_settings *settings, double t,
    double rise, double scale, double peak)
{
    if (rise < fmax(peak, least(state, settings->loss_high.climb, scale))) {
        state->crest = 0;
        return false;
    }
    if (state->crest <= 0)
        state->climb_t = t;
    state->crest = fmax(state->crest, rise);
    return t - state->climb_t >= settings->loss_high.climb_steps &&
           rise > CLIMB_HEALING * state->crest;
}

static bool is_lost(struct loss_state *state, const struct rule_settings *settings, double t,
    double jump, double scale)
{
    bool high = jump > least(state, settings->loss_high.critical, scale);
    if (high && !state->lost)
        state->lost_t = t;
    state->lost = high;
    return high && t - state->lost_t >= settings->loss_high.critical_steps;
}

static void note_recovery(struct loss_state *state, enum verdict verdict, double rise)
{
    if (verdict == VERDICT_BAD) {
        state->top = state->up ? fmax(state->top, rise) : rise;
        state->up = true;
    } else if (verdict == VERDICT_GOOD && state->up) {
        state->known = fmax(state->known, state->top);
        state->up = false;
    }
}

static void compare(struct loss_state *state, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement)
{
    const struct descent *descent = &state->descent;
    double t = steps_taken(sample->step, sample->begin);
    double scale = descent_way(descent, settings->loss_high.noise, sample->begin);
    double jump = floor_of(state) - descent->lowest, rise = descent_rise(descent);
    if (!(scale > 0) || !isfinite(scale)) /* a loss that is always 0 */
        return;
    double peak = descent_peak(descent, t);
    bool jumped = jump > fmax(least(state, settings->loss_high.jump, scale),
                             settings->loss_high.jump_peaks * peak);
    bool climbed =
        has_climbed(state, settings, t, rise, scale, settings->loss_high.climb_peaks * peak);
    double share = jumped ? settings->loss_high.jump : settings->loss_high.climb;
    enum verdict verdict = jumped || climbed                            ? VERDICT_BAD
                           : rise < settings->loss_high.resolve * scale ? VERDICT_GOOD
                                                                        : VERDICT_UNCLEAR;
    note_recovery(state, verdict, fmax(jump, rise)); /* before it is armed, too */
    if (t >= settings->loss_high.arm_steps)
        judgement->verdict = verdict;
    judgement_read(judgement, READING_LOSS_LEVEL, rise / scale);
    judgement_read(judgement, READING_LOSS_JUMP, jump / scale);
    judgement->score = jump / scale;
    judgement->critical = is_lost(state, settings, t, jump, scale);
    judgement->evidence[0] = (struct alert_evidence){.metric = "loss",
        .value = jumped ? floor_of(state) : descent->now,
        .threshold = descent->lowest + least(state, share, scale),
        .baseline = descent->lowest,
        .window = jumped ? JUMP_STEPS : DESCENT_STEPS,
        .step = sample->step};
    judgement->evidence_count = 1;
}

static bool judge(void *opaque, const struct rule_settings *settings, const struct sample *sample,
    struct judgement *judgement)
{
    struct loss_state *state = opaque;
    double t = steps_taken(sample->step, sample->begin);
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    losses_put(state, t, sample->value);
    if (descent_put(&state->descent, t, sample->value))
        compare(state, settings, sample, judgement);
    return true;
}

const struct detector loss_high_detector = {
    .rule = RULE_LOSS_HIGH,
    .metrics = 1u << METRIC_LOSS,
    .state_size = sizeof(struct loss_state),
    .judge = judge,
};
