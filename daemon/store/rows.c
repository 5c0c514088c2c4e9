/* Columns to structs. */
#include "daemon/store/rows.h"

#include <math.h>

#include "daemon/store/sql.h"

struct store_run rows_run(sqlite3_stmt *statement)
{
    return (struct store_run){
        .id = sqlite3_column_int64(statement, 0),
        .key = sql_text(statement, 1),
        .name = sql_text(statement, 2),
        .state = sql_text(statement, 3),
        .tags = sql_text(statement, 4),
        .attempt = (uint32_t)sqlite3_column_int64(statement, 5),
        .started_at = sqlite3_column_double(statement, 6),
        .last_seen_at = sqlite3_column_double(statement, 7),
        .last_step = sqlite3_column_int64(statement, 8),
        .dropped = (uint64_t)sqlite3_column_int64(statement, 9),
        .undefined = (uint64_t)sqlite3_column_int64(statement, 10),
        .owner = sqlite3_column_int64(statement, 11),
    };
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
        .row_begin = (uint64_t)sqlite3_column_int64(statement, 10),
        .row_end = (uint64_t)sqlite3_column_int64(statement, 11),
    };
}

struct store_alert rows_alert(sqlite3_stmt *statement)
{
    return (struct store_alert){
        .id = sqlite3_column_int64(statement, 0),
        .run = sqlite3_column_int64(statement, 1),
        .attempt = (uint32_t)sqlite3_column_int64(statement, 2),
        .rule = sql_text(statement, 3),
        .severity = sql_text(statement, 4),
        .state = sql_text(statement, 5),
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
