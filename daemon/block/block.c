/* Strands: their layers, and what each kind of work does; see strand.h. */
#include "daemon/block/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/block/block_state.h"

struct strand *strand_new(const struct strand_options *options)
{
    struct strand *strand = calloc(1, sizeof *strand);

    if (!strand)
        return NULL;
    if (pthread_mutex_init(&strand->mutex, NULL) != 0) {
        free(strand);
        return NULL;
    }
    strand->options = *options;
    strand->measured_step = -1;
    return strand;
}

int strand_track(struct strand *strand, struct strand_member *member)
{
    const struct strand_layer_options *layer = &member->options;
    struct spectrum_options options = {
        .seed = (uint64_t)layer->id,
        .target_residual = strand->options.target_residual,
        .passes_small = strand->options.passes_small,
        .passes_large = strand->options.passes_large,
    };
    char why[STORE_ERROR_MAX];

    if (member->spectrum)
        return 0;
    member->spectrum = spectrum_new(layer->rows, layer->cols, &options);
    if (!member->spectrum)
        return -1;
    /* A block that cannot be read means a cold start, whose break in the sign is marked. */
    if (member->tracker)
        spectrum_import(member->spectrum, member->tracker, layer->tracker_size,
            layer->tracker_stale, why, sizeof why);
    free(member->tracker);
    member->tracker = NULL;
    return 0;
}

static void member_free(struct strand_member *member)
{
    if (!member)
        return;
    spectrum_free(member->spectrum);
    free(member->tracker);
    alignment_free(member->gathering.alignment);
    snapshot_drop(&member->kept);
    if (member->baseline.map)
        store_baseline_unmap(member->baseline.map, member->baseline.row.bytes);
    free(member);
}

static struct strand_member *member_new(const struct strand_layer_options *layer)
{
    struct strand_member *member = calloc(1, sizeof *member);

    if (!member || (layer->tracker && !(member->tracker = malloc(layer->tracker_size)))) {
        free(member);
        return NULL;
    }
    if (layer->tracker)
        memcpy(member->tracker, layer->tracker, layer->tracker_size);
    member->options = *layer;
    member->options.tracker = NULL;
    member->weights_step = member->closed_step = member->kept.step = -1;
    if (layer->has_baseline) {
        member->baseline.there = true;
        member->baseline.row = layer->baseline;
        snprintf(
            member->baseline.dtype, sizeof member->baseline.dtype, "%s", layer->baseline_dtype);
        member->baseline.row.dtype = member->baseline.dtype;
    }
    return member;
}

int strand_layer(struct strand *strand, const struct strand_layer_options *layer)
{
    struct strand_member *member = member_new(layer);
    struct strand_member **members;

    if (!member)
        return -1;
    pthread_mutex_lock(&strand->mutex);
    members = realloc(strand->members, (strand->count + 1) * sizeof *members);
    if (members) {
        strand->members = members;
        members[strand->count++] = member;
    }
    pthread_mutex_unlock(&strand->mutex);
    if (members)
        return 0;
    member_free(member);
    return -1;
}

void strand_block(struct strand *strand, int64_t id)
{
    pthread_mutex_lock(&strand->mutex);
    strand->block = id;
    pthread_mutex_unlock(&strand->mutex);
}

static struct strand_member *member_at(struct strand *strand, size_t place)
{
    struct strand_member *member;

    pthread_mutex_lock(&strand->mutex);
    member = place < strand->count ? strand->members[place] : NULL;
    pthread_mutex_unlock(&strand->mutex);
    return member;
}

/* A new attempt: nothing of the one before is continued but the direction and the baseline. */
static void turn_attempt(struct strand *strand, struct strand_member *member, uint32_t attempt)
{
    if (member->attempt == attempt)
        return;
    member->attempt = attempt;
    member->weights_step = member->closed_step = -1;
    strand->measured_step = -1;
    snapshot_drop(&member->kept);
    alignment_free(member->gathering.alignment);
    member->gathering.alignment = NULL;
}

static void rest(struct strand_member *member, const struct place *place)
{
    alignment_close(member, place);
    snapshot_drop(&member->kept);
    if (member->baseline.map)
        store_baseline_unmap(member->baseline.map, member->baseline.row.bytes);
    member->baseline.map = NULL;
}

static void for_all(struct strand *strand, const struct place *place,
    void (*f)(struct strand_member *, const struct place *))
{
    struct strand_member *member;

    for (size_t i = 0; (member = member_at(strand, i)); i++) {
        struct place its = *place;

        its.layer = member->options.id;
        its.attempt = member->attempt;
        f(member, &its);
    }
}

static bool is_waiting(struct strand *strand)
{
    struct strand_member *member;

    for (size_t i = 0; (member = member_at(strand, i)); i++)
        if (member->gathering.alignment)
            return true;
    return false;
}

void strand_run(struct strand *strand, struct strand_item *item, struct findings *findings)
{
    struct place place = {findings, strand->options.run, 0, item->step, item->attempt, item->time};
    bool is_sample = item->kind == BLOCK_WEIGHTS || item->kind == BLOCK_ACTIVATIONS;
    struct strand_member *member = is_sample ? member_at(strand, item->layer) : NULL;

    if (member) {
        place.layer = member->options.id;
        turn_attempt(strand, member, item->attempt);
    }
    if (item->kind == BLOCK_REST)
        for_all(strand, &place, rest);
    else if (item->kind == BLOCK_CLOSE)
        for_all(strand, &place, alignment_close);
    else if (item->kind == BLOCK_WEIGHTS && member)
        weights_take(strand, member, item, &place);
    else if (item->kind == BLOCK_ACTIVATIONS && member)
        activations_take(member, item, &place);
    shards_free(item->shards);
    tensor_free(item->tensor);
    item->shards = NULL;
    item->tensor = NULL;
    findings->waiting = is_waiting(strand);
}

void strand_free(struct strand *strand)
{
    if (!strand)
        return;
    for (size_t i = 0; i < strand->count; i++)
        member_free(strand->members[i]);
    free(strand->members);
    pthread_mutex_destroy(&strand->mutex);
    free(strand);
}
