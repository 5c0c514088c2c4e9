/* Pending notifications: rows that are written in the transaction of the alert that they are about.
 * Belongs to the writer thread, inside its transaction. All functions return an SQLite code.
 *
 *              fires                    delivered                 resolved
 *     nothing ───────▶ row "firing" ──────────────▶ notice ─────────────────▶ row "resolved"
 *        ▲                │    ▲ changes: takes the    │ ▲ delivered              │
 *        │                ▼    └ place of the old row  ▼ │                        │ delivered: the
 *        │             silenced: the row goes       row "updated"                 ▼ notice goes
 *        └────────────────────────────────────────────────────────────────────────┘
 *
 * A notice is what the receiver holds for firing. An alert that is silenced while it fires is not
 * notified further, but those who hold a notice are notified of its end; so it is with an alert that
 * is only observed from now on. An alert has at most two rows per notifier: its newest firing state
 * and its resolution. A receiver that is down for long therefore costs two rows an alert. A change of words or
 * layers alone waits LIMIT_UPDATE_SECONDS for more of the kind. */
#ifndef FORESHOCK_STORE_OUTBOX_H
#define FORESHOCK_STORE_OUTBOX_H

#include <sqlite3.h>
#include <stdint.h>

#include "daemon/store/notifier_table.h"
#include "daemon/store/store.h"

#define OUTBOX_STATEMENT_MAX 12

struct outbox {
    sqlite3 *db;
    sqlite3_stmt *statements[OUTBOX_STATEMENT_MAX];
    struct notifier_table notifiers;
    uint64_t dropped; /* in the transaction in hand, for the log */
    char dropped_of[NOTIFIER_TABLE_NAME_MAX];
};

int outbox_open(struct outbox *outbox, sqlite3 *db, struct error *error); /* 0, or -1 and `error` */
void outbox_close(struct outbox *outbox);

/* From here on these are the notifiers; see store_put_notifiers. ROWS_UNKNOWN and `error`: an alert that fires cannot be
 * read. */
int outbox_register(struct outbox *outbox, const struct store_notifier *list, size_t count,
    double now, struct error *error);

/* An alert as its row is stored. `again`: also those who hold a notice of it are notified that it
 * fires. */
int outbox_alert(struct outbox *outbox, const struct store_alert *alert, bool again, double now);

/* Whatever a receiver holds for firing that fires no more, such as the alerts of a run that was
 * retired, is queued as resolved. */
int outbox_resolve_ended(struct outbox *outbox, double now);

/* The same for one alert and one receiver. */
int outbox_resolve_if_ended(
    struct outbox *outbox, const struct notifier_entry *notifier, int64_t alert, double now);

/* Drops and counts the rows of a notifier that have waited too long, but for what still fires. */
int outbox_drop_aged(struct outbox *outbox, const struct notifier_entry *notifier, double now);

#endif
