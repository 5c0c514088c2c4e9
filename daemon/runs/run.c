/* Runs as things in memory; see run.h. */
#include "daemon/runs/run.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "daemon/runs/baselines.h"

static const unsigned next[RUN_STATES] = {
    [RUN_NEW] = STATE_BIT(RUN_RUNNING),
    [RUN_RUNNING] = STATE_BIT(RUN_LOST) | STATE_BIT(RUN_ENDED),
    [RUN_LOST] = STATE_BIT(RUN_RUNNING) | STATE_BIT(RUN_ENDED),
    [RUN_ENDED] = STATE_BIT(RUN_RUNNING),
};

const struct state_machine run_machine = {"run", run_state_names, next, RUN_STATES};

struct run *run_new(struct registry *registry, int64_t id, const char *key)
{
    struct run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->registry = registry;
    run->id = id;
    run->key = strdup(key);
    run->name = strdup(key);
    run->tags = strdup("{}");
    run->last_step = -1;
    run->owner = ORIGIN_UNKNOWN;
    if (!run->key || !run->name || !run->tags) {
        run_free(run);
        return NULL;
    }
    return run;
}

void run_free(struct run *run)
{
    struct session *session, *next_session;
    struct run_layer *layer, *next_layer;
    struct work_queue *queue, *next_queue;

    HASH_ITER (hh, run->sessions, session, next_session) {
        HASH_DEL(run->sessions, session);
        session_free(session);
    }
    HASH_CLEAR(by_name, run->named);
    DL_FOREACH_SAFE (run->queues, queue, next_queue)
        work_queue_free(queue);
    HASH_ITER (by_name, run->layers, layer, next_layer)
        run_remove_layer(run, layer);
    run_clear_scalars(run);
    free(run->key);
    free(run->name);
    free(run->tags);
    free(run);
}

bool run_move(struct run *run, enum run_state to)
{
    struct stats *stats = run->registry->options->stats;

    if (!state_machine_check(&run_machine, run->state, to, run->key))
        return false;
    if (run->state == RUN_RUNNING)
        stats_sub(&stats->runs_running, 1);
    if (to == RUN_RUNNING)
        stats_add(&stats->runs_running, 1);
    run->state = to;
    return true;
}

struct session *run_session(struct run *run, const char *key)
{
    struct session *session;

    HASH_FIND_STR(run->sessions, key, session);
    return session;
}

bool run_has_live_session(const struct run *run)
{
    for (const struct session *s = run->sessions; s; s = s->hh.next)
        if (s->state == SESSION_LIVE)
            return true;
    return false;
}

bool run_has_lost_session(const struct run *run)
{
    for (const struct session *s = run->sessions; s; s = s->hh.next)
        if (s->state == SESSION_LOST && s->attempt == run->attempt.number)
            return true;
    return false;
}

uint32_t run_live_ranks(const struct run *run)
{
    uint32_t count = 0;

    for (const struct session *s = run->sessions; s; s = s->hh.next)
        count += s->state == SESSION_LIVE && s->attempt == run->attempt.number;
    return count;
}

struct session *run_add_session(struct run *run, const char *key, const char *client)
{
    struct session *session = session_new(run, key, client);

    if (session)
        HASH_ADD_KEYPTR(hh, run->sessions, session->key, strlen(session->key), session);
    return session;
}

struct run_layer *run_add_layer(struct run *run, const struct store_layer *row)
{
    struct run_layer *layer = run_layer_new(row);

    if (layer)
        HASH_ADD_KEYPTR(by_name, run->layers, layer->name, strlen(layer->name), layer);
    return layer;
}

void run_remove_layer(struct run *run, struct run_layer *layer)
{
    HASH_DELETE(by_name, run->layers, layer);
    run_layer_free(layer);
}

static struct work_queue *new_queue(struct run *run, const char *block)
{
    const struct runs_options *options = run->registry->options;
    struct block_options of_block = {
        .weights = {.files = baselines_of(options->store),
            .stats = options->stats,
            .target_residual = options->target_residual,
            .passes_small = options->passes_small,
            .passes_large = options->passes_large},
        .kept_bytes = options->kept_bytes,
        .run = run->id,
    };

    return work_queue_new(run, block, &of_block, &run->registry->line);
}

struct work_queue *run_queue_for(struct run *run, const char *block)
{
    struct work_queue *queue = NULL;

    if (*block)
        HASH_FIND(by_name, run->named, block, strlen(block), queue);
    if (queue)
        return queue;
    queue = new_queue(run, block);
    if (!queue)
        return NULL;
    DL_APPEND(run->queues, queue);
    if (*block)
        HASH_ADD_KEYPTR(by_name, run->named, queue->name, strlen(queue->name), queue);
    return queue;
}

void run_clear_scalars(struct run *run)
{
    struct scalar *scalar, *next_scalar;

    HASH_ITER (hh, run->scalars, scalar, next_scalar) {
        HASH_DEL(run->scalars, scalar);
        free(scalar);
    }
}

bool run_is_in_use(const struct run *run)
{
    for (const struct session *session = run->sessions; session; session = session->hh.next)
        if (session->undone || session->barriers_flying > 0)
            return true;
    for (const struct work_queue *queue = run->queues; queue; queue = queue->next)
        if (queue->busy || queue->waiting > 0)
            return true;
    return false;
}

void run_announce_layers(const struct run *run)
{
    const struct runs_out *out = &run->registry->options->out;

    for (struct run_layer *layer = run->layers; layer; layer = layer->by_name.next)
        out->layer(out->ctx, run->id, layer->id, layer->name, layer->role, layer->block_name);
    for (struct work_queue *queue = run->queues; queue; queue = queue->next)
        if (queue->id)
            out->layer(out->ctx, run->id, queue->id, queue->name, "", "");
}
