/* The work queue of a block: layers that share a block's name, or one layer alone, and the items that wait to be worked on,
 * in order.
 *
 * At most one worker works on a queue at a time. A queue that has work and no worker waits in the line. Layers that join the
 * block are items too, ahead of their tensors; alone they are no work, and wait for the first sample. Loop thread only. */
#ifndef FORESHOCK_RUNS_WORK_QUEUE_H
#define FORESHOCK_RUNS_WORK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "daemon/block/block.h"

struct gather;
struct item;
struct run;
struct run_layer;
struct session;
struct work_queue;

/* The queues that wait for a worker, first come first served. All zero: none. */
struct work_line {
    struct work_queue *first;
};

struct work_queue {
    struct run *run;
    struct work_line *line;
    char *name; /* "" for a layer alone */
    int64_t id; /* of the MLP block's row; 0: it is none */
    struct run_layer *roles[BLOCK_ROLES];
    struct block *block; /* of whoever works on it */
    struct item *items;
    size_t waiting;         /* items, without layers that join */
    struct gather *gathers; /* gather.c: steps whose shards have not all come */
    bool unsaved;           /* the store has yet to get its row */
    bool in_line, busy;     /* waits for a worker; is with one */
    bool open;              /* an alignment waits for other ranks ... */
    uint64_t open_since_ms; /* on the reading clock; 0: since the last tick */
    uint32_t attempt;       /* that the two below are of */
    int64_t begun_step;     /* of the newest sample that a worker took up; -1: none */
    int64_t lost_step;      /* of the newest sample of which a tensor was dropped; -1: none */
    UT_hash_handle by_name;
    struct work_queue *prev, *next; /* in the run */
    struct work_queue *line_prev, *line_next;
};

/* NULL: memory is short. */
struct work_queue *work_queue_new(
    struct run *run, const char *name, const struct block_options *options, struct work_line *line);
void work_queue_free(struct work_queue *queue); /* with what waits; it is not busy. Safe on NULL */

enum block_role work_queue_role(const char *role);

/* Whether one more layer of this role makes an MLP block of it. */
bool work_queue_completes_mlp(const struct work_queue *queue, const char *role);

/* The layer joins the block by way of its queue, and the queue is the layer's. `mlp_id` is not 0: with it the block becomes an
 * MLP block of that id. `attempt`: the run's newest. 0, or -1: memory is short. */
int work_queue_add_layer(
    struct work_queue *queue, struct run_layer *layer, int64_t mlp_id, uint32_t attempt);

/* A sample of that attempt is here: if it is a new one, steps count anew. */
void work_queue_new_attempt(struct work_queue *queue, uint32_t attempt);

void work_queue_put(struct work_queue *queue, struct item *item);

/* The items of the first sample that waits, for a worker: the queue is busy until work_queue_release. */
struct item *work_queue_take(struct work_queue *queue);
void work_queue_release(struct work_queue *queue);

/* Takes what waits below `step` and may make room for it: nothing that a worker has begun, nothing of a lossless session,
 * nothing that may become a w(0). A list by item->next, the caller's; NULL: none. */
struct item *work_queue_supersede(struct work_queue *queue, int64_t step);

/* The same of the items of one step and session: their sample has lost a tensor. */
struct item *work_queue_withdraw(
    struct work_queue *queue, int64_t step, const struct session *session);

#endif
