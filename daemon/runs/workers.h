/* The workers: each takes one sample of the first queue in line, runs its tasks on the queue's block, and brings back what was
 * found.
 *
 * Loop thread only; the tasks are run on libuv's pool, where a worker touches nothing but the block and the items of its
 * job. */
#ifndef FORESHOCK_RUNS_WORKERS_H
#define FORESHOCK_RUNS_WORKERS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/block/findings.h"
#include "daemon/core/limits.h"
#include "daemon/runs/item.h"
#include "daemon/runs/work_queue.h"

struct workers_ops {
    /* Whether a job may begin: else its queue stays in line until workers_start is called again. */
    bool (*may_begin)(void *ctx);
    /* A job is done: takes the items, and what it wants of the findings. The queue takes no other job before this returns. */
    void (*done)(
        void *ctx, struct work_queue *queue, struct item *items, const struct findings *findings);
    void *ctx;
};

/* What one worker is at. */
struct job {
    uv_work_t work;
    struct workers *workers;
    struct work_queue *queue; /* NULL: free */
    struct item *items;
    struct findings findings;
    uint64_t since_ms; /* of the loop's clock */
};

struct workers {
    uv_loop_t *loop;
    struct work_line *line;
    struct workers_ops ops;
    struct job jobs[LIMIT_WORKERS];
    unsigned count, busy;
    bool stopping;
    uv_work_t trim;          /* gives freed memory back to the system ... */
    bool trim_due, trimming; /* ... once nothing is left to do */
};

/* `count` is cut to LIMIT_WORKERS. The struct stays where it is while anything is worked on. */
void workers_init(struct workers *workers, uv_loop_t *loop, struct work_line *line, unsigned count,
    struct workers_ops ops);

/* Begins as many jobs as there are queues in line, free workers and leave to begin. */
void workers_start(struct workers *workers);

/* The next time that nothing is left to do, freed memory goes back to the system. */
void workers_trim_later(struct workers *workers);

/* When the oldest job that is being worked on was begun; 0: none is. */
uint64_t workers_oldest_ms(const struct workers *workers);

/* Begins nothing any more, and runs the loop until what was begun is done. */
void workers_stop(struct workers *workers);

#endif
