/* Runs, their sessions, layers and blocks as things in memory; see state.h. */
#include <stdlib.h>
#include <string.h>

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

static void block_free(struct block *block)
{
    strand_free(block->strand);
    free(block->name);
    free(block);
}

void run_free(struct run *run)
{
    struct session *session, *next_session;
    struct layer *layer, *next_layer;
    struct block *block, *next_block;
    struct scalar *scalar, *next_scalar;

    HASH_ITER (hh, run->sessions, session, next_session) {
        HASH_DEL(run->sessions, session);
        session_free(session);
    }
    HASH_CLEAR(by_name, run->named);
    DL_FOREACH_SAFE (run->blocks, block, next_block)
        block_free(block);
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

static struct block *block_new(struct run *run, const char *name)
{
    const struct runs_options *o = &run->runs->options;
    struct strand_options options = {
        .store = o->store,
        .stats = o->stats,
        .kept_bytes = o->kept_bytes,
        .target_residual = o->target_residual,
        .passes_small = o->passes_small,
        .passes_large = o->passes_large,
        .run = run->id,
    };
    struct block *block = calloc(1, sizeof *block);

    if (!block)
        return NULL;
    block->run = run;
    block->begun_step = block->lost_step = -1;
    block->name = strdup(name);
    block->strand = strand_new(&options);
    if (!block->name || !block->strand) {
        block_free(block);
        return NULL;
    }
    DL_APPEND(run->blocks, block);
    return block;
}

struct block *run_block_for(struct run *run, const char *name)
{
    struct block *block = NULL;

    if (*name)
        HASH_FIND(by_name, run->named, name, strlen(name), block);
    if (block)
        return block;
    block = block_new(run, name);
    if (block && *name)
        HASH_ADD_KEYPTR(by_name, run->named, block->name, strlen(block->name), block);
    return block;
}

enum strand_role block_role(const char *role)
{
    if (strcmp(role, "mlp.in") == 0)
        return BLOCK_MLP_IN;
    if (strcmp(role, "mlp.out") == 0)
        return BLOCK_MLP_OUT;
    return strcmp(role, "mlp.gate") == 0 ? BLOCK_MLP_GATE : BLOCK_LINEAR;
}

bool block_is_mlp(const struct block *block)
{
    return *block->name && block->roles[BLOCK_MLP_IN] && block->roles[BLOCK_MLP_OUT];
}

int block_add(struct block *block, struct layer *layer)
{
    enum strand_role role = *block->name ? block_role(layer->role) : BLOCK_LINEAR;
    struct strand_layer_options options = {
        .id = layer->id,
        .role = role,
        .rows = layer->rows,
        .cols = layer->cols,
        .has_baseline = layer->has_baseline,
        .baseline = layer->baseline,
        .baseline_dtype = layer->baseline_dtype,
        .tracker = layer->tracker,
        .tracker_size = layer->tracker_size,
        .tracker_stale = layer->tracker_attempt != block->run->attempt ||
                         layer->tracker_step != layer->last_step[WIRE_WEIGHTS],
    };

    if (strand_layer(block->strand, &options) != 0)
        return -1;
    layer->block = block;
    layer->place = block->layers++;
    if (role != BLOCK_LINEAR)
        block->roles[role] = layer;
    free(layer->tracker);
    layer->tracker = NULL;
    return 0;
}

void item_free(struct item *item)
{
    struct item *other, *next;

    DL_FOREACH_SAFE (item->others, other, next)
        free(other);
    shards_free(item->work.shards);
    tensor_free(item->work.tensor);
    free(item);
}

void run_tell_layers(struct run *run)
{
    const struct runs_out *out = &run->runs->options.out;

    for (struct layer *layer = run->layers; layer; layer = layer->by_name.next)
        out->layer(out->ctx, run->id, layer->id, layer->name, layer->role, layer->block_name);
    for (struct block *block = run->blocks; block; block = block->next)
        if (block->id)
            out->layer(out->ctx, run->id, block->id, block->name, "", "");
}
