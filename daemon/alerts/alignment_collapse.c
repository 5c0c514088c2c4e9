/* Collapse of the alignment's sign diversity against the layers' own past.
 *
 * Only of layers whose inputs are two-sided by nature: the value projection of an attention and the
 * up-projection of a gated MLP, as long as their early diversity says so too. Elsewhere the
 * principal direction carries the mean input, and one sign is the healthy state. A layer may become
 * one-sided as it learns, so one alone is not told of: a quarter of them, and two at least, must
 * have fallen. Source: Qiu et al., arXiv 2510.04202; of the limits: measured (DETECTORS.md). */
#include "daemon/alerts/detector.h"

#include <math.h>
#include <string.h>

#define RECENT_MAX 32 /* the largest mean_samples */

struct collapse_state {
    bool begun, settled; /* the early window was begun; it is full */
    int64_t first_step;
    double early_sum, early_samples;
    double early_mean;
    size_t samples; /* in the ring, up to RECENT_MAX */
    size_t next;
    double recent[RECENT_MAX];
};

static bool watches(const struct watched *watched)
{
    if (watched->role == NULL)
        return false;
    return strcmp(watched->role, "attn.v") == 0 ||
           (strcmp(watched->role, "mlp.in") == 0 && watched->gated);
}

static void early_put(
    struct collapse_state *state, const struct rule_settings *settings, const struct sample *sample)
{
    if (!state->begun) {
        state->begun = true;
        state->first_step = sample->step;
    }
    state->early_sum += sample->value;
    state->early_samples += 1;
    if (state->early_samples >= settings->alignment_collapse.early_samples &&
        (double)(sample->step - state->first_step) >= settings->alignment_collapse.early_steps) {
        state->settled = true;
        state->early_mean = state->early_sum / state->early_samples;
    }
}

static void recent_put(struct collapse_state *state, double value)
{
    state->recent[state->next] = value;
    state->next = (state->next + 1) % RECENT_MAX;
    if (state->samples < RECENT_MAX)
        state->samples++;
}

static double recent_mean(const struct collapse_state *state, size_t count)
{
    double sum = 0;
    for (size_t back = 1; back <= count; back++)
        sum += state->recent[(state->next + RECENT_MAX - back) % RECENT_MAX];
    return sum / (double)count;
}

/* Shares how far the diversity is below the threshold: above 0 it has fallen. */
static bool judge(void *opaque, const struct rule_settings *settings, const struct sample *sample,
    struct judgement *judgement)
{
    struct collapse_state *state = opaque;
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    if (!state->settled) {
        early_put(state, settings, sample);
        return true;
    }
    recent_put(state, sample->value);
    size_t count = (size_t)settings->alignment_collapse.mean_samples;
    if (state->early_mean <= settings->alignment_collapse.balanced || state->samples < count)
        return true;
    judgement->share.given = true;
    judgement->share.value = settings->alignment_collapse.fallen - recent_mean(state, count);
    judgement->share.window = (double)(sample->step - state->first_step);
    return true;
}

static void judge_panel(void *opaque, const struct rule_settings *settings,
    const struct panel *panel, int64_t begin, struct judgement *judgement)
{
    double fallen = settings->alignment_collapse.fallen;
    double hysteresis = settings->alignment_collapse.recovered - fallen;
    if (panel->count < 2)
        return;
    judgement->verdict = panel->quarter > 0             ? VERDICT_BAD
                         : panel->quarter < -hysteresis ? VERDICT_GOOD
                                                        : VERDICT_UNCLEAR;
    judgement->score = panel->quarter;
    for (size_t i = 0; i < ALERT_TRACK_EVIDENCE_MAX && panel->top[i].layer != 0; i++)
        judgement->evidence[judgement->evidence_count++] =
            (struct alert_evidence){.layer = panel->top[i].layer,
                .metric = "sa.diversity",
                .value = fallen - panel->top[i].value,
                .threshold = fallen,
                .baseline = settings->alignment_collapse.balanced,
                .window = panel->window,
                .step = panel->step};
}

const struct detector alignment_fall_detector = {
    .rule = RULE_ALIGNMENT_COLLAPSE,
    .metrics = 1u << METRIC_DIVERSITY,
    .state_size = sizeof(struct collapse_state),
    .watches = watches,
    .judge = judge,
};

const struct detector alignment_collapse_detector = {
    .rule = RULE_ALIGNMENT_COLLAPSE,
    .shared_by = &alignment_fall_detector,
    .judge_panel = judge_panel,
};
