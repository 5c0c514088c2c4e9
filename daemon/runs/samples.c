/* See samples.h. */
#include "daemon/runs/samples.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "daemon/core/clock.h"
#include "daemon/runs/layer.h"
#include "daemon/runs/results.h"
#include "daemon/runs/run.h"
#include "proto/fault.h"

static int check_shape(const struct numbered_layer *numbered, const struct wire_tensor *header,
    struct wire_fault *fault)
{
    const struct run_layer *layer = numbered->layer;
    const struct span *span = &numbered->span;
    bool weights = header->kind == WIRE_WEIGHTS;
    uint64_t rows = span->cols ? layer->rows : span->end - span->begin;
    uint64_t cols = weights && span->cols ? span->end - span->begin : layer->cols;
    char text[128];

    if (header->shape[1] != cols || (weights && header->shape[0] != rows)) {
        if (weights)
            snprintf(text, sizeof text, "[%" PRIu64 ", %" PRIu64 "], as declared", rows, cols);
        else
            snprintf(
                text, sizeof text, "[tokens, %" PRIu64 "], as the layer was declared", layer->cols);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "shape", text,
            "[%" PRIu64 ", %" PRIu64 "]", header->shape[0], header->shape[1]);
    }
    if (weights && !wire_str_equal(header->dtype, numbered->dtype)) {
        snprintf(text, sizeof text, "%s, as declared", numbered->dtype);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "dtype", text, "%.*s",
            (int)header->dtype.len, header->dtype.ptr);
    }
    return 0;
}

static bool is_known(
    const struct numbered_layer *numbered, const struct wire_tensor *header, int64_t step)
{
    return step <= numbered->last_step[header->kind] ||
           (header->kind == WIRE_WEIGHTS && gather_has(numbered->layer, step, &numbered->span));
}

int samples_begin(
    struct session *session, const struct wire_tensor *header, struct wire_fault *fault)
{
    struct numbered_layer *numbered = session_number(session, header->layer);
    int64_t step = (int64_t)header->step;
    struct run_layer *layer;
    char text[64];

    if (!numbered)
        return fault_set(fault, WIRE_CODE_LAYER_UNKNOWN, WIRE_TENSOR, "layer",
            "a layer that was declared", "%" PRIu32, header->layer);
    layer = numbered->layer;
    if (check_shape(numbered, header, fault) != 0)
        return -1;
    if (session->attempt != session->run->attempt.number)
        return INGEST_KNOWN; /* of an attempt that another rank has ended */
    run_layer_new_attempt(layer, session->attempt);
    if (header->kind == WIRE_WEIGHTS &&
        run_layer_join(layer, &numbered->span, WIRE_TENSOR, fault) != 0)
        return -1;
    if (step < numbered->last_step[header->kind] && !session->resumed) {
        snprintf(text, sizeof text, "at least %" PRId64 ", or a rewind",
            numbered->last_step[header->kind]);
        return fault_set(
            fault, WIRE_CODE_STEP_BACKWARDS, WIRE_TENSOR, "step", text, "%" PRId64, step);
    }
    if (is_known(numbered, header, step))
        return INGEST_KNOWN;
    if (layer->queue->lost_step == step && !session->lossless &&
        (header->kind == WIRE_ACTIVATIONS || layer->last_step[WIRE_WEIGHTS] >= 0)) {
        session_lose_sample(session, layer->queue, step);
        return INGEST_KNOWN;
    }
    numbered->begun_attempt = session->attempt;
    return 0;
}

static struct item *make_item(
    struct session *session, const struct run_layer *layer, const struct wire_tensor *header)
{
    struct item *item = calloc(1, sizeof *item);

    if (!item)
        return NULL;
    item->queue = layer->queue;
    item->session = session;
    item->sequence = ++session->sequence;
    item->task = (struct block_task){
        .kind = header->kind == WIRE_WEIGHTS ? BLOCK_WEIGHTS : BLOCK_ACTIVATIONS,
        .member = layer->member,
        .shape = {header->shape[0], header->shape[1]},
        .transposed = header->kind == WIRE_WEIGHTS && layer->transposed,
        .initial = header->initial,
        .step = (int64_t)header->step,
        .attempt = session->attempt,
        .ranks = run_live_ranks(session->run),
        .time = clock_wall(),
    };
    snprintf(item->task.dtype, sizeof item->task.dtype, "%.*s", (int)header->dtype.len,
        header->dtype.ptr);
    return item;
}

/* Items that are not worked on: their samples are lost. Returns how many tensors they were. */
static uint64_t lose_waiting(struct item *items)
{
    struct item *item, *next;
    uint64_t tensors = 0;

    DL_FOREACH_SAFE (items, item, next) {
        tensors += item_tensors(item);
        item_lose(item);
        item_done(item);
    }
    return tensors;
}

/* Puts an item into its queue, in the place of older samples that wait. */
static void enqueue(struct samples *samples, struct item *item)
{
    struct work_queue *queue = item->queue;
    struct item *older = NULL;

    if (!item_is_lossless(item))
        older = work_queue_supersede(queue, item->task.step);
    stats_add(&samples->registry->options->stats->dropped_superseded_total, lose_waiting(older));
    work_queue_put(queue, item);
    workers_start(&samples->workers);
}

void samples_tensor(struct samples *samples, struct session *session,
    const struct wire_tensor *header, struct tensor *tensor)
{
    struct stats *stats = samples->registry->options->stats;
    struct numbered_layer *numbered = session_number(session, header->layer);
    /* A rewind may have begun another attempt while the pieces came; the tensor does not belong to that one. */
    bool belongs = numbered->begun_attempt == session->run->attempt.number;
    struct item *item = belongs ? make_item(session, numbered->layer, header) : NULL;
    struct run_layer *layer = numbered->layer;

    if (!item) {
        tensor_free(tensor);
        session_lose_sample(session, layer->queue, (int64_t)header->step);
        stats_add(belongs ? &stats->dropped_budget_total : &stats->dropped_superseded_total, 1);
        return;
    }
    numbered->last_step[header->kind] = item->task.step;
    if (header->kind == WIRE_WEIGHTS) {
        gather_shard(&samples->gathers, numbered, item, tensor);
        return;
    }
    if (item->task.step > layer->last_step[WIRE_ACTIVATIONS])
        layer->last_step[WIRE_ACTIVATIONS] = item->task.step;
    item->task.tensor = tensor;
    DL_APPEND2(session->undone, item, earlier, later);
    if (!gather_activations(&samples->gathers, layer, item))
        enqueue(samples, item);
}

/* The sample is incomplete: what waits of it is not worth a worker's time. */
uint64_t samples_lost(
    struct samples *samples, struct session *session, const struct wire_tensor *header, bool sample)
{
    struct numbered_layer *numbered = session_number(session, header->layer);
    struct work_queue *queue = numbered ? numbered->layer->queue : NULL;
    int64_t step = (int64_t)header->step;
    uint64_t lost;

    if (!queue || !sample || session->lossless) {
        session->run->dropped++;
        return 1;
    }
    lost = session_count_loss(session, queue, step);
    queue->lost_step = step;
    lose_waiting(work_queue_withdraw(queue, step, session));
    gather_lose(&samples->gathers, queue, step);
    return lost;
}

bool samples_may_send(const struct samples *samples, const struct session *session, bool asks)
{
    if (session->lossless && samples->registry->disk_short)
        return false;
    return gather_may_send(&samples->gathers, session, asks);
}

void samples_drop_waiting(struct samples *samples, const struct run *run)
{
    gather_drop_run(&samples->gathers, run);
}

/* A task that nobody sent. */
static void put_own_task(struct work_queue *queue, enum block_task_kind kind)
{
    struct item *item = calloc(1, sizeof *item);

    if (!item)
        return;
    item->queue = queue;
    item->task.kind = kind;
    item->task.step = INT64_MAX;
    item->task.attempt = queue->run->attempt.number;
    item->task.time = clock_wall();
    work_queue_put(queue, item);
}

void samples_release_memory(struct samples *samples, const struct run *run)
{
    struct work_queue *queue;

    DL_FOREACH (run->queues, queue)
        put_own_task(queue, BLOCK_RELEASE);
    workers_trim_later(&samples->workers);
    workers_start(&samples->workers);
}

/* Closes the alignments of a running run that have waited too long for other ranks. */
static void close_waiting(const struct run *run, uint64_t reading_ms, double deadline_seconds)
{
    struct work_queue *queue;

    if (run->state != RUN_RUNNING)
        return;
    DL_FOREACH (run->queues, queue) {
        if (!queue->open)
            continue;
        if (queue->open_since_ms == 0)
            queue->open_since_ms = reading_ms;
        if ((double)(reading_ms - queue->open_since_ms) < 1000 * deadline_seconds)
            continue;
        queue->open = false;
        put_own_task(queue, BLOCK_CLOSE);
    }
}

void samples_tick(struct samples *samples, uint64_t reading_ms)
{
    const struct runs_options *options = samples->registry->options;

    stats_set(&options->stats->worker_since_ms, workers_oldest_ms(&samples->workers));
    gather_tick(&samples->gathers, reading_ms);
    for (struct run *run = samples->registry->by_id; run; run = run->by_id.next)
        close_waiting(run, reading_ms, options->sample_deadline_seconds);
    workers_start(&samples->workers);
}

static void on_gather_ready(void *ctx, struct item *item)
{
    enqueue(ctx, item);
}

static void on_gather_lost(void *ctx, struct item *item, const struct wire_fault *fault)
{
    (void)ctx;
    item_lose(item);
    if (item->session->peer)
        ingest_error_seldom(item->session->peer, fault);
}

static void on_gather_done(void *ctx, struct item *item)
{
    (void)ctx;
    item_done(item);
}

/* Without room in the store figures would be lost. Tensors wait instead, and the memory budget slows the clients down. */
static bool on_may_begin(void *ctx)
{
    const struct samples *samples = ctx;

    return store_has_room(samples->registry->options->store);
}

static void on_job_done(
    void *ctx, struct work_queue *queue, struct item *items, const struct findings *findings)
{
    struct samples *samples = ctx;
    struct item *item, *next;

    results_publish(queue, findings);
    DL_FOREACH_SAFE (items, item, next) {
        stats_add(&samples->registry->options->stats->tensors_analysed_total, item_tensors(item));
        item_done(item);
    }
    samples->memory_freed(samples->ctx);
}

void samples_init(
    struct samples *samples, struct registry *registry, void (*memory_freed)(void *ctx), void *ctx)
{
    const struct runs_options *options = registry->options;

    *samples = (struct samples){
        .registry = registry,
        .gathers = {.memory_bytes = options->memory_bytes,
            .deadline_seconds = options->shard_deadline_seconds,
            .stats = options->stats,
            .ops = {on_gather_ready, on_gather_lost, on_gather_done, samples}},
        .memory_freed = memory_freed,
        .ctx = ctx,
    };
    workers_init(&samples->workers, options->loop, &registry->line, options->workers,
        (struct workers_ops){on_may_begin, on_job_done, samples});
}

void samples_stop(struct samples *samples)
{
    workers_stop(&samples->workers);
}

void samples_free(struct samples *samples)
{
    gather_free_all(&samples->gathers);
}
