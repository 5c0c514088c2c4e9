/* The tables of figures: a series' row is made with its first point or histogram, and its id is remembered. Belongs to the
 * writer thread, inside its transaction. */
#ifndef FORESHOCK_STORE_FIGURE_TABLE_H
#define FORESHOCK_STORE_FIGURE_TABLE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "daemon/core/error.h"
#include "daemon/core/figure.h"
#include "daemon/store/series_cache.h"

#define FIGURE_TABLE_STATEMENT_MAX 4

struct figure_table {
    sqlite3 *db;
    sqlite3_stmt *statements[FIGURE_TABLE_STATEMENT_MAX];
    struct series_cache series;
};

int figure_table_open(
    struct figure_table *table, sqlite3 *db, struct error *error); /* 0, or -1 and `error` */
void figure_table_close(struct figure_table *table);

/* After a rollback, and when series were deleted: ids that are remembered may be wrong. */
void figure_table_forget(struct figure_table *table);

/* The series that a figure belongs to, which is made if its run and layer are there; it lives until figure_table_forget.
 * NULL: they are not. An SQLite code. */
int figure_table_find_series(
    struct figure_table *table, const struct figure *figure, const struct series **found);

/* One point, or one histogram. `stored`: it was not there before, and its run and layer are. An SQLite code. */
int figure_table_put(struct figure_table *table, const struct figure *figure, bool *stored);
int figure_table_put_histogram(
    struct figure_table *table, const struct histogram *histogram, bool *stored);

#endif
