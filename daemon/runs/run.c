/* Runs, their sessions, layers and blocks as things in memory; see state.h. */
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/baselines.h"
#include "daemon/runs/state.h"

struct run *run_new(struct runs *runs, int64_t id, const char *key)
{
    struct run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->runs = runs;
    run->id = id;
    run->key = strdup(key);
    run->name = strdup(key);
    run->tags = strdup("{}");
    run->state = "running";
    run->attempt = 1;
    run->first_step = run->last_step = -1;
    run->owner = ORIGIN_UNKNOWN;
    if (!run->key || !run->name || !run->tags) {
        free(run->key);
        free(run->name);
        free(run->tags);
        free(run);
        return NULL;
    }
    HASH_ADD_KEYPTR(by_key, runs->by_key, run->key, strlen(run->key), run);
    HASH_ADD(by_id, runs->by_id, id, sizeof run->id, run);
    return run;
}

static void session_free(struct session *session)
{
    struct numbered *numbered, *next;
    struct fence *fence, *after;
    struct loss *loss, *further;

    HASH_ITER (hh, session->numbers, numbered, next) {
        HASH_DEL(session->numbers, numbered);
        free(numbered);
    }
    DL_FOREACH_SAFE (session->fences, fence, after)
        free(fence);
    HASH_ITER (hh, session->losses, loss, further) {
        HASH_DEL(session->losses, loss);
        free(loss);
    }
    backlog_free(session);
    free(session->key);
    free(session->client);
    free(session);
}

static void layer_free(struct layer *layer)
{
    free(layer->name);
    free(layer->role);
    free(layer->block_name);
    free(layer->tracker);
    partition_clear(&layer->partition);
    free(layer);
}

void run_layer_free(struct run *run, struct layer *layer)
{
    HASH_DELETE(by_name, run->layers, layer);
    layer_free(layer);
}

static void queue_free(struct work_queue *queue)
{
    struct item *item, *next;

    DL_FOREACH_SAFE (queue->items, item, next)
        item_free(item);
    block_free(queue->block);
    free(queue->name);
    free(queue);
}

void run_free(struct run *run)
{
    struct session *session, *next_session;
    struct layer *layer, *next_layer;
    struct work_queue *queue, *next_queue;
    struct scalar *scalar, *next_scalar;

    HASH_ITER (hh, run->sessions, session, next_session) {
        HASH_DEL(run->sessions, session);
        session_free(session);
    }
    HASH_CLEAR(by_name, run->named);
    DL_FOREACH_SAFE (run->queues, queue, next_queue)
        queue_free(queue);
    HASH_ITER (by_name, run->layers, layer, next_layer)
        run_layer_free(run, layer);
    HASH_ITER (hh, run->scalars, scalar, next_scalar) {
        HASH_DEL(run->scalars, scalar);
        free(scalar);
    }
    HASH_DELETE(by_key, run->runs->by_key, run);
    HASH_DELETE(by_id, run->runs->by_id, run);
    free(run->key);
    free(run->name);
    free(run->tags);
    free(run);
}

struct session *run_session(struct run *run, const char *key)
{
    struct session *session;

    HASH_FIND_STR(run->sessions, key, session);
    return session;
}

struct session *run_session_new(struct run *run, const char *key, const char *client)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    session->run = run;
    session->key = strdup(key);
    session->client = strdup(client);
    if (!session->key || !session->client) {
        session_free(session);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, run->sessions, session->key, strlen(session->key), session);
    return session;
}

struct layer *run_layer_new(struct run *run, const struct store_layer *row)
{
    struct layer *layer = calloc(1, sizeof *layer);

    if (!layer)
        return NULL;
    layer->id = row->id;
    layer->name = strdup(row->name);
    layer->role = strdup(row->role);
    layer->block_name = strdup(row->block);
    if (!layer->name || !layer->role || !layer->block_name) {
        layer_free(layer);
        return NULL;
    }
    snprintf(layer->dtype, sizeof layer->dtype, "%s", row->dtype);
    layer->rows = row->rows;
    layer->cols = row->cols;
    layer->transposed = row->transposed;
    layer->row_begin = row->row_begin;
    layer->row_end = row->row_end;
    layer->last_step[0] = layer->last_step[1] = layer->torn_step = -1;
    HASH_ADD_KEYPTR(by_name, run->layers, layer->name, strlen(layer->name), layer);
    return layer;
}

static struct work_queue *queue_new(struct run *run, const char *name)
{
    const struct runs_options *o = &run->runs->options;
    struct block_options options = {
        .weights = {.files = baselines_of(o->store),
            .stats = o->stats,
            .target_residual = o->target_residual,
            .passes_small = o->passes_small,
            .passes_large = o->passes_large},
        .kept_bytes = o->kept_bytes,
        .run = run->id,
    };
    struct work_queue *queue = calloc(1, sizeof *queue);

    if (!queue)
        return NULL;
    queue->run = run;
    queue->begun_step = queue->lost_step = -1;
    queue->name = strdup(name);
    queue->block = block_new(&options);
    if (!queue->name || !queue->block) {
        queue_free(queue);
        return NULL;
    }
    DL_APPEND(run->queues, queue);
    return queue;
}

struct work_queue *run_queue_for(struct run *run, const char *name)
{
    struct work_queue *queue = NULL;

    if (*name)
        HASH_FIND(by_name, run->named, name, strlen(name), queue);
    if (queue)
        return queue;
    queue = queue_new(run, name);
    if (queue && *name)
        HASH_ADD_KEYPTR(by_name, run->named, queue->name, strlen(queue->name), queue);
    return queue;
}

enum block_role work_queue_role(const char *role)
{
    if (strcmp(role, "mlp.in") == 0)
        return BLOCK_MLP_IN;
    if (strcmp(role, "mlp.out") == 0)
        return BLOCK_MLP_OUT;
    return strcmp(role, "mlp.gate") == 0 ? BLOCK_MLP_GATE : BLOCK_LINEAR;
}

bool work_queue_completes_mlp(const struct work_queue *queue, const char *role)
{
    enum block_role other = work_queue_role(role) == BLOCK_MLP_IN ? BLOCK_MLP_OUT : BLOCK_MLP_IN;
    bool in_or_out =
        work_queue_role(role) == BLOCK_MLP_IN || work_queue_role(role) == BLOCK_MLP_OUT;

    return *queue->name && !queue->id && in_or_out && queue->roles[other];
}

/* The item by which a layer joins the block. NULL: memory is short. */
static struct item *joining(struct work_queue *queue, struct layer *layer, enum block_role role)
{
    struct block_member_options options = {
        .id = layer->id,
        .role = role,
        .rows = layer->rows,
        .cols = layer->cols,
        .baseline = layer->has_baseline ? &layer->baseline : NULL,
        .tracker = layer->tracker,
        .tracker_size = layer->tracker_size,
        .tracker_stale = layer->tracker_attempt != queue->run->attempt ||
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

int work_queue_add_layer(struct work_queue *queue, struct layer *layer, int64_t mlp_id)
{
    enum block_role role = *queue->name ? work_queue_role(layer->role) : BLOCK_LINEAR;
    struct item *item = joining(queue, layer, role);

    if (!item)
        return -1;
    layer->queue = queue;
    if (role != BLOCK_LINEAR)
        queue->roles[role] = layer;
    if (mlp_id)
        queue->id = mlp_id;
    item->task.mlp_id = queue->id;
    DL_APPEND(queue->items, item);
    return 0;
}

void item_free(struct item *item)
{
    struct item *other, *next;

    DL_FOREACH_SAFE (item->others, other, next)
        free(other);
    block_task_clear(&item->task);
    free(item);
}

void run_tell_layers(struct run *run)
{
    const struct runs_out *out = &run->runs->options.out;

    for (struct layer *layer = run->layers; layer; layer = layer->by_name.next)
        out->layer(out->ctx, run->id, layer->id, layer->name, layer->role, layer->block_name);
    for (struct work_queue *queue = run->queues; queue; queue = queue->next)
        if (queue->id)
            out->layer(out->ctx, run->id, queue->id, queue->name, "", "");
}
