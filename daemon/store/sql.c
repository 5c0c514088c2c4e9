/* Connections and prepared statements. */
#include "daemon/store/sql.h"

#include <stdio.h>
#include <string.h>

#include "daemon/store/store.h"

int sql_open(sqlite3 **db, const char *path, int flags, struct error *error)
{
    int rc = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*db, SQL_BUSY_TIMEOUT_MS);
    if (rc == SQLITE_OK)
        rc = sql_exec(*db,
            "PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY;");
    if (rc == SQLITE_OK)
        return 0;
    error_set(
        error, "%s: cannot be opened: %s", path, *db ? sqlite3_errmsg(*db) : sqlite3_errstr(rc));
    sqlite3_close(*db);
    *db = NULL;
    return -1;
}

int sql_open_reader(sqlite3 **db, const char *path, struct error *error)
{
    if (sql_open(db, path, SQLITE_OPEN_READONLY, error))
        return -1;
    if (sql_exec(*db, "PRAGMA query_only = 1; PRAGMA cache_size = -8192;") == SQLITE_OK)
        return 0;
    error_set(error, "%s: cannot be read: %s", path, sqlite3_errmsg(*db));
    sqlite3_close(*db);
    *db = NULL;
    return -1;
}

int sql_exec(sqlite3 *db, const char *text)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL);
}

int sql_get_int(sqlite3 *db, const char *text, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *value = sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return rc;
}

int sql_rollback(sqlite3 *db)
{
    return sqlite3_get_autocommit(db) ? SQLITE_OK : sql_exec(db, "ROLLBACK");
}

int sql_prepare_all(sqlite3 *db, const char *const *texts, sqlite3_stmt **statements, size_t count,
    struct error *error)
{
    memset(statements, 0, count * sizeof *statements);
    for (size_t i = 0; i < count; i++) {
        if (sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL) ==
            SQLITE_OK)
            continue;
        error_set(
            error, "the database refuses a statement: %s (%.200s)", sqlite3_errmsg(db), texts[i]);
        sql_finalize_all(statements, count);
        return -1;
    }
    return 0;
}

void sql_finalize_all(sqlite3_stmt **statements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_finalize(statements[i]);
        statements[i] = NULL;
    }
}

int sql_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

sqlite3_stmt *sql_bind_ids(sqlite3_stmt *statement, int64_t first, int64_t second)
{
    sqlite3_bind_int64(statement, 1, first);
    sqlite3_bind_int64(statement, 2, second);
    return statement;
}

void sql_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

const char *sql_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    return text ? (const char *)text : "";
}
