/* The strand of a block: the tracked state of its layers, and the figures that each of their tensors makes.
 *
 * A strand is worked on by one worker at a time (the loop sees to that). It knows numbers, baselines and kept snapshots;
 * no sockets, no runs. Its layers come by strand_layer; everything else by strand_run. */
#ifndef FORESHOCK_BLOCK_BLOCK_H
#define FORESHOCK_BLOCK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/block/shards.h"
#include "daemon/core/figure.h"
#include "daemon/core/stats.h"
#include "daemon/core/tensor.h"
#include "daemon/store/store.h"
#include "proto/wire.h"

enum strand_role { BLOCK_LINEAR, BLOCK_MLP_IN, BLOCK_MLP_OUT, BLOCK_MLP_GATE, BLOCK_ROLES };

struct strand_options {
    struct store *store;
    struct stats *stats;
    uint64_t kept_bytes; /* of all strands together */
    double target_residual;
    unsigned passes_small, passes_large;
    int64_t run;
};

/* One layer, as it is known when the strand first hears of it. */
struct strand_layer_options {
    int64_t id;
    enum strand_role role;
    uint64_t rows, cols;
    bool has_baseline;
    struct store_baseline baseline; /* without its dtype, which stands beside it */
    const char *baseline_dtype;
    const void *tracker; /* what findings.trackers gave before the daemon stopped; NULL: none */
    size_t tracker_size;
    bool tracker_stale; /* it is of an older snapshot than the last one analysed */
};

enum strand_kind { BLOCK_WEIGHTS, BLOCK_ACTIVATIONS, BLOCK_CLOSE, BLOCK_REST };

/* One piece of work. CLOSE: the alignment of `step` waits no longer for other ranks. REST: nobody sends any more, give
 * memory back. */
struct strand_item {
    enum strand_kind kind;
    size_t layer;          /* place in the strand, in the order of strand_layer */
    struct shards *shards; /* of weights: whole */
    struct tensor *tensor; /* of activations */
    char dtype[16];
    uint64_t shape[2]; /* of activations */
    bool transposed, initial;
    int64_t step;
    uint32_t attempt;
    uint32_t ranks; /* that are expected to send activations of this step */
    double time;
};

struct strand_tracker {
    struct store_tracker row; /* row.state is ours */
};

/* A layer whose kept w(0) cannot be used, or whose new one cannot be kept. */
struct strand_damage {
    int64_t layer;
    char text[STORE_ERROR_MAX];
};

/* What a turn of work found. Owns its arrays. */
struct findings {
    struct figure *figures;
    size_t figure_count, figure_capacity;
    struct histogram *histograms;
    size_t histogram_count, histogram_capacity;
    struct strand_tracker *trackers;
    size_t tracker_count, tracker_capacity;
    struct store_baseline *baselines; /* new ones: what was damaged of these layers is so no more */
    size_t baseline_count, baseline_capacity;
    struct strand_damage *damages;
    size_t damage_count, damage_capacity;
    uint64_t undefined, late;
    bool waiting; /* an alignment is open for other ranks */
    bool failed;  /* memory was short: figures are missing */
};

struct strand;

struct strand *strand_new(const struct strand_options *options); /* NULL: memory is short */
int strand_layer(struct strand *strand, const struct strand_layer_options *layer);

/* The id under which the figures of the MLP block are filed; 0: it is none. */
void strand_block(struct strand *strand, int64_t id);

/* Works on one item; takes its shards and tensor. Adds to `findings`, which the caller empties with findings_clear. */
void strand_run(struct strand *strand, struct strand_item *item, struct findings *findings);

void strand_free(struct strand *strand); /* safe on NULL */
void findings_clear(struct findings *findings);

#endif
