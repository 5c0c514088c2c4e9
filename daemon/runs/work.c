/* The workers: blocks with work wait in line, a free hand takes up one sample of the first, and what it found is published
 * when it is back on the loop. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/log.h"
#include "daemon/runs/baselines.h"
#include "daemon/runs/state.h"
#include "proto/fault.h"

struct flying_fence {
    struct runs *runs;
    struct session *session;
    uint64_t token;
    bool ok;
};

static void make_ready(struct work_queue *queue)
{
    if (queue->ready || queue->busy || queue->samples == 0)
        return;
    queue->ready = true;
    DL_APPEND2(queue->run->runs->ready, queue, ready_prev, ready_next);
}

void work_add(struct work_queue *queue, struct item *item)
{
    DL_APPEND(queue->items, item);
    queue->samples++;
    make_ready(queue);
}

/* Back on the loop: the store has committed everything before the fence. */
static void on_fence_landed(void *arg)
{
    struct flying_fence *fence = arg;
    struct session *session = fence->session;

    session->fences_flying--;
    if (fence->ok && session->peer)
        ingest_flushed(session->peer, fence->token);
    free(fence);
}

static void on_fence_committed(void *ctx, bool ok)
{
    struct flying_fence *fence = ctx;

    fence->ok = ok;
    if (mailbox_post(fence->runs->options.mailbox, on_fence_landed, fence) != 0)
        log_error("a flush is not answered: memory is short");
}

static void fly(struct session *session, uint64_t token)
{
    struct runs *runs = session->run->runs;
    struct flying_fence *fence = calloc(1, sizeof *fence);
    struct store_batch *batch = store_batch_new();

    if (!fence || !batch) {
        free(fence);
        store_batch_free(batch);
        return;
    }
    *fence = (struct flying_fence){.runs = runs, .session = session, .token = token};
    store_put_fence(batch, on_fence_committed, fence);
    session->fences_flying++;
    store_submit(runs->options.store, batch); /* refused or not, the fence lands */
}

void fences_check(struct session *session)
{
    struct fence *fence, *next;

    DL_FOREACH_SAFE (session->fences, fence, next) {
        if (session->backlog || !sessions_has_room(session))
            return; /* backlog_serve looks again */
        if (session->undone && session->undone->sequence <= fence->after)
            return;
        fly(session, fence->token);
        DL_DELETE(session->fences, fence);
        free(fence);
    }
}

static void on_work(uv_work_t *work)
{
    struct hand *hand = work->data;
    struct item *item;

    DL_FOREACH (hand->items, item)
        block_run(hand->queue->block, &item->task, &hand->findings);
}

static void tell_damage(struct run *run, const struct baseline_damage *damage)
{
    const struct runs_out *out = &run->runs->options.out;
    struct wire_fault fault;

    log_error("baseline damaged: rotation from the initialization stops", LOG_STR("run", run->key),
        LOG_STR("why", damage->text));
    out->damaged(out->ctx, run->id, damage->layer, true, run->last_step, damage->text);
    fault_set(&fault, WIRE_CODE_BASELINE_DAMAGED, WIRE_TENSOR, "layer",
        "the kept w(0) as it was written; send weights with initial", "%s", damage->text);
    for (struct session *s = run->sessions; s; s = s->hh.next)
        if (s->peer)
            ingest_error(s->peer, &fault, false);
}

static void tell_baselines(struct run *run, const struct findings *findings)
{
    const struct runs_out *out = &run->runs->options.out;

    for (size_t i = 0; i < findings->damage_count; i++)
        tell_damage(run, &findings->damages[i]);
    for (size_t i = 0; i < findings->baseline_count; i++)
        out->damaged(out->ctx, run->id, findings->baselines[i].layer, false, run->last_step, "");
}

/* The store has no room for their rows yet; without them the next start would remove the files. */
static void keep_baselines(struct run *run, const struct findings *findings)
{
    struct layer *layer;

    for (size_t i = 0; i < findings->baseline_count; i++) {
        const struct baseline_row *baseline = &findings->baselines[i];

        for (layer = run->layers; layer && layer->id != baseline->layer;)
            layer = layer->by_name.next;
        if (!layer)
            continue;
        layer->baseline = *baseline;
        layer->baseline_unsaved = true;
    }
}

static void put_tracker(struct store_batch *batch, const struct tracker_row *row)
{
    store_put_tracker(batch, &(struct store_tracker){.layer = row->layer,
                                 .attempt = row->attempt,
                                 .step = row->step,
                                 .state = row->state,
                                 .size = row->size});
}

/* What one sample found, as one batch. */
static void publish(struct work_queue *queue, const struct findings *findings, int64_t step)
{
    struct run *run = queue->run;
    struct store_batch *batch = store_batch_new();

    run->undefined += findings->undefined;
    stats_add(&run->runs->options.stats->figures_undefined_total, findings->undefined);
    stats_add(&run->runs->options.stats->activations_late_total, findings->late);
    if (step >= 0)
        samples_note_step(run, batch, step);
    for (size_t i = 0; i < findings->baseline_count; i++)
        baselines_put(batch, &findings->baselines[i]);
    for (size_t i = 0; i < findings->tracker_count; i++)
        put_tracker(batch, &findings->trackers[i]);
    for (size_t i = 0; i < findings->figure_count; i++)
        store_put_figure(batch, &findings->figures[i]);
    for (size_t i = 0; i < findings->histogram_count; i++)
        store_put_histogram(batch, &findings->histograms[i]);
    if (!rows_publish(run, batch, findings->figures, findings->figure_count))
        keep_baselines(run, findings);
    tell_baselines(run, findings);
}

/* Within the run's newest attempt; -1: all that was found is of one that has ended. */
static int64_t newest_step(const struct run *run, const struct findings *findings)
{
    int64_t step = -1;

    for (size_t i = 0; i < findings->figure_count; i++)
        if (findings->figures[i].attempt == run->attempt && findings->figures[i].step > step)
            step = findings->figures[i].step;
    return step;
}

static void finish_items(struct hand *hand)
{
    struct stats *stats = hand->runs->options.stats;
    struct item *item, *next;

    DL_FOREACH_SAFE (hand->items, item, next) {
        stats_add(&stats->tensors_analysed_total, samples_tensors(item));
        samples_done(item);
    }
    hand->items = NULL;
}

static void on_worked(uv_work_t *work, int status)
{
    struct hand *hand = work->data;
    struct runs *runs = hand->runs;
    struct work_queue *queue = hand->queue;

    (void)status; /* work is never cancelled */
    queue->busy = false;
    hand->queue = NULL;
    runs->busy--;
    if (hand->findings.failed)
        log_error("memory is short: figures are missing", LOG_STR("run", queue->run->key));
    queue->waiting = hand->findings.waiting;
    queue->waiting_since_ms = uv_now(runs->options.loop);
    publish(queue, &hand->findings, newest_step(queue->run, &hand->findings));
    findings_clear(&hand->findings);
    finish_items(hand);
    make_ready(queue);
    if (runs->ingest)
        ingest_room(runs->ingest);
    work_start(runs);
}

static void move_first(struct work_queue *queue, struct item **taken)
{
    struct item *item = queue->items;

    DL_DELETE(queue->items, item);
    DL_APPEND(*taken, item);
}

/* The items of the first sample that waits: those at the head of the queue that have its step, and the layers that join
 * before it. */
static struct item *take_sample(struct work_queue *queue)
{
    struct item *taken = NULL, *first;
    int64_t step;

    while (queue->items->task.kind == BLOCK_JOIN)
        move_first(queue, &taken);
    first = queue->items;
    step = first->task.step;
    while (
        queue->items && queue->items->task.kind != BLOCK_JOIN && queue->items->task.step == step) {
        move_first(queue, &taken);
        queue->samples--;
    }
    if (first->session && first->task.attempt == queue->attempt)
        queue->begun_step = step;
    return taken;
}

static struct hand *free_hand(struct runs *runs)
{
    for (unsigned i = 0; i < runs->options.workers; i++)
        if (!runs->hands[i].queue)
            return &runs->hands[i];
    return NULL;
}

static void take_up(struct runs *runs, struct hand *hand, struct work_queue *queue)
{
    DL_DELETE2(runs->ready, queue, ready_prev, ready_next);
    queue->ready = false;
    queue->busy = true;
    hand->runs = runs;
    hand->queue = queue;
    hand->items = take_sample(queue);
    hand->since_ms = uv_now(runs->options.loop);
    hand->work.data = hand;
    runs->busy++;
    uv_queue_work(runs->options.loop, &hand->work, on_work, on_worked);
}

static void on_trim(uv_work_t *work)
{
    (void)work;
    malloc_trim(0);
}

static void on_trimmed(uv_work_t *work, int status)
{
    struct runs *runs = work->data;

    (void)status;
    runs->trimming = false;
}

/* glibc keeps what was freed, hundreds of megabytes after a burst; a daemon that idles gives it back. */
static void trim_at_rest(struct runs *runs)
{
    if (!runs->trim_due || runs->trimming || runs->busy > 0 || runs->ready)
        return;
    runs->trim_due = false;
    runs->trimming = true;
    runs->trim.data = runs;
    uv_queue_work(runs->options.loop, &runs->trim, on_trim, on_trimmed);
}

void work_start(struct runs *runs)
{
    struct hand *hand;

    /* Without room in the store figures would be lost: tensors wait instead, and the budget tells the clients. */
    while (runs->ready && !runs->stopping && store_has_room(runs->options.store) &&
           (hand = free_hand(runs)))
        take_up(runs, hand, runs->ready);
    if (!runs->stopping)
        trim_at_rest(runs);
}

/* For /healthz: since when the oldest piece of work is in hand. */
void work_stamp(struct runs *runs)
{
    uint64_t oldest = 0;

    for (unsigned i = 0; i < runs->options.workers; i++) {
        const struct hand *hand = &runs->hands[i];

        if (hand->queue && (oldest == 0 || hand->since_ms < oldest))
            oldest = hand->since_ms ? hand->since_ms : 1;
    }
    stats_set(&runs->options.stats->worker_since_ms, oldest);
}
