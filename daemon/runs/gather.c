/* See gather.h. */
#include "daemon/runs/gather.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "daemon/core/limits.h"
#include "daemon/runs/run.h"
#include "daemon/runs/work_queue.h"
#include "proto/fault.h"

static uint64_t axis_size(const struct run_layer *layer, bool cols)
{
    return cols ? layer->cols : layer->rows;
}

static struct gather *gather_at(const struct run_layer *layer, int64_t step)
{
    struct gather *gather;

    DL_FOREACH (layer->queue->gathers, gather)
        if (gather->layer == layer && gather->step == step)
            return gather;
    return NULL;
}

bool gather_has(const struct run_layer *layer, int64_t step, const struct span *span)
{
    const struct gather *gather = gather_at(layer, step);

    return step == layer->last_step[WIRE_WEIGHTS] || step_set_has(&layer->whole_steps, step) ||
           (gather && shards_have(gather->shards, span->begin));
}

static struct gather *open_gather(
    struct gathers *gathers, struct run_layer *layer, int64_t step, bool cols)
{
    struct gather *gather = calloc(1, sizeof *gather);

    if (!gather || !(gather->shards = shards_new(cols))) {
        free(gather);
        return NULL;
    }
    gather->layer = layer;
    gather->step = step;
    DL_APPEND(layer->queue->gathers, gather);
    DL_APPEND2(gathers->oldest, gather, older, newer);
    return gather;
}

/* What was in it is the caller's. */
static void close_gather(struct gathers *gathers, struct gather *gather)
{
    DL_DELETE(gather->layer->queue->gathers, gather);
    DL_DELETE2(gathers->oldest, gather, older, newer);
    free(gather);
}

/* It is among the last to have been heard of. */
static void touch_gather(struct gathers *gathers, struct gather *gather)
{
    gather->touched_ms = gathers->clock_ms;
    DL_DELETE2(gathers->oldest, gather, older, newer);
    DL_APPEND2(gathers->oldest, gather, older, newer);
}

static void keep_item(struct item **list, struct item *item)
{
    DL_APPEND(*list, item);
    item->session->gathering++;
}

/* They are measured against the newest direction that there is. */
static void release_activations(struct gathers *gathers, struct item *activations)
{
    struct item *item, *next;

    DL_FOREACH_SAFE (activations, item, next) {
        DL_DELETE(activations, item);
        item->session->gathering--;
        tensor_move(item->task.tensor, &gathers->stats->ingest_bytes);
        gathers->ops.ready(gathers->ops.ctx, item);
    }
}

static struct wire_fault stale_fault(const struct item *item, const char *expected)
{
    struct wire_fault fault;

    fault_set(&fault, WIRE_CODE_STALE, WIRE_TENSOR, "step", expected, "%" PRId64, item->task.step);
    return fault;
}

/* Each sender learns what it waited for in vain, and has lost a sample. */
static void lose_shards(const struct gathers *gathers, const struct gather *gather)
{
    const struct run_layer *layer = gather->layer;
    bool cols = gather->shards->cols;
    struct span missing = shards_missing(gather->shards, axis_size(layer, cols));
    struct wire_fault fault;
    struct item *item;
    char text[192];

    snprintf(text, sizeof text, "%s [%" PRIu64 ", %" PRIu64 ") of this step in time, of layer %s",
        wire_axis_name(cols ? WIRE_COLS : WIRE_ROWS), missing.begin, missing.end, layer->name);
    DL_FOREACH (gather->items, item) {
        fault = stale_fault(item, text);
        gathers->ops.lost(gathers->ops.ctx, item, &fault);
    }
}

static void drop_gather(struct gathers *gathers, struct gather *gather, _Atomic uint64_t *counter)
{
    struct run_layer *layer = gather->layer;
    struct item *items = gather->items, *activations = gather->activations, *item, *next;

    stats_add(counter, gather->shards->count);
    if (gather->step > layer->incomplete_step)
        layer->incomplete_step = gather->step;
    lose_shards(gathers, gather);
    shards_free(gather->shards);
    close_gather(gathers, gather);
    DL_FOREACH_SAFE (items, item, next) {
        item->session->gathering--;
        gathers->ops.done(gathers->ops.ctx, item);
    }
    release_activations(gathers, activations);
}

static void drop_older(struct gathers *gathers, struct run_layer *layer, int64_t step)
{
    struct gather *gather, *next;

    DL_FOREACH_SAFE (layer->queue->gathers, gather, next)
        if (gather->layer == layer && gather->step < step)
            drop_gather(gathers, gather, &gathers->stats->dropped_shards_total);
}

/* All its shards are there: they go on as the work of their first item. */
static void finish_gather(struct gathers *gathers, struct gather *gather)
{
    struct run_layer *layer = gather->layer;
    struct item *items = gather->items, *activations = gather->activations, *whole = items, *item;

    DL_FOREACH (items, item) {
        item->session->gathering--;
        whole->task.initial |= item->task.initial;
    }
    DL_DELETE(items, whole);
    whole->others = items;
    whole->task.shards = gather->shards;
    whole->first_weights = layer->last_step[WIRE_WEIGHTS] < 0;
    shards_move(gather->shards, &gathers->stats->ingest_bytes);
    layer->last_step[WIRE_WEIGHTS] = gather->step;
    step_set_add(&layer->whole_steps, gather->step);
    close_gather(gathers, gather);
    drop_older(gathers, layer, whole->task.step);
    gathers->ops.ready(gathers->ops.ctx, whole);
    release_activations(gathers, activations);
}

/* Whether it may become the layer's w(0): no step of the attempt is whole yet, and it is the lowest that waits. */
static bool is_first(const struct gather *gather)
{
    const struct run_layer *layer = gather->layer;
    const struct gather *other;

    DL_FOREACH (layer->queue->gathers, other)
        if (other->layer == layer && other->step < gather->step)
            return false;
    return layer->last_step[WIRE_WEIGHTS] < 0;
}

static bool is_lossy(const struct gather *gather)
{
    const struct item *item;

    DL_FOREACH (gather->items, item)
        if (item->session->lossless)
            return false;
    return true;
}

/* Nothing of a lossless session, and no w(0), makes room for others: gather_may_send sees to it that it need not. */
static bool may_go(const struct gather *gather)
{
    return is_lossy(gather) && !is_first(gather);
}

/* Of the steps of a layer that wait, the newest few stay. */
static void keep_few(struct gathers *gathers, struct run_layer *layer)
{
    struct gather *gather, *oldest = NULL;
    unsigned count = 0;

    DL_FOREACH (layer->queue->gathers, gather) {
        if (gather->layer != layer)
            continue;
        count++;
        if (may_go(gather) && (!oldest || gather->step < oldest->step))
            oldest = gather;
    }
    if (oldest && count > LIMIT_SHARD_STEPS)
        drop_gather(gathers, oldest, &gathers->stats->dropped_shards_total);
}

static void drop_beyond(
    struct gathers *gathers, uint64_t bytes, bool (*is_dropped)(const struct gather *))
{
    struct stats *stats = gathers->stats;
    struct gather *gather, *newer;

    for (gather = gathers->oldest; gather && gather->newer; gather = newer) {
        newer = gather->newer;
        if (stats_get(&stats->shard_bytes) <= bytes)
            return;
        if (is_dropped(gather))
            drop_gather(gathers, gather, &stats->dropped_budget_total);
    }
}

/* Beyond the budget those go that have waited longest; what has just come alone may exceed it. Beyond twice the budget what may
 * be a w(0) goes too: its sender has not asked for the room. */
static void keep_budget(struct gathers *gathers)
{
    drop_beyond(gathers, gathers->memory_bytes, may_go);
    drop_beyond(gathers, 2 * gathers->memory_bytes, is_lossy);
}

/* It finds no gather that takes it. */
static void refuse_shard(struct gathers *gathers, struct item *item, struct tensor *tensor,
    const struct wire_fault *fault)
{
    struct stats *stats = gathers->stats;
    bool budget = fault->code == WIRE_CODE_BUDGET;

    gathers->ops.lost(gathers->ops.ctx, item, fault);
    stats_add(budget ? &stats->dropped_budget_total : &stats->dropped_shards_total, 1);
    tensor_free(tensor);
    free(item);
}

static int check_dtype(
    const struct gather *gather, const struct item *item, struct wire_fault *fault)
{
    char text[64];

    if (!gather->items || strcmp(gather->items->task.dtype, item->task.dtype) == 0)
        return 0;
    snprintf(text, sizeof text, "%s, as the other shards of this step", gather->items->task.dtype);
    return fault_set(
        fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "dtype", text, "%s", item->task.dtype);
}

/* The gather that takes it, with its tensor. NULL with a fault: both stay the caller's. */
static struct gather *put_shard(struct gathers *gathers, struct run_layer *layer,
    const struct span *span, const struct item *item, struct tensor *tensor,
    struct wire_fault *fault)
{
    int64_t step = item->task.step;
    struct gather *gather = gather_at(layer, step);

    if (!gather && (step <= layer->incomplete_step || step < layer->last_step[WIRE_WEIGHTS])) {
        *fault = stale_fault(item, "a step of which no shard was dropped, and no later one whole");
        return NULL;
    }
    if (!gather)
        gather = open_gather(gathers, layer, step, span->cols);
    if (gather && check_dtype(gather, item, fault) != 0)
        return NULL;
    if (gather && shards_put(gather->shards, span, tensor) == 0)
        return gather;
    fault_set(fault, WIRE_CODE_BUDGET, WIRE_TENSOR, "step", "memory for one more shard", "%" PRId64,
        step);
    return NULL;
}

void gather_shard(struct gathers *gathers, struct numbered_layer *numbered, struct item *item,
    struct tensor *tensor)
{
    struct run_layer *layer = numbered->layer;
    const struct span *span = &numbered->span;
    struct wire_fault fault;
    struct gather *gather;

    if (gather_has(layer, item->task.step, span)) {
        tensor_free(tensor); /* another sender of the same shard was first */
        free(item);
        return;
    }
    gather = put_shard(gathers, layer, span, item, tensor, &fault);
    if (!gather) {
        refuse_shard(gathers, item, tensor, &fault);
        return;
    }
    DL_APPEND2(item->session->undone, item, earlier, later);
    keep_item(&gather->items, item);
    touch_gather(gathers, gather);
    if (gather->shards->covered == axis_size(layer, span->cols)) {
        finish_gather(gathers, gather);
        return;
    }
    tensor_move(tensor, &gathers->stats->shard_bytes);
    keep_few(gathers, layer);
    keep_budget(gathers);
}

bool gather_activations(struct gathers *gathers, struct run_layer *layer, struct item *item)
{
    struct gather *gather, *newest = NULL;

    DL_FOREACH (layer->queue->gathers, gather)
        if (gather->layer == layer && gather->step <= item->task.step &&
            (!newest || gather->step > newest->step))
            newest = gather;
    if (!newest)
        return false;
    tensor_move(item->task.tensor, &gathers->stats->shard_bytes);
    keep_item(&newest->activations, item);
    keep_budget(gathers);
    return true;
}

/* Whether the step of the run that has waited longest waits for a shard that the session has yet to send. */
static bool awaits_session(const struct gathers *gathers, const struct session *session)
{
    const struct gather *gather = gathers->oldest;
    const struct numbered_layer *numbered;

    while (gather && gather->layer->queue->run != session->run)
        gather = gather->newer;
    if (!gather)
        return false;
    for (numbered = session->numbers; numbered; numbered = numbered->hh.next)
        if (numbered->layer == gather->layer && numbered->last_step[WIRE_WEIGHTS] < gather->step &&
            !shards_have(gather->shards, numbered->span.begin))
            return true;
    return false;
}

bool gather_may_send(const struct gathers *gathers, const struct session *session, bool asks)
{
    uint64_t bytes = stats_get(&gathers->stats->shard_bytes);

    if ((!session->lossless && !asks) || session->gathering == 0)
        return true;
    if (session->gathering < LIMIT_SHARDS_AHEAD && bytes < gathers->memory_bytes)
        return true;
    /* Sessions that send in different orders would keep each other out for ever. */
    return bytes / 2 < gathers->memory_bytes && awaits_session(gathers, session);
}

void gather_lose(struct gathers *gathers, struct work_queue *queue, int64_t step)
{
    struct gather *gather, *next;

    DL_FOREACH_SAFE (queue->gathers, gather, next)
        if (gather->step == step && may_go(gather))
            drop_gather(gathers, gather, &gathers->stats->dropped_shards_total);
}

void gather_drop_run(struct gathers *gathers, const struct run *run)
{
    struct gather *gather, *next;
    struct work_queue *queue;

    DL_FOREACH (run->queues, queue)
        DL_FOREACH_SAFE (queue->gathers, gather, next)
            drop_gather(gathers, gather, &gathers->stats->dropped_shards_total);
}

void gather_tick(struct gathers *gathers, uint64_t now_ms)
{
    double deadline_ms = 1000 * gathers->deadline_seconds;
    struct gather *oldest;

    gathers->clock_ms = now_ms;
    while ((oldest = gathers->oldest) &&
           (double)(gathers->clock_ms - oldest->touched_ms) >= deadline_ms)
        drop_gather(gathers, oldest, &gathers->stats->dropped_shards_total);
}

void gather_free_all(struct gathers *gathers)
{
    struct gather *gather, *next;
    struct item *item, *next_item;

    DL_FOREACH_SAFE2 (gathers->oldest, gather, next, newer) {
        DL_FOREACH_SAFE (gather->items, item, next_item)
            item_free(item);
        DL_FOREACH_SAFE (gather->activations, item, next_item)
            item_free(item);
        shards_free(gather->shards);
        free(gather);
    }
    gathers->oldest = NULL;
}
