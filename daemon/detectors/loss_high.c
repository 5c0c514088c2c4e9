/* A loss that is well above the lowest level it had: at once when it jumps, later when it climbs.
 *
 * Both are measured in shares of the way that the loss came down, or of its level where it began
 * low, and against how high single losses went in the past, which says what the task and its
 * batches do by nature. A jump is told when all but one of the losses of JUMP_STEPS are up there
 * and most of the way there is new, so that a burst of bad batches passes; a climb when the level
 * of the last steps stays above and does not come down, so that the dent of new data, which heals,
 * passes too. A height from which the loss came back by itself is known from then on (tasks in
 * turn, games of two networks), also one of the first steps, of which nothing is told: only what
 * exceeds it by a quarter is told again (while it is not long past, what exceeds it twice).
 * Critical is what stays above where it began. */
#include "daemon/detectors/loss_high.h"

#include <math.h>

#include "daemon/detectors/descent.h"

#define JUMP_STEPS    6.0
#define JUMP_VALUES   6 /* at most; all but one of so many, all of fewer */
#define JUMP_LEAST    3
#define CLIMB_HEALING 0.9 /* of the highest level of this climb: below it comes down by itself */
#define KNOWN_MARGIN  1.25
#define FRESH_SHARE   0.5 /* of a jump: what lies higher for long has climbed */
#define NATURE_MAX    5.0 /* times the way down: what went further up is not by nature */

struct loss_state {
    struct descent descent;
    struct recent_loss {
        double t, loss, level; /* level: before it */
    } recent[JUMP_VALUES];     /* the newest last */
    size_t count;
    double crest; /* highest rise of the climb in hand; 0: none */
    double climb_t;
    bool up;       /* it went up and has not come back */
    double top;    /* the highest rise since then */
    bool told;     /* it was told of that */
    double usual;  /* how high single losses went before: what is told of is not its own past */
    double known;  /* the highest rise from which it came back by itself */
    double lost_t; /* since when it is critically high */
    bool lost;
};

static void recent_put(struct loss_state *state, double t, double loss)
{
    if (state->count == JUMP_VALUES) {
        for (size_t i = 1; i < JUMP_VALUES; i++)
            state->recent[i - 1] = state->recent[i];
        state->count--;
    }
    state->recent[state->count++] = (struct recent_loss){t, loss, state->descent.now};
}

/* What nearly all of the last losses exceed; *before: the level before them. */
static double floor_of(const struct loss_state *state, double *before)
{
    double lowest = INFINITY, next = INFINITY, newest_t = state->recent[state->count - 1].t;
    size_t taken = 0;
    for (size_t i = state->count; i-- > 0; taken++) {
        if (taken >= JUMP_LEAST && newest_t - state->recent[i].t >= JUMP_STEPS)
            break;
        double loss = state->recent[i].loss;
        next = fmin(next, fmax(loss, lowest));
        lowest = fmin(lowest, loss);
        *before = state->recent[i].level;
    }
    return taken == JUMP_VALUES ? next : lowest;
}

/* Where the loss is, above its lowest level, and the least rises that are told. */
struct loss_finding {
    double way; /* down */
    double jump, rise;
    double fresh; /* of the jump: above the level before it */
    double usual; /* how high single losses went in the past */
    double least_jump, least_climb, least_critical;
};

/* A share of the way, more than the loss is known to come back from, and than single losses reached
 * before. */
static double least(const struct loss_state *state, double way, double share, double usual)
{
    return fmax(share * way, fmax(KNOWN_MARGIN * fmin(state->known, NATURE_MAX * way), usual));
}

static struct loss_finding measure(const struct loss_state *state,
    const struct detector_settings *settings, const struct detector_sample *sample, double t)
{
    const struct descent *descent = &state->descent;
    double way =
        descent_way(descent, settings->loss_high.noise, detector_is_resumed(sample->begin));
    double usual = state->told ? state->usual : fmin(descent_peak(descent, t), NATURE_MAX * way);
    double before = 0, floor = floor_of(state, &before);
    return (struct loss_finding){
        .way = way,
        .jump = floor - descent->lowest,
        .fresh = floor - before,
        .rise = descent_rise(descent),
        .usual = usual,
        .least_jump =
            least(state, way, settings->loss_high.jump, settings->loss_high.jump_peaks * usual),
        .least_climb =
            least(state, way, settings->loss_high.climb, settings->loss_high.climb_peaks * usual),
        .least_critical = least(state, way, settings->loss_high.critical, 0),
    };
}

/* True once the level has stayed up for long enough without coming down. */
static bool has_climbed(struct loss_state *state, const struct detector_settings *settings,
    const struct loss_finding *finding, double t)
{
    if (finding->rise < finding->least_climb) {
        state->crest = 0;
        return false;
    }
    if (state->crest <= 0)
        state->climb_t = t;
    state->crest = fmax(state->crest, finding->rise);
    return t - state->climb_t >= settings->loss_high.climb_steps &&
           finding->rise > CLIMB_HEALING * state->crest;
}

static bool is_lost(struct loss_state *state, const struct detector_settings *settings,
    const struct loss_finding *finding, double t)
{
    bool high = finding->jump > finding->least_critical;
    if (high && !state->lost)
        state->lost_t = t;
    state->lost = high;
    return high && t - state->lost_t >= settings->loss_high.critical_steps;
}

/* Up and down again, also before it is armed: then nothing is told, but the height is known. */
static void note_course(struct loss_state *state, enum detector_verdict verdict,
    const struct loss_finding *finding, bool armed)
{
    if (verdict == VERDICT_BAD) {
        double rise = fmax(finding->jump, finding->rise);
        state->top = state->up ? fmax(state->top, rise) : rise;
        state->up = true;
        if (armed && !state->told)
            state->usual = finding->usual;
        state->told = state->told || armed;
    } else if (verdict == VERDICT_GOOD && state->up) {
        state->known = fmax(state->known, state->top);
        state->up = state->told = false;
    }
}

static void loss_high_describe(const struct loss_state *state, const struct loss_finding *finding,
    bool jumped, struct judgement *judgement)
{
    double lowest = state->descent.lowest;
    judgement_read(judgement, READING_LOSS_LEVEL, finding->rise / finding->way);
    judgement_read(judgement, READING_LOSS_JUMP, finding->jump / finding->way);
    judgement->score = (jumped ? finding->jump : finding->rise) / finding->way;
    judgement->evidence[0] = (struct evidence){.metric = "loss",
        .value = lowest + (jumped ? finding->jump : finding->rise),
        .threshold = lowest + (jumped ? finding->least_jump : finding->least_climb),
        .baseline = lowest,
        .window = jumped ? JUMP_STEPS : DESCENT_STEPS,
        .step = judgement->step};
    judgement->evidence_count = 1;
}

static void loss_high_compare(struct loss_state *state, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    double t = detector_steps_taken(sample->step, sample->begin);
    struct loss_finding finding = measure(state, settings, sample, t);
    if (!(finding.way > 0) || !isfinite(finding.way)) /* a loss that is always 0 */
        return;
    bool armed = t >= settings->loss_high.arm_steps;
    bool jumped = finding.jump > finding.least_jump &&
                  (state->told || finding.fresh > FRESH_SHARE * finding.jump);
    bool climbed = has_climbed(state, settings, &finding, t);
    bool well = finding.rise < settings->loss_high.resolve * finding.way;
    enum detector_verdict verdict = jumped || climbed ? VERDICT_BAD
                                    : well            ? VERDICT_GOOD
                                                      : VERDICT_UNCLEAR;
    note_course(state, verdict, &finding, armed);
    if (armed)
        judgement->verdict = verdict;
    judgement->critical = is_lost(state, settings, &finding, t);
    loss_high_describe(state, &finding, jumped, judgement);
}

static bool loss_high_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct loss_state *state = opaque;
    double t = detector_steps_taken(sample->step, sample->begin);
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    recent_put(state, t, sample->value);
    if (descent_put(&state->descent, t, sample->value))
        loss_high_compare(state, settings, sample, judgement);
    return true;
}

const struct detector loss_high_detector = {
    .metrics = 1u << METRIC_LOSS,
    .state_size = sizeof(struct loss_state),
    .judge = loss_high_judge,
};
