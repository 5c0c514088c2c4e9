/* See work_queue.h. */
#include "daemon/runs/work_queue.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "daemon/runs/item.h"
#include "daemon/runs/layer.h"

struct work_queue *work_queue_new(
    struct run *run, const char *name, const struct block_options *options, struct work_line *line)
{
    struct work_queue *queue = calloc(1, sizeof *queue);

    if (!queue)
        return NULL;
    queue->run = run;
    queue->line = line;
    queue->begun_step = queue->lost_step = -1;
    queue->name = strdup(name);
    queue->block = block_new(options);
    if (!queue->name || !queue->block) {
        work_queue_free(queue);
        return NULL;
    }
    return queue;
}

static void leave_line(struct work_queue *queue)
{
    if (!queue->in_line)
        return;
    DL_DELETE2(queue->line->first, queue, line_prev, line_next);
    queue->in_line = false;
}

static void join_line(struct work_queue *queue)
{
    if (queue->in_line || queue->busy || queue->waiting == 0)
        return;
    queue->in_line = true;
    DL_APPEND2(queue->line->first, queue, line_prev, line_next);
}

void work_queue_free(struct work_queue *queue)
{
    struct item *item, *next;

    if (!queue)
        return;
    leave_line(queue);
    DL_FOREACH_SAFE (queue->items, item, next)
        item_free(item);
    block_free(queue->block);
    free(queue->name);
    free(queue);
}

enum block_role work_queue_role(const char *role)
{
    if (strcmp(role, "mlp.in") == 0)
        return BLOCK_MLP_IN;
    if (strcmp(role, "mlp.out") == 0)
        return BLOCK_MLP_OUT;
    return strcmp(role, "mlp.gate") == 0 ? BLOCK_MLP_GATE : BLOCK_LINEAR;
}

bool work_queue_completes_mlp(const struct work_queue *queue, const char *name)
{
    enum block_role role = work_queue_role(name);

    if (!*queue->name || queue->id)
        return false;
    return (role == BLOCK_MLP_IN && queue->roles[BLOCK_MLP_OUT]) ||
           (role == BLOCK_MLP_OUT && queue->roles[BLOCK_MLP_IN]);
}

/* The item by which a layer joins the block. NULL: memory is short. */
static struct item *joining(
    struct work_queue *queue, struct run_layer *layer, enum block_role role, uint32_t attempt)
{
    struct block_member_options options = {
        .id = layer->id,
        .role = role,
        .rows = layer->rows,
        .cols = layer->cols,
        .baseline = layer->has_baseline ? &layer->baseline : NULL,
        .tracker = layer->tracker,
        .tracker_size = layer->tracker_size,
        .tracker_stale = layer->tracker_attempt != attempt ||
                         layer->tracker_step != layer->last_step[WIRE_WEIGHTS],
    };
    struct item *item = calloc(1, sizeof *item);

    if (!item || !(item->task.member = block_member_new(&options))) {
        free(item);
        return NULL;
    }
    layer->tracker = NULL;
    layer->member = item->task.member;
    item->queue = queue;
    item->task.kind = BLOCK_JOIN;
    return item;
}

int work_queue_add_layer(
    struct work_queue *queue, struct run_layer *layer, int64_t mlp_id, uint32_t attempt)
{
    enum block_role role = *queue->name ? work_queue_role(layer->role) : BLOCK_LINEAR;
    struct item *item = joining(queue, layer, role, attempt);

    if (!item)
        return -1;
    layer->queue = queue;
    if (role != BLOCK_LINEAR)
        queue->roles[role] = layer;
    if (mlp_id)
        queue->id = mlp_id;
    item->task.mlp_id = queue->id;
    work_queue_put(queue, item);
    return 0;
}

void work_queue_new_attempt(struct work_queue *queue, uint32_t attempt)
{
    if (queue->attempt == attempt)
        return;
    queue->attempt = attempt;
    queue->begun_step = queue->lost_step = -1;
}

void work_queue_put(struct work_queue *queue, struct item *item)
{
    DL_APPEND(queue->items, item);
    queue->waiting += item->task.kind != BLOCK_JOIN;
    join_line(queue);
}

/* Moves one item to the end of a list. */
static void move_item(struct work_queue *queue, struct item *item, struct item **list)
{
    DL_DELETE(queue->items, item);
    DL_APPEND(*list, item);
    queue->waiting -= item->task.kind != BLOCK_JOIN;
}

/* Those at the head of the queue that have the first one's step, and the layers that join before it. */
struct item *work_queue_take(struct work_queue *queue)
{
    struct item *taken = NULL, *first;
    int64_t step;

    leave_line(queue);
    queue->busy = true;
    while (queue->items->task.kind == BLOCK_JOIN)
        move_item(queue, queue->items, &taken);
    first = queue->items;
    step = first->task.step;
    while (queue->items && queue->items->task.kind != BLOCK_JOIN && queue->items->task.step == step)
        move_item(queue, queue->items, &taken);
    if (first->session && first->task.attempt == queue->attempt)
        queue->begun_step = step;
    return taken;
}

void work_queue_release(struct work_queue *queue)
{
    queue->busy = false;
    join_line(queue);
}

/* A queue without work leaves the line. */
static void remove_item(struct work_queue *queue, struct item *item, struct item **list)
{
    move_item(queue, item, list);
    if (queue->waiting == 0)
        leave_line(queue);
}

/* Whether the sample of that step, which waits, has the first weights of a layer. */
static bool has_first(const struct work_queue *queue, int64_t step)
{
    const struct item *item;

    DL_FOREACH (queue->items, item)
        if (item->first_weights && item->task.step == step)
            return true;
    return false;
}

struct item *work_queue_supersede(struct work_queue *queue, int64_t step)
{
    struct item *superseded = NULL, *item, *next;

    DL_FOREACH_SAFE (queue->items, item, next)
        if (item->session && !item_is_lossless(item) && item->task.step < step &&
            item->task.step > queue->begun_step && !has_first(queue, item->task.step))
            remove_item(queue, item, &superseded);
    return superseded;
}

struct item *work_queue_withdraw(
    struct work_queue *queue, int64_t step, const struct session *session)
{
    struct item *withdrawn = NULL, *item, *next;

    if (step <= queue->begun_step)
        return NULL;
    DL_FOREACH_SAFE (queue->items, item, next)
        if (item->session && item->task.step == step && !item->first_weights &&
            item_is_from(item, session))
            remove_item(queue, item, &withdrawn);
    return withdrawn;
}
