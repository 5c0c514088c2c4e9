/* Taking, mapping and losing a w(0); see baseline.h. */
#include "daemon/block/baseline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/log.h"

static void mark_damaged(struct baseline *baseline, const struct place *place, const char *why)
{
    baseline->present = false;
    baseline->damaged = true;
    findings_put_damage(place, why);
}

void baseline_map(
    struct baseline *baseline, const struct baseline_files *files, const struct place *place)
{
    struct error error;

    if (!baseline->present || baseline->map)
        return;
    baseline->map = files->map(files->ctx, &baseline->row, &error);
    if (!baseline->map)
        mark_damaged(baseline, place, error.text);
}

struct matrix_view baseline_view(
    const struct baseline *baseline, size_t rows, size_t cols, bool transposed)
{
    enum dtype dtype = DTYPE_F32;

    dtype_parse(baseline->row.dtype, &dtype); /* the decoder lets no other name pass */
    return transposed ? matrix_view_transposed(baseline->map, dtype, rows, cols)
                      : matrix_view_rows(baseline->map, dtype, rows, cols);
}

static int write_snapshot(const struct baseline_files *files, const struct snapshot *snapshot,
    struct baseline_row *row, struct error *error)
{
    size_t count;
    struct baseline_part *parts = snapshot_parts(snapshot, &count);
    int rc = -1;

    if (parts)
        rc = files->write(files->ctx, row, parts, count, error);
    else
        error_set(error, "memory is short");
    free(parts);
    return rc;
}

void baseline_take(struct baseline *baseline, const struct baseline_files *files,
    const struct snapshot *snapshot, bool initial, const struct place *place)
{
    static struct log_limit limit = LOG_LIMIT(1);
    struct baseline_row row = {
        .layer = place->layer,
        .step = snapshot->step,
        .attempt = snapshot->attempt,
        .bytes = shards_bytes(snapshot->shards),
    };
    struct error error;
    int rc;

    snprintf(row.dtype, sizeof row.dtype, "%s", dtype_name(snapshot->dtype));
    rc = write_snapshot(files, snapshot, &row, &error);
    if (rc == BASELINE_NO_ROOM && !initial) {
        log_limited(&limit, LOG_LEVEL_WARNING, "rotation will be measured from a later step",
            LOG_INT("step", snapshot->step), LOG_STR("why", error.text));
        return;
    }
    if (rc != 0) {
        mark_damaged(baseline, place, error.text);
        return;
    }
    baseline_unmap(baseline, files);
    baseline->sums.known = false;
    baseline->damaged = false;
    baseline->present = true;
    baseline->row = row;
    findings_put_baseline(place, &row);
}

void baseline_unmap(struct baseline *baseline, const struct baseline_files *files)
{
    if (baseline->map)
        files->unmap(baseline->map, baseline->row.bytes);
    baseline->map = NULL;
}
