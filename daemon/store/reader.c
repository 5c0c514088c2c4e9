/* Runs, layers, newest values, names and alerts. */
#include "daemon/store/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/core/clock.h"
#include "daemon/store/internal.h"
#include "daemon/store/reader_internal.h"
#include "daemon/store/rows.h"
#include "daemon/store/sql.h"

#define RUN_COUNTS                                                                                 \
    ", (SELECT count(*) FROM layer l WHERE l.run_id = r.id AND l.kind = 'layer')"                  \
    ", (SELECT count(*) FROM alert a WHERE a.run_id = r.id AND a.state = 'firing')"                \
    ", (SELECT count(*) FROM session s WHERE s.run_id = r.id AND s.state = 'open')"
#define FIRST_OF(table)                                                                            \
    "SELECT step FROM " table                                                                      \
    " WHERE series_id = ?1 AND step BETWEEN ?2 AND ?3 ORDER BY step LIMIT 1"
#define LAST_OF(table)                                                                             \
    "SELECT step FROM " table                                                                      \
    " WHERE series_id = ?1 AND step BETWEEN ?2 AND ?3 ORDER BY step DESC LIMIT 1"

static const char *const texts[READ_COUNT] = {
    [READ_RUNS] =
        "SELECT " ROWS_RUN RUN_COUNTS " FROM run r WHERE r.retired = 0 ORDER BY r.id DESC",
    [READ_RUN] = "SELECT " ROWS_RUN RUN_COUNTS " FROM run r WHERE r.retired = 0 AND r.key = ?1",
    [READ_RUN_EXISTS] = "SELECT 1 FROM run WHERE retired = 0 AND id = ?1",
    [READ_LAYERS] = "SELECT " ROWS_LAYER " FROM layer l WHERE l.run_id = ?1 ORDER BY l.id",
    [READ_LAST_VALUES] =
        "SELECT s.layer_id, coalesce(l.name, ''), s.metric, p.step, p.time, p.value"
        " FROM series s JOIN run r ON r.id = s.run_id AND r.attempt = s.attempt LEFT"
        " JOIN layer l ON l.id = s.layer_id CROSS JOIN point p ON p.series_id = s.id"
        " AND p.step = (SELECT max(step) FROM point WHERE series_id = s.id) WHERE"
        " s.run_id = ?1 ORDER BY s.layer_id, s.metric",
    [READ_SERIES_NAMES] =
        "SELECT s.attempt, s.layer_id, coalesce(l.name, ''), s.metric"
        " FROM series s LEFT JOIN layer l ON l.id = s.layer_id WHERE s.run_id = ?1"
        " ORDER BY s.layer_id, s.metric, s.attempt",
    [READ_ALERTS] = "SELECT " ROWS_ALERT ", r.key, coalesce(a.acknowledged_at, 0) FROM alert a"
                    " JOIN run r ON r.id = a.run_id WHERE r.retired = 0"
                    " AND (?1 IS NULL OR r.key = ?1) AND (?2 IS NULL OR a.state = ?2)"
                    " AND (?3 IS NULL OR a.severity = ?3) AND (?4 <= 0 OR a.started_at >= ?4 OR "
                    "a.resolved_at >= ?4)"
                    " AND (?5 = 0 OR a.id = ?5) ORDER BY a.id DESC LIMIT ?6",
    /* First the attempts of the run, jumping from one to the next in the index, whose columns are run, attempt, layer and
     * metric: else each question would walk through all series of the run. */
    [READ_SERIES] =
        "WITH RECURSIVE n(attempt) AS (SELECT min(attempt) FROM series WHERE run_id = ?1 UNION ALL"
        " SELECT (SELECT min(attempt) FROM series WHERE run_id = ?1 AND attempt > n.attempt)"
        " FROM n WHERE n.attempt IS NOT NULL)"
        " SELECT s.id, s.attempt FROM run r CROSS JOIN n CROSS JOIN series s WHERE"
        " r.id = ?1 AND r.retired = 0 AND s.run_id = ?1 AND s.attempt = n.attempt AND"
        " s.layer_id = ?2 AND s.metric = ?3 AND (?4 = 0 OR n.attempt = ?4) ORDER BY s.attempt",
    [READ_POINT_FIRST] = FIRST_OF("point"),
    [READ_POINT_LAST] = LAST_OF("point"),
    [READ_POINTS] = "SELECT step, time, value FROM point WHERE series_id = ?1 AND step BETWEEN ?2"
                    " AND ?3 ORDER BY step",
    [READ_HISTOGRAM_FIRST] = FIRST_OF("histogram"),
    [READ_HISTOGRAM_LAST] = LAST_OF("histogram"),
    [READ_HISTOGRAMS] = "SELECT step, time, counts FROM histogram WHERE series_id = ?1 AND step"
                        " BETWEEN ?2 AND ?3 ORDER BY step",
    [READ_SILENCES] = "SELECT " ROWS_SILENCE " FROM silence s WHERE ?1 = 0 OR s.id = ?1"
                      " ORDER BY s.expires_at, s.id",
    [READ_NOTIFIERS] = "SELECT n.name, n.delivered, n.failed, n.dropped, n.retries,"
                       " (SELECT count(*) FROM outbox o WHERE o.notifier_id = n.id)"
                       " FROM notifier n ORDER BY n.name",
    [READ_DUE] = "SELECT o.id, o.alert_id, n.key, o.event, o.alert, t.alert, o.tries, o.next_at"
                 " FROM notifier n JOIN outbox o ON o.id = (SELECT f.id FROM outbox f INDEXED BY"
                 " outbox_by_lane WHERE f.notifier_id = n.id AND NOT EXISTS (SELECT 1 FROM outbox e"
                 " WHERE e.notifier_id = n.id AND e.lane = f.lane AND e.id < f.id)"
                 " ORDER BY f.next_at, f.id LIMIT 1) LEFT JOIN notice t ON t.notifier_id = n.id"
                 " AND t.alert_id = o.alert_id WHERE n.name = ?1",
    [READ_NOTICES] = "SELECT t.alert_id, t.alert FROM notifier n JOIN notice t ON t.notifier_id ="
                     " n.id JOIN alert a ON a.id = t.alert_id WHERE n.name = ?1 AND t.alert_id > ?2"
                     " AND a.state = 'firing' AND a.observed = 0 ORDER BY t.alert_id LIMIT ?3",
};

static int must_stop(void *ctx)
{
    const struct reader *reader = ctx;
    if (reader->deadline_ms == UINT64_MAX)
        return 0;
    return reader->stop ? reader->stop(reader->stop_ctx) : clock_ms() > reader->deadline_ms;
}

void reader_watch(struct reader *reader, bool (*stop)(void *ctx), void *ctx)
{
    reader->stop = stop;
    reader->stop_ctx = ctx;
}

int reader_open(struct reader **out, const char *state_dir, char *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    char *path = statedir_file(state_dir, STORE_DATABASE);
    int rc = -1;
    *out = NULL;
    if (!reader || !path) {
        snprintf(err, STORE_ERROR_MAX, "the database in %s cannot be opened: memory is short",
            state_dir);
    } else if (sql_open_reader(&reader->db, path, err) == 0) {
        reader->deadline_ms = UINT64_MAX;
        sqlite3_progress_handler(reader->db, 10000, must_stop, reader);
        rc = sql_prepare_all(reader->db, texts, reader->statements, READ_COUNT, err);
    }
    free(path);
    if (rc)
        reader_close(&reader);
    *out = reader;
    return rc;
}

void reader_close(struct reader **reader)
{
    if (!*reader)
        return;
    sql_finalize_all((*reader)->statements, READ_COUNT);
    sqlite3_close((*reader)->db);
    free(*reader);
    *reader = NULL;
}

const char *reader_error(const struct reader *reader)
{
    return reader->error;
}

int reader_begin(struct reader *reader)
{
    reader->deadline_ms = clock_ms() + READER_LIMIT_MS;
    return sql_exec(reader->db, "BEGIN");
}

int reader_end(struct reader *reader, int rc, bool found)
{
    if (rc == SQLITE_INTERRUPT && reader->stop)
        snprintf(reader->error, sizeof reader->error, "the query was stopped");
    else if (rc == SQLITE_INTERRUPT)
        snprintf(reader->error, sizeof reader->error,
            "the query took longer than %d ms and was stopped", READER_LIMIT_MS);
    else if (rc != SQLITE_DONE)
        snprintf(reader->error, sizeof reader->error, "the database cannot be read: %s",
            sqlite3_errstr(rc));
    for (size_t i = 0; i < READ_COUNT; i++)
        sqlite3_reset(reader->statements[i]);
    reader->deadline_ms = UINT64_MAX; /* the end of the snapshot must not be interrupted */
    sql_rollback(reader->db);
    if (rc != SQLITE_DONE)
        return READER_FAILED;
    return found ? READER_OK : READER_NONE;
}

/* Whether a run with this id is there. An SQLite code, SQLITE_OK when that could be told. */
static int run_exists(struct reader *reader, int64_t run, bool *exists)
{
    sqlite3_bind_int64(reader->statements[READ_RUN_EXISTS], 1, run);
    int rc = sqlite3_step(reader->statements[READ_RUN_EXISTS]);
    *exists = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int each_run(sqlite3_stmt *row, int rc, void (*each)(void *ctx, const struct reader_run *),
    void *ctx, bool *found)
{
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct reader_run run = {
            .row = rows_run(row),
            .layers = (uint64_t)sqlite3_column_int64(row, ROWS_RUN_COUNT),
            .alerts_firing = (uint64_t)sqlite3_column_int64(row, ROWS_RUN_COUNT + 1),
            .sessions_open = (uint64_t)sqlite3_column_int64(row, ROWS_RUN_COUNT + 2),
        };
        *found = true;
        each(ctx, &run);
    }
    return rc;
}

int reader_runs(
    struct reader *reader, void (*each)(void *ctx, const struct reader_run *), void *ctx)
{
    bool found;
    int rc = each_run(reader->statements[READ_RUNS], reader_begin(reader), each, ctx, &found);
    return reader_end(reader, rc, true);
}

int reader_run(struct reader *reader, const char *key,
    void (*each)(void *ctx, const struct reader_run *), void *ctx)
{
    bool found = false;
    sqlite3_stmt *row = reader->statements[READ_RUN];
    sql_bind_text(row, 1, key);
    int rc = each_run(row, reader_begin(reader), each, ctx, &found);
    return reader_end(reader, rc, found);
}

/* Begins a query for the rows of a run that must be there. The first step's code, or the code
 * that ended it. */
static int begin_of_run(
    struct reader *reader, enum reader_statement statement, int64_t run, bool *exists)
{
    *exists = false;
    int rc = reader_begin(reader);
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
    return reader_end(reader, rc, exists);
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
    return reader_end(reader, rc, exists);
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
    return reader_end(reader, rc, exists);
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
    sql_bind_text(row, 2, query->state);
    sql_bind_text(row, 3, query->severity);
    sqlite3_bind_double(row, 4, query->since);
    sqlite3_bind_int64(row, 5, query->id);
    sqlite3_bind_int64(row, 6, query->limit ? (int64_t)query->limit : -1);
    int rc = reader_begin(reader);
    if (rc == SQLITE_OK)
        rc = named_run_exists(reader, query->run_key, &exists);
    if (rc != SQLITE_OK)
        return reader_end(reader, rc, false);
    found = exists && query->id == 0;
    rc = sqlite3_step(row);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        const struct reader_alert alert = {
            .row = rows_alert(row),
            .run_key = sql_text(row, ROWS_ALERT_COUNT),
            .acknowledged_at = sqlite3_column_double(row, ROWS_ALERT_COUNT + 1),
        };
        found = true;
        each(ctx, &alert);
    }
    return reader_end(reader, rc, found);
}
