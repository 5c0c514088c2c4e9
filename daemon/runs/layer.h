/* A layer of a run: what was declared of it, what has come of it in the newest attempt, and what is restored of it. Loop
 * thread only. */
#ifndef FORESHOCK_RUNS_LAYER_H
#define FORESHOCK_RUNS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "daemon/block/baseline_files.h"
#include "daemon/block/member.h"
#include "daemon/block/partition.h"
#include "daemon/runs/step_set.h"
#include "daemon/store/store.h"
#include "proto/wire.h"

struct work_queue;

struct run_layer {
    int64_t id;
    char *name, *role, *block_name; /* block_name "" for none */
    char dtype[16];
    uint64_t rows, cols;
    bool transposed;
    struct work_queue *queue;
    struct block_member *member; /* of its block, which alone may look into it */
    uint32_t attempt;            /* that the five below are of */
    int64_t last_step[2];    /* newest step (of weights: that is whole), by wire_kind; -1: none */
    int64_t incomplete_step; /* newest step of which shards were missing; -1: none */
    struct step_set whole_steps;  /* of weights, since the daemon's start */
    struct partition partition;   /* of the attempt's senders */
    struct baseline_row baseline; /* as restored, or unsaved */
    bool has_baseline;
    bool unsaved, baseline_unsaved; /* the store has yet to get these rows */
    void *tracker;                  /* as restored, until its member has it */
    size_t tracker_size;
    uint32_t tracker_attempt;
    int64_t tracker_step;
    UT_hash_handle by_name, by_id;
};

/* Without a queue yet. NULL: memory is short. */
struct run_layer *run_layer_new(const struct store_layer *row);
void run_layer_free(struct run_layer *layer);

/* Something of that attempt is here: if it is a new one, steps and shards count anew. */
void run_layer_new_attempt(struct run_layer *layer, uint32_t attempt);

/* One more sender of the newest attempt holds `span`. 0, or -1 and the fault, `about` a message of that type. */
int run_layer_join(struct run_layer *layer, const struct span *span, enum wire_type about,
    struct wire_fault *fault);

/* "rows [0, 4)" */
const char *run_layer_show_span(char text[64], const struct span *span);

#endif
