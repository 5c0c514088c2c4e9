/* Deletes the oldest points and histograms of one series, a thousand rows at a time. Belongs to
 * the writer thread. */
#ifndef FORESHOCK_STORE_PRUNE_H
#define FORESHOCK_STORE_PRUNE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/error.h"

enum prune_table { PRUNE_POINTS, PRUNE_HISTOGRAMS, PRUNE_TABLES };

#define PRUNE_STATEMENTS 4

struct prune {
    sqlite3 *db;
    sqlite3_stmt *statements[PRUNE_TABLES][PRUNE_STATEMENTS];
};

int prune_open(struct prune *prune, sqlite3 *db, struct error *error); /* 0, or -1 and `error` */
void prune_close(struct prune *prune);

/* The last step of the oldest eighth of the series, sparing the newest `keep` rows. An SQLite
 * code; SQLITE_DONE: it has no more than those. */
int prune_cutoff(
    struct prune *prune, enum prune_table table, int64_t series, int64_t keep, int64_t *last);

/* Deletes rows up to step `last`. An SQLite code; SQLITE_DONE: none is left. */
int prune_slice(struct prune *prune, enum prune_table table, int64_t series, int64_t last);

#endif
