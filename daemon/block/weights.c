/* Spectrum, rotation and baseline of one snapshot; see weights.h. */
#include "daemon/block/weights.h"

#include <stdlib.h>

#include "daemon/analysis/rotation.h"
#include "daemon/analysis/spectrum_export.h"
#include "daemon/analysis/undefined.h"

#define TRACKER_SMALL   65536u /* a tracker up to this size is stored with every snapshot ... */
#define TRACKER_SECONDS 10.0   /* ... a larger one not more often than this */

/* The tracker is made with the first weights, since runs that ended long ago get none. 0, or -1: memory is short. */
static int make_tracker(struct block_member *member, const struct weights_options *options)
{
    struct spectrum_options spectrum = {
        .seed = (uint64_t)member->id,
        .target_residual = options->target_residual,
        .passes_small = options->passes_small,
        .passes_large = options->passes_large,
    };
    struct error why;

    if (member->spectrum)
        return 0;
    member->spectrum = spectrum_new(member->rows, member->cols, &spectrum);
    if (!member->spectrum)
        return -1;
    /* A state that cannot be read means a cold start, whose break in the sign is marked. */
    if (member->tracker)
        spectrum_import(
            member->spectrum, member->tracker, member->tracker_size, member->tracker_stale, &why);
    free(member->tracker);
    member->tracker = NULL;
    return 0;
}

/* The kept w(0) serves for this attempt if the attempt goes on after it. */
static bool needs_baseline(
    const struct block_member *member, const struct snapshot *taken, bool initial)
{
    const struct baseline *b = &member->baseline;

    if (initial)
        return true;
    if (!b->present)
        return !b->damaged;
    return b->row.attempt != taken->attempt && member->weights_step < 0 &&
           taken->step <= b->row.step;
}

static void put_spectrum(const struct place *place, const struct spectrum_result *r)
{
    findings_put(place, "spectral.sigma1", r->sigma1);
    findings_put(place, "spectral.sigma2", r->sigma2);
    findings_put(place, "spectral.gap", r->gap);
    findings_put(place, "spectral.stable_rank", r->stable_rank);
    findings_put(place, "spectral.residual", r->residual);
    findings_put(place, "spectral.residual2", r->residual2);
    findings_put(place, "spectral.passes", r->passes);
    findings_put_optional(place, "spectral.turn", r->turn);
    if (r->broke && analysis_is_defined(r->sigma1))
        findings_put(place, "spectral.break", 1);
}

static void put_rotation(const struct place *place, const struct block_member *member,
    const struct spectrum_result *r, bool against_init, bool against_kept)
{
    struct rotation rotation = rotation_of(&r->sums);

    findings_put(place, "weights.norm", rotation.norm);
    if (against_init) {
        findings_put(place, "rotation.from_init", rotation.from_init);
        findings_put(place, "weights.drift", rotation.drift);
        findings_put(place, "rotation.baseline_step", (double)member->baseline.row.step);
        findings_put_optional(place, "rotation.noise", rotation.noise);
    }
    if (against_kept) {
        findings_put(place, "rotation.step", rotation.step);
        findings_put(place, "rotation.interval", (double)(place->step - member->kept.step));
    }
}

static void export_tracker(struct block_member *member, const struct place *place)
{
    if (spectrum_export_size(member->spectrum) > TRACKER_SMALL &&
        place->time - member->exported_at < TRACKER_SECONDS)
        return;
    member->exported_at = place->time;
    findings_put_tracker(place, member->spectrum);
}

static void keep_snapshot(struct block_member *member, struct snapshot *taken, struct stats *stats)
{
    snapshot_drop(&member->kept);
    member->kept = *taken;
    *taken = (struct snapshot){.step = -1};
    /* Not among the bytes that drain by themselves: what it waits for may itself wait for room. */
    shards_move(member->kept.shards, &stats->partner_bytes);
}

/* Every figure of one snapshot. Whether it is one to go on from. */
static bool measure_snapshot(struct block_member *member, const struct snapshot *taken,
    bool initial, const struct weights_options *options, const struct place *place)
{
    bool against_kept = member->kept.shards != NULL;
    bool anew = needs_baseline(member, taken, initial);
    struct baseline *baseline = &member->baseline;
    struct spectrum_result result;
    struct matrix_view w0_view;
    struct matrix w0 = taken->matrix;

    if (!anew) {
        baseline_map(baseline, &options->files, place);
        w0_view = baseline_view(baseline, member->rows, member->cols, taken->transposed);
        w0 = matrix_of(&w0_view);
    }
    if (spectrum_update(member->spectrum, &taken->matrix, anew || baseline->map ? &w0 : NULL,
            anew ? NULL : &baseline->sums, against_kept ? &member->kept.matrix : NULL,
            &result) != 0) {
        place->findings->failed = true;
        return false;
    }
    findings_put(place, "weights.nonfinite", (double)result.nonfinite);
    if (result.nonfinite > 0)
        return false;
    if (anew)
        baseline_take(baseline, &options->files, taken, initial, place);
    stats_add(&options->stats->passes_total, result.passes);
    put_spectrum(place, &result);
    put_rotation(place, member, &result, baseline->present, against_kept);
    if (analysis_is_defined(result.sigma1)) /* a zero matrix has no direction */
        member->weights_step = taken->step;
    export_tracker(member, place);
    return true;
}

bool weights_take(struct block_member *member, struct snapshot *taken, bool initial,
    const struct weights_options *options, const struct place *place)
{
    struct stats *stats = options->stats;
    bool kept = false;

    if (snapshot_view(taken, member->rows, member->cols, &stats->ingest_bytes) != 0 ||
        make_tracker(member, options) != 0) {
        place->findings->failed = true;
    } else if (measure_snapshot(member, taken, initial, options, place)) {
        keep_snapshot(member, taken, stats);
        kept = true;
    }
    snapshot_drop(taken);
    return kept;
}
