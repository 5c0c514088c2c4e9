/* See restore.h. */
#include "daemon/runs/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/run.h"

struct restore {
    struct registry *registry;
    struct run_layer *layers; /* of all runs, by id */
    bool failed;
};

static bool may_go_on(const struct run *run)
{
    return run->state != RUN_ENDED;
}

static struct run *run_of(struct restore *restore, int64_t id)
{
    return registry_find(restore->registry, id);
}

static struct run_layer *layer_of(struct restore *restore, int64_t id)
{
    struct run_layer *layer;

    HASH_FIND(by_id, restore->layers, &id, sizeof id, layer);
    return layer;
}

static void on_run(void *ctx, const struct store_run *row)
{
    struct restore *restore = ctx;
    struct run *run = registry_add(restore->registry, row->id, row->key);
    char *name = strdup(row->name), *tags = strdup(row->tags);

    if (!run || !name || !tags) {
        free(name);
        free(tags);
        restore->failed = true;
        return;
    }
    free(run->name);
    free(run->tags);
    run->name = name;
    run->tags = tags;
    run->state = row->state;
    run->attempt = attempt_restored(row->attempt, -1, 0);
    run->started_at = row->started_at;
    run->last_seen_at = run->row_at = row->last_seen_at;
    run->last_step = row->last_step;
    run->dropped = row->dropped;
    run->undefined = row->undefined;
    run->owner = row->owner;
}

static void on_attempt(void *ctx, const struct store_attempt *row)
{
    struct run *run = run_of(ctx, row->run);

    if (!run || row->number != run->attempt.number)
        return;
    run->attempt = attempt_restored(row->number, row->first_step, row->started_at);
}

static void on_session(void *ctx, const struct store_session *row)
{
    struct restore *restore = ctx;
    struct run *run = run_of(restore, row->run);
    struct session *session = run ? run_add_session(run, row->key, row->client) : NULL;

    if (!session) {
        restore->failed = true;
        return;
    }
    session->attempt = row->attempt;
    session->rank = row->rank;
    session->world = row->world;
    session->state = row->state;
    session->client_dropped = row->dropped;
    session->resumed = true;
}

static void on_layer(void *ctx, const struct store_layer *row)
{
    struct restore *restore = ctx;
    struct run *run = run_of(restore, row->run);
    struct work_queue *queue;
    struct run_layer *layer;

    if (run && strcmp(row->kind, "block") == 0) {
        queue = run_queue_for(run, row->name);
        if (queue)
            queue->id = row->id;
        restore->failed |= !queue;
        return;
    }
    layer = run ? run_add_layer(run, row) : NULL;
    if (!layer) {
        restore->failed = true;
        return;
    }
    HASH_ADD(by_id, restore->layers, id, sizeof layer->id, layer);
}

static void on_baseline(void *ctx, const struct baseline_row *row)
{
    struct run_layer *layer = layer_of(ctx, row->layer);

    if (!layer)
        return;
    layer->has_baseline = true;
    layer->baseline = *row;
}

static void on_tracker(void *ctx, const struct store_tracker *row)
{
    struct run_layer *layer = layer_of(ctx, row->layer);

    if (!layer || !(layer->tracker = malloc(row->size)))
        return; /* a cold start: the break in the sign is marked */
    memcpy(layer->tracker, row->state, row->size);
    layer->tracker_size = row->size;
    layer->tracker_attempt = row->attempt;
    layer->tracker_step = row->step;
}

static void put_into_blocks(struct restore *restore, struct run *run)
{
    for (struct run_layer *layer = run->layers; layer; layer = layer->by_name.next) {
        struct work_queue *queue = run_queue_for(run, layer->block_name);

        if (!may_go_on(run)) {
            /* Its next attempt starts cold: trackers of runs long ended are not worth their memory. */
            free(layer->tracker);
            layer->tracker = NULL;
        }
        layer->attempt = run->attempt.number;
        if (!queue || work_queue_add_layer(queue, layer, 0, run->attempt.number) != 0)
            restore->failed = true;
    }
}

/* The newest steps that are stored. A client that comes back may send again what is stored already. */
static void on_stored(void *ctx, const struct figure *figure)
{
    struct run_layer *layer = layer_of(ctx, figure->layer);
    int kind = figure->metric[0] == 'w' ? WIRE_WEIGHTS : WIRE_ACTIVATIONS;

    if (layer && figure->step > layer->last_step[kind])
        layer->last_step[kind] = figure->step;
}

static void announce_run(const struct run *run)
{
    const struct runs_out *out = &run->registry->options->out;

    out->attempt(out->ctx, run->id, run->key, run->attempt.number);
    run_announce_layers(run);
    if (run->attempt.state == ATTEMPT_STEPPED)
        out->begins(out->ctx, run->id, run->attempt.first_step);
}

int restore_runs(struct registry *registry, struct error *error)
{
    /* These two are published for every sample, even if all other figures are undefined. */
    static const char *const always[] = {"weights.nonfinite", "activation.nonfinite", NULL};
    struct restore restore = {.registry = registry};
    const struct store_catalog catalog = {
        .run = on_run,
        .attempt = on_attempt,
        .session = on_session,
        .layer = on_layer,
        .baseline = on_baseline,
        .tracker = on_tracker,
        .ctx = &restore,
    };
    struct run *run, *next;
    int rc = store_catalog(registry->options->store, &catalog, error);

    HASH_ITER (by_id, registry->by_id, run, next) {
        if (rc == 0 && may_go_on(run))
            rc = store_replay(registry->options->store, run->id, run->attempt.number, always,
                on_stored, &restore, error);
        put_into_blocks(&restore, run);
        if (may_go_on(run))
            announce_run(run);
    }
    HASH_CLEAR(by_id, restore.layers);
    if (rc == 0 && restore.failed) {
        error_set(error, "memory is short for the runs that the database holds");
        rc = -1;
    }
    return rc;
}
