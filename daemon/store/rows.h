/* Reading rows out of statements, for the catalog and the readers. The strings of a row live
 * until the next step. */
#ifndef FORESHOCK_STORE_ROWS_H
#define FORESHOCK_STORE_ROWS_H

#include <sqlite3.h>

#include "daemon/store/store.h"

/* Column lists that the functions below read, from column 0 on; the tables are called by these
 * short names. */
#define ROWS_RUN                                                                                   \
    "r.id, r.key, r.name, r.state, r.tags, r.attempt, r.started_at, r.last_seen_at, "              \
    "coalesce(r.last_step, -1), r.dropped, r.undefined, coalesce(r.owner, -1)"
#define ROWS_RUN_COUNT 12
#define ROWS_LAYER                                                                                 \
    "l.id, l.run_id, l.name, l.kind, l.role, l.block, l.dtype, l.rows, l.cols, l.transposed"
#define ROWS_ALERT                                                                                 \
    "a.id, a.run_id, a.attempt, a.rule, a.severity, a.state, a.title, a.summary, a.layers, "       \
    "a.evidence, a.observed, a.started_step, a.last_step, a.started_at, coalesce(a.resolved_at, "  \
    "0), a.silenced, a.notified"
#define ROWS_ALERT_COUNT 17
/* All alerts that fire, by id. */
#define ROWS_FIRING                                                                                \
    "SELECT " ROWS_ALERT " FROM alert a JOIN run r ON r.id = a.run_id WHERE r.retired = 0"         \
    " AND a.state = 'firing' ORDER BY a.id"
#define ROWS_SILENCE                                                                               \
    "s.id, s.run, s.rule, s.layer, s.reason, s.created_by, s.created_at, s.expires_at"

#define ROWS_SESSION "s.run_id, s.key, s.client, s.attempt, s.rank, s.world, s.state, s.dropped"

/* The code of a row whose text names no value of its enum: another daemon, or a hand, has written it. */
enum { ROWS_UNKNOWN = SQLITE_CONSTRAINT_CHECK };

/* SQLITE_OK, or ROWS_UNKNOWN and `error`. */
int rows_run(sqlite3_stmt *statement, struct store_run *run, struct error *error);
int rows_session(sqlite3_stmt *statement, struct store_session *session, struct error *error);
int rows_alert(sqlite3_stmt *statement, struct store_alert *alert, struct error *error);

struct store_layer rows_layer(sqlite3_stmt *statement);
struct store_silence rows_silence(sqlite3_stmt *statement);

/* A figure's value: NaN is stored as NULL. */
double rows_value(sqlite3_stmt *statement, int column);

#endif
