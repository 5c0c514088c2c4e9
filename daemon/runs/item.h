/* An item of work: one tensor on its way to the worker, a layer that joins its block, or a task of the daemon's own.
 *
 * The shards of one matrix go as one item: the task of the first is theirs together, and the others hang on it. Loop thread
 * only; a worker sees nothing but the task. */
#ifndef FORESHOCK_RUNS_ITEM_H
#define FORESHOCK_RUNS_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/block/block.h"
#include "daemon/runs/session.h"

struct item {
    struct block_task task;
    struct work_queue *queue;
    struct session *session; /* NULL: nobody sent it */
    struct item *others;     /* whose shards are in task.shards too */
    uint64_t sequence;       /* within the session */
    /* The first whole weights of its layer in the attempt: no newer ones replace a w(0). */
    bool first_weights;
    struct item *prev, *next;     /* in its gather, the queue, a worker's job, or `others` */
    struct item *earlier, *later; /* in the session's list of what is not yet done */
};

/* Of an item and its others: */
uint64_t item_tensors(const struct item *item); /* how many tensors a client sent */
bool item_is_lossless(const struct item *item); /* whether one of their sessions is */
bool item_is_from(const struct item *item, const struct session *session);
void item_lose(struct item *item); /* each of their sessions has lost a sample */
void item_done(struct item *item); /* frees them, and lets flushes of their sessions go on */
void item_free(struct item *item); /* frees them alone: their sessions are freed too */

#endif
