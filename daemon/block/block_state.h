/* The inside of a strand; see strand.h. */
#ifndef FORESHOCK_BLOCK_BLOCK_STATE_H
#define FORESHOCK_BLOCK_BLOCK_STATE_H

#include <pthread.h>

#include "daemon/analysis/alignment.h"
#include "daemon/analysis/matrix.h"
#include "daemon/analysis/spectrum.h"
#include "daemon/block/block.h"

/* Weights that were kept: as the previous snapshot, and until the other matrices of their MLP block are there. */
struct snapshot {
    struct shards *shards; /* NULL: none */
    enum dtype dtype;
    bool transposed;
    struct matrix_view *views; /* of the shards ... */
    struct matrix matrix;      /* ... of which this is made */
    int64_t step;
    uint32_t attempt;
    bool settled; /* charged to the kept bytes, no longer to those that wait for partners */
};

/* The w(0) of a layer. */
struct baseline {
    bool there, damaged;
    struct store_baseline row; /* row.dtype points to `dtype` */
    char dtype[16];
    const void *map; /* NULL: not mapped yet */
    struct baseline_sums sums;
};

/* The tokens of one step, until all ranks have sent theirs. */
struct gathering {
    struct alignment *alignment; /* NULL: none is open */
    int64_t step, weights_step;
    bool has_direction;
    uint32_t ranks;
    double time;
};

struct strand_member {
    struct strand_layer_options options;
    struct spectrum *spectrum; /* NULL before the first weights */
    void *tracker;             /* what it is to be restored from; NULL: nothing */
    struct baseline baseline;
    struct snapshot kept;
    struct gathering gathering;
    uint32_t attempt;     /* that the two steps below are of */
    int64_t weights_step; /* of the direction; -1: none yet */
    int64_t closed_step;  /* newest step whose alignment is published; -1: none */
    double exported_at;
};

struct strand {
    struct strand_options options;
    pthread_mutex_t
        mutex; /* guards the list of members and the block's id: the loop adds while a worker works */
    struct strand_member **members;
    size_t count;
    int64_t block;         /* id of the MLP block, 0: none */
    int64_t measured_step; /* newest step whose neurons are published; -1: none */
};

/* Where a figure is filed. */
struct place {
    struct findings *findings;
    int64_t run, layer, step;
    uint32_t attempt;
    double time;
};

/* findings.c */
void find(const struct place *place, const char *metric, double value); /* counted if undefined */
void find_if(
    const struct place *place, const char *metric, double value); /* silently absent if undefined */
void find_bins(const struct place *place, const char *metric, const struct bins *bins);
void find_distribution(const struct place *place, const char *prefix,
    const struct distribution *distribution, bool std);
void find_tracker(const struct place *place, const struct spectrum *spectrum);
void find_baseline(const struct place *place, const struct store_baseline *row);
void find_damage(const struct place *place, const char *text);

/* strand.c: the tracker of a member that has weights; made late, since runs long ended have none. 0, or -1: memory is short. */
int strand_track(struct strand *strand, struct strand_member *member);

/* strand_snapshot.c */
/* Sees its shards as one matrix; what must be copied for it is charged to `account`. 0, or -1: memory is short. */
int snapshot_view(
    struct snapshot *snapshot, const struct strand_layer_options *layer, _Atomic uint64_t *account);

/* The whole, as it would have been sent, in parts one after the other; to be freed. NULL: memory is short. */
struct store_part *snapshot_parts(const struct snapshot *snapshot, size_t *count);

/* Nobody waits for it any more: it stays as the previous snapshot if there is room for it, else it goes. */
void snapshot_settle(struct strand *strand, struct snapshot *snapshot);
void snapshot_drop(struct snapshot *snapshot);

/* strand_weights.c, strand_alignment.c, strand_neurons.c */
void weights_take(struct strand *strand, struct strand_member *member, struct strand_item *item,
    const struct place *place);
void activations_take(
    struct strand_member *member, struct strand_item *item, const struct place *place);
void alignment_close(struct strand_member *member, const struct place *place);
void neurons_take(struct strand *strand, const struct place *place);
bool strand_waits_for(struct strand *strand, const struct strand_member *member);

#endif
