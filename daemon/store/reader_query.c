/* Statements of readers; see reader_query.h. */
#include "daemon/store/reader_query.h"

#include "daemon/core/clock.h"
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

const char *const reader_query_texts[READ_COUNT] = {
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

int reader_query_begin(struct reader *reader)
{
    reader->deadline_ms = clock_ms() + READER_LIMIT_MS;
    return sql_exec(reader->db, "BEGIN");
}

int reader_query_end(struct reader *reader, int rc, bool found)
{
    if (rc == SQLITE_INTERRUPT && reader->stop)
        error_set(&reader->error, "the query was stopped");
    else if (rc == SQLITE_INTERRUPT)
        error_set(
            &reader->error, "the query took longer than %d ms and was stopped", READER_LIMIT_MS);
    else if (rc != SQLITE_DONE && rc != ROWS_UNKNOWN)
        error_set(&reader->error, "the database cannot be read: %s", sqlite3_errstr(rc));
    for (size_t i = 0; i < READ_COUNT; i++)
        sqlite3_reset(reader->statements[i]);
    reader->deadline_ms = UINT64_MAX; /* the end of the snapshot must not be interrupted */
    sql_rollback(reader->db);
    if (rc != SQLITE_DONE)
        return READER_FAILED;
    return found ? READER_OK : READER_NONE;
}

int reader_query_first(struct reader *reader, enum reader_statement statement)
{
    int rc = reader_query_begin(reader);

    return rc == SQLITE_OK ? sqlite3_step(reader->statements[statement]) : rc;
}
