/* One function an operation, each with a statement that is prepared once. */
#include "daemon/store/apply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/core/clock.h"
#include "daemon/store/baseline_file.h"
#include "daemon/store/rows.h"
#include "daemon/store/sql.h"

/* INSERT ... ON CONFLICT DO UPDATE throughout: REPLACE would delete the old row, and by cascade
 * all that belongs to it. */
enum {
    PUT_RUN,
    PUT_ATTEMPT,
    PUT_SESSION,
    PUT_LAYER,
    PUT_POINT,
    PUT_HISTOGRAM,
    PUT_ALERT,
    END_ALERT,
    FIND_BASELINE,
    PUT_BASELINE,
    PUT_TRACKER,
    PUT_ACK,
    PUT_SERIES,
    FIND_SERIES,
    FIND_RUN_KEY,
    FIND_ALERT,
    RETIRE_RUN,
    STATEMENT_COUNT
};
_Static_assert(STATEMENT_COUNT <= APPLY_STATEMENT_MAX, "room for all statements");

static const char *const texts[STATEMENT_COUNT] = {
    [PUT_RUN] =
        "INSERT INTO run (id, key, name, state, tags, attempt, started_at,"
        " last_seen_at, last_step, dropped, undefined, owner) VALUES (?1, ?2, ?3, ?4, ?5,"
        " ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO UPDATE SET name = ?3, state = ?4,"
        " tags = ?5, attempt = ?6, started_at = ?7, last_seen_at = ?8, last_step = ?9,"
        " dropped = ?10, undefined = ?11 WHERE retired = 0",
    [PUT_ATTEMPT] = "INSERT INTO attempt (run_id, number, first_step, started_at) VALUES (?1, ?2,"
                    " ?3, ?4) ON CONFLICT DO UPDATE SET first_step = ?3, started_at = ?4",
    [PUT_SESSION] = "INSERT INTO session (run_id, key, attempt, rank, world, client, state,"
                    " dropped) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET"
                    " attempt = ?3, rank = ?4, world = ?5, client = ?6, state = ?7, dropped = ?8",
    [PUT_LAYER] = "INSERT INTO layer (id, run_id, name, kind, role, block, dtype, rows, cols,"
                  " transposed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
                  " ?10) ON CONFLICT (id) DO UPDATE SET name = ?3, kind = ?4, role ="
                  " ?5, block = ?6, dtype = ?7, rows = ?8, cols = ?9, transposed = ?10",
    [PUT_POINT] = "INSERT INTO point (series_id, step, time, value) VALUES (?1, ?2, ?3, ?4) ON"
                  " CONFLICT (series_id, step) DO NOTHING",
    [PUT_HISTOGRAM] = "INSERT INTO histogram (series_id, step, time, counts) VALUES (?1, ?2, ?3,"
                      " ?4) ON CONFLICT (series_id, step) DO NOTHING",
    [PUT_ALERT] = "INSERT INTO alert (id, run_id, attempt, rule, severity, state, title,"
                  " summary, layers, evidence, observed, started_step, last_step, started_at,"
                  " resolved_at, silenced, notified) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
                  " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) ON CONFLICT (id) DO UPDATE SET attempt"
                  " = ?3, severity = ?5, state = ?6, title = ?7, summary = ?8, layers = ?9,"
                  " evidence = ?10, observed = ?11, started_step = ?12, last_step = ?13, started_at"
                  " = ?14, resolved_at = ?15, silenced = ?16, notified = notified OR ?17",
    [END_ALERT] = "UPDATE alert SET state = 'resolved', resolved_at = ?2 WHERE id = ?1 AND state ="
                  " 'firing'",
    [FIND_BASELINE] = "SELECT attempt, step FROM baseline WHERE layer_id = ?",
    [PUT_BASELINE] = "INSERT INTO baseline (layer_id, attempt, step, dtype, bytes, checksum)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (layer_id) DO UPDATE SET attempt"
                     " = ?2, step = ?3, dtype = ?4, bytes = ?5, checksum = ?6",
    [PUT_TRACKER] = "INSERT INTO tracker (layer_id, attempt, step, state) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (layer_id) DO UPDATE SET attempt = ?2, step = ?3, state = ?4",
    [PUT_ACK] = "UPDATE alert SET acknowledged_at = ?2 WHERE id = ?1",
    [PUT_SERIES] = "INSERT INTO series (run_id, attempt, layer_id, metric) VALUES (?1, ?2, ?3, ?4)",
    [FIND_SERIES] = "SELECT r.key, coalesce(l.name, ''), s.id FROM run r LEFT JOIN layer l ON"
                    " l.id = ?3 AND l.run_id = r.id LEFT JOIN series s ON s.run_id = r.id AND"
                    " s.attempt = ?2 AND s.layer_id = ?3 AND s.metric = ?4 WHERE r.id = ?1 AND"
                    " r.retired = 0 AND (?3 = 0 OR l.id IS NOT NULL)",
    [FIND_RUN_KEY] = "SELECT key FROM run WHERE id = ? AND retired = 0",
    [FIND_ALERT] = "SELECT " ROWS_ALERT ", r.key FROM alert a JOIN run r ON r.id = a.run_id"
                   " WHERE a.id = ? AND r.retired = 0",
    /* The key is free again at once; no user's key begins with a control character. */
    [RETIRE_RUN] = "UPDATE run SET retired = 1, key = char(10) || id WHERE id = ? AND retired = 0",
};

int apply_open(struct apply *apply, sqlite3 *db, struct error *error)
{
    *apply = (struct apply){.db = db};
    if (sql_prepare_all(db, texts, apply->statements, STATEMENT_COUNT, error))
        return -1;
    return alert_ids_open(&apply->alert_ids, db, error) ||
                   silencer_open(&apply->silencer, db, error) ||
                   outbox_open(&apply->outbox, db, error)
               ? -1
               : 0;
}

void apply_close(struct apply *apply)
{
    sql_finalize_all(apply->statements, STATEMENT_COUNT);
    alert_ids_close(&apply->alert_ids);
    silencer_close(&apply->silencer);
    outbox_close(&apply->outbox);
    series_cache_clear(&apply->series);
    free(apply->committed);
    free(apply->reviewed);
    apply->committed = NULL;
    apply->reviewed = NULL;
}

void apply_forget(struct apply *apply)
{
    series_cache_clear(&apply->series);
    alert_ids_rolled_back(&apply->alert_ids);
}

/* `value` unless it says "none". */
static void bind_unless_negative(sqlite3_stmt *statement, int index, int64_t value)
{
    if (value < 0)
        sqlite3_bind_null(statement, index);
    else
        sqlite3_bind_int64(statement, index, value);
}

static int write_run_row(struct apply *apply, const struct store_run *run)
{
    sqlite3_stmt *statement = apply->statements[PUT_RUN];
    sqlite3_bind_int64(statement, 1, run->id);
    sql_bind_text(statement, 2, run->key);
    sql_bind_text(statement, 3, run->name);
    sql_bind_text(statement, 4, run_state_names[run->state]);
    sql_bind_text(statement, 5, run->tags);
    sqlite3_bind_int64(statement, 6, run->attempt);
    sqlite3_bind_double(statement, 7, run->started_at);
    sqlite3_bind_double(statement, 8, run->last_seen_at);
    bind_unless_negative(statement, 9, run->last_step);
    sqlite3_bind_int64(statement, 10, (int64_t)run->dropped);
    sqlite3_bind_int64(statement, 11, (int64_t)run->undefined);
    bind_unless_negative(statement, 12, run->owner);
    return sql_run(statement);
}

static int put_attempt(struct apply *apply, const struct store_attempt *attempt)
{
    sqlite3_stmt *statement = apply->statements[PUT_ATTEMPT];
    sqlite3_bind_int64(statement, 1, attempt->run);
    sqlite3_bind_int64(statement, 2, attempt->number);
    bind_unless_negative(statement, 3, attempt->first_step);
    sqlite3_bind_double(statement, 4, attempt->started_at);
    return sql_run(statement);
}

static int write_session_row(struct apply *apply, const struct store_session *session)
{
    sqlite3_stmt *statement = apply->statements[PUT_SESSION];
    sqlite3_bind_int64(statement, 1, session->run);
    sql_bind_text(statement, 2, session->key);
    sqlite3_bind_int64(statement, 3, session->attempt);
    sqlite3_bind_int64(statement, 4, session->rank);
    sqlite3_bind_int64(statement, 5, session->world);
    sql_bind_text(statement, 6, session->client);
    sql_bind_text(statement, 7, session_state_names[session->state]);
    sqlite3_bind_int64(statement, 8, (int64_t)session->dropped);
    return sql_run(statement);
}

static int put_layer(struct apply *apply, const struct store_layer *layer)
{
    sqlite3_stmt *statement = apply->statements[PUT_LAYER];
    sqlite3_bind_int64(statement, 1, layer->id);
    sqlite3_bind_int64(statement, 2, layer->run);
    sql_bind_text(statement, 3, layer->name);
    sql_bind_text(statement, 4, layer->kind);
    sql_bind_text(statement, 5, layer->role);
    sql_bind_text(statement, 6, layer->block);
    sql_bind_text(statement, 7, layer->dtype);
    sqlite3_bind_int64(statement, 8, (int64_t)layer->rows);
    sqlite3_bind_int64(statement, 9, (int64_t)layer->cols);
    sqlite3_bind_int(statement, 10, layer->transposed);
    return sql_run(statement);
}

static int write_alert_row(struct apply *apply, const struct store_alert *alert)
{
    sqlite3_stmt *statement = apply->statements[PUT_ALERT];
    bool notified = alert->state == ALERT_FIRING && !alert->observed && !alert->silenced;
    sqlite3_bind_int64(statement, 1, alert->id);
    sqlite3_bind_int64(statement, 2, alert->run);
    sqlite3_bind_int64(statement, 3, alert->attempt);
    sql_bind_text(statement, 4, alert->rule);
    sql_bind_text(statement, 5, alert_severity_names[alert->severity]);
    sql_bind_text(statement, 6, alert_state_names[alert->state]);
    sql_bind_text(statement, 7, alert->title);
    sql_bind_text(statement, 8, alert->summary);
    sql_bind_text(statement, 9, alert->layers);
    sql_bind_text(statement, 10, alert->evidence);
    sqlite3_bind_int(statement, 11, alert->observed);
    sqlite3_bind_int64(statement, 12, alert->started_step);
    sqlite3_bind_int64(statement, 13, alert->last_step);
    sqlite3_bind_double(statement, 14, alert->started_at);
    if (alert->resolved_at > 0)
        sqlite3_bind_double(statement, 15, alert->resolved_at);
    else
        sqlite3_bind_null(statement, 15);
    sqlite3_bind_int(statement, 16, alert->silenced);
    sqlite3_bind_int(statement, 17, notified);
    return sql_run(statement);
}

/* With it go its notifications. */
static int put_alert(struct apply *apply, struct op_alert *op)
{
    if (!op->json.layers && alert_row_json_make(&op->json, &op->record) != 0)
        return SQLITE_NOMEM;
    op->row = alert_row(&op->record, &op->json);
    int rc = silencer_covers(&apply->silencer, &op->row, &op->row.silenced);
    if (rc == SQLITE_OK)
        rc = write_alert_row(apply, &op->row);
    op->row.recorded = rc == SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = alert_ids_written(&apply->alert_ids, op->row.id);
    return rc == SQLITE_OK ? outbox_alert(&apply->outbox, &op->row, false, clock_wall()) : rc;
}

/* Notes an alert whose row was changed in place, for the sink after the commit. */
static int note_reviewed(struct apply *apply, int64_t alert)
{
    if (apply->reviewed_count == apply->reviewed_size) {
        size_t size = apply->reviewed_size ? 2 * apply->reviewed_size : 16;
        int64_t *grown = realloc(apply->reviewed, size * sizeof *grown);
        if (!grown)
            return SQLITE_NOMEM;
        apply->reviewed = grown;
        apply->reviewed_size = size;
    }
    apply->reviewed[apply->reviewed_count++] = alert;
    return SQLITE_OK;
}

/* Being silenced changed. */
static int on_reviewed(void *ctx, const struct store_alert *alert)
{
    struct apply *apply = ctx;
    int rc = note_reviewed(apply, alert->id);
    return rc == SQLITE_OK ? outbox_alert(&apply->outbox, alert, true, clock_wall()) : rc;
}

static int end_alert(struct apply *apply, const struct op_alert_end *end)
{
    sqlite3_stmt *update = apply->statements[END_ALERT], *row = apply->statements[FIND_ALERT];
    sqlite3_bind_int64(update, 1, end->alert);
    sqlite3_bind_double(update, 2, end->time);
    int rc = sql_run(update);
    if (rc != SQLITE_OK || sqlite3_changes(apply->db) == 0)
        return rc;
    rc = note_reviewed(apply, end->alert);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(row, 1, end->alert);
    rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        struct store_alert alert;
        rc = rows_alert(row, &alert, &apply->unknown);
        if (rc == SQLITE_OK)
            rc = outbox_alert(&apply->outbox, &alert, false, clock_wall());
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK; /* of a run that is retired */
    }
    sqlite3_reset(row);
    return rc;
}

/* After a change of the silences, whose code is `rc`. */
static int review_silenced(struct apply *apply, int rc)
{
    return rc == SQLITE_OK ? silencer_review(&apply->silencer, on_reviewed, apply, &apply->unknown)
                           : rc;
}

int apply_resolve_ended(struct apply *apply)
{
    return outbox_resolve_ended(&apply->outbox, clock_wall());
}

/* The file of a layer's row. SQLITE_ROW, SQLITE_DONE (it has none), or an error. */
static int find_baseline(struct apply *apply, int64_t layer, uint32_t *attempt, int64_t *step)
{
    sqlite3_stmt *statement = apply->statements[FIND_BASELINE];
    sqlite3_bind_int64(statement, 1, layer);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *attempt = (uint32_t)sqlite3_column_int64(statement, 0);
        *step = sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return rc;
}

static int put_baseline(struct apply *apply, struct op_baseline *op)
{
    const struct baseline_row *baseline = &op->row;
    sqlite3_stmt *statement = apply->statements[PUT_BASELINE];
    int found = find_baseline(apply, baseline->layer, &op->old_attempt, &op->old_step);
    if (found != SQLITE_ROW && found != SQLITE_DONE)
        return found;
    op->replaces = found == SQLITE_ROW &&
                   (op->old_attempt != baseline->attempt || op->old_step != baseline->step);
    sqlite3_bind_int64(statement, 1, baseline->layer);
    sqlite3_bind_int64(statement, 2, baseline->attempt);
    sqlite3_bind_int64(statement, 3, baseline->step);
    sql_bind_text(statement, 4, baseline->dtype);
    sqlite3_bind_int64(statement, 5, (int64_t)baseline->bytes);
    sqlite3_bind_int64(statement, 6, (int64_t)baseline->checksum);
    return sql_run(statement);
}

static int write_tracker_row(struct apply *apply, const struct store_tracker *tracker)
{
    sqlite3_stmt *statement = apply->statements[PUT_TRACKER];
    sqlite3_bind_int64(statement, 1, tracker->layer);
    sqlite3_bind_int64(statement, 2, tracker->attempt);
    sqlite3_bind_int64(statement, 3, tracker->step);
    sqlite3_bind_blob64(statement, 4, tracker->state, tracker->size, SQLITE_STATIC);
    return sql_run(statement);
}

static int put_ack(struct apply *apply, const struct op_ack *ack)
{
    sqlite3_stmt *statement = apply->statements[PUT_ACK];
    sqlite3_bind_int64(statement, 1, ack->alert);
    sqlite3_bind_double(statement, 2, ack->time);
    return sql_run(statement);
}

static int retire_run(struct apply *apply, int64_t run)
{
    sqlite3_bind_int64(apply->statements[RETIRE_RUN], 1, run);
    int rc = sql_run(apply->statements[RETIRE_RUN]);
    apply_forget(apply);
    return rc == SQLITE_OK ? apply_resolve_ended(apply) : rc;
}

static void bind_series(sqlite3_stmt *statement, const struct series *key)
{
    sqlite3_bind_int64(statement, 1, key->run);
    sqlite3_bind_int64(statement, 2, key->attempt);
    sqlite3_bind_int64(statement, 3, key->layer);
    sql_bind_text(statement, 4, key->metric);
}

/* The series of `key` (run, attempt, layer, metric), which is made if its run and layer are
 * there. `found` NULL: they are not. */
static int find_series(struct apply *apply, const struct series *key, const struct series **found)
{
    *found = series_cache_find(&apply->series, key);
    if (*found)
        return SQLITE_OK;
    sqlite3_stmt *find = apply->statements[FIND_SERIES], *put = apply->statements[PUT_SERIES];
    bind_series(find, key);
    int rc = sqlite3_step(find);
    if (rc == SQLITE_ROW) {
        struct series series = *key;
        series.run_key = sql_text(find, 0);
        series.layer_name = sql_text(find, 1);
        series.id = sqlite3_column_int64(find, 2);
        rc = SQLITE_OK;
        if (series.id == 0) {
            bind_series(put, key);
            rc = sql_run(put);
            series.id = sqlite3_last_insert_rowid(apply->db);
        }
        if (rc == SQLITE_OK)
            *found = series_cache_add(&apply->series, &series);
        if (rc == SQLITE_OK && !*found)
            rc = SQLITE_NOMEM;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    }
    sqlite3_reset(find);
    return rc;
}

static struct series figure_key(const struct figure *figure)
{
    return (struct series){.run = figure->run,
        .layer = figure->layer,
        .attempt = figure->attempt,
        .metric = figure->metric};
}

static int insert_figure(struct apply *apply, struct op_figure *op, struct apply_result *result)
{
    const struct series key = figure_key(&op->figure);
    const struct series *series;
    op->stored = false;
    if (apply->without_figures) {
        result->left_out++;
        return SQLITE_OK;
    }
    int rc = find_series(apply, &key, &series);
    if (rc != SQLITE_OK || !series)
        return rc;
    sqlite3_stmt *statement = apply->statements[PUT_POINT];
    sqlite3_bind_int64(statement, 1, series->id);
    sqlite3_bind_int64(statement, 2, op->figure.step);
    sqlite3_bind_double(statement, 3, op->figure.time);
    sqlite3_bind_double(statement, 4, op->figure.value); /* NaN becomes NULL */
    rc = sql_run(statement);
    op->stored = rc == SQLITE_OK && sqlite3_changes(apply->db) > 0;
    result->figures += op->stored;
    return rc;
}

static void encode_counts(
    const uint32_t counts[HISTOGRAM_BINS], unsigned char bytes[4 * HISTOGRAM_BINS])
{
    for (size_t i = 0; i < HISTOGRAM_BINS; i++) {
        for (size_t b = 0; b < 4; b++)
            bytes[4 * i + b] = (unsigned char)(counts[i] >> (8 * b));
    }
}

static int put_histogram(
    struct apply *apply, const struct histogram *histogram, struct apply_result *result)
{
    const struct series key = {.run = histogram->run,
        .layer = histogram->layer,
        .attempt = histogram->attempt,
        .metric = histogram->metric};
    const struct series *series;
    if (apply->without_figures) {
        result->left_out++;
        return SQLITE_OK;
    }
    int rc = find_series(apply, &key, &series);
    if (rc != SQLITE_OK || !series)
        return rc;
    unsigned char bytes[4 * HISTOGRAM_BINS];
    encode_counts(histogram->counts, bytes);
    sqlite3_stmt *statement = apply->statements[PUT_HISTOGRAM];
    sqlite3_bind_int64(statement, 1, series->id);
    sqlite3_bind_int64(statement, 2, histogram->step);
    sqlite3_bind_double(statement, 3, histogram->time);
    sqlite3_bind_blob(statement, 4, bytes, sizeof bytes, SQLITE_STATIC);
    rc = sql_run(statement);
    result->figures += rc == SQLITE_OK && sqlite3_changes(apply->db) > 0;
    return rc;
}

static int apply_op(struct apply *apply, struct op *op, struct apply_result *result)
{
    switch (op->type) {
    case OP_RUN: return write_run_row(apply, &op->run);
    case OP_ATTEMPT: return put_attempt(apply, &op->attempt);
    case OP_SESSION: return write_session_row(apply, &op->session);
    case OP_LAYER: return put_layer(apply, &op->layer);
    case OP_FIGURE: return insert_figure(apply, op->figure, result);
    case OP_HISTOGRAM: return put_histogram(apply, op->histogram, result);
    case OP_ALERT: return put_alert(apply, op->alert);
    case OP_ALERT_END: return end_alert(apply, &op->alert_end);
    case OP_BASELINE: return put_baseline(apply, &op->baseline);
    case OP_TRACKER: return write_tracker_row(apply, &op->tracker);
    case OP_DELETE_RUN: return retire_run(apply, op->delete_run);
    case OP_ACK: return put_ack(apply, &op->ack);
    case OP_SILENCE: return review_silenced(apply, silencer_add(&apply->silencer, &op->silence));
    case OP_END_SILENCE:
        return review_silenced(apply, silencer_end(&apply->silencer, op->end_silence));
    case OP_EXPIRE_SILENCES:
        return review_silenced(apply, silencer_expire(&apply->silencer, op->expire_silences));
    case OP_NOTIFIERS:
        return outbox_register(&apply->outbox, op->notifiers.list, op->notifiers.count,
            op->notifiers.now, &apply->unknown);
    case OP_DELIVERY: return outbox_delivery(&apply->outbox, &op->delivery);
    }
    return SQLITE_MISUSE;
}

void apply_begin(struct apply *apply)
{
    apply->reviewed_count = 0;
    apply->outbox.dropped = 0;
}

int apply_batch(struct apply *apply, struct store_batch *batch, struct apply_result *result)
{
    for (struct op *op = batch->ops; op; op = op->next) {
        apply->unknown.text[0] = '\0';
        int rc = apply_op(apply, op, result);
        if ((rc & 0xff) == SQLITE_CONSTRAINT) {
            result->refused++;
            snprintf(result->refusal, sizeof result->refusal, "%s",
                apply->unknown.text[0] ? apply->unknown.text : sqlite3_errmsg(apply->db));
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
        const struct series key = figure_key(&op->figure->figure);
        const struct series *series;
        if (find_series(apply, &key, &series) == SQLITE_OK && series)
            apply->committed[count++] = (struct store_committed_figure){
                series->run_key, series->layer_name, series->metric, &op->figure->figure};
    }
    if (count > 0)
        sink->figures(sink->ctx, apply->committed, count);
}

/* Alerts that a change of the silences has let out or taken in, and those that were ended in place. */
static void notify_reviewed(struct apply *apply, const struct store_sink *sink)
{
    sqlite3_stmt *row = apply->statements[FIND_ALERT];
    for (size_t i = 0; i < apply->reviewed_count; i++) {
        sqlite3_bind_int64(row, 1, apply->reviewed[i]);
        if (sqlite3_step(row) == SQLITE_ROW) {
            struct store_alert alert;
            if (rows_alert(row, &alert, &apply->unknown) == SQLITE_OK)
                sink->alert(sink->ctx, sql_text(row, ROWS_ALERT_COUNT), &alert);
        }
        sqlite3_reset(row);
    }
    apply->reviewed_count = 0;
}

/* One that the schema refused goes to the sink too, as not recorded: it waits for an answer. Of a run that is retired the
 * sink hears only that it is gone. */
static void notify_alert(
    struct apply *apply, const struct op_alert *alert, const struct store_sink *sink)
{
    sqlite3_stmt *statement = apply->statements[FIND_RUN_KEY];
    sqlite3_bind_int64(statement, 1, alert->row.run);
    if (sqlite3_step(statement) == SQLITE_ROW || !alert->row.recorded)
        sink->alert(sink->ctx, alert->record.run_key, &alert->row);
    sqlite3_reset(statement);
}

void apply_unlink_replaced(struct apply *apply, const struct store_batch *batch, int baselines_fd)
{
    for (const struct op *op = batch->ops; op; op = op->next) {
        const struct op_baseline *baseline = &op->baseline;
        char name[BASELINE_FILE_NAME_MAX];
        uint32_t attempt;
        int64_t step;
        if (op->type != OP_BASELINE || !baseline->replaces ||
            find_baseline(apply, baseline->row.layer, &attempt, &step) != SQLITE_ROW)
            continue;
        if (attempt == baseline->old_attempt && step == baseline->old_step)
            continue; /* the row was refused, or a later one names the old file again */
        baseline_file_name(name, baseline->row.layer, baseline->old_attempt, baseline->old_step);
        unlinkat(baselines_fd, name, 0);
    }
}

void apply_notify_sink(
    struct apply *apply, const struct store_batch *batch, const struct store_sink *sink)
{
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
        notify_reviewed(apply, sink);
}
