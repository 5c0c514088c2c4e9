/* Which alerts are silenced: the table `silence` against the alerts that fire. Belongs to the writer
 * thread, inside its transaction. All functions return an SQLite code. */
#ifndef FORESHOCK_STORE_SILENCER_H
#define FORESHOCK_STORE_SILENCER_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "daemon/store/store.h"

#define SILENCER_STATEMENT_MAX 8

struct silencer {
    sqlite3 *db;
    sqlite3_stmt *statements[SILENCER_STATEMENT_MAX];
    _Atomic double next_expiry; /* read by any thread; INFINITY: none */
};

int silencer_open(
    struct silencer *silencer, sqlite3 *db, struct error *error); /* 0, or -1 and `error` */
void silencer_close(struct silencer *silencer);

/* Whether the silences that are there cover an alert: its run, rule, layers and evidence. */
int silencer_covers(struct silencer *silencer, const struct store_alert *alert, bool *covered);

int silencer_add(struct silencer *silencer, const struct store_silence *silence);
int silencer_end(struct silencer *silencer, int64_t silence);
int silencer_expire(struct silencer *silencer, double now); /* those of this time and before */

/* After the above: looks at all alerts that fire, marks those for which it changed, and calls back
 * for each, its new `silenced` and `notified` in it. ROWS_UNKNOWN and `error`: one
 * cannot be read. */
int silencer_review(struct silencer *silencer,
    int (*changed)(void *ctx, const struct store_alert *), void *ctx, struct error *error);

#endif
