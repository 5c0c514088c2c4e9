/* Growth of all layers at once; see median_growth.h.
 *
 * The half of all layers that grows least fast is told apart from chance and from what one layer
 * does by nature. The training clock takes the steps' place, so that warm-ups and restarts explain
 * themselves. And the median must exceed all that it was from 0.4 to 0.8 of the steps, so that an
 * optimizer under which every norm grows steadily is no fault. What grows exponentially (a wrong
 * sign, a bias in one direction) gains a fifth from 0.8 t to t. */
#include "daemon/detectors/median_growth.h"

#include <math.h>

#include "daemon/detectors/growth_elasticity.h"
#include "daemon/detectors/history.h"
#include "daemon/detectors/training_clock.h"

#define STEEPER 1.1 /* times its past: what grows like a power of the steps has a constant one */

struct median_growth {
    struct training_clock clock;
    struct history growth;
};

static bool median_growth_run_clock(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct median_growth *state = opaque;
    training_clock_put(
        &state->clock, detector_steps_taken(sample->step, sample->begin), sample->value);
    return false;
}

static void median_growth_describe(const struct cross_section *section, double growth,
    double threshold, double past, struct judgement *judgement)
{
    judgement->score = growth;
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

static void median_growth_judge_section(void *opaque, const struct detector_settings *settings,
    const struct cross_section *section, int64_t begin, struct judgement *judgement)
{
    struct median_growth *state = opaque;
    double t = detector_steps_taken(section->step, begin), before = t - section->window;
    if (section->count < CROSS_SECTION_QUORUM || before <= 0)
        return;
    double left = training_clock_left(&state->clock, before, t), growth = section->median * left;
    if (!isfinite(growth))
        return;
    double past = history_largest(&state->growth, PAST_FROM * t, PAST_TO * t, PAST_LEAST);
    history_put(&state->growth, t, growth);
    if (isnan(past))
        return;
    judgement_read(judgement, READING_GROWTH, growth);
    judgement_read(judgement, READING_GROWTH_RISE, growth - past);
    judgement_read(judgement, READING_LAYER_GROWTH, section->top[0].value * left);
    double threshold = fmax(settings->sigma_growth.median, STEEPER * past);
    judgement->verdict = growth > threshold ? VERDICT_BAD : VERDICT_GOOD;
    judgement->critical = growth > settings->sigma_growth.median_critical &&
                          section->loss_level > settings->sigma_growth.median_critical_loss;
    median_growth_describe(section, growth, threshold, past, judgement);
}

const struct detector median_growth_detector = {
    .metrics = 1u << METRIC_LR,
    .state_size = sizeof(struct median_growth),
    .judge = median_growth_run_clock,
    .shared_by = &growth_elasticity_detector,
    .judge_cross_section = median_growth_judge_section,
};
