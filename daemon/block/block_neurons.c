/* The neurons of an MLP block, when all its matrices are there for the same step. */
#include <stdio.h>

#include "daemon/analysis/neurons.h"
#include "daemon/block/block_state.h"

struct matrices {
    int64_t block;
    struct strand_member *in, *out, *gate;
};

/* The matrices of the block; false: it is no MLP block. */
static bool find_matrices(struct strand *strand, struct matrices *m)
{
    *m = (struct matrices){0};
    pthread_mutex_lock(&strand->mutex);
    m->block = strand->block;
    for (size_t i = 0; i < strand->count; i++) {
        struct strand_member *member = strand->members[i];

        if (member->options.role == BLOCK_MLP_IN)
            m->in = member;
        else if (member->options.role == BLOCK_MLP_OUT)
            m->out = member;
        else if (member->options.role == BLOCK_MLP_GATE)
            m->gate = member;
    }
    pthread_mutex_unlock(&strand->mutex);
    return m->block && m->in && m->out;
}

static bool is_at(const struct strand_member *member, const struct place *place)
{
    return !member || (member->kept.shards && member->kept.step == place->step &&
                          member->kept.attempt == place->attempt);
}

static void find_counts(const struct place *place, const struct neurons_result *r)
{
    char metric[FIGURE_METRIC_MAX];

    for (int class = 0; class < NEURON_CLASS_COUNT; class ++) {
        if (!neuron_class_applies((enum neuron_class) class, r->gated))
            continue;
        snprintf(
            metric, sizeof metric, "gate.count.%s", neuron_class_name((enum neuron_class) class));
        find(place, metric, (double)r->count[class]);
    }
    find(place, "gate.undefined", (double)r->undefined);
    find(place, "gate.beyond_chance", r->beyond_chance);
}

static void find_cosines(
    const struct place *place, const char *name, const struct neuron_cosines *cosines)
{
    find_distribution(place, name, &cosines->cosine, false);
    find_bins(place, name, &cosines->bins);
}

static void find_neurons(const struct place *place, const struct neurons_result *r)
{
    find_counts(place, r);
    find_cosines(place, "gate.in_out", &r->in_out);
    if (!r->gated)
        return;
    find_cosines(place, "gate.gate_out", &r->gate_out);
    find_cosines(place, "gate.gate_in", &r->gate_in);
}

static int measure(const struct matrices *m, struct neurons_result *result)
{
    return neurons_measure(
        m->gate ? &m->gate->kept.matrix : NULL, &m->in->kept.matrix, &m->out->kept.matrix, result);
}

void neurons_take(struct strand *strand, const struct place *place)
{
    struct neurons_result result;
    struct place its = *place;
    struct matrices m;

    if (!find_matrices(strand, &m) || strand->measured_step >= place->step || !is_at(m.in, place) ||
        !is_at(m.out, place) || !is_at(m.gate, place))
        return;
    its.layer = m.block;
    strand->measured_step = place->step;
    if (measure(&m, &result) == 0)
        find_neurons(&its, &result);
    else
        place->findings->failed = true;
    snapshot_settle(strand, &m.in->kept);
    snapshot_settle(strand, &m.out->kept);
    if (m.gate)
        snapshot_settle(strand, &m.gate->kept);
}

/* Whether a member's weights are still needed for the neurons of their step. */
bool strand_waits_for(struct strand *strand, const struct strand_member *member)
{
    struct matrices m;

    return find_matrices(strand, &m) && (member == m.in || member == m.out || member == m.gate) &&
           strand->measured_step < member->kept.step;
}
