/* The bounded queue of batches between any thread and the writer. */
#ifndef FORESHOCK_STORE_QUEUE_H
#define FORESHOCK_STORE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/batch.h"

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct store_batch *head, **tail; /* what waits */
    size_t count, bytes;              /* of what waits and of what the writer has in hand */
    size_t urgent;                    /* of what waits */
    uint64_t progress_ms;             /* when it was last emptied in part, or began to fill */
    bool closing;
};

/* When the writer wants to be woken: as clock_ms(). */
struct queue_times {
    uint64_t urgent_ms; /* from here on if an urgent batch waits or the queue is half full */
    uint64_t commit_ms; /* from here on for any batch */
    uint64_t turn_ms;   /* then in any case */
};

int queue_init(struct queue *queue); /* 0, or -1 */
void queue_destroy(struct queue *queue);

/* Any thread. 0, or -1: the bound is reached, the batch is still the caller's. */
int queue_put(struct queue *queue, struct store_batch *batch);
bool queue_has_room(struct queue *queue);       /* beside the reserve */
uint64_t queue_stalled_ms(struct queue *queue); /* since its last progress; 0: it is empty */
void queue_close(struct queue *queue);          /* wakes the writer for the last time */

/* The writer alone. */
/* Waits for the times above; true: there is something to commit now. `closing` tells whether
 * queue_close was called. */
bool queue_wait(struct queue *queue, const struct queue_times *times, bool *closing);
/* What waits, linked by `next`, oldest first, up to the batch that brings it to `bytes`; `more`:
 * some is left. What is taken goes on counting until queue_done. */
struct store_batch *queue_take(struct queue *queue, size_t bytes, bool *more);
/* Puts batches that were taken back before all others. */
void queue_return(struct queue *queue, struct store_batch *batches);
void queue_done(struct queue *queue, size_t count, size_t bytes);

#endif
