/* See workers.h. */
#include "daemon/runs/workers.h"

#include <malloc.h>
#include <utlist.h>

#include "daemon/core/clock.h"

void workers_init(struct workers *workers, uv_loop_t *loop, struct work_line *line, unsigned count,
    struct workers_ops ops)
{
    *workers = (struct workers){
        .loop = loop,
        .line = line,
        .ops = ops,
        .count = count < LIMIT_WORKERS ? count : LIMIT_WORKERS,
    };
}

/* On the pool. */
static void on_job(uv_work_t *work)
{
    struct job *job = work->data;
    struct item *item;

    DL_FOREACH (job->items, item)
        block_run(job->queue->block, &item->task, &job->findings);
}

static void on_job_returned(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct workers *workers = job->workers;
    struct work_queue *queue = job->queue;

    (void)status; /* work is never cancelled */
    queue->open = job->findings.waiting;
    queue->open_since_ms = 0; /* until the next tick */
    workers->ops.done(workers->ops.ctx, queue, job->items, &job->findings);
    findings_clear(&job->findings);
    job->queue = NULL;
    workers->busy--;
    work_queue_release(queue);
    workers_start(workers);
}

static struct job *free_job(struct workers *workers)
{
    for (unsigned i = 0; i < workers->count; i++)
        if (!workers->jobs[i].queue)
            return &workers->jobs[i];
    return NULL;
}

static void begin_job(struct workers *workers, struct job *job, struct work_queue *queue)
{
    job->workers = workers;
    job->queue = queue;
    job->items = work_queue_take(queue);
    job->since_ms = clock_ms();
    job->work.data = job;
    workers->busy++;
    uv_queue_work(workers->loop, &job->work, on_job, on_job_returned);
}

static void on_trim(uv_work_t *work)
{
    (void)work;
    malloc_trim(0);
}

static void on_trimmed(uv_work_t *work, int status)
{
    struct workers *workers = work->data;

    (void)status;
    workers->trimming = false;
}

/* glibc keeps what was freed, hundreds of megabytes after a burst; a daemon that idles gives it back. */
static void trim_if_idle(struct workers *workers)
{
    if (!workers->trim_due || workers->trimming || workers->busy > 0 || workers->line->first)
        return;
    workers->trim_due = false;
    workers->trimming = true;
    workers->trim.data = workers;
    uv_queue_work(workers->loop, &workers->trim, on_trim, on_trimmed);
}

void workers_start(struct workers *workers)
{
    struct job *job;

    if (workers->stopping)
        return;
    while (workers->line->first && workers->ops.may_begin(workers->ops.ctx) &&
           (job = free_job(workers)))
        begin_job(workers, job, workers->line->first);
    trim_if_idle(workers);
}

void workers_trim_later(struct workers *workers)
{
    workers->trim_due = true;
}

uint64_t workers_oldest_ms(const struct workers *workers)
{
    uint64_t oldest = 0;

    for (unsigned i = 0; i < workers->count; i++) {
        const struct job *job = &workers->jobs[i];

        if (job->queue && (oldest == 0 || job->since_ms < oldest))
            oldest = job->since_ms ? job->since_ms : 1;
    }
    return oldest;
}

void workers_stop(struct workers *workers)
{
    workers->stopping = true;
    while (workers->busy > 0 || workers->trimming)
        uv_run(workers->loop, UV_RUN_ONCE);
}
