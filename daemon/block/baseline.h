/* The w(0) of one layer: what its rotation is measured against.
 *
 * It lies in a file (baseline_files.h), which is mapped when it is first needed. A file that is missing or damaged is
 * reported once; then there is no baseline until the client declares weights to be the initialization. Belongs to the
 * block: one worker at a time. */
#ifndef FORESHOCK_BLOCK_BASELINE_H
#define FORESHOCK_BLOCK_BASELINE_H

#include <stdbool.h>

#include "daemon/analysis/matrix.h"
#include "daemon/analysis/spectrum.h"
#include "daemon/block/baseline_files.h"
#include "daemon/block/findings.h"
#include "daemon/block/snapshot.h"

struct baseline {
    bool present, damaged;
    struct baseline_row row;
    const void *map; /* NULL: not mapped yet */
    struct baseline_sums sums;
};

/* Maps it if there is one that is not mapped yet. Damage goes to the findings. */
void baseline_map(
    struct baseline *baseline, const struct baseline_files *files, const struct place *place);

/* A mapped baseline as a matrix. */
struct matrix_view baseline_view(
    const struct baseline *baseline, size_t rows, size_t cols, bool transposed);

/* The snapshot becomes the layer's w(0). If the disk has no room, a later one becomes it, unless this one was declared to be
 * the initialization (`initial`): that is damage. */
void baseline_take(struct baseline *baseline, const struct baseline_files *files,
    const struct snapshot *snapshot, bool initial, const struct place *place);

/* Gives the mapping back; the next baseline_map makes it again. */
void baseline_unmap(struct baseline *baseline, const struct baseline_files *files);

#endif
