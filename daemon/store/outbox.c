/* What an alert's change means for each notifier. */
#include "daemon/store/outbox.h"

#include <string.h>

#include "daemon/core/limits.h"
#include "daemon/store/rows.h"
#include "daemon/store/sql.h"

enum {
    SNAPSHOT,
    STATE,
    PUT,
    DROP_OPEN,
    DROP_UPDATE,
    DROP_OLDEST,
    DROP_AGED,
    COUNT_ROWS,
    RESOLVE_ENDED,
    FIRING,
    STATEMENT_COUNT
};
_Static_assert(STATEMENT_COUNT <= OUTBOX_STATEMENT_MAX, "room for all statements");

/* What makes two states of an alert that fires different for receivers, and what makes a
 * lane. */
#define FACE ", '$.severity', '$.title', '$.summary', '$.layers')"
#define LANE ", '$.run', '$.rule')"

static const char *const texts[STATEMENT_COUNT] = {
    [SNAPSHOT] = "SELECT json_object('id', a.id, 'run', r.key, 'rule', a.rule, 'severity',"
                 " a.severity, 'title', a.title, 'summary', a.summary, 'layers', json(a.layers),"
                 " 'evidence', json(a.evidence), 'started_step', a.started_step, 'started_at',"
                 " a.started_at, 'last_step', a.last_step, 'resolved_at', a.resolved_at)"
                 " FROM alert a JOIN run r ON r.id = a.run_id WHERE a.id = ?1 AND r.retired = 0",
    [STATE] = "SELECT t.alert IS NOT NULL, json_extract(t.alert" FACE " IS json_extract(?3" FACE
              ", json_extract(t.alert, '$.severity') IS json_extract(?3, '$.severity'), o.event,"
              " json_extract(o.alert" FACE " IS json_extract(?3" FACE
              ", EXISTS (SELECT 1 FROM outbox c WHERE"
              " c.notifier_id = ?1 AND c.alert_id = ?2 AND c.event = 'resolved')"
              " FROM (SELECT 1) LEFT JOIN notice t ON t.notifier_id = ?1 AND t.alert_id = ?2"
              " LEFT JOIN outbox o ON o.notifier_id = ?1 AND o.alert_id = ?2"
              " AND o.event != 'resolved'",
    /* In place of an older row, whose tries and time it takes over, unless it is to go at once (?6 is
     * 0) and that one only waited for more. */
    [PUT] = "INSERT OR REPLACE INTO outbox (notifier_id, alert_id, event, alert, lane, created_at,"
            " tries, next_at) SELECT ?1, ?2, ?3, ?4, json_extract(?4" LANE
            ", ?5, coalesce(max(tries), 0), CASE WHEN ?6 = 0 AND coalesce(max(tries), 0) = 0"
            " THEN 0.0 ELSE coalesce(max(next_at), ?6) END FROM outbox WHERE notifier_id = ?1"
            " AND alert_id = ?2 AND (event = 'resolved') = (?3 = 'resolved')",
    [DROP_OPEN] = "DELETE FROM outbox WHERE notifier_id = ?1 AND alert_id = ?2"
                  " AND event != 'resolved'",
    [DROP_UPDATE] = "DELETE FROM outbox WHERE notifier_id = ?1 AND alert_id = ?2"
                    " AND event = 'updated'",
    [DROP_OLDEST] = "DELETE FROM outbox WHERE id = (SELECT o.id FROM outbox o WHERE o.notifier_id ="
                    " ?1 ORDER BY NOT EXISTS (SELECT 1 FROM outbox n WHERE n.notifier_id = ?1 AND"
                    " n.alert_id = o.alert_id AND n.id > o.id), o.id LIMIT 1)",
    [DROP_AGED] = "DELETE FROM outbox WHERE notifier_id = ?1 AND created_at < ?2 AND NOT (event !="
                  " 'resolved' AND EXISTS (SELECT 1 FROM alert a WHERE a.id = alert_id AND"
                  " a.state = 'firing'))",
    [COUNT_ROWS] = "SELECT count(*) FROM outbox WHERE notifier_id = ?1",
    /* ?2 and ?3 NULL: all notices. */
    [RESOLVE_ENDED] =
        "INSERT INTO outbox (notifier_id, alert_id, event, alert, lane, created_at, tries,"
        " next_at) SELECT t.notifier_id, t.alert_id, 'resolved', json_set(t.alert,"
        " '$.resolved_at', coalesce(a.resolved_at, ?1)), json_extract(t.alert" LANE
        ", ?1, 0, 0 FROM notice t"
        " LEFT JOIN alert a ON a.id = t.alert_id LEFT JOIN run r ON r.id = a.run_id"
        " WHERE (?2 IS NULL OR (t.notifier_id = ?2 AND t.alert_id = ?3))"
        " AND (a.id IS NULL OR r.retired = 1 OR a.state != 'firing' OR a.observed = 1)"
        " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.notifier_id = t.notifier_id"
        " AND o.alert_id = t.alert_id AND o.event = 'resolved')",
    [FIRING] = ROWS_FIRING,
};

int outbox_open(struct outbox *outbox, sqlite3 *db, struct error *error)
{
    *outbox = (struct outbox){.db = db};
    if (notifier_table_open(&outbox->notifiers, db, error))
        return -1;
    return sql_prepare_all(db, texts, outbox->statements, STATEMENT_COUNT, error);
}

void outbox_close(struct outbox *outbox)
{
    notifier_table_close(&outbox->notifiers);
    sql_finalize_all(outbox->statements, STATEMENT_COUNT);
}

static int count_dropped(struct outbox *outbox, const struct notifier_entry *notifier)
{
    int dropped = sqlite3_changes(outbox->db);
    if (dropped == 0)
        return SQLITE_OK;
    outbox->dropped += (uint64_t)dropped;
    memcpy(outbox->dropped_of, notifier->name, sizeof notifier->name);
    return notifier_table_count(
        &outbox->notifiers, notifier, (struct notifier_counts){.dropped = dropped});
}

int outbox_drop_aged(struct outbox *outbox, const struct notifier_entry *notifier, double now)
{
    sqlite3_stmt *statement = outbox->statements[DROP_AGED];
    sqlite3_bind_int64(statement, 1, notifier->id);
    sqlite3_bind_double(statement, 2, now - LIMIT_OUTBOX_AGE_SECONDS);
    int rc = sql_run(statement);
    return rc == SQLITE_OK ? count_dropped(outbox, notifier) : rc;
}

static int keep_bound(struct outbox *outbox, const struct notifier_entry *notifier)
{
    sqlite3_stmt *count = outbox->statements[COUNT_ROWS], *drop = outbox->statements[DROP_OLDEST];
    sqlite3_bind_int64(count, 1, notifier->id);
    int rc = sqlite3_step(count);
    bool over = rc == SQLITE_ROW && sqlite3_column_int64(count, 0) > LIMIT_OUTBOX_ROWS;
    sqlite3_reset(count);
    if (!over)
        return rc == SQLITE_ROW ? SQLITE_OK : rc;
    sqlite3_bind_int64(drop, 1, notifier->id);
    rc = sql_run(drop);
    return rc == SQLITE_OK ? count_dropped(outbox, notifier) : rc;
}

/* `at`: not before this time; 0: at once. */
static int put_row(struct outbox *outbox, const struct notifier_entry *notifier, int64_t alert,
    const char *event, const char *snapshot, double now, double at)
{
    sqlite3_stmt *statement = sql_bind_ids(outbox->statements[PUT], notifier->id, alert);
    sql_bind_text(statement, 3, event);
    sql_bind_text(statement, 4, snapshot);
    sqlite3_bind_double(statement, 5, now);
    sqlite3_bind_double(statement, 6, at);
    int rc = sql_run(statement);
    return rc == SQLITE_OK ? keep_bound(outbox, notifier) : rc;
}

int outbox_resolve_ended(struct outbox *outbox, double now)
{
    sqlite3_stmt *statement = outbox->statements[RESOLVE_ENDED];
    sqlite3_clear_bindings(statement);
    sqlite3_bind_double(statement, 1, now);
    return sql_run(statement);
}

int outbox_resolve_if_ended(
    struct outbox *outbox, const struct notifier_entry *notifier, int64_t alert, double now)
{
    sqlite3_stmt *statement = outbox->statements[RESOLVE_ENDED];
    sqlite3_bind_double(statement, 1, now);
    sqlite3_bind_int64(statement, 2, notifier->id);
    sqlite3_bind_int64(statement, 3, alert);
    return sql_run(statement);
}

/* What a notifier was notified of, and what is pending for it. */
struct outbox_state {
    bool noticed, noticed_same, noticed_severity; /* a notice; it looks, or is as severe, as now */
    bool open, open_same, open_is_first; /* a row that it fires; it has the event "firing" */
    bool closing;                        /* a row that it is resolved */
};

static int read_state(struct outbox *outbox, const struct notifier_entry *notifier, int64_t alert,
    const char *snapshot, struct outbox_state *state)
{
    sqlite3_stmt *row = sql_bind_ids(outbox->statements[STATE], notifier->id, alert);
    sql_bind_text(row, 3, snapshot);
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        *state = (struct outbox_state){
            .noticed = sqlite3_column_int(row, 0) != 0,
            .noticed_same = sqlite3_column_int(row, 1) != 0,
            .noticed_severity = sqlite3_column_int(row, 2) != 0,
            .open = sqlite3_column_type(row, 3) != SQLITE_NULL,
            .open_is_first = strcmp(sql_text(row, 3), "firing") == 0,
            .open_same = sqlite3_column_int(row, 4) != 0,
            .closing = sqlite3_column_int(row, 5) != 0,
        };
    sqlite3_reset(row);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* The event to notify of, for an alert that fires; NULL: nothing new. */
static const char *event_of(const struct outbox_state *state, bool again)
{
    if (again || state->closing)
        return "firing";
    if (state->open)
        return state->open_same ? NULL : state->open_is_first ? "firing" : "updated";
    if (!state->noticed)
        return "firing";
    return state->noticed_same ? NULL : "updated";
}

static int queue_firing(struct outbox *outbox, const struct notifier_entry *notifier,
    const struct store_alert *alert, const struct outbox_state *state, const char *snapshot,
    bool again, double now)
{
    const char *event = notifier_table_wants(notifier, alert) ? event_of(state, again) : NULL;
    bool waits = event && strcmp(event, "updated") == 0 && state->noticed_severity;
    if (!event)
        return SQLITE_OK;
    return put_row(
        outbox, notifier, alert->id, event, snapshot, now, waits ? now + LIMIT_UPDATE_SECONDS : 0);
}

/* A pending change goes with the end. */
static int queue_resolved(struct outbox *outbox, const struct notifier_entry *notifier,
    int64_t alert, const struct outbox_state *state, const char *snapshot, double now)
{
    if (!state->noticed && !state->open)
        return SQLITE_OK;
    int rc = sql_run(sql_bind_ids(outbox->statements[DROP_UPDATE], notifier->id, alert));
    return rc == SQLITE_OK ? put_row(outbox, notifier, alert, "resolved", snapshot, now, 0) : rc;
}

static int queue_change(struct outbox *outbox, const struct notifier_entry *notifier,
    const struct store_alert *alert, const char *snapshot, bool again, double now)
{
    struct outbox_state state = {0};
    int rc = read_state(outbox, notifier, alert->id, snapshot, &state);
    if (rc != SQLITE_OK)
        return rc;
    if (alert->state != ALERT_FIRING)
        return queue_resolved(outbox, notifier, alert->id, &state, snapshot, now);
    if (!alert->silenced && !alert->observed)
        return queue_firing(outbox, notifier, alert, &state, snapshot, again, now);
    rc = sql_run(sql_bind_ids(outbox->statements[DROP_OPEN], notifier->id, alert->id));
    return rc == SQLITE_OK ? outbox_resolve_if_ended(outbox, notifier, alert->id, now) : rc;
}

int outbox_alert(struct outbox *outbox, const struct store_alert *alert, bool again, double now)
{
    sqlite3_stmt *row = outbox->statements[SNAPSHOT];
    if (outbox->notifiers.count == 0)
        return SQLITE_OK;
    sqlite3_bind_int64(row, 1, alert->id);
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        const char *snapshot = sql_text(row, 0);
        rc = SQLITE_OK;
        for (size_t i = 0; i < outbox->notifiers.count && rc == SQLITE_OK; i++)
            rc = queue_change(outbox, &outbox->notifiers.list[i], alert, snapshot, again, now);
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK; /* of a run that is retired */
    }
    sqlite3_reset(row);
    return rc;
}

/* Queues what fires for those who were not notified of it yet. */
static int catch_up(struct outbox *outbox, double now, struct error *error)
{
    sqlite3_stmt *row = outbox->statements[FIRING];
    int rc = sqlite3_step(row);
    while (rc == SQLITE_ROW) {
        struct store_alert alert;
        rc = rows_alert(row, &alert, error);
        if (rc == SQLITE_OK)
            rc = outbox_alert(outbox, &alert, false, now);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(row);
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int outbox_register(struct outbox *outbox, const struct store_notifier *list, size_t count,
    double now, struct error *error)
{
    int rc = notifier_table_set(&outbox->notifiers, list, count);
    if (rc == SQLITE_OK)
        rc = outbox_resolve_ended(outbox, now);
    return rc == SQLITE_OK ? catch_up(outbox, now, error) : rc;
}
