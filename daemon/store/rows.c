/* Columns to structs. */
#include "daemon/store/rows.h"

#include <math.h>

#include "daemon/store/sql.h"

static int unknown(
    struct error *error, const char *table, const char *key, const char *column, const char *text)
{
    error_set(
        error, "%s %s: the column '%s' has '%s', which has no meaning", table, key, column, text);
    return ROWS_UNKNOWN;
}

int rows_run(sqlite3_stmt *statement, struct store_run *run, struct error *error)
{
    *run = (struct store_run){
        .id = sqlite3_column_int64(statement, 0),
        .key = sql_text(statement, 1),
        .name = sql_text(statement, 2),
        .tags = sql_text(statement, 4),
        .attempt = (uint32_t)sqlite3_column_int64(statement, 5),
        .started_at = sqlite3_column_double(statement, 6),
        .last_seen_at = sqlite3_column_double(statement, 7),
        .last_step = sqlite3_column_int64(statement, 8),
        .dropped = (uint64_t)sqlite3_column_int64(statement, 9),
        .undefined = (uint64_t)sqlite3_column_int64(statement, 10),
        .owner = sqlite3_column_int64(statement, 11),
    };
    return run_state_parse(sql_text(statement, 3), &run->state) && run->state != RUN_NEW
               ? SQLITE_OK
               : unknown(error, "run", run->key, "state", sql_text(statement, 3));
}

int rows_session(sqlite3_stmt *statement, struct store_session *session, struct error *error)
{
    *session = (struct store_session){
        .run = sqlite3_column_int64(statement, 0),
        .key = sql_text(statement, 1),
        .client = sql_text(statement, 2),
        .attempt = (uint32_t)sqlite3_column_int64(statement, 3),
        .rank = (uint32_t)sqlite3_column_int64(statement, 4),
        .world = (uint32_t)sqlite3_column_int64(statement, 5),
        .dropped = (uint64_t)sqlite3_column_int64(statement, 7),
    };
    return session_state_parse(sql_text(statement, 6), &session->state) &&
                   session->state != SESSION_NEW
               ? SQLITE_OK
               : unknown(error, "session", session->key, "state", sql_text(statement, 6));
}

struct store_layer rows_layer(sqlite3_stmt *statement)
{
    return (struct store_layer){
        .id = sqlite3_column_int64(statement, 0),
        .run = sqlite3_column_int64(statement, 1),
        .name = sql_text(statement, 2),
        .kind = sql_text(statement, 3),
        .role = sql_text(statement, 4),
        .block = sql_text(statement, 5),
        .dtype = sql_text(statement, 6),
        .rows = (uint64_t)sqlite3_column_int64(statement, 7),
        .cols = (uint64_t)sqlite3_column_int64(statement, 8),
        .transposed = sqlite3_column_int(statement, 9) != 0,
    };
}

int rows_alert(sqlite3_stmt *statement, struct store_alert *alert, struct error *error)
{
    *alert = (struct store_alert){
        .id = sqlite3_column_int64(statement, 0),
        .run = sqlite3_column_int64(statement, 1),
        .attempt = (uint32_t)sqlite3_column_int64(statement, 2),
        .rule = sql_text(statement, 3),
        .title = sql_text(statement, 6),
        .summary = sql_text(statement, 7),
        .layers = sql_text(statement, 8),
        .evidence = sql_text(statement, 9),
        .observed = sqlite3_column_int(statement, 10) != 0,
        .started_step = sqlite3_column_int64(statement, 11),
        .last_step = sqlite3_column_int64(statement, 12),
        .started_at = sqlite3_column_double(statement, 13),
        .resolved_at = sqlite3_column_double(statement, 14),
        .recorded = true,
        .silenced = sqlite3_column_int(statement, 15) != 0,
        .notified = sqlite3_column_int(statement, 16) != 0,
    };
    if (!alert_severity_parse(sql_text(statement, 4), &alert->severity))
        return unknown(error, "alert", sql_text(statement, 0), "severity", sql_text(statement, 4));
    if (!alert_state_parse(sql_text(statement, 5), &alert->state))
        return unknown(error, "alert", sql_text(statement, 0), "state", sql_text(statement, 5));
    return SQLITE_OK;
}

static const char *text_or_null(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

struct store_silence rows_silence(sqlite3_stmt *statement)
{
    return (struct store_silence){
        .id = sqlite3_column_int64(statement, 0),
        .run = sql_text(statement, 1),
        .rule = text_or_null(statement, 2),
        .layer = text_or_null(statement, 3),
        .reason = sql_text(statement, 4),
        .created_by = sql_text(statement, 5),
        .created_at = sqlite3_column_double(statement, 6),
        .expires_at = sqlite3_column_double(statement, 7),
    };
}

double rows_value(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return NAN;
    return sqlite3_column_double(statement, column);
}
