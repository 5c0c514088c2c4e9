/* Patterns are matched by SQLite: GLOB for patterns, equality for names that look like one. */
#include "daemon/store/silencer.h"

#include <math.h>
#include <stdio.h>

#include "daemon/store/rows.h"
#include "daemon/store/sql.h"

enum { COVERS, ADD, END, EXPIRE, NEXT_EXPIRY, FIRING, MARK, STATEMENT_COUNT };
_Static_assert(STATEMENT_COUNT <= SILENCER_STATEMENT_MAX, "room for all statements");

static const char *const texts[STATEMENT_COUNT] = {
    /* ?1 run, ?2 rule, ?3 layers, ?4 evidence: evidence of the layer '' is about the run itself. */
    [COVERS] =
        "WITH fits AS MATERIALIZED (SELECT s.layer FROM silence s JOIN run r ON r.id = ?1"
        " WHERE (s.run = r.key OR r.key GLOB s.run) AND (s.rule IS NULL OR s.rule = ?2))"
        " SELECT EXISTS (SELECT 1 FROM fits WHERE layer IS NULL)"
        " OR (json_array_length(?3) > 0"
        " AND NOT EXISTS (SELECT 1 FROM json_each(?4) e WHERE json_extract(e.value, '$.layer')"
        " = '')"
        " AND NOT EXISTS (SELECT 1 FROM json_each(?3) l WHERE NOT EXISTS"
        " (SELECT 1 FROM fits f WHERE l.value = f.layer OR l.value GLOB f.layer)))",
    [ADD] = "INSERT INTO silence (id, run, rule, layer, reason, created_by, created_at, expires_at)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
    [END] = "DELETE FROM silence WHERE id = ?1",
    [EXPIRE] = "DELETE FROM silence WHERE expires_at <= ?1",
    [NEXT_EXPIRY] = "SELECT min(expires_at) FROM silence",
    [FIRING] = ROWS_FIRING,
    [MARK] = "UPDATE alert SET silenced = ?2, notified = ?3 WHERE id = ?1",
};

static int look_ahead(struct silencer *silencer)
{
    sqlite3_stmt *row = silencer->statements[NEXT_EXPIRY];
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        atomic_store(&silencer->next_expiry,
            sqlite3_column_type(row, 0) == SQLITE_NULL ? INFINITY : sqlite3_column_double(row, 0));
    sqlite3_reset(row);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int silencer_open(struct silencer *silencer, sqlite3 *db, struct error *error)
{
    *silencer = (struct silencer){.db = db};
    if (sql_prepare_all(db, texts, silencer->statements, STATEMENT_COUNT, error))
        return -1;
    if (look_ahead(silencer) == SQLITE_OK)
        return 0;
    error_set(error, "the silences cannot be read: %s", sqlite3_errmsg(db));
    silencer_close(silencer);
    return -1;
}

void silencer_close(struct silencer *silencer)
{
    sql_finalize_all(silencer->statements, STATEMENT_COUNT);
}

int silencer_covers(struct silencer *silencer, const struct store_alert *alert, bool *covered)
{
    sqlite3_stmt *row = silencer->statements[COVERS];
    sqlite3_bind_int64(row, 1, alert->run);
    sql_bind_text(row, 2, alert->rule);
    sql_bind_text(row, 3, alert->layers);
    sql_bind_text(row, 4, alert->evidence);
    int rc = sqlite3_step(row);
    *covered = rc == SQLITE_ROW && sqlite3_column_int(row, 0) != 0;
    sqlite3_reset(row);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int silencer_add(struct silencer *silencer, const struct store_silence *silence)
{
    sqlite3_stmt *statement = silencer->statements[ADD];
    sqlite3_bind_int64(statement, 1, silence->id);
    sql_bind_text(statement, 2, silence->run);
    sql_bind_text(statement, 3, silence->rule);
    sql_bind_text(statement, 4, silence->layer);
    sql_bind_text(statement, 5, silence->reason);
    sql_bind_text(statement, 6, silence->created_by);
    sqlite3_bind_double(statement, 7, silence->created_at);
    sqlite3_bind_double(statement, 8, silence->expires_at);
    int rc = sql_run(statement);
    return rc == SQLITE_OK ? look_ahead(silencer) : rc;
}

int silencer_end(struct silencer *silencer, int64_t silence)
{
    sqlite3_bind_int64(silencer->statements[END], 1, silence);
    int rc = sql_run(silencer->statements[END]);
    return rc == SQLITE_OK ? look_ahead(silencer) : rc;
}

int silencer_expire(struct silencer *silencer, double now)
{
    sqlite3_bind_double(silencer->statements[EXPIRE], 1, now);
    int rc = sql_run(silencer->statements[EXPIRE]);
    return rc == SQLITE_OK ? look_ahead(silencer) : rc;
}

/* One alert that fires: `silenced` in the row against what the silences say now. */
static int review_alert(struct silencer *silencer, struct store_alert *alert,
    int (*changed)(void *ctx, const struct store_alert *), void *ctx)
{
    sqlite3_stmt *mark = silencer->statements[MARK];
    bool covered;
    int rc = silencer_covers(silencer, alert, &covered);
    if (rc != SQLITE_OK || covered == alert->silenced)
        return rc;
    alert->silenced = covered;
    alert->notified |= !covered && !alert->observed;
    sqlite3_bind_int64(mark, 1, alert->id);
    sqlite3_bind_int(mark, 2, alert->silenced);
    sqlite3_bind_int(mark, 3, alert->notified);
    rc = sql_run(mark);
    return rc == SQLITE_OK ? changed(ctx, alert) : rc;
}

int silencer_review(struct silencer *silencer,
    int (*changed)(void *ctx, const struct store_alert *), void *ctx, struct error *error)
{
    sqlite3_stmt *row = silencer->statements[FIRING];
    int rc = sqlite3_step(row);
    while (rc == SQLITE_ROW) {
        struct store_alert alert;
        rc = rows_alert(row, &alert, error);
        if (rc == SQLITE_OK)
            rc = review_alert(silencer, &alert, changed, ctx);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(row);
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}
