/* The workers: each takes one sample of the first queue in line, runs its tasks on the queue's block, and returns the
 * findings.
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
    /* Whether a job may begin. If not, its queue stays in line until workers_start is called again. */
    bool (*may_begin)(void *ctx);
    /* A job is done. Takes the items; the findings are valid for the call. No other job of the queue begins before it returns. */
    void (*done)(
        void *ctx, struct work_queue *queue, struct item *items, const struct findings *findings);
    void *ctx;
};

/* The work of one worker. */
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
    uv_work_t trim; /* returns freed memory to the system */
    bool trim_due, trimming;
};

/* `count` is at most LIMIT_WORKERS, or cut to it. The struct must not move while jobs are in progress. */
void workers_init(struct workers *workers, uv_loop_t *loop, struct work_line *line, unsigned count,
    struct workers_ops ops);

/* Begins jobs while there are queues in line and free workers, and `may_begin` agrees. */
void workers_start(struct workers *workers);

/* Returns freed memory to the system the next time that the workers are idle. */
void workers_trim_later(struct workers *workers);

/* When the oldest job in progress began; 0: there is none. */
uint64_t workers_oldest_ms(const struct workers *workers);

/* Begins no job any more, and runs the loop until all jobs are done. */
void workers_stop(struct workers *workers);

#endif
