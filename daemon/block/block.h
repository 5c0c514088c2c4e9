/* A block: layers that are worked on together, and the figures that each of their tensors makes.
 *
 * It works on one task at a time, in the order of its queue; whoever owns the queue sees to that, and nothing here is
 * locked. Layers join it by a task too: JOIN comes before the first tensor of a layer. A block knows numbers, baselines and
 * kept snapshots; no sockets, no runs. */
#ifndef FORESHOCK_BLOCK_BLOCK_H
#define FORESHOCK_BLOCK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/block/findings.h"
#include "daemon/block/member.h"
#include "daemon/block/shards.h"
#include "daemon/block/weights.h"
#include "daemon/core/stats.h"
#include "daemon/core/tensor.h"

struct block_options {
    struct weights_options weights;
    uint64_t kept_bytes; /* of previous snapshots, of all blocks together */
    int64_t run;
};

/* JOIN: one more layer. WEIGHTS, ACTIVATIONS: a sample of a layer that has joined. CLOSE: alignments that are open wait no
 * longer for other ranks. RELEASE: nobody sends any more, memory is given back. */
enum block_task_kind { BLOCK_JOIN, BLOCK_WEIGHTS, BLOCK_ACTIVATIONS, BLOCK_CLOSE, BLOCK_RELEASE };

struct block_task {
    enum block_task_kind kind;
    struct block_member *member; /* whom it is about; of JOIN, the task's until it was run */
    int64_t mlp_id; /* of JOIN: the id under which the MLP block's figures are filed; 0: none yet */
    struct shards *shards; /* of weights: whole */
    struct tensor *tensor; /* of activations */
    char dtype[16];
    uint64_t shape[2]; /* of activations */
    bool transposed, initial;
    int64_t step;
    uint32_t attempt;
    uint32_t ranks; /* that are expected to send activations of this step */
    double time;    /* seconds since 1970 */
};

struct block;

struct block *block_new(const struct block_options *options); /* NULL: memory is short */

/* Runs one task; takes what it holds. Adds to `findings`, which the caller publishes and clears. */
void block_run(struct block *block, struct block_task *task, struct findings *findings);

/* Frees what a task holds that was never run. */
void block_task_clear(struct block_task *task);

void block_free(struct block *block); /* with its members; safe on NULL */

#endif
