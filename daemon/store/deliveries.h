/* What became of the rows of the outbox that were sent: they go, become notices, or wait for another try. Belongs to the
 * writer thread, inside its transaction. */
#ifndef FORESHOCK_STORE_DELIVERIES_H
#define FORESHOCK_STORE_DELIVERIES_H

#include <sqlite3.h>

#include "daemon/store/outbox.h"

#define DELIVERIES_STATEMENT_MAX 4

struct deliveries {
    sqlite3_stmt *statements[DELIVERIES_STATEMENT_MAX];
    struct outbox *outbox;
};

/* 0, or -1 and `error`. The outbox is the caller's and outlives them. */
int deliveries_open(
    struct deliveries *deliveries, sqlite3 *db, struct outbox *outbox, struct error *error);
void deliveries_close(struct deliveries *deliveries);

/* One of a notifier that is gone changes nothing. An SQLite code. */
int deliveries_record(struct deliveries *deliveries, const struct store_delivery *delivery);

#endif
