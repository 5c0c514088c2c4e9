/* The numbers of alerts: given in order, never twice, not even after a kill that lost the row of one that people had already
 * heard of. The database's count runs ahead of what is given, and goes back to it when the store is closed.
 *
 * At most ALERT_IDS_AHEAD may be given before the first of them is committed. */
#ifndef FORESHOCK_STORE_ALERT_IDS_H
#define FORESHOCK_STORE_ALERT_IDS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>

#include "daemon/core/error.h"

#define ALERT_IDS_AHEAD 8192

struct alert_ids {
    sqlite3 *db;
    _Atomic int64_t last; /* given; any thread */
    int64_t reserved;     /* in the database; the writer's */
};

int alert_ids_open(
    struct alert_ids *ids, sqlite3 *db, struct error *error); /* 0, or -1 and `error` */
void alert_ids_close(struct alert_ids *ids);                  /* after the writer; safe on zeros */

int64_t alert_ids_next(struct alert_ids *ids); /* any thread */

/* In the transaction that writes the alert `id`. An SQLite code. */
int alert_ids_written(struct alert_ids *ids, int64_t id);
void alert_ids_rolled_back(struct alert_ids *ids);

#endif
