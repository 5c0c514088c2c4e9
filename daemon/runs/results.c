/* See results.h. */
#include "daemon/runs/results.h"

#include <string.h>

#include "daemon/core/log.h"
#include "daemon/runs/rows.h"
#include "daemon/runs/run.h"
#include "proto/fault.h"

static void announce_damage(struct run *run, const struct baseline_damage *damage)
{
    const struct runs_out *out = &run->registry->options->out;
    struct wire_fault fault;

    log_error("baseline damaged: rotation from the initialization stops", LOG_STR("run", run->key),
        LOG_STR("why", damage->text));
    out->damaged(out->ctx, run->id, damage->layer, true, run->last_step, damage->text);
    fault_set(&fault, WIRE_CODE_BASELINE_DAMAGED, WIRE_TENSOR, "layer",
        "the kept w(0) as it was written; send weights with initial", "%s", damage->text);
    for (struct session *s = run->sessions; s; s = s->hh.next)
        if (s->peer)
            ingest_error(s->peer, &fault, false);
}

static void announce_baselines(struct run *run, const struct findings *findings)
{
    const struct runs_out *out = &run->registry->options->out;

    for (size_t i = 0; i < findings->damage_count; i++)
        announce_damage(run, &findings->damages[i]);
    for (size_t i = 0; i < findings->baseline_count; i++)
        out->damaged(out->ctx, run->id, findings->baselines[i].layer, false, run->last_step, "");
}

/* The store has no room for their rows yet; without them the next start would remove the files. */
static void keep_baselines(struct run *run, const struct findings *findings)
{
    struct run_layer *layer;

    for (size_t i = 0; i < findings->baseline_count; i++) {
        for (layer = run->layers; layer && layer->id != findings->baselines[i].layer;)
            layer = layer->by_name.next;
        if (!layer)
            continue;
        layer->baseline = findings->baselines[i];
        layer->baseline_unsaved = true;
    }
}

/* Within the run's newest attempt; -1: all that was found is of one that has ended. */
static int64_t newest_step(const struct run *run, const struct findings *findings)
{
    int64_t step = -1;

    for (size_t i = 0; i < findings->figure_count; i++)
        if (findings->figures[i].attempt == run->attempt.number && findings->figures[i].step > step)
            step = findings->figures[i].step;
    return step;
}

static void put_tracker(struct store_batch *batch, const struct tracker_row *row)
{
    store_put_tracker(batch, &(struct store_tracker){.layer = row->layer,
                                 .attempt = row->attempt,
                                 .step = row->step,
                                 .state = row->state,
                                 .size = row->size});
}

static void put_all(struct store_batch *batch, const struct findings *findings)
{
    for (size_t i = 0; i < findings->baseline_count; i++)
        store_put_baseline(batch, &findings->baselines[i]);
    for (size_t i = 0; i < findings->tracker_count; i++)
        put_tracker(batch, &findings->trackers[i]);
    for (size_t i = 0; i < findings->figure_count; i++)
        store_put_figure(batch, &findings->figures[i]);
    for (size_t i = 0; i < findings->histogram_count; i++)
        store_put_histogram(batch, &findings->histograms[i]);
}

void results_publish(struct work_queue *queue, const struct findings *findings)
{
    struct run *run = queue->run;
    struct stats *stats = run->registry->options->stats;
    struct store_batch *batch = store_batch_new();
    int64_t step = newest_step(run, findings);

    if (findings->failed)
        log_error("memory is short: figures are missing", LOG_STR("run", run->key));
    run->undefined += findings->undefined;
    stats_add(&stats->figures_undefined_total, findings->undefined);
    stats_add(&stats->activations_late_total, findings->late);
    if (step >= 0)
        rows_put_step(batch, run, step);
    put_all(batch, findings);
    if (!rows_publish(run, batch, findings->figures, findings->figure_count))
        keep_baselines(run, findings);
    announce_baselines(run, findings);
}
