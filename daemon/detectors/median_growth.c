/* Growth of all layers at once; see median_growth.h.
 *
 * The half of all layers that grows least fast is told apart from chance and from what one layer
 * does by nature. Two changes make the median elasticity the figure that is judged. The training
 * clock takes the steps' place, so that warm-ups and restarts explain themselves. And it must have
 * risen above all that it was from 0.4 to 0.8 of the steps, so that an optimizer under which every
 * norm grows steadily is no fault. Norms that grow like a power of the steps have a constant
 * elasticity. Norms that grow exponentially (a wrong sign, a bias in one direction) have one that
 * rises in proportion to the steps, by a fifth from 0.8 t to t: slow ones never leave their past far
 * behind, and are known by that rise once they are fast enough. */
#include "daemon/detectors/median_growth.h"

#include <math.h>

#include "daemon/detectors/growth_elasticity.h"
#include "daemon/detectors/history.h"
#include "daemon/detectors/training_clock.h"

#define MOVED_LEAST 0.05 /* of the clock, for an elasticity that is worth keeping */
#define STEEPER     1.1  /* times its past: half of what that of an exponential gains since 0.8 t */

struct median_growth {
    struct training_clock clock;
    struct history growth;
};

/* Above it growth is bad. While the learning rate still rises for the first time everything grows:
 * only the worst counts. What two layers do at once is often chance. */
static double median_growth_threshold(
    const struct detector_settings *settings, bool warming_up, bool pair, double past, double t)
{
    double least = fmax(warming_up ? settings->sigma_growth.median_critical : 0,
        pair ? settings->sigma_growth.pair : 0);
    double sudden =
        fmax(fmax(settings->sigma_growth.median, least), past + settings->sigma_growth.median_rise);
    double lasting = fmax(fmax(settings->sigma_growth.exponential, least), STEEPER * past);
    return t < settings->sigma_growth.exponential_arm_steps ? sudden : fmin(sudden, lasting);
}

static enum detector_verdict median_growth_verdict(
    const struct detector_settings *settings, double threshold, double growth, double past)
{
    if (growth > threshold)
        return VERDICT_BAD;
    bool usual = growth < settings->sigma_growth.median &&
                 growth - past < settings->sigma_growth.median_rise / 2;
    return growth < settings->sigma_growth.median_resolve || usual ? VERDICT_GOOD : VERDICT_UNCLEAR;
}

static void median_growth_describe(const struct detector_settings *settings,
    const struct cross_section *section, double growth, double threshold, double past,
    struct judgement *judgement)
{
    judgement->score = growth;
    judgement->critical = growth > settings->sigma_growth.median_critical &&
                          section->loss_level > settings->sigma_growth.median_critical_loss;
    judgement->evidence[judgement->evidence_count++] =
        (struct evidence){.metric = "sigma_growth.median",
            .value = growth,
            .threshold = threshold,
            .baseline = past,
            .window = section->window,
            .step = section->step};
    for (size_t i = 0; i < EVIDENCE_MAX - 1 && section->top[i].layer != 0; i++)
        judgement->evidence[judgement->evidence_count++] =
            (struct evidence){.layer = section->top[i].layer,
                .metric = "sigma_growth.layer",
                .value = section->top[i].value,
                .threshold = NAN,
                .baseline = section->median,
                .window = section->window,
                .step = section->step};
}

/* The past by the clock, as far as the clock moved; in a long tail without learning rate, all of it. */
static double median_growth_past(const struct median_growth *state, double t)
{
    double past = history_largest(&state->growth, PAST_FROM * t, PAST_TO * t, PAST_LEAST);
    return isnan(past) ? history_largest(&state->growth, 0, PAST_TO * t, PAST_LEAST) : past;
}

static bool median_growth_run_clock(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct median_growth *state = opaque;
    training_clock_put(
        &state->clock, detector_steps_taken(sample->step, sample->begin), sample->value);
    return false;
}

static void median_growth_judge_section(void *opaque, const struct detector_settings *settings,
    const struct cross_section *section, int64_t begin, struct judgement *judgement)
{
    struct median_growth *state = opaque;
    double t = detector_steps_taken(section->step, begin), before = t - section->window;
    bool pair = section->known == MEDIAN_GROWTH_PAIR;
    if (section->count < (pair ? MEDIAN_GROWTH_PAIR : CROSS_SECTION_QUORUM) ||
        2 * section->count < section->known || before <= 0)
        return;
    double moved = training_clock_moved(&state->clock, before, t);
    double by_clock = log(t / before) / moved;
    double past = median_growth_past(state, t);
    if (moved >= MOVED_LEAST)
        history_put(&state->growth, t, section->median * by_clock);
    /* The clock explains growth; where it hardly moves it does not magnify what is left. */
    double explained = fmin(1, by_clock);
    double growth = section->median * explained;
    if (!isfinite(growth) || isnan(past))
        return;
    judgement_read(judgement, READING_GROWTH, growth);
    judgement_read(judgement, READING_GROWTH_RISE, growth - past);
    judgement_read(judgement, READING_LAYER_GROWTH, section->top[0].value * explained);
    if (t < settings->sigma_growth.median_arm_steps)
        return;
    double threshold =
        median_growth_threshold(settings, training_clock_warms_up(&state->clock, t), pair, past, t);
    judgement->verdict = median_growth_verdict(settings, threshold, growth, past);
    median_growth_describe(settings, section, growth, threshold, past, judgement);
}

const struct detector median_growth_detector = {
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct median_growth),
    .judge = median_growth_run_clock,
    .shared_by = &growth_elasticity_detector,
    .judge_cross_section = median_growth_judge_section,
};
