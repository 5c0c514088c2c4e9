/* What a turn of work on a block found: figures, histograms, and what is to be stored for the next start.
 *
 * Plain data that belongs to one thread at a time: a worker fills it, the loop publishes and clears it. The functions that
 * fill it never fail: when memory is short, they leave the value out and set `failed`. */
#ifndef FORESHOCK_BLOCK_FINDINGS_H
#define FORESHOCK_BLOCK_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/analysis/histogram.h"
#include "daemon/analysis/quantile.h"
#include "daemon/analysis/spectrum.h"
#include "daemon/block/baseline_files.h"
#include "daemon/core/figure.h"

/* The tracked directions of a layer, as a row: a restart continues from them. */
struct tracker_row {
    int64_t layer, step;
    uint32_t attempt;
    void *state; /* the row's */
    size_t size;
};

/* A layer whose kept w(0) cannot be used, or whose new one cannot be kept. */
struct baseline_damage {
    int64_t layer;
    char text[ERROR_MAX];
};

/* Owns its arrays. All zero: empty. */
struct findings {
    struct figure *figures;
    size_t figure_count, figure_capacity;
    struct histogram *histograms;
    size_t histogram_count, histogram_capacity;
    struct tracker_row *trackers;
    size_t tracker_count, tracker_capacity;
    struct baseline_row *baselines; /* new ones; a damaged baseline of these layers is repaired */
    size_t baseline_count, baseline_capacity;
    struct baseline_damage *damages;
    size_t damage_count, damage_capacity;
    uint64_t undefined, late;
    bool waiting; /* an alignment is open for other ranks */
    bool failed;  /* memory was short: figures are missing */
};

/* Where a figure is filed. */
struct place {
    struct findings *findings;
    int64_t run, layer, step;
    uint32_t attempt;
    double time;
};

/* An undefined value is counted and left out. */
void findings_put(const struct place *place, const char *metric, double value);

/* An undefined value is left out; that is expected and not counted. */
void findings_put_optional(const struct place *place, const char *metric, double value);

void findings_put_bins(const struct place *place, const char *metric, const struct bins *bins);

/* Mean and percentiles as `prefix`.mean, `prefix`.p05, ...; the standard deviation too if `std`. */
void findings_put_distribution(const struct place *place, const char *prefix,
    const struct distribution *distribution, bool std);

void findings_put_tracker(const struct place *place, const struct spectrum *spectrum);
void findings_put_baseline(const struct place *place, const struct baseline_row *row);
void findings_put_damage(const struct place *place, const char *text);

/* Frees what it holds; it is empty then. */
void findings_clear(struct findings *findings);

#endif
