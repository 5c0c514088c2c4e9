/* Shards of weights wait for the other shards of their layer and step. A step that is whole goes on as one item; a step that
 * stays incomplete is dropped and counted.
 *
 * Waiting shards are charged to an account of their own, shard_bytes, so that they never take the room of the shards that they
 * wait for. A table of functions receives each item. Loop thread only. */
#ifndef FORESHOCK_RUNS_GATHER_H
#define FORESHOCK_RUNS_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/block/shards.h"
#include "daemon/core/stats.h"
#include "daemon/core/tensor.h"
#include "daemon/runs/item.h"
#include "daemon/runs/layer.h"
#include "proto/wire.h"

/* A step of a layer whose shards have not all come. */
struct gather {
    struct run_layer *layer;
    int64_t step;
    struct shards *shards;
    struct item *items;           /* of the shards */
    struct item *activations;     /* that wait for the direction of these weights */
    uint64_t touched_ms;          /* when the last shard came, on the clock of the gathers */
    struct gather *prev, *next;   /* in the queue of its layer */
    struct gather *older, *newer; /* in all, by touched_ms */
};

struct gather_ops {
    /* A whole step, with its shards; or activations that wait no longer. The item is the receiver's. */
    void (*ready)(void *ctx, struct item *item);
    /* The tensor of an item is lost; its sender learns why. The item stays gather's. */
    void (*lost)(void *ctx, struct item *item, const struct wire_fault *fault);
    /* An item that was among its session's undone ones is over; the receiver frees it. */
    void (*done)(void *ctx, struct item *item);
    void *ctx;
};

struct gathers {
    struct gather *oldest; /* those longest untouched first */
    uint64_t clock_ms;     /* it stands still while the loop does */
    uint64_t memory_bytes; /* of shards that wait */
    double deadline_seconds;
    struct stats *stats;
    struct gather_ops ops;
};

/* A shard has come. Takes the item and the tensor. */
void gather_shard(struct gathers *gathers, struct numbered_layer *numbered, struct item *item,
    struct tensor *tensor);

/* Whether that shard of the step has come: it waits, or the step is whole. */
bool gather_has(const struct run_layer *layer, int64_t step, const struct span *span);

/* Whether activations wait for weights of their step, or one before, that wait themselves; else they stay the caller's. */
bool gather_activations(struct gathers *gathers, struct run_layer *layer, struct item *item);

/* Whether a session whose shards wait for those of others may send more. Only a lossless session, or one that `asks`, is held
 * back. The budget is twice as large for a session that the longest waiting step still needs. */
bool gather_may_send(const struct gathers *gathers, const struct session *session, bool asks);

void gather_lose(struct gathers *gathers, struct work_queue *queue,
    int64_t step); /* a tensor of that sample is lost */
void gather_drop_run(
    struct gathers *gathers, const struct run *run); /* nobody sends the rest of what waits */

/* It is `now_ms` on the clock of ingest/reading_clock.h: what waits too long is dropped. */
void gather_tick(struct gathers *gathers, uint64_t now_ms);

void gather_free_all(struct gathers *gathers); /* nobody learns of it */

#endif
