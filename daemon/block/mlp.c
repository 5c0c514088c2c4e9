/* Cosines and classes of an MLP block's neurons; see mlp.h. */
#include "daemon/block/mlp.h"

#include <stdio.h>

#include "daemon/analysis/neurons.h"

bool mlp_find(struct block_member *members, struct mlp *mlp)
{
    *mlp = (struct mlp){0};
    for (struct block_member *member = members; member; member = member->next) {
        if (member->role == BLOCK_MLP_IN)
            mlp->in = member;
        else if (member->role == BLOCK_MLP_OUT)
            mlp->out = member;
        else if (member->role == BLOCK_MLP_GATE)
            mlp->gate = member;
    }
    return mlp->in && mlp->out;
}

bool mlp_has(const struct mlp *mlp, const struct block_member *member)
{
    return member == mlp->in || member == mlp->out || member == mlp->gate;
}

static bool is_kept(const struct block_member *member, const struct place *place)
{
    return member->kept.shards && member->kept.step == place->step &&
           member->kept.attempt == place->attempt;
}

bool mlp_is_complete(const struct mlp *mlp, const struct place *place)
{
    return is_kept(mlp->in, place) && is_kept(mlp->out, place) &&
           (!mlp->gate || is_kept(mlp->gate, place));
}

static void put_counts(const struct place *place, const struct neurons_result *r)
{
    char metric[FIGURE_METRIC_MAX];

    for (int class = 0; class < NEURON_CLASS_COUNT; class ++) {
        if (!neuron_class_applies((enum neuron_class) class, r->gated))
            continue;
        snprintf(
            metric, sizeof metric, "gate.count.%s", neuron_class_name((enum neuron_class) class));
        findings_put(place, metric, (double)r->count[class]);
    }
    findings_put(place, "gate.undefined", (double)r->undefined);
    findings_put(place, "gate.beyond_chance", r->beyond_chance);
}

static void put_cosines(
    const struct place *place, const char *name, const struct neuron_cosines *cosines)
{
    findings_put_distribution(place, name, &cosines->cosine, false);
    findings_put_bins(place, name, &cosines->bins);
}

static void put_neurons(const struct place *place, const struct neurons_result *r)
{
    put_counts(place, r);
    put_cosines(place, "gate.in_out", &r->in_out);
    if (!r->gated)
        return;
    put_cosines(place, "gate.gate_out", &r->gate_out);
    put_cosines(place, "gate.gate_in", &r->gate_in);
}

void mlp_measure(const struct mlp *mlp, const struct place *place)
{
    struct neurons_result result;

    if (neurons_measure(mlp->gate ? &mlp->gate->kept.matrix : NULL, &mlp->in->kept.matrix,
            &mlp->out->kept.matrix, &result) == 0)
        put_neurons(place, &result);
    else
        place->findings->failed = true;
}
