/* Runs as a whole: made, wired to the ingest, stopped; see runs.h. */
#include "daemon/runs/runs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/runs/state.h"

double runs_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Rows that the store had no room for: without that of a layer its figures would never be seen. */
static void save(struct runs *runs)
{
    for (struct run *run = runs->by_id; run; run = run->by_id.next)
        if (run->unsaved && store_has_room(runs->options.store))
            rows_save(run);
}

static void on_tick(uv_timer_t *timer)
{
    struct runs *runs = timer->data;
    uint64_t now = uv_now(timer->loop), passed = now - runs->tick_at_ms;

    runs->tick_at_ms = now;
    runs->clock_ms += passed > LIMIT_STALL_MS ? LIMIT_TICK_MS : passed;
    work_stamp(runs);
    sessions_watch_disk(runs);
    gather_expire(runs);
    samples_close_waiting(runs);
    save(runs);
    backlog_serve(runs);
    work_start(runs); /* the store may have room again */
}

struct runs *runs_new(const struct runs_options *options)
{
    struct runs *runs = calloc(1, sizeof *runs);

    if (!runs)
        return NULL;
    runs->options = *options;
    runs->next_run = store_last_run_id(options->store) + 1;
    runs->next_layer = store_last_layer_id(options->store) + 1;
    if (runs->options.workers > LIMIT_WORKERS)
        runs->options.workers = LIMIT_WORKERS;
    uv_timer_init(options->loop, &runs->tick);
    runs->tick.data = runs;
    runs->tick_at_ms = uv_now(options->loop);
    uv_timer_start(&runs->tick, on_tick, LIMIT_TICK_MS, LIMIT_TICK_MS);
    return runs;
}

struct ingest_ops runs_ingest_ops(struct runs *runs)
{
    return (struct ingest_ops){
        .hello = sessions_hello,
        .welcomed = sessions_welcomed,
        .layer = layers_declare,
        .scalars = backlog_scalars,
        .rewind = sessions_rewind,
        .tensor_begin = samples_begin,
        .tensor = samples_tensor,
        .tensor_lost = samples_lost,
        .flush = samples_flush,
        .may_send = gather_may_send,
        .client_dropped = sessions_dropped,
        .bye = sessions_bye,
        .lost = sessions_lost,
        .seen = sessions_seen,
        .ctx = runs,
    };
}

void runs_alert(struct runs *runs, const char *run_key, const struct wire_alert *alert)
{
    struct run *run;

    HASH_FIND(by_key, runs->by_key, run_key, strlen(run_key), run);
    if (!run)
        return;
    for (struct session *session = run->sessions; session; session = session->hh.next)
        if (session->peer)
            ingest_alert(session->peer, alert);
}

/* Work that is with a worker, or a flush on its way through the store, still points into the run. */
static bool is_in_use(const struct run *run)
{
    for (const struct session *session = run->sessions; session; session = session->hh.next)
        if (session->undone || session->fences_flying > 0)
            return true;
    for (const struct work_queue *queue = run->queues; queue; queue = queue->next)
        if (queue->busy || queue->samples > 0)
            return true;
    return false;
}

static void forget(struct run *run)
{
    const struct runs_out *out = &run->runs->options.out;

    out->forget(out->ctx, run->id);
    run_free(run);
}

void runs_forget(struct runs *runs, int64_t id)
{
    struct run *run;

    HASH_FIND(by_id, runs->by_id, &id, sizeof id, run);
    if (run && strcmp(run->state, "running") != 0 && !is_in_use(run))
        forget(run);
}

enum runs_answer runs_delete(struct runs *runs, int64_t id)
{
    struct store_batch *batch;
    struct run *run;

    HASH_FIND(by_id, runs->by_id, &id, sizeof id, run);
    if (!run)
        return RUNS_UNKNOWN;
    if (strcmp(run->state, "running") == 0)
        return RUNS_RUNNING;
    if (is_in_use(run))
        return RUNS_BUSY;
    batch = store_batch_new();
    store_put_delete_run(batch, id);
    if (store_submit(runs->options.store, batch) != 0)
        return RUNS_FAILED;
    forget(run);
    return RUNS_DONE;
}

void runs_stop(struct runs *runs)
{
    struct run *run, *next;

    runs->stopping = true;
    runs->ingest = NULL;
    HASH_ITER (by_id, runs->by_id, run, next)
        for (struct session *session = run->sessions; session; session = session->hh.next)
            session->peer = NULL;
    while (runs->busy > 0 || runs->trimming)
        uv_run(runs->options.loop, UV_RUN_ONCE);
    for (run = runs->by_id; run; run = run->by_id.next)
        if (run->unsaved)
            rows_save(run);
    uv_close((uv_handle_t *)&runs->tick, NULL);
}

void runs_free(struct runs *runs)
{
    struct run *run, *next;

    gather_free_all(runs);
    HASH_ITER (by_id, runs->by_id, run, next)
        run_free(run);
    free(runs);
}
