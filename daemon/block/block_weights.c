/* A snapshot of weights: spectrum, rotation, the baseline they are measured against, and what is kept of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/analysis/figure.h"
#include "daemon/analysis/rotation.h"
#include "daemon/block/block_state.h"
#include "daemon/core/log.h"

#define TRACKER_SMALL   65536u /* a tracker up to this size is stored with every snapshot ... */
#define TRACKER_SECONDS 10.0   /* ... a larger one not more often than this */

/* The kept w(0) serves for this attempt if the attempt goes on after it. */
static bool needs_baseline(const struct strand_member *member, const struct strand_item *item)
{
    const struct baseline *b = &member->baseline;

    if (item->initial)
        return true;
    if (!b->there)
        return !b->damaged;
    return b->row.attempt != item->attempt && member->weights_step < 0 && item->step <= b->row.step;
}

static enum dtype dtype_of(const char *name)
{
    enum dtype dtype = DTYPE_F32;

    dtype_parse(name, &dtype); /* the decoder lets no other name pass */
    return dtype;
}

static struct matrix_view view_baseline(const struct strand_member *member, bool transposed)
{
    const struct baseline *b = &member->baseline;
    enum dtype dtype = dtype_of(b->dtype);
    size_t rows = member->options.rows, cols = member->options.cols;

    return transposed ? matrix_view_transposed(b->map, dtype, rows, cols)
                      : matrix_view_rows(b->map, dtype, rows, cols);
}

/* There is none until the client declares weights to be the initialization. */
static void damage(struct strand_member *member, const struct place *place, const char *why)
{
    member->baseline.there = false;
    member->baseline.damaged = true;
    find_damage(place, why);
}

static void map_baseline(
    struct strand *strand, struct strand_member *member, const struct place *place)
{
    struct baseline *b = &member->baseline;
    char why[STORE_ERROR_MAX];

    if (!b->there || b->map)
        return;
    b->map = store_baseline_map(strand->options.store, &b->row, why);
    if (!b->map)
        damage(member, place, why);
}

static int write_baseline(
    struct strand *strand, const struct snapshot *taken, struct store_baseline *row, char *why)
{
    size_t count;
    struct store_part *parts = snapshot_parts(taken, &count);
    int rc = -1;

    if (parts)
        rc = store_baseline_write(strand->options.store, row, parts, count, why);
    else
        snprintf(why, STORE_ERROR_MAX, "memory is short");
    free(parts);
    return rc;
}

static void take_baseline(struct strand *strand, struct strand_member *member,
    const struct strand_item *item, const struct snapshot *taken, const struct place *place)
{
    static struct log_limit limit = LOG_LIMIT(1);
    struct baseline *b = &member->baseline;
    char why[STORE_ERROR_MAX];
    int rc;
    struct store_baseline row = {
        .layer = member->options.id,
        .step = item->step,
        .attempt = item->attempt,
        .bytes = shards_bytes(taken->shards),
        .dtype = b->dtype,
    };

    rc = write_baseline(strand, taken, &row, why);
    if (rc == STORE_NO_ROOM && !item->initial) {
        log_limited(&limit, LOG_LEVEL_WARNING, "rotation will be measured from a later step",
            LOG_INT("step", item->step), LOG_STR("why", why));
        return; /* the next snapshot becomes the baseline, if the disk has room then */
    }
    if (rc != 0) {
        damage(member, place, why);
        return;
    }
    if (b->map)
        store_baseline_unmap(b->map, b->row.bytes);
    b->map = NULL;
    b->sums.known = false;
    b->damaged = false;
    b->there = true;
    memcpy(b->dtype, item->dtype, sizeof b->dtype);
    b->row = row;
    find_baseline(place, &b->row);
}

static void find_spectrum(const struct place *place, const struct spectrum_result *r)
{
    find(place, "spectral.sigma1", r->sigma1);
    find(place, "spectral.sigma2", r->sigma2);
    find(place, "spectral.gap", r->gap);
    find(place, "spectral.stable_rank", r->stable_rank);
    find(place, "spectral.residual", r->residual);
    find(place, "spectral.residual2", r->residual2);
    find(place, "spectral.passes", r->passes);
    find_if(place, "spectral.turn", r->turn);
    if (r->broke && figure_defined(r->sigma1))
        find(place, "spectral.break", 1);
}

static void find_rotation(const struct place *place, const struct strand_member *member,
    const struct spectrum_result *r, bool against_init, bool against_kept)
{
    struct rotation rotation = rotation_of(&r->sums);

    find(place, "weights.norm", rotation.norm);
    if (against_init) {
        find(place, "rotation.from_init", rotation.from_init);
        find(place, "weights.drift", rotation.drift);
        find(place, "rotation.baseline_step", (double)member->baseline.row.step);
        find_if(place, "rotation.noise", rotation.noise);
    }
    if (against_kept) {
        find(place, "rotation.step", rotation.step);
        find(place, "rotation.interval", (double)(place->step - member->kept.step));
    }
}

static void export_tracker(struct strand_member *member, const struct place *place)
{
    if (spectrum_export_size(member->spectrum) > TRACKER_SMALL &&
        place->time - member->exported_at < TRACKER_SECONDS)
        return;
    member->exported_at = place->time;
    find_tracker(place, member->spectrum);
}

/* Other matrices of the block that are of an earlier step will not meet their like any more. */
static void settle_older(struct strand *strand, int64_t step)
{
    for (size_t i = 0; i < strand->count; i++)
        if (strand->members[i]->kept.step < step)
            snapshot_settle(strand, &strand->members[i]->kept);
}

static void keep(struct strand *strand, struct strand_member *member, struct snapshot *taken)
{
    snapshot_drop(&member->kept);
    member->kept = *taken;
    *taken = (struct snapshot){.step = -1};
    /* Not among the bytes that drain by themselves: what it waits for may itself wait for room. */
    shards_move(member->kept.shards, &strand->options.stats->partner_bytes);
    pthread_mutex_lock(&strand->mutex);
    settle_older(strand, member->kept.step);
    pthread_mutex_unlock(&strand->mutex);
}

/* Every figure of one snapshot. Whether it is one to go on from. */
static bool measure(struct strand *strand, struct strand_member *member,
    const struct strand_item *item, const struct snapshot *taken, const struct place *place)
{
    bool against_kept = member->kept.shards != NULL, anew = needs_baseline(member, item);
    struct spectrum_result result;
    struct matrix_view w0_view;
    struct matrix w0 = taken->matrix;

    if (!anew) {
        map_baseline(strand, member, place);
        w0_view = view_baseline(member, item->transposed);
        w0 = matrix_of(&w0_view);
    }
    if (spectrum_update(member->spectrum, &taken->matrix, anew || member->baseline.map ? &w0 : NULL,
            anew ? NULL : &member->baseline.sums, against_kept ? &member->kept.matrix : NULL,
            &result) != 0) {
        place->findings->failed = true;
        return false;
    }
    find(place, "weights.nonfinite", (double)result.nonfinite);
    if (result.nonfinite > 0)
        return false;
    if (anew)
        take_baseline(strand, member, item, taken, place);
    stats_add(&strand->options.stats->passes_total, result.passes);
    find_spectrum(place, &result);
    find_rotation(place, member, &result, member->baseline.there, against_kept);
    if (figure_defined(result.sigma1)) /* a zero matrix has no direction */
        member->weights_step = item->step;
    export_tracker(member, place);
    return true;
}

void weights_take(struct strand *strand, struct strand_member *member, struct strand_item *item,
    const struct place *place)
{
    struct snapshot taken = {
        .shards = item->shards,
        .dtype = dtype_of(item->dtype),
        .transposed = item->transposed,
        .step = item->step,
        .attempt = item->attempt,
    };

    item->shards = NULL;
    if (snapshot_view(&taken, &member->options, &strand->options.stats->ingest_bytes) != 0 ||
        strand_track(strand, member) != 0) {
        place->findings->failed = true;
    } else if (measure(strand, member, item, &taken, place)) {
        keep(strand, member, &taken);
        neurons_take(strand, place);
        if (!strand_waits_for(strand, member))
            snapshot_settle(strand, &member->kept);
    }
    snapshot_drop(&taken);
}
