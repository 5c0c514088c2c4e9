/* What is read back after a start, on a connection of its own: the writer may already be at
 * work. */
#include "daemon/store/catalog.h"

#include <stdio.h>
#include <string.h>

#include "daemon/store/rows.h"
#include "daemon/store/sql.h"

static int open_snapshot(const char *path, sqlite3 **db, struct error *error)
{
    if (sql_open_reader(db, path, error))
        return -1;
    if (sql_exec(*db, "BEGIN") == SQLITE_OK)
        return 0;
    error_set(error, "database %s: cannot be read: %s", path, sqlite3_errmsg(*db));
    sqlite3_close(*db);
    return -1;
}

static int see_run(const struct store_catalog *visitor, sqlite3_stmt *row, struct error *error)
{
    struct store_run run;
    int rc = rows_run(row, &run, error);
    if (rc == SQLITE_OK && visitor->run)
        visitor->run(visitor->ctx, &run);
    return rc;
}

static int see_attempt(const struct store_catalog *visitor, sqlite3_stmt *row, struct error *error)
{
    (void)error;
    const struct store_attempt attempt = {
        .run = sqlite3_column_int64(row, 0),
        .number = (uint32_t)sqlite3_column_int64(row, 1),
        .first_step = sqlite3_column_int64(row, 2),
        .started_at = sqlite3_column_double(row, 3),
    };
    if (visitor->attempt)
        visitor->attempt(visitor->ctx, &attempt);
    return SQLITE_OK;
}

static int see_session(const struct store_catalog *visitor, sqlite3_stmt *row, struct error *error)
{
    struct store_session session;
    int rc = rows_session(row, &session, error);
    if (rc == SQLITE_OK && visitor->session)
        visitor->session(visitor->ctx, &session);
    return rc;
}

static int see_layer(const struct store_catalog *visitor, sqlite3_stmt *row, struct error *error)
{
    (void)error;
    const struct store_layer layer = rows_layer(row);
    if (visitor->layer)
        visitor->layer(visitor->ctx, &layer);
    return SQLITE_OK;
}

static int see_baseline(const struct store_catalog *visitor, sqlite3_stmt *row, struct error *error)
{
    (void)error;
    struct baseline_row baseline = {
        .layer = sqlite3_column_int64(row, 0),
        .attempt = (uint32_t)sqlite3_column_int64(row, 1),
        .step = sqlite3_column_int64(row, 2),
        .bytes = (uint64_t)sqlite3_column_int64(row, 4),
        .checksum = (uint64_t)sqlite3_column_int64(row, 5),
    };
    snprintf(baseline.dtype, sizeof baseline.dtype, "%s", sql_text(row, 3));
    if (visitor->baseline)
        visitor->baseline(visitor->ctx, &baseline);
    return SQLITE_OK;
}

static int see_tracker(const struct store_catalog *visitor, sqlite3_stmt *row, struct error *error)
{
    (void)error;
    const struct store_tracker tracker = {
        .layer = sqlite3_column_int64(row, 0),
        .attempt = (uint32_t)sqlite3_column_int64(row, 1),
        .step = sqlite3_column_int64(row, 2),
        .state = sqlite3_column_blob(row, 3),
        .size = (size_t)sqlite3_column_bytes(row, 3),
    };
    if (visitor->tracker)
        visitor->tracker(visitor->ctx, &tracker);
    return SQLITE_OK;
}

static int see_alert(const struct store_catalog *visitor, sqlite3_stmt *row, struct error *error)
{
    struct store_alert alert;
    int rc = rows_alert(row, &alert, error);
    if (rc == SQLITE_OK && visitor->alert)
        visitor->alert(visitor->ctx, &alert);
    return rc;
}

static const struct {
    int (*see)(const struct store_catalog *visitor, sqlite3_stmt *row, struct error *error);
    const char *text;
} kinds[] = {
    {see_run, "SELECT " ROWS_RUN " FROM run r WHERE r.retired = 0 ORDER BY r.id"},
    {see_attempt,
        "SELECT a.run_id, a.number, coalesce(a.first_step, -1), a.started_at FROM attempt a"
        " JOIN run r ON r.id = a.run_id WHERE r.retired = 0 ORDER BY a.run_id, a.number"},
    {see_session,
        "SELECT " ROWS_SESSION
        " FROM session s JOIN run r ON r.id = s.run_id WHERE r.retired = 0 AND (s.state = 'open' OR"
        " s.attempt = r.attempt) ORDER BY s.run_id, s.key"},
    {see_layer, "SELECT " ROWS_LAYER
                " FROM layer l JOIN run r ON r.id = l.run_id WHERE r.retired = 0 ORDER BY l.id"},
    {see_baseline,
        "SELECT b.layer_id, b.attempt, b.step, b.dtype, b.bytes, b.checksum FROM baseline b"
        " JOIN layer l ON l.id = b.layer_id JOIN run r ON r.id = l.run_id WHERE r.retired = 0"
        " ORDER BY b.layer_id"},
    {see_tracker,
        "SELECT t.layer_id, t.attempt, t.step, t.state FROM tracker t"
        " JOIN layer l ON l.id = t.layer_id JOIN run r ON r.id = l.run_id WHERE r.retired = 0"
        " ORDER BY t.layer_id"},
    {see_alert, ROWS_FIRING},
};

/* Shows all rows of a statement. SQLITE_DONE; otherwise `error` says why not. */
static int see_all(
    sqlite3 *db, size_t kind, const struct store_catalog *visitor, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, kinds[kind].text, -1, &statement, NULL), seen = SQLITE_OK;
    while ((rc == SQLITE_OK || rc == SQLITE_ROW) && seen == SQLITE_OK) {
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW)
            seen = kinds[kind].see(visitor, statement, error);
    }
    if (seen == SQLITE_OK && rc != SQLITE_DONE)
        error_set(error, "cannot be read: %s", sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    return seen == SQLITE_OK ? rc : seen;
}

int catalog_read(const char *path, const struct store_catalog *visitor, struct error *error)
{
    sqlite3 *db;
    if (open_snapshot(path, &db, error))
        return -1;
    int rc = SQLITE_DONE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && rc == SQLITE_DONE; i++)
        rc = see_all(db, i, visitor, error);
    if (rc != SQLITE_DONE)
        error_at(error, "database %s", path);
    sqlite3_close(db);
    return rc == SQLITE_DONE ? 0 : -1;
}

/* The text of the query, with one parameter for each metric from ?3 on. Freed with sqlite3_free;
 * NULL: memory is short. */
static char *replay_text(size_t metrics)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendall(text, "SELECT s.layer_id, s.metric, p.step, p.time, p.value FROM series s"
                                " JOIN point p ON p.series_id = s.id"
                                " WHERE s.run_id = ?1 AND s.attempt = ?2 AND s.metric IN (");
    for (size_t i = 0; i < metrics; i++)
        sqlite3_str_appendf(text, "%s?%d", i ? ", " : "", (int)i + 3);
    sqlite3_str_appendall(text, ") ORDER BY p.step, p.time, s.id");
    return sqlite3_str_finish(text);
}

static struct figure figure_of_row(sqlite3_stmt *row, int64_t run, uint32_t attempt)
{
    struct figure figure = {
        .run = run,
        .layer = sqlite3_column_int64(row, 0),
        .step = sqlite3_column_int64(row, 2),
        .time = sqlite3_column_double(row, 3),
        .value = rows_value(row, 4),
        .attempt = attempt,
    };
    snprintf(figure.metric, sizeof figure.metric, "%s", sql_text(row, 1));
    return figure;
}

int catalog_replay(const char *path, int64_t run, uint32_t attempt, const char *const *metrics,
    void (*each)(void *ctx, const struct figure *), void *ctx, struct error *error)
{
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    size_t count = 0;
    while (metrics[count])
        count++;
    if (open_snapshot(path, &db, error))
        return -1;
    char *text = replay_text(count);
    int rc = text ? sqlite3_prepare_v2(db, text, -1, &statement, NULL) : SQLITE_NOMEM;
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, run);
        sqlite3_bind_int64(statement, 2, attempt);
        for (size_t i = 0; i < count; i++)
            sql_bind_text(statement, (int)i + 3, metrics[i]);
        rc = sqlite3_step(statement);
    }
    for (; rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
        const struct figure figure = figure_of_row(statement, run, attempt);
        each(ctx, &figure);
    }
    if (rc != SQLITE_DONE)
        error_set(error, "database %s: cannot be read: %s", path, sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    sqlite3_free(text);
    sqlite3_close(db);
    return rc == SQLITE_DONE ? 0 : -1;
}
