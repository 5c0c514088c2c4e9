/* The tables of runs and of what they are made of: attempts, sessions, layers with their baselines and trackers. Belongs to
 * the writer thread, inside its transaction. */
#ifndef FORESHOCK_STORE_RUN_TABLE_H
#define FORESHOCK_STORE_RUN_TABLE_H

#include <sqlite3.h>

#include "daemon/store/batch.h"

#define RUN_TABLE_STATEMENT_MAX 12

struct run_table {
    sqlite3_stmt *statements[RUN_TABLE_STATEMENT_MAX];
};

int run_table_open(
    struct run_table *table, sqlite3 *db, struct error *error); /* 0, or -1 and `error` */
void run_table_close(struct run_table *table);

/* Insert or update. An SQLite code. */
int run_table_put(struct run_table *table, const struct store_run *run);
int run_table_put_attempt(struct run_table *table, const struct store_attempt *attempt);
int run_table_put_session(struct run_table *table, const struct store_session *session);
int run_table_put_layer(struct run_table *table, const struct store_layer *layer);
int run_table_put_tracker(struct run_table *table, const struct store_tracker *tracker);
/* Notes in `op` which file the row named before. */
int run_table_put_baseline(struct run_table *table, struct op_baseline *op);

/* After the commit: removes the file that a baseline's row named before, if no row names it now. */
void run_table_unlink_replaced(
    struct run_table *table, const struct op_baseline *op, int baselines_fd);

/* Hides a run from all readers; its rows go afterwards. An SQLite code. */
int run_table_retire(struct run_table *table, int64_t run);

bool run_table_has(struct run_table *table, int64_t run); /* there, and not retired */

#endif
