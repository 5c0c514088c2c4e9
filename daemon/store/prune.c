/* The two tables have the same key, so the same statements serve both. */
#include "daemon/store/prune.h"

#include "daemon/store/sql.h"

enum { FIRST, NEWEST, SLICE_END, DELETE };

#define TEXTS_OF(table)                                                                            \
    {                                                                                              \
        [FIRST] = "SELECT step FROM " table " WHERE series_id = ?1 ORDER BY step LIMIT 1",         \
        [NEWEST] = "SELECT step FROM " table                                                       \
                   " WHERE series_id = ?1 ORDER BY step DESC LIMIT 1 OFFSET ?2",                   \
        [SLICE_END] = "SELECT step FROM " table                                                    \
                      " WHERE series_id = ?1 AND step <= ?2 ORDER BY step LIMIT 1 OFFSET 999",     \
        [DELETE] = "DELETE FROM " table " WHERE series_id = ?1 AND step <= ?2",                    \
    }

static const char *const texts[PRUNE_TABLES][PRUNE_STATEMENTS] = {
    [PRUNE_POINTS] = TEXTS_OF("point"),
    [PRUNE_HISTOGRAMS] = TEXTS_OF("histogram"),
};

int prune_open(struct prune *prune, sqlite3 *db, struct error *error)
{
    *prune = (struct prune){.db = db};
    for (size_t table = 0; table < PRUNE_TABLES; table++) {
        if (sql_prepare_all(db, texts[table], prune->statements[table], PRUNE_STATEMENTS, error)) {
            prune_close(prune);
            return -1;
        }
    }
    return 0;
}

void prune_close(struct prune *prune)
{
    for (size_t table = 0; table < PRUNE_TABLES; table++)
        sql_finalize_all(prune->statements[table], PRUNE_STATEMENTS);
}

/* The step that a statement finds. SQLITE_ROW, SQLITE_DONE, or an error. */
static int find_cutoff_step(sqlite3_stmt *statement, int64_t *step)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *step = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return rc;
}

int prune_cutoff(
    struct prune *prune, enum prune_table table, int64_t series, int64_t keep, int64_t *last)
{
    sqlite3_stmt *newest = prune->statements[table][NEWEST],
                 *oldest = prune->statements[table][FIRST];
    int64_t kept = 0, first = 0;
    sqlite3_bind_int64(newest, 1, series);
    sqlite3_bind_int64(newest, 2, keep - 1);
    int rc = find_cutoff_step(newest, &kept);
    if (rc != SQLITE_ROW)
        return rc;
    sqlite3_bind_int64(oldest, 1, series);
    rc = find_cutoff_step(oldest, &first);
    if (rc != SQLITE_ROW)
        return rc;
    if (first >= kept)
        return SQLITE_DONE;
    *last = first + (int64_t)(((uint64_t)kept - (uint64_t)first) / 8);
    return SQLITE_OK;
}

int prune_slice(struct prune *prune, enum prune_table table, int64_t series, int64_t last)
{
    sqlite3_stmt *slice_end = prune->statements[table][SLICE_END],
                 *delete = prune->statements[table][DELETE];
    int64_t end = last;
    sqlite3_bind_int64(slice_end, 1, series);
    sqlite3_bind_int64(slice_end, 2, last);
    int found = find_cutoff_step(slice_end, &end);
    if (found != SQLITE_ROW && found != SQLITE_DONE)
        return found;
    sqlite3_bind_int64(delete, 1, series);
    sqlite3_bind_int64(delete, 2, end);
    int rc = sql_run(delete);
    return rc == SQLITE_OK && found == SQLITE_DONE ? SQLITE_DONE : rc;
}
