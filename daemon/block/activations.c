/* Tokens pooled until their step is closed; see activations.h. */
#include "daemon/block/activations.h"

static void put_alignment(
    const struct place *place, const struct pooled_tokens *tokens, const struct alignment_result *r)
{
    findings_put(place, "sa.tokens", (double)r->tokens);
    findings_put(place, "sa.skipped", (double)r->skipped);
    findings_put(place, "sa.weights_step", (double)tokens->weights_step);
    findings_put_distribution(place, "sa", &r->s, true);
    findings_put(place, "sa.positive", r->positive);
    findings_put(place, "sa.diversity", r->diversity);
    findings_put(place, "sa.input_mean", r->input_mean);
    findings_put(place, "sa.input_mean_cos", r->input_mean_cos);
    findings_put_bins(place, "sa", &r->bins);
}

void activations_close(struct block_member *member, const struct place *place)
{
    struct pooled_tokens *tokens = &member->tokens;
    struct alignment_result result;
    struct place its = *place;

    if (!tokens->alignment)
        return;
    its.step = tokens->step;
    its.time = tokens->time;
    alignment_finish(tokens->alignment, &result);
    findings_put(&its, "activation.nonfinite", (double)result.activation_nonfinite);
    findings_put(&its, "activation.rms", result.activation_rms);
    findings_put(&its, "activation.max_abs", result.activation_max_abs);
    if (tokens->has_direction)
        put_alignment(&its, tokens, &result);
    alignment_free(tokens->alignment);
    tokens->alignment = NULL;
    member->closed_step = tokens->step;
}

static bool is_late(const struct block_member *member, int64_t step)
{
    if (step <= member->closed_step)
        return true;
    if (member->tokens.alignment)
        return step < member->tokens.step;
    /* The direction that these inputs saw is gone. */
    return step < member->weights_step;
}

static int open_step(struct block_member *member, const struct place *place)
{
    struct pooled_tokens *tokens = &member->tokens;
    const float *v1 = member->weights_step >= 0 ? spectrum_v1(member->spectrum) : NULL;

    *tokens = (struct pooled_tokens){
        .alignment = alignment_begin(member->cols, v1),
        .step = place->step,
        .weights_step = member->weights_step,
        .has_direction = v1 != NULL,
        .time = place->time,
    };
    return tokens->alignment ? 0 : -1;
}

void activations_take(struct block_member *member, const struct matrix_view *x, uint32_t ranks,
    const struct place *place)
{
    struct pooled_tokens *tokens = &member->tokens;

    if (is_late(member, place->step)) {
        place->findings->late++;
        return;
    }
    if (tokens->alignment && tokens->step < place->step)
        activations_close(member, place);
    if (!x->data || (!tokens->alignment && open_step(member, place) != 0)) {
        place->findings->failed = true;
        return;
    }
    if (alignment_add(tokens->alignment, x) != 0)
        place->findings->failed = true;
    tokens->ranks++;
    if (tokens->ranks >= ranks)
        activations_close(member, place);
}
