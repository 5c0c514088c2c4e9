/* A loss well above its lowest level; see loss_high.h.
 *
 * It is high after a jump (all losses of JUMP_STEPS are far above), after a rise that lasts (all of DESCENT_STEPS are above,
 * by less), or when it is far above where it began, which needs no past. What is far is measured in shares of the way that
 * the loss came down, in its own noise, and against how far it rose to stay in the past. It is low again when its level
 * is. */
#include "daemon/detectors/loss_high.h"

#include <math.h>

#include "daemon/detectors/descent.h"
#include "daemon/detectors/history.h"

#define JUMP_STEPS    6.0
#define JUMP_VALUES   6 /* at most */
#define JUMP_LEAST    3
#define JUMP_NOISE    3.0 /* times the noise */
#define LASTING_LEAST 4   /* losses */
#define LASTING_LEVEL 0.1 /* of the lowest level */
#define BEYOND        0.5 /* of where it began */
#define RISES         2.0 /* times as far as it rose to stay in the past */
#define LOWEST_NOISE  1.5 /* times the noise: the lowest losses, below their level */

struct loss_high {
    struct descent descent;
    struct history rises; /* that lasted, above the lowest level of then */
    struct recent_loss {
        double t, loss;
    } recent[JUMP_VALUES]; /* a ring */
    size_t taken;
};

/* The lowest of the last losses. */
static double recent_lowest(const struct loss_high *state, double t)
{
    double lowest = INFINITY;
    for (size_t back = 1; back <= state->taken && back <= JUMP_VALUES; back++) {
        const struct recent_loss *recent = &state->recent[(state->taken - back) % JUMP_VALUES];
        if (back > JUMP_LEAST && t - recent->t >= JUMP_STEPS)
            break;
        lowest = fmin(lowest, recent->loss);
    }
    return lowest;
}

/* How far it rose to stay in the past; NaN: that is not known yet. */
static double past_rise(const struct loss_high *state, double t)
{
    return history_largest(&state->rises, PAST_FROM * t, PAST_TO * t, 1);
}

/* Of the loss above its lowest level. */
struct rise {
    double above;
    double least; /* that is a finding */
};

static struct rise jump_of(
    const struct loss_high *state, double share, double way, double past, double t)
{
    double usual = fmax(JUMP_NOISE * state->descent.noise, isnan(past) ? 0 : RISES * past);
    return (struct rise){recent_lowest(state, t) - state->descent.lowest, fmax(share * way, usual)};
}

static struct rise lasting_of(const struct loss_high *state, double past)
{
    const struct descent *descent = &state->descent;
    double lowest = level_lowest(&descent->level, DESCENT_STEPS, LASTING_LEAST);
    double least = fmax(LASTING_LEVEL * fabs(descent->lowest), DESCENT_NOISE * descent->noise);
    return (struct rise){lowest - descent->lowest, fmax(least, isnan(past) ? 0 : RISES * past)};
}

/* A loss far above where it began is too high at any step. */
static bool is_beyond_start(const struct loss_high *state, double past, double t)
{
    const struct descent *descent = &state->descent;
    double least = fmax(BEYOND * fabs(descent->start), DESCENT_NOISE * descent->noise);
    return recent_lowest(state, t) - descent->start > fmax(least, isnan(past) ? 0 : RISES * past);
}

static enum detector_verdict verdict_of(bool high, double level, double least)
{
    if (high)
        return VERDICT_BAD;
    return level < least ? VERDICT_GOOD : VERDICT_UNCLEAR;
}

static void loss_high_compare(struct loss_high *state, const struct detector_settings *settings,
    double t, struct judgement *judgement)
{
    double lowest = state->descent.lowest, way = descent_way(&state->descent);
    if (!(way > 0) || !isfinite(way)) /* a loss that is always 0 */
        return;
    double past = past_rise(state, t), level = descent_rise(&state->descent);
    struct rise jump = jump_of(state, settings->loss_high.rise, way, past, t);
    struct rise lasting = lasting_of(state, past);
    struct rise worst = jump.above * lasting.least > lasting.above * jump.least ? jump : lasting;
    bool beyond = is_beyond_start(state, past, t);
    bool armed = t >= settings->loss_high.arm_steps;
    judgement_read(judgement, READING_LOSS_LEVEL, level / way);
    judgement_read(judgement, READING_LOSS_JUMP, jump.above / way);
    bool high = worst.above > worst.least || beyond;
    if (!high)
        history_put(&state->rises, t, lasting.above + LOWEST_NOISE * state->descent.noise);
    judgement->verdict = verdict_of(armed ? high : beyond, level, fmin(jump.least, lasting.least));
    judgement->critical =
        jump.above > settings->loss_high.critical * way && jump.above > jump.least;
    judgement->score = worst.above / way;
    judgement->evidence[0] = (struct evidence){.metric = "loss",
        .value = lowest + worst.above,
        .threshold = lowest + worst.least,
        .baseline = lowest,
        .window = worst.least == jump.least ? JUMP_STEPS : DESCENT_STEPS,
        .step = judgement->step};
    judgement->evidence_count = 1;
}

static bool loss_high_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct loss_high *state = opaque;
    double t = detector_steps_taken(sample->step, sample->begin);
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    bool known = descent_put(&state->descent, t, sample->value);
    state->recent[state->taken++ % JUMP_VALUES] = (struct recent_loss){t, sample->value};
    if (known)
        loss_high_compare(state, settings, t, judgement);
    return true;
}

const struct detector loss_high_detector = {
    .metrics = 1u << METRIC_LOSS,
    .state_size = sizeof(struct loss_high),
    .judge = loss_high_judge,
};
