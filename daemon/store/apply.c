/* Which table an operation goes to, and what the sink hears of it. */
#include "daemon/store/apply.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/core/clock.h"
#include "daemon/store/store_log.h"

int apply_open(struct apply *apply, sqlite3 *db, struct error *error)
{
    *apply = (struct apply){.db = db};
    if (run_table_open(&apply->runs, db, error) || figure_table_open(&apply->figures, db, error) ||
        alert_table_open(&apply->alerts, db, &apply->outbox, error) ||
        outbox_open(&apply->outbox, db, error) ||
        deliveries_open(&apply->deliveries, db, &apply->outbox, error))
        return -1;
    return 0;
}

void apply_close(struct apply *apply)
{
    run_table_close(&apply->runs);
    figure_table_close(&apply->figures);
    alert_table_close(&apply->alerts);
    deliveries_close(&apply->deliveries);
    outbox_close(&apply->outbox);
    free(apply->committed);
    apply->committed = NULL;
}

void apply_forget(struct apply *apply)
{
    figure_table_forget(&apply->figures);
    alert_table_forget(&apply->alerts);
}

int apply_resolve_ended(struct apply *apply)
{
    return outbox_resolve_ended(&apply->outbox, clock_wall());
}

static int retire_run(struct apply *apply, int64_t run)
{
    int rc = run_table_retire(&apply->runs, run);
    apply_forget(apply);
    return rc == SQLITE_OK ? apply_resolve_ended(apply) : rc;
}

static int insert_figure(struct apply *apply, struct op_figure *op, struct apply_result *result)
{
    op->stored = false;
    if (apply->without_figures) {
        result->left_out++;
        return SQLITE_OK;
    }
    int rc = figure_table_put(&apply->figures, &op->figure, &op->stored);
    result->figures += op->stored;
    return rc;
}

static int insert_histogram(
    struct apply *apply, const struct histogram *histogram, struct apply_result *result)
{
    bool stored;
    if (apply->without_figures) {
        result->left_out++;
        return SQLITE_OK;
    }
    int rc = figure_table_put_histogram(&apply->figures, histogram, &stored);
    result->figures += stored;
    return rc;
}

static int apply_op(struct apply *apply, struct op *op, struct apply_result *result)
{
    struct run_table *runs = &apply->runs;
    struct alert_table *alerts = &apply->alerts;
    struct error *unreadable = &apply->unreadable;
    switch (op->type) {
    case OP_RUN: return run_table_put(runs, &op->run);
    case OP_ATTEMPT: return run_table_put_attempt(runs, &op->attempt);
    case OP_SESSION: return run_table_put_session(runs, &op->session);
    case OP_LAYER: return run_table_put_layer(runs, &op->layer);
    case OP_BASELINE: return run_table_put_baseline(runs, &op->baseline);
    case OP_TRACKER: return run_table_put_tracker(runs, &op->tracker);
    case OP_DELETE_RUN: return retire_run(apply, op->delete_run);
    case OP_FIGURE: return insert_figure(apply, op->figure, result);
    case OP_HISTOGRAM: return insert_histogram(apply, op->histogram, result);
    case OP_ALERT: return alert_table_put(alerts, op->alert);
    case OP_ALERT_END: return alert_table_end(alerts, &op->alert_end, unreadable);
    case OP_ACK: return alert_table_acknowledge(alerts, &op->ack);
    case OP_SILENCE: return alert_table_add_silence(alerts, &op->silence, unreadable);
    case OP_END_SILENCE: return alert_table_end_silence(alerts, op->end_silence, unreadable);
    case OP_EXPIRE_SILENCES:
        return alert_table_expire_silences(alerts, op->expire_silences, unreadable);
    case OP_NOTIFIERS:
        return outbox_register(
            &apply->outbox, op->notifiers.list, op->notifiers.count, op->notifiers.now, unreadable);
    case OP_DELIVERY: return deliveries_record(&apply->deliveries, &op->delivery);
    }
    return SQLITE_MISUSE;
}

void apply_begin(struct apply *apply)
{
    alert_table_begin(&apply->alerts);
    apply->outbox.dropped = 0;
}

int apply_batch(struct apply *apply, struct store_batch *batch, struct apply_result *result)
{
    for (struct op *op = batch->ops; op; op = op->next) {
        apply->unreadable.text[0] = '\0';
        int rc = apply_op(apply, op, result);
        if ((rc & 0xff) == SQLITE_CONSTRAINT) {
            result->refused++;
            snprintf(result->refusal, sizeof result->refusal, "%s",
                apply->unreadable.text[0] ? apply->unreadable.text : sqlite3_errmsg(apply->db));
        } else if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return SQLITE_OK;
}

static size_t stored_figures(const struct store_batch *batch)
{
    size_t count = 0;
    for (const struct op *op = batch->ops; op; op = op->next)
        count += op->type == OP_FIGURE && op->figure->stored;
    return count;
}

static void notify_figures(
    struct apply *apply, const struct store_batch *batch, const struct store_sink *sink)
{
    size_t room = stored_figures(batch), count = 0;
    if (room > apply->committed_size) {
        struct store_committed_figure *grown = realloc(apply->committed, room * sizeof *grown);
        if (!grown)
            return; /* those who listen miss some; the database has them */
        apply->committed = grown;
        apply->committed_size = room;
    }
    for (const struct op *op = batch->ops; op; op = op->next) {
        if (op->type != OP_FIGURE || !op->figure->stored)
            continue;
        const struct figure *figure = &op->figure->figure;
        const struct series *series;
        if (figure_table_find_series(&apply->figures, figure, &series) == SQLITE_OK && series)
            apply->committed[count++] = (struct store_committed_figure){
                series->run_key, series->layer_name, series->metric, figure};
    }
    if (count > 0)
        sink->figures(sink->ctx, apply->committed, count);
}

/* Alerts that a change of the silences has let out or taken in, and those that were ended in place. */
static void notify_reviewed(struct apply *apply, const struct store_options *options)
{
    struct alert_table *alerts = &apply->alerts;
    const struct store_sink *sink = &options->sink;
    struct error error;
    for (size_t i = 0; i < alerts->reviewed_count; i++)
        if (alert_table_visit(alerts, alerts->reviewed[i], sink->alert, sink->ctx, &error) !=
            SQLITE_OK)
            store_log(
                options, true, "a change of an alert reaches nobody who listens: %s", error.text);
    alerts->reviewed_count = 0;
}

/* One that the schema refused goes to the sink too, as not recorded: it waits for an answer. Of a run that is retired the
 * sink hears only that it is gone. */
static void notify_alert(
    struct apply *apply, const struct op_alert *alert, const struct store_sink *sink)
{
    if (run_table_has(&apply->runs, alert->row.run) || !alert->row.recorded)
        sink->alert(sink->ctx, alert->record.run_key, &alert->row);
}

void apply_unlink_replaced(struct apply *apply, const struct store_batch *batch, int baselines_fd)
{
    for (const struct op *op = batch->ops; op; op = op->next)
        if (op->type == OP_BASELINE)
            run_table_unlink_replaced(&apply->runs, &op->baseline, baselines_fd);
}

void apply_notify_sink(
    struct apply *apply, const struct store_batch *batch, const struct store_options *options)
{
    const struct store_sink *sink = &options->sink;
    if (sink->figures)
        notify_figures(apply, batch, sink);
    for (const struct op *op = batch->ops; op; op = op->next) {
        if (op->type == OP_RUN && sink->run)
            sink->run(sink->ctx, &op->run);
        else if (op->type == OP_ALERT && sink->alert)
            notify_alert(apply, op->alert, sink);
        else if (op->type == OP_DELETE_RUN && sink->gone)
            sink->gone(sink->ctx, op->delete_run);
    }
    if (sink->alert)
        notify_reviewed(apply, options);
}
