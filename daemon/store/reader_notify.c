/* Silences, notifiers, and what those have to deliver. */
#include "daemon/store/reader_notify.h"

#include "daemon/store/reader_query.h"
#include "daemon/store/rows.h"
#include "daemon/store/sql.h"

int reader_silences(struct reader *reader, int64_t id,
    void (*each)(void *ctx, const struct store_silence *), void *ctx)
{
    sqlite3_stmt *row = reader->statements[READ_SILENCES];
    bool found = id == 0;
    sqlite3_bind_int64(row, 1, id);
    int rc = reader_query_first(reader, READ_SILENCES);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct store_silence silence = rows_silence(row);
        found = true;
        each(ctx, &silence);
    }
    return reader_query_end(reader, rc, found);
}

int reader_notifiers(
    struct reader *reader, void (*each)(void *ctx, const struct reader_notifier *), void *ctx)
{
    sqlite3_stmt *row = reader->statements[READ_NOTIFIERS];
    int rc = reader_query_first(reader, READ_NOTIFIERS);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct reader_notifier notifier = {
            .name = sql_text(row, 0),
            .delivered = (uint64_t)sqlite3_column_int64(row, 1),
            .failed = (uint64_t)sqlite3_column_int64(row, 2),
            .dropped = (uint64_t)sqlite3_column_int64(row, 3),
            .retries = (uint64_t)sqlite3_column_int64(row, 4),
            .waiting = (uint64_t)sqlite3_column_int64(row, 5),
        };
        each(ctx, &notifier);
    }
    return reader_query_end(reader, rc, true);
}

int reader_due(struct reader *reader, const char *notifier,
    void (*each)(void *ctx, const struct reader_due *), void *ctx)
{
    sqlite3_stmt *row = reader->statements[READ_DUE];
    bool found = false;
    sql_bind_text(row, 1, notifier);
    int rc = reader_query_first(reader, READ_DUE);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct reader_due due = {
            .row = sqlite3_column_int64(row, 0),
            .alert_id = sqlite3_column_int64(row, 1),
            .key = sql_text(row, 2),
            .event = sql_text(row, 3),
            .alert = sql_text(row, 4),
            .noticed = sql_text(row, 5),
            .tries = (unsigned)sqlite3_column_int(row, 6),
            .next_at = sqlite3_column_double(row, 7),
        };
        found = true;
        each(ctx, &due);
    }
    return reader_query_end(reader, rc, found);
}

int reader_notices(struct reader *reader, const char *notifier, int64_t after, size_t limit,
    void (*each)(void *ctx, const struct reader_notice *), void *ctx)
{
    sqlite3_stmt *row = reader->statements[READ_NOTICES];
    sql_bind_text(row, 1, notifier);
    sqlite3_bind_int64(row, 2, after);
    sqlite3_bind_int64(row, 3, (int64_t)limit);
    int rc = reader_query_first(reader, READ_NOTICES);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct reader_notice notice = {
            .alert_id = sqlite3_column_int64(row, 0), .alert = sql_text(row, 1)};
        each(ctx, &notice);
    }
    return reader_query_end(reader, rc, true);
}
