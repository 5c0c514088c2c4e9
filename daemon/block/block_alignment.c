/* Inputs of a layer: their alignment with the direction of its weights, and what they are by themselves. Tokens of one
 * step that come from several ranks are one distribution, published when all have sent or a deadline has passed. */
#include "daemon/block/block_state.h"

static void find_alignment(
    const struct place *place, const struct gathering *gathering, const struct alignment_result *r)
{
    find(place, "sa.tokens", (double)r->tokens);
    find(place, "sa.skipped", (double)r->skipped);
    find(place, "sa.weights_step", (double)gathering->weights_step);
    find_distribution(place, "sa", &r->s, true);
    find(place, "sa.positive", r->positive);
    find(place, "sa.diversity", r->diversity);
    find(place, "sa.input_mean", r->input_mean);
    find(place, "sa.input_mean_cos", r->input_mean_cos);
    find_bins(place, "sa", &r->bins);
}

void alignment_close(struct strand_member *member, const struct place *place)
{
    struct gathering *gathering = &member->gathering;
    struct alignment_result result;
    struct place its = *place;

    if (!gathering->alignment)
        return;
    its.step = gathering->step;
    its.time = gathering->time;
    alignment_finish(gathering->alignment, &result);
    find(&its, "activation.nonfinite", (double)result.activation_nonfinite);
    find(&its, "activation.rms", result.activation_rms);
    find(&its, "activation.max_abs", result.activation_max_abs);
    if (gathering->has_direction)
        find_alignment(&its, gathering, &result);
    alignment_free(gathering->alignment);
    gathering->alignment = NULL;
    member->closed_step = gathering->step;
}

static bool is_late(const struct strand_member *member, int64_t step)
{
    if (step <= member->closed_step)
        return true;
    if (member->gathering.alignment)
        return step < member->gathering.step;
    /* The direction that these inputs saw is gone. */
    return step < member->weights_step;
}

static int open_gathering(struct strand_member *member, const struct strand_item *item)
{
    struct gathering *gathering = &member->gathering;
    const float *v1 = member->weights_step >= 0 ? spectrum_v1(member->spectrum) : NULL;

    *gathering = (struct gathering){
        .alignment = alignment_begin(member->options.cols, v1),
        .step = item->step,
        .weights_step = member->weights_step,
        .has_direction = v1 != NULL,
        .time = item->time,
    };
    return gathering->alignment ? 0 : -1;
}

void activations_take(
    struct strand_member *member, struct strand_item *item, const struct place *place)
{
    struct gathering *gathering = &member->gathering;
    const void *data = tensor_data(item->tensor);
    enum dtype dtype = DTYPE_F32;
    struct matrix_view x;

    if (is_late(member, item->step)) {
        place->findings->late++;
        return;
    }
    if (gathering->alignment && gathering->step < item->step)
        alignment_close(member, place);
    if (!data || (!gathering->alignment && open_gathering(member, item) != 0)) {
        place->findings->failed = true;
        return;
    }
    dtype_parse(item->dtype, &dtype);
    x = matrix_view_rows(data, dtype, item->shape[0], item->shape[1]);
    if (alignment_add(gathering->alignment, &x) != 0)
        place->findings->failed = true;
    gathering->ranks++;
    if (gathering->ranks >= item->ranks)
        alignment_close(member, place);
}
