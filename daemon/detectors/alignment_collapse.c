/* Collapse of the alignment's sign diversity against the layers' own past.
 *
 * Only of layers whose inputs are two-sided by nature: the value projection of an attention and the
 * up-projection of a gated MLP, as long as their own past, from 0.4 to 0.8 of the steps, says so
 * too. Elsewhere the principal direction carries the mean input, and one sign is the healthy state.
 * A layer may become one-sided as it learns, so one alone says nothing: a quarter of them, and
 * two at least, must have fallen. Source: Qiu et al., arXiv 2510.04202; of the limits: measured
 * (lab/RESULTS.md). */
#include "daemon/detectors/alignment_collapse.h"

#include <math.h>
#include <string.h>

#include "daemon/detectors/history.h"
#include "daemon/detectors/level.h"

#define NEARLY_NONE 0.01 /* a diversity below it is no worse */

struct collapse_state {
    bool fallen; /* and not recovered: stays in the quorum though its past forgets */
    struct level recent;
    struct history past;
};

static bool watches(const struct detector_subject *watched)
{
    if (watched->role == NULL)
        return false;
    return strcmp(watched->role, "attn.v") == 0 ||
           (strcmp(watched->role, "mlp.in") == 0 && watched->gated);
}

static void note_fall(struct collapse_state *state, const struct detector_settings *settings,
    double past, double mean)
{
    if (state->fallen)
        state->fallen = mean <= settings->alignment_collapse.recovered;
    else
        state->fallen = past > settings->alignment_collapse.balanced &&
                        mean < settings->alignment_collapse.fallen;
}

/* Shares how far the diversity is below the threshold: above 0 it has fallen. */
static bool collapse_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct collapse_state *state = opaque;
    double t = detector_steps_taken(sample->step, sample->begin);
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    level_put(&state->recent, t, sample->value, 0);
    double mean = level_mean(&state->recent, 0, (size_t)settings->alignment_collapse.mean_samples);
    double past = history_median(&state->past, PAST_FROM * t, PAST_TO * t, PAST_LEAST);
    history_put(&state->past, t, sample->value);
    if (isnan(mean) || isnan(past) || t < settings->alignment_collapse.arm_steps)
        return true;
    note_fall(state, settings, past, mean);
    judgement->share.given = state->fallen || past > settings->alignment_collapse.balanced;
    judgement->share.value = settings->alignment_collapse.fallen - mean;
    judgement->share.window = (PAST_TO - PAST_FROM) * t;
    return true;
}

static void collapse_judge_section(void *opaque, const struct detector_settings *settings,
    const struct cross_section *section, int64_t begin, struct judgement *judgement)
{
    double fallen = settings->alignment_collapse.fallen;
    double hysteresis = settings->alignment_collapse.recovered - fallen;
    if (section->count < 2)
        return;
    judgement->verdict = section->quarter > 0             ? VERDICT_BAD
                         : section->quarter < -hysteresis ? VERDICT_GOOD
                                                          : VERDICT_UNCLEAR;
    judgement->score = fallen / fmax(fallen - section->quarter, NEARLY_NONE);
    for (size_t i = 0; i < EVIDENCE_MAX && section->top[i].layer != 0 && section->top[i].value > 0;
         i++)
        judgement->evidence[judgement->evidence_count++] =
            (struct evidence){.layer = section->top[i].layer,
                .metric = "sa.diversity",
                .value = fallen - section->top[i].value,
                .threshold = fallen,
                .baseline = settings->alignment_collapse.balanced,
                .window = section->window,
                .step = section->step};
}

const struct detector alignment_collapse_layer_detector = {
    .metrics = 1u << METRIC_DIVERSITY,
    .state_size = sizeof(struct collapse_state),
    .watches = watches,
    .judge = collapse_judge,
};

const struct detector alignment_collapse_detector = {
    .shared_by = &alignment_collapse_layer_detector,
    .judge_cross_section = collapse_judge_section,
};
