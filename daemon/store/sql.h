/* What every connection to the database has in common: how it is opened, and statements that are
 * prepared once. */
#ifndef FORESHOCK_STORE_SQL_H
#define FORESHOCK_STORE_SQL_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/error.h"

#define SQL_BUSY_TIMEOUT_MS 5000

/* Opens `path` for one thread at a time. `flags` are those of sqlite3_open_v2 without the
 * threading mode. 0, or -1 and `error`. Readers never checkpoint: the only
 * checkpoints are the writer's. */
int sql_open(sqlite3 **db, const char *path, int flags, struct error *error);
/* The same, read-only: what readers use. */
int sql_open_reader(sqlite3 **db, const char *path, struct error *error);

/* Runs statements that give no rows (rows are thrown away). An SQLite code. */
int sql_exec(sqlite3 *db, const char *text);
/* The first column of the first row of a statement without parameters. An SQLite code;
 * SQLITE_DONE: no row. */
int sql_get_int(sqlite3 *db, const char *text, int64_t *value);
int sql_rollback(sqlite3 *db); /* nothing if no transaction is open */

/* Prepares all `texts` for the life of the connection. 0, or -1 and `error` with nothing prepared. */
int sql_prepare_all(sqlite3 *db, const char *const *texts, sqlite3_stmt **statements, size_t count,
    struct error *error);
void sql_finalize_all(sqlite3_stmt **statements, size_t count);

/* Steps a statement that gives no rows, and resets it. An SQLite code, SQLITE_OK when it ran. */
int sql_run(sqlite3_stmt *statement);

/* Binds the first two parameters. The statement itself, so that it can be run or bound further. */
sqlite3_stmt *sql_bind_ids(sqlite3_stmt *statement, int64_t first, int64_t second);

/* Binds text for the time of one step; NULL binds NULL. */
void sql_bind_text(sqlite3_stmt *statement, int index, const char *text);

/* A column's text, "" for NULL. Lives until the next step. */
const char *sql_text(sqlite3_stmt *statement, int column);

#endif
