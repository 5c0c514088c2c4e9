/* Alerts as rows; a change in place is noted for those who listen. */
#include "daemon/store/alert_table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "daemon/core/clock.h"
#include "daemon/store/rows.h"
#include "daemon/store/sql.h"

enum { PUT_ALERT, END_ALERT, PUT_ACK, FIND_ALERT, STATEMENT_COUNT };
_Static_assert(STATEMENT_COUNT <= ALERT_TABLE_STATEMENT_MAX, "room for all statements");

static const char *const texts[STATEMENT_COUNT] = {
    [PUT_ALERT] = "INSERT INTO alert (id, run_id, attempt, rule, severity, state, title,"
                  " summary, layers, evidence, observed, started_step, last_step, started_at,"
                  " resolved_at, silenced, notified) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
                  " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) ON CONFLICT (id) DO UPDATE SET attempt"
                  " = ?3, severity = ?5, state = ?6, title = ?7, summary = ?8, layers = ?9,"
                  " evidence = ?10, observed = ?11, started_step = ?12, last_step = ?13, started_at"
                  " = ?14, resolved_at = ?15, silenced = ?16, notified = notified OR ?17",
    [END_ALERT] = "UPDATE alert SET state = 'resolved', resolved_at = ?2 WHERE id = ?1 AND state ="
                  " 'firing'",
    [PUT_ACK] = "UPDATE alert SET acknowledged_at = ?2 WHERE id = ?1",
    [FIND_ALERT] = "SELECT " ROWS_ALERT ", r.key FROM alert a JOIN run r ON r.id = a.run_id"
                   " WHERE a.id = ? AND r.retired = 0",
};

int alert_table_open(
    struct alert_table *table, sqlite3 *db, struct outbox *outbox, struct error *error)
{
    *table = (struct alert_table){.db = db, .outbox = outbox};
    if (sql_prepare_all(db, texts, table->statements, STATEMENT_COUNT, error))
        return -1;
    if (alert_ids_open(&table->ids, db, error) || silencer_open(&table->silencer, db, error))
        return -1;
    return 0;
}

void alert_table_close(struct alert_table *table)
{
    sql_finalize_all(table->statements, STATEMENT_COUNT);
    alert_ids_close(&table->ids);
    silencer_close(&table->silencer);
    free(table->reviewed);
    table->reviewed = NULL;
}

void alert_table_begin(struct alert_table *table)
{
    table->reviewed_count = 0;
}

void alert_table_forget(struct alert_table *table)
{
    alert_ids_rolled_back(&table->ids);
}

static int write_alert_row(struct alert_table *table, const struct store_alert *alert)
{
    sqlite3_stmt *statement = table->statements[PUT_ALERT];
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
int alert_table_put(struct alert_table *table, struct op_alert *op)
{
    if (!op->json.layers && alert_row_json_make(&op->json, &op->record) != 0)
        return SQLITE_NOMEM;
    op->row = alert_row(&op->record, &op->json);
    int rc = silencer_covers(&table->silencer, &op->row, &op->row.silenced);
    if (rc == SQLITE_OK)
        rc = write_alert_row(table, &op->row);
    op->row.recorded = rc == SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = alert_ids_written(&table->ids, op->row.id);
    return rc == SQLITE_OK ? outbox_alert(table->outbox, &op->row, false, clock_wall()) : rc;
}

int alert_table_acknowledge(struct alert_table *table, const struct op_ack *ack)
{
    sqlite3_stmt *statement = table->statements[PUT_ACK];
    sqlite3_bind_int64(statement, 1, ack->alert);
    sqlite3_bind_double(statement, 2, ack->time);
    return sql_run(statement);
}

/* Notes an alert whose row was changed in place, for the sink after the commit. */
static int note_reviewed(struct alert_table *table, int64_t alert)
{
    if (table->reviewed_count == table->reviewed_size) {
        size_t size = table->reviewed_size ? 2 * table->reviewed_size : 16;
        int64_t *grown = realloc(table->reviewed, size * sizeof *grown);
        if (!grown)
            return SQLITE_NOMEM;
        table->reviewed = grown;
        table->reviewed_size = size;
    }
    table->reviewed[table->reviewed_count++] = alert;
    return SQLITE_OK;
}

/* SQLITE_ROW and the alert, which lives until FIND_ALERT is reset; SQLITE_DONE: of a run that is retired; or an error. The
 * caller resets it in any case. */
static int find_alert(
    struct alert_table *table, int64_t id, struct store_alert *alert, struct error *error)
{
    sqlite3_stmt *row = table->statements[FIND_ALERT];
    sqlite3_bind_int64(row, 1, id);
    int rc = sqlite3_step(row);
    if (rc != SQLITE_ROW) {
        if (rc != SQLITE_DONE)
            error_set(error, "alert %" PRId64 ": %s", id, sqlite3_errmsg(table->db));
        return rc;
    }
    rc = rows_alert(row, alert, error);
    return rc == SQLITE_OK ? SQLITE_ROW : rc;
}

int alert_table_end(struct alert_table *table, const struct op_alert_end *end, struct error *error)
{
    sqlite3_stmt *update = table->statements[END_ALERT];
    struct store_alert alert;
    sqlite3_bind_int64(update, 1, end->alert);
    sqlite3_bind_double(update, 2, end->time);
    int rc = sql_run(update);
    if (rc != SQLITE_OK || sqlite3_changes(table->db) == 0)
        return rc;
    rc = note_reviewed(table, end->alert);
    if (rc != SQLITE_OK)
        return rc;
    rc = find_alert(table, end->alert, &alert, error);
    if (rc == SQLITE_ROW)
        rc = outbox_alert(table->outbox, &alert, false, clock_wall());
    sqlite3_reset(table->statements[FIND_ALERT]);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int alert_table_visit(struct alert_table *table, int64_t id,
    void (*visit)(void *ctx, const char *run_key, const struct store_alert *), void *ctx,
    struct error *error)
{
    sqlite3_stmt *row = table->statements[FIND_ALERT];
    struct store_alert alert;
    int rc = find_alert(table, id, &alert, error);
    if (rc == SQLITE_ROW)
        visit(ctx, sql_text(row, ROWS_ALERT_COUNT), &alert);
    sqlite3_reset(row);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Being silenced changed. */
static int on_reviewed(void *ctx, const struct store_alert *alert)
{
    struct alert_table *table = ctx;
    int rc = note_reviewed(table, alert->id);
    return rc == SQLITE_OK ? outbox_alert(table->outbox, alert, true, clock_wall()) : rc;
}

/* After a change of the silences, whose code is `rc`. */
static int review_silenced(struct alert_table *table, int rc, struct error *error)
{
    return rc == SQLITE_OK ? silencer_review(&table->silencer, on_reviewed, table, error) : rc;
}

int alert_table_add_silence(
    struct alert_table *table, const struct store_silence *silence, struct error *error)
{
    return review_silenced(table, silencer_add(&table->silencer, silence), error);
}

int alert_table_end_silence(struct alert_table *table, int64_t silence, struct error *error)
{
    return review_silenced(table, silencer_end(&table->silencer, silence), error);
}

int alert_table_expire_silences(struct alert_table *table, double now, struct error *error)
{
    return review_silenced(table, silencer_expire(&table->silencer, now), error);
}
