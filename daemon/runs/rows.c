/* See rows.h. */
#include "daemon/runs/rows.h"

#include <utlist.h>

#include "daemon/core/clock.h"

static void put_run(struct store_batch *batch, struct run *run, enum run_state state)
{
    run->row_at = run->last_seen_at;
    store_put_run(batch, &(struct store_run){
                             .id = run->id,
                             .key = run->key,
                             .name = run->name,
                             .state = state,
                             .tags = run->tags,
                             .attempt = run->attempt.number,
                             .started_at = run->started_at,
                             .last_seen_at = run->last_seen_at,
                             .last_step = run->last_step,
                             .dropped = run->dropped,
                             .undefined = run->undefined,
                             .owner = run->owner,
                         });
}

void rows_put_run(struct store_batch *batch, struct run *run)
{
    put_run(batch, run, run->state);
}

void rows_put_attempt(struct store_batch *batch, const struct run *run)
{
    store_put_attempt(batch, &(struct store_attempt){
                                 .run = run->id,
                                 .number = run->attempt.number,
                                 .first_step = run->attempt.first_step,
                                 .started_at = run->attempt.started_at,
                             });
}

static void put_session(
    struct store_batch *batch, const struct session *session, enum session_state state)
{
    store_put_session(batch, &(struct store_session){
                                 .run = session->run->id,
                                 .key = session->key,
                                 .client = session->client,
                                 .attempt = session->attempt,
                                 .rank = session->rank,
                                 .world = session->world,
                                 .state = state,
                                 .dropped = session->client_dropped,
                             });
}

void rows_put_session(struct store_batch *batch, const struct session *session)
{
    put_session(batch, session, session->state);
}

void rows_put_end(struct store_batch *batch, struct run *run)
{
    put_run(batch, run, RUN_ENDED);
    for (const struct session *session = run->sessions; session; session = session->hh.next)
        put_session(batch, session, SESSION_CLOSED);
}

void rows_put_layer(struct store_batch *batch, const struct run *run, const struct run_layer *layer)
{
    store_put_layer(batch, &(struct store_layer){
                               .id = layer->id,
                               .run = run->id,
                               .name = layer->name,
                               .kind = "layer",
                               .role = layer->role,
                               .block = layer->block_name,
                               .dtype = layer->dtype,
                               .rows = layer->rows,
                               .cols = layer->cols,
                               .transposed = layer->transposed,
                           });
}

void rows_put_block(struct store_batch *batch, const struct work_queue *queue)
{
    store_put_layer(batch, &(struct store_layer){
                               .id = queue->id,
                               .run = queue->run->id,
                               .name = queue->name,
                               .kind = "block",
                               .role = "",
                               .block = "",
                               .dtype = "",
                           });
}

void rows_put_step(struct store_batch *batch, struct run *run, int64_t step)
{
    const struct runs_out *out = &run->registry->options->out;

    if (attempt_step(&run->attempt, step)) {
        rows_put_attempt(batch, run);
        out->begins(out->ctx, run->id, step);
    }
    if (step > run->last_step)
        run->last_step = step;
    run->last_seen_at = clock_wall();
    rows_put_run(batch, run);
}

static bool hand_to_evaluator(
    struct run *run, struct store_batch *batch, const struct figure *figures, size_t count)
{
    const struct runs_out *out = &run->registry->options->out;

    return out->publish(out->ctx, run->id, batch, figures, count);
}

static void put_layer_again(
    struct store_batch *batch, const struct run *run, const struct run_layer *layer)
{
    if (layer->unsaved)
        rows_put_layer(batch, run, layer);
    if (layer->baseline_unsaved)
        store_put_baseline(batch, &layer->baseline);
}

void rows_save(struct run *run)
{
    struct store_batch *batch = store_batch_new();
    struct session *session;
    struct run_layer *layer;
    struct work_queue *queue;

    rows_put_run(batch, run);
    rows_put_attempt(batch, run);
    for (session = run->sessions; session; session = session->hh.next)
        if (session->unsaved)
            rows_put_session(batch, session);
    for (layer = run->layers; layer; layer = layer->by_name.next)
        put_layer_again(batch, run, layer);
    DL_FOREACH (run->queues, queue)
        if (queue->unsaved)
            rows_put_block(batch, queue);
    if (!hand_to_evaluator(run, batch, NULL, 0))
        return;
    run->unsaved = false;
    for (session = run->sessions; session; session = session->hh.next)
        session->unsaved = false;
    for (layer = run->layers; layer; layer = layer->by_name.next)
        layer->unsaved = layer->baseline_unsaved = false;
    DL_FOREACH (run->queues, queue)
        queue->unsaved = false;
}

bool rows_publish(
    struct run *run, struct store_batch *batch, const struct figure *figures, size_t count)
{
    struct stats *stats = run->registry->options->stats;

    stats_add(&stats->figures_total, count);
    if (run->unsaved)
        rows_save(run);
    /* The store refuses what comes before the rows that it refers to; the detectors still see it. */
    if (run->unsaved) {
        store_batch_free(batch);
        batch = NULL;
    }
    if (hand_to_evaluator(run, batch, figures, count))
        return true;
    stats_add(&stats->figures_dropped_queue_total, count);
    run->unsaved = true;
    return false;
}
