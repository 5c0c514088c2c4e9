/* The room as a whole: made, wired to the ingest, asked about runs, stopped; see runs.h. */
#include "daemon/runs/runs.h"

#include <stdlib.h>

#include "daemon/core/clock.h"
#include "daemon/core/limits.h"
#include "daemon/ingest/reading_clock.h"
#include "daemon/runs/barriers.h"
#include "daemon/runs/ingest_handlers.h"
#include "daemon/runs/registry.h"
#include "daemon/runs/restore.h"
#include "daemon/runs/rows.h"
#include "daemon/runs/run.h"
#include "daemon/runs/samples.h"
#include "daemon/runs/scalars.h"
#include "daemon/runs/sessions.h"

struct runs {
    struct runs_options options;
    struct registry registry;
    struct samples samples;
    struct ingest *ingest;
    struct reading_clock reading;
};

/* Rows that the store had no room for: without that of a layer its figures would never be seen. */
static void save_rows(struct runs *runs)
{
    for (struct run *run = runs->registry.by_id; run; run = run->by_id.next)
        if (run->unsaved && store_has_room(runs->options.store))
            rows_save(run);
}

/* Scalars wait for room in the store, and flushes for them and for room of their own. */
static void serve_sessions(struct runs *runs)
{
    for (struct run *run = runs->registry.by_id; run; run = run->by_id.next)
        for (struct session *session = run->sessions; session; session = session->hh.next) {
            scalars_serve(session);
            barriers_check(session);
        }
}

void runs_tick(struct runs *runs)
{
    reading_clock_tick(&runs->reading, clock_ms());
    sessions_watch_disk(&runs->registry);
    samples_tick(&runs->samples, runs->reading.now_ms);
    save_rows(runs);
    serve_sessions(runs);
}

static void on_memory_freed(void *ctx)
{
    struct runs *runs = ctx;

    if (runs->ingest)
        ingest_room(runs->ingest);
}

struct runs *runs_new(const struct runs_options *options)
{
    struct runs *runs = calloc(1, sizeof *runs);

    if (!runs)
        return NULL;
    runs->options = *options;
    runs->registry = registry_of(&runs->options);
    samples_init(&runs->samples, &runs->registry, on_memory_freed, runs);
    reading_clock_start(&runs->reading, clock_ms());
    return runs;
}

int runs_restore(struct runs *runs, struct error *error)
{
    return restore_runs(&runs->registry, error);
}

struct ingest_ops runs_ingest_ops(struct runs *runs)
{
    return ingest_handlers_ops(&runs->samples);
}

int runs_attach(struct runs *runs, struct ingest *ingest)
{
    runs->ingest = ingest;
    stats_add(&runs->options.stats->runs_running, registry_running(&runs->registry));
    return sessions_expect(&runs->registry, ingest);
}

void runs_alert(struct runs *runs, const char *run_key, const struct wire_alert *alert)
{
    struct run *run = registry_find_key(&runs->registry, run_key);

    if (!run)
        return;
    for (struct session *session = run->sessions; session; session = session->hh.next)
        if (session->peer)
            ingest_alert(session->peer, alert);
}

static void forget_run(struct run *run)
{
    const struct runs_out *out = &run->registry->options->out;

    out->forget(out->ctx, run->id);
    registry_remove(run->registry, run);
}

void runs_forget(struct runs *runs, int64_t id)
{
    struct run *run = registry_find(&runs->registry, id);

    if (run && run->state != RUN_RUNNING && !run_is_in_use(run))
        forget_run(run);
}

struct retired_run {
    struct runs *const *runs;
    int64_t id;
};

static void on_retired(void *arg)
{
    struct retired_run *retired = arg;

    if (*retired->runs)
        runs_forget(*retired->runs, retired->id);
    free(retired);
}

void runs_post_forget(struct mailbox *mailbox, struct runs *const *runs, int64_t run)
{
    struct retired_run *retired = malloc(sizeof *retired);

    if (!retired)
        return;
    *retired = (struct retired_run){runs, run};
    if (mailbox_post(mailbox, on_retired, retired) != 0)
        free(retired);
}

enum run_control_answer runs_delete(void *ctx, int64_t id)
{
    struct runs *runs = ctx;
    struct run *run = registry_find(&runs->registry, id);
    struct store_batch *batch;

    if (!run)
        return RUN_CONTROL_UNKNOWN;
    if (run->state == RUN_RUNNING)
        return RUN_CONTROL_RUNNING;
    if (run_is_in_use(run))
        return RUN_CONTROL_BUSY;
    batch = store_batch_new();
    store_put_delete_run(batch, id);
    if (store_submit(runs->options.store, batch) != 0)
        return RUN_CONTROL_FAILED;
    forget_run(run);
    return RUN_CONTROL_DONE;
}

enum run_control_answer runs_end(void *ctx, int64_t id)
{
    struct runs *runs = ctx;
    struct run *run = registry_find(&runs->registry, id);

    if (!run)
        return RUN_CONTROL_UNKNOWN;
    if (run->state == RUN_RUNNING)
        return RUN_CONTROL_RUNNING;
    if (run->state == RUN_ENDED)
        return RUN_CONTROL_DONE;
    return sessions_end_run(run) ? RUN_CONTROL_DONE : RUN_CONTROL_FAILED;
}

void runs_stop(struct runs *runs)
{
    runs->ingest = NULL;
    sessions_detach(&runs->registry);
    samples_stop(&runs->samples);
    for (struct run *run = runs->registry.by_id; run; run = run->by_id.next)
        if (run->unsaved)
            rows_save(run);
}

void runs_free(struct runs *runs)
{
    struct run *run, *next;

    samples_free(&runs->samples);
    HASH_ITER (by_id, runs->registry.by_id, run, next)
        registry_remove(&runs->registry, run);
    free(runs);
}
