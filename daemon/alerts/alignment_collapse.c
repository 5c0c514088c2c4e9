/* Collapse of the alignment's diversity against the layer's own past.
 *
 * Only of layers whose inputs are two-sided by nature: the value projection of an attention and the
 * up-projection of a gated MLP. Elsewhere the principal direction carries the mean input, and one
 * sign is the healthy state. */
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

static enum verdict verdict_of(const struct rule_settings *settings, double mean)
{
    if (mean < settings->alignment_collapse.fallen)
        return VERDICT_BAD;
    return mean > settings->alignment_collapse.recovered ? VERDICT_GOOD : VERDICT_UNCLEAR;
}

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
    double mean = recent_mean(state, count);
    judgement->verdict = verdict_of(settings, mean);
    judgement->score = state->early_mean - mean;
    judgement->evidence[0] = (struct alert_evidence){.metric = "sa.diversity",
        .value = mean,
        .threshold = settings->alignment_collapse.fallen,
        .baseline = state->early_mean,
        .window = (double)(sample->step - state->first_step),
        .step = sample->step};
    judgement->evidence_count = 1;
    return true;
}

const struct detector alignment_collapse_detector = {
    .rule = RULE_ALIGNMENT_COLLAPSE,
    .metrics = 1u << METRIC_DIVERSITY,
    .state_size = sizeof(struct collapse_state),
    .watches = watches,
    .judge = judge,
};
