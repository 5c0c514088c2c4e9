/* A layer as its block knows it: what is tracked of it from one sample to the next.
 *
 * It is made on the loop, joins its block through the block's queue, and belongs to the block from then on: one worker at a
 * time touches it. */
#ifndef FORESHOCK_BLOCK_MEMBER_H
#define FORESHOCK_BLOCK_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/analysis/alignment.h"
#include "daemon/analysis/spectrum.h"
#include "daemon/block/baseline.h"
#include "daemon/block/snapshot.h"

/* What the matrix is to an MLP block; LINEAR: nothing. */
enum block_role { BLOCK_LINEAR, BLOCK_MLP_IN, BLOCK_MLP_OUT, BLOCK_MLP_GATE, BLOCK_ROLES };

struct block_member_options {
    int64_t id;
    enum block_role role;
    uint64_t rows, cols;
    const struct baseline_row *baseline; /* NULL: none is kept */
    void *tracker; /* the state of a tracker_row, which becomes the member's; NULL: none */
    size_t tracker_size;
    bool tracker_stale; /* it is of an older snapshot than the last one analysed */
};

/* The tokens of one step, until all ranks have sent theirs. */
struct pooled_tokens {
    struct alignment *alignment; /* NULL: none is open */
    int64_t step, weights_step;
    bool has_direction;
    uint32_t ranks;
    double time;
};

struct block_member {
    int64_t id;
    enum block_role role;
    uint64_t rows, cols;
    struct spectrum *spectrum; /* NULL before the first weights */
    void *tracker;             /* what it is to be restored from; NULL: nothing */
    size_t tracker_size;
    bool tracker_stale;
    struct baseline baseline;
    struct snapshot kept;
    struct pooled_tokens tokens;
    uint32_t attempt;          /* that the two steps below are of */
    int64_t weights_step;      /* of the direction; -1: none yet */
    int64_t closed_step;       /* newest step whose alignment is published; -1: none */
    double exported_at;        /* when its tracker was last stored */
    struct block_member *next; /* in the block */
};

/* NULL: memory is short, and options->tracker stays the caller's. */
struct block_member *block_member_new(const struct block_member_options *options);

/* Safe on NULL. `files` may be NULL for one that has not joined a block: it has mapped nothing. */
void block_member_free(struct block_member *member, const struct baseline_files *files);

/* A sample of another attempt is here: nothing of the one before is continued but the direction and the baseline. false: it
 * is of the same. */
bool block_member_new_attempt(struct block_member *member, uint32_t attempt);

#endif
