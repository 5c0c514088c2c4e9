/* The table of alerts, with what follows from each change: silences are asked, notifications go into the outbox. Belongs to
 * the writer thread, inside its transaction. */
#ifndef FORESHOCK_STORE_ALERT_TABLE_H
#define FORESHOCK_STORE_ALERT_TABLE_H

#include <sqlite3.h>

#include "daemon/store/alert_ids.h"
#include "daemon/store/batch.h"
#include "daemon/store/outbox.h"
#include "daemon/store/silencer.h"

#define ALERT_TABLE_STATEMENT_MAX 4

struct alert_table {
    sqlite3 *db;
    sqlite3_stmt *statements[ALERT_TABLE_STATEMENT_MAX];
    struct alert_ids ids;
    struct silencer silencer;
    struct outbox *outbox;
    int64_t *reviewed; /* alerts whose rows the transaction in hand changed in place */
    size_t reviewed_count, reviewed_size;
};

/* 0, or -1 and `error`. The outbox is the caller's and outlives the table. */
int alert_table_open(
    struct alert_table *table, sqlite3 *db, struct outbox *outbox, struct error *error);
void alert_table_close(struct alert_table *table);

void alert_table_begin(struct alert_table *table);  /* a transaction begins */
void alert_table_forget(struct alert_table *table); /* after a rollback */

/* The functions below return an SQLite code. ROWS_UNKNOWN and `error`: an alert cannot be read. */

/* Insert or update. Leaves the row as it was written in `op`. */
int alert_table_put(struct alert_table *table, struct op_alert *op);
int alert_table_end(struct alert_table *table, const struct op_alert_end *end, struct error *error);
int alert_table_acknowledge(struct alert_table *table, const struct op_ack *ack);

/* A silence begins, ends early, or those of this time and before end. Alerts whose being silenced changes by it are marked
 * and noted in `reviewed`. */
int alert_table_add_silence(
    struct alert_table *table, const struct store_silence *silence, struct error *error);
int alert_table_end_silence(struct alert_table *table, int64_t silence, struct error *error);
int alert_table_expire_silences(struct alert_table *table, double now, struct error *error);

/* Calls `visit` with an alert as its row is now, unless its run is retired. Whatever the code, but for SQLITE_OK, `error`
 * says why there was no call. */
int alert_table_visit(struct alert_table *table, int64_t alert,
    void (*visit)(void *ctx, const char *run_key, const struct store_alert *), void *ctx,
    struct error *error);

#endif
