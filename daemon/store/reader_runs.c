/* Runs, layers, newest values, names and alerts; see reader_runs.h. */
#include "daemon/store/reader_runs.h"

#include "daemon/store/reader_query.h"
#include "daemon/store/rows.h"
#include "daemon/store/sql.h"

/* Whether a run with this id is there. An SQLite code, SQLITE_OK when that could be told. */
static int run_exists(struct reader *reader, int64_t run, bool *exists)
{
    sqlite3_bind_int64(reader->statements[READ_RUN_EXISTS], 1, run);
    int rc = sqlite3_step(reader->statements[READ_RUN_EXISTS]);
    *exists = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int each_run(struct reader *reader, enum reader_statement statement,
    void (*each)(void *ctx, const struct reader_run *), void *ctx, bool *found)
{
    sqlite3_stmt *row = reader->statements[statement];
    int rc = reader_query_first(reader, statement);
    while (rc == SQLITE_ROW) {
        struct reader_run run = {
            .layers = (uint64_t)sqlite3_column_int64(row, ROWS_RUN_COUNT),
            .alerts_firing = (uint64_t)sqlite3_column_int64(row, ROWS_RUN_COUNT + 1),
            .sessions_open = (uint64_t)sqlite3_column_int64(row, ROWS_RUN_COUNT + 2),
        };
        rc = rows_run(row, &run.row, &reader->error);
        if (rc != SQLITE_OK)
            break;
        *found = true;
        each(ctx, &run);
        rc = sqlite3_step(row);
    }
    return rc;
}

int reader_runs(
    struct reader *reader, void (*each)(void *ctx, const struct reader_run *), void *ctx)
{
    bool found;
    int rc = each_run(reader, READ_RUNS, each, ctx, &found);
    return reader_query_end(reader, rc, true);
}

int reader_run(struct reader *reader, const char *key,
    void (*each)(void *ctx, const struct reader_run *), void *ctx)
{
    bool found = false;
    sql_bind_text(reader->statements[READ_RUN], 1, key);
    int rc = each_run(reader, READ_RUN, each, ctx, &found);
    return reader_query_end(reader, rc, found);
}

/* Begins a query for the rows of a run that must be there. The first step's code, or the code
 * that ended it. */
static int begin_of_run(
    struct reader *reader, enum reader_statement statement, int64_t run, bool *exists)
{
    *exists = false;
    int rc = reader_query_begin(reader);
    if (rc == SQLITE_OK)
        rc = run_exists(reader, run, exists);
    if (rc != SQLITE_OK)
        return rc;
    if (!*exists)
        return SQLITE_DONE;
    sqlite3_bind_int64(reader->statements[statement], 1, run);
    return sqlite3_step(reader->statements[statement]);
}

int reader_layers(struct reader *reader, int64_t run,
    void (*each)(void *ctx, const struct store_layer *), void *ctx)
{
    bool exists;
    sqlite3_stmt *row = reader->statements[READ_LAYERS];
    int rc = begin_of_run(reader, READ_LAYERS, run, &exists);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct store_layer layer = rows_layer(row);
        each(ctx, &layer);
    }
    return reader_query_end(reader, rc, exists);
}

int reader_last_values(struct reader *reader, int64_t run,
    void (*each)(void *ctx, const struct reader_last *), void *ctx)
{
    bool exists;
    sqlite3_stmt *row = reader->statements[READ_LAST_VALUES];
    int rc = begin_of_run(reader, READ_LAST_VALUES, run, &exists);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct reader_last last = {
            .layer_id = sqlite3_column_int64(row, 0),
            .layer = sql_text(row, 1),
            .metric = sql_text(row, 2),
            .step = sqlite3_column_int64(row, 3),
            .time = sqlite3_column_double(row, 4),
            .value = rows_value(row, 5),
        };
        each(ctx, &last);
    }
    return reader_query_end(reader, rc, exists);
}

int reader_series_names(struct reader *reader, int64_t run,
    void (*each)(void *ctx, const struct reader_name *), void *ctx)
{
    bool exists;
    sqlite3_stmt *row = reader->statements[READ_SERIES_NAMES];
    int rc = begin_of_run(reader, READ_SERIES_NAMES, run, &exists);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct reader_name name = {
            .attempt = (uint32_t)sqlite3_column_int64(row, 0),
            .layer_id = sqlite3_column_int64(row, 1),
            .layer = sql_text(row, 2),
            .metric = sql_text(row, 3),
        };
        each(ctx, &name);
    }
    return reader_query_end(reader, rc, exists);
}

/* Whether the run that a query of alerts names, if any, is there. */
static int named_run_exists(struct reader *reader, const char *key, bool *exists)
{
    *exists = true;
    if (!key)
        return SQLITE_OK;
    sql_bind_text(reader->statements[READ_RUN], 1, key);
    int rc = sqlite3_step(reader->statements[READ_RUN]);
    *exists = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int reader_alerts(struct reader *reader, const struct reader_alert_query *query,
    void (*each)(void *ctx, const struct reader_alert *), void *ctx)
{
    sqlite3_stmt *row = reader->statements[READ_ALERTS];
    bool found, exists;
    sql_bind_text(row, 1, query->run_key);
    sql_bind_text(row, 2, query->state ? alert_state_names[*query->state] : NULL);
    sql_bind_text(row, 3, query->severity ? alert_severity_names[*query->severity] : NULL);
    sqlite3_bind_double(row, 4, query->since);
    sqlite3_bind_int64(row, 5, query->id);
    sqlite3_bind_int64(row, 6, query->limit ? (int64_t)query->limit : -1);
    int rc = reader_query_begin(reader);
    if (rc == SQLITE_OK)
        rc = named_run_exists(reader, query->run_key, &exists);
    if (rc != SQLITE_OK)
        return reader_query_end(reader, rc, false);
    found = exists && query->id == 0;
    for (rc = sqlite3_step(row); rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        struct reader_alert alert = {
            .run_key = sql_text(row, ROWS_ALERT_COUNT),
            .acknowledged_at = sqlite3_column_double(row, ROWS_ALERT_COUNT + 1),
        };
        rc = rows_alert(row, &alert.row, &reader->error);
        if (rc != SQLITE_OK)
            break;
        found = true;
        each(ctx, &alert);
    }
    return reader_query_end(reader, rc, found);
}
