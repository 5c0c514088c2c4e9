/* A snapshot of weights: spectrum, rotation, the baseline they are measured against, and what is kept of them. */
#include <stdio.h>
#include <string.h>

#include "daemon/analysis/figure.h"
#include "daemon/analysis/rotation.h"
#include "daemon/runs/strand_state.h"

#define TRACKER_SMALL   65536u /* a tracker up to this size is stored with every snapshot ... */
#define TRACKER_SECONDS 10.0   /* ... a larger one not more often than this */

void snapshot_drop(struct snapshot *snapshot)
{
    tensor_free(snapshot->tensor);
    snapshot->tensor = NULL;
    snapshot->step = -1;
}

/* Nobody waits for it any more: it stays as the previous snapshot if there is room for it, else it goes. */
void snapshot_settle(struct strand *strand, struct snapshot *snapshot)
{
    _Atomic uint64_t *kept = &strand->options.stats->kept_bytes;

    if (!snapshot->tensor || snapshot->settled)
        return;
    if (stats_get(kept) + tensor_bytes(snapshot->tensor) > strand->options.kept_bytes) {
        snapshot_drop(snapshot);
        return;
    }
    tensor_move(snapshot->tensor, kept);
    snapshot->settled = true;
}

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

static struct matrix_view view_of(
    const void *data, const char *dtype_text, const struct strand_member *member, bool transposed)
{
    enum dtype dtype = DTYPE_F32;

    dtype_parse(dtype_text, &dtype); /* the decoder lets no other name pass */
    return transposed
               ? matrix_view_transposed(data, dtype, member->options.rows, member->options.cols)
               : matrix_view_rows(data, dtype, member->options.rows, member->options.cols);
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

static void take_baseline(struct strand *strand, struct strand_member *member,
    const struct strand_item *item, const struct place *place)
{
    struct baseline *b = &member->baseline;
    char why[STORE_ERROR_MAX];
    struct store_baseline row = {
        .layer = member->options.id,
        .step = item->step,
        .attempt = item->attempt,
        .bytes = tensor_bytes(item->tensor),
        .dtype = b->dtype,
    };

    if (store_baseline_write(strand->options.store, &row, tensor_data(item->tensor), why) != 0) {
        damage(member, place, why);
        return;
    }
    if (b->map)
        store_baseline_unmap(b->map, b->row.bytes);
    b->map = NULL;
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

static void keep(struct strand *strand, struct strand_member *member, struct strand_item *item,
    const struct matrix_view *view)
{
    snapshot_drop(&member->kept);
    member->kept = (struct snapshot){
        .tensor = item->tensor, .view = *view, .step = item->step, .attempt = item->attempt};
    item->tensor = NULL;
    /* Not among the bytes that drain by themselves: what it waits for may itself wait for room. */
    tensor_move(member->kept.tensor, &strand->options.stats->partner_bytes);
    pthread_mutex_lock(&strand->mutex);
    settle_older(strand, item->step);
    pthread_mutex_unlock(&strand->mutex);
}

void weights_take(struct strand *strand, struct strand_member *member, struct strand_item *item,
    const struct place *place)
{
    const void *data = tensor_data(item->tensor);
    bool against_kept = member->kept.tensor != NULL, anew = needs_baseline(member, item);
    struct spectrum_result result;
    struct matrix_view w, w0;

    if (!data || strand_track(strand, member) != 0) {
        place->findings->failed = true;
        return;
    }
    w = view_of(data, item->dtype, member, item->transposed);
    if (!anew)
        map_baseline(strand, member, place);
    if (member->baseline.map && !anew)
        w0 = view_of(member->baseline.map, member->baseline.dtype, member, item->transposed);
    if (spectrum_update(member->spectrum, &w,
            anew                   ? &w
            : member->baseline.map ? &w0
                                   : NULL,
            against_kept ? &member->kept.view : NULL, &result) != 0) {
        place->findings->failed = true;
        return;
    }
    find(place, "weights.nonfinite", (double)result.nonfinite);
    if (result.nonfinite > 0)
        return;
    if (anew)
        take_baseline(strand, member, item, place);
    stats_add(&strand->options.stats->passes_total, result.passes);
    find_spectrum(place, &result);
    find_rotation(place, member, &result, member->baseline.there, against_kept);
    if (figure_defined(result.sigma1)) /* a zero matrix has no direction */
        member->weights_step = item->step;
    export_tracker(member, place);
    keep(strand, member, item, &w);
    neurons_take(strand, place);
    if (!strand_waits_for(strand, member))
        snapshot_settle(strand, &member->kept);
}
